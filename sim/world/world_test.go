package world

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/sim/check"
	"github.com/mimi-lab/mimi-lab/sim/report"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

func load(t testing.TB, name string, sets ...string) *scenario.Scenario {
	t.Helper()
	return &openFile(t, name, sets...).Points()[0].Scenario
}

// openFile opens a scenario with the first adapter of this build, which is a real one.
func openFile(t testing.TB, name string, sets ...string) *scenario.File {
	t.Helper()
	f, err := scenario.Open(name, append([]string{"adapter=" + adapters.All()[0].Name()}, sets...)...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFaultySmallHoldsItsPromises(t *testing.T) {
	t.Parallel()
	for _, a := range adapters.All() {
		t.Run(a.Name(), func(t *testing.T) {
			t.Parallel()
			sc := load(t, "faulty-small", "adapter="+a.Name())
			for seed := range uint64(20) {
				out, err := Simulate(sc, "", 0, seed, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if out.Violated > 0 {
					t.Errorf("seed %d: %d violations, first %v", seed, out.Violated, out.Violations[0])
				}
				if out.Messages == 0 {
					t.Errorf("seed %d: nobody wrote anything", seed)
				}
			}
		})
	}
}

// TestSabotageIsFound breaks the mailbox on purpose: the gatekeeper's disk forgets
// some of what was to be durable before the sender was told so.
func TestSabotageIsFound(t *testing.T) {
	t.Parallel()
	sc := load(t, "faulty-small")
	n := 0
	forget := func(r protocols.Record) bool { return strings.HasPrefix(r.Key, "box/") && r.Value != nil }
	found := map[check.Name]bool{}
	for seed := range uint64(20) {
		out, err := Simulate(sc, "", 0, seed, Options{sabotage: forget})
		if err != nil {
			t.Fatal(err)
		}
		n += out.Violated
		for _, v := range out.Violations {
			found[v.Check] = true
		}
	}
	if !found[check.Durability] {
		t.Errorf("a mailbox that is not durable went unnoticed in 20 runs; found %v", found)
	}
}

// TestDeterminism: the same scenario and seed give the same run and the same bytes,
// whatever the number of workers, and another seed gives another run.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	f := openFile(t, "faulty-small", "replications=3")
	run := func(workers int) (digests [][32]byte, samples []byte) {
		t.Helper()
		outs, err := Run(t.Context(), f, RunOptions{Workers: workers, Ledger: true, Digest: true})
		if err != nil {
			t.Fatal(err)
		}
		var reps []*report.Replication
		for _, o := range outs {
			digests = append(digests, o.Digest)
			reps = append(reps, o.Replication)
		}
		var buf bytes.Buffer
		if err := report.WriteSamples(&buf, report.Samples(reps)); err != nil {
			t.Fatal(err)
		}
		return digests, buf.Bytes()
	}
	one, oneBytes := run(1)
	two, twoBytes := run(2)
	if !slices.Equal(one, two) {
		t.Errorf("runs differ between 1 and 2 workers")
	}
	if !bytes.Equal(oneBytes, twoBytes) {
		t.Errorf("samples differ between 1 and 2 workers")
	}
	if one[0] == one[1] || one[1] == one[2] {
		t.Errorf("different seeds gave the same run")
	}
}
