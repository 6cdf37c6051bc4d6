package adapter

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// client is one device's end-to-end state.
type client struct {
	address  protocols.Address
	suite    suite.Suite
	engine   *mls.Config // of groups
	sessions *mls.Config
	strict   *mls.Config // minds lifetimes: for KeyPackages to add

	mu       sync.Mutex    // guards what follows
	self     *mls.Identity // set once
	ids      ids
	store    *store
	packages map[string]string // record keys of own KeyPackages, by their references
	peers    map[protocols.Address]*peer
	groups   map[protocols.GroupID]*group
}

var _ interface {
	protocols.GroupClient
	protocols.Fingerprinter
} = (*client)(nil)

// ids say which KeyPackages the client has made. All are drawn from one row of
// numbers.
type ids struct {
	next     uint32
	static   uint32 // the last-resort one; 0 if there was none yet
	previous uint32 // the one before, which is still honoured; 0 if none
}

// Format prints the client's address and none of its keys.
func (c *client) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "mls client of %q", string(c.address)) }

// State returns all records.
func (c *client) State() []protocols.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.all()
}

// Changes returns the records that changed.
func (c *client) Changes() []protocols.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store.changed()
}

func staticKey(id uint32) string  { return fmt.Sprintf("static/%08x", id) }
func oneTimeKey(id uint32) string { return fmt.Sprintf("one-time/%08x", id) }

var errIDs = errors.New("all numbers of KeyPackages are used up")

// newPackage makes a KeyPackage.
func (c *client) newPackage(now time.Time, lastResort bool) (k *mls.KeyPackage, stored, public []byte, err error) {
	o := mls.LeafOptions{LastResort: lastResort, Lifetime: message.Lifetime{
		NotBefore: uint64(max(0, now.Add(-24*time.Hour).Unix())),
		NotAfter:  uint64(max(0, now.Add(lifetime).Unix())),
	}}
	if k, err = c.engine.NewKeyPackage(now, c.self, o); err != nil {
		return nil, nil, nil, err
	}
	if stored, err = k.Marshal(); err != nil {
		return nil, nil, nil, err
	}
	public, err = k.Message()
	return k, stored, public, err
}

// Publish returns the key material: the last-resort KeyPackage and n others.
func (c *client) Publish(now time.Time, n int) (m protocols.KeyMaterial, err error) {
	if n < 0 || n > protocols.MaxOneTime {
		return m, fmt.Errorf("mls: publish %d one-time keys, expected 0 to %d", n, protocols.MaxOneTime)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if uint64(c.ids.next)+uint64(n)+1 >= 1<<32 {
		return m, fmt.Errorf("mls: publish: %w", errIDs)
	}
	type made struct {
		key, ref string
		stored   []byte
	}
	var all []made
	next := c.ids
	if next.static == 0 {
		if next, err = c.rotate(now); err != nil {
			return m, fmt.Errorf("mls: publish: %w", err)
		}
	}
	m.OneTime = make([]protocols.OneTimeKey, n)
	for i := range m.OneTime {
		k, stored, public, err := c.newPackage(now, false)
		if err != nil {
			return protocols.KeyMaterial{}, fmt.Errorf("mls: publish: %w", err)
		}
		all = append(all, made{oneTimeKey(next.next), string(k.Ref), stored})
		m.OneTime[i] = protocols.OneTimeKey{ID: next.next, Value: public}
		next.next++
	}
	static, err := c.engine.UnmarshalKeyPackage(c.store.records[staticKey(next.static)])
	if err == nil {
		m.Static, err = static.Message()
	}
	if err != nil {
		return protocols.KeyMaterial{}, fmt.Errorf("mls: publish: %w", err)
	}
	for _, k := range all {
		c.store.put(k.key, k.stored)
		c.packages[k.ref] = k.key
	}
	if next != c.ids || n > 0 {
		c.ids = next
		c.putLocal()
	}
	return m, nil
}

// Rotate replaces the last-resort KeyPackage.
func (c *client) Rotate(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.rotate(now); err != nil {
		return fmt.Errorf("mls: rotate: %w", err)
	}
	return nil
}

// rotate makes a last-resort KeyPackage and drops the one before the current one.
func (c *client) rotate(now time.Time) (ids, error) {
	if uint64(c.ids.next)+1 >= 1<<32 {
		return c.ids, errIDs
	}
	k, stored, _, err := c.newPackage(now, true)
	if err != nil {
		return c.ids, err
	}
	if old := c.ids.previous; old != 0 {
		for ref, key := range c.packages {
			if key == staticKey(old) {
				delete(c.packages, ref)
			}
		}
		c.store.put(staticKey(old), nil)
		c.store.drop(spentPrefix(old))
	}
	c.ids.previous, c.ids.static = c.ids.static, c.ids.next
	c.ids.next++
	c.store.put(staticKey(c.ids.static), stored)
	c.packages[string(k.Ref)] = staticKey(c.ids.static)
	c.putLocal()
	return c.ids, nil
}

const localKey = "local"

// putLocal writes the client's own record:
//
//	struct {
//	    uint8 version = 1;
//	    CipherSuite cipher_suite;
//	    opaque address<V>;
//	    opaque signer<V>;      // private
//	    uint32 next, static, previous;
//	} Local;
func (c *client) putLocal() {
	c.store.put(localKey, record(func(w *wire.Writer) {
		w.Uint16(uint16(c.suite.ID()))
		w.OpaqueString(string(c.address))
		w.Opaque(c.self.Signer.Private)
		w.Uint32(c.ids.next)
		w.Uint32(c.ids.static)
		w.Uint32(c.ids.previous)
	}))
}

const recordVersion = 1

// record returns a record's value.
func record(write func(*wire.Writer)) []byte {
	w := wire.NewWriter(nil)
	w.Uint8(recordVersion)
	write(w)
	b, err := w.Bytes()
	if err != nil {
		panic("mls: invariant broken, a record can be written: " + err.Error())
	}
	return b
}

// A KeyPackage that may be used more than once could be made to serve one Welcome
// twice, when its group was forgotten. So the Welcomes that it served are
// remembered as long as it.
func spentPrefix(id uint32) string { return fmt.Sprintf("spent/%08x/", id) }

func (c *client) spentKey(id uint32, welcome []byte) string {
	return spentPrefix(id) + hex.EncodeToString(c.suite.Hash(nil, welcome)[:16])
}

// own returns the KeyPackage that a Welcome is for and its record's key.
func (c *client) own(w *message.Welcome) (*mls.KeyPackage, string, error) {
	for i := range w.Secrets {
		key, ok := c.packages[string(w.Secrets[i].NewMember)]
		if !ok {
			continue
		}
		k, err := c.engine.UnmarshalKeyPackage(c.store.records[key])
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", protocols.ErrState, err)
		}
		return k, key, nil
	}
	return nil, "", fmt.Errorf("%w: Welcome for %d KeyPackages, none of them held", protocols.ErrKeyUnknown, len(w.Secrets))
}

// welcomed is a Welcome that was opened. It changes nothing before it is accepted.
type welcomed struct {
	*mls.StagedWelcome
	inviter message.LeafNode
	key     string // record key of the KeyPackage
	spent   string // record key that remembers the Welcome; "" if the KeyPackage serves once
}

// openWelcome opens a Welcome that peer sent; encoded is its MLSMessage.
func (c *client) openWelcome(cfg *mls.Config, peer protocols.Address, m *message.Welcome, encoded []byte, known func([]byte) bool) (*welcomed, error) {
	k, key, err := c.own(m)
	if err != nil {
		return nil, err
	}
	w := &welcomed{key: key}
	if strings.HasPrefix(key, "static/") {
		var id uint32
		fmt.Sscanf(key, "static/%08x", &id)
		w.spent = c.spentKey(id, encoded)
		if c.store.records[w.spent] != nil {
			return nil, fmt.Errorf("%w: Welcome", protocols.ErrReplayed)
		}
	}
	if w.StagedWelcome, err = mls.OpenWelcome(cfg, time.Time{}, m, []*mls.KeyPackage{k}, mls.JoinOptions{Known: known}); err != nil {
		return nil, wrap(err)
	}
	w.inviter = *w.Tree().Leaf(w.Sender())
	if string(w.inviter.Credential.Identity) != string(peer) {
		return nil, fmt.Errorf("%w: Welcome from %q", protocols.ErrAuthentication, w.inviter.Credential.Identity)
	}
	return w, nil
}

// accept uses the KeyPackage up. It returns what that is worth a notice.
func (c *client) accept(w *welcomed) protocols.Notice {
	if w.spent != "" {
		c.store.put(w.spent, record(func(*wire.Writer) {}))
		return 0
	}
	c.store.put(w.key, nil)
	delete(c.packages, string(w.KeyPackage.Ref))
	return protocols.OneTimeKeyUsed
}

// fetch reads and checks the KeyPackage of a bundle to add.
func (c *client) fetch(now time.Time, address protocols.Address, b protocols.Bundle) (*message.KeyPackage, error) {
	k, err := readPackage(b.Static)
	if err != nil {
		return nil, fmt.Errorf("reusable part: %w", err)
	}
	if b.OneTime != nil {
		once, err := readPackage(b.OneTime.Value)
		if err != nil {
			return nil, fmt.Errorf("one-time key: %w", err)
		}
		if !bytes.Equal(once.LeafNode.SignatureKey, k.LeafNode.SignatureKey) {
			return nil, fmt.Errorf("one-time key: %w: of another identity than the reusable part", protocols.ErrAuthentication)
		}
		k = once
	}
	if err := c.strict.CheckKeyPackage(now, k); err != nil {
		return nil, wrap(err)
	}
	if string(k.LeafNode.Credential.Identity) != string(address) {
		return nil, fmt.Errorf("%w: KeyPackage of %q", protocols.ErrAuthentication, k.LeafNode.Credential.Identity)
	}
	return k, nil
}

func readPackage(b []byte) (*message.KeyPackage, error) {
	m, err := message.Parse(bytes.Clone(b), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
	}
	if m.KeyPackage == nil {
		return nil, fmt.Errorf("%w: %v, want a KeyPackage", protocols.ErrMalformed, m.WireFormat())
	}
	return m.KeyPackage, nil
}
