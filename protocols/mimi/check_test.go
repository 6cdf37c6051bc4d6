package mimi

import (
	"errors"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// public returns a handshake message.
func public(typ message.ContentType, sender message.SenderType, epoch uint64, group string) message.Message {
	c := message.FramedContent{GroupID: []byte(group), Epoch: epoch, Sender: message.Sender{Type: sender}, Content: message.Content{Type: typ}}
	return message.Message{Public: &message.PublicMessage{Content: c}}
}

// TestChecks: one rule of the draft a line, kept and broken.
func TestChecks(t *testing.T) {
	t.Parallel()
	tree := message.Extensions{{Type: message.ExtensionRatchetTree}}
	commit := public(message.ContentCommit, message.SenderMember, 4, "g")
	external := public(message.ContentCommit, message.SenderNewMemberCommit, 4, "g")
	proposal := public(message.ContentProposal, message.SenderMember, 4, "g")
	hubs := public(message.ContentProposal, message.SenderExternal, 5, "g")
	list := func(m ...message.Message) []message.Message { return m }
	got, none, exhausted := ClientKeyMaterial{KeyPackage: new(message.KeyPackage)}, ClientKeyMaterial{ClientStatus: ClientNothingCompatible}, ClientKeyMaterial{ClientStatus: ClientKeyMaterialExhausted}
	uri := []IdentifierURI{bob}
	tests := []struct {
		name string
		err  error
		want string // "" if the rule is kept
	}{
		{"key request", (&KeyMaterialRequest{RequestingUser: bob, TargetUser: bob, AcceptableCiphersuites: []suite.ID{1}}).Check(), ""},
		{"no suites", (&KeyMaterialRequest{RequestingUser: bob, TargetUser: bob}).Check(), "no acceptableCiphersuites"},
		{"no target", (&KeyMaterialRequest{RequestingUser: bob, AcceptableCiphersuites: []suite.ID{1}}).Check(), "want both"},
		{"no requester", (&KeyMaterialRequest{TargetUser: bob, AcceptableCiphersuites: []suite.ID{1}}).Check(), "want both"},

		{"success", (&KeyMaterialResponse{Clients: []ClientKeyMaterial{got, got}}).Check(), ""},
		{"success for nobody", (&KeyMaterialResponse{}).Check(), "0 of 0 clients"},
		{"success for some", (&KeyMaterialResponse{Clients: []ClientKeyMaterial{got, exhausted}}).Check(), "1 of 2 clients"},
		{"partialSuccess", (&KeyMaterialResponse{UserStatus: UserPartialSuccess, Clients: []ClientKeyMaterial{got, exhausted}}).Check(), ""},
		{"partialSuccess for nobody", (&KeyMaterialResponse{UserStatus: UserPartialSuccess, Clients: []ClientKeyMaterial{exhausted}}).Check(), "none of 1 clients"},
		{"noCompatibleMaterial", (&KeyMaterialResponse{UserStatus: UserNoCompatibleMaterial}).Check(), ""},
		{"noCompatibleMaterial with clients", (&KeyMaterialResponse{UserStatus: UserNoCompatibleMaterial, Clients: []ClientKeyMaterial{none}}).Check(), ""},
		{"noCompatibleMaterial with some", (&KeyMaterialResponse{UserStatus: UserNoCompatibleMaterial, Clients: []ClientKeyMaterial{none, got}}).Check(), "for 1 clients, want none"},
		{"noCompatibleMaterial with exhausted clients", (&KeyMaterialResponse{UserStatus: UserNoCompatibleMaterial, Clients: []ClientKeyMaterial{exhausted}}).Check(), ""},
		{"noConsent", (&KeyMaterialResponse{UserStatus: UserNoConsent}).Check(), ""},
		{"noConsent with clients", (&KeyMaterialResponse{UserStatus: UserNoConsent, Clients: []ClientKeyMaterial{exhausted}}).Check(), "noConsent with 1 clients"},

		{"update", (&UpdateRequest{HandshakeBundle{ProposalOrCommit: commit, GroupInfoOption: GroupInfoOption{Full: new(message.GroupInfo)}}}).Check(), ""},
		{"full with a tree", (&UpdateRequest{HandshakeBundle{ProposalOrCommit: commit, GroupInfoOption: GroupInfoOption{Full: &message.GroupInfo{Extensions: tree}}}}).Check(), "ratchet_tree extension"},
		{"partial with a tree", (&UpdateRequest{HandshakeBundle{ProposalOrCommit: commit, GroupInfoOption: GroupInfoOption{Partial: &PartialGroupInfo{GroupInfoExtensions: tree}}}}).Check(), "ratchet_tree extension"},
		{"tree by http", (&UpdateRequest{HandshakeBundle{ProposalOrCommit: commit, RatchetTreeOption: RatchetTreeOption{Representation: TreeHTTPSURI, RatchetTreeURL: "http://a.example"}}}).Check(), "want https"},
		{"proposals", (&UpdateRequest{HandshakeBundle{ProposalOrCommit: proposal, MoreProposals: list(proposal)}}).Check(), ""},
		{"of another epoch", (&UpdateRequest{HandshakeBundle{ProposalOrCommit: proposal, MoreProposals: list(proposal, hubs)}}).Check(), "moreProposals[1] is of epoch 5, want 4"},
		{"of another group", (&UpdateRequest{HandshakeBundle{ProposalOrCommit: proposal, MoreProposals: list(public(message.ContentProposal, message.SenderMember, 4, "h"))}}).Check(), "moreProposals[0] is of another group"},

		{"fanout of a commit", (&FanoutMessage{Message: commit}).Check(), ""},
		{"stapled", (&FanoutMessage{Message: external, ExternalProposals: list(hubs)}).Check(), ""},
		{"stapled to a member's commit", (&FanoutMessage{Message: commit, ExternalProposals: list(hubs)}).Check(), "commit of a member, want a new_member_commit"},
		{"stapled of the old epoch", (&FanoutMessage{Message: external, ExternalProposals: list(public(message.ContentProposal, message.SenderExternal, 4, "g"))}).Check(), "externalProposals[0] is of epoch 4, want 5"},
		{"stapled of a member", (&FanoutMessage{Message: external, ExternalProposals: list(public(message.ContentProposal, message.SenderMember, 5, "g"))}).Check(), "of a member, want external"},
		{"fanout of proposals", (&FanoutMessage{Message: proposal, MoreProposals: list(proposal)}).Check(), ""},
		{"fanout of two epochs", (&FanoutMessage{Message: proposal, MoreProposals: list(hubs)}).Check(), "moreProposals[0] is of epoch 5, want 4"},
		{"welcome", (&FanoutMessage{Message: message.Message{Welcome: new(message.Welcome)}}).Check(), ""},
		{"welcome by http", (&FanoutMessage{Message: message.Message{Welcome: new(message.Welcome)}, RatchetTreeOption: RatchetTreeOption{Representation: TreeHTTPSURI}}).Check(), "want https"},

		{"info", (&GroupInfoRatchetTreeTBE{GroupInfo: message.GroupInfo{Context: message.GroupContext{Epoch: 4, GroupID: []byte("g")}}, PendingProposals: []PendingProposal{{Proposal: proposal}}}).Check(), ""},
		{"info with a tree", (&GroupInfoRatchetTreeTBE{GroupInfo: message.GroupInfo{Extensions: tree}}).Check(), "ratchet_tree extension"},
		{"info by http", (&GroupInfoRatchetTreeTBE{RatchetTreeOption: RatchetTreeOption{Representation: TreeHTTPSURI, RatchetTreeURL: "ftp://x"}}).Check(), "want https"},
		{"info with a proposal of another epoch", (&GroupInfoRatchetTreeTBE{GroupInfo: message.GroupInfo{Context: message.GroupContext{Epoch: 5, GroupID: []byte("g")}}, PendingProposals: []PendingProposal{{Proposal: hubs}, {Proposal: proposal}}}).Check(), "pending_proposals[1] is of epoch 4, want 5"},

		{"request", (&ConsentEntry{ConsentOperation: ConsentRequest, RequesterURI: bob, TargetURI: bob}).Check(EndpointRequestConsent), ""},
		{"cancel", (&ConsentEntry{ConsentOperation: ConsentCancel, RequesterURI: bob, TargetURI: bob}).Check(EndpointRequestConsent), ""},
		{"grant", (&ConsentEntry{ConsentOperation: ConsentGrant, RequesterURI: bob, TargetURI: bob}).Check(EndpointUpdateConsent), ""},
		{"revoke", (&ConsentEntry{ConsentOperation: ConsentRevoke, RequesterURI: bob, TargetURI: bob}).Check(EndpointUpdateConsent), ""},
		{"request at updateConsent", (&ConsentEntry{ConsentOperation: ConsentRequest, RequesterURI: bob, TargetURI: bob}).Check(EndpointUpdateConsent), "request at updateConsent"},
		{"grant at requestConsent", (&ConsentEntry{ConsentOperation: ConsentGrant, RequesterURI: bob, TargetURI: bob}).Check(EndpointRequestConsent), "grant at requestConsent"},
		{"consent of nobody", (&ConsentEntry{ConsentOperation: ConsentRevoke, RequesterURI: bob}).Check(EndpointUpdateConsent), "want both"},

		{"query", (&IdentifierRequest{QueryElements: []QueryElement{{SearchType: SearchNick}}}).Check(), ""},
		{"query for all", (&IdentifierRequest{}).Check(), "no query_elements"},
		{"found", (&IdentifierResponse{URI: uri}).Check(), ""},
		{"found profiles", (&IdentifierResponse{FoundProfiles: []UserProfile{{StableURI: bob}}}).Check(), ""},
		{"found nothing", (&IdentifierResponse{}).Check(), "success with 0 results"},
		{"notFound", (&IdentifierResponse{ResponseCode: QueryNotFound}).Check(), ""},
		{"notFound with a result", (&IdentifierResponse{ResponseCode: QueryNotFound, URI: uri}).Check(), "notFound with 1 results"},
	}
	for _, tt := range tests {
		switch {
		case tt.want == "" && tt.err != nil:
			t.Errorf("%s: %v", tt.name, tt.err)
		case tt.want != "" && (!errors.As(tt.err, new(*RuleError)) || !strings.Contains(tt.err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, tt.err, tt.want)
		}
	}
}

// TestPartialGroupInfo: a hub that follows the group makes the GroupInfo that the
// committer signed (deviation 31).
func TestPartialGroupInfo(t *testing.T) {
	t.Parallel()
	s := seeded(t, 1, "committer")
	k := signer(t, s)
	full := &message.GroupInfo{
		Context:         message.GroupContext{Suite: 1, GroupID: []byte("g"), Epoch: 5},
		Extensions:      message.Extensions{{Type: message.ExtensionExternalPub, Data: []byte("\x01k")}},
		ConfirmationTag: []byte("tag"),
		Signer:          3,
	}
	if err := full.Sign(s, k.Private); err != nil {
		t.Fatal(err)
	}
	p, err := NewPartialGroupInfo(full)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.GroupInfo(full.Context, full.ConfirmationTag, full.Signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Verify(s, k.Public); err != nil {
		t.Error(err)
	}
	a, _ := wire.Marshal(got)
	if b, _ := wire.Marshal(full); string(a) != string(b) {
		t.Errorf("made %x, want %x", a, b)
	}
	for _, presence := range []RatchetTreePresence{RatchetTreePresent, RatchetTreeAdded} {
		p.RatchetTreePresence = presence
		if _, err := p.GroupInfo(full.Context, full.ConfirmationTag, full.Signer); err == nil {
			t.Errorf("%s: made a GroupInfo whose signature can't verify", presence)
		}
	}
	p.RatchetTreePresence = RatchetTreeRemoved
	if _, err := p.GroupInfo(full.Context, full.ConfirmationTag, full.Signer); err != nil {
		t.Error(err)
	}
	full.Extensions = message.Extensions{{Type: message.ExtensionRatchetTree}}
	if _, err := NewPartialGroupInfo(full); !errors.As(err, new(*RuleError)) {
		t.Errorf("%v, want a RuleError", err)
	}
}
