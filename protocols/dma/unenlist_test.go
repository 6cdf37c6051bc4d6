package dma

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestDelete: an account that its user deletes leaves nothing behind, and its number is
// not given again.
func TestDelete(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.send(bob, alice, "one")
	n.disconnect(alice)
	n.send(bob, alice, "two")
	n.send(alice, bob, "waits at alice's device")
	n.step(bob, Delete{})
	n.run()
	if bob.conn != 0 {
		t.Error("bob is connected")
	}
	for key := range n.store {
		if strings.Contains(key, "/"+bob.addr.String()) {
			t.Errorf("record %s is left", key)
		}
	}
	if _, err := n.gk.Step(n.now, Connect{Conn: 99, Account: bob.addr}); err == nil {
		t.Error("bob connects")
	}
	n.connect(alice)
	wantGot(t, alice, "one", "two") // what was accepted is alice's
	if len(n.gk.accounts[alice.addr].box) != 0 {
		t.Error("alice's mailbox is not empty")
	}
	n.crashGatekeeper()
	if again := n.gatekeeper(Enlist{Integrator: 1, Visible: "bob"}).Account; again == bob.addr {
		t.Errorf("the number of %v is given again", again)
	}
	if w, _ := alice.dev.Waiting(); w != 0 {
		t.Errorf("alice's device waits for %d acknowledgements", w)
	}
}

// TestRetryToNobody: a message that does not open, of a sender who is gone, is given up.
func TestRetryToNobody(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.disconnect(alice)
	n.send(bob, alice, "one")
	n.step(bob, Delete{})
	n.run()
	n.gatekeeper(Connect{Conn: 50, Account: alice.addr})
	e := n.gk.accounts[alice.addr].box[0]
	out := n.gatekeeper(Frame{Conn: 50, Data: encode(&stanza.Receipt{
		ID: e.id, To: bob.addr, Type: stanza.RetryAsk, Registration: 1, Retry: &stanza.Retry{Count: 1, ID: e.id, Version: 1},
	})})
	if len(n.gk.accounts[alice.addr].box) != 0 || len(out.Sends) != 1 || len(out.Events) != 1 || out.Events[0].Kind != Dropped {
		t.Errorf("box of %d, output %+v", len(n.gk.accounts[alice.addr].box), out)
	}
	_, err := n.gk.Step(n.now, Frame{Conn: 50, Data: encode(&stanza.Receipt{ID: strings.Repeat("x", MaxID+1), To: bob.addr})})
	if err == nil {
		t.Error("a long id to nobody is taken")
	}
}

// TestUnenlist: 30 days without a connection, and the account is gone; a connection in
// between, or one that lasts, keeps it.
func TestUnenlist(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	n := newNetwork(t, GatekeeperConfig{Reach: DefaultOn, UnenlistAfter: DefaultUnenlistAfter})
	alice, away, back, stays := n.native("alice", "4915100000001"), n.partner("away"), n.partner("back"), n.partner("stays")
	never := n.gatekeeper(Enlist{Integrator: 1, Visible: "never"}).Account
	for _, d := range []*node{alice, away, back, stays} {
		n.connect(d)
	}
	n.disconnect(alice)
	n.disconnect(away)
	n.disconnect(back)
	there := func(want string) {
		t.Helper()
		var got []string
		for name, d := range n.devices {
			if _, ok := n.gk.Account(d.addr); ok {
				got = append(got, name)
			}
		}
		if _, ok := n.gk.Account(never); ok {
			got = append(got, "never")
		}
		if !sameNames(got, want) {
			t.Errorf("%v: %v, want %s", n.now.Sub(epoch), got, want)
		}
	}
	for range 29 {
		n.now = n.now.Add(day)
		n.gatekeeper(Wake{})
	}
	there("alice away back stays never")
	n.connect(back)
	n.disconnect(back)
	n.crashGatekeeper() // and stays is not connected any more, but was seen at the last sweep
	n.now = n.now.Add(2 * day)
	n.gatekeeper(Wake{})
	for range 2 {
		n.now = n.now.Add(day)
		out := n.gatekeeper(Wake{})
		if out.WakeAt.IsZero() || out.WakeAt.Sub(n.now) > 2*day {
			t.Errorf("the next wake is at %v, and it is %v", out.WakeAt, n.now)
		}
	}
	there("alice back stays")
	if _, err := n.gk.Step(n.now, Connect{Conn: 99, Account: away.addr}); err == nil || errors.Is(err, stanza.AgreementRevoked) {
		t.Errorf("connecting again: got %v", err)
	}
	n.now = n.now.Add(40 * day)
	n.gatekeeper(Wake{})
	there("alice")
}

func sameNames(got []string, want string) bool {
	names := strings.Fields(want)
	if len(got) != len(names) {
		return false
	}
	for _, name := range names {
		found := false
		for _, g := range got {
			found = found || g == name
		}
		if !found {
			return false
		}
	}
	return true
}
