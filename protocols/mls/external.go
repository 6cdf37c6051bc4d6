package mls

import (
	"bytes"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ExternalOptions say how one joins by an external Commit.
type ExternalOptions struct {
	RatchetTree []byte         // if the GroupInfo does not hold it
	Tree        *tree.Tree     // the same, as another member of the process has it
	Resync      bool           // removes the leaf at Old, an earlier one of this client
	Old         tree.LeafIndex // with Resync
	PSKs        []message.PreSharedKeyID
	// Proposals are others that the Commit holds: AppDataUpdate and AppEphemeral
	// (draft-ietf-mls-extensions-10).
	Proposals   []message.Proposal
	SelfRemoves []*message.PublicMessage // pending ones, to be committed along
	Leaf        LeafOptions
	AAD         []byte
	Items       message.SafeAAD // as in [SendOptions]
	GroupInfo   bool            // asks for a GroupInfo of the epoch that it begins
	Info        GroupInfoOptions
}

// ExternalCommit is a Commit by which a client joins a group. Its Message is for the
// group; Join is for when it is known to be accepted.
type ExternalCommit struct {
	Pending
	cfg *Config
}

// Join returns the group at the epoch that the Commit begins. It is for once: the group
// overwrites the secrets that it gets.
func (e *ExternalCommit) Join() *Group {
	g := newGroup(e.cfg, e.stage.next)
	g.cfg.Shared.keepEpoch(g.now)
	g.enter(e.secrets)
	return g
}

// JoinExternal makes an external Commit (RFC 9420, Section 12.4.3.2).
func JoinExternal(cfg *Config, now time.Time, id *Identity, info *message.GroupInfo, o ExternalOptions) (*ExternalCommit, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if id == nil {
		return nil, wanting("an identity")
	}
	if info == nil {
		return nil, wanting("a GroupInfo")
	}
	s := cfg.Suite
	data, ok := info.Extensions.Find(message.ExtensionExternalPub)
	if !ok { // 12.4.3.2-3
		return nil, fail(CheckExternalPub, "GroupInfo has no external_pub")
	}
	var pub message.ExternalPub
	if err := wire.Unmarshal(data, &pub); err != nil {
		return nil, fail(CheckExternalPub, "external_pub: %w", err)
	}
	snap, err := cfg.verifyGroupInfo(now, info, treeSource{Bytes: o.RatchetTree, Tree: o.Tree})
	if err != nil {
		return nil, err
	}
	g := &PublicGroup{cfg: cfg, now: snap}
	kem, initSecret, err := schedule.ExternalInitSend(s, pub.PublicKey)
	if err != nil {
		return nil, fail(CheckExternalPub, "external_pub: %w", err)
	}
	all, err := g.externalList(now, kem, o)
	if err != nil {
		return nil, err
	}
	leaf, err := cfg.leaf(id, nil, &o.Leaf)
	if err != nil {
		return nil, err
	}
	a := &author{
		sender: message.Sender{Type: message.SenderNewMemberCommit}, leaf: leaf,
		signer: id.Signer.Private, leafSigner: id.Signer.Private, initSecret: initSecret,
		psk:    func(ids []message.PreSharedKeyID) ([]byte, error) { return cfg.pskSecret(ids, noPSK) },
		format: message.WirePublicMessage,
	}
	aad, err := g.frameAAD(o.AAD, o.Items)
	if err != nil {
		return nil, err
	}
	p, c, err := g.build(now, a, all, CommitOptions{AAD: aad, GroupInfo: o.GroupInfo, Info: o.Info, Path: true})
	if err != nil {
		return nil, err
	}
	public, err := c.Public(s, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("mls: commit: %w", err)
	}
	p.Message, err = wire.Marshal(&message.Message{Public: public})
	return &ExternalCommit{*p, cfg}, err
}

// noPSK knows no pre-shared keys.
func noPSK(*message.PreSharedKeyID) ([]byte, bool) { return nil, false }

// externalList returns the proposals of an external Commit.
func (g *PublicGroup) externalList(now time.Time, kem []byte, o ExternalOptions) ([]Committed, error) {
	sender := message.Sender{Type: message.SenderNewMemberCommit}
	var all []Committed
	for _, m := range o.SelfRemoves {
		if m == nil {
			return nil, wanting("a PublicMessage of each SelfRemove")
		}
		c := m.Authenticated()
		if err := g.checkFraming(c); err != nil {
			return nil, err
		}
		p, err := g.checkProposal(now, c)
		if err != nil {
			return nil, err
		}
		if _, self := p.Proposal.Body.(*message.SelfRemove); !self { // 12.4.3.2-2
			return nil, fail(CheckExternalByValue, "external commit of a %v proposal that was sent before", p.Proposal.Type)
		}
		all = append(all, *p)
	}
	add := func(t message.ProposalType, b message.Body) {
		all = append(all, Committed{Proposal: &message.Proposal{Type: t, Body: b}, Sender: sender, public: true})
	}
	add(message.ProposalExternalInit, &message.ExternalInit{KEMOutput: kem})
	if o.Resync {
		add(message.ProposalRemove, &message.Remove{Removed: uint32(o.Old)})
	}
	for _, id := range o.PSKs {
		p, err := g.cfg.PSKProposal(id)
		if err != nil {
			return nil, err
		}
		add(p.Type, p.Body)
	}
	for _, p := range o.Proposals {
		add(p.Type, p.Body)
	}
	return all, nil
}

// NewMemberProposal returns a message by which a client asks a group to add it
// (Section 12.1.8). It has no authenticated data, which a group with safe_aad refuses:
// see [PublicGroup.ProposeJoin].
func (c *Config) NewMemberProposal(groupID []byte, epoch uint64, k *KeyPackage) ([]byte, error) {
	p := AddProposal(k.Public)
	return c.outside(groupID, epoch, message.Sender{Type: message.SenderNewMemberProposal}, &p, k.Signer.Private)
}

// ExternalProposal returns a proposal of external sender index (Section 12.1.8.1). It
// has no authenticated data, which a group with safe_aad refuses: see
// [PublicGroup.ProposeExternal].
func (c *Config) ExternalProposal(groupID []byte, epoch uint64, index uint32, id *Identity, p message.Proposal) ([]byte, error) {
	return c.outside(groupID, epoch, message.Sender{Type: message.SenderExternal, Index: index}, &p, id.Signer.Private)
}

// outside makes a proposal of one who is no member, without authenticated data.
func (c *Config) outside(groupID []byte, epoch uint64, sender message.Sender, p *message.Proposal, signer suite.PrivateKey) ([]byte, error) {
	a, err := c.signOutside(groupID, epoch, sender, p, nil, signer)
	if err != nil {
		return nil, err
	}
	return c.public(a)
}

// ProposeJoin returns a message by which a client asks the group, which it knows from
// a GroupInfo, to add it (Section 12.1.8).
func (g *PublicGroup) ProposeJoin(now time.Time, k *KeyPackage, o SendOptions) ([]byte, error) {
	sender := message.Sender{Type: message.SenderNewMemberProposal}
	return g.proposeOutside(now, sender, AddProposal(k.Public), k.Signer.Private, o)
}

// ProposeExternal returns a proposal of an identity that is among the group's
// external_senders (Section 12.1.8.1), such as a hub, and keeps it as if it had been
// received.
func (g *PublicGroup) ProposeExternal(now time.Time, id *Identity, p message.Proposal, o SendOptions) ([]byte, error) {
	sender, err := g.senderOf(id)
	if err != nil {
		return nil, err
	}
	return g.proposeOutside(now, sender, p, id.Signer.Private, o)
}

// FrameExternal returns the message of ProposeExternal, and neither checks nor keeps it:
// for who checks several together first, by [PublicGroup.CheckProposal].
func (g *PublicGroup) FrameExternal(id *Identity, p message.Proposal, o SendOptions) (*message.PublicMessage, error) {
	sender, err := g.senderOf(id)
	if err != nil {
		return nil, err
	}
	aad, err := g.frameAAD(o.AAD, o.Items)
	if err != nil {
		return nil, err
	}
	a, err := g.cfg.signOutside(g.GroupID(), g.Epoch(), sender, &p, aad, id.Signer.Private)
	if err != nil {
		return nil, err
	}
	return a.Public(g.cfg.Suite, nil, nil)
}

// senderOf returns an identity as one of the group's external_senders. Another may
// have its key with another name.
func (g *PublicGroup) senderOf(id *Identity) (message.Sender, error) {
	senders, err := externalSenders(g.now.context.Extensions)
	if err != nil {
		return message.Sender{}, err
	}
	want, err := wire.Marshal(&message.ExternalSender{SignatureKey: id.Signer.Public, Credential: id.Credential})
	if err != nil {
		return message.Sender{}, err
	}
	for i := range senders {
		if b, err := wire.Marshal(&senders[i]); err == nil && bytes.Equal(b, want) {
			return message.Sender{Type: message.SenderExternal, Index: uint32(i)}, nil
		}
	}
	// 12.1.8-2
	return message.Sender{}, fail(CheckExternalSender, "none of %d external_senders has the identity's signature key and credential", len(senders))
}

// proposeOutside sends a proposal of one who is no member.
func (g *PublicGroup) proposeOutside(now time.Time, sender message.Sender, p message.Proposal, signer suite.PrivateKey, o SendOptions) ([]byte, error) {
	aad, err := g.frameAAD(o.AAD, o.Items)
	if err != nil {
		return nil, err
	}
	a, err := g.cfg.signOutside(g.GroupID(), g.Epoch(), sender, &p, aad, signer)
	if err != nil {
		return nil, err
	}
	if err := g.checkFraming(a); err != nil {
		return nil, err
	}
	known, err := g.checkProposal(now, a)
	if err != nil {
		return nil, err
	}
	if err := g.checkRoom(known); err != nil {
		return nil, err
	}
	b, err := g.cfg.public(a)
	if err != nil {
		return nil, err
	}
	g.keepProposal(*known)
	return b, nil
}

// signOutside frames and signs a proposal of one who is no member.
func (c *Config) signOutside(groupID []byte, epoch uint64, sender message.Sender, p *message.Proposal, aad []byte, signer suite.PrivateKey) (*message.AuthenticatedContent, error) {
	a := &message.AuthenticatedContent{WireFormat: message.WirePublicMessage, Content: message.FramedContent{
		GroupID: groupID, Epoch: epoch, Sender: sender, AuthenticatedData: aad,
		Content: message.Content{Type: message.ContentProposal, Proposal: p},
	}}
	if err := a.Sign(c.Suite, signer, nil); err != nil {
		return nil, fmt.Errorf("mls: proposal: %w", err)
	}
	return a, nil
}

// public returns a message of one who is no member.
func (c *Config) public(a *message.AuthenticatedContent) ([]byte, error) {
	m, err := a.Public(c.Suite, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("mls: proposal: %w", err)
	}
	return wire.Marshal(&message.Message{Public: m})
}
