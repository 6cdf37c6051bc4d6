package check

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// newMachines makes the machines, and the user with its device.
func (p *peer) newMachines(keys int) (err error) {
	s := p.r.suite
	groups := &mls.Config{Suite: s, Components: room.DefaultPoints.MLSComponents()}
	p.follower, err = follower.New(&follower.Config{Domain: p.domain, Groups: map[suite.ID]*mls.Config{s.ID(): groups}})
	if err != nil {
		return err
	}
	if p.hubID, err = mls.NewIdentity(s, []byte("mimi://"+p.domain)); err != nil {
		return err
	}
	if p.franking, err = s.GenerateSigner(); err != nil {
		return err
	}
	key, err := mimi.NewHubKey(s)
	if err != nil {
		return err
	}
	p.hub, err = hub.New(hub.Config{
		Domain: p.domain, Groups: &mls.Config{Suite: s}, Identity: p.hubID, Franking: p.franking, FrankKeys: []mimi.HubKey{key},
	})
	if err != nil {
		return err
	}
	client, id, err := p.newClient(p.r.cfg.Name, "member")
	if err != nil {
		return err
	}
	p.member, err = member.New(member.Config{Client: client, Identity: id, Groups: &mls.Config{Suite: s}})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range []follower.Input{follower.AddUser{User: p.user}, follower.AddClient{Client: client}, follower.Connect{Client: client}} {
		p.atFollower(in)
	}
	if keys > 0 {
		p.atMember(member.PublishKeyPackages{N: keys})
	}
	return p.broken
}

// newClient returns the name and the identity of a client of the peer's user.
func (p *peer) newClient(user, device string) (ident.URI, *mls.Identity, error) {
	u, err := ident.NewURI(ident.KindClient, p.domain, user, device)
	if err != nil {
		return u, nil, err
	}
	id, err := mls.NewIdentity(p.r.suite, []byte(u.String()))
	return u, id, err
}

// atFollower steps the follower. The caller holds the lock.
func (p *peer) atFollower(in follower.Input) (follower.Body, error) {
	out, err := p.follower.Step(p.r.now(), in)
	if err != nil {
		return nil, err
	}
	// The slices are the machine's until its next step.
	response := out.Response
	p.requests = append(p.requests, out.Requests...)
	deliveries, replies := slices.Clone(out.Deliveries), slices.Clone(out.Replies)
	for _, d := range deliveries {
		p.atMember(member.Delivered{Room: d.Room, Seq: d.Seq, About: d.About, Body: slices.Clone(d.Body)})
	}
	for _, r := range replies {
		p.atMember(member.Replied{ID: r.ID, Body: r.Body, Err: r.Err})
	}
	return response, nil
}

// atMember steps the device. The caller holds the lock.
func (p *peer) atMember(in member.Input) {
	out, err := p.member.Step(p.r.now(), in)
	if err != nil {
		p.events = append(p.events, member.Failed{What: fmt.Sprintf("%T", in), Why: err})
		return
	}
	p.wake = out.WakeAt
	if len(p.events) < maxInbox {
		p.events = append(p.events, out.Events...)
	}
	var todo []follower.Input
	for _, in := range out.Publish {
		todo = append(todo, in)
	}
	for _, in := range out.Calls {
		todo = append(todo, in)
	}
	for _, in := range out.Acks {
		todo = append(todo, in)
	}
	for _, in := range out.Leaves {
		todo = append(todo, in)
	}
	creations := slices.Clone(out.Creations)
	for _, in := range todo {
		if _, err := p.atFollower(in); err != nil {
			if c, ok := in.(follower.Call); ok {
				p.atMember(member.Replied{ID: c.ID, Err: err})
			} else if p.broken == nil {
				p.broken = fmt.Errorf("check: %T: %w", in, err)
			}
		}
	}
	for _, c := range creations {
		_, err := p.atHub(hub.CreateRoom{Room: c.Room, GroupInfo: c.GroupInfo, RatchetTree: c.RatchetTree})
		if err == nil {
			_, err = p.atFollower(follower.Join{Client: p.member.Client(), Room: c.Room})
		}
		p.atMember(member.RoomCreated{Room: c.Room, Err: err})
	}
}

// atHub steps the own hub. The caller holds the lock. What it has for own clients goes
// there at once, what it has for others waits to be sent.
func (p *peer) atHub(in hub.Input) (hub.Output, error) {
	out, err := p.hub.Step(p.r.now(), in)
	if err != nil {
		return out, err
	}
	sends := slices.Clone(out.Sends)
	for _, s := range sends {
		s.Body = slices.Clone(s.Body)
		if s.To != p.domain {
			p.sends = append(p.sends, s)
			continue
		}
		list, err := mimi.ParseFanoutMessages(s.Body, nil)
		if err == nil {
			_, err = p.atFollower(follower.Notify{From: p.domain, Room: s.Room, Messages: list})
		}
		if err != nil && p.broken == nil {
			p.broken = fmt.Errorf("check: own events: %w", err)
		}
		if _, err := p.atHub(hub.Delivered{Room: s.Room, To: s.To, Last: s.Last}); err != nil && p.broken == nil {
			p.broken = fmt.Errorf("check: own events: %w", err)
		}
	}
	return out, nil
}

// do has the device do something and makes what requests come of it.
func (p *peer) do(ctx context.Context, in member.Input) {
	p.mu.Lock()
	p.atMember(in)
	p.mu.Unlock()
	p.pump(ctx)
}

// pump makes the requests of the device, and those that come of their answers, until
// there are none.
func (p *peer) pump(ctx context.Context) {
	for range maxInbox { // what goes on for longer goes on without end
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		if len(p.requests) == 0 {
			if wake := p.wake; !wake.IsZero() && !p.r.now().Before(wake) {
				p.wake = time.Time{}
				p.atMember(member.Wake{})
			}
		}
		if len(p.requests) == 0 {
			p.mu.Unlock()
			return
		}
		q := p.requests[0]
		p.requests = p.requests[1:]
		p.mu.Unlock()
		body, err := p.make(ctx, &q)
		p.mu.Lock()
		if _, err := p.atFollower(follower.Answer{ID: q.ID, Body: body, Err: err}); err != nil && p.broken == nil {
			p.broken = err
		}
		p.mu.Unlock()
	}
}

// make makes a request of an own client, at the own hub or the checked provider.
func (p *peer) make(ctx context.Context, q *follower.Request) (follower.Body, error) {
	body, err := wire.Marshal(q.Body)
	if err != nil {
		return nil, err
	}
	e, ok := mimi.FindEndpoint(q.Endpoint)
	switch {
	case !ok:
		return nil, fmt.Errorf("no endpoint %s", q.Endpoint)
	case q.To == p.domain:
		return p.makeOwn(ctx, q, body)
	case q.To != p.r.cfg.Domain:
		return nil, &follower.Refusal{Status: http.StatusForbidden, Reason: "the checker asks the checked provider alone"}
	}
	if m, ok := q.Body.(*mimi.UpdateRequest); ok {
		p.mu.Lock()
		p.updates = append(p.updates, m)
		p.mu.Unlock()
	}
	a := p.ask(ctx, q.Endpoint, q.Subject, body)
	if a.err != nil {
		return nil, a.err
	}
	if e.Outcome(a.status) != mimi.OutcomeDone {
		return nil, &follower.Refusal{Status: a.status, Reason: a.String()}
	}
	if e.Response == "" {
		return nil, nil
	}
	m, err := e.ParseResponse(a.body, nil)
	if err != nil {
		return nil, err
	}
	return m.(follower.Body), nil
}

// makeOwn makes a request at the own hub.
func (p *peer) makeOwn(ctx context.Context, q *follower.Request, body []byte) (follower.Body, error) {
	to, err := ident.ParseURI(q.Subject)
	if err != nil {
		return nil, err
	}
	var in hub.Input
	switch q.Endpoint {
	case mimi.EndpointKeyMaterial:
		in = hub.KeyMaterialRequest{From: p.domain, Body: body}
	case mimi.EndpointUpdate:
		in = hub.UpdateRequest{From: p.domain, Room: to, Body: body}
	case mimi.EndpointSubmitMessage:
		in = hub.SubmitMessageRequest{From: p.domain, Room: to, Body: body}
	default:
		return nil, fmt.Errorf("the checker's hub has no use for %s", q.Endpoint)
	}
	p.mu.Lock()
	out, err := p.atHub(in)
	p.mu.Unlock()
	if err != nil || out.Forward == nil {
		return out.Response, err
	}
	forward := *out.Forward
	if forward.To != p.r.cfg.Domain {
		return nil, fmt.Errorf("the checker asks the checked provider alone, not %s", forward.To)
	}
	a := p.ask(ctx, mimi.EndpointKeyMaterial, forward.Target.String(), forward.Body)
	if !a.accepted() {
		return nil, errors.New(a.String())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err = p.atHub(hub.KeyMaterialResponse{Provider: forward.To, Request: forward.Body, Body: a.body})
	return out.Response, err
}
