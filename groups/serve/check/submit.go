package check

import (
	"bytes"
	"context"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// submitSeen is what came of a message.
func submitSeen(m *mimi.SubmitMessageResponse, a *answer) string {
	if m == nil || a.err != nil {
		return a.String()
	}
	return m.StatusCode.String()
}

func (in *inRoom) post(ctx context.Context, by *peer, m *mimi.SubmitMessageRequest) (*mimi.SubmitMessageResponse, *answer) {
	return post[*mimi.SubmitMessageResponse](ctx, by, mimi.EndpointSubmitMessage, in.where.String(), m)
}

// refusesMessage is a check of a message that has to be refused by notAllowed.
func (in *inRoom) refusesMessage(id string, m *mimi.SubmitMessageResponse, a *answer) {
	switch {
	case a.refused():
		in.warn(id, "%v, where the draft has a code", a)
	case m == nil || a.err != nil:
		in.fail(id, "%v", a)
	default:
		in.holds(id, m.StatusCode == mimi.SubmitNotAllowed, "%v", m.StatusCode)
	}
}

// submit is Submit a Message (5.4).
func (in *inRoom) submit(ctx context.Context) {
	d := in.d
	late, _, err := d.protect("This message comes late.", true) // and is sent in another epoch
	if err == nil {
		defer func() { in.late(ctx, late) }()
	}
	words := "A check " + token()
	req, data, err := d.protect(words, true)
	if err != nil {
		in.skip("making a message: "+err.Error(), of("submitMessage", "submitMessage.removed")...)
		return
	}
	change := func(f func(*mimi.SubmitMessageRequest)) *mimi.SubmitMessageRequest {
		m := *req
		private := *req.AppMessage
		m.AppMessage = &private
		f(&m)
		return &m
	}
	m, a := in.post(ctx, in.b, change(func(m *mimi.SubmitMessageRequest) { m.SendingURI = in.nobody(in.b.domain) }))
	in.refusesMessage("submitMessage.stranger", m, a)
	other := mimi.IdentifierURI("mimi://" + in.cfg.Domain + "/u/" + "checker")
	if in.both {
		other = mimi.URI(in.c.user)
	} else if !in.cfg.User.IsZero() {
		other = mimi.URI(in.cfg.User)
	}
	m, a = in.post(ctx, in.b, change(func(m *mimi.SubmitMessageRequest) { m.SendingURI = other }))
	in.refusesMessage("submitMessage.other-provider", m, a)
	m, a = in.post(ctx, in.b, change(func(m *mimi.SubmitMessageRequest) { m.AppMessage.Epoch += 3 }))
	in.refusesMessage("submitMessage.future-epoch", m, a)
	m, a = in.post(ctx, in.b, change(func(m *mimi.SubmitMessageRequest) { m.AppMessage.GroupID = []byte("mimi://checker.invalid/g/other") }))
	in.refusesMessage("submitMessage.other-group", m, a)

	m, a = in.post(ctx, in.b, req)
	if m == nil || a.err != nil || m.StatusCode != mimi.SubmitAccepted {
		in.fail("submitMessage.accepted", "%s", submitSeen(m, a))
		return
	}
	in.pass("submitMessage.accepted", "%v", m.StatusCode)
	in.holds("submitMessage.timestamp", within(m.AcceptedTimestamp, in.now()), "accepted_timestamp %d", m.AcceptedTimestamp)
	in.frank(req, m, data)
	in.fanout(ctx, req, m, words)
	again, a := in.post(ctx, in.b, req)
	in.holds("submitMessage.repeated", a.refused() || again != nil && a.err == nil, "%s", submitSeen(again, a))
	in.unfranked(ctx)
}

// frank looks at the Frank of a message.
func (in *inRoom) frank(req *mimi.SubmitMessageRequest, m *mimi.SubmitMessageResponse, data []byte) {
	agent, err := mimi.FrankingAgentOf(in.d.group.Context(), nil)
	if err != nil || agent == nil {
		in.skip("the room has no franking_agent", "submitMessage.frank", "submitMessage.frank-signature", "submitMessage.unfranked")
		return
	}
	if m.Frank == nil {
		in.fail("submitMessage.frank", "none")
		in.skip("there is no Frank", "submitMessage.frank-signature")
		return
	}
	in.pass("submitMessage.frank", "in suite %d", m.Frank.FrankingSignatureCiphersuite)
	got := mimi.Received{
		Frank: m.Frank, AcceptedTimestamp: m.AcceptedTimestamp, ApplicationData: data,
		RoomID: mimi.URI(in.where), Sender: req.SendingURI, Agent: agent, Hub: in.cfg.Domain,
	}
	tag, err := mimi.FrankAADOf(req.AppMessage.AuthenticatedData, nil)
	if err == nil && tag != nil {
		got.FrankingTag = tag.FrankingTag
		if got.Content, err = mimi.Disclose(data); err == nil {
			err = got.Verify(in.suite)
		}
	}
	in.holds("submitMessage.frank-signature", err == nil, "%s", problem(err))
}

// fanout waits for a message at the other provider.
func (in *inRoom) fanout(ctx context.Context, req *mimi.SubmitMessageRequest, m *mimi.SubmitMessageResponse, words string) {
	if !in.both {
		in.skip("nobody at another provider is in the room", "submitMessage.fanout", "submitMessage.readable")
		return
	}
	want := encode(req.AppMessage)
	var f *mimi.FanoutMessage
	came := in.c.until(ctx, func() (ok bool) {
		f, ok = in.c.seen(in.where, func(f *mimi.FanoutMessage) bool {
			return f.Kind() == mimi.FanoutApplication && bytes.Equal(encode(f.Message.Private), want)
		})
		return ok
	})
	if !came {
		in.fail("submitMessage.fanout", "it does not come to %s in %v", in.c.domain, in.cfg.Timeout)
		return
	}
	franked := (f.Frank == nil) == (m.Frank == nil) && (f.Frank == nil || bytes.Equal(encode(f.Frank), encode(m.Frank)))
	in.holds("submitMessage.fanout", franked && f.Timestamp == m.AcceptedTimestamp, "timestamp %d, the response has %d; the same Frank: %t", f.Timestamp, m.AcceptedTimestamp, franked)
	read, ok := in.message(ctx, words)
	switch {
	case !ok:
		in.fail("submitMessage.readable", "%s", in.c.trouble())
	case read.Unfranked != nil && m.Frank != nil:
		in.fail("submitMessage.readable", "%v", read.Unfranked)
	default:
		in.pass("submitMessage.readable", "from %v", read.Sender)
	}
}

// message waits until the second peer's device has read a text.
func (in *inRoom) message(ctx context.Context, words string) (m member.Message, ok bool) {
	in.c.until(ctx, func() bool {
		m, ok = event(in.c, func(e member.Message) bool { return e.Room == in.where && said(&e) == words })
		return ok
	})
	return m, ok
}

// said is the text of a message.
func said(m *member.Message) string {
	if m.Content == nil {
		return ""
	}
	s, _ := m.Content.Body.PlainText()
	return s
}

// unfranked sends a message that does not ask for a Frank.
func (in *inRoom) unfranked(ctx context.Context) {
	req, _, err := in.d.protect("A check without a frank.", false)
	if err != nil {
		in.skip("making a message: "+err.Error(), "submitMessage.unfranked")
		return
	}
	m, a := in.post(ctx, in.b, req)
	ok := m != nil && a.err == nil && m.StatusCode == mimi.SubmitAccepted
	in.holds("submitMessage.unfranked", ok && m.Frank == nil, "%s; a Frank: %t", submitSeen(m, a), ok && m.Frank != nil)
}

// late sends a message of an epoch that is over by now: how many epochs late it may be
// is the room's, or the hub's.
func (in *inRoom) late(ctx context.Context, req *mimi.SubmitMessageRequest) {
	p, update, err := in.d.commit(nil)
	if err != nil || !in.accepts(ctx, "update.commit", p, update) {
		in.skip("no epoch could be begun", "submitMessage.old-epoch")
		return
	}
	m, a := in.post(ctx, in.b, req)
	switch epoch := in.d.group.Epoch(); {
	case m == nil || a.err != nil:
		in.fail("submitMessage.old-epoch", "%v", a)
	case m.StatusCode == mimi.SubmitEpochTooOld:
		in.holds("submitMessage.old-epoch", m.CurrentEpoch == epoch, "epochTooOld, currentEpoch %d; it is %d", m.CurrentEpoch, epoch)
	default:
		in.holds("submitMessage.old-epoch", m.StatusCode == mimi.SubmitAccepted, "%v", m.StatusCode)
	}
}
