package sized

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Bounds of a group, as signal-v3's.
const (
	maxMembers     = 10_000
	maxAddressSize = 255 // bytes
)

// group is a client's view of a sender-key group.
type group struct {
	members []member // without the client itself, sorted
	pending *signal.GroupChange
	own     *senderKey // nil until the client seals to the group
	keys    map[protocols.Address][]senderKey
	hosted  bool // the members are what a server says
}

// member is another member of a group.
type member struct {
	address protocols.Address
	holds   uint64 // the session in which it was sent our sender key; 0 if none
}

var _ protocols.HostedGroupClient = (*client)(nil)

func (g *group) find(a protocols.Address) (int, bool) {
	return slices.BinarySearchFunc(g.members, a, func(m member, a protocols.Address) int {
		return cmp.Compare(m.address, a)
	})
}

func (g *group) has(a protocols.Address) bool {
	_, ok := g.find(a)
	return ok
}

func (g *group) add(a protocols.Address) {
	if i, ok := g.find(a); !ok {
		g.members = slices.Insert(g.members, i, member{address: a})
	}
}

// addresses returns the members with the client itself, sorted.
func (g *group) addresses(self protocols.Address) []protocols.Address {
	out := make([]protocols.Address, 0, len(g.members)+1)
	for _, m := range g.members {
		out = append(out, m.address)
	}
	i, _ := slices.BinarySearch(out, self)
	return slices.Insert(out, i, self)
}

// put sets or, if g is nil, deletes a group.
func (c *client) put(id protocols.GroupID, g *group) {
	if c.groups == nil {
		c.groups = make(map[protocols.GroupID]*group)
	}
	if g == nil {
		delete(c.groups, id)
	} else {
		c.groups[id] = g
	}
	c.touchGroup(id)
}

func (c *client) touchGroup(id protocols.GroupID) {
	if c.changedGroups == nil {
		c.changedGroups = make(map[protocols.GroupID]struct{})
	}
	c.changedGroups[id] = struct{}{}
}

// CreateGroup implements [protocols.GroupClient].
func (c *client) CreateGroup(_ time.Time, id protocols.GroupID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups[id] != nil {
		return fmt.Errorf(Name+": create group %s: the group exists", id)
	}
	c.put(id, &group{})
	return nil
}

// Members implements [protocols.GroupClient].
func (c *client) Members(id protocols.GroupID) ([]protocols.Address, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[id]
	if g == nil {
		return nil, fmt.Errorf(Name+": members of %s: %w", id, protocols.ErrNoSession)
	}
	return g.addresses(c.address), nil
}

// Change implements [protocols.GroupClient]. All members old and new are told in
// their pairwise sessions.
func (c *client) Change(_ time.Time, id protocols.GroupID, add []protocols.Member, remove []protocols.Address) ([]protocols.Envelope, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.change(id, add, remove)
	if err != nil {
		return nil, fmt.Errorf(Name+": change group %s: %w", id, err)
	}
	return out, nil
}

var errChange = errors.New("impossible change")

func (c *client) change(id protocols.GroupID, add []protocols.Member, remove []protocols.Address) ([]protocols.Envelope, error) {
	g := c.groups[id]
	switch {
	case g == nil:
		return nil, protocols.ErrNoSession
	case g.pending != nil:
		return nil, protocols.ErrPending
	case g.hosted:
		return nil, fmt.Errorf("%w: %w", errChange, errHosted)
	}
	change, err := c.plan(g, add, remove)
	if err != nil {
		return nil, err
	}
	sessions, err := c.reach(add)
	if err != nil {
		return nil, err
	}
	to := make([]protocols.Address, 0, len(g.members)+len(add))
	for _, m := range g.members {
		to = append(to, m.address)
	}
	for _, m := range add {
		to = append(to, m.Address)
	}
	slices.Sort(to)
	var missing []protocols.Address
	for _, a := range to {
		if _, ok := sessions[a]; !ok && c.sessions.with(a) == nil {
			missing = append(missing, a)
		}
	}
	if missing != nil {
		return nil, &protocols.MissingSessionsError{Peers: missing}
	}

	for _, m := range add { // nothing can fail from here on
		if b, ok := sessions[m.Address]; ok {
			c.install(m.Address, initiate(c.own, c.registration, c.fresh(), c.fresh(), &b))
		}
	}
	toNew := signal.GroupMessage{GroupID: []byte(id), Change: &signal.GroupChange{Add: change.Add, Remove: change.Remove}}
	toOld := signal.GroupMessage{GroupID: []byte(id), Change: change}
	for _, a := range c.after(g, change).addresses(c.address) {
		toNew.Change.Members = append(toNew.Change.Members, string(a))
	}
	contents := [2][]byte{toOld.Append(nil), toNew.Append(nil)}
	out := make([]protocols.Envelope, len(to))
	for i, a := range to {
		content := contents[1]
		if g.has(a) {
			content = contents[0]
		}
		out[i] = c.sealTo(id, a, content)
	}
	g.pending = change
	c.touchGroup(id)
	return out, nil
}

// sealTo seals a content to one member, with which there is a session.
func (c *client) sealTo(id protocols.GroupID, a protocols.Address, content []byte) protocols.Envelope {
	return protocols.Envelope{To: []protocols.Address{a}, Group: id, Sealed: c.seal(c.sessions.with(a), content)}
}

// plan checks a change against the group.
func (c *client) plan(g *group, add []protocols.Member, remove []protocols.Address) (*signal.GroupChange, error) {
	if len(add) == 0 && len(remove) == 0 || len(g.members)+len(add) >= maxMembers {
		return nil, fmt.Errorf("%w: %d to add to %d, %d to remove", errChange, len(add), len(g.members)+1, len(remove))
	}
	var change signal.GroupChange
	for _, m := range add {
		if m.Address == "" || len(m.Address) > maxAddressSize || m.Address == c.address || g.has(m.Address) ||
			slices.Contains(change.Add, string(m.Address)) {
			return nil, fmt.Errorf("%w: add %q", errChange, m.Address)
		}
		change.Add = append(change.Add, string(m.Address))
	}
	for _, a := range remove {
		if a != c.address && !g.has(a) || slices.Contains(change.Remove, string(a)) {
			return nil, fmt.Errorf("%w: remove %q", errChange, a)
		}
		change.Remove = append(change.Remove, string(a))
	}
	return &change, nil
}

// reach returns the bundles from which sessions are to be established: those of
// members without a session or with another identity in it.
func (c *client) reach(add []protocols.Member) (map[protocols.Address]bundle, error) {
	sessions := make(map[protocols.Address]bundle)
	for _, m := range add {
		if len(m.Bundle.Static) == 0 {
			continue
		}
		b, err := parseBundle(m.Bundle)
		if err != nil {
			return nil, fmt.Errorf("add %s: %w", m.Address, err)
		}
		if s := c.sessions.with(m.Address); s == nil || s.identity != b.identity {
			sessions[m.Address] = b
		}
	}
	return sessions, nil
}

// after returns the group after a change. What is so already stays so.
func (c *client) after(g *group, change *signal.GroupChange) *group {
	after := *g
	after.members = slices.DeleteFunc(slices.Clone(g.members), func(m member) bool {
		return slices.Contains(change.Remove, string(m.address))
	})
	for _, a := range change.Add {
		if protocols.Address(a) != c.address {
			after.add(protocols.Address(a))
		}
	}
	return &after
}

// Settle implements [protocols.GroupClient].
func (c *client) Settle(id protocols.GroupID, accepted bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[id]
	if g == nil {
		return fmt.Errorf(Name+": settle group %s: %w", id, protocols.ErrNoSession)
	}
	if g.pending == nil {
		return nil
	}
	change := g.pending
	g.pending = nil
	c.touchGroup(id)
	if accepted {
		c.merge(id, g, change)
	}
	return nil
}

// merge makes a change part of the group's state. After a removal the client's
// own sender key is gone: the next message is sealed under a fresh one that the
// removed member never saw.
func (c *client) merge(id protocols.GroupID, g *group, change *signal.GroupChange) {
	if slices.Contains(change.Remove, string(c.address)) {
		c.put(id, nil)
		return
	}
	next := c.after(g, change)
	if len(change.Remove) > 0 {
		next.own = nil
		for i := range next.members {
			next.members[i].holds = 0
		}
	}
	for _, a := range change.Remove {
		delete(next.keys, protocols.Address(a))
	}
	c.put(id, next)
}

// SealGroup implements [protocols.GroupClient]. Before the message come the
// distribution messages for those that do not hold the sender key yet.
func (c *client) SealGroup(id protocols.GroupID, plaintext []byte) ([]protocols.Envelope, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.sealGroup(id, plaintext)
	if err != nil {
		return nil, fmt.Errorf(Name+": seal to group %s: %w", id, err)
	}
	return out, nil
}

func (c *client) sealGroup(id protocols.GroupID, plaintext []byte) ([]protocols.Envelope, error) {
	g := c.groups[id]
	if g == nil {
		return nil, protocols.ErrNoSession
	}
	var to []int
	var missing []protocols.Address
	for i, m := range g.members {
		switch s := c.sessions.with(m.address); {
		case s == nil:
			missing = append(missing, m.address)
		case m.holds == 0 || m.holds != s.current.base:
			to = append(to, i)
		}
	}
	if missing != nil {
		return nil, &protocols.MissingSessionsError{Peers: missing}
	}

	if g.own == nil {
		g.own = newSenderKey(c)
	}
	out := make([]protocols.Envelope, 0, len(to)+1)
	if len(to) > 0 {
		content := signal.GroupMessage{GroupID: []byte(id), Distribution: g.own.distribution(c.layout)}
		encoded := content.Append(nil)
		for _, i := range to {
			m := &g.members[i]
			out = append(out, c.sealTo(id, m.address, encoded))
			m.holds = c.sessions.with(m.address).current.base
		}
	}
	s := protocols.Sealed{Type: typeSenderKey, Version: encVersion, Payload: g.own.seal(c.layout, plaintext)}
	c.touchGroup(id)
	return append(out, protocols.Envelope{Group: id, Sealed: s}), nil
}

// OpenGroup implements [protocols.GroupClient].
func (c *client) OpenGroup(_ time.Time, id protocols.GroupID, peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := c.openGroupMessage
	if s.Type == typeSenderKey {
		open = c.openSenderKey
	}
	o, err := open(id, peer, s)
	if err != nil {
		return protocols.Opened{}, fmt.Errorf(Name+": open in group %s from %s: %w", id, peer, err)
	}
	return o, nil
}

func (c *client) openSenderKey(id protocols.GroupID, peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	if s.Version != encVersion {
		return protocols.Opened{}, malformed(fmt.Sprintf("version %d", s.Version))
	}
	m, err := c.layout.ParseSenderKeyMessage(s.Payload)
	if err != nil {
		return protocols.Opened{}, fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
	}
	g := c.groups[id]
	switch {
	case g == nil:
		return protocols.Opened{}, protocols.ErrNoSession
	case !g.has(peer):
		return protocols.Opened{}, fmt.Errorf("sender is no member: %w", protocols.ErrNoSession)
	}
	keys := g.keys[peer]
	for i := range keys {
		if keys[i].names(m.DistributionID, m.ChainID) {
			plaintext, err := keys[i].open(&m, s.Payload)
			if err != nil {
				return protocols.Opened{}, err
			}
			c.touchGroup(id)
			return protocols.Opened{Plaintext: plaintext}, nil
		}
	}
	return protocols.Opened{}, fmt.Errorf("sender key %d: %w", m.ChainID, protocols.ErrNoSession)
}

// openGroupMessage takes what a member says in the pairwise session: its sender
// key, or a change.
func (c *client) openGroupMessage(id protocols.GroupID, peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	var r reception
	if err := c.receive(&r, peer, s); err != nil {
		return protocols.Opened{}, err
	}
	m, err := signal.ParseGroupMessage(r.plaintext)
	if err != nil {
		return protocols.Opened{}, fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
	}
	if string(m.GroupID) != string(id) {
		return protocols.Opened{}, fmt.Errorf("message of group %q: %w", m.GroupID, protocols.ErrAuthentication)
	}
	var notice protocols.Notice
	if m.Change != nil {
		notice = protocols.MembersChanged
		err = c.receiveChange(id, peer, m.Change)
	} else {
		err = c.receiveDistribution(id, peer, m.Distribution)
	}
	if err != nil {
		return protocols.Opened{}, err
	}
	return protocols.Opened{Notice: notice | c.commit(&r)}, nil
}

// receiveChange applies a change that a member made, or makes the group if the
// change adds this client to it.
func (c *client) receiveChange(id protocols.GroupID, peer protocols.Address, change *signal.GroupChange) error {
	for _, list := range [...][]string{change.Add, change.Members} {
		for _, a := range list {
			if len(a) > maxAddressSize {
				return malformed(fmt.Sprintf("address of %d bytes", len(a)))
			}
		}
	}
	if g := c.groups[id]; g != nil {
		if !g.has(peer) {
			return fmt.Errorf("sender is no member: %w", protocols.ErrAuthentication)
		}
		if g.hosted {
			return fmt.Errorf("%w: %w", protocols.ErrAuthentication, errHosted)
		}
		if len(g.members)+len(change.Add) >= maxMembers {
			return malformed("too many members")
		}
		c.merge(id, g, change)
		return nil
	}
	if !slices.Contains(change.Members, string(c.address)) {
		return protocols.ErrNoSession
	}
	if len(change.Members) > maxMembers || !slices.Contains(change.Members, string(peer)) {
		return malformed(fmt.Sprintf("list of %d members", len(change.Members)))
	}
	g := new(group)
	for _, a := range change.Members {
		if protocols.Address(a) != c.address {
			g.add(protocols.Address(a))
		}
	}
	c.put(id, g)
	return nil
}

// receiveDistribution keeps a member's sender key, in front of its earlier ones.
// One that is known already keeps its position.
func (c *client) receiveDistribution(id protocols.GroupID, peer protocols.Address, encoded []byte) error {
	d, err := c.layout.ParseDistribution(encoded)
	if err != nil {
		return fmt.Errorf("%w: %w", protocols.ErrMalformed, err)
	}
	g := c.groups[id]
	switch {
	case g == nil:
		return protocols.ErrNoSession
	case !g.has(peer):
		return fmt.Errorf("sender is no member: %w", protocols.ErrNoSession)
	}
	keys := g.keys[peer]
	signing := fold(&d.SigningKey)
	for i, k := range keys {
		if k.names(d.DistributionID, d.ChainID) {
			if k.signing == signing {
				return nil
			}
			keys = slices.Delete(keys, i, i+1)
			break
		}
	}
	keys = slices.Insert(keys, 0, senderKey{
		distributionID: d.DistributionID,
		chainID:        d.ChainID,
		next:           d.Iteration,
		chain:          fold(&d.ChainKey),
		signing:        signing,
	})
	if g.keys == nil {
		g.keys = make(map[protocols.Address][]senderKey)
	}
	g.keys[peer] = keys[:min(len(keys), maxSenderKeys)]
	c.touchGroup(id)
	return nil
}
