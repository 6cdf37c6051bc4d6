package check

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// followed is a request to notify that the checker's hub has made.
type followed struct {
	body   []byte
	kinds  []mimi.FanoutKind
	answer *answer
}

// deliver sends what the own hub has for the checked provider, and tells the hub what
// came of it. A request is made once: what fails is seen.
func (p *peer) deliver(ctx context.Context) (list []followed) {
	for {
		p.mu.Lock()
		sends := p.sends
		p.sends = nil
		p.mu.Unlock()
		if len(sends) == 0 {
			return list
		}
		for _, s := range sends {
			f := followed{body: s.Body}
			if s.To != p.r.cfg.Domain {
				continue
			}
			events, err := mimi.ParseFanoutMessages(s.Body, nil)
			if err != nil {
				continue
			}
			for i := range events {
				f.kinds = append(f.kinds, events[i].Kind())
			}
			f.answer = p.ask(ctx, mimi.EndpointNotify, s.Room.String(), s.Body)
			list = append(list, f)
			p.mu.Lock()
			_, err = p.atHub(hub.Delivered{Room: s.Room, To: s.To, Last: s.Last})
			if err != nil && p.broken == nil {
				p.broken = err
			}
			p.mu.Unlock()
		}
	}
}

// text is a message.
func text(s string) *content.Message { return &content.Message{Body: content.Text(s)} }

// checkFollower is what the provider does with the events of a room of another's hub
// (Fanout Messages and Room Events, 5.5): the checker's, which has the user added.
func (r *run) checkFollower(ctx context.Context) {
	ids := []string{"notify.welcome", "notify.message", "notify.duplicate", "notify.batch", "notify.commit"}
	r.otherHub(ctx)
	if r.cfg.User.IsZero() {
		r.skip("no user was given", ids...)
		return
	}
	if r.verdict("keyMaterial.found") != Pass {
		r.skip("there is no key material of the user", ids...)
		return
	}
	where, err := ident.NewURI(ident.KindRoom, r.b.domain, "check-"+token()[:8])
	if err != nil {
		r.skip(err.Error(), ids...)
		return
	}
	b := r.b
	b.do(ctx, member.CreateRoom{
		Room: where, Policy: "administered", Metadata: room.RoomMetaData{Name: "A check of " + r.cfg.Domain},
		Hub:           message.ExternalSender{SignatureKey: b.hubID.Signer.Public, Credential: b.hubID.Credential},
		FrankingAgent: &mimi.FrankingAgentData{FrankingSignatureKey: b.franking.Public, Credential: b.hubID.Credential},
	})
	b.do(ctx, member.AddUser{Room: where, User: r.cfg.User, Role: 2})
	sent := b.deliver(ctx)
	i := slices.IndexFunc(sent, func(f followed) bool { return slices.Contains(f.kinds, mimi.FanoutWelcome) })
	if i < 0 {
		r.skip("the user could not be added to a room: "+b.trouble(), ids...)
		return
	}
	r.notified("notify.welcome", sent[i].answer)

	b.do(ctx, member.Send{Room: where, Message: text("This is a check of your provider. Please ignore it.")})
	sent = b.deliver(ctx)
	if len(sent) == 0 {
		r.skip("no message was made: "+b.trouble(), "notify.message", "notify.duplicate")
	} else {
		r.notified("notify.message", sent[0].answer)
		r.notified("notify.duplicate", b.ask(ctx, mimi.EndpointNotify, where.String(), sent[0].body))
	}
	r.batch(ctx, where)

	b.do(ctx, member.RemoveUser{Room: where, User: r.cfg.User})
	sent = b.deliver(ctx)
	if len(sent) == 0 {
		r.skip("no Commit was made: "+b.trouble(), "notify.commit")
		return
	}
	r.notified("notify.commit", sent[len(sent)-1].answer)
}

// trouble says what the device has failed at.
func (p *peer) trouble() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken.Error()
	}
	if f, ok := event[member.Failed](p, nil); ok {
		return fmt.Sprintf("%s: %v", f.What, f.Why)
	}
	if f, ok := event[member.Refused](p, nil); ok {
		return fmt.Sprintf("%s: %v", f.What, f.Why)
	}
	return "nothing came"
}

// notified is a check of an answer to notify, which is 201, or 200 as in the draft's
// figures.
func (r *run) notified(id string, a *answer) {
	switch {
	case a.err == nil && a.status == 201:
		r.pass(id, "%v", a)
	case a.err == nil && a.status == 200:
		r.warn(id, "%v, where the text has 201 and the figures 200", a)
	default:
		r.fail(id, "%v", a)
	}
}

// batch sends two events in one request: those that waited while one was under way.
func (r *run) batch(ctx context.Context, where ident.URI) {
	b := r.b
	for i := range 3 {
		b.do(ctx, member.Send{Room: where, Message: text(fmt.Sprintf("Part %d of a check of your provider.", i+1))})
	}
	for _, f := range b.deliver(ctx) {
		if len(f.kinds) > 1 {
			r.notified("notify.batch", f.answer)
			return
		}
	}
	r.skip("no batch was made: "+b.trouble(), "notify.batch")
}

// otherHub sends an event of a room whose hub is another than who sends it.
func (r *run) otherHub(ctx context.Context) {
	a := r.b.ask(ctx, mimi.EndpointNotify, "mimi://checker.invalid/r/elsewhere", r.sample(mimi.EndpointNotify))
	switch {
	case a.refused():
		r.pass("notify.other-hub", "%v", a)
	case a.accepted():
		r.warn("notify.other-hub", "%v: it can't be seen whether the event counts", a)
	default:
		r.fail("notify.other-hub", "%v", a)
	}
}

// same reports whether two lists of messages are written alike.
func same(a, b []message.Message) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(encode(&a[i]), encode(&b[i])) {
			return false
		}
	}
	return true
}
