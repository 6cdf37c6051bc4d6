package mls

import (
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// AddProposal returns a proposal to add a client.
func AddProposal(k message.KeyPackage) message.Proposal {
	return message.Proposal{Type: message.ProposalAdd, Body: &message.Add{KeyPackage: k}}
}

// RemoveProposal returns a proposal to remove a member.
func RemoveProposal(leaf tree.LeafIndex) message.Proposal {
	return message.Proposal{Type: message.ProposalRemove, Body: &message.Remove{Removed: uint32(leaf)}}
}

// ExtensionsProposal returns a proposal to replace the GroupContext's extensions,
// all of them.
func ExtensionsProposal(list message.Extensions) message.Proposal {
	return message.Proposal{Type: message.ProposalGroupContextExtensions, Body: &message.GroupContextExtensions{Extensions: list}}
}

// ReInitProposal returns a proposal to end the group in favour of another.
func ReInitProposal(groupID []byte, id suite.ID, extensions message.Extensions) message.Proposal {
	return message.Proposal{Type: message.ProposalReInit, Body: &message.ReInit{
		GroupID: groupID, Version: message.MLS10, Suite: id, Extensions: extensions,
	}}
}

// SelfRemoveProposal returns a proposal of its sender to leave.
func (c *Config) SelfRemoveProposal() message.Proposal {
	return message.Proposal{Type: c.points().SelfRemove, Body: &message.SelfRemove{}}
}

// AppDataProposal returns a proposal to update a component's data.
func (c *Config) AppDataProposal(id message.ComponentID, data []byte) message.Proposal {
	return message.Proposal{Type: c.points().AppDataUpdate, Body: &message.AppDataUpdate{Component: id, Op: message.AppDataSet, Update: data}}
}

// AppDataRemoveProposal returns a proposal to remove a component's data.
func (c *Config) AppDataRemoveProposal(id message.ComponentID) message.Proposal {
	return message.Proposal{Type: c.points().AppDataUpdate, Body: &message.AppDataUpdate{Component: id, Op: message.AppDataRemove}}
}

// PSKProposal returns a proposal to inject a pre-shared key, with a fresh nonce.
func (c *Config) PSKProposal(id message.PreSharedKeyID) (message.Proposal, error) {
	id.Nonce = make([]byte, c.Suite.ID().Sizes().Hash)
	if _, err := c.Suite.Rand().Read(id.Nonce); err != nil {
		return message.Proposal{}, fmt.Errorf("mls: psk_nonce: %w", err)
	}
	return message.Proposal{Type: message.ProposalPSK, Body: &message.PreSharedKey{PSK: id}}, nil
}

// SendOptions say how a message is sent.
type SendOptions struct {
	AAD []byte // authenticated data, as it is
	// Items are what components say in the authenticated data of a group with
	// safe_aad, in any order, instead of AAD. With neither there are none.
	Items message.SafeAAD
}

// Propose sends a proposal: it returns the message, and keeps the proposal for the
// next Commit. For Updates see [Group.ProposeUpdate].
func (g *Group) Propose(now time.Time, p message.Proposal, o SendOptions) ([]byte, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	aad, err := g.frameAAD(o.AAD, o.Items)
	if err != nil {
		return nil, err
	}
	c := g.authenticated(message.Content{Type: message.ContentProposal, Proposal: &p}, aad)
	if _, self := p.Body.(*message.SelfRemove); self {
		c.WireFormat = message.WirePublicMessage // draft-ietf-mls-extensions-10, SelfRemove
		for _, known := range g.cache.order {
			if _, self := known.Proposal.Body.(*message.SelfRemove); self && known.Sender == c.Content.Sender { // ext-self-remove-2
				return nil, fail(CheckSelfRemoveTwice, "second self_remove of this member in epoch %d", g.Epoch())
			}
		}
	}
	if err := c.Sign(g.cfg.Suite, g.signer, g.now.encoded); err != nil {
		return nil, fmt.Errorf("mls: proposal: %w", err)
	}
	known, err := g.checkProposal(now, c)
	if err != nil {
		return nil, err
	}
	if err := g.checkRoom(known); err != nil {
		return nil, err
	}
	b, err := g.protect(c)
	if err != nil {
		return nil, err
	}
	g.keepProposal(*known)
	return b, nil
}

// ProposeUpdate sends an Update of this member's own leaf, with a fresh key and
// what o says.
func (g *Group) ProposeUpdate(now time.Time, o LeafChange, send SendOptions) ([]byte, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	pair, err := g.cfg.Suite.GenerateKeyPair()
	if err != nil {
		return nil, fmt.Errorf("mls: encryption key: %w", err)
	}
	leaf, signer, err := g.changedLeaf(o)
	if err != nil {
		return nil, err
	}
	leaf.EncryptionKey, leaf.Source = pair.Public, message.SourceUpdate
	if err := leaf.Sign(g.cfg.Suite, signer, g.GroupID(), uint32(g.own)); err != nil {
		return nil, fmt.Errorf("mls: leaf: %w", err)
	}
	b, err := g.Propose(now, message.Proposal{Type: message.ProposalUpdate, Body: &message.Update{LeafNode: *leaf}}, send)
	if err == nil {
		g.journal.touch(recordName{kind: recordUpdate, number: uint64(len(g.updates))})
		g.updates = append(g.updates, pendingUpdate{pair, signer})
	}
	return b, err
}

// LeafChange says what of a member's leaf is to change besides its key. The zero
// value changes nothing.
type LeafChange struct {
	Identity     *Identity
	Capabilities *message.Capabilities
	// Extensions are all that the leaf is to have, but for what the configuration
	// says of components.
	Extensions message.Extensions
}

// changedLeaf returns the own leaf with changes, without keys, and the key to sign
// it with.
func (g *Group) changedLeaf(o LeafChange) (*message.LeafNode, suite.PrivateKey, error) {
	old := g.now.tree.Leaf(g.own)
	leaf, signer := *old, g.signer
	leaf.Lifetime, leaf.ParentHash, leaf.Signature = message.Lifetime{}, nil, nil
	if o.Identity != nil {
		leaf.Credential, leaf.SignatureKey, signer = o.Identity.Credential, o.Identity.Signer.Public, o.Identity.Signer.Private
	}
	if o.Capabilities != nil {
		leaf.Capabilities = *o.Capabilities
	}
	if o.Extensions != nil {
		leaf.Extensions = o.Extensions
	}
	if o.Capabilities == nil && o.Extensions == nil {
		return &leaf, signer, nil
	}
	if t := g.cfg.points().AppDataDictionary; o.Extensions == nil && !leaf.Capabilities.SupportsExtension(t) {
		leaf.Extensions = leaf.Extensions.Without(t)
	}
	return &leaf, signer, g.cfg.addComponents(&leaf, 0)
}

// authenticated frames content of this member, unsigned.
func (g *Group) authenticated(c message.Content, aad []byte) *message.AuthenticatedContent {
	format := message.WirePrivateMessage
	if g.cfg.PublicHandshake && c.Type != message.ContentApplication {
		format = message.WirePublicMessage
	}
	return &message.AuthenticatedContent{WireFormat: format, Content: message.FramedContent{
		GroupID: g.GroupID(), Epoch: g.Epoch(), Sender: message.Member(uint32(g.own)), AuthenticatedData: aad, Content: c,
	}}
}

// protect turns signed content into a message (Sections 6.2, 6.3).
func (g *Group) protect(c *message.AuthenticatedContent) ([]byte, error) {
	var m message.Message
	var err error
	if c.WireFormat == message.WirePublicMessage {
		m.Public, err = c.Public(g.cfg.Suite, g.epoch.Membership, g.now.encoded)
	} else {
		padding := 0
		if g.cfg.Padding != nil {
			padding = g.cfg.Padding(len(c.Content.Application))
		}
		g.journal.touchKey(g.Epoch(), g.keys, uint32(g.own))
		m.Private, err = schedule.Protect(g.cfg.Suite, g.keys, g.epoch.SenderData, c, padding)
	}
	if err != nil {
		return nil, fmt.Errorf("mls: %v: %w", c.Content.Type, err)
	}
	return wire.Append(make([]byte, 0, room(&m)), &m)
}

// room is enough for a PrivateMessage.
func room(m *message.Message) int {
	p := m.Private
	if p == nil {
		return 0
	}
	return len(p.GroupID) + len(p.AuthenticatedData) + len(p.EncryptedSenderData) + len(p.Ciphertext) + 32
}

// Protect encrypts application data to the group (Section 15). Proposals that wait
// for a Commit come first: until then it returns [ErrProposalsPending]. Where the
// group frames application data, it is as [PublicGroup.Frame] has it.
func (g *Group) Protect(data []byte, o SendOptions) ([]byte, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	if len(g.cache.order) > 0 {
		return nil, ErrProposalsPending
	}
	aad, err := g.frameAAD(o.AAD, o.Items)
	if err != nil {
		return nil, err
	}
	if _, _, err := g.now.unframe(data); err != nil {
		return nil, err
	}
	c := g.authenticated(message.Content{Type: message.ContentApplication, Application: data}, aad)
	if err := c.Sign(g.cfg.Suite, g.signer, g.now.encoded); err != nil {
		return nil, fmt.Errorf("mls: application data: %w", err)
	}
	return g.protect(c)
}
