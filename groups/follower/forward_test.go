package follower

import (
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// commit is an UpdateRequest with a Commit of some sender.
func commit(sender message.Sender) *mimi.UpdateRequest {
	p := &message.PublicMessage{}
	p.Content.Sender = sender
	p.Content.Type, p.Content.Commit = message.ContentCommit, &message.Commit{}
	if sender.Type == message.SenderNewMemberCommit {
		p.Content.Commit.Path = &message.UpdatePath{LeafNode: message.LeafNode{Credential: credentialOf(clientB1)}}
	}
	return &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: message.Message{Public: p}}}
}

func credentialOf(client ident.URI) message.Credential {
	return message.BasicCredential([]byte(client.String()))
}

// entering is a new member's proposal to add a client.
func entering(client ident.URI) *mimi.UpdateRequest {
	r := commit(message.Sender{Type: message.SenderNewMemberProposal})
	p := &r.Bundle.ProposalOrCommit.Public.Content
	p.Type, p.Commit = message.ContentProposal, nil
	p.Proposal = &message.Proposal{Body: &message.Add{KeyPackage: message.KeyPackage{LeafNode: message.LeafNode{Credential: credentialOf(client)}}}}
	return r
}

// joining is a new member's Commit with a credential.
func joining(cred *message.Credential) *mimi.UpdateRequest {
	r := commit(message.Sender{Type: message.SenderNewMemberCommit})
	path := r.Bundle.ProposalOrCommit.Public.Content.Commit.Path
	if path.LeafNode.Credential = (message.Credential{}); cred != nil {
		path.LeafNode.Credential = *cred
	} else {
		r.Bundle.ProposalOrCommit.Public.Content.Commit.Path = nil
	}
	return r
}

func asking(client ident.URI) *mimi.GroupInfoRequest {
	return &mimi.GroupInfoRequest{RequestingCredential: credentialOf(client)}
}

func submit(sender ident.URI) *mimi.SubmitMessageRequest {
	return &mimi.SubmitMessageRequest{AppMessage: &message.PrivateMessage{ContentType: message.ContentApplication}, SendingURI: mimi.URI(sender)}
}

// Where each request goes.
func TestCalls(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	pseudonym := uri("mimi://b.example/p/koala")
	for name, row := range map[string]struct {
		call    Call
		to      string
		subject string
	}{
		"key material, in a room": {Call{Endpoint: mimi.EndpointKeyMaterial, Body: l.request(clientB1, uri("mimi://c.example/u/cathy"), clubhouse, nil)},
			"a.example", "mimi://c.example/u/cathy"},
		"key material, outside": {Call{Endpoint: mimi.EndpointKeyMaterial, Body: l.request(clientB1, uri("mimi://c.example/u/cathy"), ident.URI{}, nil)},
			"c.example", "mimi://c.example/u/cathy"},
		"update":              {Call{Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: commit(message.Member(1))}, "a.example", clubhouse.String()},
		"message":             {Call{Endpoint: mimi.EndpointSubmitMessage, Room: clubhouse, Body: submit(bob)}, "a.example", clubhouse.String()},
		"by a pseudonym":      {Call{Endpoint: mimi.EndpointSubmitMessage, Room: clubhouse, Body: submit(pseudonym)}, "a.example", clubhouse.String()},
		"group info":          {Call{Endpoint: mimi.EndpointGroupInfo, Room: clubhouse, Body: asking(clientB1)}, "a.example", clubhouse.String()},
		"as a pseudonym":      {Call{Endpoint: mimi.EndpointGroupInfo, Room: clubhouse, Body: asking(pseudonym)}, "a.example", clubhouse.String()},
		"a proposal to enter": {Call{Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: entering(clientB1)}, "a.example", clubhouse.String()},
		"abuse":               {Call{Endpoint: mimi.EndpointReportAbuse, Room: clubhouse, Body: &mimi.AbuseReport{ReportingUser: mimi.URI(bob)}}, "a.example", clubhouse.String()},
		"query":               {Call{Endpoint: mimi.EndpointIdentifierQuery, Domain: "c.example", Body: &mimi.IdentifierRequest{}}, "c.example", "c.example"},
	} {
		t.Run(name, func(t *testing.T) {
			row.call.Client, row.call.ID = clientB1, 7
			out := l.step(row.call)
			if len(out.Requests) != 1 {
				t.Fatalf("requests %+v, want one", out.Requests)
			}
			r := out.Requests[0]
			if r.To != row.to || r.Subject != row.subject || r.Endpoint != row.call.Endpoint || r.Body != row.call.Body {
				t.Errorf("got %+v, want it for %s at %s", r, row.subject, row.to)
			}
			lost := errors.New("connection reset")
			out = l.step(Answer{ID: r.ID, Err: lost})
			if len(out.Replies) != 1 || out.Replies[0].Client != clientB1 || out.Replies[0].ID != 7 || out.Replies[0].Err != lost {
				t.Errorf("replies %+v", out.Replies)
			}
			if _, err := l.f.Step(l.now, Answer{ID: r.ID}); err == nil {
				t.Error("a second answer is taken")
			}
		})
	}
}

// A client speaks for its own user alone.
func TestCallsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	another, nobody := credentialOf(clientX1), message.BasicCredential([]byte("bob"))
	for name, row := range map[string]struct {
		call   Call
		status int
		says   string
	}{
		"another user's message": {Call{Endpoint: mimi.EndpointSubmitMessage, Room: clubhouse, Body: submit(bella)}, 403, "sendingUri"},
		"a foreign pseudonym":    {Call{Endpoint: mimi.EndpointSubmitMessage, Room: clubhouse, Body: submit(uri("mimi://a.example/p/koala"))}, 403, "sendingUri"},
		"another's claim":        {Call{Endpoint: mimi.EndpointKeyMaterial, Body: l.request(clientX1, alice, clubhouse, nil)}, 403, "requestingUser"},
		"another's report":       {Call{Endpoint: mimi.EndpointReportAbuse, Room: clubhouse, Body: &mimi.AbuseReport{ReportingUser: mimi.URI(alice)}}, 403, "reportingUser"},
		"as another user":        {Call{Endpoint: mimi.EndpointGroupInfo, Room: clubhouse, Body: asking(clientX1)}, 403, "requestingCredential of"},
		"as another client":      {Call{Endpoint: mimi.EndpointGroupInfo, Room: clubhouse, Body: asking(clientB2)}, 403, "requestingCredential of"},
		"in another's place":     {Call{Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: joining(&another)}, 403, "credential of"},
		"as who is no client":    {Call{Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: joining(&nobody)}, 403, "credential"},
		"as nobody":              {Call{Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: joining(nil)}, 400, "not who enters"},
		"another to be added":    {Call{Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: entering(clientX1)}, 403, "credential of"},
		"no room":                {Call{Endpoint: mimi.EndpointUpdate, Body: commit(message.Member(1))}, 400, "no room's URI"},
		"another endpoint":       {Call{Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: submit(bob)}, 400, "for update"},
		"no request":             {Call{Endpoint: mimi.EndpointNotify, Room: clubhouse, Body: &mimi.Frank{}}, 400, "no request of a client"},
		"a claim elsewhere":      {Call{Endpoint: mimi.EndpointNotify, Body: l.request(clientB1, alice, clubhouse, nil)}, 400, "for notify"},
		"a query elsewhere":      {Call{Endpoint: mimi.EndpointNotify, Body: &mimi.IdentifierRequest{}}, 400, "for notify"},
	} {
		t.Log(name)
		row.call.Client = clientB1
		l.refused(row.status, row.says, row.call)
	}
}

// A client that joins from outside gets what follows its Commit even before the
// answer, and nothing if it was refused.
func TestExternalCommit(t *testing.T) {
	t.Parallel()
	external := message.Sender{Type: message.SenderNewMemberCommit}
	for name, row := range map[string]struct {
		answer Answer
		stays  bool
	}{
		"accepted":     {Answer{Body: &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateSuccess}}, true},
		"refused":      {Answer{Body: &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateWrongEpoch}}, false},
		"nobody knows": {Answer{Err: errors.New("timeout")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, nil)
			l.step(Connect{clientB1})
			out := l.step(Call{Client: clientB1, ID: 1, Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: commit(external)})
			wantDeliveries(t, l.notify(l.application(1)), "ClientB1 clubhouse 1")
			row.answer.ID = out.Requests[0].ID
			l.step(row.answer)
			want := ""
			if row.stays {
				want = "ClientB1 clubhouse 2"
			}
			wantDeliveries(t, l.notify(l.application(2)), want)
		})
	}
	// One that is in the room already and resynchronises stays in it.
	l := newLab(t, nil)
	l.bring(clientB1)
	l.step(Connect{clientB1})
	out := l.step(Call{Client: clientB1, ID: 1, Endpoint: mimi.EndpointUpdate, Room: clubhouse, Body: commit(external)})
	l.step(Answer{ID: out.Requests[0].ID, Body: &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateNotAllowed}})
	wantDeliveries(t, l.notify(l.application(1)), "ClientB1 clubhouse 1")
}

// The creator of a room at the provider's own hub is in it.
func TestJoin(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	own := uri("mimi://b.example/r/attic")
	l.step(Connect{clientB1})
	l.step(Join{clientB1, own})
	wantDeliveries(t, l.step(Notify{From: "b.example", Room: own, Messages: []mimi.FanoutMessage{l.application(1)}}), "ClientB1 attic 1")
	l.refused(404, "no room of b.example", Join{clientB1, clubhouse})
}
