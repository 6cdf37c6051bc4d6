package dma

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// signedKeys returns key material that its identity has signed.
func signedKeys(t *testing.T, id uint32) stanza.Keys {
	t.Helper()
	pair := func() (private, public [32]byte) {
		k, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return [32]byte(k.Bytes()), [32]byte(k.PublicKey().Bytes())
	}
	identity, identityPublic := pair()
	_, signed := pair()
	s, err := signal.Sign(rand.Reader, &identity, signal.Signed(&signed))
	if err != nil {
		t.Fatal(err)
	}
	return stanza.Keys{
		Registration: 7, Identity: identityPublic[:],
		Signed: &stanza.SignedKey{ID: id, Value: signed[:], Signature: s[:]},
	}
}

// TestSignatures: keys that nobody could use are refused, and change nothing.
func TestSignatures(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, GatekeeperConfig{Reach: DefaultOn, CheckKeys: true})
	device := func(keys stanza.Keys) *EnlistedDevice {
		return &EnlistedDevice{AuthKey: bytes.Repeat([]byte{1}, 32), Keys: keys}
	}
	good := signedKeys(t, 1)
	bob := n.gatekeeper(Enlist{Integrator: 1, Visible: "bob", Device: device(good)}).Account
	n.gatekeeper(Register{User: "4915100000001", Eligible: true, Device: device(signedKeys(t, 1))})
	n.gatekeeper(Connect{Conn: 9, Account: bob})
	d := &node{name: "bob", addr: bob, conn: 9}
	another := signedKeys(t, 2)
	for _, tt := range []struct {
		name   string
		change func(k *stanza.Keys)
	}{
		{"a bit of the signature", func(k *stanza.Keys) { k.Signed.Signature[3] ^= 1 }},
		{"a bit of the prekey", func(k *stanza.Keys) { k.Signed.Value[3] ^= 1 }},
		{"another identity", func(k *stanza.Keys) { k.Identity = another.Identity }},
		{"another's signature", func(k *stanza.Keys) { k.Signed.Signature = another.Signed.Signature }},
		{"no signature", func(k *stanza.Keys) { clear(k.Signed.Signature) }},
	} {
		k := signedKeys(t, 3)
		tt.change(&k)
		before := len(n.gk.accounts)
		for _, in := range []Input{
			Enlist{Integrator: 1, Visible: "eve", Device: device(k)},
			Enlist{Integrator: 1, Visible: "bob", Device: device(k)},
			Register{User: "4915100000002", Eligible: true, Device: device(k)},
		} {
			if _, err := n.gk.Step(n.now, in); !errors.Is(err, ErrSignature) || len(n.gk.accounts) != before {
				t.Errorf("%s, %T: %v, %d accounts; want %v and %d", tt.name, in, err, len(n.gk.accounts), ErrSignature, before)
			}
		}
		static := n.gk.accounts[bob].keys.static
		wantCode(t, n.ask(d, &stanza.KeyUpload{Keys: k}), stanza.NotAcceptable)
		if !bytes.Equal(n.gk.accounts[bob].keys.static, static) {
			t.Errorf("%s: the upload was refused and has changed the keys", tt.name)
		}
	}
	rotated := good
	rotated.OneTime = []stanza.OneTimeKey{{ID: 1, Value: make([]byte, 32)}}
	wantCode(t, n.ask(d, &stanza.KeyUpload{Keys: rotated}), 0)
	wantCode(t, n.ask(d, &stanza.KeyUpload{Keys: another}), 0)
	wantCode(t, n.ask(d, &stanza.KeyUpload{Keys: stanza.Keys{Static: []byte("of another protocol")}}), 0)
}
