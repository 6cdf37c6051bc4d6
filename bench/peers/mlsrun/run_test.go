package mlsrun

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/bench/peers/mlsserver"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// serve starts an implementation on the loopback interface.
func serve(t *testing.T, impl pb.MLSClientServer, o ...grpc.ServerOption) *Peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(o...)
	pb.RegisterMLSClientServer(s, impl)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	p, err := Dial(context.Background(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func ours(t *testing.T, name string) *mlsserver.Server {
	return mlsserver.New(func(id suite.ID) (suite.Suite, error) {
		return suite.NewSeeded(id, sha256.Sum256([]byte(t.Name()+name)), fmt.Sprint(time.Now().UnixNano()))
	}, time.Now)
}

// TestAgainstOurselves plays everything between two servers of ours, and sees that it
// takes each call of the interface.
func TestAgainstOurselves(t *testing.T) {
	t.Parallel()
	suites := []uint32{1, 2, 3, 7}
	if testing.Short() {
		suites = suites[:1]
	}
	var calls record
	peers := []*Peer{serve(t, ours(t, "a"), grpc.UnaryInterceptor(calls.intercept)), serve(t, ours(t, "b"))}
	r, err := Run(context.Background(), peers, Options{Suites: suites, Steps: 12, Members: 8, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	allPassed(t, r)
	if want := 31 * len(suites) * 2 * 4; len(r.Games) != want {
		t.Errorf("%d games, want %d", len(r.Games), want)
	}
	methods := pb.MLSClient_ServiceDesc.Methods
	if len(methods) != 34 {
		t.Fatalf("the interface has %d calls, want 34", len(methods))
	}
	for _, m := range methods {
		if _, ok := calls.seen.Load("/" + pb.MLSClient_ServiceDesc.ServiceName + "/" + m.MethodName); !ok {
			t.Errorf("%s was not called", m.MethodName)
		}
	}
	figures := map[string]int{}
	for _, c := range r.Calls {
		figures[c.Peer]++
	}
	// Name and SupportedCiphersuites come before the games, and Free after each.
	if want := map[string]int{"mimi-lab": 31, "mimi-lab #2": 31}; !maps.Equal(figures, want) {
		t.Errorf("figures of calls by peer: %v, want %v", figures, want)
	}
}

// TestSlowSuites plays in the suites of the slower curves as well: each part once, with
// handshakes in PrivateMessages.
func TestSlowSuites(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, makes the slow suites slower")
	}
	peers := []*Peer{serve(t, ours(t, "a")), serve(t, ours(t, "b"))}
	suites := []uint32{4, 5, 6}
	r, err := Run(context.Background(), peers, Options{Suites: suites, Modes: []Mode{Private}, Deals: 1, Steps: 6, Members: 5, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	allPassed(t, r)
	if want := 31 * len(suites); len(r.Games) != want {
		t.Errorf("%d games, want %d", len(r.Games), want)
	}
}

// record notes which methods a server was called for.
type record struct{ seen sync.Map }

func (r *record) intercept(ctx context.Context, q any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	r.seen.Store(info.FullMethod, true)
	return h(ctx, q)
}

func allPassed(t *testing.T, r *Report) {
	t.Helper()
	for _, g := range r.Games {
		if g.Outcome != Passed {
			t.Errorf("%s, %s, suite %d, %s: %s: %s", g.Scenario, g.Part, g.Suite, g.Mode, g.Outcome, g.Error)
		}
	}
}

// TestTellApart: peers of one name get others, unless someone has that name.
func TestTellApart(t *testing.T) {
	t.Parallel()
	var peers []*Peer
	for _, name := range []string{"a", "b", "a", "a #2", "a"} {
		peers = append(peers, &Peer{Name: name, Addr: "addr"})
	}
	var got []string
	for _, p := range tellApart(peers) {
		got = append(got, p.Name)
	}
	if want := []string{"a", "b", "a #2", "a #2 #2", "a #3"}; !slices.Equal(got, want) || peers[2].Name != "a" {
		t.Errorf("names %q, want %q; the third peer is %q", got, want, peers[2].Name)
	}
}

// forgetful exports wrong secrets and knows no Branch.
type forgetful struct{ *mlsserver.Server }

func (f forgetful) Name(context.Context, *pb.NameRequest) (*pb.NameResponse, error) {
	return &pb.NameResponse{Name: "forgetful 2.0 (provider)"}, nil
}

func (f forgetful) Export(context.Context, *pb.ExportRequest) (*pb.ExportResponse, error) {
	return &pb.ExportResponse{ExportedSecret: []byte("wrong")}, nil
}

// TestFindsFaults: an implementation that derives something else fails, and one
// without a call is skipped.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	good := serve(t, ours(t, "a"))
	r, err := Run(context.Background(), []*Peer{good, serve(t, forgetful{ours(t, "b")})}, Options{
		Scenarios: Scenarios()[:1], Suites: []uint32{1}, Modes: []Mode{Public},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Pairs of one kind agree with each other, wrong or right.
	if p, f := r.Count(Passed), r.Count(Failed); p != 8 || f != 8 {
		t.Errorf("%d passed and %d failed, want 8 and 8", p, f)
	}
	r, err = Run(context.Background(), []*Peer{serve(t, partial{ours(t, "c")})}, Options{Scenarios: Scenarios()[6:7], Suites: []uint32{1}})
	if err != nil || r.Count(Skipped) != len(r.Games) {
		t.Errorf("a peer without branches: %v, %+v", err, r.Games)
	}
}

// partial has no branches.
type partial struct{ *mlsserver.Server }

func (p partial) CreateBranch(ctx context.Context, q *pb.CreateBranchRequest) (*pb.CreateSubgroupResponse, error) {
	return pb.UnimplementedMLSClientServer{}.CreateBranch(ctx, q)
}
