package dma

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// pair returns a native user who allows the partner's app, and a partner's user,
// both connected.
func pair(t *testing.T, cfg GatekeeperConfig) (n *network, alice, bob *node) {
	t.Helper()
	n = newNetwork(t, cfg)
	alice, bob = n.native("alice", "4915100000001"), n.partner("bob")
	n.connect(alice)
	n.connect(bob)
	n.allow(alice)
	return n, alice, bob
}

func wantGot(t *testing.T, d *node, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, d.got); diff != "" {
		t.Errorf("%s saw (-want +got):\n%s", d.name, diff)
	}
}

func wantSettled(t *testing.T, n *network) {
	t.Helper()
	for name, d := range n.devices {
		if out, sent := d.dev.Waiting(); out+sent != 0 {
			t.Errorf("%s still waits for %d acknowledgements and %d delivery receipts", name, out, sent)
		}
		if box := n.gk.accounts[d.addr].box; len(box) != 0 {
			t.Errorf("mailbox of %s still holds %d entries, first %+v", name, len(box), *box[0])
		}
	}
}

func TestConversation(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.send(bob, alice, "one")
	n.send(alice, bob, "two")
	n.send(bob, alice, "three")
	wantGot(t, alice, "one", "three")
	wantGot(t, bob, "two")
	wantSettled(t, n)
}

// TestFirstUpload: a new device that is asked for one-time keys while its first are on
// their way uploads them once, and again when they are used up.
func TestFirstUpload(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{RefillBelow: 3})
	for _, d := range []*node{alice, bob} {
		if got, want := n.gk.accounts[d.addr].keys.oneTime.len(), d.cfg.Batch; got != want {
			t.Errorf("%s: the gatekeeper has %d one-time keys, want %d", d.name, got, want)
		}
	}
	for i := range 4 {
		n.send(n.connected(fmt.Sprintf("user %d", i)), alice, "hello")
	}
	// Below 3 of 5, that is after the third one, there is another batch of 5.
	if got, want := n.gk.accounts[alice.addr].keys.oneTime.len(), 2+alice.cfg.Batch-1; got != want {
		t.Errorf("the gatekeeper has %d one-time keys, want %d", got, want)
	}
}

// connected returns another user of the partner's who is connected.
func (n *network) connected(name string) *node {
	d := n.partner(name)
	n.connect(d)
	return d
}

func TestMailboxKeepsWhatOfflineUsersMiss(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.send(bob, alice, "zero")
	n.disconnect(alice)
	n.send(bob, alice, "one")
	n.send(bob, alice, "two")
	wantGot(t, alice, "zero")
	n.connect(alice)
	wantGot(t, alice, "zero", "one", "two")
	wantSettled(t, n)
}

func TestPushForOfflinePartnerUser(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.disconnect(bob)
	n.send(alice, bob, "hello")
	if diff := cmp.Diff([]Push{{Integrator: 1, To: "bob"}}, n.pushes); diff != "" {
		t.Errorf("pushes (-want +got):\n%s", diff)
	}
	n.connect(bob)
	wantGot(t, bob, "hello")
}

func TestCrashesLoseNothing(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.send(bob, alice, "before")
	n.send(alice, bob, "reply")
	n.disconnect(alice)
	n.send(bob, alice, "kept")
	n.crashGatekeeper()
	n.connect(bob)
	n.crash(alice)
	n.connect(alice)
	wantGot(t, alice, "before", "kept")
	n.step(bob, Compose{To: alice.addr, Content: Content{Kind: Text, Text: "composed"}})
	n.frames = nil // nothing left the device
	n.crash(bob)
	n.connect(bob)
	n.send(alice, bob, "after")
	wantGot(t, alice, "before", "kept", "composed")
	wantGot(t, bob, "reply", "after")
	wantSettled(t, n)
}

func TestLostAckIsRepeatedAndAcceptedOnce(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.send(bob, alice, "zero")
	bob.lose = true // acks and receipts get lost
	n.send(bob, alice, "one")
	bob.lose = false
	n.connect(bob)
	wantGot(t, alice, "zero", "one")
	wantSettled(t, n)
}

func TestLostReceiptDoesNotShowTwice(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	alice.loseUp = true
	n.send(bob, alice, "one")
	n.crash(alice)
	alice.loseUp = false
	n.connect(alice)
	wantGot(t, alice, "one")
	wantSettled(t, n)
}

func TestResendOnTheSameConnection(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{ResendAfter: 10 * time.Second, Window: 1})
	n.send(bob, alice, "zero")
	alice.lose = true
	n.send(bob, alice, "one")
	n.send(bob, alice, "two")
	alice.lose = false
	wantGot(t, alice, "zero")
	out := n.gatekeeper(Wake{})
	n.now = out.WakeAt
	n.gatekeeper(Wake{})
	n.run()
	wantGot(t, alice, "zero", "one", "two")
	wantSettled(t, n)
}

func TestRetryAfterReinstall(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.send(bob, alice, "one")
	n.send(alice, bob, "two")
	// Alice loses her state: what Bob sends now, she can't decrypt.
	n.disconnect(alice)
	n.send(bob, alice, "three")
	clear(alice.store)
	old := n.devices
	n.devices = map[string]*node{"bob": bob}
	fresh := n.device("alice", alice.addr)
	n.devices = old
	alice.dev, alice.cfg, alice.got = fresh.dev, fresh.cfg, nil
	n.connect(alice)
	wantGot(t, alice, "three")
	n.send(bob, alice, "four")
	wantGot(t, alice, "three", "four")
	n.send(alice, bob, "five")
	wantGot(t, bob, "two", "five")
	wantSettled(t, n)
	if got := strings.Count(strings.Join(n.events, "\n"), "alice: undecryptable"); got != 1 {
		t.Errorf("alice asked %d times for a message, want once; events: %q", got, n.events)
	}
	if !slices.ContainsFunc(n.events, func(s string) bool { return s == "bob: identity changed "+alice.addr.String() }) {
		t.Errorf("bob was not told of alice's new identity; events: %q", n.events)
	}
}

// deaf is a client that can decrypt nothing.
type deaf struct{ protocols.Client }

func (deaf) Open(protocols.Address, protocols.Sealed) (protocols.Opened, error) {
	return protocols.Opened{}, protocols.ErrAuthentication
}

// TestRetriesAreNumberedAcrossCrashes: a sender serves each number of a retry receipt
// once, so a device that forgot its numbers in a crash would ask in vain.
func TestRetriesAreNumberedAcrossCrashes(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	n.disconnect(alice)
	n.send(bob, alice, "one")
	for range 2 {
		n.disconnect(bob)
		alice.dev.cfg.Client = deaf{alice.dev.cfg.Client}
		n.connect(alice)
		n.crash(alice)
		n.connect(bob) // learns that alice asked, and seals anew
	}
	n.connect(alice)
	wantGot(t, alice, "one")
	wantSettled(t, n)
}

// TestLateReceiptsSettleNoLaterAttempt: what was meant for one attempt at a message
// and comes late must not take the next attempt out of the mailbox or the outbox.
func TestLateReceiptsSettleNoLaterAttempt(t *testing.T) {
	t.Parallel()
	n, alice, bob := pair(t, GatekeeperConfig{})
	alice.lose, bob.lose = true, true // what follows is by hand
	say := func(d *node, s stanza.Stanza) {
		t.Helper()
		n.gatekeeper(Frame{Conn: d.conn, Data: encode(s)})
	}
	message := func(attempt int) {
		t.Helper()
		say(bob, &stanza.Message{ID: "M", To: alice.addr, Type: stanza.TextMessage, Enc: []stanza.Enc{{Type: "msg", Version: 2, Count: attempt, Payload: []byte{1}}}})
	}
	retry := func(count int) {
		t.Helper()
		say(alice, &stanza.Receipt{ID: "M", To: bob.addr, Type: stanza.RetryAsk, Retry: &stanza.Retry{Count: count, ID: "M", Version: 1}})
	}
	waiting := func(want int, after string) {
		t.Helper()
		if got := len(n.gk.accounts[alice.addr].box); got != want {
			t.Errorf("after %s %d messages wait for alice, want %d", after, got, want)
		}
	}
	message(0)
	retry(1)
	waiting(0, "the first retry receipt")
	message(1)
	retry(1)
	waiting(1, "the first retry receipt came again")
	retry(2)
	waiting(0, "the second retry receipt")

	bob.lose = false
	id := n.step(bob, Compose{To: alice.addr, Content: Content{Kind: Text, Text: "one"}}).ID
	n.run()
	again := Frame{Conn: bob.conn, Data: encode(&stanza.Receipt{ID: id, From: alice.addr, Type: stanza.RetryAsk, Retry: &stanza.Retry{Count: 1, ID: id, Version: 1}})}
	bob.loseUp = true
	n.step(bob, again)
	bob.dev.find(outMessage, id, "", alice.addr, ident.Address{}).sentAt = n.now // as if it had been sealed
	n.step(bob, Frame{Conn: bob.conn, Data: encode(&stanza.Ack{Class: stanza.AckMessage, ID: id, To: alice.addr})})
	if out, sent := bob.dev.Waiting(); sent != 0 {
		t.Errorf("the first attempt's ack, coming late, settled the second one; the outbox holds %d", out)
	}
}
