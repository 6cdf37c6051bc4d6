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
	node
	// Reports are those of abuse that its hub has accepted.
	Reports []Report

	hub            *hub.Hub
	hubConfig      hub.Config
	hubStore       store
	follower       *follower.Follower
	followerConfig *follower.Config
	followerStore  store
	calls          map[callID]call // that devices have made, since it started
}

// callID names a call of a device.
type callID struct {
	client ident.URI
	id     uint64
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

// stepHub steps a hub as its shell does: then, and what it has to send, wait until its
// records are durable. So does an error, which may be about what another step did.
func (w *World) stepHub(p *Provider, in hub.Input, then func(hub.Output, error)) {
	out, err := p.hub.Step(w.Time(), in)
	if err != nil {
		w.commit(&p.node, entry{leave: []func(){func() { then(hub.Output{}, err) }}})
		return
	}
	w.countHub(&out)
	var told func()
	if w.watch.hub != nil {
		said := out
		said.Persist = slices.Clone(out.Persist)
		told = func() { w.watch.hub(p, in, &said) }
	}
	if w.plant.hub != nil {
		w.plant.hub(p, in, &out)
	}
	if w.watch.record != nil {
		w.watch.record(p, out.Persist)
	}
	w.wakeAt("hub "+p.Domain, out.WakeAt, func() { w.stepHub(p, hub.Wake{}, w.mustHub("wake")) })
	out.Sends = slices.Clone(out.Sends)
	send := func() {
		for _, s := range out.Sends {
			w.notify(p, s)
		}
	}
	answer := func() {
		if out.Report != nil {
			p.Reports = append(p.Reports, Report{At: w.Now(), Frames: len(w.frames), Report: out.Report})
		}
		then(out, nil)
	}
	e := entry{store: p.hubStore, records: out.Persist, told: told, leave: []func(){send, answer}}
	if w.faults != nil {
		e.leave = []func(){answer}
		for _, s := range out.Sends {
			e.leave = append(e.leave, func() { w.notify(p, s) })
		}
	}
	w.commit(&p.node, e)
}

// countHub counts what a hub has said.
func (w *World) countHub(out *hub.Output) {
	switch r := out.Response.(type) {
	case *mimi.UpdateRoomResponse:
		if r.ResponseCode == mimi.UpdateWrongEpoch {
			w.counts.LostRaces++
		} else if r.ResponseCode != mimi.UpdateSuccess {
			w.counts.Refusals++
		}
	case *mimi.SubmitMessageResponse:
		if r.StatusCode != mimi.SubmitAccepted {
			w.counts.Refusals++
		}
	}
}

// notify makes a request to notify, and tells the hub what became of it.
func (w *World) notify(p *Provider, s hub.Send) {
	e, _ := mimi.FindEndpoint(mimi.EndpointNotify)
	w.request(p, s.To, e, s.Room.String(), s.Body, func(status int, _ []byte, _ error) {
		var in hub.Input = hub.Delivered{Room: s.Room, To: s.To, Last: s.Last}
		if !slices.Contains(e.Success, status) {
			in = hub.DeliveryFailed{Room: s.Room, To: s.To, Last: s.Last}
			w.counts.Repeated++
		}
		w.stepHub(p, in, w.mustHub("notify"))
	})
}

// stepFollower steps a follower as its shell does, see stepHub.
func (w *World) stepFollower(p *Provider, in follower.Input, then func(follower.Body, error)) {
	out, err := p.follower.Step(w.Time(), in)
	if err != nil {
		w.commit(&p.node, entry{leave: []func(){func() { then(nil, err) }}})
		return
	}
	if w.plant.follower != nil {
		w.plant.follower(p, in, &out)
	}
	if w.watch.record != nil {
		w.watch.record(p, out.Persist)
	}
	w.wakeAt("follower "+p.Domain, out.WakeAt, func() { w.stepFollower(p, follower.Wake{}, w.must("wake")) })
	e := entry{store: p.followerStore, records: out.Persist}
	response := out.Response
	answer := func() { then(response, nil) }
	if w.faults != nil {
		e.leave = append(e.leave, answer)
	}
	for _, r := range out.Requests {
		e.leave = append(e.leave, func() { w.ask(p, r) })
	}
	for _, r := range out.Replies {
		e.leave = append(e.leave, func() { w.reply(p, r) })
	}
	for _, d := range out.Deliveries {
		// To the connection that there is now: on another one all of it comes again.
		s := w.device(d.Client).session
		e.leave = append(e.leave, func() { w.deliver(s, d) })
	}
	if w.faults == nil {
		e.leave = append(e.leave, answer)
	}
	w.commit(&p.node, e)
}

// ask makes a request for a client of the provider.
func (w *World) ask(p *Provider, r follower.Request) {
	e, _ := mimi.FindEndpoint(r.Endpoint)
	body, err := wire.Marshal(r.Body)
	if err != nil {
		w.fail(err)
		return
	}
	w.request(p, r.To, e, r.Subject, body, func(status int, body []byte, why error) {
		a := follower.Answer{ID: r.ID, Err: why}
		if why == nil {
			a.Body, a.Err = parseResponse(e, body)
		}
		w.stepFollower(p, a, w.must("answer"))
	})
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

var (
	errBroken  = errors.New("the connection broke")
	errTimeout = errors.New("no response in time")
)

// request makes a request of a provider, at itself without a frame. Its answer comes
// once, and not at all if the provider stops.
func (w *World) request(p *Provider, to string, e *mimi.Endpoint, subject string, body []byte, answer answerFunc) {
	t, err := w.provider(to)
	if err != nil {
		w.within(&p.node, func() { answer(502, nil, err) })
		return
	}
	if t == p {
		w.within(&p.node, func() {
			w.serve(t, p.Domain, e, subject, body, func(status int, body []byte, why error) {
				w.within(&p.node, func() { answer(status, body, why) })
			})
		})
		return
	}
	w.roundTrip(p, t, e, subject, body, answer)
}

// roundTrip makes a request of another provider. What comes twice is served twice, and
// an answer that comes when nobody waits for it any more is lost.
func (w *World) roundTrip(p, t *Provider, e *mimi.Endpoint, subject string, body []byte, answer answerFunc) {
	open, lives := true, p.lives
	var timeout des.ID
	once := func(status int, body []byte, why error) {
		if open && p.lives == lives {
			open = false
			w.cancelTimer(timeout)
			answer(status, body, why)
		}
	}
	lost := func() { once(502, nil, errBroken) }
	if w.faults != nil {
		timeout = w.timer(w.now().Add(w.faults.Timeout), func() {
			if open && p.lives == lives {
				w.counts.Timeouts++
			}
			once(502, nil, errTimeout)
		})
	}
	ask := Frame{From: p.Domain, To: t.Domain, Kind: Request, Endpoint: e.Name, Subject: subject, Struct: e.Request, Body: body}
	times := 0
	w.send(nil, ask, func(f *Frame, forget bool) {
		if t.down {
			w.counts.LostRequests++
			lost()
			return
		}
		if times++; times > 1 {
			w.counts.Twice++
		}
		life := t.lives
		reply := func(status int, body []byte, why error) {
			if t.lives != life {
				return // it has stopped meanwhile
			}
			r := Frame{From: t.Domain, To: p.Domain, Kind: Response, Endpoint: e.Name, Answers: f.Number, Status: status, Body: body}
			if why != nil {
				r.Reason = why.Error()
			} else if len(body) > 0 {
				r.Struct = e.Response
			}
			w.send(nil, r, func(f *Frame, _ bool) {
				if !open || p.lives != lives {
					w.counts.LostAnswers++
				}
				var why error
				if f.Reason != "" {
					why = &follower.Refusal{Status: f.Status, Reason: f.Reason}
				}
				once(f.Status, f.Body, why)
			}, func() { w.counts.LostAnswers++; lost() })
		}
		if forget {
			reply(e.Success[0], nil, nil)
			return
		}
		w.serve(t, f.From, e, f.Subject, f.Body, reply)
	}, func() { w.counts.LostRequests++; lost() })
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
	follow := func(body follower.Body, err error) { done(body, err) }
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
			w.stepFollower(p, follower.ClaimKeyMaterial{From: from, Request: req}, follow)
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
		w.stepFollower(p, follower.Notify{From: from, Room: room, Messages: req}, follow)
		return
	case *mimi.ConsentEntry:
		w.stepFollower(p, follower.Consent{From: from, Endpoint: e.Name, Entry: req}, follow)
		return
	case *mimi.IdentifierRequest:
		w.stepFollower(p, follower.FindUsers{From: from, Request: req}, follow)
		return
	}
	w.stepHub(p, in, func(out hub.Output, err error) {
		if err != nil || out.Forward == nil {
			done(out.Response, err)
			return
		}
		w.forward(p, e, out.Forward, done)
	})
}

// forward passes a request for key material on, which the hub is told the answer of.
func (w *World) forward(p *Provider, e *mimi.Endpoint, f *hub.Forward, done func(wire.Marshaler, error)) {
	to, body := f.To, bytes.Clone(f.Body)
	answer := func(status int, got []byte, why error) {
		if why != nil {
			done(nil, &follower.Refusal{Status: status, Reason: why.Error()})
			return
		}
		w.stepHub(p, hub.KeyMaterialResponse{Provider: to, Request: body, Body: got}, func(out hub.Output, err error) {
			done(out.Response, err)
		})
	}
	if to != p.Domain {
		w.request(p, to, e, f.Target.String(), body, answer)
		return
	}
	w.within(&p.node, func() {
		req, err := mimi.ParseKeyMaterialRequest(body)
		if err != nil {
			answer(statusOf(err), nil, err)
			return
		}
		w.stepFollower(p, follower.ClaimKeyMaterial{From: p.Domain, Request: req}, func(resp follower.Body, err error) {
			var b []byte
			if err == nil {
				b, err = wire.Marshal(resp)
			}
			if err != nil {
				answer(statusOf(err), nil, err)
				return
			}
			answer(200, b, nil)
		})
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

// reply answers a client's call, if it still has the connection.
func (w *World) reply(p *Provider, r follower.Reply) {
	d := w.device(r.Client)
	c := p.calls[callID{r.Client, r.ID}]
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
	w.send(d.session, f, func(f *Frame, forget bool) {
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
		delete(d.calls, r.ID)
		w.stepDevice(d, in)
	}, nil)
}

// deliver gives a client an event on a connection.
func (w *World) deliver(s *session, del follower.Delivery) {
	if s == nil {
		w.fail(fmt.Errorf("delivery to %v, which was never connected", del.Client))
		return
	}
	d := s.device
	f := Frame{From: d.provider.Domain, To: d.Name, Kind: Delivery, Subject: del.Room.String(), Struct: "FanoutMessage", Seq: del.Seq, Mailbox: del.Room.IsZero(), Body: del.Body}
	if del.Room.IsZero() {
		f.Subject = del.About.String()
		if del.About.IsZero() {
			f.Struct = "ConsentEntry"
		}
	}
	w.send(s, f, func(f *Frame, forget bool) {
		w.counts.Deliveries++
		if !forget {
			w.stepDevice(d, member.Delivered{Room: del.Room, Seq: del.Seq, About: del.About, Body: f.Body})
		}
	}, nil)
}
