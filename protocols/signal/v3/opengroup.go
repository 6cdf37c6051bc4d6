//go:build !nogpl

package v3

import (
	"fmt"
	"slices"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/groups/ratchet"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
)

// OpenGroup takes what a member sent within a group: a SenderKeyMessage, or in
// the pairwise session a distribution or a change. A change takes effect at
// once; that it was accepted is the sender's and the server's matter.
func (c *client) OpenGroup(_ time.Time, g protocols.GroupID, peer protocols.Address, s protocols.Sealed) (o protocols.Opened, err error) {
	defer func() {
		if err != nil {
			o, err = protocols.Opened{}, fmt.Errorf("signal-v3: open in group %s from %s: %w", g, peer, err)
		}
	}()
	defer guard(&err)
	defer c.lock(groupKey(g))()
	defer c.lock(sessionKey(peer))()
	b := c.store.begin()
	if s.Type == typeSenderKey {
		o, err = c.openSenderKey(b, g, peer, s)
	} else {
		o, err = c.openGroupMessage(b, g, peer, s)
	}
	if err != nil {
		return o, err
	}
	if !b.commit() {
		return o, protocols.ErrKeyUnknown // another session took the one-time prekey
	}
	return o, nil
}

func (c *client) openSenderKey(b *batch, g protocols.GroupID, peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	if s.Version != wireVersion {
		return protocols.Opened{}, fmt.Errorf("%w: %w: %d", protocols.ErrMalformed, errVersion, s.Version)
	}
	m, err := c.layout.ParseSenderKeyMessage(s.Payload)
	if err != nil {
		return protocols.Opened{}, wrap(protocols.ErrMalformed, err)
	}
	r, err := c.roster(b, g)
	if err != nil {
		return protocols.Opened{}, err
	}
	if !r.has(peer) {
		return protocols.Opened{}, wrap(protocols.ErrNoSession, errNotMember)
	}
	keys, err := decodeSenderKeys(b.get(senderRecord(g, peer)))
	if err != nil {
		return protocols.Opened{}, wrap(protocols.ErrState, err)
	}
	for _, k := range keys {
		if k.chainID == m.ChainID && k.distributionID == m.DistributionID {
			plaintext, err := k.decrypt(&m, s.Payload)
			if err != nil {
				return protocols.Opened{}, err
			}
			b.put(senderRecord(g, peer), encodeSenderKeys(keys))
			return protocols.Opened{Plaintext: plaintext}, nil
		}
	}
	return protocols.Opened{}, fmt.Errorf("%w: no sender key %d", protocols.ErrNoSession, m.ChainID)
}

func (c *client) openGroupMessage(b *batch, g protocols.GroupID, peer protocols.Address, s protocols.Sealed) (protocols.Opened, error) {
	o, err := c.open(b, peer, s)
	if err != nil {
		return o, err
	}
	m, err := signal.ParseGroupMessage(o.Plaintext)
	if err != nil {
		return o, wrap(protocols.ErrMalformed, err)
	}
	if string(m.GroupID) != string(g) {
		return o, wrap(protocols.ErrAuthentication, errOtherGroup)
	}
	o.Plaintext = nil
	if m.Change != nil {
		o.Notice |= protocols.MembersChanged
		return o, c.receiveChange(b, g, peer, m.Change)
	}
	return o, c.receiveDistribution(b, g, peer, m.Distribution)
}

// receiveChange applies a change that a member made, or makes the group if the
// change adds this client to it.
func (c *client) receiveChange(b *batch, g protocols.GroupID, peer protocols.Address, change *signal.GroupChange) error {
	for _, list := range [...][]string{change.Add, change.Members} {
		for _, a := range list {
			if len(a) > maxAddressSize {
				return fmt.Errorf("%w: address of %d bytes", protocols.ErrMalformed, len(a))
			}
		}
	}
	if b.get(groupKey(g)) != nil {
		r, err := c.roster(b, g)
		if err != nil {
			return err
		}
		if !r.has(peer) {
			return wrap(protocols.ErrAuthentication, errNotMember)
		}
		if r.hosted {
			return wrap(protocols.ErrAuthentication, errHosted)
		}
		if len(r.members)+len(change.Add) >= maxMembers {
			return fmt.Errorf("%w: more than %d members", protocols.ErrMalformed, maxMembers)
		}
		c.merge(b, g, r, change)
		return nil
	}
	if !slices.Contains(change.Members, string(c.address)) {
		return protocols.ErrNoSession
	}
	if len(change.Members) > maxMembers || !slices.Contains(change.Members, string(peer)) {
		return fmt.Errorf("%w: list of %d members", protocols.ErrMalformed, len(change.Members))
	}
	var r roster
	for _, a := range change.Members {
		if protocols.Address(a) != c.address {
			r.add(protocols.Address(a))
		}
	}
	b.put(groupKey(g), r.encode(g))
	return nil
}

// receiveDistribution keeps a member's sender key, in front of its earlier ones.
// One that is known already keeps its position, for to go back would open the
// messages since once more; but it goes forward where deriving would not reach.
func (c *client) receiveDistribution(b *batch, g protocols.GroupID, peer protocols.Address, encoded []byte) error {
	d, err := c.layout.ParseDistribution(encoded)
	if err != nil {
		return wrap(protocols.ErrMalformed, err)
	}
	r, err := c.roster(b, g)
	if err != nil {
		return err
	}
	if !r.has(peer) {
		return wrap(protocols.ErrNoSession, errNotMember)
	}
	keys, err := decodeSenderKeys(b.get(senderRecord(g, peer)))
	if err != nil {
		return wrap(protocols.ErrState, err)
	}
	for i, k := range keys {
		if k.chainID == d.ChainID && k.distributionID == d.DistributionID {
			if public(k.signing) == d.SigningKey {
				if d.Iteration > k.chain.Iteration() && d.Iteration-k.chain.Iteration() > maxAhead {
					k.chain = ratchet.NewSenderChainKey(d.Iteration, d.ChainKey[:])
					b.put(senderRecord(g, peer), encodeSenderKeys(keys))
				}
				return nil
			}
			keys = slices.Delete(keys, i, i+1)
			break
		}
	}
	keys = slices.Insert(keys, 0, &senderKey{
		distributionID: d.DistributionID,
		chainID:        d.ChainID,
		chain:          ratchet.NewSenderChainKey(d.Iteration, d.ChainKey[:]),
		signing:        ecc.NewECKeyPair(ecc.NewDjbECPublicKey(d.SigningKey), nil),
	})
	b.put(senderRecord(g, peer), encodeSenderKeys(keys[:min(len(keys), maxSenderKeys)]))
	return nil
}
