package conformance

import (
	"errors"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// protectionCase is one of message-protection.json.
type protectionCase struct {
	suited
	GroupID                 octets `json:"group_id"`
	Epoch                   uint64 `json:"epoch"`
	TreeHash                octets `json:"tree_hash"`
	ConfirmedTranscriptHash octets `json:"confirmed_transcript_hash"`

	SignaturePriv octets `json:"signature_priv"`
	SignaturePub  octets `json:"signature_pub"`

	EncryptionSecret octets `json:"encryption_secret"`
	SenderDataSecret octets `json:"sender_data_secret"`
	MembershipKey    octets `json:"membership_key"`

	Proposal        octets `json:"proposal"`
	ProposalPub     octets `json:"proposal_pub"`
	ProposalPriv    octets `json:"proposal_priv"`
	Commit          octets `json:"commit"`
	CommitPub       octets `json:"commit_pub"`
	CommitPriv      octets `json:"commit_priv"`
	Application     octets `json:"application"`
	ApplicationPriv octets `json:"application_priv"`
}

// protector is one member of the group of a case, its sender and its receivers
// alike.
type protector struct {
	*checker
	s       suite.Suite
	v       *protectionCase
	context []byte
}

// protectionSender is the leaf that all messages of the file are from, of two.
const protectionSender, protectionLeaves = 1, 2

func checkProtection(c *checker, s suite.Suite, v *protectionCase) {
	if !c.secret("encryption_secret", s, v.EncryptionSecret) || !c.secret("sender_data_secret", s, v.SenderDataSecret) {
		return
	}
	context, ok := c.write("GroupContext", &message.GroupContext{
		Suite: v.Suite, GroupID: v.GroupID, Epoch: v.Epoch,
		TreeHash: v.TreeHash, ConfirmedTranscriptHash: v.ConfirmedTranscriptHash,
	})
	if !ok {
		return
	}
	p := &protector{c, s, v, context}
	p.unprotectPublic("proposal_pub", v.ProposalPub, v.Proposal)
	p.unprotectPrivate("proposal_priv", v.ProposalPriv, v.Proposal)
	p.unprotectPublic("commit_pub", v.CommitPub, v.Commit)
	p.unprotectPrivate("commit_priv", v.CommitPriv, v.Commit)
	p.unprotectPrivate("application_priv", v.ApplicationPriv, v.Application)

	var proposal message.Proposal
	if c.read("proposal", v.Proposal, &proposal) {
		content := message.Content{Type: message.ContentProposal, Proposal: &proposal}
		p.protectPublic("proposal", content, v.Proposal)
		p.protectPrivate("proposal", content, v.Proposal)
	}
	var commit message.Commit
	if c.read("commit", v.Commit, &commit) {
		content := message.Content{Type: message.ContentCommit, Commit: &commit}
		p.protectPublic("commit", content, v.Commit)
		p.protectPrivate("commit", content, v.Commit)
	}
	content := message.Content{Type: message.ContentApplication, Application: v.Application}
	p.refusePublic("application", content)
	p.protectPrivate("application", content, v.Application)
}

// tree returns the secret tree as it is before the first message.
func (p *protector) tree() *schedule.SecretTree {
	return schedule.NewSecretTree(p.s, p.v.EncryptionSecret, protectionLeaves, schedule.Limits{})
}

func (p *protector) unprotectPublic(what string, b, raw []byte) {
	m, ok := p.parse(what, b, message.WirePublicMessage)
	if !ok {
		return
	}
	if !m.Public.VerifyMembership(p.s, p.v.MembershipKey, p.context) {
		p.fail(what, "its membership_tag is wrong")
	}
	p.unprotected(what, m.Public.Authenticated(), raw)
}

func (p *protector) unprotectPrivate(what string, b, raw []byte) {
	m, ok := p.parse(what, b, message.WirePrivateMessage)
	if !ok {
		return
	}
	content, _, err := schedule.Unprotect(p.s, p.tree(), p.v.SenderDataSecret, m.Private, nil)
	if p.ok(what, err) {
		p.unprotected(what, content, raw)
	}
}

// unprotected checks what both forms of a message have in common.
func (p *protector) unprotected(what string, c *message.AuthenticatedContent, raw []byte) {
	same(p.checker, what+" (sender)", c.Content.Sender, message.Member(protectionSender))
	p.ok(what, c.Verify(p.s, p.v.SignaturePub, p.context))
	switch got := c.Content.Content; got.Type {
	case message.ContentProposal:
		p.rewritten(what, got.Proposal, raw)
	case message.ContentCommit:
		p.rewritten(what, got.Commit, raw)
	default:
		p.equal(what, got.Application, raw)
	}
}

// sign returns content as the sender signs it.
func (p *protector) sign(what string, f message.WireFormat, content message.Content) (*message.AuthenticatedContent, bool) {
	c := &message.AuthenticatedContent{WireFormat: f, Content: message.FramedContent{
		GroupID: p.v.GroupID, Epoch: p.v.Epoch, Sender: message.Member(protectionSender),
		AuthenticatedData: []byte("authenticated data"), Content: content,
	}}
	if content.Type == message.ContentCommit {
		c.Auth.ConfirmationTag = make([]byte, p.s.ID().Sizes().Hash) // which is not this file's matter
	}
	return c, p.ok(what+", signed", c.Sign(p.s, signKey(p.s, p.v.SignaturePriv), p.context))
}

func (p *protector) protectPublic(what string, content message.Content, raw []byte) {
	c, ok := p.sign(what, message.WirePublicMessage, content)
	if !ok {
		return
	}
	what += " as a PublicMessage"
	m, err := c.Public(p.s, p.v.MembershipKey, p.context)
	if !p.ok(what, err) {
		return
	}
	if b, ok := p.write(what, &message.Message{Public: m}); ok {
		p.unprotectPublic(what, b, raw)
	}
}

func (p *protector) protectPrivate(what string, content message.Content, raw []byte) {
	c, ok := p.sign(what, message.WirePrivateMessage, content)
	if !ok {
		return
	}
	what += " as a PrivateMessage"
	const padding = 17
	m, err := schedule.Protect(p.s, p.tree(), p.v.SenderDataSecret, c, padding)
	if !p.ok(what, err) {
		return
	}
	if b, ok := p.write(what, &message.Message{Private: m}); ok {
		p.unprotectPrivate(what, b, raw)
	}
}

// refusePublic wants application data not to become a PublicMessage.
func (p *protector) refusePublic(what string, content message.Content) {
	c, ok := p.sign(what, message.WirePublicMessage, content)
	if !ok {
		return
	}
	if _, err := c.Public(p.s, p.v.MembershipKey, p.context); !errors.Is(err, message.ErrPublicApplication) {
		p.fail(what+" as a PublicMessage", "got error %v, want %v", err, message.ErrPublicApplication)
	}
}
