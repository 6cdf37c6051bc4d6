package sized

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// client is one device. Keys are derived from the seed when they are needed, so
// that a client without sessions takes little memory.
type client struct {
	address      protocols.Address
	layout       signal.Layout
	registration uint32
	seed         uint64 // of the identity and prekeys
	own          uint64 // the public identity key, derived from seed

	mu             sync.Mutex // guards all below
	random         uint64     // state of the generator of base and ratchet keys
	rotations      uint32     // signed prekeys made, less one
	oneTime        oneTimeKeys
	sessions       sessions
	changed        []*session // those whose changed is set
	changedClient  bool
	changedOneTime bool
	groups         map[protocols.GroupID]*group
	changedGroups  map[protocols.GroupID]struct{} // also those that are gone
}

// Labels of what is derived from a seed.
const (
	labelIdentity uint64 = iota + 1
	labelSigned
	labelOneTime
)

func newClient(address protocols.Address, layout signal.Layout, registration uint32, seed, random uint64) *client {
	return &client{
		address:      address,
		layout:       layout,
		registration: registration,
		seed:         seed,
		own:          public(mix2(seed, labelIdentity)),
		random:       random,
		oneTime:      oneTimeKeys{next: 1},
	}
}

func (c *client) identityCore() uint64 { return mix2(c.seed, labelIdentity) }

func (c *client) signedCore(id uint32) uint64 {
	return mix2(mix2(c.seed, labelSigned), uint64(id))
}

func (c *client) oneTimeCore(id uint32) uint64 {
	return mix2(mix2(c.seed, labelOneTime), uint64(id))
}

// signedID is the id of the signed prekey in use.
func (c *client) signedID() uint32 { return c.rotations + 1 }

// fresh returns a new core.
func (c *client) fresh() uint64 {
	c.random += golden
	return mix(c.random)
}

// signature is the filler that stands for a signature of the signed prekey.
func signature(identity, signed uint64) [signal.SignatureSize]byte {
	core := mix2(identity, signed)
	r, s := expand(core), expand(mix(core))
	return [signal.SignatureSize]byte(append(r[:], s[:]...))
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
		c.changedClient, c.changedOneTime = true, true
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
		key := expand(c.oneTimeCore(id))
		copy(value, key[:])
		k.OneTime[i] = protocols.OneTimeKey{ID: id, Value: value}
	}
	return k, nil
}

func (c *client) static() []byte {
	signed := expand(c.signedCore(c.signedID()))
	k := signal.Static{
		RegistrationID: c.registration,
		IdentityKey:    expand(c.identityCore()),
		SignedPreKeyID: c.signedID(),
		SignedPreKey:   signed,
		Signature:      signature(c.own, fold(&signed)),
	}
	return k.Append(make([]byte, 0, signal.StaticSize))
}

// Rotate implements [protocols.Client].
func (c *client) Rotate(time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signedID() == signal.MaxPreKeyID {
		return errors.New(Name + ": signed prekey ids are used up")
	}
	c.rotations++
	c.changedClient = true
	return nil
}

// bundle is a parsed [protocols.Bundle].
type bundle struct {
	identity uint64
	signed   uint64
	oneTime  *uint64 // nil if there is none
	header   header  // without the registration id, which is the initiator's
}

func parseBundle(p protocols.Bundle) (bundle, error) {
	k, err := signal.ParseStatic(p.Static)
	if err != nil {
		return bundle{}, fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
	}
	b := bundle{
		identity: fold(&k.IdentityKey),
		signed:   fold(&k.SignedPreKey),
		header:   header{signed: k.SignedPreKeyID},
	}
	if one := p.OneTime; one != nil {
		if one.ID > signal.MaxPreKeyID {
			return bundle{}, malformed(fmt.Sprintf("one-time key id %d", one.ID))
		}
		key, err := signal.ParseOneTime(one.Value)
		if err != nil {
			return bundle{}, fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
		}
		f := fold(&key)
		b.oneTime = &f
		b.header.hasOneTime, b.header.oneTime = true, one.ID
	}
	if k.Signature != signature(b.identity, b.signed) {
		return bundle{}, fmt.Errorf("signature of the signed prekey: %w", protocols.ErrAuthentication)
	}
	return b, nil
}

// Establish implements [protocols.Client].
func (c *client) Establish(_ time.Time, peer protocols.Address, p protocols.Bundle) (protocols.Notice, error) {
	if peer == c.address {
		return 0, errors.New(Name + ": establish a session: the peer is this client")
	}
	b, err := parseBundle(p)
	if err != nil {
		return 0, fmt.Errorf(Name+": establish a session with %s: %w", peer, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.install(peer, initiate(c.own, c.registration, c.fresh(), c.fresh(), &b)), nil
}

// install makes st the current session with peer.
func (c *client) install(peer protocols.Address, st state) protocols.Notice {
	notice := protocols.SessionStarted
	s := c.sessions.with(peer)
	if s == nil {
		s = &session{peer: peer, current: st}
		c.sessions.add(s)
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
	return c.sessions.with(peer) != nil
}

// Seal implements [protocols.Client].
func (c *client) Seal(peer protocols.Address, plaintext []byte) (protocols.Sealed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sessions.with(peer)
	if s == nil {
		return protocols.Sealed{}, fmt.Errorf(Name+": seal to %s: %w", peer, protocols.ErrNoSession)
	}
	return c.seal(s, plaintext), nil
}

// seal encrypts in a session: a PreKeySignalMessage until the peer has answered,
// then a SignalMessage.
func (c *client) seal(s *session, plaintext []byte) protocols.Sealed {
	st := &s.current
	key := keyOf(st.sending, st.counter, c.own, st.remote)
	size := messageSize(st.counter, st.previous, paddedSize(len(plaintext)))
	sealed := protocols.Sealed{Type: typeMessage, Version: encVersion}
	if st.role == waiting {
		sealed.Type = typePreKey
		whole, at := preKeyMessageSize(st.header, size)
		b := make([]byte, whole)
		m := signal.PreKeyMessage{
			Version:        signal.VersionByte,
			RegistrationID: st.header.registration,
			HasPreKey:      st.header.hasOneTime,
			PreKeyID:       st.header.oneTime,
			SignedPreKeyID: st.header.signed,
			BaseKey:        expand(st.baseCore),
			IdentityKey:    expand(c.identityCore()),
			Message:        st.appendMessage(b[at:at:at+size], plaintext, key),
		}
		sealed.Payload = m.Append(b[:0])
	} else {
		sealed.Payload = st.appendMessage(make([]byte, 0, size), plaintext, key)
	}
	st.counter++
	c.touch(s)
	return sealed
}
