//go:build !nogpl

package v3

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// wireVersion is the version of Signal payloads in interop stanzas.
const wireVersion = 2

// client is one device's end-to-end state. Locks are taken in the order group,
// session, own, store.
type client struct {
	address protocols.Address
	layout  signal.Layout
	random  random
	self    *local // set once
	store   *store

	own     sync.Mutex // held while own prekeys change
	preKeys preKeys    // guarded by own

	locksMu sync.Mutex
	locks   map[string]*sync.Mutex // of sessions and groups, by record key; guarded by locksMu
}

var _ interface {
	protocols.HostedGroupClient
	protocols.Fingerprinter
} = (*client)(nil)

// Format prints the client's address and none of its keys.
func (c *client) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "signal-v3 client of %q", string(c.address))
}

// lock takes the lock of the session or group with the given record key.
func (c *client) lock(key string) (unlock func()) {
	c.locksMu.Lock()
	l := c.locks[key]
	if l == nil {
		l = new(sync.Mutex)
		c.locks[key] = l
	}
	c.locksMu.Unlock()
	l.Lock()
	return l.Unlock
}

// guard turns a panic of the library into an error. It is the last resort: the
// parsers let nothing through that is known to cause one.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: the library panicked: %v", protocols.ErrMalformed, p)
	}
}

func wrap(sentinel, err error) error {
	return fmt.Errorf("%w: %w", sentinel, err)
}

func (c *client) create() error {
	var id [4]byte
	if err := c.random.read(id[:]); err != nil {
		return err
	}
	identity, err := c.random.keyPair()
	if err != nil {
		return err
	}
	c.self = &local{
		registrationID: minRegistrationID + binary.BigEndian.Uint32(id[:])%(maxRegistrationID-minRegistrationID+1),
		identity:       identity,
	}
	c.preKeys.next = 1
	return c.rotate()
}

// rotate makes a new signed prekey and drops the one before the current one.
func (c *client) rotate() error {
	k, err := newSignedPreKey(&c.random, c.self.identity)
	if err != nil {
		return err
	}
	next := c.preKeys
	next.signed, next.previous = nextID(c.preKeys.signed), c.preKeys.signed
	b := c.store.begin()
	if c.preKeys.previous != 0 {
		b.remove(signedKey(c.preKeys.previous))
	}
	b.put(signedKey(next.signed), k.encode())
	b.put(localKey, encodeLocal(c.self, next, c.address))
	b.commit()
	c.preKeys = next
	return nil
}

// Rotate replaces the signed prekey.
func (c *client) Rotate(time.Time) error {
	c.own.Lock()
	defer c.own.Unlock()
	if err := c.rotate(); err != nil {
		return fmt.Errorf("signal-v3: rotate: %w", err)
	}
	return nil
}

// Publish returns the key material, a [signal.Static] and n one-time prekeys.
func (c *client) Publish(_ time.Time, n int) (protocols.KeyMaterial, error) {
	if n < 0 || n > protocols.MaxOneTime {
		return protocols.KeyMaterial{}, fmt.Errorf("signal-v3: publish %d one-time keys, expected 0 to %d", n, protocols.MaxOneTime)
	}
	c.own.Lock()
	defer c.own.Unlock()
	k, err := decodeSigned(c.store.get(signedKey(c.preKeys.signed)))
	if err != nil {
		return protocols.KeyMaterial{}, fmt.Errorf("signal-v3: publish: %w", err)
	}
	static := signal.Static{
		RegistrationID: c.self.registrationID,
		IdentityKey:    public(c.self.identity),
		SignedPreKeyID: c.preKeys.signed,
		SignedPreKey:   public(k.pair),
		Signature:      k.signature,
	}
	m := protocols.KeyMaterial{
		Static:  static.Append(make([]byte, 0, signal.StaticSize)),
		OneTime: make([]protocols.OneTimeKey, n),
	}
	next := c.preKeys
	b := c.store.begin()
	for i := range m.OneTime {
		pair, err := c.random.keyPair()
		if err != nil {
			return protocols.KeyMaterial{}, fmt.Errorf("signal-v3: publish: %w", err)
		}
		for c.store.get(oneTimeKey(next.next)) != nil {
			next.next = nextID(next.next) // still unused from the last time round
		}
		priv, pub := private(pair), public(pair)
		b.put(oneTimeKey(next.next), append([]byte{recordVersion}, priv[:]...))
		m.OneTime[i] = protocols.OneTimeKey{ID: next.next, Value: bytes.Clone(pub[:])}
		next.next = nextID(next.next)
	}
	if n > 0 {
		b.put(localKey, encodeLocal(c.self, next, c.address))
	}
	b.commit()
	c.preKeys = next
	return m, nil
}

const (
	sessionPrefix  = "session/"
	identityPrefix = "identity/"
)

// sessionKey and identityRecord name a peer's records. Escaping keeps any address
// printable and free of spaces.
func sessionKey(peer protocols.Address) string {
	return sessionPrefix + url.PathEscape(string(peer))
}

func identityRecord(peer protocols.Address) string {
	return identityPrefix + url.PathEscape(string(peer))
}

// Establish starts a session with the owner of a bundle, by X3DH. Earlier states
// of the session are kept, for messages that are under way.
func (c *client) Establish(_ time.Time, peer protocols.Address, b protocols.Bundle) (n protocols.Notice, err error) {
	defer func() {
		if err != nil {
			n, err = 0, fmt.Errorf("signal-v3: establish with %s: %w", peer, err)
		}
	}()
	defer guard(&err)
	parsed, err := c.parseBundle(peer, b)
	if err != nil {
		return 0, err
	}
	defer c.lock(sessionKey(peer))()
	changes := c.store.begin()
	if n, err = c.establish(changes, peer, parsed); err != nil {
		return 0, err
	}
	changes.commit()
	return n, nil
}

// establish is Establish under the session's lock, with the changes left in b.
func (c *client) establish(b *batch, peer protocols.Address, to *bundle) (protocols.Notice, error) {
	key := sessionKey(peer)
	states, err := decodeSession(b.get(key))
	if err != nil {
		return 0, wrap(protocols.ErrState, err)
	}
	state, err := initiate(&c.random, c.self, to)
	if err != nil {
		return 0, err
	}
	first := encodeState(structure(state), nil)
	b.put(key, encodeSession(append([][]byte{first}, states...)))
	return protocols.SessionStarted | c.meet(b, peer, to.static.IdentityKey), nil
}

// meet records the peer's identity key: trust on first use, and a change is
// accepted and told.
func (c *client) meet(b *batch, peer protocols.Address, key [32]byte) protocols.Notice {
	name := identityRecord(peer)
	known := b.get(name)
	if len(known) == 33 && [32]byte(known[1:]) == key {
		return 0
	}
	b.put(name, append([]byte{recordVersion}, key[:]...))
	if known == nil {
		return 0
	}
	return protocols.IdentityChanged
}

// Established reports whether there is a session with peer.
func (c *client) Established(peer protocols.Address) bool {
	return c.store.get(sessionKey(peer)) != nil
}

// SafetyNumber returns the 60 digits that both users compare.
func (c *client) SafetyNumber(localID, remoteID []byte, peer protocols.Address) (string, error) {
	known := c.store.get(identityRecord(peer))
	if len(known) != 33 {
		return "", fmt.Errorf("signal-v3: safety number: %w: no identity of %s", protocols.ErrNoSession, peer)
	}
	ours, theirs := public(c.self.identity), [32]byte(known[1:])
	return signal.SafetyNumber(localID, &ours, remoteID, &theirs), nil
}

// State returns all records.
func (c *client) State() []protocols.Record { return c.store.all() }

// Changes returns the records that changed.
func (c *client) Changes() []protocols.Record { return c.store.changed() }
