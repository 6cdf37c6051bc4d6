package sized

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

var (
	errHosted    = errors.New("who is in a hosted group its server says")
	errNotHosted = errors.New("the group is not hosted")
)

// SetMembers implements [protocols.HostedGroupClient].
func (c *client) SetMembers(id protocols.GroupID, members []protocols.Address) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.setMembers(id, members); err != nil {
		return fmt.Errorf(Name+": members of hosted group %s: %w", id, err)
	}
	return nil
}

func (c *client) setMembers(id protocols.GroupID, members []protocols.Address) error {
	g, now := c.groups[id], []protocols.Address{}
	if g == nil {
		g = &group{hosted: true}
	} else {
		now = g.addresses(c.address)
	}
	switch {
	case !g.hosted:
		return errNotHosted
	case len(members) > maxMembers:
		return fmt.Errorf("%w: %d members, want at most %d", errChange, len(members), maxMembers)
	}
	change, err := signal.ChangeTo(c.address, now, members)
	if err != nil {
		return err
	}
	same := len(now) > 0 && len(change.Add)+len(change.Remove) == 0
	if !same && (len(now) > 0 || slices.Contains(members, c.address)) {
		c.merge(id, g, change)
	}
	return nil
}

// Distribute implements [protocols.HostedGroupClient].
func (c *client) Distribute(id protocols.GroupID, peer protocols.Address) (protocols.Envelope, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := c.distribute(id, peer)
	if err != nil {
		return out, fmt.Errorf(Name+": distribute in group %s to %s: %w", id, peer, err)
	}
	return out, nil
}

func (c *client) distribute(id protocols.GroupID, peer protocols.Address) (out protocols.Envelope, err error) {
	g := c.groups[id]
	if g == nil {
		return out, protocols.ErrNoSession
	}
	i, ok := g.find(peer)
	if !ok {
		return out, fmt.Errorf("%w: no member", errChange)
	}
	s := c.sessions.with(peer)
	if s == nil {
		return out, &protocols.MissingSessionsError{Peers: []protocols.Address{peer}}
	}
	if g.own == nil {
		g.own = newSenderKey(c)
	}
	content := signal.GroupMessage{GroupID: []byte(id), Distribution: g.own.distribution(c.layout)}
	out = c.sealTo(id, peer, content.Append(nil))
	g.members[i].holds = s.current.base
	c.touchGroup(id)
	return out, nil
}

// Redistribute implements [protocols.HostedGroupClient].
func (c *client) Redistribute(id protocols.GroupID, peers []protocols.Address) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[id]
	if g == nil {
		return fmt.Errorf(Name+": redistribute in group %s: %w", id, protocols.ErrNoSession)
	}
	for _, a := range peers {
		if i, ok := g.find(a); ok {
			g.members[i].holds = 0
		}
	}
	c.touchGroup(id)
	return nil
}
