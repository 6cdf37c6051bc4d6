//go:build !nogpl

package v3

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// FuzzOpen feeds arbitrary payloads to a client in conversation: none may panic,
// and one that is refused must leave no trace.
func FuzzOpen(f *testing.F) {
	types := []string{typeMessage, typePreKey, typeSenderKey, "none"}
	p := newParty(f, Adapter{}, "alice", "bob")
	p.gather(f, "alice")
	fresh := newClient(f, Adapter{}, "carol")
	if _, err := fresh.Establish(epoch, "bob", bundleOf(f, p["bob"], 1)); err != nil {
		f.Fatal(err)
	}
	group := p.say(f, "alice", "group")
	seeds := []protocols.Sealed{
		mustSeal(f, p["alice"], "bob", "text"),
		mustSeal(f, fresh, "bob", "text"),
		group[0].Sealed,
		group[1].Sealed,
	}
	for i, s := range seeds {
		f.Add(uint8(i%3), s.Payload)
	}
	state := p["bob"].State()
	f.Fuzz(func(t *testing.T, kind uint8, payload []byte) {
		restored, err := Adapter{}.Restore(protocols.Config{Address: "bob", Suite: suiteOf("fuzz")}, state)
		if err != nil {
			t.Fatal(err)
		}
		bob := restored.(*client)
		s := protocols.Sealed{Type: types[kind%4], Version: wireVersion, Payload: payload}
		for _, peer := range []protocols.Address{"alice", "carol", "dave"} {
			before := bytes.Clone(payload)
			if o, err := bob.OpenGroup(epoch, testGroup, peer, s); err != nil && (o.Plaintext != nil || len(bob.Changes()) != 0) {
				t.Errorf("an error and changes: %v", err)
			}
			bob.Changes()
			if o, err := bob.Open(peer, s); err != nil && (o.Plaintext != nil || len(bob.Changes()) != 0) {
				t.Errorf("an error and changes: %v", err)
			}
			bob.Changes()
			if !bytes.Equal(payload, before) {
				t.Error("the payload was changed")
			}
		}
	})
}

// FuzzGroupPlaintext feeds arbitrary contents of pairwise messages to a member.
func FuzzGroupPlaintext(f *testing.F) {
	p := newParty(f, Adapter{}, "alice", "bob")
	p.gather(f, "alice")
	f.Add([]byte("\x0a\x0cfriends@g.us\x12\x00"))
	f.Add([]byte("\x0a\x0cfriends@g.us\x1a\x06\x0a\x01x\x12\x01y"))
	bob, alice := p["bob"].State(), p["alice"].State()
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := Adapter{}.Restore(protocols.Config{Address: "alice", Suite: suiteOf("a")}, alice)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Adapter{}.Restore(protocols.Config{Address: "bob", Suite: suiteOf("b")}, bob)
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.Seal("bob", content)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.(*client).OpenGroup(epoch, testGroup, "alice", s); err != nil && len(b.Changes()) != 0 {
			t.Errorf("an error and changes: %v", err)
		}
		if _, err := (Adapter{}).Restore(protocols.Config{Address: "bob", Suite: suiteOf("b")}, b.State()); err != nil {
			t.Errorf("the state does not restore: %v", err)
		}
	})
}

// FuzzRestore damages records. What passes as a state must work without panic,
// and be written as it was read.
func FuzzRestore(f *testing.F) {
	p := newParty(f, Adapter{}, "alice", "bob")
	p.gather(f, "alice")
	p.deliver(f, "alice", p.say(f, "alice", "text"))
	mustSeal(f, p["alice"], "bob", "skipped")
	mustOpen(f, p["bob"], "alice", mustSeal(f, p["alice"], "bob", "text"), "text")
	state := p["bob"].State()
	for i := range state {
		f.Add(uint8(i), uint16(3), uint64(1))
	}
	sealed := mustSeal(f, p["alice"], "bob", "more")
	group := p.say(f, "alice", "more")
	f.Fuzz(func(t *testing.T, which uint8, at uint16, xor uint64) {
		damaged := make([]protocols.Record, len(state))
		copy(damaged, state)
		r := &damaged[int(which)%len(damaged)]
		r.Value = bytes.Clone(r.Value)
		if int(at)+8 <= len(r.Value) {
			b := r.Value[at:]
			binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^xor)
		}
		c, err := Adapter{}.Restore(protocols.Config{Address: "bob", Suite: suiteOf("fuzz")}, damaged)
		if err != nil {
			return
		}
		bob := c.(*client)
		bob.Open("alice", sealed)
		bob.OpenGroup(epoch, testGroup, "alice", group[0].Sealed)
		bob.SealGroup(testGroup, []byte("text"))
		bob.Seal("alice", []byte("text"))
		bob.Publish(epoch, 1)
		bob.Rotate(epoch)
		bob.SafetyNumber(nil, nil, "alice")
		if _, err := (Adapter{}).Restore(protocols.Config{Address: "bob", Suite: suiteOf("fuzz")}, bob.State()); err != nil {
			t.Errorf("the state does not restore again: %v", err)
		}
	})
}
