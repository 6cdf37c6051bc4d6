// Package mlsserver offers protocols/mls through the interop client interface of
// the IETF MLS working group (https://github.com/mlswg/mls-implementations), so
// that its runner, ours and other implementations can drive groups of RFC 9420
// clients.
//
// A [Server] holds any number of clients: states of groups, KeyPackages that wait
// for a Welcome, external signers. It is for tests. Whoever reaches it can read every
// secret; it listens where it is told to and asks for no name or password.
//
// Clients are as forgiving as the interface needs them: credentials are not
// checked, KeyPackages may live for ever, and past epochs are kept to open late
// messages.
//
// A call that fails leaves the state as it was, but that keys drawn to send are used
// up. One that panics ends the process, and
// no interceptor is to catch it: an engine under test shows its faults.
package mlsserver

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Server implements the interface. The zero value is not usable; see [New].
type Server struct {
	pb.UnimplementedMLSClientServer
	newSuite func(suite.ID) (suite.Suite, error)
	now      func() time.Time

	mu      sync.Mutex // guards all below, and the clients in the maps
	last    uint32     // the last number handed out
	states  map[uint32]*state
	waiting map[uint32]*waiting
	reinits map[uint32]*reinit
	signers map[uint32]*mls.Identity
}

// client is one client: a configuration with its pre-shared keys.
type client struct {
	cfg  *mls.Config
	id   *mls.Identity
	psks map[string][]byte // external, by psk_id
}

// state is a client's view of a group.
type state struct {
	*client
	group   *mls.Group
	pending *mls.Pending
	// refs are the proposals of the epoch by their messages, which a caller sends
	// again with each Commit that refers to them.
	refs map[string]message.ProposalRef
}

// waiting is a KeyPackage that waits for its Welcome.
type waiting struct {
	*client
	key *mls.KeyPackage
}

// reinit is a group that a ReInit closed, with a KeyPackage for the next.
type reinit struct {
	old  *state
	next *waiting
}

// New returns a server whose clients draw from the suites that newSuite makes.
func New(newSuite func(suite.ID) (suite.Suite, error), now func() time.Time) *Server {
	return &Server{
		newSuite: newSuite,
		now:      now,
		states:   map[uint32]*state{},
		waiting:  map[uint32]*waiting{},
		reinits:  map[uint32]*reinit{},
		signers:  map[uint32]*mls.Identity{},
	}
}

// invalid returns the status of a request that makes no sense.
func invalid(format string, a ...any) error {
	return status.Errorf(codes.InvalidArgument, format, a...)
}

// failed returns the status of a call that an engine refused.
func failed(what string, err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Errorf(codes.Aborted, "%s: %v", what, err)
}

// number hands out the next number.
func (s *Server) number() uint32 {
	s.last++
	return s.last
}

// put keeps a state under a new number.
func (s *Server) put(st *state) uint32 {
	n := s.number()
	s.states[n] = st
	return n
}

// state returns a state.
func (s *Server) state(n uint32) (*state, error) {
	st := s.states[n]
	if st == nil {
		return nil, status.Errorf(codes.NotFound, "no state %d", n)
	}
	return st, nil
}

// client makes a client of a suite. encrypt asks for handshakes in PrivateMessages.
func (s *Server) client(id uint32, identity []byte, encrypt bool) (*client, error) {
	c, err := s.anonymous(id)
	if err != nil {
		return nil, err
	}
	c.cfg.PublicHandshake = !encrypt
	if c.id, err = mls.NewIdentity(c.cfg.Suite, identity); err != nil {
		return nil, failed("identity", err)
	}
	return c, nil
}

// anonymous makes a client that has no identity yet.
func (s *Server) anonymous(id uint32) (*client, error) {
	if id > 0xffff {
		return nil, invalid("cipher suite %d, want at most 65535", id)
	}
	impl, err := s.newSuite(suite.ID(id))
	if err != nil {
		return nil, invalid("cipher suite %d: %v", id, err)
	}
	c := &client{psks: map[string][]byte{}}
	c.cfg = &mls.Config{
		Suite:            impl,
		MaxLifetime:      -1,
		IgnoreLifetime:   true,
		PastEpochs:       keptEpochs,
		ResumptionEpochs: keptEpochs,
		PSK: func(id *message.PreSharedKeyID) ([]byte, bool) {
			secret, ok := c.psks[string(id.ID)]
			return secret, ok && id.Type == message.PSKExternal
		},
	}
	return c, nil
}

// keptEpochs is how many epochs late messages and resumption secrets are kept.
const keptEpochs = 64

// Name names the implementation.
func (s *Server) Name(context.Context, *pb.NameRequest) (*pb.NameResponse, error) {
	return &pb.NameResponse{Name: "mimi-lab"}, nil
}

// SupportedCiphersuites lists suites 1 to 7.
func (s *Server) SupportedCiphersuites(context.Context, *pb.SupportedCiphersuitesRequest) (*pb.SupportedCiphersuitesResponse, error) {
	var r pb.SupportedCiphersuitesResponse
	for _, id := range suite.IDs() {
		r.Ciphersuites = append(r.Ciphersuites, uint32(id))
	}
	return &r, nil
}

// CreateGroup makes a group of one.
func (s *Server) CreateGroup(_ context.Context, q *pb.CreateGroupRequest) (*pb.CreateGroupResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.client(q.CipherSuite, q.Identity, q.EncryptHandshake)
	if err != nil {
		return nil, err
	}
	g, err := mls.New(c.cfg, s.now(), c.id, q.GroupId, mls.GroupOptions{})
	if err != nil {
		return nil, failed("group", err)
	}
	return &pb.CreateGroupResponse{StateId: s.put(&state{client: c, group: g})}, nil
}

// Free forgets a state.
func (s *Server) Free(_ context.Context, q *pb.FreeRequest) (*pb.FreeResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.state(q.StateId); err != nil {
		return nil, err
	}
	delete(s.states, q.StateId)
	return &pb.FreeResponse{}, nil
}

// StateAuth returns the epoch authenticator.
func (s *Server) StateAuth(_ context.Context, q *pb.StateAuthRequest) (*pb.StateAuthResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	return &pb.StateAuthResponse{StateAuthSecret: st.group.EpochAuthenticator()}, nil
}

// Export derives a secret.
func (s *Server) Export(_ context.Context, q *pb.ExportRequest) (*pb.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	if q.KeyLength > 0xffff {
		return nil, invalid("key_length %d, want at most 65535", q.KeyLength)
	}
	secret, err := st.group.Export(q.Label, q.Context, int(q.KeyLength))
	if err != nil {
		return nil, failed("export", err)
	}
	return &pb.ExportResponse{ExportedSecret: secret}, nil
}

// Protect encrypts application data.
func (s *Server) Protect(_ context.Context, q *pb.ProtectRequest) (*pb.ProtectResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	b, err := st.group.Protect(q.Plaintext, mls.SendOptions{AAD: q.AuthenticatedData})
	if err != nil {
		return nil, failed("protect", err)
	}
	return &pb.ProtectResponse{Ciphertext: b}, nil
}

// Unprotect opens application data.
func (s *Server) Unprotect(_ context.Context, q *pb.UnprotectRequest) (*pb.UnprotectResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	e, err := st.process(s.now(), q.Ciphertext, message.ContentApplication)
	if err != nil {
		return nil, failed("unprotect", err)
	}
	a := e.(*mls.Application)
	return &pb.UnprotectResponse{AuthenticatedData: a.AAD, Plaintext: a.Data}, nil
}

// StorePSK hands an external pre-shared key to the owner of a state or of a
// KeyPackage.
func (s *Server) StorePSK(_ context.Context, q *pb.StorePSKRequest) (*pb.StorePSKResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := q.StateOrTransactionId
	var c *client
	switch {
	case s.states[n] != nil:
		c = s.states[n].client
	case s.waiting[n] != nil:
		c = s.waiting[n].client
	default:
		return nil, status.Errorf(codes.NotFound, "no state or transaction %d", n)
	}
	c.psks[string(q.PskId)] = q.PskSecret
	return &pb.StorePSKResponse{}, nil
}

// GroupInfo returns a GroupInfo for external Commits.
func (s *Server) GroupInfo(_ context.Context, q *pb.GroupInfoRequest) (*pb.GroupInfoResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.state(q.StateId)
	if err != nil {
		return nil, err
	}
	info, err := st.group.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: q.ExternalTree})
	if err != nil {
		return nil, failed("GroupInfo", err)
	}
	b, err := marshal(&message.Message{GroupInfo: info})
	if err != nil {
		return nil, err
	}
	tree, err := treeBeside(st.group.Tree(), q.ExternalTree)
	return &pb.GroupInfoResponse{GroupInfo: b, RatchetTree: tree}, err
}

// sent notes the reference of a proposal that the state has just made.
func (st *state) sent(b []byte) {
	all := st.group.Proposals()
	st.note(b, all[len(all)-1].Ref)
}

func (st *state) note(b []byte, ref message.ProposalRef) {
	if st.refs == nil {
		st.refs = map[string]message.ProposalRef{}
	}
	st.refs[string(b)] = ref
}

// taking returns the state with proposals that it may not have yet, and how a Commit
// names them: never nil, since no others are meant. If some are new it is a copy, for
// the caller to put in st's place once all else went well; else it is st.
func (st *state) taking(now time.Time, proposals [][]byte) (next *state, refs []message.ProposalRef, err error) {
	next, refs = st, []message.ProposalRef{}
	for i, b := range proposals {
		if next.refs[string(b)] == nil {
			if next == st {
				if next, err = st.copy(); err != nil {
					return nil, nil, failed("copy of the state", err)
				}
			}
			e, err := next.process(now, b, message.ContentProposal)
			if err != nil {
				return nil, nil, failed(fmt.Sprintf("proposal %d", i), err)
			}
			next.note(b, e.(*mls.Received).Ref)
		}
		refs = append(refs, next.refs[string(b)])
	}
	return next, refs, nil
}

// copy returns a copy that can change by itself. A Commit that is pending stays with
// the state.
func (st *state) copy() (*state, error) {
	g, err := mls.Restore(st.cfg, st.group.State())
	if err != nil {
		return nil, err
	}
	return &state{client: st.client, group: g, refs: maps.Clone(st.refs)}, nil
}

// process takes a message to the group, if it is of the kind that is meant: another
// would leave a trace too.
func (st *state) process(now time.Time, b []byte, want message.ContentType) (mls.Event, error) {
	m, err := message.Parse(b, nil)
	if err != nil {
		return nil, err
	}
	got := want // what is no message to a group is refused by it
	switch {
	case m.Public != nil:
		got = m.Public.Content.Type
	case m.Private != nil:
		got = m.Private.ContentType
	}
	if got != want {
		return nil, invalid("the message is of content type %v, want %v", got, want)
	}
	return st.group.ProcessMessage(now, m)
}

// merge makes a Commit the state's.
func (st *state) merge(c *mls.Staged) error {
	if err := st.group.Merge(c); err != nil {
		return failed("merge", err)
	}
	st.pending, st.refs = nil, nil
	return nil
}
