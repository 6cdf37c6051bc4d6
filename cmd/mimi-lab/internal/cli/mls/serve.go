package mls

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/mimi-lab/mimi-lab/bench/peers/mlsclient"
	"github.com/mimi-lab/mimi-lab/bench/peers/mlsserver"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// serveOptions are those of the command mls serve.
type serveOptions struct {
	IO   *term.IO
	Port int
	For  time.Duration // 0 means without end
}

func newServe(t *term.IO) *cobra.Command {
	o := &serveOptions{IO: t}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the MLS working group's interop client interface",
		Long: `Serve the interop client interface of the IETF MLS working group by gRPC, all
34 calls, for its test runner, for "mimi-lab mls interop" or for another
implementation. It prints "listening on 127.0.0.1:PORT" when it is ready and
ends with Ctrl-C, or after the time of --for.

It listens on the loopback interface only: whoever reaches it can read all
secrets of the clients that it plays.`,
		Example: `  mimi-lab mls serve --for 1s`,
		Args:    command.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runServe(c.Context(), o) },
	}
	c.Flags().IntVar(&o.Port, "port", 0, "port to listen on; 0 takes a free one")
	c.Flags().DurationVar(&o.For, "for", 0, "end after this time; 0 serves without end")
	return c
}

func runServe(ctx context.Context, o *serveOptions) error {
	if o.Port < 0 || o.Port > 65535 {
		return exit.Usagef("", "--port %d: want 0 to 65535", o.Port)
	}
	if o.For < 0 {
		return exit.Usagef("", "--for %v: want 0 or more", o.For)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)))
	if err != nil {
		return exit.Failuref("--port 0 takes a free port.", "listening: %w", err)
	}
	s := newServer()
	defer context.AfterFunc(ctx, s.Stop)()
	if o.For > 0 {
		defer time.AfterFunc(o.For, s.Stop).Stop()
	}
	fmt.Fprintf(o.IO.Out, "listening on %s\n", l.Addr())
	if err := s.Serve(l); err != nil && ctx.Err() == nil {
		return exit.Failuref("", "serving: %w", err)
	}
	return ctx.Err()
}

// maxMessage bounds what a caller may send, in bytes.
const maxMessage = 64 << 20

// newServer returns a server of our engine, with the real cryptography and clock.
func newServer() *grpc.Server {
	s := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	mlsclient.RegisterMLSClientServer(s, mlsserver.New(suite.NewStd, time.Now))
	return s
}
