package rooms

import (
	"bytes"
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
	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Provider is a provider's hub and follower, with their records.
type Provider struct {
	Domain string
	// Reports are those of abuse that its hub has accepted.
	Reports []Report

	hub            *hub.Hub
	hubConfig      hub.Config
	hubStore       store
	follower       *follower.Follower
	followerConfig *follower.Config
	followerStore  store
}

// Report is one of abuse, as the hub's provider has it.
type Report struct {
	At des.Time
	// Frames is how many had been sent by then.
	Frames int
	*hub.Report
}

// ExternalSender is what the provider's hub signs its proposals with.
func (p *Provider) ExternalSender() message.ExternalSender {
	return message.ExternalSender{SignatureKey: p.hubConfig.Identity.Signer.Public, Credential: p.hubConfig.Identity.Credential}
}

// FrankingAgent is who stamps the messages of the provider's rooms.
func (p *Provider) FrankingAgent() *mimi.FrankingAgentData {
	return &mimi.FrankingAgentData{FrankingSignatureKey: p.hubConfig.Franking.Public, Credential: p.hubConfig.Identity.Credential}
}

// answerFunc takes the answer to a request: its body if the status is one of
// success, else why it was refused.
type answerFunc func(status int, body []byte, why error)

// stepHub steps a hub as its shell does.
func (w *World) stepHub(p *Provider, in hub.Input) (hub.Output, error) {
	out, err := p.hub.Step(w.Time(), in)
	if err != nil {
		return out, err
	}
	p.hubStore.apply(out.Persist)
	if out.Report != nil {
		p.Reports = append(p.Reports, Report{At: w.Now(), Frames: len(w.frames), Report: out.Report})
	}
	for _, s := range out.Sends {
		s.Body = slices.Clone(s.Body)
		w.notify(p, s)
	}
	w.wakeAt("hub "+p.Domain, out.WakeAt, func() {
		if _, err := w.stepHub(p, hub.Wake{}); err != nil {
			w.fail(err)
		}
	})
	return out, nil
}

// notify makes a request to notify, and tells the hub what became of it.
func (w *World) notify(p *Provider, s hub.Send) {
	e, _ := mimi.FindEndpoint(mimi.EndpointNotify)
	w.request(p, s.To, e, s.Room.String(), s.Body, func(status int, _ []byte, _ error) {
		var in hub.Input = hub.Delivered{Room: s.Room, To: s.To, Last: s.Last}
		if !slices.Contains(e.Success, status) {
			in = hub.DeliveryFailed{Room: s.Room, To: s.To, Last: s.Last}
		}
		if _, err := w.stepHub(p, in); err != nil {
			w.fail(err)
		}
	})
}

// stepFollower steps a follower as its shell does.
func (w *World) stepFollower(p *Provider, in follower.Input) (follower.Body, error) {
	out, err := p.follower.Step(w.Time(), in)
	if err != nil {
		return nil, err
	}
	p.followerStore.apply(out.Persist)
	for _, r := range out.Requests {
		e, _ := mimi.FindEndpoint(r.Endpoint)
		body, err := wire.Marshal(r.Body)
		if err != nil {
			w.fail(err)
			break
		}
		w.request(p, r.To, e, r.Subject, body, func(status int, body []byte, why error) {
			a := follower.Answer{ID: r.ID, Err: why}
			if why == nil {
				a.Body, a.Err = parseResponse(e, body)
			}
			if _, err := w.stepFollower(p, a); err != nil {
				w.fail(err)
			}
		})
	}
	for _, r := range out.Replies {
		w.reply(p, r)
	}
	for _, d := range out.Deliveries {
		w.deliver(p, d)
	}
	w.wakeAt("follower "+p.Domain, out.WakeAt, func() {
		if _, err := w.stepFollower(p, follower.Wake{}); err != nil {
			w.fail(err)
		}
	})
	return out.Response, nil
}

// parseResponse reads the body of a response, if the endpoint has any.
func parseResponse(e *mimi.Endpoint, body []byte) (follower.Body, error) {
	if e.Response == "" {
		return nil, nil
	}
	v, err := e.ParseResponse(body, nil)
	if err != nil {
		return nil, err
	}
	return v.(follower.Body), nil
}

var errBroken = errors.New("the connection broke")

// request makes a request of a provider, at itself without a frame.
func (w *World) request(p *Provider, to string, e *mimi.Endpoint, subject string, body []byte, answer answerFunc) {
	t, err := w.provider(to)
	if err != nil {
		w.soon(func() { answer(502, nil, err) })
		return
	}
	if t == p {
		w.soon(func() {
			w.serve(t, p.Domain, e, subject, body, func(status int, body []byte, why error) {
				w.soon(func() { answer(status, body, why) })
			})
		})
		return
	}
	lost := func() { answer(502, nil, errBroken) }
	ask := Frame{From: p.Domain, To: to, Kind: Request, Endpoint: e.Name, Subject: subject, Struct: e.Request, Body: body}
	w.send(ask, func(f *Frame, forget bool) {
		reply := func(status int, body []byte, why error) {
			r := Frame{From: to, To: p.Domain, Kind: Response, Endpoint: e.Name, Answers: f.Number, Status: status, Body: body}
			if why != nil {
				r.Reason = why.Error()
			} else if len(body) > 0 {
				r.Struct = e.Response
			}
			w.send(r, func(f *Frame, _ bool) {
				var why error
				if f.Reason != "" {
					why = &follower.Refusal{Status: f.Status, Reason: f.Reason}
				}
				answer(f.Status, f.Body, why)
			}, lost)
		}
		if forget {
			reply(e.Success[0], nil, nil)
			return
		}
		w.serve(t, f.From, e, f.Subject, f.Body, reply)
	}, lost)
}

// serve answers a request to a provider, as its endpoints do.
func (w *World) serve(p *Provider, from string, e *mimi.Endpoint, subject string, body []byte, answer answerFunc) {
	done := func(resp wire.Marshaler, err error) {
		var b []byte
		if err == nil && e.Response != "" {
			b, err = wire.Marshal(resp)
		}
		if err != nil {
			answer(statusOf(err), nil, err)
			return
		}
		answer(e.Success[0], b, nil)
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
		if u, ok := req.RoomID.Is(ident.KindRoom); !ok || u.Provider() != p.Domain {
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
	case *mimi.AbuseReport:
		in = hub.ReportAbuse{From: from, Room: room, Body: body}
	case []mimi.FanoutMessage:
		done(w.stepFollower(p, follower.Notify{From: from, Room: room, Messages: req}))
		return
	case *mimi.ConsentEntry:
		done(w.stepFollower(p, follower.Consent{From: from, Endpoint: e.Name, Entry: req}))
		return
	case *mimi.IdentifierRequest:
		done(w.stepFollower(p, follower.FindUsers{From: from, Request: req}))
		return
	}
	out, err := w.stepHub(p, in)
	if err != nil || out.Forward == nil {
		done(out.Response, err)
		return
	}
	w.forward(p, e, out.Forward, done)
}

// forward passes a request for key material on, which the hub is told the answer of.
func (w *World) forward(p *Provider, e *mimi.Endpoint, f *hub.Forward, done func(wire.Marshaler, error)) {
	to, body := f.To, bytes.Clone(f.Body)
	answer := func(status int, got []byte, why error) {
		if why != nil {
			done(nil, &follower.Refusal{Status: status, Reason: why.Error()})
			return
		}
		out, err := w.stepHub(p, hub.KeyMaterialResponse{Provider: to, Request: body, Body: got})
		done(out.Response, err)
	}
	if to != p.Domain {
		w.request(p, to, e, f.Target.String(), body, answer)
		return
	}
	w.soon(func() {
		req, err := mimi.ParseKeyMaterialRequest(body)
		if err == nil {
			var resp follower.Body
			if resp, err = w.stepFollower(p, follower.ClaimKeyMaterial{From: p.Domain, Request: req}); err == nil {
				var b []byte
				if b, err = wire.Marshal(resp); err == nil {
					answer(200, b, nil)
					return
				}
			}
		}
		answer(statusOf(err), nil, err)
	})
}

// statusOf returns the HTTP status code that an error is answered with.
func statusOf(err error) int {
	var h *hub.Error
	var f *follower.Refusal
	switch {
	case errors.As(err, &h):
		return int(h.Status)
	case errors.As(err, &f):
		return f.Status
	}
	return 500
}

// reply answers a client's call.
func (w *World) reply(p *Provider, r follower.Reply) {
	d := w.device(r.Client)
	c := d.calls[r.ID]
	delete(d.calls, r.ID)
	e, _ := mimi.FindEndpoint(c.endpoint)
	f := Frame{From: p.Domain, To: d.Name, Kind: Reply, Endpoint: c.endpoint, Answers: c.frame}
	if r.Err != nil {
		f.Reason = r.Err.Error()
	} else if r.Body != nil {
		b, err := wire.Marshal(r.Body)
		if err != nil {
			w.fail(err)
			return
		}
		f.Body, f.Struct = b, e.Response
	}
	w.send(f, func(f *Frame, forget bool) {
		if forget {
			return
		}
		in := member.Replied{ID: r.ID, Err: r.Err}
		if r.Err == nil && f.Struct != "" {
			var v follower.Body
			if v, in.Err = parseResponse(e, f.Body); in.Err == nil {
				in.Body = v
			}
		}
		w.stepDevice(d, in)
	}, func() { w.stepDevice(d, member.Replied{ID: r.ID, Err: errBroken}) })
}

// deliver gives a client an event. If its connection breaks, the follower learns it,
// and sends again what the client has not acknowledged.
func (w *World) deliver(p *Provider, del follower.Delivery) {
	d := w.device(del.Client)
	f := Frame{From: p.Domain, To: d.Name, Kind: Delivery, Subject: del.Room.String(), Struct: "FanoutMessage", Body: bytes.Clone(del.Body)}
	if del.Room.IsZero() {
		f.Subject = del.About.String()
		if del.About.IsZero() {
			f.Struct = "ConsentEntry"
		}
	}
	w.send(f, func(f *Frame, forget bool) {
		if !forget {
			w.stepDevice(d, member.Delivered{Room: del.Room, Seq: del.Seq, About: del.About, Body: f.Body})
		}
	}, func() {
		for _, in := range []follower.Input{follower.Disconnect{Client: del.Client}, follower.Connect{Client: del.Client}} {
			if _, err := w.stepFollower(p, in); err != nil {
				w.fail(fmt.Errorf("%T: %w", in, err))
			}
		}
	})
}
