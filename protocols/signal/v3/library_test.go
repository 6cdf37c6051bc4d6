//go:build !nogpl

package v3

import (
	"context"
	"fmt"
	"testing"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/groups/ratchet"
	grouprecord "go.mau.fi/libsignal/groups/state/record"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/serialize"
	"go.mau.fi/libsignal/session"
	"go.mau.fi/libsignal/util/optional"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// The library's own ciphers are the peer that is always at hand; the official
// implementation is met in oracle_test.go.

// TestLibrarySessions converses with a client of the library, in both roles.
func TestLibrarySessions(t *testing.T) {
	t.Parallel()
	converse := func(t *testing.T, ours *client, theirs, self *bare) {
		t.Helper()
		for i := range 12 {
			for range i%3 + 1 {
				text := fmt.Sprint("to them ", i)
				s := mustSeal(t, ours, "theirs", text)
				decrypt := theirs.decrypt
				if s.Type == typePreKey {
					decrypt = theirs.decryptPreKey
				}
				if got, err := decrypt(self, s.Payload); err != nil || string(got) != text {
					t.Fatalf("the library read %q, %v", got, err)
				}
			}
			text := fmt.Sprint("to us ", i)
			s := protocols.Sealed{Type: typeMessage, Version: wireVersion, Payload: theirs.encrypt(t, self, text)}
			mustOpen(t, ours, "theirs", s, text)
		}
	}
	t.Run("we initiate", func(t *testing.T) {
		t.Parallel()
		ours, theirs, self := newClient(t, Adapter{}, "ours"), newBare(t, "theirs"), &bare{name: "ours"}
		static := signal.Static{
			RegistrationID: theirs.GetLocalRegistrationID(),
			IdentityKey:    theirs.identity.PublicKey().PublicKey().PublicKey(),
			SignedPreKeyID: theirs.signed.ID(),
			SignedPreKey:   public(theirs.signed.KeyPair()),
			Signature:      theirs.signed.Signature(),
		}
		if _, err := ours.Establish(epoch, "theirs", protocols.Bundle{Static: static.Append(nil)}); err != nil {
			t.Fatal(err)
		}
		converse(t, ours, theirs, self)
	})
	t.Run("it initiates", func(t *testing.T) {
		t.Parallel()
		ours, theirs, self := newClient(t, Adapter{}, "ours"), newBare(t, "theirs"), &bare{name: "ours"}
		b := bundleOf(t, ours, 1)
		s, err := signal.ParseStatic(b.Static)
		if err != nil {
			t.Fatal(err)
		}
		a := protocol.NewSignalAddress("ours", 1)
		err = session.NewBuilder(theirs, theirs, theirs, theirs, a, theirs.serializer).ProcessBundle(context.Background(), prekey.NewBundle(
			s.RegistrationID, 1, optional.NewOptionalUint32(b.OneTime.ID), s.SignedPreKeyID,
			ecc.NewDjbECPublicKey([32]byte(b.OneTime.Value)), ecc.NewDjbECPublicKey(s.SignedPreKey), s.Signature, identityKey(s.IdentityKey)))
		if err != nil {
			t.Fatal(err)
		}
		first := protocols.Sealed{Type: typePreKey, Version: wireVersion, Payload: theirs.encrypt(t, self, "first")}
		mustOpen(t, ours, "theirs", first, "first")
		converse(t, ours, theirs, self)
	})
}

// bareKeys is the library's store of sender keys.
type bareKeys map[string]*grouprecord.SenderKey

func (k bareKeys) StoreSenderKey(_ context.Context, n *protocol.SenderKeyName, r *grouprecord.SenderKey) error {
	k[n.Sender().Name()] = r
	return nil
}

func (k bareKeys) LoadSenderKey(_ context.Context, n *protocol.SenderKeyName) (*grouprecord.SenderKey, error) {
	return k[n.Sender().Name()], nil
}

// TestLibrarySenderKeys speaks WhatsApp's layout with the library, both ways.
func TestLibrarySenderKeys(t *testing.T) {
	t.Parallel()
	silence()
	ctx := context.Background()
	serializer := serialize.NewProtoBufSerializer()
	store := make(bareKeys)
	builder := groups.NewGroupSessionBuilder(store, serializer)
	name := func(sender string) *protocol.SenderKeyName {
		return protocol.NewSenderKeyName(string(testGroup), protocol.NewSignalAddress(sender, 1))
	}
	layout := signal.LayoutWhatsApp

	r := random{reader: suiteOf("library").Rand()}
	own, err := newSenderKey(&r)
	if err != nil {
		t.Fatal(err)
	}
	distribution, err := protocol.NewSenderKeyDistributionMessageFromBytes(own.distribution(layout), serializer.SenderKeyDistributionMessage)
	if err != nil {
		t.Fatal(err)
	}
	if err := builder.Process(ctx, name("ours"), distribution); err != nil {
		t.Fatal(err)
	}
	created, err := builder.Create(ctx, name("theirs"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := layout.ParseDistribution(created.Serialize())
	if err != nil {
		t.Fatal(err)
	}
	theirs := &senderKey{
		chainID: d.ChainID,
		chain:   ratchet.NewSenderChainKey(d.Iteration, d.ChainKey[:]),
		signing: ecc.NewECKeyPair(ecc.NewDjbECPublicKey(d.SigningKey), nil),
	}
	for i := range 10 {
		text := fmt.Append(nil, "message ", i)
		payload, err := own.encrypt(&r, layout, text)
		if err != nil {
			t.Fatal(err)
		}
		m, err := protocol.NewSenderKeyMessageFromBytes(payload, serializer.SenderKeyMessage)
		if err != nil {
			t.Fatal(err)
		}
		got, err := groups.NewGroupCipher(builder, name("ours"), store).Decrypt(ctx, m)
		if err != nil || string(got) != string(text) {
			t.Fatalf("the library read %q, %v", got, err)
		}
		sent, err := groups.NewGroupCipher(builder, name("theirs"), store).Encrypt(ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := layout.ParseSenderKeyMessage(sent.SignedSerialize())
		if err != nil || parsed.ChainID != theirs.chainID {
			t.Fatal(parsed.ChainID, err)
		}
		if got, err = theirs.decrypt(&parsed, sent.SignedSerialize()); err != nil || string(got) != string(text) {
			t.Fatalf("we read %q, %v", got, err)
		}
	}
}
