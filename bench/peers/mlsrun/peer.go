package mlsrun

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
)

// Peer is one implementation.
type Peer struct {
	Addr   string
	Name   string
	Suites []uint32
	rpc    pb.MLSClientClient
	conn   *grpc.ClientConn
}

// maxMessage bounds what a peer may send in one answer, in bytes.
const maxMessage = 64 << 20

// Dial connects to an implementation at host:port and asks for its name and suites.
// That nobody listens there is said in the words of the operating system: gRPC tries
// again until ctx ends, and wraps them four times.
func Dial(ctx context.Context, addr string) (*Peer, error) {
	if err := knock(ctx, addr); err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	conn, err := grpc.NewClient(addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	p, err := newPeer(ctx, addr, pb.NewMLSClientClient(conn))
	if err != nil {
		conn.Close()
		return nil, err
	}
	p.conn = conn
	return p, nil
}

// knock connects to an address and hangs up. Its error does not name the address.
func knock(ctx context.Context, addr string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err == nil {
		return c.Close()
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err
	}
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	return err
}

func newPeer(ctx context.Context, addr string, rpc pb.MLSClientClient) (*Peer, error) {
	name, err := rpc.Name(ctx, &pb.NameRequest{})
	if err != nil {
		return nil, fmt.Errorf("%s: Name: %s", addr, status.Convert(err).Message())
	}
	suites, err := rpc.SupportedCiphersuites(ctx, &pb.SupportedCiphersuitesRequest{})
	if err != nil {
		return nil, fmt.Errorf("%s: SupportedCiphersuites: %s", addr, status.Convert(err).Message())
	}
	return &Peer{Addr: addr, Name: name.Name, Suites: suites.Ciphersuites, rpc: rpc}, nil
}

// tellApart returns the peers with names that differ: of those with one name, the
// second and later ones have a number after it.
func tellApart(peers []*Peer) []*Peer {
	seen := make(map[string]bool)
	out := make([]*Peer, len(peers))
	for i, p := range peers {
		c := *p
		for n := 2; seen[c.Name]; n++ {
			c.Name = fmt.Sprintf("%s #%d", p.Name, n)
		}
		seen[c.Name] = true
		out[i] = &c
	}
	return out
}

// Close ends the connection.
func (p *Peer) Close() {
	if p.conn != nil {
		p.conn.Close()
	}
}

// commonSuites returns the suites that all peers have, ascending.
func commonSuites(peers []*Peer) []uint32 {
	var common []uint32
	for _, s := range peers[0].Suites {
		if !slices.ContainsFunc(peers, func(p *Peer) bool { return !slices.Contains(p.Suites, s) }) {
			common = append(common, s)
		}
	}
	slices.Sort(common)
	return common
}
