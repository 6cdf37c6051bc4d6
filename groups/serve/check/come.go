package check

import (
	"context"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// invited waits until somebody adds the first user to a room, as its guest, and reports
// whether that is so.
func (r *run) invited(ctx context.Context) bool {
	if r.cfg.Wait <= 0 {
		r.skip("nobody was waited for who adds the checker's user to a room", "keyMaterial.asks", "update.invited")
		return false
	}
	r.cfg.Waiting(r.b.user)
	var found *mimi.FanoutMessage
	var elsewhere ident.URI
	came := r.b.untilIn(ctx, r.cfg.Wait, func() bool {
		for i := range r.b.inbox {
			n := &r.b.inbox[i]
			where, ok := n.room.Is(ident.KindRoom)
			j := slices.IndexFunc(n.list, func(f mimi.FanoutMessage) bool { return f.Kind() == mimi.FanoutWelcome })
			switch {
			case n.err != nil || !ok || where.Provider() != r.cfg.Domain || j < 0:
			case !r.cfg.Room.IsZero() && where != r.cfg.Room:
				elsewhere = where
			default:
				r.guest.room, found = where, &n.list[j]
				return true
			}
		}
		return false
	})
	r.b.mu.Lock()
	asked, denied := len(r.b.claims), r.b.denied
	r.b.mu.Unlock()
	switch {
	case asked > 0:
		r.pass("keyMaterial.asks", "%d requests", asked)
	case denied != nil:
		r.fail("keyMaterial.asks", "%v", denied)
	default:
		r.skip("nobody has asked", "keyMaterial.asks")
	}
	switch {
	case came:
	case !elsewhere.IsZero():
		r.skip("the checker's user was added to "+elsewhere.String()+" alone", "update.invited")
		return false
	case asked > 0:
		r.fail("update.invited", "KeyPackages were claimed, and no Welcome came")
		return false
	default:
		r.skip("nobody has added the checker's user to a room", "update.invited")
		return false
	}
	if err := r.guest.open(found); err != nil {
		r.fail("update.invited", "%v", err)
		return false
	}
	r.pass("update.invited", "to %v, in epoch %d", r.guest.room, r.guest.group.Epoch())
	r.cfg.Room = r.guest.room
	return true
}

// leaveAs takes the checker's clients out of the room, by one of them. The first user
// stays on the participant list, where it was before; who was added is removed. It is
// also for runs that were interrupted.
func (r *run) leaveAs(ctx context.Context, d *raw) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.Timeout)
	defer cancel()
	if d.gone || d.catchUp() != nil {
		return
	}
	if list := r.left(d); len(list) > 0 {
		p, update, err := d.commit(nil, list...)
		if err != nil {
			return
		}
		m, a := d.update(ctx, r.b, update)
		if m == nil || a.err != nil || m.ResponseCode != mimi.UpdateSuccess || d.group.Merge(&p.Staged) != nil {
			return
		}
		if r.guest != nil {
			r.guest.gone = true
		}
	}
	p := message.Proposal{Type: mimi.DefaultCodePoints.MLS.SelfRemove, Body: &message.SelfRemove{}}
	b, err := d.group.Propose(r.now(), p, mls.SendOptions{})
	if err != nil {
		r.skip("making the proposal: "+err.Error(), "update.self-remove")
		return
	}
	m, err := message.Parse(b, nil)
	if err != nil {
		r.skip("making the proposal: "+err.Error(), "update.self-remove")
		return
	}
	resp, a := d.update(ctx, r.b, &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: *m}})
	d.gone = resp != nil && a.err == nil && resp.ResponseCode == mimi.UpdateSuccess
	r.holds("update.self-remove", d.gone, "%s", updateSeen(resp, a))
}

// left are the proposals that remove what of the checker is in the room besides a
// client.
func (r *run) left(d *raw) (list []message.Proposal) {
	for _, l := range d.leaves(r.b.user) {
		if l != d.group.OwnLeaf() {
			list = append(list, mls.RemoveProposal(l))
		}
	}
	if r.c == nil || !r.added {
		return list
	}
	for _, l := range d.leaves(r.c.user) {
		list = append(list, mls.RemoveProposal(l))
	}
	if s, err := d.state(); err == nil {
		if _, listed := s.Find(r.c.user.String()); listed {
			if p, err := d.participants(nil, []string{r.c.user.String()}, nil); err == nil {
				list = append(list, p)
			}
		}
	}
	return list
}
