package world

import (
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// TestJournalShowsEveryHop demands that frames of a partner with a proxy go by the
// proxy, those of one without go by none, and that what arrives or is lost was sent
// over the same link before.
func TestJournalShowsEveryHop(t *testing.T) {
	t.Parallel()
	sc := load(t, "faulty-small")
	j := trace.NewRecorder()
	out, err := Simulate(sc, "", 0, 3, Options{Journal: j, Digest: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	type hop struct{ from, to string }
	sent, ended, dropped := map[hop]int{}, map[hop]int{}, map[hop]int{}
	for _, e := range j.Entries() {
		h := hop{e.Node, e.Peer}
		switch e.Event {
		case trace.Send:
			sent[h]++
			continue
		case trace.Receive:
			h = hop{e.Peer, e.Node}
		case trace.Drop:
			dropped[h]++
		default:
			continue
		}
		ended[h]++
		if sent[h] == 0 {
			t.Fatalf("at %d: %s of a frame from %s to %s, where none was sent", e.At, e.Event, h.from, h.to)
		}
	}
	for h, n := range sent {
		if strings.HasPrefix(h.from, "lark/") && h.from != "lark/proxy" && h.to != "lark/proxy" {
			t.Errorf("%d frames from %s to %s, past the proxy", n, h.from, h.to)
		}
		if n > 20 && ended[h] < n/2 {
			t.Errorf("%d frames from %s to %s, and only %d arrived or were lost", n, h.from, h.to, ended[h])
		}
	}
	for _, h := range []hop{
		{"lark/1@whatsapp", "lark/proxy"}, {"lark/proxy", "whatsapp"}, {"whatsapp", "lark/proxy"}, {"lark/proxy", "lark/1@whatsapp"},
		{"wren/1@whatsapp", "whatsapp"}, {"whatsapp", "wren/1@whatsapp"},
	} {
		if sent[h] == 0 {
			t.Errorf("no frame from %s to %s", h.from, h.to)
		}
	}
	if len(dropped) < 5 {
		t.Errorf("frames were lost on %d links, want some on most", len(dropped))
	}
	// To watch is not to change.
	alone, err := Simulate(sc, "", 0, 3, Options{Digest: true})
	if err != nil {
		t.Fatal(err)
	}
	if alone.Digest != out.Digest {
		t.Error("the run went another way with a journal")
	}
}

// TestJournalShowsWhoIsThere demands that a device that gets a frame is online in
// the journal, and that going and coming take turns.
func TestJournalShowsWhoIsThere(t *testing.T) {
	t.Parallel()
	j := trace.NewRecorder()
	if _, err := Simulate(load(t, "faulty-small"), "", 0, 3, Options{Journal: j}); err != nil {
		t.Fatal(err)
	}
	presence := map[string]trace.Event{} // of those of whom it is known
	pushed := 0
	for _, e := range j.Entries() {
		switch e.Event {
		case trace.Online, trace.Offline:
			if presence[e.Node] == e.Event {
				t.Errorf("at %d: %s is %s twice", e.At, e.Node, e.Event)
			}
			presence[e.Node] = e.Event
			if e.Note != "" {
				pushed++
			}
		case trace.Receive:
			if presence[e.Node] == trace.Offline {
				t.Errorf("at %d: %s got a %s while it was offline", e.At, e.Node, e.Kind)
			}
		}
	}
	if pushed == 0 {
		t.Error("no push woke anybody")
	}
}
