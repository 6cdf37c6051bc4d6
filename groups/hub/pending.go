package hub

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
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

// covers returns the first of the required proposals that a Commit lacks, nil if
// there is none. A leaf may be removed by another proposal than the one that was
// required; an external Commit can hold no other reference than to a SelfRemove
// (draft-ietf-mls-extensions-10, SelfRemove).
func covers(s *mls.Staged, list []mls.Committed) *mls.Committed {
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
			return &p
		}
	}
	return nil
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
