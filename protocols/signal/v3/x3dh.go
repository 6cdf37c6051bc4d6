//go:build !nogpl

package v3

import (
	"errors"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/ratchet"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/util/optional"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// bundle is a peer's key material, parsed.
type bundle struct {
	static    signal.Static
	hasPreKey bool
	preKeyID  uint32
	preKey    [32]byte
}

var (
	errSelf      = errors.New("the peer is this client")
	errSignature = errors.New("signature of the signed prekey does not verify")
	errPreKeyID  = errors.New("id of the one-time key exceeds 24 bits")
)

// parseBundle reads a peer's bundle and verifies its signature.
func (c *client) parseBundle(peer protocols.Address, b protocols.Bundle) (*bundle, error) {
	if peer == c.address {
		return nil, errSelf
	}
	var out bundle
	var err error
	if out.static, err = signal.ParseStatic(b.Static); err != nil {
		return nil, wrap(protocols.ErrMalformed, err)
	}
	if one := b.OneTime; one != nil {
		if one.ID > signal.MaxPreKeyID {
			return nil, wrap(protocols.ErrMalformed, errPreKeyID)
		}
		out.hasPreKey, out.preKeyID = true, one.ID
		if out.preKey, err = signal.ParseOneTime(one.Value); err != nil {
			return nil, wrap(protocols.ErrMalformed, err)
		}
	}
	if s := &out.static; !signal.Verify(&s.IdentityKey, signal.Signed(&s.SignedPreKey), &s.Signature) {
		return nil, wrap(protocols.ErrAuthentication, errSignature)
	}
	return &out, nil
}

// initiate is Alice's side of X3DH (Section 3.3) and of the Double Ratchet's
// start (Section 3.3): a session to the owner of the bundle.
func initiate(r *random, self *local, b *bundle) (*record.State, error) {
	ephemeral, err := r.keyPair() // EK_A
	if err != nil {
		return nil, err
	}
	sending, err := r.keyPair()
	if err != nil {
		return nil, err
	}
	theirIdentity := identityKey(b.static.IdentityKey)
	theirSigned := ecc.NewDjbECPublicKey(b.static.SignedPreKey)
	p := ratchet.NewEmptySenderParameters()
	p.SetOurIdentityKey(self.pair())
	p.SetOurBaseKey(ephemeral)
	p.SetTheirIdentityKey(theirIdentity)
	p.SetTheirSignedPreKey(theirSigned)
	p.SetTheirRatchetKey(theirSigned)
	preKeyID := optional.NewEmptyUint32()
	if b.hasPreKey {
		p.SetTheirOneTimePreKey(ecc.NewDjbECPublicKey(b.preKey))
		preKeyID = optional.NewOptionalUint32(b.preKeyID)
	}
	shared, err := ratchet.CalculateSenderSession(p)
	if err != nil {
		return nil, err
	}
	first, err := shared.RootKey.CreateChain(theirSigned, sending)
	if err != nil {
		return nil, err
	}
	state := newState(self, theirIdentity, b.static.RegistrationID, ephemeral.PublicKey())
	state.AddReceiverChain(theirSigned, shared.ChainKey.Current())
	state.SetSenderChain(sending, first.ChainKey)
	state.SetRootKey(first.RootKey)
	state.SetUnacknowledgedPreKeyMessage(preKeyID, b.static.SignedPreKeyID, ephemeral.PublicKey())
	return state, nil
}

// respond is Bob's side of X3DH (Section 3.4): the session that m's sender
// started. oneTime is nil if m names no one-time prekey.
func respond(self *local, signed, oneTime *ecc.ECKeyPair, m *signal.PreKeyMessage) (*record.State, error) {
	theirIdentity := identityKey(m.IdentityKey)
	theirBase := ecc.NewDjbECPublicKey(m.BaseKey)
	p := ratchet.NewEmptyReceiverParameters()
	p.SetOurIdentityKeyPair(self.pair())
	p.SetOurSignedPreKey(signed)
	p.SetOurRatchetKey(signed)
	p.SetOurOneTimePreKey(oneTime)
	p.SetTheirIdentityKey(theirIdentity)
	p.SetTheirBaseKey(theirBase)
	shared, err := ratchet.CalculateReceiverSession(p)
	if err != nil {
		return nil, err
	}
	state := newState(self, theirIdentity, m.RegistrationID, theirBase)
	state.SetSenderChain(signed, shared.ChainKey)
	state.SetRootKey(shared.RootKey)
	return state, nil
}

func newState(self *local, remote *identity.Key, remoteRegistration uint32, base ecc.ECPublicKeyable) *record.State {
	state := record.NewState(nil)
	state.SetVersion(sessionVersion)
	state.SetLocalIdentityKey(self.pair().PublicKey())
	state.SetRemoteIdentityKey(remote)
	state.SetLocalRegistrationID(self.registrationID)
	state.SetRemoteRegistrationID(remoteRegistration)
	state.SetSenderBaseKey(base.Serialize())
	return state
}
