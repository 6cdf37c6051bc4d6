//go:build !nogpl

package v3

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

const testGroup protocols.GroupID = "friends@g.us"

// party is some clients that all have sessions with each other.
type party map[protocols.Address]*client

func newParty(t testing.TB, a Adapter, names ...protocols.Address) party {
	t.Helper()
	p := make(party)
	for _, name := range names {
		p[name] = newClient(t, a, name)
	}
	for _, from := range names {
		for _, to := range names {
			if from < to {
				establish(t, p[from], p[to])
				mustOpen(t, p[to], from, mustSeal(t, p[from], to, "hello"), "hello")
			}
		}
	}
	return p
}

// deliver hands envelopes to those they are for and returns who read what.
func (p party) deliver(t testing.TB, from protocols.Address, envelopes []protocols.Envelope) map[protocols.Address]string {
	t.Helper()
	read := make(map[protocols.Address]string)
	members, err := p[from].Members(testGroup)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range envelopes {
		to := e.To
		if to == nil {
			to = slices.DeleteFunc(slices.Clone(members), func(a protocols.Address) bool { return a == from })
		}
		for _, a := range to {
			o, err := p[a].OpenGroup(epoch, testGroup, from, e.Sealed)
			if err != nil {
				t.Fatalf("%s: %v", a, err)
			}
			if (o.Plaintext != nil) != (e.Type == "skmsg") {
				t.Fatalf("%s opened a %s as %q", a, e.Type, o.Plaintext)
			}
			if o.Plaintext != nil {
				read[a] = string(o.Plaintext)
			}
		}
	}
	return read
}

func (p party) member(t testing.TB, name protocols.Address) protocols.Member {
	return protocols.Member{Address: name, Bundle: bundleOf(t, p[name], 1)}
}

// gather makes the test's group with all of the party in it.
func (p party) gather(t testing.TB, owner protocols.Address) {
	t.Helper()
	if err := p[owner].CreateGroup(epoch, testGroup); err != nil {
		t.Fatal(err)
	}
	var add []protocols.Member
	for name := range p {
		if name != owner {
			add = append(add, p.member(t, name))
		}
	}
	p.change(t, owner, add, nil)
}

func (p party) change(t testing.TB, by protocols.Address, add []protocols.Member, remove []protocols.Address) {
	t.Helper()
	out, err := p[by].Change(epoch, testGroup, add, remove)
	if err != nil {
		t.Fatal(err)
	}
	if err := p[by].Settle(testGroup, true); err != nil {
		t.Fatal(err)
	}
	p.deliver(t, by, out)
}

func (p party) say(t testing.TB, from protocols.Address, text string) []protocols.Envelope {
	t.Helper()
	out, err := p[from].SealGroup(testGroup, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func forLayouts(t *testing.T, f func(*testing.T, Adapter)) {
	for name, layout := range map[string]signal.Layout{"whatsapp": signal.LayoutWhatsApp, "official": signal.LayoutOfficial} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, Adapter{Layout: layout})
		})
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()
	forLayouts(t, func(t *testing.T, a Adapter) {
		p := newParty(t, a, "alice", "bob", "carol")
		p.gather(t, "alice")
		for i, from := range []protocols.Address{"alice", "bob", "alice", "carol", "bob", "alice"} {
			text := fmt.Sprint(i)
			out := p.say(t, from, text)
			if first := i == 0 || i == 1 || i == 3; len(out) != 1 && !first || len(out) != 3 && first {
				t.Errorf("message %d of %s takes %d envelopes", i, from, len(out))
			}
			for who, got := range p.deliver(t, from, out) {
				if got != text {
					t.Errorf("%s read %q, want %q", who, got, text)
				}
			}
		}
		members, err := p["carol"].Members(testGroup)
		if err != nil || !slices.Equal(members, []protocols.Address{"alice", "bob", "carol"}) {
			t.Errorf("carol sees %v, %v", members, err)
		}
	})
}

func TestGroupRemoval(t *testing.T) {
	t.Parallel()
	p := newParty(t, Adapter{}, "alice", "bob", "carol")
	p.gather(t, "alice")
	p.deliver(t, "alice", p.say(t, "alice", "all three"))
	p.deliver(t, "bob", p.say(t, "bob", "all three"))
	p.deliver(t, "carol", p.say(t, "carol", "all three"))

	out, err := p["alice"].Change(epoch, testGroup, nil, []protocols.Address{"carol"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p["alice"].Change(epoch, testGroup, nil, []protocols.Address{"bob"}); !errors.Is(err, protocols.ErrPending) {
		t.Errorf("second change: %v", err)
	}
	if err := p["alice"].Settle(testGroup, true); err != nil {
		t.Fatal(err)
	}
	for _, e := range out[:1] { // carol hears of it later
		if _, err := p["bob"].OpenGroup(epoch, testGroup, "alice", e.Sealed); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range []protocols.Address{"alice", "bob"} {
		out := p.say(t, from, "without carol")
		if len(out) != 2 {
			t.Fatalf("%s sends %d envelopes after the removal, want a fresh key for one member", from, len(out))
		}
		if _, err := p["carol"].OpenGroup(epoch, testGroup, from, out[1].Sealed); !errors.Is(err, protocols.ErrNoSession) {
			t.Errorf("carol opens what %s sealed after the removal: %v", from, err)
		}
		p.deliver(t, from, out)
	}
	late := p.say(t, "carol", "still here")
	if _, err := p["bob"].OpenGroup(epoch, testGroup, "carol", late[len(late)-1].Sealed); !errors.Is(err, protocols.ErrNoSession) {
		t.Errorf("bob opens what carol sealed after the removal: %v", err)
	}
	o, err := p["carol"].OpenGroup(epoch, testGroup, "alice", out[1].Sealed)
	if err != nil || !o.Notice.Has(protocols.MembersChanged) {
		t.Errorf("carol hears of it: %b, %v", o.Notice, err)
	}
	if _, err := p["carol"].SealGroup(testGroup, nil); !errors.Is(err, protocols.ErrNoSession) {
		t.Errorf("carol seals after hearing of the removal: %v", err)
	}
	for _, r := range p["carol"].State() {
		if kind := r.Key[:5]; kind == "group" || kind == "sende" {
			t.Errorf("carol keeps %s", r.Key)
		}
	}
}

func TestGroupRefusedChange(t *testing.T) {
	t.Parallel()
	p := newParty(t, Adapter{}, "alice", "bob")
	p.gather(t, "alice")
	if _, err := p["alice"].Change(epoch, testGroup, nil, []protocols.Address{"bob"}); err != nil {
		t.Fatal(err)
	}
	if err := p["alice"].Settle(testGroup, false); err != nil {
		t.Fatal(err)
	}
	if read := p.deliver(t, "alice", p.say(t, "alice", "stay")); read["bob"] != "stay" {
		t.Errorf("bob read %q", read["bob"])
	}
	for _, remove := range [][]protocols.Address{nil, {"carol"}, {"bob", "bob"}} {
		if _, err := p["alice"].Change(epoch, testGroup, nil, remove); !errors.Is(err, errChange) {
			t.Errorf("Change removing %v: %v", remove, err)
		}
	}
	if _, err := p["alice"].Change(epoch, testGroup, []protocols.Member{p.member(t, "bob")}, nil); !errors.Is(err, errChange) {
		t.Errorf("Change adding a member: %v", err)
	}
}

// TestGroupMissingSession is about members that a third one brought together.
func TestGroupMissingSession(t *testing.T) {
	t.Parallel()
	p := party{"alice": newClient(t, Adapter{}, "alice"), "bob": newClient(t, Adapter{}, "bob"), "carol": newClient(t, Adapter{}, "carol")}
	p.gather(t, "alice")
	before := p["bob"].State()
	_, err := p["bob"].SealGroup(testGroup, []byte("hi"))
	var missing *protocols.MissingSessionsError
	if !errors.As(err, &missing) || !errors.Is(err, protocols.ErrNoSession) || !slices.Equal(missing.Peers, []protocols.Address{"carol"}) {
		t.Fatalf("SealGroup without session: %v", err)
	}
	if changed := p["bob"].Changes(); len(changed) != 0 || len(before) != len(p["bob"].State()) {
		t.Errorf("the error changed %v", changed)
	}
	establish(t, p["bob"], p["carol"])
	if read := p.deliver(t, "bob", p.say(t, "bob", "hi")); read["alice"] != "hi" || read["carol"] != "hi" {
		t.Errorf("read %v", read)
	}
}

// TestGroupNewSession is about a member that lost its state.
func TestGroupNewSession(t *testing.T) {
	t.Parallel()
	p := newParty(t, Adapter{}, "alice", "bob", "carol")
	p.gather(t, "alice")
	p.deliver(t, "alice", p.say(t, "alice", "one"))
	establish(t, p["alice"], p["bob"]) // as a retry receipt asks for
	out := p.say(t, "alice", "two")
	if len(out) != 2 || !slices.Equal(out[0].To, []protocols.Address{"bob"}) {
		t.Errorf("a new session with bob brings %d envelopes", len(out))
	}
	if read := p.deliver(t, "alice", out); read["bob"] != "two" || read["carol"] != "two" {
		t.Errorf("read %v", read)
	}
}

func TestGroupReplayAndOrder(t *testing.T) {
	t.Parallel()
	p := newParty(t, Adapter{}, "alice", "bob")
	p.gather(t, "alice")
	setUp := p.say(t, "alice", "0")
	sent := setUp[1:]
	for i := 1; i < 20; i++ {
		sent = append(sent, p.say(t, "alice", fmt.Sprint(i))...)
	}
	open := func(e protocols.Envelope) (protocols.Opened, error) {
		return p["bob"].OpenGroup(epoch, testGroup, "alice", e.Sealed)
	}
	if _, err := open(sent[3]); !errors.Is(err, protocols.ErrNoSession) {
		t.Errorf("message before its key: %v", err)
	}
	if _, err := open(setUp[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := open(setUp[0]); !errors.Is(err, protocols.ErrReplayed) {
		t.Errorf("distribution again: %v", err)
	}
	for i := range sent {
		i = (i * 7) % len(sent)
		if o, err := open(sent[i]); err != nil || string(o.Plaintext) != fmt.Sprint(i) {
			t.Errorf("message %d: %q, %v", i, o.Plaintext, err)
		}
		if _, err := open(sent[i]); !errors.Is(err, protocols.ErrReplayed) {
			t.Errorf("message %d again: %v", i, err)
		}
	}
	key, err := p["alice"].ownSenderKey(p["alice"].store.begin(), testGroup)
	if err != nil {
		t.Fatal(err)
	}
	for range maxAhead + 1 { // as if that many had been sent and lost
		key.chain = key.chain.Next()
	}
	b := p["alice"].store.begin()
	b.put(ownKey(testGroup), encodeSenderKeys([]*senderKey{key}))
	b.commit()
	far := p.say(t, "alice", "far")[0]
	if _, err := open(far); !errors.Is(err, protocols.ErrTooFarAhead) {
		t.Errorf("2001 messages lost: %v", err)
	}
	establish(t, p["alice"], p["bob"]) // which has the key sent again
	for _, e := range p.say(t, "alice", "near") {
		if o, err := open(e); err != nil || o.Plaintext != nil && string(o.Plaintext) != "near" {
			t.Errorf("message after the key came again: %q, %v", o.Plaintext, err)
		}
	}
	if _, err := open(far); !errors.Is(err, protocols.ErrReplayed) {
		t.Errorf("message that the key passed over: %v", err)
	}
}

// TestGroupRewind: a sender key that arrives a second time, in a fresh pairwise
// message, must not take the chain back.
func TestGroupRewind(t *testing.T) {
	t.Parallel()
	p := newParty(t, Adapter{}, "alice", "bob")
	p.gather(t, "alice")
	key, err := p["alice"].ownSenderKey(p["alice"].store.begin(), testGroup)
	if err != nil {
		t.Fatal(err)
	}
	content := signal.GroupMessage{GroupID: []byte(testGroup), Distribution: key.distribution(signal.LayoutWhatsApp)}
	b := p["alice"].store.begin()
	b.put(ownKey(testGroup), encodeSenderKeys([]*senderKey{key}))
	b.commit()
	out := p.say(t, "alice", "once")
	p.deliver(t, "alice", out)
	again := mustSeal(t, p["alice"], "bob", string(content.Append(nil)))
	if _, err := p["bob"].OpenGroup(epoch, testGroup, "alice", again); err != nil {
		t.Fatal(err)
	}
	if _, err := p["bob"].OpenGroup(epoch, testGroup, "alice", out[len(out)-1].Sealed); !errors.Is(err, protocols.ErrReplayed) {
		t.Errorf("message after the rewind: %v", err)
	}
}

func TestGroupTampering(t *testing.T) {
	t.Parallel()
	forLayouts(t, func(t *testing.T, a Adapter) {
		p := newParty(t, a, "alice", "bob")
		p.gather(t, "alice")
		out := p.say(t, "alice", "genuine")
		e := out[1]
		p.deliver(t, "alice", out[:1])
		p["bob"].Changes()
		for i := range e.Payload {
			for bit := range 8 {
				forged := e.Sealed
				forged.Payload = slices.Clone(e.Payload)
				forged.Payload[i] ^= 1 << bit
				if o, err := p["bob"].OpenGroup(epoch, testGroup, "alice", forged); err == nil {
					t.Errorf("byte %d bit %d flipped, opened as %q", i, bit, o.Plaintext)
				}
			}
		}
		if changed := p["bob"].Changes(); len(changed) != 0 {
			t.Errorf("forgeries changed %d records", len(changed))
		}
		if _, err := p["bob"].OpenGroup(epoch, "other@g.us", "alice", out[0].Sealed); err == nil {
			t.Error("one group's distribution opened in another")
		}
		p.deliver(t, "alice", out[1:])
	})
}

func TestGroupRestore(t *testing.T) {
	t.Parallel()
	p := newParty(t, Adapter{}, "alice", "bob", "carol")
	p.gather(t, "alice")
	for i := range 3 {
		for from := range p {
			p.deliver(t, from, p.say(t, from, fmt.Sprint(i)))
		}
		for name, c := range p {
			again, err := Adapter{}.Restore(protocols.Config{Address: name, Suite: suiteOf(fmt.Sprint(name, i))}, c.State())
			if err != nil {
				t.Fatal(err)
			}
			p[name] = again.(*client)
		}
	}
}

// TestGroupConcurrency: two groups of the same members, all talking at once over
// the same sessions, whose keys are handed out meanwhile.
func TestGroupConcurrency(t *testing.T) {
	t.Parallel()
	p := newParty(t, Adapter{}, "alice", "bob", "carol")
	groups := []protocols.GroupID{"one@g.us", "two@g.us"}
	for _, g := range groups {
		for name, c := range p {
			if err := c.CreateGroup(epoch, g); err != nil {
				t.Fatal(err)
			}
			b := c.store.begin()
			r := new(roster)
			for other := range p {
				if other != name {
					r.add(other)
				}
			}
			b.put(groupKey(g), r.encode(g))
			b.commit()
		}
	}
	var all sync.WaitGroup
	for _, g := range groups {
		for from, c := range p {
			all.Go(func() {
				for i := range 5 {
					out, err := c.SealGroup(g, fmt.Append(nil, i))
					if err != nil {
						t.Error(err)
						return
					}
					for _, e := range out {
						for to, peer := range p {
							if to == from || e.To != nil && !slices.Contains(e.To, to) {
								continue
							}
							if _, err := peer.OpenGroup(epoch, g, from, e.Sealed); err != nil {
								t.Error(err)
							}
						}
					}
				}
			})
		}
	}
	all.Wait()
}
