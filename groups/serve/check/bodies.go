package check

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// subject is what the path of an endpoint names, as well as is known.
func (r *run) subject(e mimi.EndpointName) string {
	user := r.cfg.User.String()
	if r.cfg.User.IsZero() {
		user = "mimi://" + r.cfg.Domain + "/u/nobody"
	}
	switch e {
	case mimi.EndpointKeyMaterial, mimi.EndpointRequestConsent, mimi.EndpointUpdateConsent:
		return user
	case mimi.EndpointIdentifierQuery:
		return r.cfg.Domain
	case mimi.EndpointNotify:
		return "mimi://" + r.b.domain + "/r/nowhere"
	case mimi.EndpointProxyDownload:
		return "https://" + r.b.domain + "/nothing"
	}
	if r.cfg.Room.IsZero() {
		return r.nowhere()
	}
	return r.cfg.Room.String()
}

// nowhere is a room that does not exist.
func (r *run) nowhere() string { return "mimi://" + r.cfg.Domain + "/r/nowhere-" + rand.Text() }

// nobody is a user who does not exist.
func (r *run) nobody(domain string) mimi.IdentifierURI {
	return mimi.IdentifierURI("mimi://" + domain + "/u/nobody-" + strings.ToLower(rand.Text()))
}

// checkBodies is what every endpoint has to make of other methods, paths and bodies than
// its own.
func (r *run) checkBodies(ctx context.Context) {
	for i := range mimi.Endpoints {
		e := &mimi.Endpoints[i]
		id := string(e.Name)
		subject := r.subject(e.Name)
		if _, err := r.url(e.Name, subject); err != nil {
			reason := "the directory has no usable template"
			r.skip(reason, id+".method", id+".path")
			if e.Method == http.MethodPost {
				r.skip(reason, id+".malformed", id+".endless")
			}
			continue
		}
		other := http.MethodGet
		if e.Method == other {
			other = http.MethodPost
		}
		r.wrongMethod(id+".method", r.b.ask(ctx, e.Name, subject, nil, func(q *request) { q.method = other }))
		body := r.sample(e.Name)
		r.refuses(id+".path", r.b.ask(ctx, e.Name, "no such thing", body))
		if e.Method == http.MethodPost {
			r.malformed(ctx, e, subject, body)
			r.endless(ctx, e, subject)
		}
	}
}

// malformed sends bodies that no struct is written as.
func (r *run) malformed(ctx context.Context, e *mimi.Endpoint, subject string, body []byte) {
	id := string(e.Name) + ".malformed"
	noise := make([]byte, 256)
	_, _ = rand.Read(noise)
	// A Protocol or an operation that there is, as for another there may be a code, and
	// then no length.
	noise[0], noise[1] = 1, 0xff
	cases := []struct {
		name string
		body []byte
	}{
		{"empty", []byte{}},
		{"random", noise},
		{"a length of 1 GiB", []byte{1, 0xbf, 0xff, 0xff, 0xff, 'x'}},
		{"cut off", body[:len(body)/2]},
		{"one byte too long", append(slices.Clip(body), 0)},
	}
	for _, c := range cases {
		a := r.b.ask(ctx, e.Name, subject, c.body)
		switch {
		case a.refused():
			r.pass(id, "%d bodies; the last: %v", len(cases), a)
		case a.accepted() && refusesIn(e, a.body):
			r.warn(id, "%s: a code of MIMI that refuses, where nothing was asked", c.name)
		default:
			r.fail(id, "%s: %v", c.name, a)
		}
	}
}

// refusesIn reports whether a body has a code that says no.
func refusesIn(e *mimi.Endpoint, body []byte) bool {
	if e.Response == "" {
		return false
	}
	m, err := e.ParseResponse(body, nil)
	if err != nil {
		return false
	}
	switch m := m.(type) {
	case *mimi.KeyMaterialResponse:
		return m.UserStatus > mimi.UserPartialSuccess
	case *mimi.UpdateRoomResponse:
		return m.ResponseCode != mimi.UpdateSuccess
	case *mimi.SubmitMessageResponse:
		return m.StatusCode != mimi.SubmitAccepted
	case *mimi.GroupInfoResponse:
		return m.Status != mimi.GroupInfoSuccess
	case *mimi.IdentifierResponse:
		return m.ResponseCode != mimi.QuerySuccess
	}
	return false
}

// endless announces a body that nobody should wait for.
func (r *run) endless(ctx context.Context, e *mimi.Endpoint, subject string) {
	id := string(e.Name) + ".endless"
	ctx, cancel := context.WithTimeout(ctx, min(r.cfg.Timeout, 2*time.Second))
	defer cancel()
	body := newSlow(1024)
	defer func() { _ = body.Close() }()
	a := r.b.ask(ctx, e.Name, subject, []byte{}, func(q *request) { q.body, q.length = body, 1<<30 })
	switch {
	case a.refused():
		r.pass(id, "%v", a)
	case ctx.Err() != nil:
		r.warn(id, "the provider waits for it")
	case a.err != nil:
		r.pass(id, "the connection is closed")
	default:
		r.fail(id, "%v", a)
	}
}

// sample is a body of an endpoint that is well-formed, though it asks for nothing that
// there is.
func (r *run) sample(e mimi.EndpointName) []byte {
	nobody := r.nobody(r.b.domain)
	credential := message.BasicCredential([]byte("mimi://" + r.b.domain + "/d/nobody/none"))
	private := &message.PrivateMessage{
		GroupID: []byte("none"), Epoch: 1, ContentType: message.ContentApplication, EncryptedSenderData: make([]byte, 32), Ciphertext: make([]byte, 64),
	}
	var m wire.Marshaler
	switch e {
	case mimi.EndpointKeyMaterial:
		m = &mimi.KeyMaterialRequest{
			RequestingUser: nobody, TargetUser: mimi.IdentifierURI(r.subject(e)), AcceptableCiphersuites: []suite.ID{r.suite.ID()},
			RequesterSignatureKey: make([]byte, 32), RequesterCredential: credential, Signature: make([]byte, 64),
		}
	case mimi.EndpointSubmitMessage:
		m = &mimi.SubmitMessageRequest{AppMessage: private, SendingURI: nobody}
	case mimi.EndpointNotify:
		m = &mimi.FanoutMessage{Timestamp: 1, Message: message.Message{Private: private}}
	case mimi.EndpointGroupInfo:
		m = &mimi.GroupInfoRequest{
			CipherSuite: r.suite.ID(), RequestingSignatureKey: make([]byte, 32), RequestingCredential: credential,
			GroupInfoPublicKey: make([]byte, 32), Signature: make([]byte, 64),
		}
	case mimi.EndpointRequestConsent:
		m = &mimi.ConsentEntry{ConsentOperation: mimi.ConsentCancel, RequesterURI: nobody, TargetURI: mimi.IdentifierURI(r.subject(e))}
	case mimi.EndpointUpdateConsent:
		m = &mimi.ConsentEntry{ConsentOperation: mimi.ConsentRevoke, RequesterURI: mimi.IdentifierURI(r.subject(e)), TargetURI: nobody}
	case mimi.EndpointIdentifierQuery:
		return query()
	case mimi.EndpointReportAbuse:
		m = &mimi.AbuseReport{AllegedAbuserURI: nobody}
	case mimi.EndpointUpdate:
		m = &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: message.Message{Public: &message.PublicMessage{
			Content: message.FramedContent{
				GroupID: []byte("none"), Epoch: 1, Sender: message.Sender{Type: message.SenderMember}, Content: message.Content{Type: message.ContentProposal, Proposal: &message.Proposal{Type: message.ProposalRemove, Body: &message.Remove{Removed: 1}}},
			},
			Auth: message.FramedContentAuthData{Signature: make([]byte, 64)}, MembershipTag: make([]byte, 32),
		}}}}
	default:
		return nil
	}
	b, err := wire.Marshal(m)
	if err != nil {
		panic("check: invariant broken, a sample of " + string(e) + " can be written: " + err.Error())
	}
	return b
}
