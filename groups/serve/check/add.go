package check

import (
	"bytes"
	"context"
	"slices"

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
