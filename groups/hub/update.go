package hub

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// refusal is why an update is refused, and how the response says it.
type refusal struct {
	code    mimi.UpdateResponseCode
	invalid []message.ProposalRef
	err     error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// notAllowed is a refusal by policy.
func notAllowed(format string, args ...any) error {
	return &refusal{code: mimi.UpdateNotAllowed, err: fmt.Errorf(format, args...)}
}

// invalidProposal is a refusal of proposals, which have references if they were sent
// by themselves.
func invalidProposal(refs []message.ProposalRef, format string, args ...any) error {
	return &refusal{mimi.UpdateInvalidProposal, refs, fmt.Errorf(format, args...)}
}

// errEpoch: the update is not of the current epoch.
var errEpoch = errors.New("the group is at another epoch")

// update takes a Commit or proposals (draft-ietf-mimi-protocol-06, Update Room
// State).
func (h *Hub) update(now time.Time, in UpdateRequest) error {
	r, err := h.room(in.Room)
	if err != nil {
		return err
	}
	if err := checkBody(in.Body); err != nil {
		return err
	}
	req, err := mimi.ParseUpdateRequest(in.Body, h.cfg.Points)
	if err != nil {
		return fail(Malformed, "update: %w", err)
	}
	u := update{h: h, room: r, from: in.From, now: now, UpdateRequest: req}
	u.request = h.groups.Suite.Hash(nil, in.Body)
	accepted, err := u.take()
	if err != nil {
		h.out.Response, h.out.Refused = r.refusal(err), err
		return nil
	}
	h.out.Response = &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateSuccess, AcceptedTimestamp: accepted}
	return nil
}

// refusal returns the response that says what err is. What is not for the requester
// does not get into these errors.
func (r *chatRoom) refusal(err error) *mimi.UpdateRoomResponse {
	resp := &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateNotAllowed, ErrorDescription: err.Error()}
	var why *refusal
	switch {
	case errors.Is(err, errEpoch):
		resp.ResponseCode, resp.CurrentEpoch = mimi.UpdateWrongEpoch, r.group.Epoch()
	case errors.As(err, &why):
		resp.ResponseCode, resp.InvalidProposals = why.code, why.invalid
	}
	return resp
}

// update is one UpdateRequest on its way.
type update struct {
	h    *Hub
	room *chatRoom
	from string
	now  time.Time
	*mimi.UpdateRequest
	request []byte // the hash of its body
}

// take returns when the update was accepted. Up to the line that says so nothing
// changes.
func (u *update) take() (accepted uint64, err error) {
	if at, ok := u.repeated(); ok {
		return at, nil
	}
	m := u.Bundle.ProposalOrCommit.Public
	if err := u.checkFrame(m); err != nil {
		return 0, err
	}
	if err := u.Check(); err != nil {
		return 0, notAllowed("%w", err)
	}
	if u.Bundle.Type() == message.ContentCommit {
		return u.commit(m)
	}
	return u.proposals()
}

// repeated reports whether the request was accepted before, and when. A provider
// that did not see the response may ask again; what it asks for is done once.
func (u *update) repeated() (uint64, bool) {
	if bytes.Equal(u.room.last.request, u.request) {
		return u.room.last.time, true
	}
	for i := range u.room.pending {
		if p := &u.room.pending[i]; bytes.Equal(p.request, u.request) {
			return p.time, true
		}
	}
	return 0, false
}

// checkFrame checks that a message is for the room's group and of its epoch.
func (u *update) checkFrame(m *message.PublicMessage) error {
	if !bytes.Equal(m.Content.GroupID, u.room.group.GroupID()) {
		return notAllowed("message for group %x, the room's is %x", m.Content.GroupID, u.room.group.GroupID())
	}
	if m.Content.Epoch != u.room.group.Epoch() {
		return fmt.Errorf("message of epoch %d: %w", m.Content.Epoch, errEpoch)
	}
	return nil
}

// actor is who is behind a message.
type actor struct {
	provider string
	user     ident.URI // zero for a provider that is an external sender
	origin   room.Origin
	// credential is what says so.
	credential *message.Credential
}

// name is the actor as a participant list has it.
func (a *actor) name() string {
	if a.user.IsZero() {
		return "mimi://" + a.provider
	}
	return a.user.String()
}

// String names the actor for refusals.
func (a *actor) String() string { return a.name() }

// actor returns who sent a message by what it says. Its signature has still to be
// verified.
func (u *update) actor(m *message.PublicMessage) (*actor, error) {
	return u.actorOf(m.Content.Sender, m.Content.Proposal, m.Content.Commit)
}

// actorOf is actor for a sender of a proposal or Commit, the other of which is nil.
func (u *update) actorOf(s message.Sender, p *message.Proposal, commit *message.Commit) (*actor, error) {
	var c *message.Credential
	origin := room.FromNewMemberProposal
	switch s.Type {
	case message.SenderMember:
		member := u.room.userOf(s.Index)
		if member == nil {
			return nil, notAllowed("sender is leaf %d, which is blank", s.Index)
		}
		leaf := u.room.group.Tree().Leaf(tree.LeafIndex(s.Index))
		return &actor{member.uri.Provider(), member.uri, room.FromMember, &leaf.Credential}, nil
	case message.SenderExternal:
		senders, err := externalSenders(u.room.group.Context())
		if err != nil || uint64(s.Index) >= uint64(len(senders)) {
			return nil, notAllowed("sender is external sender %d, the group has %d", s.Index, len(senders))
		}
		e := &senders[s.Index]
		provider, err := u.h.cfg.Provider(&e.Credential)
		if err != nil {
			return nil, notAllowed("external sender %d: %w", s.Index, err)
		}
		return &actor{provider, ident.URI{}, room.FromExternalSender, &e.Credential}, nil
	case message.SenderNewMemberProposal:
		if p != nil {
			if add, ok := p.Body.(*message.Add); ok {
				c = &add.KeyPackage.LeafNode.Credential
			}
		}
	case message.SenderNewMemberCommit:
		if commit != nil && commit.Path != nil {
			origin, c = room.FromNewMemberCommit, &commit.Path.LeafNode.Credential
		}
	}
	if c == nil {
		return nil, notAllowed("no such message comes from a %v sender", s.Type)
	}
	user, err := u.h.cfg.User(c)
	if err != nil {
		return nil, notAllowed("sender: %w", err)
	}
	return &actor{user.Provider(), user, origin, c}, nil
}

// externalSenders returns the external_senders of a GroupContext.
func externalSenders(c *message.GroupContext) (list message.ExternalSenders, err error) {
	if data, ok := c.Extensions.Find(message.ExtensionExternalSenders); ok {
		err = wire.Unmarshal(data, &list)
	}
	return list, err
}

// ownSender returns the place of the hub among the external senders: "That extension
// MUST contain at least the Certificate of the Hub" (Authenticating proposals).
func (h *Hub) ownSender(c *message.GroupContext) (uint32, error) {
	senders, err := externalSenders(c)
	if err != nil {
		return 0, fmt.Errorf("external_senders: %w", err)
	}
	for i := range senders {
		if bytes.Equal(senders[i].SignatureKey, h.cfg.Identity.Signer.Public) && sameCredential(&senders[i].Credential, &h.cfg.Identity.Credential) {
			return uint32(i), nil
		}
	}
	return 0, errors.New("external_senders does not hold the hub")
}

func sameCredential(a, b *message.Credential) bool {
	x, err1 := wire.Marshal(a)
	y, err2 := wire.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// authenticated returns who sent a message, if the provider that brings it answers
// for that actor.
func (u *update) authenticated(m *message.PublicMessage) (*actor, error) {
	a, err := u.actor(m)
	if err != nil {
		return nil, err
	}
	if a.provider != u.from {
		return nil, notAllowed("message of %v through %s, want its own provider", a, u.from)
	}
	return a, nil
}

// proposals takes proposals: "The hub caches the proposals" (Bob Leaves the Room).
func (u *update) proposals() (uint64, error) {
	all := make([]*message.PublicMessage, 0, 1+len(u.Bundle.MoreProposals))
	all = append(all, u.Bundle.ProposalOrCommit.Public)
	for i := range u.Bundle.MoreProposals {
		all = append(all, u.Bundle.MoreProposals[i].Public)
	}
	r := u.room
	if len(all)+len(r.pending) > maxProposals {
		return 0, notAllowed("%d proposals, and %d wait for a commit: want at most %d", len(all), len(r.pending), maxProposals)
	}
	by, err := u.authenticated(all[0])
	if err != nil {
		return 0, err
	}
	for _, m := range all[1:] {
		if m.Content.Sender != all[0].Content.Sender || m.Content.Sender.Type == message.SenderNewMemberProposal {
			return 0, notAllowed("proposals of several senders in one request")
		}
	}
	if n := u.waiting(by); n+len(all) > maxOfSender {
		return 0, notAllowed("%d proposals of %v, and %d wait for a commit: want at most %d", len(all), by, n, maxOfSender)
	}
	if err := u.standing(by, all); err != nil {
		return 0, err
	}
	received, err := u.checkAll(all)
	if err != nil {
		return 0, err
	}
	next, err := u.authorize(received)
	if err != nil {
		return 0, err
	}
	routes, err := u.ownKeys(by, all[0])
	if err != nil {
		return 0, err
	}
	body, err := u.fanout(all, r.nextTime(u.now))
	if err != nil {
		return 0, err
	}

	// Accepted.
	at := r.accept(u.now)
	for i, p := range received {
		if err := r.group.Keep(p); err != nil {
			panic(fmt.Sprintf("hub: invariant broken, a checked proposal can be kept: %v", err))
		}
		u.h.addPending(r, pendingProposal{message.Message{Public: all[i]}, at, u.request})
	}
	r.setState(next)
	if routes != nil {
		u.h.remember(u.now, by.provider, routes.refs, routes.keys)
	}
	u.h.putGroup(r)
	sender := ""
	if by.origin == room.FromMember {
		sender = by.provider
	}
	u.h.publish(r, body, r.others(sender))
	u.h.put(r.key+"head", r.marshalHead())
	return at, nil
}

// waiting counts the proposals of an actor that wait for a Commit, so that one alone
// can't keep all others from proposing.
func (u *update) waiting(by *actor) (n int) {
	for i := range u.room.pending {
		if a, err := u.actor(u.room.pending[i].message.Public); err == nil && a.name() == by.name() {
			n++
		}
	}
	return n
}

// addPending adds a proposal that waits for a Commit.
func (h *Hub) addPending(r *chatRoom, p pendingProposal) {
	r.pending = append(r.pending, p)
	h.put(r.pendingKey(len(r.pending)-1), p.marshal())
}

// checkAll checks each of some proposals, and all together with those that wait.
func (u *update) checkAll(all []*message.PublicMessage) ([]*mls.Received, error) {
	var received []*mls.Received
	var invalid []message.ProposalRef
	var first error
	seen := make(map[string]bool, len(all))
	for _, m := range all {
		p, err := u.room.group.CheckProposal(u.now, m)
		if err == nil && seen[string(p.Ref)] {
			err = mls.ErrDuplicate
		}
		if err == nil {
			err = u.committable(p)
		}
		if err != nil {
			ref, refErr := m.Authenticated().Ref(u.h.groups.Suite)
			if refErr == nil {
				invalid = append(invalid, ref)
			}
			if first == nil {
				first = err
			}
			continue
		}
		seen[string(p.Ref)] = true
		received = append(received, p)
	}
	if first != nil {
		return nil, invalidProposal(invalid, "proposal: %w", first)
	}
	list := u.room.group.Proposals()
	for _, p := range received {
		list = append(list, p.Committed)
		invalid = append(invalid, p.Ref)
	}
	if err := u.room.group.CheckTogether(u.now, required(list, nil)); err != nil {
		return nil, invalidProposal(invalid, "proposals beside those that wait for a commit: %w", err)
	}
	return received, nil
}

// committable refuses proposals that others may be unable to commit, which would
// keep the room from ever going on: the hub requires what it has accepted.
func (u *update) committable(p *mls.Received) error {
	switch p.Proposal.Body.(type) {
	case *message.PreSharedKey:
		return errors.New("a pre-shared key may not be known to those who are to commit it: commit it yourself")
	case *message.ReInit:
		return errors.New("a reinit goes into a commit alone: commit it yourself")
	}
	return nil
}

// ownKeys returns the KeyPackage that a new member's proposal brings: the hub has
// not seen it before, and is to know where its Welcome goes.
func (u *update) ownKeys(by *actor, m *message.PublicMessage) (*keys, error) {
	add, ok := m.Content.Proposal.Body.(*message.Add)
	if !ok || m.Content.Sender.Type != message.SenderNewMemberProposal {
		return nil, nil
	}
	k := []*message.KeyPackage{&add.KeyPackage}
	refs, err := u.h.checkKeys(u.now, by.provider, k)
	if err != nil {
		return nil, notAllowed("%w", err)
	}
	return &keys{refs, k}, nil
}

type keys struct {
	refs []message.KeyPackageRef
	keys []*message.KeyPackage
}

// fanout returns the FanoutMessage of proposals. "The moreProposals list in a
// FanoutMessage MUST be the same as the corresponding moreProposals list in the
// HandshakeBundle" (Fanout Messages and Room Events).
func (u *update) fanout(all []*message.PublicMessage, at uint64) ([]byte, error) {
	f := mimi.FanoutMessage{Timestamp: at, Message: message.Message{Public: all[0]}}
	for _, m := range all[1:] {
		f.MoreProposals = append(f.MoreProposals, message.Message{Public: m})
	}
	return wire.Marshal(&f)
}

// nextTime returns what accept will.
func (r *chatRoom) nextTime(now time.Time) uint64 {
	return max(uint64(max(now.UnixMilli(), 0)), r.lastTime+1)
}
