package check

import (
	"context"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// inRoom are the checks in a room of the provider's hub.
type inRoom struct {
	*run
	d     *raw // of the first peer, in the room
	where ident.URI
	state *room.State // in the epoch that d joined
	both  bool        // the second peer's device is in the room as well
}

// roomIDs are the checks that need a room.
func roomIDs() (ids []string) {
	all := slices.Concat(of("update"), of("submitMessage"), of("groupInfo"), of("reportAbuse"), []string{
		"keyMaterial.via-hub", "keyMaterial.via-hub-outsider",
		"notify.order", "notify.once", "notify.retry", "notify.retry-after", "notify.retry-bytes", "notify.withheld",
	})
	return all
}

// checkRoom is what the provider does as the hub of a room.
func (r *run) checkRoom(ctx context.Context) {
	r.unknownRoom(ctx)
	invited := r.invited(ctx)
	if r.cfg.Room.IsZero() {
		r.skip("no room was given", roomIDs()...)
		return
	}
	if invited {
		// Also if the room can't be joined once more.
		defer r.leaveAs(ctx, r.guest)
	}
	d, err := newRaw(r.b, r.cfg.Room, r.cfg.Name)
	if err != nil {
		r.skip(err.Error(), roomIDs()...)
		return
	}
	in := &inRoom{run: r, d: d, where: r.cfg.Room}
	info := in.groupInfo(ctx)
	if info == nil {
		r.skip("the room can't be joined without its GroupInfo", roomIDs()...)
		return
	}
	if !in.join(ctx, info) {
		r.skip("the room could not be joined", roomIDs()...)
		return
	}
	defer r.leaveAs(ctx, d)
	in.refusedCommits(ctx)
	in.add(ctx)
	in.submit(ctx)
	in.commits(ctx)
	if !in.both {
		return
	}
	in.order(ctx)
	in.report(ctx)
	in.proposals(ctx)
}

// unknownRoom asks for a room that there is not.
func (r *run) unknownRoom(ctx context.Context) {
	where := r.nowhere()
	no := func(id string, e mimi.EndpointName) {
		a := r.b.ask(ctx, e, where, r.sample(e))
		endpoint, _ := mimi.FindEndpoint(e)
		r.holds(id, a.refused() || a.accepted() && refusesIn(endpoint, a.body), "%v", a)
	}
	no("update.unknown-room", mimi.EndpointUpdate)
	no("submitMessage.unknown-room", mimi.EndpointSubmitMessage)
	r.refuses("reportAbuse.unknown-room", r.b.ask(ctx, mimi.EndpointReportAbuse, where, r.sample(mimi.EndpointReportAbuse)))
	u, err := ident.ParseURI(where)
	if err != nil {
		r.skip(err.Error(), "groupInfo.unknown-room")
		return
	}
	d, err := newRaw(r.b, u, r.cfg.Name)
	if err != nil {
		r.skip(err.Error(), "groupInfo.unknown-room")
		return
	}
	resp, _, a := d.groupInfo(ctx, groupInfo{})
	switch {
	case a.refused():
		r.pass("groupInfo.unknown-room", "%v", a)
	case resp == nil || a.err != nil:
		r.fail("groupInfo.unknown-room", "%v", a)
	default:
		r.holds("groupInfo.unknown-room", resp.Status != mimi.GroupInfoSuccess, "%v", resp.Status)
	}
}

// seen returns the last event of a room that came to a peer and that is what is looked
// for. The caller holds the lock.
func (p *peer) seen(where ident.URI, is func(*mimi.FanoutMessage) bool) (found *mimi.FanoutMessage, ok bool) {
	for i := range p.inbox {
		n := &p.inbox[i]
		if n.err != nil || n.status != 201 || !n.room.Equal(mimi.URI(where)) {
			continue
		}
		for j := range n.list {
			if is(&n.list[j]) {
				found, ok = &n.list[j], true
			}
		}
	}
	return found, ok
}

// count returns how many events of a room came. The caller holds the lock.
func (p *peer) count(where ident.URI, kind mimi.FanoutKind) (n int) {
	p.seen(where, func(f *mimi.FanoutMessage) bool {
		if f.Kind() == kind {
			n++
		}
		return false
	})
	return n
}

// counts is count for who does not hold the lock.
func (p *peer) counts(where ident.URI, kind mimi.FanoutKind) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count(where, kind)
}

// rest waits for what should not come.
func (r *run) rest(ctx context.Context) {
	t := time.NewTimer(min(700*time.Millisecond, r.cfg.Timeout))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
