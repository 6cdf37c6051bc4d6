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
// message that a partner's user sent by its provider's proxy while the recipient
// was offline, until the sender knows that it arrived.
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
	user, gatekeeper, _ := strings.Cut(partner, "@")
	provider, _, _ := strings.Cut(user, "/")
	d := trace.Diagram{
		Title: "A message waits until its recipient is back",
		Sub:   fmt.Sprintf("%s, seed 1, simulated with the real protocol code; acks left out", f.Name),
		Actors: []trace.Actor{
			{Node: partner, Label: user, Role: trace.Device, Note: "a partner's user"},
			{Node: provider + "/proxy", Role: trace.Proxy, Note: "the partner's proxy"},
			{Node: gatekeeper, Role: trace.Gatekeeper, Note: "gatekeeper"},
			{Node: native, Role: trace.Device, Note: "its own user"},
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
// what came after the sender heard of it: sealed at once, stored, and nothing but
// the recipient's coming online between the two halves.
func pick(entries []trace.Entry) []trace.Entry {
	want := []trace.Event{
		trace.Seal, trace.Send, trace.Receive, trace.Send, trace.Receive, trace.Store, // by the proxy to the gatekeeper
		trace.Online, trace.Send, trace.Receive, trace.Deliver, // to the recipient
		trace.Send, trace.Receive, trace.Send, trace.Receive, trace.Send, trace.Receive, // the receipt, back
	}
	for _, e := range entries {
		if e.Event != trace.Seal || !strings.Contains(e.Node, "@") {
			continue
		}
		life := slices.DeleteFunc(trace.Life(entries, e.ID), func(e trace.Entry) bool { return e.Kind == "ack" })
		if len(life) < len(want) {
			continue
		}
		life = life[:len(want)]
		fits := slices.EqualFunc(life, want, func(e trace.Entry, ev trace.Event) bool { return e.Event == ev })
		if fits && life[len(life)-1].Node == e.Node && life[6].At-life[0].At > des.Minute && life[10].At == life[9].At {
			return life
		}
	}
	return nil
}
