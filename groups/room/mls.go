package room

import (
	"bytes"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file is the bridge to protocols/mls: what a Commit's proposals are in the
// terms of a room. The rest of the package knows no MLS groups.

// MLSComponents returns the components of a room for [mls.Config]. Each keeps the
// bytes as [Points.Merge] makes them.
func (p *Points) MLSComponents() map[message.ComponentID]mls.Component {
	p = p.orDefault()
	all := make(map[message.ComponentID]mls.Component)
	for _, id := range p.Components() {
		all[id] = mls.Component{Update: func(old []byte, updates [][]byte) ([]byte, error) { return p.Merge(id, old, updates) }}
	}
	return all
}

// Users says which user a credential belongs to, a provider for one of external
// senders, and which claims it makes.
type Users func(*message.Credential) (user string, claims []Claim, err error)

// Translator turns the proposals of an MLS group into changes of a room.
type Translator struct {
	Users Users
	// Points are the numbers of the MLS extensions; nil means
	// [message.DefaultCodePoints].
	Points *message.CodePoints
	// JoinCode is what one who joins by an external Commit has shown. Members, who
	// do not see it, set [Unseen].
	JoinCode *JoinCode
}

// Decode makes the State of a group's epoch.
func (t *Translator) Decode(points *Points, context *message.GroupContext, members *tree.Tree) (*State, error) {
	var dict message.AppDataDictionary
	if data, ok := context.Extensions.Find(t.points().AppDataDictionary); ok {
		if err := wire.Unmarshal(data, &dict); err != nil {
			return nil, fmt.Errorf("room: app_data_dictionary: %w", err)
		}
	}
	var failed error
	s, err := Decode(points, dict, func(yield func(string) bool) {
		for i, leaf := range members.All() {
			if leaf == nil {
				continue
			}
			user, _, err := t.Users(&leaf.Credential)
			if err != nil {
				failed = fmt.Errorf("room: leaf %d: %w", i, err)
				return
			}
			if !yield(user) {
				return
			}
		}
	})
	if failed != nil {
		return nil, failed
	}
	return s, err
}

func (t *Translator) points() *message.CodePoints {
	if t.Points == nil {
		return &message.DefaultCodePoints
	}
	return t.Points
}

// Authorize asks [AuthorizeCommit] about a Commit, for [mls.Config.Authorize].
func (t *Translator) Authorize(s *State, p *mls.Proposed) (*State, error) {
	committer, list, err := t.Commit(p)
	if err != nil {
		return nil, err
	}
	return AuthorizeCommit(s, committer, list)
}

// Commit returns who committed, and what.
func (t *Translator) Commit(p *mls.Proposed) (committer *Actor, list []Proposal, err error) {
	w := translation{t: t, group: p.Group, joiner: p.Joiner, actors: make(map[message.Sender]*Actor)}
	if committer, err = w.actor(p.Committer, nil); err != nil {
		return nil, nil, err
	}
	list, err = w.proposals(p.Proposals)
	return committer, list, err
}

// Proposals returns what proposals that wait for a Commit are in the terms of the
// room.
func (t *Translator) Proposals(g *mls.PublicGroup, list []mls.Committed) ([]Proposal, error) {
	w := translation{t: t, group: g, actors: make(map[message.Sender]*Actor)}
	return w.proposals(list)
}

// translation is the work on one list.
type translation struct {
	t      *Translator
	group  *mls.PublicGroup
	joiner *message.LeafNode
	actors map[message.Sender]*Actor // but for new_member_proposal
}

func (w *translation) proposals(all []mls.Committed) ([]Proposal, error) {
	list := make([]Proposal, 0, len(all))
	for i := range all {
		change, err := w.change(&all[i])
		if err != nil {
			return nil, err
		}
		if change == nil {
			continue
		}
		a, err := w.actor(all[i].Sender, all[i].Proposal)
		if err != nil {
			return nil, err
		}
		list = append(list, Proposal{a, change})
	}
	return list, nil
}

// actor returns who a sender is. p is what a new member proposes, which has the
// credential in it.
func (w *translation) actor(s message.Sender, p *message.Proposal) (*Actor, error) {
	if a, ok := w.actors[s]; ok {
		return a, nil
	}
	var credential *message.Credential
	origin := FromMember
	switch s.Type {
	case message.SenderMember:
		leaf := w.group.Tree().Leaf(tree.LeafIndex(s.Index))
		if leaf == nil {
			return nil, fmt.Errorf("room: sender is leaf %d, which is blank", s.Index)
		}
		credential = &leaf.Credential
	case message.SenderExternal:
		origin = FromExternalSender
		e, err := w.external(s.Index)
		if err != nil {
			return nil, err
		}
		credential = &e.Credential
	case message.SenderNewMemberProposal:
		origin = FromNewMemberProposal
		add, ok := p.Body.(*message.Add)
		if !ok {
			return nil, fmt.Errorf("room: a new member proposes a %v, want an add", p.Type)
		}
		credential = &add.KeyPackage.LeafNode.Credential
	default:
		origin = FromNewMemberCommit
		if w.joiner == nil {
			return nil, fmt.Errorf("room: external commit without a leaf of its sender")
		}
		credential = &w.joiner.Credential
	}
	user, claims, err := w.t.Users(credential)
	if err != nil {
		return nil, fmt.Errorf("room: %v sender %d: %w", s.Type, s.Index, err)
	}
	a := &Actor{User: user, Origin: origin, Claims: claims}
	if origin == FromNewMemberCommit || origin == FromNewMemberProposal {
		a.JoinCode = w.t.JoinCode
	}
	if origin != FromNewMemberProposal { // all of them have the same Sender
		w.actors[s] = a
	}
	return a, nil
}

// external returns an entry of external_senders.
func (w *translation) external(i uint32) (*message.ExternalSender, error) {
	data, _ := w.group.Context().Extensions.Find(message.ExtensionExternalSenders)
	var list message.ExternalSenders
	if err := wire.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("room: external_senders: %w", err)
	}
	if int64(i) >= int64(len(list)) {
		return nil, fmt.Errorf("room: external sender %d of %d", i, len(list))
	}
	return &list[i], nil
}

// change returns what a proposal does to the room; nil if nothing: pre-shared keys,
// AppEphemeral, and types that this package does not know, which the group's required
// capabilities are for.
func (w *translation) change(p *mls.Committed) (Change, error) {
	switch b := p.Proposal.Body.(type) {
	case *message.Add:
		user, err := w.user(&b.KeyPackage.LeafNode, "added client")
		return AddClient{user}, err
	case *message.Update:
		user, err := w.user(&b.LeafNode, "updated leaf")
		return UpdateClient{user}, err
	case *message.Remove:
		user, err := w.userAt(b.Removed)
		return RemoveClient{user}, err
	case *message.SelfRemove:
		user, err := w.userAt(p.Sender.Index)
		return RemoveClient{user}, err
	case *message.ExternalInit:
		if w.joiner == nil {
			return nil, fmt.Errorf("room: external_init outside of an external commit")
		}
		user, err := w.user(w.joiner, "joining client")
		return AddClient{user}, err
	case *message.ReInit:
		return ReInit{}, nil
	case *message.GroupContextExtensions:
		id := w.t.points().AppDataDictionary
		before, had := w.group.Context().Extensions.Find(id)
		after, has := b.Extensions.Find(id)
		return ChangeExtensions{Dictionary: had != has || !bytes.Equal(before, after)}, nil
	case *message.AppDataUpdate:
		if b.Op == message.AppDataRemove {
			return RemoveComponent{b.Component}, nil
		}
		return UpdateComponent{b.Component, b.Update}, nil
	}
	return nil, nil
}

func (w *translation) user(leaf *message.LeafNode, what string) (string, error) {
	user, _, err := w.t.Users(&leaf.Credential)
	if err != nil {
		return "", fmt.Errorf("room: %s: %w", what, err)
	}
	return user, nil
}

func (w *translation) userAt(i uint32) (string, error) {
	leaf := w.group.Tree().Leaf(tree.LeafIndex(i))
	if leaf == nil {
		return "", fmt.Errorf("room: removed leaf %d is blank", i)
	}
	return w.user(leaf, fmt.Sprintf("leaf %d", i))
}
