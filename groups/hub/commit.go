package hub

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// commit takes a Commit. Everything is checked on what it would make of the group
// before anything changes; from then on nothing can fail.
func (u *update) commit(m *message.PublicMessage) (uint64, error) {
	r, h := u.room, u.h
	by, err := u.authenticated(m)
	if err != nil {
		return 0, err
	}
	if by.origin == room.FromMember && !r.mayAct(by.user) {
		return 0, notAllowed("%v is no participant any more and can't commit", by)
	}
	event, err := r.group.Stage(u.now, m)
	if err != nil {
		return 0, u.refusedCommit(m, err)
	}
	staged := event.(*mls.Staged)
	leftOut := lacking(staged, r.group.Proposals())
	for i := range leftOut {
		if !u.stale(&leftOut[i]) {
			return 0, notAllowed("commit without proposal %x, which waits for one", leftOut[i].Ref)
		}
	}
	if _, err := h.ownSender(staged.Context()); err != nil {
		return 0, notAllowed("commit: %w", err)
	}
	next, err := u.authorizeCommit(by, staged)
	if err != nil {
		return 0, err
	}
	joiners, err := u.welcome(staged)
	if err != nil {
		return 0, err
	}
	info, err := u.groupInfo(m, staged)
	if err != nil {
		return 0, err
	}

	// Accepted.
	at := r.accept(u.now)
	external := staged.Committer().Type == message.SenderNewMemberCommit
	sender := by.provider
	if external {
		sender = "" // the joiner is none of its provider's clients in the group yet
	}
	before := r.state.epoch
	targets := r.others(sender) // those who were there before, and so follow the Commit
	waiting := r.group.Proposals()
	h.dropPending(r)
	if err := r.group.Merge(staged); err != nil {
		panic(fmt.Sprintf("hub: invariant broken, a staged commit can be merged: %v", err))
	}
	h.move(r, staged)
	r.rules = nil
	r.info, r.last = info, accepted{u.request, at}
	r.setState(next)
	if _, ok := r.joins[by.user]; ok {
		delete(r.joins, by.user)
		h.drop(r.joinKey(by.user))
	}
	var stapled, anew []message.Message
	var later uint64
	if external {
		stapled = h.repropose(r, u.now, at, again(staged, waiting))
	} else if list := h.removals(r, before, leftOut); len(list) > 0 {
		later = r.accept(u.now)
		anew = h.repropose(r, u.now, later, list)
	}
	if len(stapled) > 0 && !slices.Contains(targets, by.provider) {
		// The joiner needs them as well: its next Commit has to cover them.
		targets = append(targets, by.provider)
		slices.Sort(targets)
	}
	h.putGroup(r)
	h.put(r.key+"info", r.info.marshal())
	h.publish(r, fanoutMessage(&mimi.FanoutMessage{Timestamp: at, Message: u.Bundle.ProposalOrCommit, ExternalProposals: stapled}), targets)
	if len(joiners.to) > 0 {
		h.publish(r, fanoutMessage(&mimi.FanoutMessage{
			Timestamp: at, Message: message.Message{Welcome: u.Bundle.Welcome}, RatchetTreeOption: r.treeOption(),
		}), joiners.to)
		h.used(joiners.refs)
	}
	if len(anew) > 0 { // of the hub's own, for all: the committer needs it as well
		h.publish(r, fanoutMessage(&mimi.FanoutMessage{Timestamp: later, Message: anew[0], MoreProposals: anew[1:]}), r.others(""))
	}
	h.put(r.key+"head", r.marshalHead())
	return at, nil
}

// fanoutMessage writes what was read or made here.
func fanoutMessage(f *mimi.FanoutMessage) []byte {
	b, err := wire.Marshal(f)
	if err != nil {
		panic(fmt.Sprintf("hub: invariant broken, an accepted event can be written: %v", err))
	}
	return b
}

// refusedCommit says why a Commit can't be staged. References that are not known are
// proposals that the hub does not have.
func (u *update) refusedCommit(m *message.PublicMessage, err error) error {
	if !errors.Is(err, mls.CheckReference) {
		return notAllowed("commit: %w", err)
	}
	known := make(map[string]bool)
	for _, p := range u.room.group.Proposals() {
		known[string(p.Ref)] = true
	}
	var unknown []message.ProposalRef
	for i := range m.Content.Commit.Proposals {
		if p := &m.Content.Commit.Proposals[i]; p.Proposal == nil && !known[string(p.Reference)] {
			unknown = append(unknown, p.Reference)
		}
	}
	return invalidProposal(unknown, "commit: %w", err)
}

// joiners are whom a Welcome goes to.
type joiners struct {
	to   []string // providers, sorted
	refs []string // of the KeyPackages
}

// welcome checks that the Welcome is for exactly those whom the Commit adds, and
// finds their providers: "An MLS Welcome message is sent to the providers and local
// users associated with the KeyPackageRef values in the secrets array of the
// Welcome" (Fanout Messages and Room Events).
func (u *update) welcome(s *mls.Staged) (j joiners, err error) {
	changes, err := s.Changes()
	if err != nil {
		return j, notAllowed("%w", err)
	}
	added := make(map[string]bool)
	for _, a := range changes.Adds {
		added[string(a.Ref)] = true
	}
	w := u.Bundle.Welcome
	switch {
	case w == nil && len(added) > 0:
		return j, notAllowed("commit adds %d clients without a Welcome", len(added))
	case w == nil:
		return j, nil
	case w.Suite != u.h.groups.Suite.ID():
		return j, notAllowed("Welcome of suite %d, want %d", w.Suite, u.h.groups.Suite.ID())
	case len(w.Secrets) != len(added):
		return j, notAllowed("Welcome for %d clients, the commit adds %d", len(w.Secrets), len(added))
	}
	for i := range w.Secrets {
		ref := string(w.Secrets[i].NewMember)
		if !added[ref] {
			return j, notAllowed("Welcome for KeyPackage %x, which the commit does not add", ref)
		}
		delete(added, ref) // so that none is there twice
		e := u.h.routes.byRef[ref]
		if e == nil {
			return j, notAllowed("KeyPackage %x did not come through this hub", ref)
		}
		j.refs = append(j.refs, ref)
		if !slices.Contains(j.to, e.to) {
			j.to = append(j.to, e.to)
		}
	}
	slices.Sort(j.to)
	return j, nil
}

// groupInfo checks the GroupInfo that comes with a Commit, or makes it of a
// PartialGroupInfo, and the ratchet tree beside it, and returns what is kept of
// them. The hub has the tree itself and hands out its own, so that a tree which is
// only said to be somewhere else, or left to the hub, needs no check. A committer
// saves the hub work in proportion to the group by distributionService.
func (u *update) groupInfo(m *message.PublicMessage, s *mls.Staged) (groupInfo, error) {
	info := message.GroupInfo{Context: *s.Context(), ConfirmationTag: m.Auth.ConfirmationTag, Signer: uint32(s.Leaf())}
	switch o := &u.Bundle.GroupInfoOption; {
	case o.Full != nil:
		info = *o.Full
	case o.Partial.RatchetTreePresence != mimi.NoRatchetTree && o.Partial.RatchetTreePresence != mimi.RatchetTreeRemoved:
		return groupInfo{}, notAllowed("GroupInfo with ratchet_tree %v, want one without", o.Partial.RatchetTreePresence)
	default:
		info.Extensions, info.Signature = o.Partial.GroupInfoExtensions, o.Partial.Signature
	}
	switch {
	case info.Signer != uint32(s.Leaf()):
		return groupInfo{}, notAllowed("GroupInfo signed by leaf %d, the committer is leaf %d", info.Signer, s.Leaf())
	case !info.Extensions.Has(message.ExtensionExternalPub):
		return groupInfo{}, notAllowed("GroupInfo without external_pub, which joiners need")
	}
	var tree []byte
	if o := &u.Bundle.RatchetTreeOption; o.Representation == mimi.TreeFull {
		tree = o.RatchetTree
	}
	if err := u.room.group.CheckGroupInfo(s, &info, tree); err != nil {
		return groupInfo{}, notAllowed("%w", err)
	}
	return infoOf(&info), nil
}

// treeOption returns the tree of the current epoch for those who join.
func (r *chatRoom) treeOption() mimi.RatchetTreeOption {
	b, err := r.group.Tree().Marshal()
	if err != nil {
		panic(fmt.Sprintf("hub: invariant broken, the tree can be written: %v", err))
	}
	return mimi.RatchetTreeOption{Representation: mimi.TreeFull, RatchetTree: b}
}

// move counts who came and went with a Commit that was merged.
func (h *Hub) move(r *chatRoom, s *mls.Staged) {
	for _, i := range s.RemovedLeaves() {
		r.leave(i)
	}
	came := s.Added()
	if s.Committer().Type == message.SenderNewMemberCommit {
		came = append(slices.Clone(came), s.Leaf())
	}
	for _, i := range came {
		uri, err := h.cfg.User(&r.group.Tree().Leaf(i).Credential)
		if err != nil {
			panic(fmt.Sprintf("hub: invariant broken, the credential of leaf %d names a user: %v", i, err))
		}
		r.join(i, uri)
	}
}

// dropPending forgets the proposals that waited for a Commit.
func (h *Hub) dropPending(r *chatRoom) {
	for i := range r.pending {
		h.drop(r.pendingKey(i))
	}
	clear(r.pending)
	r.pending = r.pending[:0]
}
