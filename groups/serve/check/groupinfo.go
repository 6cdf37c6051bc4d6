package check

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// hides is a check of a request for a GroupInfo that must not be answered with one.
func (in *inRoom) hides(id string, resp *mimi.GroupInfoResponse, a *answer) {
	switch {
	case a.refused():
		in.pass(id, "%v", a)
	case resp == nil || a.err != nil:
		in.fail(id, "%v", a)
	default:
		in.holds(id, resp.Status != mimi.GroupInfoSuccess, "%v", resp.Status)
	}
}

// groupInfo is Claim group key information (5.6). It returns what the room can be joined
// with.
func (in *inRoom) groupInfo(ctx context.Context) *mimi.GroupInfoRatchetTreeTBE {
	d := in.d
	resp, private, a := d.groupInfo(ctx, groupInfo{code: in.cfg.Code})
	if resp == nil || a.err != nil {
		in.fail("groupInfo.success", "%v", a)
		return nil
	}
	if resp.Status != mimi.GroupInfoSuccess {
		in.skip("the room lets "+in.b.user.String()+" not in: "+resp.Status.String(), roomIDs()...)
		return nil
	}
	ok := resp.RoomID.Equal(mimi.URI(in.where)) && resp.CipherSuite == in.suite.ID()
	in.holds("groupInfo.success", ok, "success for %q, in suite %d", resp.RoomID, resp.CipherSuite)
	info, err := resp.Open(d.cfg.Suite, mimi.URI(in.where), private, nil)
	if err != nil {
		in.fail("groupInfo.signature", "%v", err)
		return nil
	}
	senders, err := externalSenders(&info.GroupInfo.Context)
	known := slices.ContainsFunc(senders, func(s message.ExternalSender) bool { return bytes.Equal(encode(&s), encode(&resp.HubSender)) })
	if err == nil && known {
		err = mimi.CredentialOf(&resp.HubSender.Credential, in.cfg.Domain)
	}
	in.holds("groupInfo.signature", err == nil && known, "signed; among %d external_senders: %t; its credential: %s", len(senders), known, problem(err))
	if err := info.Check(); err != nil {
		in.fail("groupInfo.content", "%v", err)
		return nil
	}

	resp, _, a = d.groupInfo(ctx, groupInfo{code: in.cfg.Code, spoil: func(m *mimi.GroupInfoRequest) { m.Signature[0] ^= 1 }})
	in.hides("groupInfo.unsigned", resp, a)
	if !in.cfg.User.IsZero() {
		resp, _, a = d.groupInfo(ctx, groupInfo{change: func(m *mimi.GroupInfoRequest) {
			m.RequestingCredential = message.BasicCredential([]byte("mimi://" + in.cfg.Domain + "/d/" + in.cfg.User.Segments()[0] + "/checker"))
		}})
		in.hides("groupInfo.other-provider", resp, a)
	}
	if in.c != nil {
		resp, _, a = d.groupInfo(ctx, groupInfo{by: in.c})
		in.hides("groupInfo.other-provider", resp, a)
	}
	return info
}

func externalSenders(c *message.GroupContext) (list message.ExternalSenders, err error) {
	data, ok := c.Extensions.Find(message.ExtensionExternalSenders)
	if !ok {
		return nil, errors.New("no external_senders")
	}
	return list, wire.Unmarshal(data, &list)
}

// join enters the room.
func (in *inRoom) join(ctx context.Context, info *mimi.GroupInfoRatchetTreeTBE) bool {
	d := in.d
	x, update, err := d.join(info)
	if err != nil {
		in.fail("groupInfo.content", "%v", err)
		return false
	}
	in.pass("groupInfo.content", "epoch %d", info.GroupInfo.Context.Epoch)
	m, a := d.update(ctx, in.b, update)
	if m == nil || a.err != nil || m.ResponseCode != mimi.UpdateSuccess {
		in.fail("update.external", "%s", updateSeen(m, a))
		return false
	}
	in.pass("update.external", "%v", m.ResponseCode)
	in.holds("update.timestamp", within(m.AcceptedTimestamp, in.now()), "accepted_timestamp %d", m.AcceptedTimestamp)
	d.group = x.Join()
	d.p.mu.Lock()
	d.next = len(d.p.inbox)
	d.p.mu.Unlock()
	if in.state, err = d.state(); err != nil {
		in.fail("groupInfo.content", "the room's state: %v", err)
		return true
	}
	stranger := in.nobody(in.b.domain)
	if in.letsIn(string(stranger)) {
		in.skip("the room's policy lets anybody in", "groupInfo.stranger", "update.stranger")
		return true
	}
	in.stranger(ctx)
	return true
}

// stranger tries to get into the room as one whom its policy does not let in: with a
// GroupInfo, which somebody else may have passed on.
func (in *inRoom) stranger(ctx context.Context) {
	s, err := newRaw(in.b, in.where, "nobody-"+in.cfg.Name)
	if err != nil {
		in.skip(err.Error(), "groupInfo.stranger", "update.stranger")
		return
	}
	resp, _, a := s.groupInfo(ctx, groupInfo{})
	in.hides("groupInfo.stranger", resp, a)
	info, _, _, err := in.d.info(ctx)
	if err != nil {
		in.skip(err.Error(), "update.stranger")
		return
	}
	role, ok := in.roleFor(string(in.nobody(in.b.domain))) // one that members may give
	if !ok {
		role = in.state.Roles().Roles[len(in.state.Roles().Roles)-1].Index
	}
	list, err := in.d.participants(nil, nil, []room.UserRolePair{{User: "mimi://" + in.b.domain + "/u/nobody-" + in.cfg.Name, Role: role}})
	if err != nil {
		in.skip("making the Commit: "+err.Error(), "update.stranger")
		return
	}
	_, update, err := s.join(info, list)
	if err != nil {
		in.skip("making the Commit: "+err.Error(), "update.stranger")
		return
	}
	m, a := s.update(ctx, in.b, update)
	in.refusesUpdate("update.stranger", m, a, mimi.UpdateNotAllowed)
}

// letsIn reports whether one who is no participant may join, in some role.
func (in *inRoom) letsIn(user string) bool {
	roles := in.state.Roles()
	if roles == nil || len(roles.Roles) == 0 {
		return true // there is no policy to break
	}
	a := &room.Actor{User: user, Origin: room.FromNewMemberCommit}
	for i := range roles.Roles {
		list := []room.Proposal{{Actor: a, Change: room.AddParticipant{User: user, Role: roles.Roles[i].Index}}, {Actor: a, Change: room.AddClient{User: user}}}
		if _, err := room.AuthorizeCommit(in.state, a, list); err == nil {
			return true
		}
	}
	return false
}

// current asks for the GroupInfo of an epoch that has just begun.
func (in *inRoom) current(ctx context.Context) {
	info, _, _, err := in.d.info(ctx)
	if err != nil {
		in.fail("groupInfo.current", "%v", err)
		return
	}
	epoch := in.d.group.Epoch()
	in.holds("groupInfo.current", info.GroupInfo.Context.Epoch == epoch, "epoch %d, the current one is %d", info.GroupInfo.Context.Epoch, epoch)
}
