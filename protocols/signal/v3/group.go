//go:build !nogpl

package v3

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

const (
	groupPrefix  = "group/"     // roster
	ownKeyPrefix = "group-key/" // the client's own sender key
	senderPrefix = "sender/"    // another member's sender keys, by group and member
)

func groupKey(g protocols.GroupID) string { return groupPrefix + url.PathEscape(string(g)) }

func ownKey(g protocols.GroupID) string { return ownKeyPrefix + url.PathEscape(string(g)) }

func senderRecord(g protocols.GroupID, member protocols.Address) string {
	return senderPrefix + url.PathEscape(string(g)) + "/" + url.PathEscape(string(member))
}

// Bounds of a group.
const (
	maxMembers     = 10_000
	maxAddressSize = 255 // bytes
)

var (
	errGroupExists = errors.New("the group exists")
	errChange      = errors.New("impossible change")
	errNotMember   = errors.New("the sender is not a member of the group")
	errOtherGroup  = errors.New("the message is of another group")
	errHosted      = errors.New("who is in a hosted group its server says")
	errNotHosted   = errors.New("the group is not hosted")
)

// CreateGroup makes a group with this client as its only member.
func (c *client) CreateGroup(_ time.Time, g protocols.GroupID) error {
	defer c.lock(groupKey(g))()
	b := c.store.begin()
	if b.get(groupKey(g)) != nil {
		return fmt.Errorf("signal-v3: create group %s: %w", g, errGroupExists)
	}
	b.put(groupKey(g), new(roster).encode(g))
	b.commit()
	return nil
}

// Members returns the members, this client among them.
func (c *client) Members(g protocols.GroupID) ([]protocols.Address, error) {
	r, err := c.roster(c.store.begin(), g)
	if err != nil {
		return nil, fmt.Errorf("signal-v3: members of %s: %w", g, err)
	}
	return r.addresses(c.address), nil
}

func (c *client) roster(b *batch, g protocols.GroupID) (*roster, error) {
	encoded := b.get(groupKey(g))
	if encoded == nil {
		return nil, protocols.ErrNoSession
	}
	r, err := decodeRoster(encoded)
	if err != nil {
		return nil, wrap(protocols.ErrState, err)
	}
	return r, nil
}

// Change tells all members old and new who joins and leaves, each in its
// pairwise session. A member to add is reached with its bundle if there is no
// session with it or if the bundle shows another identity.
func (c *client) Change(_ time.Time, g protocols.GroupID, add []protocols.Member, remove []protocols.Address) (out []protocols.Envelope, err error) {
	defer func() {
		if err != nil {
			out, err = nil, fmt.Errorf("signal-v3: change group %s: %w", g, err)
		}
	}()
	defer guard(&err)
	defer c.lock(groupKey(g))()
	b := c.store.begin()
	r, err := c.roster(b, g)
	if err != nil {
		return nil, err
	}
	if r.pending != nil {
		return nil, protocols.ErrPending
	}
	if r.hosted {
		return nil, fmt.Errorf("%w: %w", errChange, errHosted)
	}
	change, err := c.plan(r, add, remove)
	if err != nil {
		return nil, err
	}
	to := r.addresses(c.address)
	for _, m := range add {
		to = append(to, m.Address)
	}
	to = slices.DeleteFunc(to, func(a protocols.Address) bool { return a == c.address })
	slices.Sort(to)
	defer c.lockSessions(to)()
	for _, m := range add {
		if err := c.reach(b, m); err != nil {
			return nil, fmt.Errorf("add %s: %w", m.Address, err)
		}
	}
	after := c.apply(r, change)
	for _, m := range after.addresses(c.address) {
		change.Members = append(change.Members, string(m))
	}
	toNew := signal.GroupMessage{GroupID: []byte(g), Change: change}
	toOld := signal.GroupMessage{GroupID: []byte(g), Change: &signal.GroupChange{Add: change.Add, Remove: change.Remove}}
	contents := [2][]byte{toOld.Append(nil), toNew.Append(nil)}
	out, err = c.sealEach(b, g, to, func(a protocols.Address) []byte {
		if r.has(a) {
			return contents[0]
		}
		return contents[1]
	})
	if err != nil {
		return nil, err
	}
	r.pending = &signal.GroupChange{Add: change.Add, Remove: change.Remove}
	b.put(groupKey(g), r.encode(g))
	b.commit()
	return out, nil
}

// plan checks a change against the roster.
func (c *client) plan(r *roster, add []protocols.Member, remove []protocols.Address) (*signal.GroupChange, error) {
	if len(add) == 0 && len(remove) == 0 || len(r.members)+len(add) >= maxMembers {
		return nil, fmt.Errorf("%w: %d to add to %d, %d to remove", errChange, len(add), len(r.members)+1, len(remove))
	}
	var change signal.GroupChange
	for _, m := range add {
		if m.Address == "" || len(m.Address) > maxAddressSize || m.Address == c.address || r.has(m.Address) ||
			slices.Contains(change.Add, string(m.Address)) {
			return nil, fmt.Errorf("%w: add %q", errChange, m.Address)
		}
		change.Add = append(change.Add, string(m.Address))
	}
	for _, a := range remove {
		if a != c.address && !r.has(a) || slices.Contains(change.Remove, string(a)) {
			return nil, fmt.Errorf("%w: remove %q", errChange, a)
		}
		change.Remove = append(change.Remove, string(a))
	}
	return &change, nil
}

// reach makes sure that there is a session with a member to add.
func (c *client) reach(b *batch, m protocols.Member) error {
	if len(m.Bundle.Static) == 0 {
		return nil // sealEach complains if there is no session either
	}
	to, err := c.parseBundle(m.Address, m.Bundle)
	if err != nil {
		return err
	}
	known := b.get(identityRecord(m.Address))
	if b.get(sessionKey(m.Address)) != nil && len(known) == 33 && [32]byte(known[1:]) == to.static.IdentityKey {
		return nil
	}
	_, err = c.establish(b, m.Address, to)
	return err
}

// lockSessions takes the locks of the sessions with all peers, which are sorted,
// so that two callers cannot wait for each other.
func (c *client) lockSessions(peers []protocols.Address) (unlock func()) {
	unlocks := make([]func(), len(peers))
	for i, peer := range peers {
		unlocks[i] = c.lock(sessionKey(peer))
	}
	return func() {
		for _, unlock := range unlocks {
			unlock()
		}
	}
}

// sealEach seals a content to each peer, or none if a session is missing.
func (c *client) sealEach(b *batch, g protocols.GroupID, peers []protocols.Address, content func(protocols.Address) []byte) ([]protocols.Envelope, error) {
	var missing []protocols.Address
	for _, peer := range peers {
		if b.get(sessionKey(peer)) == nil {
			missing = append(missing, peer)
		}
	}
	if missing != nil {
		return nil, &protocols.MissingSessionsError{Peers: missing}
	}
	out := make([]protocols.Envelope, 0, len(peers)+1)
	for _, peer := range peers {
		s, err := c.seal(b, peer, content(peer))
		if err != nil {
			return nil, fmt.Errorf("to %s: %w", peer, err)
		}
		out = append(out, protocols.Envelope{To: []protocols.Address{peer}, Group: g, Sealed: s})
	}
	return out, nil
}

// apply returns the roster after a change. What is so already stays so, for
// another member may have made the same change.
func (c *client) apply(r *roster, change *signal.GroupChange) *roster {
	after := &roster{members: slices.Clone(r.members), pending: r.pending, hosted: r.hosted}
	for _, a := range change.Remove {
		after.remove(protocols.Address(a))
	}
	for _, a := range change.Add {
		if protocols.Address(a) != c.address {
			after.add(protocols.Address(a))
		}
	}
	return after
}

// Settle merges or drops the pending change.
func (c *client) Settle(g protocols.GroupID, accepted bool) error {
	defer c.lock(groupKey(g))()
	b := c.store.begin()
	r, err := c.roster(b, g)
	if err != nil {
		return fmt.Errorf("signal-v3: settle group %s: %w", g, err)
	}
	if r.pending == nil {
		return nil
	}
	change := r.pending
	r.pending = nil
	if accepted {
		c.merge(b, g, r, change)
	} else {
		b.put(groupKey(g), r.encode(g))
	}
	b.commit()
	return nil
}

// merge makes a change part of the group's state. After a removal the client's
// own sender key is gone: the next message is sealed under a fresh one that the
// removed member never saw.
func (c *client) merge(b *batch, g protocols.GroupID, r *roster, change *signal.GroupChange) {
	after := c.apply(r, change)
	gone := slices.Contains(change.Remove, string(c.address))
	for _, m := range r.members {
		if gone || !after.has(m.address) || slices.Contains(change.Remove, string(m.address)) {
			b.remove(senderRecord(g, m.address))
		}
	}
	if len(change.Remove) > 0 {
		b.remove(ownKey(g))
		for i := range after.members {
			after.members[i].holds = [32]byte{}
		}
	}
	if gone {
		b.remove(groupKey(g))
		return
	}
	b.put(groupKey(g), after.encode(g))
}

// SealGroup encrypts to all other members. Before the message come the
// distribution messages for those that do not hold the sender key yet.
func (c *client) SealGroup(g protocols.GroupID, plaintext []byte) (out []protocols.Envelope, err error) {
	defer c.lock(groupKey(g))()
	b := c.store.begin()
	if out, err = c.sealGroup(b, g, plaintext); err != nil {
		return nil, fmt.Errorf("signal-v3: seal to group %s: %w", g, err)
	}
	return out, nil
}

func (c *client) sealGroup(b *batch, g protocols.GroupID, plaintext []byte) ([]protocols.Envelope, error) {
	r, err := c.roster(b, g)
	if err != nil {
		return nil, err
	}
	key, err := c.ownSenderKey(b, g)
	if err != nil {
		return nil, err
	}
	var to []protocols.Address
	for _, m := range r.members {
		if session := b.get(sessionKey(m.address)); session == nil || m.holds == [32]byte{} || currentBase(session) != m.holds {
			to = append(to, m.address)
		}
	}
	defer c.lockSessions(to)()
	content := signal.GroupMessage{GroupID: []byte(g), Distribution: key.distribution(c.layout)}
	encoded := content.Append(nil)
	out, err := c.sealEach(b, g, to, func(protocols.Address) []byte { return encoded })
	if err != nil {
		return nil, err
	}
	if len(to) > 0 {
		for _, peer := range to {
			i, _ := r.find(peer)
			r.members[i].holds = currentBase(b.get(sessionKey(peer)))
		}
		b.put(groupKey(g), r.encode(g))
	}
	payload, err := key.encrypt(&c.random, c.layout, plaintext)
	if err != nil {
		return nil, err
	}
	b.put(ownKey(g), encodeSenderKeys([]*senderKey{key}))
	b.commit()
	s := protocols.Sealed{Type: typeSenderKey, Version: wireVersion, Payload: payload}
	return append(out, protocols.Envelope{Group: g, Sealed: s}), nil
}

func (c *client) ownSenderKey(b *batch, g protocols.GroupID) (*senderKey, error) {
	keys, err := decodeSenderKeys(b.get(ownKey(g)))
	if err != nil {
		return nil, wrap(protocols.ErrState, err)
	}
	if keys == nil {
		return newSenderKey(&c.random)
	}
	return keys[0], nil
}
