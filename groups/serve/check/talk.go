package check

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// watched are the checks that need somebody at another provider who watches.
var watched = []string{
	"update.add", "update.no-welcome", "update.welcome", "update.welcome-route", "update.repeated", "update.proposals", "update.more-proposals",
	"update.cached", "update.leave", "update.removed-told", "submitMessage.fanout", "submitMessage.readable", "submitMessage.removed",
	"groupInfo.pending", "reportAbuse.accepted", "reportAbuse.forged", "reportAbuse.other-provider", "notify.order", "notify.once", "notify.retry",
	"notify.retry-after", "notify.retry-bytes", "notify.withheld", "keyMaterial.via-hub", "keyMaterial.via-hub-outsider",
}

// add adds the user of the second peer (Bob adds Cathy to the Room, 3.3).
func (in *inRoom) add(ctx context.Context) {
	if in.c == nil {
		in.skip("there is no second peer", watched...)
		return
	}
	d, user := in.d, in.c.user
	if in.state == nil {
		in.skip("the room's state is not known", watched...)
		return
	}
	_, listed := in.state.Find(user.String())
	in.outsider(ctx, listed)
	role, ok := in.roleFor(user.String())
	if !listed && !ok {
		in.skip("the room's policy does not let "+in.b.user.String()+" add a user who may speak", watched...)
		return
	}
	keys := in.viaHub(ctx)
	if len(keys) == 0 {
		in.skip("there is no key material to add the second user with", watched...)
		return
	}
	var list []message.Proposal
	if !listed {
		p, err := d.participants(nil, nil, []room.UserRolePair{{User: user.String(), Role: role}})
		if err != nil {
			in.skip(err.Error(), watched...)
			return
		}
		list = append(list, p)
	}
	for _, k := range keys {
		list = append(list, mls.AddProposal(k))
	}
	pending, update, err := d.commit(nil, list...)
	if err != nil {
		in.skip("making the Commit: "+err.Error(), watched...)
		return
	}
	if bad, err := spoiled(update, func(b *mimi.HandshakeBundle) { b.Welcome = nil }); err == nil {
		m, a := d.update(ctx, in.b, bad)
		in.refusesUpdate("update.no-welcome", m, a)
	}
	before := in.b.counts(in.where, mimi.FanoutWelcome) // by which the checker came itself
	if !in.accepts(ctx, "update.add", pending, update) {
		in.skip("the second user could not be added", watched...)
		return
	}
	in.added = true
	in.welcome(ctx, update, before)
}

// outsider asks for key material for a room that the asking user is no participant of.
func (in *inRoom) outsider(ctx context.Context, listed bool) {
	if listed {
		in.skip(in.c.user.String()+" is a participant", "keyMaterial.via-hub-outsider")
		return
	}
	_, id, err := in.c.newClient(in.cfg.Name, "claimer")
	if err != nil {
		in.skip(err.Error(), "keyMaterial.via-hub-outsider")
		return
	}
	m, a := in.claim(ctx, claim{by: in.c, id: id, target: mimi.URI(in.b.user), room: mimi.URI(in.where)})
	in.keeps("keyMaterial.via-hub-outsider", m, a)
}

// roleFor returns a role in which the checker may add a user who is to speak and hear.
func (in *inRoom) roleFor(user string) (uint32, bool) {
	roles := in.state.Roles()
	if roles == nil {
		return 0, false
	}
	actor := &room.Actor{User: in.b.user.String(), Origin: room.FromMember}
	for i := range roles.Roles {
		o := &roles.Roles[i]
		if !slices.Contains(o.Capabilities, room.CanSendMessage) || !slices.Contains(o.Capabilities, room.CanReceiveMessage) {
			continue
		}
		list := []room.Proposal{{Actor: actor, Change: room.AddParticipant{User: user, Role: o.Index}}, {Actor: actor, Change: room.AddClient{User: user}}}
		if _, err := room.AuthorizeCommit(in.state, actor, list); err == nil {
			return o.Index, true
		}
	}
	return 0, false
}

// viaHub fetches key material of the second peer's user through the room's hub.
func (in *inRoom) viaHub(ctx context.Context) (keys []message.KeyPackage) {
	in.c.mu.Lock()
	before := len(in.c.claims)
	in.c.mu.Unlock()
	m, a := in.claim(ctx, claim{by: in.b, id: in.d.id, target: mimi.URI(in.c.user), room: mimi.URI(in.where)})
	if m == nil || a.err != nil || !gives(m) {
		what := a.String()
		if m != nil {
			what = m.UserStatus.String()
		}
		in.fail("keyMaterial.via-hub", "%s", what)
		return nil
	}
	in.c.mu.Lock()
	asked := len(in.c.claims) - before
	handed := asked == 1 && bytes.Equal(in.c.claims[before].answer, a.body)
	in.c.mu.Unlock()
	in.holds("keyMaterial.via-hub", handed, "%v; %s was asked %d times, and its answer handed on: %t", m.UserStatus, in.c.domain, asked, handed)
	for i := range m.Clients {
		if k := m.Clients[i].KeyPackage; k != nil {
			keys = append(keys, *k)
		}
	}
	return keys
}

// welcome waits for the Welcome of an update, which is sent once more after it. before
// is how many came to the first peer until then.
func (in *inRoom) welcome(ctx context.Context, update *mimi.UpdateRequest, before int) {
	c := in.c
	in.both = c.until(ctx, func() bool {
		_, ok := event(c, func(e member.Joined) bool { return e.Room == in.where })
		return ok
	})
	if in.both {
		in.pass("update.welcome", "the device at %s has joined", c.domain)
	} else {
		in.fail("update.welcome", "%d Welcomes came to %s: %s", c.counts(in.where, mimi.FanoutWelcome), c.domain, c.trouble())
	}
	m, a := in.d.update(ctx, in.b, update)
	ok := m != nil && a.err == nil && (m.ResponseCode == mimi.UpdateSuccess || m.ResponseCode == mimi.UpdateWrongEpoch)
	in.rest(ctx)
	times := c.counts(in.where, mimi.FanoutWelcome)
	in.holds("update.repeated", ok && times <= 1, "%s; %d Welcomes", updateSeen(m, a), times)
	astray := in.b.counts(in.where, mimi.FanoutWelcome) - before
	in.holds("update.welcome-route", astray == 0, "%d Welcomes came to %s", astray, in.b.domain)
	if !in.both {
		in.skip("the second user's device is not in the room", watched...)
	}
}

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

// retryAfter is what the second peer asks for, in seconds.
const retryAfter = 2

// order sends three messages, and has the second peer refuse the first request that
// brings one of them.
func (in *inRoom) order(ctx context.Context) {
	c := in.c
	ids := []string{"notify.order", "notify.once", "notify.retry", "notify.retry-after", "notify.retry-bytes"}
	var texts []string
	for i := range 3 {
		texts = append(texts, fmt.Sprintf("Part %d of a check %s", i+1, token()))
	}
	c.mu.Lock()
	start := len(c.inbox)
	refused := false
	c.answer = func(n *notified) (int, int) {
		if refused || !n.room.Equal(mimi.URI(in.where)) {
			return http.StatusCreated, 0
		}
		refused = true
		return http.StatusServiceUnavailable, retryAfter
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answer = nil
	}()
	for _, t := range texts {
		req, _, err := in.d.protect(t, true)
		if err != nil {
			in.skip("making a message: "+err.Error(), ids...)
			return
		}
		if m, a := in.post(ctx, in.b, req); m == nil || m.StatusCode != mimi.SubmitAccepted {
			in.skip("a message was not accepted: "+submitSeen(m, a), ids...)
			return
		}
	}
	heard := func() (list []string) {
		for _, e := range c.events {
			if m, ok := e.(member.Message); ok && slices.Contains(texts, said(&m)) {
				list = append(list, said(&m))
			}
		}
		return list
	}
	all := c.untilIn(ctx, in.cfg.Timeout+retryAfter*time.Second, func() bool { return len(heard()) >= len(texts) })
	in.rest(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	got := heard()
	came := slices.Clone(c.inbox[start:])
	in.retried(came)
	switch {
	case slices.Equal(got, texts):
		in.pass("notify.order", "%d messages", len(got))
	case !all:
		in.fail("notify.order", "%d of %d messages came", len(got), len(texts))
	default:
		in.fail("notify.order", "they come in another order")
	}
	in.onceOnly(came)
}

// retried looks at how a request that was refused came again.
func (in *inRoom) retried(came []notified) {
	i := slices.IndexFunc(came, func(n notified) bool { return n.status == http.StatusServiceUnavailable })
	if i < 0 {
		in.skip("no request came", "notify.retry", "notify.retry-after", "notify.retry-bytes")
		return
	}
	first := &came[i]
	events := make(map[string]bool)
	for j := range first.list {
		events[string(encode(&first.list[j].Message))] = true
	}
	for j := range came[i+1:] {
		n := &came[i+1+j]
		if !slices.ContainsFunc(n.list, func(f mimi.FanoutMessage) bool { return events[string(encode(&f.Message))] }) {
			continue
		}
		waited := n.at.Sub(first.at)
		in.pass("notify.retry", "after %.1f s", waited.Seconds())
		in.holds("notify.retry-after", waited >= retryAfter*time.Second-100*time.Millisecond, "after %.1f s", waited.Seconds())
		if bytes.Equal(n.body, first.body) {
			in.pass("notify.retry-bytes", "%d bytes, the same", len(n.body))
		} else {
			in.fail("notify.retry-bytes", "%d bytes, and others than the %d before: a follower takes it for another request", len(n.body), len(first.body))
		}
		return
	}
	in.fail("notify.retry", "it does not come again")
	in.skip("it does not come again", "notify.retry-after", "notify.retry-bytes")
}

// onceOnly looks whether an event was accepted in two requests.
func (in *inRoom) onceOnly(came []notified) {
	in.holds("notify.once", len(came) > 0, "%d requests", len(came))
	times, bodies := make(map[string]int), make(map[string]bool)
	for i := range came {
		n := &came[i]
		if n.status != http.StatusCreated {
			continue
		}
		if bodies[string(n.body)] {
			in.warn("notify.once", "a request came again after it was accepted, byte for byte")
			continue
		}
		bodies[string(n.body)] = true
		for j := range n.list {
			key := string(encode(&n.list[j].Message))
			if times[key]++; times[key] == 2 {
				in.fail("notify.once", "an event came again, in another request")
			}
		}
	}
}

// report is Report abuse (5.9), of a message that the second peer's device has read.
func (in *inRoom) report(ctx context.Context) {
	c := in.c
	c.mu.Lock()
	m, ok := event(c, func(e member.Message) bool { return e.Room == in.where && e.Evidence != nil })
	c.mu.Unlock()
	if !ok {
		in.skip("no message with a Frank was read", "reportAbuse.accepted", "reportAbuse.forged", "reportAbuse.other-provider")
		return
	}
	send := func(change func(*mimi.AbuseReport)) *answer {
		report := &mimi.AbuseReport{
			ReportingUser: mimi.URI(c.user), AllegedAbuserURI: mimi.URI(in.b.user), Note: "A check of your provider: ignore it.",
			Messages: []mimi.AbusiveMessage{*m.Evidence},
		}
		change(report)
		return c.ask(ctx, mimi.EndpointReportAbuse, in.where.String(), encode(report))
	}
	a := send(func(*mimi.AbuseReport) {})
	in.holds("reportAbuse.accepted", a.accepted(), "%v", a)
	a = send(func(r *mimi.AbuseReport) { r.Messages[0].Frank.ServerFrank[0] ^= 1 })
	in.holds("reportAbuse.forged", a.accepted() || a.refused(), "%v", a)
	in.refuses("reportAbuse.other-provider", send(func(r *mimi.AbuseReport) { r.ReportingUser = mimi.URI(in.b.user) }))
}

// proposals has the second user leave (Bob Leaves the Room, 3.5), and the first commit
// that.
func (in *inRoom) proposals(ctx context.Context) {
	c, d := in.c, in.d
	ids := []string{"update.proposals", "update.more-proposals", "update.cached", "update.leave", "update.removed-told", "groupInfo.pending", "submitMessage.removed", "notify.withheld"}
	if err := d.catchUp(); err != nil {
		in.skip("the checker's client lost the room: "+err.Error(), ids...)
		return
	}
	c.do(ctx, member.Leave{Room: in.where})
	c.until(ctx, func() bool {
		_, ok := event(c, func(e member.Leaving) bool { return e.Room == in.where })
		return ok
	})
	c.mu.Lock()
	_, asked := event(c, func(e member.Leaving) bool { return e.Room == in.where })
	var made *mimi.UpdateRequest
	if n := len(c.updates); n > 0 {
		made = c.updates[n-1]
	}
	c.mu.Unlock()
	if !asked || made == nil {
		in.fail("update.proposals", "%s", c.trouble())
		in.skip("the proposals were not accepted", ids...)
		return
	}
	want := encode(&made.Bundle.ProposalOrCommit)
	var f *mimi.FanoutMessage
	came := in.b.until(ctx, func() (ok bool) {
		f, ok = in.b.seen(in.where, func(f *mimi.FanoutMessage) bool {
			return f.Kind() == mimi.FanoutProposal && bytes.Equal(encode(&f.Message), want)
		})
		return ok
	})
	if !came {
		in.fail("update.proposals", "they do not come to %s", in.b.domain)
		in.skip("the proposals did not come", ids...)
		return
	}
	in.pass("update.proposals", "%d", 1+len(f.MoreProposals))
	more := made.Bundle.MoreProposals
	in.holds("update.more-proposals", same(f.MoreProposals, more), "%d, sent were %d", len(f.MoreProposals), len(more))
	info, _, _, err := d.info(ctx)
	if err != nil {
		in.fail("groupInfo.pending", "%v", err)
	} else {
		found := 0
		for _, want := range slices.Concat([]message.Message{made.Bundle.ProposalOrCommit}, more) {
			if slices.ContainsFunc(info.PendingProposals, func(p mimi.PendingProposal) bool { return same([]message.Message{p.Proposal}, []message.Message{want}) }) {
				found++
			}
		}
		in.holds("groupInfo.pending", found == 1+len(more), "%d, with %d of the %d that wait", len(info.PendingProposals), found, 1+len(more))
	}
	if _, update, err := d.commit([]message.ProposalRef{}); err != nil {
		in.skip("making the Commit: "+err.Error(), "update.cached")
	} else {
		m, a := d.update(ctx, in.b, update)
		in.refusesUpdate("update.cached", m, a)
	}
	in.commitLeave(ctx)
}

// commitLeave commits what waits, and looks at what those who are out still can.
func (in *inRoom) commitLeave(ctx context.Context) {
	c, d := in.c, in.d
	ids := []string{"update.leave", "update.removed-told", "submitMessage.removed", "notify.withheld"}
	if err := d.catchUp(); err != nil {
		in.skip("the checker's client can't take the proposals: "+err.Error(), ids...)
		return
	}
	p, update, err := d.commit(nil)
	if err != nil {
		in.skip("making the Commit: "+err.Error(), ids...)
		return
	}
	if !in.accepts(ctx, "update.leave", p, update) {
		in.skip("the Commit was not accepted", ids...)
		return
	}
	if c.until(ctx, in.gone) {
		in.pass("update.removed-told", "the device at %s knows", c.domain)
	} else {
		in.warn("update.removed-told", "the Commit does not come to %s, which it should", c.domain)
	}
	in.both = false
	req, _, err := d.protect("After the other has left.", true)
	if err != nil {
		in.skip("making a message: "+err.Error(), "submitMessage.removed", "notify.withheld")
		return
	}
	removed := *req
	removed.SendingURI = mimi.URI(c.user)
	m, a := in.post(ctx, c, &removed)
	in.refusesMessage("submitMessage.removed", m, a)
	m, a = in.post(ctx, in.b, req)
	if m == nil || m.StatusCode != mimi.SubmitAccepted {
		in.skip("a message was not accepted: "+submitSeen(m, a), "notify.withheld")
		return
	}
	in.rest(ctx)
	want := encode(req.AppMessage)
	c.mu.Lock()
	_, leaked := c.seen(in.where, func(f *mimi.FanoutMessage) bool {
		return f.Message.Private != nil && bytes.Equal(encode(f.Message.Private), want)
	})
	c.mu.Unlock()
	in.holds("notify.withheld", !leaked, "it came to %s: %t", c.domain, leaked)
}
