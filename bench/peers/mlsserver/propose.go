package mlsserver

import (
	"context"
	"math"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// propose sends a proposal of a state that make makes.
func (s *Server) propose(n uint32, make func(*state) (message.Proposal, error)) (*pb.ProposalResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(n)
	if err != nil {
		return nil, err
	}
	p, err := make(st)
	if err != nil {
		return nil, err
	}
	b, err := st.group.Propose(s.now(), p, mls.SendOptions{})
	if err != nil {
		return nil, failed("proposal", err)
	}
	st.sent(b)
	return &pb.ProposalResponse{Proposal: b}, nil
}

// AddProposal proposes to add a client.
func (s *Server) AddProposal(_ context.Context, q *pb.AddProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(q.StateId, func(*state) (message.Proposal, error) {
		k, err := parseKeyPackage(q.KeyPackage)
		if err != nil {
			return message.Proposal{}, err
		}
		return mls.AddProposal(*k), nil
	})
}

// UpdateProposal proposes to renew the sender's leaf.
func (s *Server) UpdateProposal(_ context.Context, q *pb.UpdateProposalRequest) (*pb.ProposalResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	b, err := st.group.ProposeUpdate(s.now(), mls.LeafChange{}, mls.SendOptions{})
	if err != nil {
		return nil, failed("update", err)
	}
	st.sent(b)
	return &pb.ProposalResponse{Proposal: b}, nil
}

// RemoveProposal proposes to remove a member.
func (s *Server) RemoveProposal(_ context.Context, q *pb.RemoveProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(q.StateId, func(st *state) (message.Proposal, error) {
		i, err := find(st.group.Tree(), q.RemovedId)
		return mls.RemoveProposal(i), err
	})
}

// ExternalPSKProposal proposes an external pre-shared key.
func (s *Server) ExternalPSKProposal(_ context.Context, q *pb.ExternalPSKProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(q.StateId, func(st *state) (message.Proposal, error) { return externalPSK(st.client, q.PskId) })
}

// ResumptionPSKProposal proposes an epoch's resumption secret.
func (s *Server) ResumptionPSKProposal(_ context.Context, q *pb.ResumptionPSKProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(q.StateId, func(st *state) (message.Proposal, error) {
		return resumptionPSK(st.client, st.group.GroupID(), q.EpochId)
	})
}

// GroupContextExtensionsProposal proposes other extensions of the GroupContext.
func (s *Server) GroupContextExtensionsProposal(_ context.Context, q *pb.GroupContextExtensionsProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(q.StateId, func(*state) (message.Proposal, error) {
		return extensionsProposal(q.Extensions)
	})
}

// ReInitProposal proposes to end the group in favour of another.
func (s *Server) ReInitProposal(_ context.Context, q *pb.ReInitProposalRequest) (*pb.ProposalResponse, error) {
	return s.propose(q.StateId, func(*state) (message.Proposal, error) {
		return reInitProposal(q.GroupId, q.CipherSuite, q.Extensions)
	})
}

// AddExternalSigner proposes that the group accept an external sender, besides those
// that it has.
func (s *Server) AddExternalSigner(_ context.Context, q *pb.AddExternalSignerRequest) (*pb.ProposalResponse, error) {
	return s.propose(q.StateId, func(st *state) (none message.Proposal, err error) {
		var sender message.ExternalSender
		if err := wire.Unmarshal(q.ExternalSender, &sender); err != nil {
			return none, invalid("external_sender: %v", err)
		}
		var senders message.ExternalSenders
		old := st.group.Context().Extensions
		if data, ok := old.Find(message.ExtensionExternalSenders); ok {
			if err := wire.Unmarshal(data, &senders); err != nil {
				return none, failed("external_senders", err)
			}
		}
		data, err := marshal(append(senders, sender))
		if err != nil {
			return none, err
		}
		return mls.ExtensionsProposal(old.With(message.ExtensionExternalSenders, data)), nil
	})
}

// CreateExternalSigner makes an external sender.
func (s *Server) CreateExternalSigner(_ context.Context, q *pb.CreateExternalSignerRequest) (*pb.CreateExternalSignerResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.client(q.CipherSuite, q.Identity, false)
	if err != nil {
		return nil, err
	}
	b, err := marshal(&message.ExternalSender{SignatureKey: c.id.Signer.Public, Credential: c.id.Credential})
	if err != nil {
		return nil, err
	}
	n := s.number()
	s.signers[n] = c.id
	return &pb.CreateExternalSignerResponse{SignerId: n, ExternalSender: b}, nil
}

// ExternalSignerProposal sends a proposal of an external sender.
func (s *Server) ExternalSignerProposal(_ context.Context, q *pb.ExternalSignerProposalRequest) (*pb.ProposalResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.signers[q.SignerId]
	if id == nil {
		return nil, status.Errorf(codes.NotFound, "no signer %d", q.SignerId)
	}
	info, err := parseGroupInfo(q.GroupInfo)
	if err != nil {
		return nil, err
	}
	c, err := s.anonymous(uint32(info.Context.Suite))
	if err != nil {
		return nil, err
	}
	t, err := groupTree(c, info, q.RatchetTree)
	if err != nil {
		return nil, err
	}
	p, err := described(c, info.Context.GroupID, t, q.Description)
	if err != nil {
		return nil, err
	}
	b, err := c.cfg.ExternalProposal(info.Context.GroupID, info.Context.Epoch, q.SignerIndex, id, p)
	if err != nil {
		return nil, failed("external proposal", err)
	}
	return &pb.ProposalResponse{Proposal: b}, nil
}

// NewMemberAddProposal asks a group to add a client.
func (s *Server) NewMemberAddProposal(_ context.Context, q *pb.NewMemberAddProposalRequest) (*pb.NewMemberAddProposalResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := parseGroupInfo(q.GroupInfo)
	if err != nil {
		return nil, err
	}
	c, err := s.client(uint32(info.Context.Suite), q.Identity, false)
	if err != nil {
		return nil, err
	}
	n, w, err := s.wait(c)
	if err != nil {
		return nil, err
	}
	b, err := c.cfg.NewMemberProposal(info.Context.GroupID, info.Context.Epoch, w.key)
	if err != nil {
		return nil, failed("proposal", err)
	}
	return &pb.NewMemberAddProposalResponse{
		TransactionId: n, Proposal: b,
		InitPriv: w.key.Init.Private, EncryptionPriv: w.key.Leaf.Private, SignaturePriv: w.key.Signer.Private,
	}, nil
}

// described makes a proposal from its description.
func described(c *client, groupID []byte, t *tree.Tree, d *pb.ProposalDescription) (none message.Proposal, err error) {
	switch kind := string(d.GetProposalType()); kind {
	case "add":
		k, err := parseKeyPackage(d.KeyPackage)
		if err != nil {
			return none, err
		}
		return mls.AddProposal(*k), nil
	case "remove":
		i, err := find(t, d.RemovedId)
		return mls.RemoveProposal(i), err
	case "externalPSK":
		return externalPSK(c, d.PskId)
	case "resumptionPSK":
		return resumptionPSK(c, groupID, d.EpochId)
	case "groupContextExtensions":
		return extensionsProposal(d.Extensions)
	case "reinit":
		return reInitProposal(d.GroupId, d.CipherSuite, d.Extensions)
	default:
		return none, invalid("proposal_type %q, want add, remove, externalPSK, resumptionPSK, groupContextExtensions or reinit", kind)
	}
}

func externalPSK(c *client, id []byte) (message.Proposal, error) {
	p, err := c.cfg.PSKProposal(message.PreSharedKeyID{Type: message.PSKExternal, ID: id})
	if err != nil {
		return p, failed("pre-shared key", err)
	}
	return p, nil
}

func resumptionPSK(c *client, groupID []byte, epoch uint64) (message.Proposal, error) {
	p, err := c.cfg.PSKProposal(message.PreSharedKeyID{
		Type: message.PSKResumption, Usage: message.ResumptionApplication, GroupID: groupID, Epoch: epoch,
	})
	if err != nil {
		return p, failed("pre-shared key", err)
	}
	return p, nil
}

// extensions reads extensions, whose types the interface has in 32 bits and MLS in 16.
func extensions(list []*pb.Extension) (message.Extensions, error) {
	var out message.Extensions
	for _, e := range list {
		if e.GetExtensionType() > math.MaxUint16 {
			return nil, invalid("extension_type %d, want at most 65535", e.ExtensionType)
		}
		out = append(out, message.Extension{Type: message.ExtensionType(e.GetExtensionType()), Data: e.GetExtensionData()})
	}
	return out, nil
}

func extensionsProposal(list []*pb.Extension) (none message.Proposal, err error) {
	e, err := extensions(list)
	if err != nil {
		return none, err
	}
	return mls.ExtensionsProposal(e), nil
}

func reInitProposal(groupID []byte, id uint32, list []*pb.Extension) (none message.Proposal, err error) {
	if id > math.MaxUint16 {
		return none, invalid("cipher suite %d, want at most 65535", id)
	}
	e, err := extensions(list)
	if err != nil {
		return none, err
	}
	return mls.ReInitProposal(groupID, suite.ID(id), e), nil
}
