package adapter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newTestClient(t testing.TB, name protocols.Address) *client {
	t.Helper()
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{}, t.Name()+string(name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Adapter{}.New(protocols.Config{Address: name, Suite: s})
	if err != nil {
		t.Fatal(err)
	}
	return c.(*client)
}

func bundle(t testing.TB, c *client, oneTime bool) protocols.Bundle {
	t.Helper()
	m, err := c.Publish(now, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := protocols.Bundle{Static: m.Static}
	if oneTime {
		b.OneTime = &m.OneTime[0]
	}
	return b
}

func establish(t testing.TB, a, b *client, oneTime bool) {
	t.Helper()
	if _, err := a.Establish(now, b.address, bundle(t, b, oneTime)); err != nil {
		t.Fatal(err)
	}
}

func say(t testing.TB, from, to *client, text string) protocols.Sealed {
	t.Helper()
	s, err := from.Seal(to.address, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := to.Open(from.address, s)
	if err != nil {
		t.Fatal(err)
	}
	if string(o.Plaintext) != text {
		t.Fatalf("opened %q, want %q", o.Plaintext, text)
	}
	return s
}

// TestTurnsRenewKeys: each turn of a conversation begins an epoch, by the one whose
// turn it is, and no other message does.
func TestTurnsRenewKeys(t *testing.T) {
	t.Parallel()
	a, b := newTestClient(t, "a"), newTestClient(t, "b")
	establish(t, a, b, true)
	epochs := func(from, to *client, want uint64) {
		t.Helper()
		say(t, from, to, "hello")
		for _, g := range []*mls.Group{a.peers["b"].sessions[0].g, b.peers["a"].sessions[0].g} {
			if g.Epoch() != want {
				t.Fatalf("epoch %d, want %d", g.Epoch(), want)
			}
		}
	}
	epochs(a, b, 1)
	epochs(a, b, 1)
	epochs(b, a, 2)
	epochs(b, a, 2)
	epochs(a, b, 3)
	epochs(b, a, 4)
	epochs(b, a, 4)
	epochs(a, b, 5)
}

// TestRecovery: who has a copy of a client's state reads what follows until both have
// spoken, and nothing after that (post-compromise security).
func TestRecovery(t *testing.T) {
	t.Parallel()
	a, b := newTestClient(t, "a"), newTestClient(t, "b")
	establish(t, a, b, true)
	say(t, a, b, "1")
	say(t, b, a, "2")
	spy := func() *client {
		c, err := Adapter{}.Restore(protocols.Config{Address: "b", Suite: b.suite}, b.State())
		if err != nil {
			t.Fatal(err)
		}
		return c.(*client)
	}
	stolen := spy()
	s := say(t, a, b, "3")
	if o, err := stolen.Open("a", s); err != nil || string(o.Plaintext) != "3" {
		t.Fatalf("the copy opened %q, error %v; want it to work before both have spoken", o.Plaintext, err)
	}
	say(t, b, a, "4")
	s = say(t, a, b, "5")
	if o, err := stolen.Open("a", s); err == nil {
		t.Fatalf("the copy opened %q after both have spoken", o.Plaintext)
	}
}

// TestForgottenSessionStaysForgotten: the first message of a session that a
// last-resort KeyPackage served does not open again when its session is gone.
func TestForgottenSessionStaysForgotten(t *testing.T) {
	t.Parallel()
	a, b := newTestClient(t, "a"), newTestClient(t, "b")
	establish(t, a, b, false)
	first := say(t, a, b, "first")
	for range maxSessions {
		establish(t, a, b, false)
		say(t, a, b, "again")
	}
	if n := len(b.peers["a"].sessions); n != maxSessions {
		t.Fatalf("%d sessions are kept, want %d", n, maxSessions)
	}
	for range 2 {
		if _, err := b.Open("a", first); !errors.Is(err, protocols.ErrReplayed) {
			t.Fatalf("error %v, want ErrReplayed", err)
		}
		r, err := Adapter{}.Restore(protocols.Config{Address: "b", Suite: b.suite}, b.State())
		if err != nil {
			t.Fatal(err)
		}
		b = r.(*client)
	}
	for range 2 {
		if err := b.Rotate(now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Open("a", first); !errors.Is(err, protocols.ErrKeyUnknown) {
		t.Fatalf("error %v after the KeyPackage has gone, want ErrKeyUnknown", err)
	}
	for _, r := range b.State() {
		if strings.HasPrefix(r.Key, "spent/") {
			t.Errorf("record %s outlives its KeyPackage", r.Key)
		}
	}
}

func TestEstablishRefuses(t *testing.T) {
	t.Parallel()
	a, b, c := newTestClient(t, "a"), newTestClient(t, "b"), newTestClient(t, "c")
	good := bundle(t, b, true)
	mixed := bundle(t, b, true)
	mixed.OneTime = bundle(t, c, true).OneTime
	for _, test := range []struct {
		name string
		peer protocols.Address
		b    protocols.Bundle
		now  time.Time
		want error
	}{
		{"a bundle of another address", "c", good, now, protocols.ErrAuthentication},
		{"a one-time key of another identity", "b", mixed, now, protocols.ErrAuthentication},
		{"a KeyPackage that expired", "b", good, now.Add(lifetime + time.Hour), mls.CheckLeafLifetime},
		{"itself", "a", bundle(t, a, true), now, errSelf},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := a.Establish(test.now, test.peer, test.b); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if a.Established(test.peer) {
				t.Error("there is a session")
			}
		})
	}
}

// TestSessionIsForTwo: a Commit in a session that adds a third is refused, and leaves
// no trace.
func TestSessionIsForTwo(t *testing.T) {
	t.Parallel()
	a, b, c := newTestClient(t, "a"), newTestClient(t, "b"), newTestClient(t, "c")
	establish(t, a, b, true)
	say(t, a, b, "1")
	s := b.peers["a"].sessions[0]
	k, err := c.engine.NewKeyPackage(now, c.self, mls.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.g.Commit(now, mls.CommitOptions{Path: true, Proposals: []message.Proposal{mls.AddProposal(k.Public)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.g.Merge(&p.Staged); err != nil {
		t.Fatal(err)
	}
	m, err := s.g.Protect([]byte("three of us"), mls.SendOptions{AAD: binding(b.suite, p.Message)})
	if err != nil {
		t.Fatal(err)
	}
	a.Changes()
	if _, err := a.Open("b", seal(p.Message, m)); !errors.Is(err, protocols.ErrMalformed) {
		t.Errorf("error %v, want ErrMalformed", err)
	}
	if changes := a.Changes(); len(changes) > 0 {
		t.Errorf("record %s changed", changes[0].Key)
	}
}

// TestAbandonedOpenLeavesNoTrace: a genuine Commit with a message that does not open
// is not taken, in memory as in the records.
func TestAbandonedOpenLeavesNoTrace(t *testing.T) {
	t.Parallel()
	a, b := newTestClient(t, "a"), newTestClient(t, "b")
	establish(t, a, b, true)
	say(t, a, b, "1")
	s, err := b.Seal("a", []byte("2"))
	if err != nil {
		t.Fatal(err)
	}
	bad := protocols.Sealed{Type: s.Type, Version: s.Version, Payload: append([]byte(nil), s.Payload...)}
	bad.Payload[len(bad.Payload)-1] ^= 1
	if _, err := a.Open("b", bad); !errors.Is(err, protocols.ErrAuthentication) {
		t.Fatalf("error %v, want ErrAuthentication", err)
	}
	if e := a.peers["b"].sessions[0].g.Epoch(); e != 1 {
		t.Fatalf("epoch %d, want 1", e)
	}
	if _, err := a.Open("b", s); err != nil {
		t.Fatal(err)
	}
}

// TestGroupChangeRenewsKeys: a change of nobody is a Commit.
func TestGroupChangeRenewsKeys(t *testing.T) {
	t.Parallel()
	a, b := newTestClient(t, "a"), newTestClient(t, "b")
	const g = "g"
	if err := a.CreateGroup(now, g); err != nil {
		t.Fatal(err)
	}
	change := func(add []protocols.Member) protocols.Notice {
		t.Helper()
		out, err := a.Change(now, g, add, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Settle(g, true); err != nil {
			t.Fatal(err)
		}
		var n protocols.Notice
		for _, e := range out {
			o, err := b.OpenGroup(now, g, "a", e.Sealed)
			if err != nil {
				t.Fatal(err)
			}
			n |= o.Notice
		}
		return n
	}
	if n := change([]protocols.Member{{Address: "b", Bundle: bundle(t, b, true)}}); n != protocols.MembersChanged|protocols.OneTimeKeyUsed {
		t.Errorf("notice %b of the Welcome", n)
	}
	if n := change(nil); n != 0 {
		t.Errorf("notice %b of new keys, want none", n)
	}
	if x, y := a.groups[g].g, b.groups[g].g; x.Epoch() != 2 || string(x.EpochAuthenticator()) != string(y.EpochAuthenticator()) {
		t.Errorf("epochs %d and %d, want both in 2", x.Epoch(), y.Epoch())
	}
	if _, err := a.Change(now, g, nil, []protocols.Address{"a"}); !errors.Is(err, errChange) {
		t.Errorf("removing itself: error %v, want errChange", err)
	}
}

func TestSafetyNumber(t *testing.T) {
	t.Parallel()
	a, b := newTestClient(t, "a"), newTestClient(t, "b")
	if _, err := a.SafetyNumber([]byte("A"), []byte("B"), "b"); !errors.Is(err, protocols.ErrNoSession) {
		t.Errorf("error %v, want ErrNoSession", err)
	}
	establish(t, a, b, true)
	say(t, a, b, "hello")
	x, err := a.SafetyNumber([]byte("A"), []byte("B"), "b")
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.SafetyNumber([]byte("B"), []byte("A"), "a")
	if err != nil || x != y || len(x) != 60 || strings.Trim(x, "0123456789") != "" {
		t.Errorf("numbers %q and %q, error %v, want one of 60 digits", x, y, err)
	}
	if z, _ := a.SafetyNumber([]byte("A"), []byte("C"), "b"); z == x {
		t.Error("another user has the same number")
	}
}

// TestSizes logs what a message costs, by its place in a conversation.
func TestSizes(t *testing.T) {
	t.Parallel()
	a, b := newTestClient(t, "alice@example.org"), newTestClient(t, "bob@example.org")
	establish(t, a, b, true)
	const text = "exactly forty bytes of plaintext, these."
	for _, step := range []struct {
		what     string
		from, to *client
		most     int // of bytes beside the text
	}{
		{"the first message, with the Welcome", a, b, 1200},
		{"the second message, still with the Welcome", a, b, 1200},
		{"the first reply, with a Commit", b, a, 900},
		{"the next turn, with a Commit", a, b, 900},
	} {
		b.Changes()
		a.Changes()
		n := len(say(t, step.from, step.to, text).Payload) - len(text)
		written := 0
		for _, r := range step.to.Changes() {
			written += len(r.Key) + len(r.Value)
		}
		t.Logf("%s: %d bytes, the receiver writes %d", step.what, n, written)
		if n > step.most {
			t.Errorf("%s: %d bytes beside the text, want %d at most", step.what, n, step.most)
		}
	}
	b.Changes()
	// Heard in this epoch and not its turn: a message alone.
	say(t, b, a, text)
	say(t, a, b, text)
	say(t, b, a, text)
	s := a.peers[b.address].sessions[0]
	if s.setup != nil {
		t.Fatalf("a sends %d bytes along after it heard b", len(s.setup))
	}
}

func FuzzOpen(f *testing.F) {
	a, b := newTestClient(f, "a"), newTestClient(f, "b")
	establish(f, a, b, true)
	say(f, a, b, "1")
	for range 2 {
		s, err := b.Seal("a", []byte("2"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s.Payload)
	}
	establish(f, b, a, false)
	s, err := b.Seal("a", []byte("3"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Payload)
	state := a.State()
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := Adapter{}.Restore(protocols.Config{Address: "a", Suite: a.suite}, state)
		if err != nil {
			t.Fatal(err)
		}
		for _, open := range []func() (protocols.Opened, error){
			func() (protocols.Opened, error) { return c.Open("b", seal(payload)) },
			func() (protocols.Opened, error) {
				return c.(protocols.GroupClient).OpenGroup(now, "g", "b", seal(payload))
			},
		} {
			c.Changes()
			if o, err := open(); err != nil && (o.Plaintext != nil || o.Notice != 0 || len(c.Changes()) > 0) {
				t.Fatalf("error %v with plaintext %q, notice %b", err, o.Plaintext, o.Notice)
			}
		}
	})
}

func FuzzRestore(f *testing.F) {
	a, b := newTestClient(f, "a"), newTestClient(f, "b")
	establish(f, a, b, false)
	say(f, a, b, "1")
	say(f, b, a, "2")
	if _, err := a.Seal("b", []byte("3")); err != nil { // with what is sent along
		f.Fatal(err)
	}
	if err := a.CreateGroup(now, "g"); err != nil {
		f.Fatal(err)
	}
	if _, err := a.Change(now, "g", []protocols.Member{{Address: "b", Bundle: bundle(f, b, true)}}, nil); err != nil {
		f.Fatal(err)
	}
	good := a.State()
	for i, r := range good {
		f.Add(uint8(i), r.Key, r.Value)
	}
	f.Fuzz(func(t *testing.T, i uint8, key string, value []byte) {
		records := append([]protocols.Record(nil), good...)
		records[int(i)%len(records)] = protocols.Record{Key: key, Value: value}
		c, err := Adapter{}.Restore(protocols.Config{Address: "a", Suite: a.suite}, records)
		if err != nil {
			if !errors.Is(err, protocols.ErrState) {
				t.Fatalf("error %v, want ErrState", err)
			}
			return
		}
		c.Publish(now, 1)
		c.Seal("b", []byte("hello"))
		g := c.(protocols.GroupClient)
		g.SealGroup("g", []byte("hello"))
		g.Settle("g", true)
		if _, err := (Adapter{}).Restore(protocols.Config{Address: "a", Suite: a.suite}, c.State()); err != nil {
			t.Fatalf("the state of what was restored makes no client: %v", err)
		}
	})
}

func Example() {
	client := func(name protocols.Address) protocols.Client {
		s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
		if err != nil {
			panic(err)
		}
		c, err := Adapter{}.New(protocols.Config{Address: name, Suite: s})
		if err != nil {
			panic(err)
		}
		return c
	}
	alice, bob := client("alice"), client("bob")
	keys, err := bob.Publish(now, 1)
	if err != nil {
		panic(err)
	}
	if _, err := alice.Establish(now, "bob", protocols.Bundle{Static: keys.Static, OneTime: &keys.OneTime[0]}); err != nil {
		panic(err)
	}
	sealed, err := alice.Seal("bob", []byte("hello"))
	if err != nil {
		panic(err)
	}
	opened, err := bob.Open("alice", sealed)
	fmt.Printf("%s %q %v\n", sealed.Type, opened.Plaintext, err)
	// Output: mls "hello" <nil>
}
