package bridge

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// provider is a provider's hub and follower.
type provider struct {
	domain    string
	hub       *hub.Hub
	hubConfig hub.Config
	follower  *follower.Follower
	store     *store
}

func (p *provider) externalSender() message.ExternalSender {
	return message.ExternalSender{SignatureKey: p.hubConfig.Identity.Signer.Public, Credential: p.hubConfig.Identity.Credential}
}

func (p *provider) frankingAgent() *mimi.FrankingAgentData {
	return &mimi.FrankingAgentData{FrankingSignatureKey: p.hubConfig.Franking.Public, Credential: p.hubConfig.Identity.Credential}
}

// answerFunc takes the answer to a request, or why it was refused.
type answerFunc func(body []byte, why error)

// stepHub steps a hub as its shell does.
func (w *World) stepHub(p *provider, in hub.Input) (hub.Output, error) {
	out, err := p.hub.Step(w.Time(), in)
	if err != nil {
		return out, err
	}
	p.store.apply(out.Persist)
	for _, s := range out.Sends {
		e, _ := mimi.FindEndpoint(mimi.EndpointNotify)
		w.request(p, s.To, e, s.Room.String(), slices.Clone(s.Body), func(_ []byte, why error) {
			var in hub.Input = hub.Delivered{Room: s.Room, To: s.To, Last: s.Last}
			if why != nil {
				in = hub.DeliveryFailed{Room: s.Room, To: s.To, Last: s.Last}
			}
			if _, err := w.stepHub(p, in); err != nil {
				w.fail(err)
			}
		})
	}
	w.wakeAt("hub "+p.domain, out.WakeAt, func() {
		if _, err := w.stepHub(p, hub.Wake{}); err != nil {
			w.fail(err)
		}
	})
	return out, nil
}

// stepFollower steps a follower as its shell does.
func (w *World) stepFollower(p *provider, in follower.Input) (follower.Body, error) {
	out, err := p.follower.Step(w.Time(), in)
	if err != nil {
		return nil, err
	}
	p.store.apply(out.Persist)
	for _, r := range out.Requests {
		e, _ := mimi.FindEndpoint(r.Endpoint)
		body, err := wire.Marshal(r.Body)
		if err != nil {
			w.fail(err)
			break
		}
		w.request(p, r.To, e, r.Subject, body, func(body []byte, why error) {
			a := follower.Answer{ID: r.ID, Err: why}
			if why == nil && e.Response != "" {
				v, err := e.ParseResponse(body, nil)
				if a.Err = err; err == nil {
					a.Body = v.(follower.Body)
				}
			}
			if _, err := w.stepFollower(p, a); err != nil {
				w.fail(err)
			}
		})
	}
	for _, r := range out.Replies {
		var body []byte
		if r.Err == nil && r.Body != nil {
			if body, err = wire.Marshal(r.Body); err != nil {
				w.fail(err)
				break
			}
		}
		w.toClient(p, r.Client, "reply", body, member.Replied{ID: r.ID, Body: r.Body, Err: r.Err})
	}
	for _, d := range out.Deliveries {
		what := "event"
		if d.Room.IsZero() {
			what = "consent"
			if !d.About.IsZero() {
				what = "Welcome"
			}
		}
		body := slices.Clone(d.Body)
		w.toClient(p, d.Client, what, body, member.Delivered{Room: d.Room, Seq: d.Seq, About: d.About, Body: body})
	}
	w.wakeAt("follower "+p.domain, out.WakeAt, func() {
		if _, err := w.stepFollower(p, follower.Wake{}); err != nil {
			w.fail(err)
		}
	})
	return out.Response, nil
}

// toClient sends a frame to a client, which is a device or one of the gateway's.
func (w *World) toClient(p *provider, client ident.URI, what string, body []byte, in member.Input) {
	f := Frame{From: p.domain, What: what, Body: body}
	if d := w.deviceOf(client); d != nil {
		f.To = d.Name
		w.send(f, func([]byte) { w.stepDevice(d, in) })
		return
	}
	g := w.gateway
	f.To = g.node
	session := g.session
	w.send(f, func([]byte) {
		if g.session == session && (w.forget == nil || !w.forget(what)) {
			w.stepGateway(forClient(client, in))
		}
	})
}

// request makes a request of a provider, at itself without a frame.
func (w *World) request(p *provider, to string, e *mimi.Endpoint, subject string, body []byte, answer answerFunc) {
	t := w.providers[to]
	if t == nil {
		w.soon(func() { answer(nil, fmt.Errorf("no provider %q", to)) })
		return
	}
	if t == p {
		w.soon(func() {
			w.serve(t, p.domain, e, subject, body, func(body []byte, why error) { w.soon(func() { answer(body, why) }) })
		})
		return
	}
	w.send(Frame{From: p.domain, To: to, What: string(e.Name), Note: e.Request, Body: body}, func(body []byte) {
		w.serve(t, p.domain, e, subject, body, func(body []byte, why error) {
			what := "200"
			if why != nil {
				what = why.Error()
			}
			w.send(Frame{From: to, To: p.domain, What: what, Body: body}, func(body []byte) { answer(body, why) })
		})
	})
}

// serve answers a request to a provider, as its endpoints do.
func (w *World) serve(p *provider, from string, e *mimi.Endpoint, subject string, body []byte, answer answerFunc) {
	done := func(resp wire.Marshaler, err error) {
		var b []byte
		if err == nil && e.Response != "" {
			b, err = wire.Marshal(resp)
		}
		answer(b, refusal(err))
	}
	req, err := e.ParseRequest(body, nil)
	if err != nil {
		done(nil, &hub.Error{Status: hub.Malformed, Err: err})
		return
	}
	room, _ := ident.ParseURI(subject)
	var in hub.Input
	switch req := req.(type) {
	case *mimi.KeyMaterialRequest:
		if u, ok := req.RoomID.Is(ident.KindRoom); !ok || u.Provider() != p.domain {
			done(w.stepFollower(p, follower.ClaimKeyMaterial{From: from, Request: req}))
			return
		}
		in = hub.KeyMaterialRequest{From: from, Body: body}
	case *mimi.UpdateRequest:
		in = hub.UpdateRequest{From: from, Room: room, Body: body}
	case *mimi.SubmitMessageRequest:
		in = hub.SubmitMessageRequest{From: from, Room: room, Body: body}
	case *mimi.GroupInfoRequest:
		in = hub.GroupInfoRequest{From: from, Room: room, Body: body}
	case []mimi.FanoutMessage:
		done(w.stepFollower(p, follower.Notify{From: from, Room: room, Messages: req}))
		return
	case *mimi.ConsentEntry:
		done(w.stepFollower(p, follower.Consent{From: from, Endpoint: e.Name, Entry: req}))
		return
	default:
		done(nil, &follower.Refusal{Status: 501, Reason: "not in this world"})
		return
	}
	out, err := w.stepHub(p, in)
	if err != nil || out.Forward == nil {
		done(out.Response, err)
		return
	}
	to, asked := out.Forward.To, slices.Clone(out.Forward.Body)
	answered := func(got []byte, why error) {
		if why != nil {
			answer(nil, why)
			return
		}
		out, err := w.stepHub(p, hub.KeyMaterialResponse{Provider: to, Request: asked, Body: got})
		done(out.Response, err)
	}
	if to != p.domain {
		w.request(p, to, e, out.Forward.Target.String(), asked, answered)
		return
	}
	w.soon(func() { // of its own follower, which the room's hub would pass it on to again
		req, err := mimi.ParseKeyMaterialRequest(asked)
		var resp follower.Body
		if err == nil {
			resp, err = w.stepFollower(p, follower.ClaimKeyMaterial{From: p.domain, Request: req})
		}
		if err != nil {
			answered(nil, refusal(err))
			return
		}
		answered(marshal(w, resp), nil)
	})
}

// refusal is an error as it comes out of an HTTP response.
func refusal(err error) error {
	var h *hub.Error
	var f *follower.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &h):
		return &follower.Refusal{Status: int(h.Status), Reason: h.Error()}
	case errors.As(err, &f):
		return f
	}
	return &follower.Refusal{Status: 500, Reason: err.Error()}
}
