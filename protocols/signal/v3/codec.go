//go:build !nogpl

package v3

import (
	"errors"
	"fmt"

	"go.mau.fi/libsignal/keys/chain"
	"go.mau.fi/libsignal/keys/message"
	"go.mau.fi/libsignal/state/record"
	"go.mau.fi/libsignal/util/optional"
	"golang.org/x/crypto/cryptobyte"
)

// recordVersion is the first byte of every record. A record with another is not
// read.
const recordVersion = 1

// Bounds of a session, as the library's state keeps them.
const (
	maxSkipped        = 2000 // skipped message keys of one receiving chain
	maxReceiverChains = 5
	maxStates         = 1 + 40 // the current state and earlier ones
	sessionVersion    = 3
)

var errRecord = errors.New("bad record")

// A session record lists the session's states, the current one first, so that an
// operation decodes those that it needs:
//
//	struct {
//	    uint8 version;
//	    opaque state<0..2^24-1>[..];
//	}
func decodeSession(b []byte) (states [][]byte, err error) {
	if b == nil {
		return nil, nil
	}
	s := cryptobyte.String(b)
	if !readVersion(&s) {
		return nil, fmt.Errorf("%w: session version", errRecord)
	}
	for !s.Empty() {
		var state cryptobyte.String
		if len(states) == maxStates || !s.ReadUint24LengthPrefixed(&state) {
			return nil, fmt.Errorf("%w: session", errRecord)
		}
		states = append(states, state)
	}
	if len(states) == 0 {
		return nil, fmt.Errorf("%w: session without state", errRecord)
	}
	return states, nil
}

func encodeSession(states [][]byte) []byte {
	states = states[:min(len(states), maxStates)]
	n := 1
	for _, state := range states {
		n += 3 + len(state)
	}
	out := append(make([]byte, 0, n), recordVersion)
	for _, state := range states {
		out = append(out, byte(len(state)>>16), byte(len(state)>>8), byte(len(state)))
		out = append(out, state...)
	}
	return out
}

// header is what every PreKeySignalMessage of one session repeats around its
// inner message. A responder keeps the first one's, for nothing authenticates
// those of the later ones.
type header struct {
	hasPreKey      bool
	preKeyID       uint32
	signedPreKeyID uint32
	registrationID uint32
}

// A state is the library's StateStructure:
//
//	struct {
//	    opaque sender_base_key[32];   // first: tells states apart without decoding
//	    opaque local_identity[32], remote_identity[32], root_key[32];
//	    uint32 local_registration_id, remote_registration_id, previous_counter;
//	    optional<Header> header;      // responder
//	    optional<Header> pending;     // initiator, until the first answer
//	    Chain sender, receivers<0..5>;
//	} State;
//
//	struct { uint8 has_pre_key; uint32 pre_key_id, signed_pre_key_id, registration_id; } Header;
//
//	struct {
//	    opaque ratchet_key[32]; optional<opaque> private_key[32];
//	    opaque chain_key[32]; uint32 index;
//	    struct { opaque cipher_key[32], mac_key[32], iv[16]; uint32 index; } skipped<0..2000>;
//	} Chain;
func encodeState(s *record.StateStructure, h *header) []byte {
	n := 4*32 + 3*4 + 2*14 + 1 + chainSize(s.SenderChain)
	for _, c := range s.ReceiverChains {
		n += chainSize(c)
	}
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, n))
	b.AddBytes(s.SenderBaseKey[1:])
	b.AddBytes(s.LocalIdentityPublic[1:])
	b.AddBytes(s.RemoteIdentityPublic[1:])
	b.AddBytes(s.RootKey)
	b.AddUint32(s.LocalRegistrationID)
	b.AddUint32(s.RemoteRegistrationID)
	b.AddUint32(s.PreviousCounter)
	addHeader(b, h)
	if p := s.PendingPreKey; p != nil {
		h = &header{signedPreKeyID: p.SignedPreKeyID, registrationID: s.LocalRegistrationID}
		if p.PreKeyID != nil && !p.PreKeyID.IsEmpty {
			h.hasPreKey, h.preKeyID = true, p.PreKeyID.Value
		}
		addHeader(b, h)
	} else {
		addHeader(b, nil)
	}
	addChain(b, s.SenderChain)
	b.AddUint8(uint8(len(s.ReceiverChains)))
	for _, c := range s.ReceiverChains {
		addChain(b, c)
	}
	return b.BytesOrPanic() // the builder was sized for all of it
}

func chainSize(c *record.ChainStructure) int {
	return 32 + 33 + 32 + 4 + 2 + 84*len(c.MessageKeys)
}

func addHeader(b *cryptobyte.Builder, h *header) {
	if h == nil {
		b.AddUint8(0)
		return
	}
	b.AddUint8(1)
	addBool(b, h.hasPreKey)
	b.AddUint32(h.preKeyID)
	b.AddUint32(h.signedPreKeyID)
	b.AddUint32(h.registrationID)
}

func addBool(b *cryptobyte.Builder, v bool) {
	if v {
		b.AddUint8(1)
	} else {
		b.AddUint8(0)
	}
}

func addChain(b *cryptobyte.Builder, c *record.ChainStructure) {
	b.AddBytes(c.SenderRatchetKeyPublic[1:])
	addBool(b, len(c.SenderRatchetKeyPrivate) != 0)
	b.AddBytes(c.SenderRatchetKeyPrivate)
	b.AddBytes(c.ChainKey.Key)
	b.AddUint32(c.ChainKey.Index)
	b.AddUint16(uint16(len(c.MessageKeys)))
	for _, k := range c.MessageKeys {
		b.AddBytes(k.CipherKey)
		b.AddBytes(k.MacKey)
		b.AddBytes(k.IV)
		b.AddUint32(k.Index)
	}
}

// reader reads a record's parts and remembers whether one failed.
type reader struct {
	cryptobyte.String
	failed bool
}

func (r *reader) ok(ok bool) bool {
	r.failed = r.failed || !ok
	return !r.failed
}

// bytes returns the next n bytes, aliasing the record; zeros after a failure, so
// that callers need not check each.
func (r *reader) bytes(n int) (v []byte) {
	if !r.ok(r.ReadBytes(&v, n)) {
		return make([]byte, n)
	}
	return v[:n:n]
}

func (r *reader) uint32() (v uint32) {
	r.ok(r.ReadUint32(&v))
	return v
}

func (r *reader) bool() bool {
	var v uint8
	r.ok(r.ReadUint8(&v) && v <= 1)
	return v == 1
}

// count reads a number of things to follow, in n bytes, at most limit.
func (r *reader) count(n int, limit uint32) int {
	var v uint32
	for _, b := range r.bytes(n) {
		v = v<<8 | uint32(b)
	}
	if !r.ok(v <= limit) {
		return 0
	}
	return int(v)
}

// public returns the next 32 bytes as the library writes public keys.
func (r *reader) public() []byte {
	return append([]byte{0x05}, r.bytes(32)...)
}

func (r *reader) header() *header {
	if !r.bool() {
		return nil
	}
	return &header{
		hasPreKey:      r.bool(),
		preKeyID:       r.uint32(),
		signedPreKeyID: r.uint32(),
		registrationID: r.uint32(),
	}
}

func (r *reader) chain() *record.ChainStructure {
	c := &record.ChainStructure{SenderRatchetKeyPublic: r.public()}
	if r.bool() {
		c.SenderRatchetKeyPrivate = r.bytes(32)
	}
	c.ChainKey = &chain.KeyStructure{Key: r.bytes(32), Index: r.uint32()}
	keys := make([]message.KeysStructure, r.count(2, maxSkipped))
	c.MessageKeys = make([]*message.KeysStructure, len(keys))
	for i := range keys {
		keys[i] = message.KeysStructure{CipherKey: r.bytes(32), MacKey: r.bytes(32), IV: r.bytes(16), Index: r.uint32()}
		c.MessageKeys[i] = &keys[i]
	}
	return c
}

// baseKey returns the base key of an encoded state without decoding it all.
func baseKey(encoded []byte) (key [32]byte) {
	copy(key[:], encoded)
	return key
}

// currentBase returns the base key of a session record's current state.
func currentBase(session []byte) (key [32]byte) {
	copy(key[:], session[1+3:])
	return key
}

// decodeState reads a state and, of a responder, its header. What it returns
// aliases b in part.
func decodeState(b []byte) (*record.State, *header, error) {
	r := reader{String: b}
	s := &record.StateStructure{
		SenderBaseKey:        r.public(),
		LocalIdentityPublic:  r.public(),
		RemoteIdentityPublic: r.public(),
		RootKey:              r.bytes(32),
		LocalRegistrationID:  r.uint32(),
		RemoteRegistrationID: r.uint32(),
		PreviousCounter:      r.uint32(),
		SessionVersion:       sessionVersion,
	}
	h := r.header()
	if p := r.header(); p != nil {
		s.PendingPreKey = &record.PendingPreKeyStructure{
			PreKeyID:       optional.NewEmptyUint32(),
			SignedPreKeyID: p.signedPreKeyID,
			BaseKey:        s.SenderBaseKey,
		}
		if p.hasPreKey {
			s.PendingPreKey.PreKeyID = optional.NewOptionalUint32(p.preKeyID)
		}
	}
	s.SenderChain = r.chain()
	r.ok(r.failed || len(s.SenderChain.SenderRatchetKeyPrivate) == 32)
	s.ReceiverChains = make([]*record.ChainStructure, r.count(1, maxReceiverChains))
	for i := range s.ReceiverChains {
		s.ReceiverChains[i] = r.chain()
	}
	if r.failed || !r.Empty() {
		return nil, nil, fmt.Errorf("%w: session state", errRecord)
	}
	state, err := record.NewStateFromStructure(s, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: session state: %v", errRecord, err)
	}
	return state, h, nil
}

// structure returns the state's serialisable form, which the library gives away
// as part of a session only.
func structure(state *record.State) *record.StateStructure {
	return record.NewSessionFromState(state, nil).Structure().SessionState
}

func readVersion(s *cryptobyte.String) bool {
	var v uint8
	return s.ReadUint8(&v) && v == recordVersion
}
