package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// request is one for an endpoint of this provider, of a peer that was authenticated or
// of the own domain.
type request struct {
	endpoint *mimi.Endpoint
	from     string
	subject  mimi.IdentifierURI // what the variable in the path stands for
	uri      ident.URI          // subject, if it is a room and was read before
	body     []byte
	missed   uint64 // what missedHeader says
}

// about takes the value of the variable in the path.
func (r *request) about(what mimi.Subject, value string) error {
	r.subject = mimi.IdentifierURI(value)
	if what == mimi.SubjectRoom {
		if uri, ok := r.subject.Is(ident.KindRoom); ok { // else ParseSubject says what is wrong
			r.uri = uri
			return nil
		}
	}
	if _, err := what.ParseSubject(value); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	return nil
}

func refuse(status int, format string, args ...any) error {
	return &follower.Refusal{Status: status, Reason: fmt.Sprintf(format, args...)}
}

// serve gives a request to the machine that it is for, and returns the body of the
// response, nil if it has none. Errors that the requester is to be told are a
// [follower.Refusal] or a [hub.Error].
func (p *Provider) serve(ctx context.Context, r *request) (wire.Marshaler, error) {
	switch r.endpoint.Name {
	case mimi.EndpointKeyMaterial:
		return p.keyMaterial(ctx, r)
	case mimi.EndpointUpdate, mimi.EndpointSubmitMessage, mimi.EndpointGroupInfo, mimi.EndpointReportAbuse:
		return p.roomRequest(ctx, r)
	case mimi.EndpointNotify:
		return p.takeNotify(ctx, r)
	case mimi.EndpointRequestConsent, mimi.EndpointUpdateConsent:
		return p.takeConsent(ctx, r)
	case mimi.EndpointIdentifierQuery:
		return p.findUsers(ctx, r)
	}
	return nil, refuse(http.StatusNotFound, "no endpoint %s", r.endpoint.Name)
}

// roomRequest is for the hub.
func (p *Provider) roomRequest(ctx context.Context, r *request) (wire.Marshaler, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	var in hub.Input
	switch r.endpoint.Name {
	case mimi.EndpointUpdate:
		in = hub.UpdateRequest{From: r.from, Room: room, Body: r.body}
	case mimi.EndpointSubmitMessage:
		in = hub.SubmitMessageRequest{From: r.from, Room: room, Body: r.body}
	case mimi.EndpointGroupInfo:
		in = hub.GroupInfoRequest{From: r.from, Room: room, Body: r.body}
	case mimi.EndpointReportAbuse:
		in = hub.ReportAbuse{From: r.from, Room: room, Body: r.body}
	}
	out, err := p.askHub(ctx, in)
	if err != nil {
		return nil, err
	}
	if out.Refused != nil {
		p.log.DebugContext(ctx, "refused", "endpoint", r.endpoint.Name, "from", r.from, "code", code(out.Response))
	} else if r.endpoint.Name == mimi.EndpointSubmitMessage {
		p.stats.accepted.Add(1)
	}
	if out.Report != nil {
		p.report(out.Report)
	}
	return out.Response, nil
}

// code is the code of a response, for logs.
func code(m wire.Marshaler) any {
	switch m := m.(type) {
	case *mimi.UpdateRoomResponse:
		return m.ResponseCode
	case *mimi.SubmitMessageResponse:
		return m.StatusCode
	case *mimi.GroupInfoResponse:
		return m.Status
	}
	return nil
}

func (r *request) room() (ident.URI, error) {
	if !r.uri.IsZero() {
		return r.uri, nil
	}
	room, ok := r.subject.Is(ident.KindRoom)
	if !ok {
		return room, refuse(http.StatusBadRequest, "want the URI of a room in the path")
	}
	return room, nil
}

// report hands an abuse report on.
func (p *Provider) report(r *hub.Report) {
	p.stats.reports.Add(1)
	proven := 0
	for _, err := range r.Franks {
		if err == nil {
			proven++
		}
	}
	p.log.Info("abuse report", "from", r.From, "messages", len(r.Franks), "proven", proven)
	if p.cfg.Reported != nil {
		p.stats.reporting.Lock()
		defer p.stats.reporting.Unlock()
		p.cfg.Reported(r)
	}
}

// keyMaterial is for the hub, if the room is one of its own, and else for the follower
// (draft-ietf-mimi-protocol-06, Fetch Key Material).
func (p *Provider) keyMaterial(ctx context.Context, r *request) (wire.Marshaler, error) {
	req, err := mimi.ParseKeyMaterialRequest(r.body)
	if other := (*mimi.ProtocolError)(nil); errors.As(err, &other) {
		return &mimi.KeyMaterialResponse{UserStatus: mimi.UserIncompatibleProtocol, UserURI: r.subject}, nil
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	if !req.TargetUser.Equal(r.subject) {
		return nil, refuse(http.StatusBadRequest, "targetUser is not the user in the path")
	}
	if room, ok := req.RoomID.Is(ident.KindRoom); !ok || room.Provider() != p.cfg.Domain {
		return p.askFollower(ctx, follower.ClaimKeyMaterial{From: r.from, Request: req})
	}
	out, err := p.askHub(ctx, hub.KeyMaterialRequest{From: r.from, Body: r.body})
	if err != nil {
		return nil, err
	}
	forward := out.Forward
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Limits.Timeout) // a target that does not answer
	defer cancel()
	var answer []byte
	if forward.To == p.cfg.Domain {
		var m wire.Marshaler
		if m, err = p.askFollower(ctx, follower.ClaimKeyMaterial{From: p.cfg.Domain, Request: req}); err == nil {
			answer, err = wire.Marshal(m)
		}
	} else {
		answer, err = p.request(ctx, forward.To, r.endpoint, forward.Target.String(), forward.Body)
	}
	if err != nil {
		return nil, err
	}
	out, err = p.askHub(ctx, hub.KeyMaterialResponse{Provider: forward.To, Request: forward.Body, Body: answer})
	if err != nil {
		if forward.To != p.cfg.Domain { // it is not the requester who is wrong
			err = refuse(http.StatusBadGateway, "the answer of %s: %v", forward.To, err)
		}
		return nil, err
	}
	return out.Response, nil
}

// takeNotify is for the follower: events of a room (draft-ietf-mimi-protocol-06, Fanout
// Messages and Room Events).
func (p *Provider) takeNotify(ctx context.Context, r *request) (wire.Marshaler, error) {
	room, err := r.room()
	if err != nil {
		return nil, err
	}
	list, err := mimi.ParseFanoutMessages(r.body, p.cfg.Follower.Points)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	answer, err := p.askFollower(ctx, follower.Notify{From: r.from, Room: room, Messages: list, Missed: r.missed})
	if err == nil && r.missed > 0 {
		p.log.WarnContext(ctx, "a hub has given up events", "from", r.from, "events", r.missed)
		p.stats.missed.Add(r.missed)
	}
	return answer, err
}

// takeConsent is for the follower, and the KeyPackages of a grant for the hub as well:
// they may be used in a room of it.
func (p *Provider) takeConsent(ctx context.Context, r *request) (wire.Marshaler, error) {
	if err := p.ownSubject(r); err != nil {
		return nil, err
	}
	entry, err := mimi.ParseConsentEntry(r.body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	if _, err := p.askFollower(ctx, follower.Consent{From: r.from, Endpoint: r.endpoint.Name, Entry: entry}); err != nil {
		return nil, err
	}
	return nil, p.granted(ctx, r.from, entry)
}

// ownSubject checks that the domain in the path is the own one.
func (p *Provider) ownSubject(r *request) error {
	u, err := ident.NewURI(ident.KindProvider, string(r.subject))
	if err != nil || u.Provider() != p.cfg.Domain {
		return refuse(http.StatusNotFound, "%q in the path, want %s", clip(string(r.subject)), p.cfg.Domain)
	}
	return nil
}

// granted tells the hub of KeyPackages that came with a grant. Those that it does not
// take were stored for the requester all the same.
func (p *Provider) granted(ctx context.Context, from string, e *mimi.ConsentEntry) error {
	if e.ConsentOperation != mimi.ConsentGrant || len(e.ClientKeyPackages) == 0 {
		return nil
	}
	_, err := p.askHub(ctx, hub.GrantedKeyPackages{Provider: from, KeyPackages: e.ClientKeyPackages})
	if _, ok := refusal(err).(*follower.Refusal); ok {
		p.log.WarnContext(ctx, "the hub does not take granted KeyPackages", "from", from, "packages", len(e.ClientKeyPackages))
		return nil
	}
	return err
}

// findUsers is for the follower (draft-ietf-mimi-protocol-06, Find internal address).
func (p *Provider) findUsers(ctx context.Context, r *request) (wire.Marshaler, error) {
	if err := p.ownSubject(r); err != nil {
		return nil, err
	}
	query, err := mimi.ParseIdentifierRequest(r.body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	return p.askFollower(ctx, follower.FindUsers{From: r.from, Request: query})
}

// answer makes a request of the follower and gives it the answer.
func (p *Provider) answer(r follower.Request) {
	ctx, cancel := context.WithTimeout(p.ctx, p.cfg.Limits.Timeout)
	defer cancel()
	body, err := p.ask(ctx, r)
	p.stepFollower(follower.Answer{ID: r.ID, Body: body, Err: err}, nil)
}

func (p *Provider) ask(ctx context.Context, r follower.Request) (follower.Body, error) {
	e, ok := mimi.FindEndpoint(r.Endpoint)
	if !ok {
		return nil, fmt.Errorf("serve: no endpoint %s", r.Endpoint)
	}
	body, err := wire.Marshal(r.Body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	if r.To == p.cfg.Domain {
		m, err := p.serve(ctx, &request{endpoint: e, from: r.To, subject: mimi.IdentifierURI(r.Subject), body: body})
		return m, refusal(err)
	}
	answer, err := p.request(ctx, r.To, e, subjectOf(r), body)
	if err != nil || e.Response == "" {
		return nil, err
	}
	m, err := e.ParseResponse(answer, p.cfg.Follower.Points)
	if err != nil {
		return nil, fmt.Errorf("serve: answer of %s: %w", r.To, err)
	}
	return m.(follower.Body), nil
}

// subjectOf returns what a request is about. A directory may want the user where the
// draft's section on consent has the domain (deviation 27 of protocols/mimi): the user
// stands for both.
func subjectOf(r follower.Request) string {
	e, ok := r.Body.(*mimi.ConsentEntry)
	switch {
	case !ok:
		return r.Subject
	case r.Endpoint == mimi.EndpointRequestConsent:
		return string(e.TargetURI)
	}
	return string(e.RequesterURI)
}

// clip bounds what an error repeats of a stranger's words.
func clip(s string) string { return s[:min(len(s), 64)] }
