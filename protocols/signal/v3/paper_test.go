//go:build !nogpl

package v3

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Each test in this file is of one sentence of the specifications at
// https://signal.org/docs/, cited by its section.

// copyOf is what somebody has who steals a client's records.
func copyOf(t *testing.T, c *client) *client {
	t.Helper()
	stolen, err := Adapter{}.Restore(protocols.Config{Address: c.address, Suite: suiteOf(t.Name() + "stolen")}, c.State())
	if err != nil {
		t.Fatal(err)
	}
	return stolen.(*client)
}

func ratchetKey(t *testing.T, s protocols.Sealed) [32]byte {
	t.Helper()
	payload := s.Payload
	if s.Type == typePreKey {
		m, err := signal.ParsePreKeyMessage(payload)
		if err != nil {
			t.Fatal(err)
		}
		payload = m.Message
	}
	m, err := signal.ParseMessage(payload)
	if err != nil {
		t.Fatal(err)
	}
	return m.RatchetKey
}

// X3DH, Section 3.3: Alice verifies the prekey signature and aborts the protocol
// if verification fails.
func TestX3DHAbortsOnBadSignature(t *testing.T) {
	t.Parallel()
	alice, bob := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
	genuine := bundleOf(t, bob, 1)
	alice.Changes()
	for i := range genuine.Static {
		forged := genuine
		forged.Static = bytes.Clone(genuine.Static)
		forged.Static[i] ^= 1
		_, err := alice.Establish(epoch, "bob", forged)
		// Registration id (4 bytes) and prekey id (3, from 36) are not signed.
		if i < 4 || 36 <= i && i < 39 {
			continue
		}
		if !errors.Is(err, protocols.ErrAuthentication) && !errors.Is(err, protocols.ErrMalformed) {
			t.Errorf("byte %d of the key material changed: %v", i, err)
		}
	}
	alice = newClient(t, Adapter{}, "alice")
	genuine.Static[signatureAt] ^= 1
	alice.Changes()
	if _, err := alice.Establish(epoch, "bob", genuine); !errors.Is(err, protocols.ErrAuthentication) {
		t.Errorf("bad signature: %v", err)
	}
	if alice.Established("bob") || len(alice.Changes()) != 0 {
		t.Error("the refused bundle left traces")
	}
}

// signatureAt is where a signature lies in key material.
const signatureAt = signal.StaticSize - signal.SignatureSize

// X3DH, Section 3.3: if the bundle does contain a one-time prekey, Bob's server
// deletes it; Section 3.4: Bob deletes the private key of the one-time prekey that
// was used, for forward secrecy.
func TestX3DHDeletesOneTimePreKey(t *testing.T) {
	t.Parallel()
	alice, bob := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
	b := bundleOf(t, bob, 1)
	if _, err := alice.Establish(epoch, "bob", b); err != nil {
		t.Fatal(err)
	}
	first := mustSeal(t, alice, "bob", "text")
	key := oneTimeKey(b.OneTime.ID)
	if bob.store.get(key) == nil {
		t.Fatal("no one-time prekey to delete")
	}
	forged := first
	forged.Payload = bytes.Clone(first.Payload)
	forged.Payload[10] ^= 1 // in the base key
	if _, err := bob.Open("alice", forged); !errors.Is(err, protocols.ErrAuthentication) {
		t.Fatalf("forgery: %v", err)
	}
	if bob.store.get(key) == nil {
		t.Fatal("a forgery used the one-time prekey up")
	}
	mustOpen(t, bob, "alice", first, "text")
	for _, r := range bob.Changes() {
		if r.Key == key && r.Value == nil {
			return
		}
	}
	t.Error("the one-time prekey's record is not reported as deleted")
}

// X3DH, Section 3.4: if decryption fails, then Bob aborts the protocol and deletes
// SK.
func TestX3DHAbortsOnBadFirstMessage(t *testing.T) {
	t.Parallel()
	alice, bob := newClient(t, Adapter{}, "alice"), newClient(t, Adapter{}, "bob")
	establish(t, alice, bob)
	s := mustSeal(t, alice, "bob", "text")
	m, err := signal.ParsePreKeyMessage(s.Payload)
	if err != nil {
		t.Fatal(err)
	}
	m.Message = bytes.Clone(m.Message)
	m.Message[len(m.Message)-1] ^= 1 // in the MAC
	bob.Changes()
	s.Payload = m.Append(nil)
	if _, err := bob.Open("alice", s); !errors.Is(err, protocols.ErrAuthentication) {
		t.Errorf("error %v", err)
	}
	if bob.Established("alice") || len(bob.Changes()) != 0 {
		t.Error("the refused message left traces")
	}
}

// Double Ratchet, Section 2.3: when a new ratchet public key is received from the
// remote party, a DH ratchet step is performed which replaces the local party's
// current ratchet key pair with a new key pair.
func TestRatchetKeyAlternates(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	seen := make(map[[32]byte]string)
	for i := range 6 {
		for _, side := range []struct{ from, to *client }{{alice, bob}, {bob, alice}} {
			name := fmt.Sprint(side.from.address, i)
			for range 3 {
				s := mustSeal(t, side.from, side.to.address, "text")
				k := ratchetKey(t, s)
				if other, ok := seen[k]; ok && other != name {
					t.Errorf("turn %s repeats the ratchet key of turn %s", name, other)
				}
				seen[k] = name
				mustOpen(t, side.to, side.from.address, s, "text")
			}
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d ratchet keys in 12 turns", len(seen))
	}
}

// Double Ratchet, Section 3.5: if an exception is raised (e.g. message
// authentication failure) then the message is discarded and changes to the state
// object are discarded.
func TestRatchetDiscardsChanges(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	overtaken := mustSeal(t, alice, "bob", "overtaken")
	mustSeal(t, alice, "bob", "lost")
	inChain := mustSeal(t, alice, "bob", "in the chain")
	mustOpen(t, alice, "bob", mustSeal(t, bob, "alice", "answer"), "answer")
	mustOpen(t, bob, "alice", inChain, "in the chain")
	inChain = mustSeal(t, alice, "bob", "in a new chain")
	before := bob.State()
	for _, s := range []protocols.Sealed{overtaken, inChain} {
		s.Payload = bytes.Clone(s.Payload)
		s.Payload[len(s.Payload)-1] ^= 1
		if _, err := bob.Open("alice", s); !errors.Is(err, protocols.ErrAuthentication) {
			t.Errorf("error %v", err)
		}
	}
	for i, r := range bob.State() {
		if r.Key != before[i].Key || !bytes.Equal(r.Value, before[i].Value) {
			t.Errorf("record %s changed", r.Key)
		}
	}
	mustOpen(t, bob, "alice", overtaken, "overtaken")
	mustOpen(t, bob, "alice", inChain, "in a new chain")
}

// Double Ratchet, Section 1: the parties derive new keys for every message so that
// earlier keys cannot be calculated from later ones.
func TestForwardSecrecy(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	var sent []protocols.Sealed
	for i := range 5 {
		s := mustSeal(t, alice, "bob", fmt.Sprint(i))
		mustOpen(t, bob, "alice", s, fmt.Sprint(i))
		sent = append(sent, s)
	}
	for _, stolen := range []*client{copyOf(t, bob), copyOf(t, alice)} {
		for i, s := range sent {
			if o, err := stolen.Open("alice", s); err == nil {
				t.Errorf("%s's state opens message %d, which was opened before: %q", stolen.address, i, o.Plaintext)
			}
		}
	}
}

// Double Ratchet, Section 2.3: if an attacker steals a ratchet private key, the
// Diffie-Hellman calculations soon define a new secret that the attacker does not
// know.
func TestPostCompromiseSecurity(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	stolen := copyOf(t, bob)
	s := mustSeal(t, alice, "bob", "known")
	mustOpen(t, bob, "alice", s, "known")
	mustOpen(t, stolen, "alice", s, "known") // the thief reads along at first
	for _, turn := range []struct{ from, to *client }{{bob, alice}, {alice, bob}, {bob, alice}} {
		mustOpen(t, turn.to, turn.from.address, mustSeal(t, turn.from, turn.to.address, "turn"), "turn")
	}
	s = mustSeal(t, alice, "bob", "secret again")
	if o, err := stolen.Open("alice", s); err == nil {
		t.Errorf("the thief reads %q", o.Plaintext)
	}
	mustOpen(t, bob, "alice", s, "secret again")
}
