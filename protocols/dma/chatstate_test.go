package dma

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestTypingSaysNothingElse: what a client adds to a typing notice does not reach the peer,
// who would take it for the gatekeeper's word.
func TestTypingSaysNothingElse(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	sent := &stanza.Notification{
		ID: "t", To: alice.addr, From: alice.addr, Participant: alice.addr, Timestamp: 7, Offline: 3, Event: stanza.Typing{Paused: true},
	}
	out := n.gatekeeper(Frame{Conn: bob.conn, Data: encode(sent)})
	if len(out.Sends) != 1 || out.Sends[0].Conn != alice.conn || !out.Sends[0].Lossy {
		t.Fatalf("sends %+v, want one to alice that may be lost", out.Sends)
	}
	got, err := parseFrame(out.Sends[0].Frame)
	if err != nil {
		t.Fatal(err)
	}
	want := &stanza.Notification{ID: "t", From: bob.addr, To: alice.addr, Type: stanza.NotifyChatState, Event: stanza.Typing{Paused: true}}
	if d := cmp.Diff(stanza.Stanza(want), got, cmp.AllowUnexported(ident.URI{})); d != "" {
		t.Error(d)
	}
}

// TestLongIDs: an ID that comes back in an answer is bounded, whatever it is of.
func TestLongIDs(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	for _, s := range []stanza.Stanza{
		&stanza.Notification{ID: strings.Repeat("x", MaxID+1), To: alice.addr, Event: stanza.Typing{}},
		&stanza.IQ{ID: strings.Repeat("x", MaxID+1), Type: stanza.Get, Payload: stanza.KeepAlive{}},
	} {
		if _, err := n.gk.Step(n.now, Frame{Conn: bob.conn, Data: encode(s)}); !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("%T: got %v, want %v", s, err, protocols.ErrMalformed)
		}
	}
	longest := &stanza.IQ{ID: strings.Repeat("x", MaxID), Type: stanza.Get, Payload: stanza.KeepAlive{}}
	if _, err := n.gk.Step(n.now, Frame{Conn: bob.conn, Data: encode(longest)}); err != nil {
		t.Error(err)
	}
}
