package check

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
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

// updateSeen is what came of an update.
func updateSeen(m *mimi.UpdateRoomResponse, a *answer) string {
	if m == nil || a.err != nil {
		return a.String()
	}
	if m.ErrorDescription == "" {
		return m.ResponseCode.String()
	}
	return m.ResponseCode.String() + ": " + m.ErrorDescription
}

// refusesUpdate is a check of an update that has to be refused: with one of the codes,
// if there are any.
func (in *inRoom) refusesUpdate(id string, m *mimi.UpdateRoomResponse, a *answer, codes ...mimi.UpdateResponseCode) {
	switch {
	case a.refused():
		if len(codes) > 0 {
			in.warn(id, "%v, where the draft has a code: %v", a, codes)
			return
		}
		in.pass(id, "%v", a)
	case m == nil || a.err != nil, m.ResponseCode == mimi.UpdateSuccess:
		in.fail(id, "%s", updateSeen(m, a))
	case len(codes) > 0 && !slices.Contains(codes, m.ResponseCode):
		in.fail(id, "%s; want %v", updateSeen(m, a), codes)
	default:
		in.pass(id, "%s", updateSeen(m, a))
	}
}

// refusedCommits are Commits that each break one rule. The last ones are accepted, which
// shows that these have changed nothing.
func (in *inRoom) refusedCommits(ctx context.Context) {
	d := in.d
	_, update, err := d.commit(nil)
	if err != nil {
		in.skip("making a Commit: "+err.Error(), "update.signature", "update.group-info", "update.other-provider", "update.policy")
		return
	}
	try := func(id string, change func(*mimi.HandshakeBundle)) {
		bad, err := spoiled(update, change)
		if err != nil {
			in.skip(err.Error(), id)
			return
		}
		m, a := d.update(ctx, in.b, bad)
		in.refusesUpdate(id, m, a)
	}
	d.forges = true
	_, forged, err := d.commit(nil)
	if d.forges = false; err != nil {
		in.skip("making a Commit: "+err.Error(), "update.signature")
	} else {
		m, a := d.update(ctx, in.b, forged)
		in.refusesUpdate("update.signature", m, a)
	}
	try("update.group-info", func(b *mimi.HandshakeBundle) { b.GroupInfoOption.Full.Signature[0] ^= 1 })
	if tree, err := d.group.Tree().Marshal(); err == nil {
		try("update.tree", func(b *mimi.HandshakeBundle) { b.RatchetTreeOption.RatchetTree = tree })
	}
	in.badProposals(ctx)
	if in.c == nil {
		in.skip("there is no second peer", "update.other-provider")
	} else {
		m, a := d.update(ctx, in.c, update)
		in.refusesUpdate("update.other-provider", m, a, mimi.UpdateNotAllowed)
	}
	in.policy(ctx)
}

// badProposals are a proposal that is not what it says, and a Commit of one that nobody
// has sent to the hub.
func (in *inRoom) badProposals(ctx context.Context) {
	d := in.d
	defer d.group.ClearProposals()
	if in.state == nil || in.state.Metadata() == nil {
		in.skip("the room has no metadata", "update.forged-proposal", "update.unknown-proposal")
		return
	}
	p := d.cfg.AppDataProposal(mimi.DefaultCodePoints.RoomMetadata, encode(in.state.Metadata()))
	propose := func() (*message.Message, message.ProposalRef, error) {
		b, err := d.group.Propose(in.now(), p, mls.SendOptions{})
		if err != nil {
			return nil, nil, err
		}
		m, err := message.Parse(b, nil)
		if err != nil {
			return nil, nil, err
		}
		ref, err := m.Public.Authenticated().Ref(in.suite)
		return m, ref, err
	}
	forged, ref, err := propose()
	d.group.ClearProposals()
	if err == nil {
		forged.Public.Auth.Signature[0] ^= 1
		ref, err = forged.Public.Authenticated().Ref(in.suite)
	}
	if err != nil {
		in.skip("making a proposal: "+err.Error(), "update.forged-proposal")
	} else {
		m, a := d.update(ctx, in.b, &mimi.UpdateRequest{Bundle: mimi.HandshakeBundle{ProposalOrCommit: *forged}})
		in.refusesProposal("update.forged-proposal", m, a, ref)
	}
	_, ref, err = propose()
	if err != nil {
		in.skip("making a proposal: "+err.Error(), "update.unknown-proposal")
		return
	}
	_, update, err := d.commit([]message.ProposalRef{ref})
	if err != nil {
		in.skip("making a Commit: "+err.Error(), "update.unknown-proposal")
		return
	}
	m, a := d.update(ctx, in.b, update)
	in.refusesProposal("update.unknown-proposal", m, a, ref)
}

// refusesProposal is a check of what has to be refused for a proposal.
func (in *inRoom) refusesProposal(id string, m *mimi.UpdateRoomResponse, a *answer, ref message.ProposalRef) {
	if m == nil || m.ResponseCode != mimi.UpdateInvalidProposal {
		in.refusesUpdate(id, m, a)
		if m != nil && m.ResponseCode == mimi.UpdateNotAllowed {
			in.warn(id, "%s, where the draft has invalidProposal", updateSeen(m, a))
		}
		return
	}
	named := slices.ContainsFunc(m.InvalidProposals, func(r message.ProposalRef) bool { return bytes.Equal(r, ref) })
	in.holds(id, named, "%s; its reference among %d: %t", updateSeen(m, a), len(m.InvalidProposals), named)
}

// policy sends a Commit that the room's policy forbids, by what groups/room makes of the
// room's state.
func (in *inRoom) policy(ctx context.Context) {
	d := in.d
	if in.state == nil {
		in.skip("the room's state is not known", "update.policy")
		return
	}
	what, p, err := in.forbidden()
	if err != nil {
		in.skip(err.Error(), "update.policy")
		return
	}
	_, update, err := d.commit(nil, p)
	if err != nil {
		in.skip("making the Commit: "+err.Error(), "update.policy")
		return
	}
	m, a := d.update(ctx, in.b, update)
	if m != nil && m.ResponseCode == mimi.UpdateNotAllowed {
		in.pass("update.policy", "%s: %s", what, updateSeen(m, a))
		return
	}
	in.refusesUpdate("update.policy", m, a, mimi.UpdateNotAllowed)
}

// forbidden returns a change of the room that the checker's user may not make.
func (in *inRoom) forbidden() (string, message.Proposal, error) {
	s, user := in.state, in.b.user.String()
	actor := &room.Actor{User: user, Origin: room.FromMember}
	denied := func(c room.Change) bool {
		_, err := room.AuthorizeCommit(s, actor, []room.Proposal{{Actor: actor, Change: c}})
		return err != nil
	}
	roles := s.Roles()
	if roles == nil {
		return "", message.Proposal{}, errors.New("the room has no roles")
	}
	data := encode(roles)
	if denied(room.UpdateComponent{Component: room.DefaultPoints.RolesList, Update: data}) {
		return "new role definitions", in.d.cfg.AppDataProposal(room.DefaultPoints.RolesList, data), nil
	}
	for i := range roles.Roles {
		index := roles.Roles[i].Index
		if index != room.RoleNone && denied(room.ChangeRole{User: user, Role: index}) {
			p, err := in.d.participants([]room.UserRolePair{{User: user, Role: index}}, nil, nil)
			return "another role of its own", p, err
		}
	}
	return "", message.Proposal{}, errors.New("the room's policy allows the checker's user everything")
}

// accepts sends a Commit and merges it if it was accepted.
func (in *inRoom) accepts(ctx context.Context, id string, p *mls.Pending, update *mimi.UpdateRequest) bool {
	m, a := in.d.update(ctx, in.b, update)
	if m == nil || a.err != nil || m.ResponseCode != mimi.UpdateSuccess {
		in.fail(id, "%s", updateSeen(m, a))
		return false
	}
	if err := in.d.group.Merge(&p.Staged); err != nil {
		in.fail(id, "accepted, and not to be merged: %v", err)
		return false
	}
	in.pass(id, "%s", updateSeen(m, a))
	return true
}

// commits are Commits of the checker's client, as the other provider gets them.
func (in *inRoom) commits(ctx context.Context) {
	d := in.d
	_, late, err := d.commit(nil)
	if err != nil {
		in.skip("making a Commit: "+err.Error(), "update.commit", "update.wrong-epoch")
		return
	}
	p, update, err := d.commit(nil)
	if err != nil {
		in.skip("making a Commit: "+err.Error(), "update.commit", "update.wrong-epoch")
		return
	}
	if !in.accepts(ctx, "update.commit", p, update) {
		return
	}
	in.current(ctx)
	m, a := d.update(ctx, in.b, late)
	in.refusesUpdate("update.wrong-epoch", m, a, mimi.UpdateWrongEpoch)
	if m != nil && m.ResponseCode == mimi.UpdateWrongEpoch {
		epoch := d.group.Epoch()
		in.holds("update.wrong-epoch", m.CurrentEpoch == epoch, "wrongEpoch, currentEpoch %d; it is %d", m.CurrentEpoch, epoch)
	}
	if !in.both {
		return
	}
	want := encode(&update.Bundle.ProposalOrCommit)
	got := in.c.until(ctx, func() bool {
		_, ok := in.c.seen(in.where, func(f *mimi.FanoutMessage) bool {
			return f.Kind() == mimi.FanoutCommit && bytes.Equal(encode(&f.Message), want)
		})
		return ok
	})
	if !got {
		in.fail("update.commit", "accepted; it did not come to %s", in.c.domain)
	}
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

// gone reports whether the second peer's device has learnt that it is removed. The
// caller holds the lock.
func (in *inRoom) gone() bool {
	_, ok := event(in.c, func(e member.Removed) bool { return e.Room == in.where })
	return ok
}
