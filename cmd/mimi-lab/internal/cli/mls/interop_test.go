package mls

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/bench/peers/mlsserver"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// unresumed is our engine under another name, without resumption PSKs.
type unresumed struct {
	*mlsserver.Server
	name string
}

func (u unresumed) Name(context.Context, *mlsclient.NameRequest) (*mlsclient.NameResponse, error) {
	return &mlsclient.NameResponse{Name: u.name}, nil
}

func (u unresumed) ResumptionPSKProposal(context.Context, *mlsclient.ResumptionPSKProposalRequest) (*mlsclient.ProposalResponse, error) {
	return nil, status.Error(codes.Aborted, "refused")
}

// TestInteropKnown: what a release is known for is reported and no failure, also
// where it is no longer so; the same of another release is a failure.
func TestInteropKnown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, peer string
		json       bool
		code       int
		say        []string
	}{
		{"known", "OpenMLS 0.9.2 (imitated)", false, exit.OK, []string{
			"\nknown: commit, resumption psk (3 games)\n  OpenMLS 0.9.2 ",
			"\nno longer: commit, external psk\n  OpenMLS 0.9.2 ",
		}},
		{"known, as JSON", "OpenMLS 0.9.2 (imitated)", true, exit.OK, []string{
			`"outcome": "known"`, `"call": "ResumptionPSKProposal"`, `"reason": "OpenMLS 0.9.2 makes no `, `"stale": [`,
		}},
		{"new", "OpenMLS 0.9.3 (imitated)", false, exit.Violation, []string{"\nfailed: commit, resumption psk, "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := grpc.NewServer()
			mlsclient.RegisterMLSClientServer(s, unresumed{mlsserver.New(suite.NewStd, time.Now), tt.peer})
			go s.Serve(l)
			defer s.Stop()
			var out, progress bytes.Buffer
			err = runInterop(context.Background(), &interopOptions{
				IO:      &term.IO{Out: &out, Err: &progress, Getenv: func(string) string { return "" }, Now: time.Now, Width: 80},
				Clients: []string{l.Addr().String()}, Scenarios: []string{"commit"}, Suites: []uint{1}, Mode: "public",
				Steps: 1, Members: 2, Quiet: true, JSON: tt.json,
			})
			if got := exit.Code(err); got != tt.code {
				t.Errorf("it exits with %d (%v), want %d", got, err, tt.code)
			}
			for _, say := range tt.say {
				if !bytes.Contains(out.Bytes(), []byte(say)) {
					t.Errorf("it does not say %q:\n%s", say, out.String())
				}
			}
		})
	}
}
