package mimi

import (
	"errors"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// TestParse: each Parse function returns a body or an error that says in which struct
// and where, and never both.
func TestParse(t *testing.T) {
	t.Parallel()
	parse := map[string]func([]byte, *CodePoints) (any, error){
		"FrankingAgentData":       plain(ParseFrankingAgentData),
		"GroupInfoRatchetTreeTBE": numbered(ParseGroupInfoRatchetTreeTBE),
		"PseudonymousCredential":  plain(ParsePseudonymousCredential),
	}
	for i := range Endpoints {
		e := &Endpoints[i]
		if e.Request != "" {
			parse[e.Request] = e.ParseRequest
		}
		if e.Response != "" {
			parse[e.Response] = e.ParseResponse
		}
	}
	for name, parse := range parse {
		for _, tt := range types {
			if typ, _, _ := strings.Cut(tt.name, "/"); typ != name {
				continue
			}
			if m, err := parse([]byte(tt.sample), nil); err != nil || m == nil {
				t.Errorf("%s: %v, %v", tt.name, m, err)
			}
			m, err := parse([]byte(tt.sample[:len(tt.sample)-1]), nil)
			var e *wire.Error
			if m != nil || !errors.Is(err, wire.ErrTruncated) || !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "mimi: "+name+": wire: at byte ") {
				t.Errorf("%s, cut short: %v, %v, want the struct and the place", tt.name, m, err)
			}
		}
	}
}

// TestWrongMessages: what is no application message is not submitted, and what is no
// handshake is no update, read or written.
func TestWrongMessages(t *testing.T) {
	t.Parallel()
	proposal := "\x00\x01\x00\x02\x01g\x00\x00\x00\x00\x00\x00\x00\x01\x02\x01a\x01d\x01c" // a PrivateMessage
	for _, m := range []string{proposal, sampleProposal, "\x00\x01\x00\x03" + sampleWelcome} {
		_, err := ParseSubmitMessageRequest([]byte("\x01" + m + "\x02su"))
		if err == nil || !strings.Contains(err.Error(), "want an mls_private_message with application data") {
			t.Errorf("%x was submitted: %v", m, err)
		}
	}
	for name, more := range map[string]string{"a commit": sampleCommit, "a PrivateMessage": proposal} {
		_, err := ParseUpdateRequest([]byte(sampleProposal+vector(sampleProposal+more)), nil)
		if err == nil || !strings.Contains(err.Error(), "moreProposals[1]: a mls_p") {
			t.Errorf("%s among proposals: %v, want it refused for what it is", name, err)
		}
	}
	private := &message.PrivateMessage{ContentType: message.ContentCommit}
	for name, v := range map[string]wire.Marshaler{
		"a commit that is submitted":  &SubmitMessageRequest{AppMessage: private},
		"an update that is encrypted": &UpdateRequest{HandshakeBundle{ProposalOrCommit: message.Message{Private: private}}},
		"a commit among proposals":    &UpdateRequest{HandshakeBundle{ProposalOrCommit: remove(), MoreProposals: []message.Message{{Private: private}}}},
		"a commit that is fanned out": &FanoutMessage{Message: message.Message{Private: private}},
		"proposals with what is none": &FanoutMessage{Message: remove(), MoreProposals: []message.Message{{}}},
		"a pending commit":            &PendingProposal{Proposal: message.Message{Private: private}},
	} {
		if b, err := wire.Marshal(v); err == nil {
			t.Errorf("%s was written as %x", name, b)
		}
	}
	if b, err := wire.Marshal(&UpdateRequest{HandshakeBundle{ProposalOrCommit: remove(), MoreProposals: []message.Message{remove()}}}); err != nil {
		t.Errorf("proposals were written as %x, %v", b, err)
	}
}

// remove returns a proposal.
func remove() message.Message {
	c := message.FramedContent{Content: message.Content{Type: message.ContentProposal, Proposal: &message.Proposal{Type: message.ProposalRemove, Body: &message.Remove{}}}}
	return message.Message{Public: &message.PublicMessage{Content: c}}
}

// TestScope: "A cancel MUST use the same ConsentScope as a previous request" (Convey
// explicit consent).
func TestScope(t *testing.T) {
	t.Parallel()
	scope := func(e ConsentEntry) string {
		t.Helper()
		s := e.Scope()
		b, err := wire.Marshal(&s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	request := ConsentEntry{ConsentOperation: ConsentRequest, RequesterURI: "r", TargetURI: bob, RoomID: ptr(room)}
	cancel := request
	cancel.ConsentOperation = ConsentCancel
	if scope(request) != scope(cancel) {
		t.Error("a cancel has another scope than its request")
	}
	everywhere, other := request, request
	everywhere.RoomID, other.RoomID = nil, ptr(IdentifierURI("mimi://hub.example/r/other"))
	if scope(request) == scope(everywhere) || scope(request) == scope(other) {
		t.Error("the room does not count")
	}
}

// TestFrankError: it says the step and wraps the cause.
func TestFrankError(t *testing.T) {
	t.Parallel()
	f := newFranked(t, 1)
	f.AcceptedTimestamp++
	err := f.Verify(f.suite)
	if !errors.Is(err, suite.ErrVerify) || !strings.HasPrefix(err.Error(), "mimi: frank: signature: ") {
		t.Errorf("%v, want the step and %v", err, suite.ErrVerify)
	}
	d := (&IdentifierRequest{}).Check()
	if errors.Unwrap(d) == nil || d.Error() != "mimi: invalid IdentifierRequest: no query_elements, want one at least" {
		t.Errorf("%v", d)
	}
}
