package check

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

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
