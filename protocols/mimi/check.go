package mimi

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// The Check of a body says which rule of the draft it breaks, of those that need no
// more than the body. Its errors are of type [*RuleError].

// Check wants a non-empty list of cipher suites and both users (Fetch Key Material).
func (m *KeyMaterialRequest) Check() error {
	switch {
	case len(m.AcceptableCiphersuites) == 0:
		return invalid("KeyMaterialRequest", "no acceptableCiphersuites, want one at least")
	case m.RequestingUser == "" || m.TargetUser == "":
		return invalid("KeyMaterialRequest", "requestingUser %q and targetUser %q, want both", m.RequestingUser, m.TargetUser)
	}
	return nil
}

// Check wants clients with the codes that have some, and none with the others (Fetch
// Key Material).
func (m *KeyMaterialResponse) Check() error {
	succeeded := 0
	for i := range m.Clients {
		if m.Clients[i].ClientStatus == ClientSuccess {
			succeeded++
		}
	}
	switch n := len(m.Clients); m.UserStatus {
	case UserSuccess:
		if n == 0 || succeeded < n {
			return invalid("KeyMaterialResponse", "%s with key material for %d of %d clients, want one at least and all", m.UserStatus, succeeded, n)
		}
	case UserPartialSuccess:
		if succeeded == 0 {
			return invalid("KeyMaterialResponse", "%s with key material for none of %d clients, want one at least", m.UserStatus, n)
		}
	case UserNoCompatibleMaterial:
		if succeeded > 0 {
			return invalid("KeyMaterialResponse", "%s with key material for %d clients, want none", m.UserStatus, succeeded)
		}
	default:
		if n > 0 {
			return invalid("KeyMaterialResponse", "%s with %d clients, want none", m.UserStatus, n)
		}
	}
	return nil
}

// Check wants a GroupInfo without a ratchet tree, and proposals that belong together
// (Update Room State).
func (m *UpdateRequest) Check() error {
	h := &m.Bundle
	if err := h.GroupInfoOption.check(); err != nil {
		return invalid("UpdateRequest", "groupInfoOption: %w", err)
	}
	if h.Type() == message.ContentCommit {
		if err := h.RatchetTreeOption.check(); err != nil {
			return invalid("UpdateRequest", "ratchetTreeOption: %w", err)
		}
	}
	if p := h.ProposalOrCommit.Public; p != nil {
		if err := sameEpoch("moreProposals", h.MoreProposals, p.Content.GroupID, p.Content.Epoch); err != nil {
			return invalid("UpdateRequest", "%w", err)
		}
	}
	return nil
}

var errEmbedded = errors.New("a ratchet_tree extension, want none")

func (o *GroupInfoOption) check() error {
	if o.Full != nil && o.Full.Extensions.Has(message.ExtensionRatchetTree) {
		return errEmbedded
	}
	if o.Partial != nil && o.Partial.GroupInfoExtensions.Has(message.ExtensionRatchetTree) {
		return errEmbedded
	}
	return nil
}

func (o *RatchetTreeOption) check() error {
	if o.Representation == TreeHTTPSURI && !strings.HasPrefix(strings.ToLower(o.RatchetTreeURL), "https://") {
		return fmt.Errorf("URL %q, want https", clip(o.RatchetTreeURL))
	}
	return nil
}

// sameEpoch wants proposals, which are those of a field, of a group and an epoch.
func sameEpoch(field string, list []message.Message, group []byte, epoch uint64) error {
	for i := range list {
		c := &list[i].Public.Content
		if !bytes.Equal(c.GroupID, group) {
			return fmt.Errorf("%s[%d] is of another group than what it comes with", field, i)
		}
		if c.Epoch != epoch {
			return fmt.Errorf("%s[%d] is of epoch %d, want %d", field, i, c.Epoch, epoch)
		}
	}
	return nil
}

// Check wants stapled proposals only with a Commit from outside, in the epoch that
// it starts, and of the hub (Fanout Messages and Room Events; deviation 49).
func (m *FanoutMessage) Check() error {
	switch m.Kind() {
	case FanoutWelcome:
		if err := m.RatchetTreeOption.check(); err != nil {
			return invalid("FanoutMessage", "ratchetTreeOption: %w", err)
		}
	case FanoutProposal:
		c := &m.Message.Public.Content
		if err := sameEpoch("moreProposals", m.MoreProposals, c.GroupID, c.Epoch); err != nil {
			return invalid("FanoutMessage", "%w", err)
		}
	case FanoutCommit:
		c := &m.Message.Public.Content
		if len(m.ExternalProposals) > 0 && c.Sender.Type != message.SenderNewMemberCommit {
			return invalid("FanoutMessage", "externalProposals with a commit of a %s, want a new_member_commit", c.Sender.Type)
		}
		if err := sameEpoch("externalProposals", m.ExternalProposals, c.GroupID, c.Epoch+1); err != nil {
			return invalid("FanoutMessage", "%w", err)
		}
		for i := range m.ExternalProposals {
			if s := m.ExternalProposals[i].Public.Content.Sender.Type; s != message.SenderExternal {
				return invalid("FanoutMessage", "externalProposals[%d] of a %s, want external", i, s)
			}
		}
	}
	return nil
}

// Check wants a GroupInfo without a ratchet tree, and proposals of its epoch (Claim
// group key information).
func (m *GroupInfoRatchetTreeTBE) Check() error {
	if m.GroupInfo.Extensions.Has(message.ExtensionRatchetTree) {
		return invalid("GroupInfoRatchetTreeTBE", "groupInfo: %w", errEmbedded)
	}
	if err := m.RatchetTreeOption.check(); err != nil {
		return invalid("GroupInfoRatchetTreeTBE", "ratchetTreeOption: %w", err)
	}
	proposals := make([]message.Message, len(m.PendingProposals))
	for i := range proposals {
		proposals[i] = m.PendingProposals[i].Proposal
	}
	c := &m.GroupInfo.Context
	if err := sameEpoch("pending_proposals", proposals, c.GroupID, c.Epoch); err != nil {
		return invalid("GroupInfoRatchetTreeTBE", "%w", err)
	}
	return nil
}

// Check wants an operation of the endpoint, and both users (Convey explicit consent).
func (m *ConsentEntry) Check(endpoint EndpointName) error {
	ok := false
	switch m.ConsentOperation {
	case ConsentRequest, ConsentCancel:
		ok = endpoint == EndpointRequestConsent
	case ConsentGrant, ConsentRevoke:
		ok = endpoint == EndpointUpdateConsent
	}
	switch {
	case !ok:
		return invalid("ConsentEntry", "%s at %s", m.ConsentOperation, endpoint)
	case m.RequesterURI == "" || m.TargetURI == "":
		return invalid("ConsentEntry", "requesterUri %q and targetUri %q, want both", m.RequesterURI, m.TargetURI)
	}
	return nil
}

// Check wants a condition at least: without one a query would match everybody
// (deviation 30).
func (m *IdentifierRequest) Check() error {
	if len(m.QueryElements) == 0 {
		return invalid("IdentifierRequest", "no query_elements, want one at least")
	}
	return nil
}

// Check wants results with success and with no other code (Find internal address).
func (m *IdentifierResponse) Check() error {
	if n := len(m.URI) + len(m.FoundProfiles); (n > 0) != (m.ResponseCode == QuerySuccess) {
		return invalid("IdentifierResponse", "%s with %d results", m.ResponseCode, n)
	}
	return nil
}

// GroupInfo makes the GroupInfo that p leaves out, as a hub that follows the group
// can (draft-mahy-mls-ratchet-tree-options-04, Conveying the GroupInfo): context and
// confirmation tag are those of the epoch that the Commit of the signer started. A
// ratchet_tree extension is not among its extensions, and the signature only
// verifies if the committer's had none either (deviation 31).
func (p *PartialGroupInfo) GroupInfo(context message.GroupContext, confirmationTag []byte, signer uint32) (*message.GroupInfo, error) {
	if p.RatchetTreePresence == RatchetTreePresent || p.RatchetTreePresence == RatchetTreeAdded {
		return nil, fmt.Errorf("mimi: PartialGroupInfo: ratchet_tree_presence %s, want no ratchet_tree in the GroupInfo", p.RatchetTreePresence)
	}
	return &message.GroupInfo{
		Context:         context,
		Extensions:      p.GroupInfoExtensions,
		ConfirmationTag: confirmationTag,
		Signer:          signer,
		Signature:       p.Signature,
	}, nil
}

// NewPartialGroupInfo returns what a hub needs of a GroupInfo, which has no
// ratchet_tree extension.
func NewPartialGroupInfo(g *message.GroupInfo) (*PartialGroupInfo, error) {
	if g.Extensions.Has(message.ExtensionRatchetTree) {
		return nil, invalid("PartialGroupInfo", "of a GroupInfo with %w", errEmbedded)
	}
	return &PartialGroupInfo{NoRatchetTree, g.Extensions, g.Signature}, nil
}
