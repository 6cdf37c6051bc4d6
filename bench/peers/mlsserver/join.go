package mlsserver

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// marshal writes a message.
func marshal(m wire.Marshaler) ([]byte, error) {
	b, err := wire.Marshal(m)
	if err != nil {
		return nil, failed("marshal", err)
	}
	return b, nil
}

// parse reads a message that the caller says is of one kind.
func parse[T any](b []byte, what string, pick func(*message.Message) *T) (*T, error) {
	m, err := message.Parse(b, nil)
	if err != nil {
		return nil, invalid("%s: %v", what, err)
	}
	t := pick(m)
	if t == nil {
		return nil, invalid("%v, want a %s", m.WireFormat(), what)
	}
	return t, nil
}

func parseGroupInfo(b []byte) (*message.GroupInfo, error) {
	return parse(b, "GroupInfo", func(m *message.Message) *message.GroupInfo { return m.GroupInfo })
}

func parseWelcome(b []byte) (*message.Welcome, error) {
	return parse(b, "Welcome", func(m *message.Message) *message.Welcome { return m.Welcome })
}

func parseKeyPackage(b []byte) (*message.KeyPackage, error) {
	return parse(b, "KeyPackage", func(m *message.Message) *message.KeyPackage { return m.KeyPackage })
}

// orNil takes an empty tree for none.
func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// treeBeside returns a tree that goes beside a message, if it is to.
func treeBeside(t *tree.Tree, beside bool) ([]byte, error) {
	if !beside {
		return nil, nil
	}
	b, err := t.Marshal()
	if err != nil {
		return nil, failed("ratchet tree", err)
	}
	return b, nil
}

// wait makes a KeyPackage of a client and keeps it under a new number.
func (s *Server) wait(c *client) (uint32, *waiting, error) {
	k, err := c.cfg.NewKeyPackage(s.now(), c.id, mls.LeafOptions{})
	if err != nil {
		return 0, nil, failed("KeyPackage", err)
	}
	n, w := s.number(), &waiting{c, k}
	s.waiting[n] = w
	return n, w, nil
}

// CreateKeyPackage makes a KeyPackage.
func (s *Server) CreateKeyPackage(_ context.Context, q *pb.CreateKeyPackageRequest) (*pb.CreateKeyPackageResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.client(q.CipherSuite, q.Identity, false)
	if err != nil {
		return nil, err
	}
	n, w, err := s.wait(c)
	if err != nil {
		return nil, err
	}
	b, err := w.key.Message()
	if err != nil {
		return nil, failed("KeyPackage", err)
	}
	return &pb.CreateKeyPackageResponse{
		TransactionId: n, KeyPackage: b,
		InitPriv: w.key.Init.Private, EncryptionPriv: w.key.Leaf.Private, SignaturePriv: w.key.Signer.Private,
	}, nil
}

// open lets a KeyPackage join by a Welcome. old is the group that the new one comes
// from, nil if it comes from none.
func (s *Server) open(w *waiting, welcome, ratchetTree []byte, old *mls.Group) (*state, error) {
	m, err := parseWelcome(welcome)
	if err != nil {
		return nil, err
	}
	staged, err := mls.OpenWelcome(w.cfg, s.now(), m, []*mls.KeyPackage{w.key}, mls.JoinOptions{RatchetTree: orNil(ratchetTree), Old: old})
	if err != nil {
		return nil, failed("Welcome", err)
	}
	return &state{client: w.client, group: staged.Join()}, nil
}

// transaction returns a KeyPackage that waits.
func (s *Server) transaction(n uint32) (*waiting, error) {
	w := s.waiting[n]
	if w == nil {
		return nil, status.Errorf(codes.NotFound, "no transaction %d", n)
	}
	return w, nil
}

// JoinGroup joins by a Welcome.
func (s *Server) JoinGroup(_ context.Context, q *pb.JoinGroupRequest) (*pb.JoinGroupResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, err := s.transaction(q.TransactionId)
	if err != nil {
		return nil, err
	}
	w.cfg.PublicHandshake = !q.EncryptHandshake
	st, err := s.open(w, q.Welcome, q.RatchetTree, nil)
	if err != nil {
		return nil, err
	}
	delete(s.waiting, q.TransactionId)
	return &pb.JoinGroupResponse{StateId: s.put(st), EpochAuthenticator: st.group.EpochAuthenticator()}, nil
}

// ExternalJoin joins by an external Commit.
func (s *Server) ExternalJoin(_ context.Context, q *pb.ExternalJoinRequest) (*pb.ExternalJoinResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := parseGroupInfo(q.GroupInfo)
	if err != nil {
		return nil, err
	}
	c, err := s.client(uint32(info.Context.Suite), q.Identity, q.EncryptHandshake)
	if err != nil {
		return nil, err
	}
	o := mls.ExternalOptions{RatchetTree: orNil(q.RatchetTree), Resync: q.RemovePrior}
	for _, p := range q.Psks {
		c.psks[string(p.PskId)] = p.PskSecret
		o.PSKs = append(o.PSKs, message.PreSharedKeyID{Type: message.PSKExternal, ID: p.PskId})
	}
	if q.RemovePrior {
		t, err := groupTree(c, info, q.RatchetTree)
		if err != nil {
			return nil, err
		}
		if o.Old, err = find(t, q.Identity); err != nil {
			return nil, err
		}
	}
	e, err := mls.JoinExternal(c.cfg, s.now(), c.id, info, o)
	if err != nil {
		return nil, failed("external commit", err)
	}
	g := e.Join()
	n := s.put(&state{client: c, group: g})
	return &pb.ExternalJoinResponse{StateId: n, Commit: e.Message, EpochAuthenticator: g.EpochAuthenticator()}, nil
}

// groupTree returns the tree of a GroupInfo, or the one beside it.
func groupTree(c *client, info *message.GroupInfo, beside []byte) (*tree.Tree, error) {
	b := orNil(beside)
	if b == nil {
		b, _ = info.Extensions.Find(message.ExtensionRatchetTree)
	}
	t, err := tree.Parse(c.cfg.Suite, b)
	if err != nil {
		return nil, invalid("ratchet tree: %v", err)
	}
	return t, nil
}

// find returns the leaf of a member with a basic credential.
func find(t *tree.Tree, identity []byte) (tree.LeafIndex, error) {
	for i, leaf := range t.All() {
		if string(leaf.Credential.Identity) == string(identity) {
			return i, nil
		}
	}
	return 0, invalid("no member %q", identity)
}

// CreateBranch makes a subgroup.
func (s *Server) CreateBranch(_ context.Context, q *pb.CreateBranchRequest) (*pb.CreateSubgroupResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	keys, err := keyPackages(q.KeyPackages)
	if err != nil {
		return nil, err
	}
	list, err := extensions(q.Extensions)
	if err != nil {
		return nil, err
	}
	o := mls.SuccessorOptions{Extensions: list, Path: q.ForcePath, Info: mls.GroupInfoOptions{NoTree: q.ExternalTree}}
	g, p, err := st.group.Branch(s.now(), st.id, q.GroupId, keys, o)
	if err != nil {
		return nil, failed("branch", err)
	}
	return s.subgroup(st.client, g, p, q.ExternalTree)
}

// subgroup answers with a group that was made from another.
func (s *Server) subgroup(c *client, g *mls.Group, p *mls.Pending, beside bool) (*pb.CreateSubgroupResponse, error) {
	t, err := treeBeside(g.Tree(), beside)
	if err != nil {
		return nil, err
	}
	n := s.put(&state{client: c, group: g})
	return &pb.CreateSubgroupResponse{StateId: n, Welcome: p.Welcome, RatchetTree: t, EpochAuthenticator: g.EpochAuthenticator()}, nil
}

func keyPackages(list [][]byte) ([]message.KeyPackage, error) {
	keys := make([]message.KeyPackage, len(list))
	for i, b := range list {
		k, err := parseKeyPackage(b)
		if err != nil {
			return nil, err
		}
		keys[i] = *k
	}
	return keys, nil
}

// HandleBranch joins a subgroup.
func (s *Server) HandleBranch(_ context.Context, q *pb.HandleBranchRequest) (*pb.HandleBranchResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	w, err := s.transaction(q.TransactionId)
	if err != nil {
		return nil, err
	}
	w.cfg.PublicHandshake = old.cfg.PublicHandshake
	st, err := s.open(w, q.Welcome, q.RatchetTree, old.group)
	if err != nil {
		return nil, err
	}
	delete(s.waiting, q.TransactionId)
	return &pb.HandleBranchResponse{StateId: s.put(st), EpochAuthenticator: st.group.EpochAuthenticator()}, nil
}
