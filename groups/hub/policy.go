package hub

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file is where the hub asks package room who may do what: it says what
// proposals mean to a room, and whose they are.

// policy is a room's state in two moments. "As soon as the Hub accepts an event that
// changes the room state, its effect is applied to the room state and future events
// are validated in the context of that new state" (draft-ietf-mimi-protocol-06, Room
// state). But a Commit changes the state of its epoch, which is what indices into
// lists are of and what members judge it by.
type policy struct {
	epoch *room.State // as the GroupContext has it
	now   *room.State // with the proposals applied that wait for a Commit
}

// decode reads a room's state out of its GroupContext, and applies what waits for a
// Commit.
func (h *Hub) decode(r *chatRoom) (policy, error) {
	d, err := h.dictionary(r.group.Context())
	if err != nil {
		return policy{}, err
	}
	users := func(yield func(string) bool) {
		for i := range r.group.Tree().All() {
			if u := r.members[i]; u == nil || !yield(u.name) {
				return
			}
		}
	}
	s, err := room.Decode(h.cfg.RoomPoints, d, iter.Seq[string](users))
	if err != nil {
		return policy{}, err
	}
	return policy{s, s}, nil
}

func (h *Hub) dictionary(c *message.GroupContext) (d message.AppDataDictionary, err error) {
	if data, ok := c.Extensions.Find(h.cfg.Points.MLS.AppDataDictionary); ok {
		err = wire.Unmarshal(data, &d)
	}
	return d, err
}

// banned reports whether a user is in the participant list as banned.
func banned(s *room.State, user string) bool {
	p, listed := s.Find(user)
	return listed && p.Role == room.RoleBanned && s.Roles().CanBan()
}

// active reports whether a user is a participant who is not banned.
func (p *policy) active(user string) bool {
	_, listed := p.now.Find(user)
	return listed && !banned(p.now, user)
}

// outside says why one who is no member may neither join nor propose: it is banned,
// or its removal waits for a Commit, which it would escape with a client that the
// removal does not know.
func (p *policy) outside(user string) error {
	if banned(p.now, user) {
		return fmt.Errorf("%s is banned", user)
	}
	_, was := p.epoch.Find(user)
	if _, is := p.now.Find(user); was && !is {
		return fmt.Errorf("%s has left", user)
	}
	return nil
}

// receives reports whether a user's clients are to have application messages: "A hub
// provider which observes that an active participant has been removed or banned from
// the room, MUST prevent any of its clients from sending or receiving any additional
// application messages" (Update Room State). The hub "can also withhold fanout of
// application messages to clients of a user" (room-policy-04, Message Capabilities).
func (p *policy) receives(user string) bool {
	return p.active(user) && p.now.Can(user, room.CanReceiveMessage)
}

// maySend says why a user may not send application messages.
func (p *policy) maySend(user string) error {
	if !p.active(user) {
		return fmt.Errorf("%s is no participant of the room", user)
	}
	_, err := room.Authorize(p.now, &room.Actor{User: user}, room.SendMessage{})
	return err
}

// mayReport says why a user may not report abuse.
func (p *policy) mayReport(user string) error {
	_, err := room.Authorize(p.now, &room.Actor{User: user}, room.ReportAbuse{})
	return err
}

// tolerance returns how many epochs an application message may be late.
func (p *policy) tolerance(unspecified uint64) uint64 {
	if o := p.epoch.Operational(); o != nil {
		return uint64(o.AppMessages.EpochTolerance)
	}
	return unspecified
}

// mayJoin says why a user may not join from outside: as another client of a
// participant, or as a participant in any of the room's roles.
func (p *policy) mayJoin(a *room.Actor) error {
	if err := p.outside(a.User); err != nil {
		return err
	}
	if _, listed := p.now.Find(a.User); listed {
		_, err := room.AuthorizeCommit(p.now, a, []room.Proposal{{Actor: a, Change: room.AddClient{User: a.User}}})
		return err
	}
	err := errors.New("the room has no roles")
	if roles := p.now.Roles(); roles != nil {
		for i := range roles.Roles {
			role := roles.Roles[i].Index
			if role == room.RoleNone || role == room.RoleBanned {
				continue
			}
			if _, err = room.AuthorizeCommit(p.now, a, []room.Proposal{
				{Actor: a, Change: room.AddParticipant{User: a.User, Role: role}},
				{Actor: a, Change: room.AddClient{User: a.User}},
			}); err == nil {
				return nil
			}
		}
	}
	return err
}

// opens says why a joining code does not open the room.
func (p *policy) opens(code []byte) error {
	if l := p.now.JoinLinks(); l != nil {
		for i := range l.Links {
			if bytes.Equal(l.Links[i].Link, code) && len(code) > 0 {
				return nil
			}
		}
	}
	return errors.New("the joining code is not one of the room's")
}

// setState makes a state that [update.authorize] or [update.authorizeCommit] returned
// the room's.
func (r *chatRoom) setState(p policy) {
	r.state = p
	r.readers, r.senders = nil, nil
}

// roomActor returns an actor as package room knows it.
func (h *Hub) roomActor(a *actor) *room.Actor {
	out := &room.Actor{User: a.name(), Origin: a.origin}
	if h.cfg.Claims != nil && a.credential != nil {
		out.Claims = h.cfg.Claims(a.credential)
	}
	return out
}

// change says what a proposal does to the room; nil for what does nothing to it.
func (u *update) change(p *mls.Committed) (room.Change, error) {
	user := func(c *message.Credential) (string, error) {
		uri, err := u.h.cfg.User(c)
		return uri.String(), err
	}
	switch b := p.Proposal.Body.(type) {
	case *message.Add:
		name, err := user(&b.KeyPackage.LeafNode.Credential)
		return room.AddClient{User: name}, err
	case *message.Update:
		name, err := user(&b.LeafNode.Credential)
		return room.UpdateClient{User: name}, err
	case *message.Remove:
		return u.removal(b.Removed)
	case *message.SelfRemove:
		return u.removal(p.Sender.Index)
	case *message.AppDataUpdate:
		if b.Op == message.AppDataRemove {
			return room.RemoveComponent{Component: b.Component}, nil
		}
		return room.UpdateComponent{Component: b.Component, Update: b.Update}, nil
	case *message.GroupContextExtensions:
		t := u.h.cfg.Points.MLS.AppDataDictionary
		before, _ := u.room.group.Context().Extensions.Find(t)
		after, _ := b.Extensions.Find(t)
		return room.ChangeExtensions{Dictionary: !bytes.Equal(before, after)}, nil
	case *message.ReInit:
		return room.ReInit{}, nil
	case *message.PreSharedKey, *message.ExternalInit:
		return nil, nil
	}
	return nil, fmt.Errorf("proposal of type %v, which means nothing to the room", p.Proposal.Type)
}

func (u *update) removal(leaf uint32) (room.Change, error) {
	m := u.room.userOf(leaf)
	if m == nil {
		return nil, fmt.Errorf("remove of leaf %d, which is blank", leaf)
	}
	return room.RemoveClient{User: m.name}, nil
}

// changes says what a list of proposals does to the room, and who wants it. The
// members who sent them are those of the current epoch; joiner is who commits from
// outside, if someone does.
func (u *update) changes(list []mls.Committed, joiner *room.Actor) ([]room.Proposal, error) {
	actors := make(map[message.Sender]*room.Actor) // as they are compared by no more than their sender
	out := make([]room.Proposal, 0, len(list))
	for i := range list {
		p := &list[i]
		c, err := u.change(p)
		if err != nil {
			return nil, notAllowed("%w", err)
		}
		if c == nil {
			continue
		}
		a := actors[p.Sender]
		if p.Sender.Type == message.SenderNewMemberCommit {
			a = joiner
		}
		if a == nil {
			by, err := u.actorOf(p.Sender, p.Proposal, nil)
			if err != nil {
				return nil, err
			}
			a = u.h.roomActor(by)
			if p.Sender.Type != message.SenderNewMemberProposal { // each is another
				actors[p.Sender] = a
			}
		}
		out = append(out, room.Proposal{Actor: a, Change: c})
	}
	return out, nil
}

// standing refuses what one who was removed or banned may not do any more: all but
// "Remove and SelfRemove proposals for its users in that group" (Update Room State).
// Who is no member and banned may do nothing.
func (u *update) standing(by *actor, all []*message.PublicMessage) error {
	r := u.room
	if by.origin != room.FromMember {
		if err := r.state.outside(by.name()); err != nil {
			return notAllowed("%w", err)
		}
		return nil
	}
	if r.state.active(by.name()) {
		return nil
	}
	for _, m := range all {
		p := mls.Committed{Proposal: m.Content.Proposal, Sender: m.Content.Sender}
		if leaf, removes, ok := changed(&p); !ok || !removes || r.members[leaf] != r.users[by.user] {
			return notAllowed("%v is no participant any more and can propose nothing but to remove its clients", by)
		}
	}
	return nil
}

// authorize says whether proposals may be made beside those that wait for a Commit,
// and returns the state that follows.
func (u *update) authorize(received []*mls.Received) (policy, error) {
	r := u.room
	list := r.group.Proposals()
	for _, p := range received {
		list = append(list, p.Committed)
	}
	return u.state(r.state.epoch, list)
}

// state returns the state of an epoch with proposals that wait for a Commit.
func (u *update) state(epoch *room.State, waiting []mls.Committed) (policy, error) {
	if len(waiting) == 0 {
		return policy{epoch, epoch}, nil
	}
	changes, err := u.changes(required(waiting, nil), nil)
	if err != nil {
		return policy{}, err
	}
	now, err := room.AuthorizeCommit(epoch, nil, changes)
	if err != nil {
		return policy{}, denied(waiting, err)
	}
	return policy{epoch, now}, nil
}

// denied tells what cannot be from what is not allowed.
func denied(list []mls.Committed, err error) error {
	var impossible *room.UpdateError
	if !errors.As(err, &impossible) {
		return notAllowed("%w", err)
	}
	var refs []message.ProposalRef
	for i := range list {
		if b, ok := list[i].Proposal.Body.(*message.AppDataUpdate); ok && b.Component == impossible.Component && list[i].Ref != nil {
			refs = append(refs, list[i].Ref)
		}
	}
	return invalidProposal(refs, "%w", err)
}

// authorizeCommit says whether a Commit may be made, and returns the state of the
// epoch that it begins.
func (u *update) authorizeCommit(by *actor, s *mls.Staged) (policy, error) {
	r := u.room
	committer := u.h.roomActor(by)
	if by.origin == room.FromNewMemberCommit {
		if err := r.state.outside(by.name()); err != nil {
			return policy{}, notAllowed("%w", err)
		}
		if until, ok := r.joins[by.user]; ok && u.now.UnixMilli() <= until {
			committer.JoinCode = &room.JoinCode{}
		}
	}
	changes, err := u.changes(s.Proposals(), committer)
	if err != nil {
		return policy{}, err
	}
	if by.origin == room.FromNewMemberCommit {
		changes = append(changes, room.Proposal{Actor: committer, Change: room.AddClient{User: by.name()}})
	}
	next, err := room.AuthorizeCommit(r.state.epoch, committer, changes)
	if err != nil {
		return policy{}, denied(s.Proposals(), err)
	}
	return policy{next, next}, nil
}

// groupConfig returns the configuration of the rooms' groups: credentials must name
// users, a leaf stays its user's, and the components are the room's.
func (h *Hub) groupConfig() *mls.Config {
	c := *h.cfg.Groups
	c.Points = &h.cfg.Points.MLS
	c.PublicHandshake = true
	c.Authorize = nil
	base := c.Authenticate
	c.Authenticate = func(cred *message.Credential, key []byte, w mls.Where) error {
		if w.Leaf != nil {
			user, err := h.cfg.User(cred)
			if err != nil {
				return err
			}
			if w.Replaces != nil {
				if before, err := h.cfg.User(&w.Replaces.Credential); err != nil || before != user {
					return fmt.Errorf("credential of %v in place of one of %v", user, before)
				}
			}
		}
		if base != nil {
			return base(cred, key, w)
		}
		if cred.Type != message.CredentialBasic {
			return fmt.Errorf("credential of type %v, and only basic ones are accepted", cred.Type)
		}
		return nil
	}
	c.Components = components(h.cfg.RoomPoints, h.cfg.Points)
	return &c
}

// authenticate asks whether a credential outside of any group is valid.
func (h *Hub) authenticate(now time.Time, c *message.Credential, key []byte) error {
	if h.cfg.Groups.Authenticate == nil {
		return nil
	}
	return h.cfg.Groups.Authenticate(c, key, mls.Where{Now: now})
}

// components are the components of MIMI as a group knows them: those of a room, the
// franking agent and what goes into the authenticated data.
func components(points *room.Points, codes *mimi.CodePoints) map[message.ComponentID]mls.Component {
	m := make(map[message.ComponentID]mls.Component)
	for _, id := range points.Components() {
		m[id] = mls.Component{Update: func(old []byte, updates [][]byte) ([]byte, error) {
			return points.Merge(id, old, updates)
		}}
	}
	m[codes.FrankingAgent] = mls.Component{Update: func(_ []byte, updates [][]byte) ([]byte, error) {
		if len(updates) > 1 {
			return nil, errors.New("franking_agent updated twice in one commit")
		}
		if _, err := mimi.ParseFrankingAgentData(updates[0]); err != nil {
			return nil, err
		}
		return updates[0], nil
	}}
	m[codes.FrankAAD] = mls.Component{SafeAAD: true}
	return m
}

// checkMembers checks that a room that is taken over keeps its own policy.
func (p *policy) checkMembers(users map[ident.URI]*user) error {
	if err := p.epoch.Check(); err != nil {
		return err
	}
	names := make([]string, 0, len(users))
	for _, u := range users {
		names = append(names, u.name)
	}
	slices.Sort(names)
	for _, name := range names {
		if banned(p.epoch, name) {
			return fmt.Errorf("%s is banned and has a client in the group", name)
		}
	}
	return nil
}
