//go:build !nogpl

package v3

import (
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/state/record"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Types of Signal payloads in stanzas.
const (
	typePreKey    = "pkmsg" // PreKeySignalMessage
	typeMessage   = "msg"   // SignalMessage
	typeSenderKey = "skmsg" // SenderKeyMessage
)

var (
	errType    = errors.New("no Signal payload of this type")
	errVersion = errors.New("no Signal payload of this version")
	errHeader  = errors.New("differs from the session's first message outside the MAC")
)

// Seal encrypts to peer: a PreKeySignalMessage until the peer has answered, then
// a SignalMessage.
func (c *client) Seal(peer protocols.Address, plaintext []byte) (s protocols.Sealed, err error) {
	key := sessionKey(peer)
	defer c.lock(key)()
	b := c.store.begin()
	if s, err = c.seal(b, peer, plaintext); err != nil {
		return protocols.Sealed{}, fmt.Errorf("signal-v3: seal to %s: %w", peer, err)
	}
	b.commit()
	return s, nil
}

// seal is Seal under the session's lock, with the changes left in b.
func (c *client) seal(b *batch, peer protocols.Address, plaintext []byte) (protocols.Sealed, error) {
	key := sessionKey(peer)
	states, err := decodeSession(b.get(key))
	if err != nil {
		return protocols.Sealed{}, wrap(protocols.ErrState, err)
	}
	if states == nil {
		return protocols.Sealed{}, protocols.ErrNoSession
	}
	state, h, err := decodeState(states[0])
	if err != nil {
		return protocols.Sealed{}, wrap(protocols.ErrState, err)
	}
	out := protocols.Sealed{Type: typeMessage, Version: wireVersion}
	if out.Payload, err = encrypt(state, plaintext); err != nil {
		return protocols.Sealed{}, err
	}
	if state.HasUnacknowledgedPreKeyMessage() {
		out.Type = typePreKey
		if out.Payload, err = c.wrapPreKey(state, out.Payload); err != nil {
			return protocols.Sealed{}, err
		}
	}
	states[0] = encodeState(structure(state), h)
	b.put(key, encodeSession(states))
	return out, nil
}

// wrapPreKey puts an initiator's message into a PreKeySignalMessage.
func (c *client) wrapPreKey(state *record.State, message []byte) ([]byte, error) {
	items, err := state.UnackPreKeyMessageItems()
	if err != nil {
		return nil, err
	}
	m := signal.PreKeyMessage{
		Version:        signal.VersionByte,
		RegistrationID: state.LocalRegistrationID(),
		HasPreKey:      !items.PreKeyID().IsEmpty,
		PreKeyID:       items.PreKeyID().Value,
		SignedPreKeyID: items.SignedPreKeyID(),
		BaseKey:        items.BaseKey().PublicKey(),
		IdentityKey:    public(c.self.identity),
		Message:        message,
	}
	return m.Append(make([]byte, 0, len(message)+preKeyOverhead)), nil
}

// preKeyOverhead is the most that a PreKeySignalMessage is longer than the
// message inside.
const preKeyOverhead = 1 + 6 + 2*(2+signal.PublicKeySize) + 6 + 6 + 6

// Open decrypts what peer sealed.
func (c *client) Open(peer protocols.Address, s protocols.Sealed) (o protocols.Opened, err error) {
	defer func() {
		if err != nil {
			o, err = protocols.Opened{}, fmt.Errorf("signal-v3: open from %s: %w", peer, err)
		}
	}()
	defer guard(&err)
	defer c.lock(sessionKey(peer))()
	b := c.store.begin()
	if o, err = c.open(b, peer, s); err != nil {
		return o, err
	}
	if !b.commit() {
		return o, protocols.ErrKeyUnknown // another session took the one-time prekey
	}
	return o, nil
}

// open is Open under the session's lock, with the changes left in b.
func (c *client) open(b *batch, peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	if s.Version != wireVersion {
		return protocols.Opened{}, fmt.Errorf("%w: %w: %d", protocols.ErrMalformed, errVersion, s.Version)
	}
	states, err := decodeSession(b.get(sessionKey(peer)))
	if err != nil {
		return protocols.Opened{}, wrap(protocols.ErrState, err)
	}
	switch s.Type {
	case typeMessage:
		return c.openMessage(b, peer, states, s.Payload)
	case typePreKey:
		return c.openPreKey(b, peer, states, s.Payload)
	}
	return protocols.Opened{}, fmt.Errorf("%w: %w: %q", protocols.ErrMalformed, errType, s.Type)
}

// openMessage tries a SignalMessage on each state, the current one first.
func (c *client) openMessage(b *batch, peer protocols.Address, states [][]byte, payload []byte) (protocols.Opened, error) {
	m, err := signal.ParseMessage(payload)
	if err != nil {
		return protocols.Opened{}, wrap(protocols.ErrMalformed, err)
	}
	if states == nil {
		return protocols.Opened{}, protocols.ErrNoSession
	}
	var first error
	for i := range states {
		o, err := c.openWith(b, peer, states, i, &m, payload)
		if err == nil || errors.Is(err, protocols.ErrReplayed) {
			return o, err
		}
		if first == nil || errors.Is(err, protocols.ErrTooFarAhead) && knows(states[i], &m) {
			first = err
		}
	}
	return protocols.Opened{}, first
}

// knows reports whether a state has the message's receiving chain.
func knows(encoded []byte, m *signal.Message) bool {
	state, _, err := decodeState(encoded)
	return err == nil && state.HasReceiverChain(ecc.NewDjbECPublicKey(m.RatchetKey))
}

// openWith opens a message with one of the states, which then is the current one.
func (c *client) openWith(b *batch, peer protocols.Address, states [][]byte, i int, m *signal.Message, received []byte) (protocols.Opened, error) {
	state, h, err := decodeState(states[i])
	if err != nil {
		return protocols.Opened{}, wrap(protocols.ErrState, err)
	}
	plaintext, err := decrypt(&c.random, state, m, received)
	if err != nil {
		return protocols.Opened{}, err
	}
	states = slices.Delete(slices.Clone(states), i, i+1)
	return c.opened(b, peer, state, h, states, plaintext), nil
}

// opened writes back what an opened message changed. others are the session's
// other states.
func (c *client) opened(b *batch, peer protocols.Address, state *record.State, h *header, others [][]byte, plaintext []byte) protocols.Opened {
	current := encodeState(structure(state), h)
	b.put(sessionKey(peer), encodeSession(append([][]byte{current}, others...)))
	return protocols.Opened{
		Plaintext: plaintext,
		Notice:    c.meet(b, peer, state.RemoteIdentityKey().PublicKey().PublicKey()),
	}
}

// openPreKey opens a PreKeySignalMessage: with the state that an earlier one with
// the same base key made, or with a new one.
func (c *client) openPreKey(b *batch, peer protocols.Address, states [][]byte, payload []byte) (protocols.Opened, error) {
	m, err := signal.ParsePreKeyMessage(payload)
	if err != nil {
		return protocols.Opened{}, wrap(protocols.ErrMalformed, err)
	}
	inner, err := signal.ParseMessage(m.Message)
	if err != nil {
		return protocols.Opened{}, wrap(protocols.ErrMalformed, err)
	}
	h := header{m.HasPreKey, m.PreKeyID, m.SignedPreKeyID, m.RegistrationID}
	for i, encoded := range states {
		if baseKey(encoded) == m.BaseKey {
			if err := sameSession(encoded, &h, &m); err != nil {
				return protocols.Opened{}, err
			}
			return c.openWith(b, peer, states, i, &inner, m.Message)
		}
	}
	signed, oneTime, err := c.preKeysOf(&m)
	if err != nil {
		return protocols.Opened{}, err
	}
	state, err := respond(c.self, signed, oneTime, &m)
	if err != nil {
		return protocols.Opened{}, err
	}
	plaintext, err := decrypt(&c.random, state, &inner, m.Message)
	if err != nil {
		return protocols.Opened{}, err
	}
	o := c.opened(b, peer, state, &h, states, plaintext)
	o.Notice |= protocols.SessionStarted
	if m.HasPreKey {
		b.consume(oneTimeKey(m.PreKeyID))
		o.Notice |= protocols.OneTimeKeyUsed
	}
	return o, nil
}

// sameSession checks what a repeated PreKeySignalMessage says outside its MAC.
func sameSession(encoded []byte, h *header, m *signal.PreKeyMessage) error {
	state, first, err := decodeState(encoded)
	if err != nil {
		return wrap(protocols.ErrState, err)
	}
	if first == nil || *first != *h || state.RemoteIdentityKey().PublicKey().PublicKey() != m.IdentityKey {
		return wrap(protocols.ErrAuthentication, errHeader)
	}
	return nil
}

// preKeysOf loads the prekeys that a PreKeySignalMessage names.
func (c *client) preKeysOf(m *signal.PreKeyMessage) (signed, oneTime *ecc.ECKeyPair, err error) {
	b := c.store.get(signedKey(m.SignedPreKeyID))
	if b == nil {
		return nil, nil, fmt.Errorf("%w: signed prekey %d", protocols.ErrKeyUnknown, m.SignedPreKeyID)
	}
	k, err := decodeSigned(b)
	if err != nil {
		return nil, nil, wrap(protocols.ErrState, err)
	}
	if !m.HasPreKey {
		return k.pair, nil, nil
	}
	if b = c.store.get(oneTimeKey(m.PreKeyID)); b == nil {
		return nil, nil, fmt.Errorf("%w: one-time prekey %d", protocols.ErrKeyUnknown, m.PreKeyID)
	}
	if oneTime, err = decodeOneTime(b); err != nil {
		return nil, nil, wrap(protocols.ErrState, err)
	}
	return k.pair, oneTime, nil
}
