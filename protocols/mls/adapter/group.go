package adapter

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// group is a group that this client is a member of.
type group struct {
	g       *mls.Group
	pending bool        // a change waits to be settled
	staged  *mls.Staged // that change; nil if another one overtook it
}

var (
	errGroupExists = errors.New("the group exists")
	errChange      = errors.New("impossible change")
	errOvertaken   = errors.New("another change came first")
)

func groupPrefix(g protocols.GroupID) string { return "group/" + escape(g) + "/" }

func (c *client) group(g protocols.GroupID) (*group, error) {
	if x := c.groups[g]; x != nil {
		return x, nil
	}
	return nil, protocols.ErrNoSession
}

// putPending writes a change that waits to be settled:
//
//	struct {
//	    uint8 version = 1;
//	    opaque commit[..];  // as Group.MarshalPending has it; empty if overtaken
//	} Pending;
func (c *client) putPending(g protocols.GroupID, commit []byte) {
	c.store.put(groupPrefix(g)+pendingName, record(func(w *wire.Writer) { w.Fixed(commit) }))
}

// CreateGroup makes a group with this client as its only member.
func (c *client) CreateGroup(now time.Time, g protocols.GroupID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups[g] != nil {
		return fmt.Errorf("mls: create group %s: %w", g, errGroupExists)
	}
	made, err := mls.New(c.engine, now, c.self, []byte(g), mls.GroupOptions{})
	if err != nil {
		return fmt.Errorf("mls: create group %s: %w", g, err)
	}
	c.groups[g] = &group{g: made}
	c.store.sync(groupPrefix(g), made)
	return nil
}

// Members returns the members, this client among them.
func (c *client) Members(g protocols.GroupID) ([]protocols.Address, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.group(g)
	if err != nil {
		return nil, fmt.Errorf("mls: members of %s: %w", g, err)
	}
	var out []protocols.Address
	for a := range leaves(x.g) {
		out = append(out, a)
	}
	slices.Sort(out)
	return out, nil
}

// leaves returns where members are in the tree.
func leaves(g *mls.Group) map[protocols.Address]tree.LeafIndex {
	out := make(map[protocols.Address]tree.LeafIndex, g.Tree().Members())
	for i, l := range g.Tree().All() {
		out[protocols.Address(l.Credential.Identity)] = i
	}
	return out
}

// Change commits Adds and Removes with a fresh path; without any, it renews this
// client's keys alone. All other members get the Commit, all new ones the Welcome.
func (c *client) Change(now time.Time, g protocols.GroupID, add []protocols.Member, remove []protocols.Address) ([]protocols.Envelope, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.change(now, g, add, remove)
	if err != nil {
		return nil, fmt.Errorf("mls: change group %s: %w", g, err)
	}
	return out, nil
}

func (c *client) change(now time.Time, g protocols.GroupID, add []protocols.Member, remove []protocols.Address) ([]protocols.Envelope, error) {
	x, err := c.group(g)
	if err != nil {
		return nil, err
	}
	if x.pending {
		return nil, protocols.ErrPending
	}
	members := leaves(x.g)
	proposals, added, err := c.plan(now, members, add, remove)
	if err != nil {
		return nil, err
	}
	p, err := x.g.Commit(now, mls.CommitOptions{Proposals: proposals, Path: true})
	if err != nil {
		return nil, wrap(err)
	}
	stored, err := x.g.MarshalPending(&p.Staged)
	if err != nil {
		return nil, err
	}
	x.pending, x.staged = true, &p.Staged
	c.putPending(g, stored)
	c.store.sync(groupPrefix(g), x.g)
	var out []protocols.Envelope
	if len(members) > 1 {
		out = append(out, protocols.Envelope{Group: g, Sealed: seal(p.Message)})
	}
	if len(added) > 0 {
		out = append(out, protocols.Envelope{To: added, Group: g, Sealed: seal(p.Welcome)})
	}
	return out, nil
}

// plan returns the proposals of a change.
func (c *client) plan(now time.Time, members map[protocols.Address]tree.LeafIndex, add []protocols.Member, remove []protocols.Address) (all []message.Proposal, added []protocols.Address, err error) {
	for _, a := range remove {
		leaf, ok := members[a]
		if !ok || a == c.address { // RFC 9420, Section 12.2: nobody commits its own removal
			return nil, nil, fmt.Errorf("%w: remove %q", errChange, a)
		}
		all = append(all, mls.RemoveProposal(leaf))
	}
	for _, m := range add {
		_, known := members[m.Address]
		if m.Address == "" || len(m.Address) > maxAddressSize || known || slices.Contains(added, m.Address) {
			return nil, nil, fmt.Errorf("%w: add %q", errChange, m.Address)
		}
		k, err := c.fetch(now, m.Address, m.Bundle)
		if err != nil {
			return nil, nil, fmt.Errorf("add %s: %w", m.Address, err)
		}
		all, added = append(all, mls.AddProposal(*k)), append(added, m.Address)
	}
	slices.Sort(added)
	return all, added, nil
}

// Settle merges the pending change or drops it.
func (c *client) Settle(g protocols.GroupID, accepted bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.group(g)
	if err != nil {
		return fmt.Errorf("mls: settle %s: %w", g, err)
	}
	if !x.pending {
		return nil
	}
	if accepted {
		if x.staged == nil {
			return fmt.Errorf("mls: settle %s: %w", g, errOvertaken)
		}
		if err := x.g.Merge(x.staged); err != nil {
			return fmt.Errorf("mls: settle %s: %w", g, err)
		}
		c.store.sync(groupPrefix(g), x.g)
	}
	x.pending, x.staged = false, nil
	c.store.put(groupPrefix(g)+pendingName, nil)
	return nil
}

// SealGroup encrypts to all other members, in one payload.
func (c *client) SealGroup(g protocols.GroupID, plaintext []byte) ([]protocols.Envelope, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.group(g)
	if err != nil {
		return nil, fmt.Errorf("mls: seal to group %s: %w", g, err)
	}
	if x.g.Tree().Members() == 1 {
		return nil, nil
	}
	m, err := x.g.Protect(plaintext, mls.SendOptions{})
	c.store.sync(groupPrefix(g), x.g) // a key is used up even if that failed
	if err != nil {
		return nil, fmt.Errorf("mls: seal to group %s: %w", g, err)
	}
	return []protocols.Envelope{{Group: g, Sealed: seal(m)}}, nil
}

// OpenGroup takes a payload that peer sent within a group.
func (c *client) OpenGroup(now time.Time, g protocols.GroupID, peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := parse(s)
	if err == nil && p.before != nil {
		err = fmt.Errorf("%w: %w: two messages", protocols.ErrMalformed, errPayload)
	}
	var o protocols.Opened
	switch {
	case err != nil:
	case p.content.Welcome != nil:
		o, err = c.joinGroup(g, peer, p.content.Welcome, s.Payload)
	case p.content.Private != nil:
		o, err = c.openGroup(now, g, peer, p.content)
	default:
		err = fmt.Errorf("%w: %w: %v", protocols.ErrMalformed, errPayload, p.content.WireFormat())
	}
	if err != nil {
		return protocols.Opened{}, fmt.Errorf("mls: open from %s in group %s: %w", peer, g, err)
	}
	return o, nil
}

// joinGroup joins by a Welcome.
func (c *client) joinGroup(g protocols.GroupID, peer protocols.Address, m *message.Welcome, encoded []byte) (o protocols.Opened, err error) {
	w, err := c.openWelcome(c.engine, peer, m, encoded, func(id []byte) bool { return c.groups[protocols.GroupID(id)] != nil })
	if err != nil {
		return o, err
	}
	if string(w.Context().GroupID) != string(g) {
		return o, fmt.Errorf("%w: Welcome to group %q", protocols.ErrAuthentication, w.Context().GroupID)
	}
	x := &group{g: w.Join()}
	c.groups[g] = x
	c.store.sync(groupPrefix(g), x.g)
	return protocols.Opened{Notice: protocols.MembersChanged | c.accept(w)}, nil
}

// openGroup opens a member's message. Who sent it is checked first, before a key is
// used up for it.
func (c *client) openGroup(now time.Time, g protocols.GroupID, peer protocols.Address, m *message.Message) (o protocols.Opened, err error) {
	x, err := c.group(g)
	if err != nil {
		return o, err
	}
	if m.Private.ContentType == message.ContentProposal {
		return o, fmt.Errorf("%w: %w: a proposal", protocols.ErrMalformed, errPayload)
	}
	at := x.g.Epoch()
	_, from, err := x.g.Sender(m)
	if err != nil {
		return o, wrapAt(err, m.Private.Epoch, at)
	}
	if string(from.Identity) != string(peer) {
		return o, fmt.Errorf("%w: message of %q", protocols.ErrAuthentication, from.Identity)
	}
	e, err := x.g.ProcessMessage(now, m)
	if err != nil {
		return o, wrapAt(err, m.Private.Epoch, at)
	}
	switch e := e.(type) {
	case *mls.Application:
		o.Plaintext = append([]byte{}, e.Data...)
	case *mls.Staged:
		if o.Notice, err = c.take(g, x, e); err != nil {
			return o, err
		}
		if x.g.Removed() {
			delete(c.groups, g)
			c.store.drop(groupPrefix(g))
			return o, nil
		}
	}
	c.store.sync(groupPrefix(g), x.g)
	return o, nil
}

// take merges a Commit of another member. A change of this client's own that waits
// can't be accepted any more.
func (c *client) take(g protocols.GroupID, x *group, s *mls.Staged) (n protocols.Notice, err error) {
	for _, p := range s.Proposals() {
		switch p.Proposal.Body.(type) {
		case *message.Add, *message.Remove:
			n = protocols.MembersChanged
		default:
			return 0, fmt.Errorf("%w: %w: a Commit of a %v proposal", protocols.ErrMalformed, errPayload, p.Proposal.Type)
		}
	}
	if err := x.g.Merge(s); err != nil {
		return 0, err
	}
	if x.pending {
		x.staged = nil
		c.putPending(g, nil)
	}
	return n, nil
}
