package sized

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// Layout of the reusable key material, the same as signal-v3's:
//
//	registration id (4 bytes) ‖ identity key (32) ‖ signed prekey id (3) ‖
//	signed prekey (32) ‖ signature (64)
//
// A one-time key is the 32 bytes of the public key.
const (
	signatureSize = 64
	staticSize    = 4 + keySize + 3 + keySize + signatureSize
)

// client is one device. Keys are derived from the seed when they are needed, so
// that a client without sessions takes little memory.
type client struct {
	address protocols.Address
	seed    uint64 // of identity, registration id and prekeys
	own     uint64 // the public identity key, derived from seed

	mu             sync.Mutex // guards all below
	random         uint64     // state of the generator of base and ratchet keys
	rotations      uint32     // signed prekeys made, less one
	oneTime        oneTimeKeys
	sessions       map[protocols.Address]*session
	changed        []*session // those whose changed is set
	changedClient  bool
	changedOneTime bool
}

// Labels of what is derived from a seed.
const (
	labelIdentity uint64 = iota + 1
	labelRegistration
	labelSigned
	labelOneTime
)

func newClient(address protocols.Address, seed, random uint64) *client {
	return &client{
		address: address,
		seed:    seed,
		own:     public(mix2(seed, labelIdentity)),
		random:  random,
		oneTime: oneTimeKeys{next: 1},
	}
}

func (c *client) identityCore() uint64 { return mix2(c.seed, labelIdentity) }

func (c *client) signedCore(id uint32) uint64 {
	return mix2(mix2(c.seed, labelSigned), uint64(id))
}

func (c *client) oneTimeCore(id uint32) uint64 {
	return mix2(mix2(c.seed, labelOneTime), uint64(id))
}

// registration is the registration id, a number from 1 to 16380.
func (c *client) registration() uint32 {
	return uint32(1 + mix2(c.seed, labelRegistration)%16380)
}

// signedID is the id of the signed prekey in use.
func (c *client) signedID() uint32 { return c.rotations + 1 }

// fresh returns a new core.
func (c *client) fresh() uint64 {
	c.random += golden
	return mix(c.random)
}

// signature is the filler that stands for a signature of the signed prekey.
func signature(dst *[signatureSize]byte, identity, signed uint64) {
	core := mix2(identity, signed)
	expand((*[keySize]byte)(dst[:keySize]), core)
	expand((*[keySize]byte)(dst[keySize:]), mix(core))
}

// Publish implements [protocols.Client].
func (c *client) Publish(_ time.Time, n int) (protocols.KeyMaterial, error) {
	if n < 0 || n > protocols.MaxOneTime {
		return protocols.KeyMaterial{}, fmt.Errorf(Name+": publish %d one-time keys, want 0 to %d", n, protocols.MaxOneTime)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	first, err := c.oneTime.issue(n)
	if err != nil {
		return protocols.KeyMaterial{}, err
	}
	if n > 0 {
		c.changedOneTime = true
	}
	k := protocols.KeyMaterial{Static: c.static()}
	if n == 0 {
		return k, nil
	}
	k.OneTime = make([]protocols.OneTimeKey, n)
	values := make([]byte, n*keySize)
	for i := range k.OneTime {
		id := first + uint32(i)
		value := values[i*keySize : (i+1)*keySize : (i+1)*keySize]
		expand((*[keySize]byte)(value), c.oneTimeCore(id))
		k.OneTime[i] = protocols.OneTimeKey{ID: id, Value: value}
	}
	return k, nil
}

func (c *client) static() []byte {
	id := c.signedID()
	var identity, signed [keySize]byte
	expand(&identity, c.identityCore())
	expand(&signed, c.signedCore(id))
	b := make([]byte, 0, staticSize)
	b = binary.BigEndian.AppendUint32(b, c.registration())
	b = append(b, identity[:]...)
	b = append(b, byte(id>>16), byte(id>>8), byte(id))
	b = append(b, signed[:]...)
	var sig [signatureSize]byte
	signature(&sig, c.own, fold(signed[:]))
	return append(b, sig[:]...)
}

// Rotate implements [protocols.Client].
func (c *client) Rotate(time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signedID() == maxKeyID {
		return errors.New(Name + ": signed prekey ids are used up")
	}
	c.rotations++
	c.changedClient = true
	return nil
}

// bundle is a parsed [protocols.Bundle].
type bundle struct {
	identity  uint64
	signed    uint64
	signedID  uint32
	oneTime   uint64 // 0 if there is none
	oneTimeID uint32 // 0 if there is none
}

func parseBundle(p protocols.Bundle) (bundle, error) {
	s := p.Static
	if len(s) != staticSize {
		return bundle{}, malformed(fmt.Sprintf("key material of %d bytes, want %d", len(s), staticSize))
	}
	identity, rest := s[4:4+keySize], s[4+keySize:]
	signed, sig := rest[3:3+keySize], rest[3+keySize:]
	b := bundle{
		identity: fold(identity),
		signed:   fold(signed),
		signedID: uint32(rest[0])<<16 | uint32(rest[1])<<8 | uint32(rest[2]),
	}
	if b.signedID == 0 || identity[keySize-1]&0x80 != 0 || signed[keySize-1]&0x80 != 0 {
		return bundle{}, malformed("key material")
	}
	var want [signatureSize]byte
	signature(&want, b.identity, b.signed)
	if string(sig) != string(want[:]) {
		return bundle{}, fmt.Errorf("signature of the signed prekey: %w", protocols.ErrAuthentication)
	}
	if k := p.OneTime; k != nil {
		if k.ID == 0 || k.ID > maxKeyID || len(k.Value) != keySize || k.Value[keySize-1]&0x80 != 0 {
			return bundle{}, malformed("one-time key")
		}
		b.oneTime, b.oneTimeID = fold(k.Value), k.ID
	}
	return b, nil
}

// Establish implements [protocols.Client].
func (c *client) Establish(_ time.Time, peer protocols.Address, p protocols.Bundle) (protocols.Notice, error) {
	b, err := parseBundle(p)
	if err != nil {
		return 0, fmt.Errorf(Name+": establish a session with %s: %w", peer, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.install(peer, initiate(c.own, c.fresh(), c.fresh(), b)), nil
}

// install makes st the current session with peer.
func (c *client) install(peer protocols.Address, st state) protocols.Notice {
	notice := protocols.SessionStarted
	s := c.sessions[peer]
	if s == nil {
		s = &session{peer: peer, current: st}
		if c.sessions == nil {
			c.sessions = make(map[protocols.Address]*session)
		}
		c.sessions[peer] = s
	} else {
		if s.identity != st.remote {
			notice |= protocols.IdentityChanged
		}
		s.replace(st)
	}
	s.identity = st.remote
	c.touch(s)
	return notice
}

// touch notes that s has changed.
func (c *client) touch(s *session) {
	if !s.changed {
		s.changed = true
		c.changed = append(c.changed, s)
	}
}

// Established implements [protocols.Client].
func (c *client) Established(peer protocols.Address) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[peer] != nil
}

// Seal implements [protocols.Client].
func (c *client) Seal(peer protocols.Address, plaintext []byte) (protocols.Sealed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sessions[peer]
	if s == nil {
		return protocols.Sealed{}, fmt.Errorf(Name+": seal to %s: %w", peer, protocols.ErrNoSession)
	}
	st := &s.current
	key := keyOf(st.sending, st.counter, c.own, st.remote)
	size := messageSize(st.counter, st.previous, len(plaintext))
	sealed := protocols.Sealed{Type: typeMessage, Version: encVersion}
	if p := st.pending; p.signed == 0 {
		b := make([]byte, 0, size)
		sealed.Payload = appendMessage(b, st.ratchet, st.counter, st.previous, plaintext, key)
	} else {
		b := make([]byte, 0, preKeyMessageSize(p, c.registration(), size))
		b = append(b, versionByte)
		if p.oneTime != 0 {
			b = appendUint(b, tagPreKeyID, p.oneTime)
		}
		b = appendKey(b, tagBaseKey, p.base)
		b = appendKey(b, tagIdentityKey, c.identityCore())
		b = appendUint(b, tagMessage, uint32(size))
		b = appendMessage(b, st.ratchet, st.counter, st.previous, plaintext, key)
		b = appendUint(b, tagRegistrationID, c.registration())
		b = appendUint(b, tagSignedPreKeyID, p.signed)
		sealed.Type, sealed.Payload = typePreKey, b
	}
	st.counter++
	c.touch(s)
	return sealed, nil
}

// Open implements [protocols.Client].
func (c *client) Open(peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	opened, err := c.open(peer, s)
	if err != nil {
		return protocols.Opened{}, fmt.Errorf(Name+": open from %s: %w", peer, err)
	}
	return opened, nil
}

func (c *client) open(peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	switch s.Type {
	case typeMessage:
		m, err := parseMessage(s.Payload)
		if err != nil {
			return protocols.Opened{}, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.openMessage(peer, &m)
	case typePreKey:
		m, err := parsePreKeyMessage(s.Payload)
		if err != nil {
			return protocols.Opened{}, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if ses := c.sessions[peer]; ses != nil && ses.has(m.base) {
			return c.openMessage(peer, &m.message)
		}
		return c.openFirst(peer, &m)
	}
	return protocols.Opened{}, malformed(fmt.Sprintf("type %q", s.Type))
}

// openMessage opens a message of a session that exists.
func (c *client) openMessage(peer protocols.Address, m *message) (protocols.Opened, error) {
	s := c.sessions[peer]
	if s == nil {
		return protocols.Opened{}, protocols.ErrNoSession
	}
	i, o, err := s.find(c.own, m)
	if err != nil {
		return protocols.Opened{}, err
	}
	plaintext, err := unseal(m.body, o.key)
	if err != nil {
		return protocols.Opened{}, err
	}
	s.at(i).accept(o, m, c.fresh())
	if i >= 0 {
		s.promote(i)
	}
	c.touch(s)
	opened := protocols.Opened{Plaintext: plaintext}
	if s.identity != s.current.remote {
		s.identity = s.current.remote
		opened.Notice = protocols.IdentityChanged
	}
	return opened, nil
}

// openFirst opens the first message of a session that the peer initiated.
func (c *client) openFirst(peer protocols.Address, m *preKeyMessage) (protocols.Opened, error) {
	if id := c.signedID(); m.signed != id && (m.signed != id-1 || m.signed == 0) {
		return protocols.Opened{}, fmt.Errorf("signed prekey %d: %w", m.signed, protocols.ErrKeyUnknown)
	}
	var oneTime uint64
	if m.oneTime != 0 {
		if !c.oneTime.has(m.oneTime) {
			return protocols.Opened{}, fmt.Errorf("one-time prekey %d: %w", m.oneTime, protocols.ErrKeyUnknown)
		}
		oneTime = public(c.oneTimeCore(m.oneTime))
	}
	st := respond(c.own, c.signedCore(m.signed), oneTime, m)
	o, err := st.check(c.own, &m.message)
	if err != nil {
		return protocols.Opened{}, err
	}
	plaintext, err := unseal(m.message.body, o.key)
	if err != nil {
		return protocols.Opened{}, err
	}
	st.accept(o, &m.message, c.fresh())
	opened := protocols.Opened{Plaintext: plaintext, Notice: c.install(peer, st)}
	if m.oneTime != 0 {
		c.oneTime.use(m.oneTime)
		c.changedOneTime = true
		opened.Notice |= protocols.OneTimeKeyUsed
	}
	return opened, nil
}

// unseal returns the plaintext of a message whose MAC was verified.
func unseal(body []byte, key messageKey) ([]byte, error) {
	b := make([]byte, len(body))
	mask(b, body, key.stream())
	pad := int(b[len(b)-1])
	if pad == 0 || pad > blockSize {
		return nil, malformed("padding")
	}
	for _, v := range b[len(b)-pad:] {
		if int(v) != pad {
			return nil, malformed("padding")
		}
	}
	return b[:len(b)-pad], nil
}
