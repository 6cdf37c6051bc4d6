package mlsserver

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Commit makes a Commit and leaves it pending.
func (s *Server) Commit(_ context.Context, q *pb.CommitRequest) (*pb.CommitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	o := mls.CommitOptions{Path: q.ForcePath, Info: mls.GroupInfoOptions{NoTree: q.ExternalTree}}
	next, refs, err := st.taking(s.now(), q.ByReference)
	if err != nil {
		return nil, err
	}
	o.References = refs
	for _, d := range q.ByValue {
		p, err := described(st.client, st.group.GroupID(), st.group.Tree(), d)
		if err != nil {
			return nil, err
		}
		o.Proposals = append(o.Proposals, p)
	}
	p, err := next.group.Commit(s.now(), o)
	if err != nil {
		return nil, failed("commit", err)
	}
	t, err := treeBeside(p.Tree(), q.ExternalTree)
	if err != nil {
		return nil, err
	}
	next.pending = p
	*st = *next
	return &pb.CommitResponse{Commit: p.Message, Welcome: p.Welcome, RatchetTree: t}, nil
}

// HandleCommit applies another member's Commit.
func (s *Server) HandleCommit(_ context.Context, q *pb.HandleCommitRequest) (*pb.HandleCommitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.handle(q, false)
	if err != nil {
		return nil, err
	}
	return &pb.HandleCommitResponse{StateId: q.StateId, EpochAuthenticator: st.group.EpochAuthenticator()}, nil
}

// handle applies a Commit, if it holds a ReInit where that is asked for. If it fails,
// the proposals that came with it are not kept.
func (s *Server) handle(q *pb.HandleCommitRequest, reInit bool) (*state, error) {
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	next, _, err := st.taking(s.now(), q.Proposal)
	if err != nil {
		return nil, err
	}
	e, err := next.process(s.now(), q.Commit, message.ContentCommit)
	if err != nil {
		return nil, failed("commit", err)
	}
	if err := s.end(next, e.(*mls.Staged), reInit); err != nil {
		return nil, err
	}
	*st = *next
	return st, nil
}

// HandlePendingCommit applies the Commit that is pending.
func (s *Server) HandlePendingCommit(_ context.Context, q *pb.HandlePendingCommitRequest) (*pb.HandleCommitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.handlePending(q, false)
	if err != nil {
		return nil, err
	}
	return &pb.HandleCommitResponse{StateId: q.StateId, EpochAuthenticator: st.group.EpochAuthenticator()}, nil
}

// handlePending is handle for the Commit that is pending.
func (s *Server) handlePending(q *pb.HandlePendingCommitRequest, reInit bool) (*state, error) {
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	if st.pending == nil {
		return nil, status.Errorf(codes.FailedPrecondition, "state %d has no pending commit", q.StateId)
	}
	return st, s.end(st, &st.pending.Staged, reInit)
}

// end merges a Commit, unless it should hold a ReInit and holds none, or one to a suite
// that the next group can't be made of.
func (s *Server) end(st *state, c *mls.Staged, reInit bool) error {
	if reInit {
		r := c.ReInit()
		if r == nil {
			return status.Error(codes.FailedPrecondition, "the commit holds no reinit")
		}
		if _, err := s.anonymous(uint32(r.Suite)); err != nil {
			return err
		}
	}
	return st.merge(c)
}

// ReInitCommit makes a Commit of a ReInit.
func (s *Server) ReInitCommit(ctx context.Context, q *pb.CommitRequest) (*pb.CommitResponse, error) {
	return s.Commit(ctx, q)
}

// HandlePendingReInitCommit applies the pending Commit of a ReInit.
func (s *Server) HandlePendingReInitCommit(_ context.Context, q *pb.HandlePendingCommitRequest) (*pb.HandleReInitCommitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.handlePending(q, true)
	if err != nil {
		return nil, err
	}
	return s.closed(st)
}

// HandleReInitCommit applies another member's Commit of a ReInit.
func (s *Server) HandleReInitCommit(_ context.Context, q *pb.HandleCommitRequest) (*pb.HandleReInitCommitResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.handle(q, true)
	if err != nil {
		return nil, err
	}
	return s.closed(st)
}

// closed answers for a group that a ReInit closed, with a KeyPackage for the next.
func (s *Server) closed(st *state) (*pb.HandleReInitCommitResponse, error) {
	r := st.group.ReInit()
	c, err := s.client(uint32(r.Suite), st.id.Credential.Identity, !st.cfg.PublicHandshake)
	if err != nil {
		return nil, err
	}
	k, err := c.cfg.NewKeyPackage(s.now(), c.id, mls.LeafOptions{})
	if err != nil {
		return nil, failed("KeyPackage", err)
	}
	b, err := k.Message()
	if err != nil {
		return nil, failed("KeyPackage", err)
	}
	n := s.number()
	s.reinits[n] = &reinit{st, &waiting{c, k}}
	return &pb.HandleReInitCommitResponse{ReinitId: n, KeyPackage: b, EpochAuthenticator: st.group.EpochAuthenticator()}, nil
}

func (s *Server) reinit(n uint32) (*reinit, error) {
	r := s.reinits[n]
	if r == nil {
		return nil, status.Errorf(codes.NotFound, "no reinit %d", n)
	}
	return r, nil
}

// ReInitWelcome makes the group that follows a ReInit.
func (s *Server) ReInitWelcome(_ context.Context, q *pb.ReInitWelcomeRequest) (*pb.CreateSubgroupResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.reinit(q.ReinitId)
	if err != nil {
		return nil, err
	}
	keys, err := keyPackages(q.KeyPackage)
	if err != nil {
		return nil, err
	}
	o := mls.SuccessorOptions{Path: q.ForcePath, Info: mls.GroupInfoOptions{NoTree: q.ExternalTree}}
	g, p, err := r.old.group.Successor(r.next.cfg, s.now(), r.next.id, keys, o)
	if err != nil {
		return nil, failed("reinit", err)
	}
	delete(s.reinits, q.ReinitId)
	return s.subgroup(r.next.client, g, p, q.ExternalTree)
}

// HandleReInitWelcome joins the group that follows a ReInit.
func (s *Server) HandleReInitWelcome(_ context.Context, q *pb.HandleReInitWelcomeRequest) (*pb.JoinGroupResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.reinit(q.ReinitId)
	if err != nil {
		return nil, err
	}
	st, err := s.open(r.next, q.Welcome, q.RatchetTree, r.old.group)
	if err != nil {
		return nil, err
	}
	delete(s.reinits, q.ReinitId)
	return &pb.JoinGroupResponse{StateId: s.put(st), EpochAuthenticator: st.group.EpochAuthenticator()}, nil
}
