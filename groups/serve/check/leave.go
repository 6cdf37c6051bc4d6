package check

import (
	"bytes"
	"context"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// gone reports whether the second peer's device has learnt that it is removed. The
// caller holds the lock.
func (in *inRoom) gone() bool {
	_, ok := event(in.c, func(e member.Removed) bool { return e.Room == in.where })
	return ok
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
