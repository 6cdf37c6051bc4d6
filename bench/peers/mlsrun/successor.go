package mlsrun

import (
	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
)

// signer lets an actor become an external sender that the group accepts, first of
// all, and returns its number.
func (t *table) signer(name, by string) uint32 {
	a, m := t.actor(name), t.actor(by)
	s := call(t, a, "CreateExternalSigner", a.peer.rpc.CreateExternalSigner, &pb.CreateExternalSignerRequest{CipherSuite: t.suite, Identity: []byte(name)}, nil)
	p := call(t, m, "AddExternalSigner", m.peer.rpc.AddExternalSigner, &pb.AddExternalSignerRequest{StateId: m.state, ExternalSender: s.ExternalSender}, proposalSize)
	t.commit(by, commit{refs: [][]byte{p.Proposal}})
	return s.SignerId
}

// outside lets an external sender propose.
func (t *table) outside(name string, signer uint32, info *pb.GroupInfoResponse, d *pb.ProposalDescription) []byte {
	a := t.actor(name)
	return call(t, a, "ExternalSignerProposal", a.peer.rpc.ExternalSignerProposal, &pb.ExternalSignerProposalRequest{
		SignerId: signer, GroupInfo: info.GroupInfo, RatchetTree: info.RatchetTree, Description: d,
	}, proposalSize).Proposal
}

var externalProposals = []namedPart{
	{"new member", func(t *table) {
		t.create("alice", "bob")
		c := t.actor("charlie")
		info := t.groupInfo("bob", false)
		r := call(t, c, "NewMemberAddProposal", c.peer.rpc.NewMemberAddProposal, &pb.NewMemberAddProposalRequest{GroupInfo: info.GroupInfo, Identity: []byte("charlie")},
			func(r *pb.NewMemberAddProposalResponse) int { return len(r.Proposal) })
		c.tx = r.TransactionId
		t.commit("alice", commit{refs: [][]byte{r.Proposal}, joiners: []string{"charlie"}})
	}},
	{"add", func(t *table) {
		t.create("alice", "bob")
		s := t.signer("server", "alice")
		t.keyPackage("charlie")
		p := t.outside("server", s, t.groupInfo("alice", false), add(t.actor("charlie")))
		t.commit("bob", commit{refs: [][]byte{p}, joiners: []string{"charlie"}})
	}},
	{"remove", func(t *table) {
		t.create("alice", "bob", "charlie")
		s := t.signer("server", "alice")
		p := t.outside("server", s, t.groupInfo("alice", true), remove("charlie"))
		t.commit("bob", commit{refs: [][]byte{p}, removed: []string{"charlie"}})
	}},
	{"psk", func(t *table) {
		t.create("alice", "bob")
		s := t.signer("server", "alice")
		t.psk("key", "alice", "bob")
		p := t.outside("server", s, t.groupInfo("alice", false), externalPSK("key"))
		t.commit("bob", commit{refs: [][]byte{p}})
	}},
	{"group context extensions", func(t *table) {
		t.create("alice", "bob")
		s := t.signer("server", "alice")
		p := t.outside("server", s, t.groupInfo("alice", false), extensions(plainExtensions()[:1]))
		t.commit("alice", commit{refs: [][]byte{p}})
	}},
}

// reinitOptions are what a ReInit changes.
type reinitOptions struct {
	suite, groupID bool
	extensions     []*pb.Extension
	path, external bool
}

// reinit lets one member propose a ReInit, one commit it and one make the new group.
func (t *table) reinit(proposer, committer, welcomer string, o reinitOptions) {
	if o.suite {
		other := uint32(0)
		for _, s := range t.common {
			if s != t.suite {
				other = s
				break
			}
		}
		if other == 0 {
			return // there is no other suite to change to
		}
		t.suite = other
	}
	if o.groupID {
		t.groupID = append([]byte("next "), t.groupID...)
	}
	p, c, w := t.actor(proposer), t.actor(committer), t.actor(welcomer)
	proposal := call(t, p, "ReInitProposal", p.peer.rpc.ReInitProposal, &pb.ReInitProposalRequest{
		StateId: p.state, CipherSuite: t.suite, GroupId: t.groupID, Extensions: o.extensions,
	}, proposalSize).Proposal
	refs := [][]byte{proposal}
	commit := call(t, c, "ReInitCommit", c.peer.rpc.ReInitCommit, &pb.CommitRequest{StateId: c.state, ByReference: refs},
		func(r *pb.CommitResponse) int { return len(r.Commit) }).Commit
	ids, keys := map[string]uint32{}, map[string][]byte{}
	own := call(t, c, "HandlePendingReInitCommit", c.peer.rpc.HandlePendingReInitCommit, &pb.HandlePendingCommitRequest{StateId: c.state}, nil)
	ids[committer], keys[committer] = own.ReinitId, own.KeyPackage
	for _, m := range t.members(committer) {
		r := call(t, m, "HandleReInitCommit", m.peer.rpc.HandleReInitCommit, &pb.HandleCommitRequest{StateId: m.state, Proposal: refs, Commit: commit}, nil)
		t.same(m, r.EpochAuthenticator, own.EpochAuthenticator)
		ids[m.name], keys[m.name] = r.ReinitId, r.KeyPackage
	}
	q := &pb.ReInitWelcomeRequest{ReinitId: ids[welcomer], ForcePath: o.path, ExternalTree: o.external}
	for _, m := range t.members(welcomer) {
		q.KeyPackage = append(q.KeyPackage, keys[m.name])
	}
	next := call(t, w, "ReInitWelcome", w.peer.rpc.ReInitWelcome, q, func(r *pb.CreateSubgroupResponse) int { return len(r.Welcome) })
	w.state = next.StateId
	for _, m := range t.members(welcomer) {
		r := call(t, m, "HandleReInitWelcome", m.peer.rpc.HandleReInitWelcome, &pb.HandleReInitWelcomeRequest{
			ReinitId: ids[m.name], Welcome: next.Welcome, RatchetTree: next.RatchetTree,
		}, nil)
		t.same(m, r.EpochAuthenticator, next.EpochAuthenticator)
		m.state = r.StateId
	}
	t.agree()
	t.commit(proposer, plainCommit())
}

// plainCommit is an empty Commit.
func plainCommit() commit { return commit{} }

var reinits = []namedPart{
	{"same parameters", func(t *table) {
		t.create("alice", "bob")
		t.reinit("bob", "alice", "alice", reinitOptions{groupID: true})
	}},
	{"all roles apart", func(t *table) {
		t.create("alice", "bob", "charlie")
		t.reinit("charlie", "alice", "bob", reinitOptions{groupID: true, path: true})
	}},
	{"other suite", func(t *table) {
		t.create("alice", "bob", "charlie")
		t.reinit("alice", "bob", "charlie", reinitOptions{suite: true})
	}},
	{"other extensions, tree beside", func(t *table) {
		t.create("alice", "bob")
		t.reinit("alice", "bob", "alice", reinitOptions{groupID: true, extensions: plainExtensions(), external: true})
	}},
}

// branch lets a member make a subgroup with others.
func (t *table) branch(by string, ext []*pb.Extension, path, beside bool, others ...string) {
	a := t.actor(by)
	q := &pb.CreateBranchRequest{StateId: a.state, GroupId: append([]byte("branch of "), t.groupID...), Extensions: ext, ForcePath: path, ExternalTree: beside}
	for _, name := range others {
		t.keyPackage(name)
		q.KeyPackages = append(q.KeyPackages, t.actor(name).kp)
	}
	r := call(t, a, "CreateBranch", a.peer.rpc.CreateBranch, q, func(r *pb.CreateSubgroupResponse) int { return len(r.Welcome) })
	in := map[string]bool{by: true}
	for _, name := range others {
		m := t.actor(name)
		h := call(t, m, "HandleBranch", m.peer.rpc.HandleBranch, &pb.HandleBranchRequest{
			StateId: m.state, TransactionId: m.tx, Welcome: r.Welcome, RatchetTree: r.RatchetTree,
		}, nil)
		t.same(m, h.EpochAuthenticator, r.EpochAuthenticator)
		m.state, in[name] = h.StateId, true
	}
	a.state = r.StateId
	for name, m := range t.actors {
		m.joined = in[name]
	}
	t.agree()
	t.commit(others[0], plainCommit())
}

var branches = []namedPart{
	{"some members", func(t *table) {
		t.create("alice", "bob", "charlie")
		t.branch("alice", nil, false, false, "charlie")
	}},
	{"with extensions, tree beside", func(t *table) {
		t.create("alice", "bob", "charlie")
		t.branch("bob", plainExtensions(), true, true, "alice", "charlie")
	}},
}
