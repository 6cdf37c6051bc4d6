package mls

import (
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Committed is a proposal with its sender, as a Commit covers it.
type Committed struct {
	Proposal *message.Proposal
	Sender   message.Sender
	Ref      message.ProposalRef // nil if the Commit holds the proposal itself
	public   bool                // came as a PublicMessage
}

// Proposed is a list of proposals that is to be committed, for
// [Config.Authorize].
type Proposed struct {
	Group     *PublicGroup // before the Commit
	Committer message.Sender
	Joiner    *message.LeafNode // of an external Commit, nil otherwise
	Proposals []Committed
}

// cache keeps the proposals of one epoch.
type cache struct {
	byRef  map[string]int // index into order
	order  []Committed
	shares map[message.Sender]share
}

// share is what of a cache the proposals of one sender take up.
type share struct {
	count int
	bytes int // of their encodings
}

// add keeps a proposal and reports whether it is new.
func (c *cache) add(p Committed) bool {
	if c.byRef == nil {
		c.byRef, c.shares = make(map[string]int), make(map[message.Sender]share)
	}
	if _, ok := c.byRef[string(p.Ref)]; ok {
		return false
	}
	s := c.shares[p.Sender]
	c.shares[p.Sender] = share{s.count + 1, s.bytes + encodedSize(p.Proposal)}
	c.byRef[string(p.Ref)] = len(c.order)
	c.order = append(c.order, p)
	return true
}

func (c *cache) get(ref message.ProposalRef) (Committed, bool) {
	i, ok := c.byRef[string(ref)]
	if !ok {
		return Committed{}, false
	}
	return c.order[i], true
}

// encodedSize returns how many bytes a proposal takes that was read from a message or
// written to one.
func encodedSize(p *message.Proposal) int {
	b, _ := wire.Marshal(p)
	return len(b)
}

// checkRoom checks that one more proposal of its sender may wait for a Commit, unless
// it does already. No specification sets a limit: without one, whoever may propose
// fills the memory of all members for as long as no one commits.
func (g *PublicGroup) checkRoom(p *Committed) error {
	if _, known := g.cache.get(p.Ref); known {
		return nil
	}
	s := g.cache.shares[p.Sender]
	if most := g.cfg.maxProposals(); most > 0 && s.count >= most { // local-proposals-1
		return fail(CheckProposalLimit, "proposal %d of %s in epoch %d, want %d at most", s.count+1, senderName(p.Sender), g.Epoch(), most)
	}
	if most := g.cfg.maxProposalBytes(); most > 0 && encodedSize(p.Proposal) > most-s.bytes { // local-proposals-1
		return fail(CheckProposalLimit, "proposal of %d bytes after %d of %s in epoch %d, want %d at most", encodedSize(p.Proposal), s.bytes, senderName(p.Sender), g.Epoch(), most)
	}
	return nil
}

// Received is the event of a proposal that was checked and kept.
type Received struct {
	Committed
	AAD   []byte          // authenticated data
	Items message.SafeAAD // of components in it, in a group with safe_aad
	base  *snapshot
}

// receive checks a proposal and keeps it. It returns a [*Received].
func (g *PublicGroup) receive(now time.Time, c *message.AuthenticatedContent) (Event, error) {
	r, err := g.checkReceived(now, c)
	if err != nil {
		return nil, err
	}
	g.keepProposal(r.Committed)
	return r, nil
}

// checkReceived is receive without keeping.
func (g *PublicGroup) checkReceived(now time.Time, c *message.AuthenticatedContent) (*Received, error) {
	p, err := g.checkProposal(now, c)
	if err != nil {
		return nil, err
	}
	if _, known := g.cache.get(p.Ref); known {
		return nil, ErrDuplicate
	}
	if err := g.checkRoom(p); err != nil {
		return nil, err
	}
	items, err := g.now.readAAD(c.Content.AuthenticatedData)
	if err != nil {
		return nil, err
	}
	return &Received{*p, c.Content.AuthenticatedData, items, g.now}, nil
}

// CheckProposal checks a proposal as Stage does, and does not keep it: several that
// came together can be looked at before Keep takes any of them.
func (g *PublicGroup) CheckProposal(now time.Time, m *message.PublicMessage) (*Received, error) {
	if m == nil {
		return nil, wanting("a PublicMessage")
	}
	c := m.Authenticated()
	if err := g.checkFraming(c); err != nil {
		return nil, err
	}
	if c.Content.Type != message.ContentProposal {
		return nil, fail(CheckApplication, "%v in place of a proposal", c.Content.Type)
	}
	return g.checkReceived(now, c)
}

// Keep keeps a proposal that CheckProposal returned in this epoch.
func (g *PublicGroup) Keep(r *Received) error {
	if r == nil {
		return wanting("a received proposal")
	}
	if r.base != g.now {
		return ErrStale
	}
	if _, known := g.cache.get(r.Ref); known {
		return ErrDuplicate
	}
	if err := g.checkRoom(&r.Committed); err != nil { // others were kept meanwhile
		return err
	}
	g.keepProposal(r.Committed)
	return nil
}

// keepProposal keeps a proposal that was checked.
func (g *PublicGroup) keepProposal(p Committed) {
	if g.cache.add(p) {
		g.journal.touch(recordName{kind: recordProposal, number: uint64(len(g.cache.order) - 1)})
	}
}

// checkProposal checks a proposal that was sent by itself: its signature, and what
// can be said of it before a Commit covers it (Sections 12.1, 12.1.8).
func (g *PublicGroup) checkProposal(now time.Time, c *message.AuthenticatedContent) (*Committed, error) {
	key, err := g.senderKey(c)
	if err != nil {
		return nil, err
	}
	if err := c.Verify(g.cfg.Suite, key, g.now.encoded); err != nil { // 6.1-1
		return nil, fail(CheckSignature, "proposal from %s: %w", senderName(c.Content.Sender), err)
	}
	ref, err := c.Ref(g.cfg.Suite)
	if err != nil {
		return nil, fail(CheckReference, "proposal: %w", err)
	}
	p := &Committed{c.Content.Proposal, c.Content.Sender, ref, c.WireFormat == message.WirePublicMessage}
	if err := g.checkSender(p); err != nil {
		return nil, err
	}
	if p.Proposal.Type == message.ProposalExternalInit { // 12.2-9
		return nil, fail(CheckListExternalInit, "external_init from %s, sent by itself", senderName(p.Sender))
	}
	var sigs signatures
	if err := g.checkBody(now, p, g.now.needs, &sigs); err != nil {
		return nil, err
	}
	if err := sigs.verify(g.cfg.Suite); err != nil {
		return nil, err
	}
	return p, nil
}

// checkSender checks that a proposal's type may come from its sender.
func (g *PublicGroup) checkSender(p *Committed) error {
	_, selfRemove := p.Proposal.Body.(*message.SelfRemove)
	switch p.Sender.Type {
	case message.SenderExternal:
		switch p.Proposal.Body.(type) {
		case *message.Add, *message.Remove, *message.PreSharedKey, *message.ReInit,
			*message.GroupContextExtensions, *message.AppDataUpdate, *message.AppEphemeral:
		default: // 12.1.8-1
			return fail(CheckExternalType, "%v proposal from an external sender", p.Proposal.Type)
		}
	case message.SenderMember:
		if selfRemove && !p.public { // ext-self-remove-1
			return fail(CheckSelfRemove, "self_remove in a PrivateMessage")
		}
	}
	return nil
}

// checkBody checks a proposal by itself (Section 12.1). n is what the GroupContext
// asks for or is to ask for.
func (g *PublicGroup) checkBody(now time.Time, p *Committed, n *needs, sigs *signatures) error {
	at := place{now: now, groupID: g.now.context.GroupID, needs: n}
	switch b := p.Proposal.Body.(type) {
	case *message.Add:
		at.what = fmt.Sprintf("KeyPackage of the add by %s", senderName(p.Sender))
		return g.cfg.checkKeyPackage(&b.KeyPackage, at, sigs)
	case *message.Update:
		if p.Sender.Type != message.SenderMember { // 12.2-13
			return fail(CheckListUpdateSender, "update from a %v sender", p.Sender.Type)
		}
		at.index = tree.LeafIndex(p.Sender.Index)
		at.replaces = g.now.tree.Leaf(at.index)
		if at.replaces == nil { // 6-5
			return fail(CheckSenderMember, "update of leaf %d, which is blank", at.index)
		}
		at.source, at.what = message.SourceUpdate, "update of "+leafName(at.index)
		return g.cfg.checkLeaf(&b.LeafNode, at, sigs)
	case *message.Remove:
		if g.now.tree.SignatureKey(tree.LeafIndex(b.Removed)) == nil { // 12.1.3-1
			return fail(CheckRemoved, "remove of leaf %d, which is blank", b.Removed)
		}
	case *message.PreSharedKey:
		if g.succession != nil && b == g.succession.proposal {
			return nil
		}
		return checkPSK(&b.PSK, g.cfg.Suite.ID().Sizes().Hash)
	case *message.ReInit:
		if b.Version < message.MLS10 { // 12.1.5-1
			return fail(CheckReInitVersion, "reinit to version %d, the group has %d", b.Version, message.MLS10)
		}
		return checkExtensionList("reinit", b.Extensions)
	case *message.GroupContextExtensions:
		return g.cfg.checkNewContext(now, g.now.context.GroupID, b.Extensions)
	case *message.AppDataUpdate:
		if _, ok := g.cfg.Components[b.Component]; !ok { // ext-app-data-1
			return fail(CheckAppDataUnknown, "app_data_update for component %d, which is not known", b.Component)
		}
	case *message.AppEphemeral:
		if _, ok := g.cfg.Components[b.Component]; !ok { // ext-app-ephemeral-1
			return fail(CheckAppEphemeral, "app_ephemeral for component %d, which is not known", b.Component)
		}
	}
	return nil
}

// checkPSK checks the identifier in a PreSharedKey proposal (Section 12.1.4).
func checkPSK(id *message.PreSharedKeyID, hash int) error {
	if len(id.Nonce) != hash { // 8.4-1
		return fail(CheckPSKNonce, "psk_nonce of %d bytes, want %d", len(id.Nonce), hash)
	}
	if id.Type == message.PSKResumption {
		switch id.Usage {
		case message.ResumptionReInit: // 12.1.4-1
			return fail(CheckPSKReInit, "resumption PSK with usage reinit in a proposal")
		case message.ResumptionBranch: // 12.1.4-2
			return fail(CheckPSKBranch, "resumption PSK with usage branch in a proposal")
		}
	}
	return nil
}

// pskKey names a PreSharedKeyID. The nonce is a part of it (Section 8.4): one key that
// two members propose, each with its own nonce, is not twice in a Commit.
func pskKey(id *message.PreSharedKeyID) string {
	b, _ := wire.Marshal(id) // it was read from a message, or one that holds it fails
	return string(b)
}

// pskName names a pre-shared key for errors.
func pskName(id *message.PreSharedKeyID) string {
	switch id.Type {
	case message.PSKResumption:
		return fmt.Sprintf("%v of epoch %d of group %x for %v", id.Type, id.Epoch, id.GroupID, id.Usage)
	case message.PSKApplication:
		return fmt.Sprintf("%v %x of component %d", id.Type, id.ID, id.Component)
	}
	return fmt.Sprintf("%v %x", id.Type, id.ID)
}

// senderName names a sender for errors.
func senderName(s message.Sender) string {
	switch s.Type {
	case message.SenderMember:
		return leafName(tree.LeafIndex(s.Index))
	case message.SenderExternal:
		return fmt.Sprintf("external sender %d", s.Index)
	}
	return "a " + s.Type.String() + " sender"
}

// CheckTogether checks that proposals which were received can be committed together,
// by someone whom none of them concerns and who needs no path. A hub that requires
// its clients to commit what it accepted must accept nothing that stands in the way
// of the rest.
func (g *PublicGroup) CheckTogether(now time.Time, proposals []Committed) error {
	var sigs signatures // those of proposals with a reference were verified
	l, err := g.sort(now, proposals, message.Sender{Type: message.SenderExternal}, &sigs)
	if err != nil {
		return err
	}
	_, _, err = g.apply(l)
	return err
}
