//go:build !nogpl

package v3

import (
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// Groups whose members a server names, as WhatsApp's are: what a change among members
// does elsewhere, the server's list does here.

// SetMembers implements [protocols.HostedGroupClient].
func (c *client) SetMembers(g protocols.GroupID, members []protocols.Address) error {
	defer c.lock(groupKey(g))()
	b := c.store.begin()
	if err := c.setMembers(b, g, members); err != nil {
		return fmt.Errorf("signal-v3: members of hosted group %s: %w", g, err)
	}
	b.commit()
	return nil
}

func (c *client) setMembers(b *batch, g protocols.GroupID, members []protocols.Address) error {
	r := &roster{hosted: true}
	now := []protocols.Address{}
	if b.get(groupKey(g)) != nil {
		var err error
		if r, err = c.roster(b, g); err != nil {
			return err
		}
		now = r.addresses(c.address)
	}
	switch {
	case !r.hosted:
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
		c.merge(b, g, r, change)
	}
	return nil
}

// Distribute implements [protocols.HostedGroupClient].
func (c *client) Distribute(g protocols.GroupID, peer protocols.Address) (out protocols.Envelope, err error) {
	defer func() {
		if err != nil {
			out, err = protocols.Envelope{}, fmt.Errorf("signal-v3: distribute in group %s to %s: %w", g, peer, err)
		}
	}()
	defer guard(&err)
	defer c.lock(groupKey(g))()
	b := c.store.begin()
	r, err := c.roster(b, g)
	if err != nil {
		return out, err
	}
	i, ok := r.find(peer)
	if !ok {
		return out, fmt.Errorf("%w: no member", errChange)
	}
	key, err := c.ownSenderKey(b, g)
	if err != nil {
		return out, err
	}
	defer c.lockSessions([]protocols.Address{peer})()
	content := signal.GroupMessage{GroupID: []byte(g), Distribution: key.distribution(c.layout)}
	sealed, err := c.sealEach(b, g, []protocols.Address{peer}, func(protocols.Address) []byte { return content.Append(nil) })
	if err != nil {
		return out, err
	}
	r.members[i].holds = currentBase(b.get(sessionKey(peer)))
	b.put(groupKey(g), r.encode(g))
	b.put(ownKey(g), encodeSenderKeys([]*senderKey{key}))
	b.commit()
	return sealed[0], nil
}

// Redistribute implements [protocols.HostedGroupClient].
func (c *client) Redistribute(g protocols.GroupID, peers []protocols.Address) error {
	defer c.lock(groupKey(g))()
	b := c.store.begin()
	r, err := c.roster(b, g)
	if err != nil {
		return fmt.Errorf("signal-v3: redistribute in group %s: %w", g, err)
	}
	for _, a := range peers {
		if i, ok := r.find(a); ok {
			r.members[i].holds = [32]byte{}
		}
	}
	b.put(groupKey(g), r.encode(g))
	b.commit()
	return nil
}
