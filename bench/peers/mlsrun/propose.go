package mlsrun

import (
	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
)

// Descriptions of proposals, for a Commit to hold or an external sender to make.

func add(a *actor) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("add"), KeyPackage: a.kp}
}

func remove(name string) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("remove"), RemovedId: []byte(name)}
}

func externalPSK(id string) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("externalPSK"), PskId: []byte(id)}
}

func resumptionPSK(epoch uint64) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("resumptionPSK"), EpochId: epoch}
}

func extensions(e []*pb.Extension) *pb.ProposalDescription {
	return &pb.ProposalDescription{ProposalType: []byte("groupContextExtensions"), Extensions: e}
}

// plainExtensions are ones that every client supports: required_capabilities and
// external_senders, both empty.
func plainExtensions() []*pb.Extension {
	return []*pb.Extension{{ExtensionType: 3, ExtensionData: []byte{0, 0, 0}}, {ExtensionType: 5, ExtensionData: []byte{0}}}
}

func proposalSize(r *pb.ProposalResponse) int { return len(r.Proposal) }

func (t *table) proposeAdd(by, who string) []byte {
	a := t.actor(by)
	return call(t, a, "AddProposal", a.peer.rpc.AddProposal, &pb.AddProposalRequest{StateId: a.state, KeyPackage: t.actor(who).kp}, proposalSize).Proposal
}

func (t *table) proposeUpdate(by string) []byte {
	a := t.actor(by)
	return call(t, a, "UpdateProposal", a.peer.rpc.UpdateProposal, &pb.UpdateProposalRequest{StateId: a.state}, proposalSize).Proposal
}

func (t *table) proposeRemove(by, who string) []byte {
	a := t.actor(by)
	return call(t, a, "RemoveProposal", a.peer.rpc.RemoveProposal, &pb.RemoveProposalRequest{StateId: a.state, RemovedId: []byte(who)}, proposalSize).Proposal
}

func (t *table) proposePSK(by, id string) []byte {
	a := t.actor(by)
	return call(t, a, "ExternalPSKProposal", a.peer.rpc.ExternalPSKProposal, &pb.ExternalPSKProposalRequest{StateId: a.state, PskId: []byte(id)}, proposalSize).Proposal
}

func (t *table) proposeResumption(by string, epoch uint64) []byte {
	a := t.actor(by)
	return call(t, a, "ResumptionPSKProposal", a.peer.rpc.ResumptionPSKProposal, &pb.ResumptionPSKProposalRequest{StateId: a.state, EpochId: epoch}, proposalSize).Proposal
}

func (t *table) proposeExtensions(by string, e []*pb.Extension) []byte {
	a := t.actor(by)
	return call(t, a, "GroupContextExtensionsProposal", a.peer.rpc.GroupContextExtensionsProposal, &pb.GroupContextExtensionsProposalRequest{StateId: a.state, Extensions: e}, proposalSize).Proposal
}

// groupInfo asks a member for a GroupInfo, with the tree in it or beside it.
func (t *table) groupInfo(by string, beside bool) *pb.GroupInfoResponse {
	a := t.actor(by)
	return call(t, a, "GroupInfo", a.peer.rpc.GroupInfo, &pb.GroupInfoRequest{StateId: a.state, ExternalTree: beside},
		func(r *pb.GroupInfoResponse) int { return len(r.GroupInfo) })
}

// external lets an actor join by an external Commit.
func (t *table) external(name string, info *pb.GroupInfoResponse, removePrior bool, psks ...string) {
	a := t.actor(name)
	q := &pb.ExternalJoinRequest{
		GroupInfo: info.GroupInfo, RatchetTree: info.RatchetTree, EncryptHandshake: t.private, Identity: []byte(name), RemovePrior: removePrior,
	}
	for _, id := range psks {
		q.Psks = append(q.Psks, &pb.PreSharedKey{PskId: []byte(id), PskSecret: []byte("secret of " + id)})
	}
	r := call(t, a, "ExternalJoin", a.peer.rpc.ExternalJoin, q, func(r *pb.ExternalJoinResponse) int { return len(r.Commit) })
	a.joined = false // an earlier self does not handle the Commit that removes it
	t.maker = a
	t.follow(name, nil, r.Commit, r.EpochAuthenticator)
	t.maker = nil
	a.state, a.joined = r.StateId, true
	t.agree()
}
