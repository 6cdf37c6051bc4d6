package dma

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestInboxChangesWithoutLoss: "one combined or a separate inbox, changeable at any
// time without losing anything" (Reference Offer, user experience).
func TestInboxChangesWithoutLoss(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.send(bob, alice, "before any choice")
	choose := func(i stanza.Inbox) {
		t.Helper()
		n.step(alice, ChooseInbox{i})
		n.run()
	}
	choose(stanza.SeparateInbox)
	n.send(bob, alice, "apart")
	n.disconnect(alice)
	n.send(bob, alice, "waits across the change")
	choose(stanza.CombinedInbox) // offline
	n.crash(alice)
	n.connect(alice)
	n.crashGatekeeper()
	n.connect(bob)
	n.connect(alice)
	n.send(bob, alice, "together")
	wantGot(t, alice, "before any choice", "apart", "waits across the change", "together")
	wantSettled(t, n)

	from := "alice: delivered " + bob.addr.String()
	var shown []string
	for _, e := range n.events {
		if rest, ok := strings.CutPrefix(e, from); ok {
			shown = append(shown, rest)
		}
	}
	want := []string{"", " in the separate inbox", " in the combined inbox", " in the combined inbox"}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("inboxes (-want +got):\n%s", diff)
	}
	if got := n.gk.accounts[alice.addr].inbox; got != stanza.CombinedInbox {
		t.Errorf("the gatekeeper keeps inbox %q, want combined", got)
	}
}

// TestSettingsQuery: what a user has set is returned by a query.
func TestSettingsQuery(t *testing.T) {
	t.Parallel()
	n, alice, _ := pair(t, GatekeeperConfig{})
	n.gatekeeper(Agree{Integrator: 7, Active: true})
	n.step(alice, ChooseInbox{stanza.SeparateInbox})
	n.step(alice, AllowApp{Integrator: 7})
	n.run()
	q := &stanza.IQ{ID: "ask", Type: stanza.Get, Payload: stanza.SettingsQuery{}}
	out := n.gatekeeper(Frame{Conn: alice.conn, Data: encode(q)})
	if len(out.Sends) != 1 {
		t.Fatalf("%d frames in answer to the query, want 1", len(out.Sends))
	}
	s, err := parseFrame(out.Sends[0].Frame)
	if err != nil {
		t.Fatal(err)
	}
	want := &stanza.Settings{Inbox: stanza.SeparateInbox, Apps: []stanza.App{{Integrator: 1, Enabled: true}, {Integrator: 7}}}
	if diff := cmp.Diff(stanza.Payload(want), s.(*stanza.IQ).Payload); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestSettingsAreNativeUsers(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	if _, err := bob.dev.Step(n.now, ChooseInbox{stanza.CombinedInbox}); err == nil {
		t.Error("a partner's device took a choice of inbox")
	}
	if _, err := alice.dev.Step(n.now, ChooseInbox{"both"}); err == nil {
		t.Error("a device took an inbox that does not exist")
	}
	set := &stanza.IQ{ID: "set", Type: stanza.Set, Payload: &stanza.Settings{Inbox: stanza.CombinedInbox, Apps: []stanza.App{{Integrator: 1}}}}
	if _, err := n.gk.Step(n.now.Add(time.Second), Frame{Conn: bob.conn, Data: encode(set)}); err == nil {
		t.Error("the gatekeeper took settings from a partner's user")
	}
}
