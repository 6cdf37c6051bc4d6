package hub

import (
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// This file is about the proposals that wait for a Commit: "The next time a client
// attempts to commit, the hub requires the client to include the cached proposals"
// (draft-ietf-mimi-protocol-06, Bob Leaves the Room).

// changed returns the leaf that a proposal changes, and whether it removes it.
func changed(p *mls.Committed) (leaf tree.LeafIndex, removes, ok bool) {
	switch b := p.Proposal.Body.(type) {
	case *message.Update:
		return tree.LeafIndex(p.Sender.Index), false, true
	case *message.Remove:
		return tree.LeafIndex(b.Removed), true, true
	case *message.SelfRemove:
		return tree.LeafIndex(p.Sender.Index), true, true
	}
	return 0, false, false
}

// required returns the proposals of a list that a Commit has to cover. One Commit
// can't change a leaf twice (RFC 9420, Section 12.2): of several changes a removal
// counts, else the latest. A committer's own Update is in the way of its Commit, and
// what it renews the Commit's path renews.
func required(list []mls.Committed, committer *message.Sender) []mls.Committed {
	counts := make(map[tree.LeafIndex]int) // place of the change that counts
	removal := make(map[tree.LeafIndex]bool)
	for i := range list {
		leaf, removes, ok := changed(&list[i])
		if !ok || removal[leaf] {
			continue
		}
		counts[leaf], removal[leaf] = i, removes
	}
	out := make([]mls.Committed, 0, len(list))
	for i := range list {
		p := &list[i]
		leaf, removes, ok := changed(p)
		if ok && counts[leaf] != i || ok && !removes && committer != nil && p.Sender == *committer {
			continue
		}
		out = append(out, *p)
	}
	return out
}

// lacking returns the required proposals that a Commit lacks. A leaf may be removed by
// another proposal than the one that was required; an external Commit can hold no other
// reference than to a SelfRemove (draft-ietf-mls-extensions-10, SelfRemove).
func lacking(s *mls.Staged, list []mls.Committed) (out []mls.Committed) {
	committer := s.Committer()
	external := committer.Type == message.SenderNewMemberCommit
	has := make(map[string]bool)
	for _, p := range s.Proposals() {
		has[string(p.Ref)] = true
	}
	removed := make(map[tree.LeafIndex]bool)
	for _, i := range s.RemovedLeaves() {
		removed[i] = true
	}
	for _, p := range required(list, &committer) {
		leaf, removes, ok := changed(&p)
		_, self := p.Proposal.Body.(*message.SelfRemove)
		switch {
		case has[string(p.Ref)], ok && removed[leaf]:
		case ok && !removes && replaced(s, leaf):
		case external && !self:
		default:
			out = append(out, p)
		}
	}
	return out
}

// stale reports whether a proposal has waited for so long that a Commit may do without.
// The membership_tag of a member's proposal (RFC 9420, Section 6.2) can be verified by
// members alone: if it is wrong, they have not taken what the hub has, and the room would
// stand still for as long as the hub required it.
func (u *update) stale(p *mls.Committed) bool {
	if p.Sender.Type != message.SenderMember {
		return false // it has no such tag
	}
	for i, waiting := range u.room.group.Proposals() {
		if string(waiting.Ref) == string(p.Ref) {
			return u.now.UnixMilli() >= int64(u.room.pending[i].time)+u.h.cfg.ProposalPatience.Milliseconds()
		}
	}
	return false
}

// removals returns what proposals that a Commit left out would have removed and is still
// there, as the hub can propose it: leaves, and participants by their names, since the
// Commit may have moved their places.
func (h *Hub) removals(r *chatRoom, before *room.State, leftOut []mls.Committed) []message.Proposal {
	var out []message.Proposal
	var names []string
	list := slices.Collect(before.All())
	for i := range leftOut {
		p := &leftOut[i]
		if leaf, removes, ok := changed(p); ok && removes && r.members[leaf] != nil {
			out = append(out, mls.RemoveProposal(leaf))
		}
		b, ok := p.Proposal.Body.(*message.AppDataUpdate)
		if !ok || b.Component != h.cfg.Points.ParticipantList || b.Op == message.AppDataRemove {
			continue
		}
		var u room.ParticipantListUpdate
		if wire.Unmarshal(b.Update, &u) != nil {
			continue
		}
		for _, at := range u.Removed {
			if int64(at) >= int64(len(list)) {
				continue
			}
			name := list[at].User
			if _, listed := r.state.epoch.Find(name); listed && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return out
	}
	update, err := r.state.epoch.ListUpdate(nil, names, nil)
	if err != nil {
		return out
	}
	b, err := wire.Marshal(update)
	if err != nil {
		return out
	}
	return append(out, h.groups.AppDataProposal(h.cfg.Points.ParticipantList, b))
}

// replaced reports whether a Commit covers another Update of a leaf than the one
// that was required.
func replaced(s *mls.Staged, leaf tree.LeafIndex) bool {
	for _, p := range s.Proposals() {
		if i, removes, ok := changed(&p); ok && !removes && i == leaf {
			return true
		}
	}
	return false
}

// again returns the proposals that an external Commit left in the air, as the hub
// can propose them in the new epoch: "The hub would then be expected to regenerate
// any relevant, comparable proposals in the new epoch" (Fanout Messages and Room
// Events). A SelfRemove becomes the Remove that it asks for. An Update is its
// sender's alone: it is gone, as are those that are done.
func again(s *mls.Staged, list []mls.Committed) []message.Proposal {
	removed := make(map[tree.LeafIndex]bool)
	for _, i := range s.RemovedLeaves() {
		removed[i] = true
	}
	var out []message.Proposal
	for _, p := range required(list, nil) {
		leaf, removes, ok := changed(&p)
		switch {
		case ok && (!removes || removed[leaf]):
		case ok:
			out = append(out, mls.RemoveProposal(leaf))
		default:
			out = append(out, *p.Proposal)
		}
	}
	return out
}
