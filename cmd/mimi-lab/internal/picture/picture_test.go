//go:build !nogpl

// The picture is of real Signal sessions, which the build tag nogpl leaves out.

package picture

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/trace"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

var update = flag.Bool("update", false, "write the picture anew")

// file is the picture, as README.md shows it.
const file = "../../../../docs/message.svg"

// TestPicture simulates half a day of dma-launch-2024 and draws the first
// message that a partner's user sent while its recipient was offline and that was
// read in the end.
func TestPicture(t *testing.T) {
	t.Parallel()
	f, err := scenario.Open("dma-launch-2024", "warmup=0s", "duration=12h", "cooldown=1h")
	if err != nil {
		t.Fatal(err)
	}
	j := trace.NewRecorder()
	p := f.Points()[0]
	if _, err := world.Simulate(&p.Scenario, "", 0, 1, world.Options{Journal: j}); err != nil {
		t.Fatal(err)
	}
	life := pick(j.Entries())
	if life == nil {
		t.Fatal("no message of the run has the life that the picture shows")
	}
	partner, native := life[0].Node, life[0].Peer
	_, gatekeeper, _ := strings.Cut(partner, "@")
	d := trace.Diagram{
		Title: "A message waits until its recipient is back",
		Sub:   fmt.Sprintf("%s, seed 1, simulated with the real protocol code; acks left out", f.Name),
		Actors: []trace.Actor{
			{Node: partner, Role: trace.Device, Note: "device of a partner's user"},
			{Node: gatekeeper, Role: trace.Gatekeeper, Note: "gatekeeper"},
			{Node: native, Role: trace.Device, Note: "device of its own user"},
		},
		Entries: life,
	}
	got, err := d.SVG()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the run draws another picture than %s: run the test with -update and look at it", file)
	}
}

// pick returns the life of the first message that fits, without its acks and
// what came after it was read.
func pick(entries []trace.Entry) []trace.Entry {
	const most = 18 // entries that a reader follows at a glance
	for _, e := range entries {
		if e.Event != trace.Seal || !strings.Contains(e.Node, "@") {
			continue
		}
		life := slices.DeleteFunc(trace.Life(entries, e.ID), func(e trace.Entry) bool { return e.Kind == "ack" })
		last, deliver, receipts := 0, -1, 0
		for i, x := range life {
			switch {
			case x.Event == trace.Deliver:
				deliver = i
			case deliver >= 0 && x.Event == trace.Receive && x.Node == e.Node:
				receipts++
				last = i
			}
		}
		stored := slices.ContainsFunc(life, func(x trace.Entry) bool { return x.Event == trace.Store })
		if stored && receipts == 2 && last < most && life[1].At-life[0].At < des.Second {
			return life[:last+1]
		}
	}
	return nil
}
