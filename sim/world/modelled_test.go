//go:build !nogpl

package world

import (
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// TestModelledSizes: a scenario puts the same frames of the same sizes on every link
// at the same times, whether its end-to-end encryption is Signal's or the model of
// its sizes. So what a large modelled run says about bytes is what a real one would.
func TestModelledSizes(t *testing.T) {
	t.Parallel()
	sc := load(t, "faulty-small")
	journal := func(adapter string, seed uint64) []trace.Entry {
		t.Helper()
		with := *sc
		with.Adapter = adapter
		j := trace.NewRecorder()
		if _, err := Simulate(&with, "", 0, seed, Options{Journal: j}); err != nil {
			t.Fatal(err)
		}
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		return j.Entries()
	}
	for seed := range uint64(3) {
		crypto, model := journal("signal-v3", seed), journal("signal-v3-sized", seed)
		for i := range min(len(crypto), len(model)) {
			if crypto[i] != model[i] {
				t.Fatalf("seed %d, entry %d: signal-v3 %+v, signal-v3-sized %+v", seed, i, crypto[i], model[i])
			}
		}
		if len(crypto) != len(model) {
			t.Errorf("seed %d: %d entries with signal-v3, %d with signal-v3-sized", seed, len(crypto), len(model))
		}
		if !slices.ContainsFunc(crypto, func(e trace.Entry) bool { return e.Event == trace.Deliver }) {
			t.Errorf("seed %d: nothing was delivered", seed)
		}
	}
}
