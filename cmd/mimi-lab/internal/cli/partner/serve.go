package partner

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// serveOptions are those of the command partner serve.
type serveOptions struct {
	IO      *term.IO
	Dev     string
	Listen  string
	Admin   string
	Rotate  time.Duration
	For     time.Duration // 0 means without end
	Verbose bool
}

func newServe(t *term.IO) *cobra.Command {
	o := &serveOptions{IO: t}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a partner's server until it is interrupted",
		Long: `Run the server of a gatekeeper's partner on this machine until it is
interrupted: HTTPS with TLS 1.3, HTTP/1.1 and HTTP/2, with the keys of its
tokens at /.well-known/oauth/openid/jwks, and POST /push for the gatekeeper,
whose tokens are verified by the keys that it publishes.

It is partner 1 of "gatekeeper serve --no-stand-in" with the same --dev, in
whatever order they start; users and keys are in a store there. The key of its
tokens changes by itself: the next one is published an hour before it signs, and
the one before until its tokens are over.

Assumed, as no public text says it: how users join (POST /lab/join), get tokens
(POST /lab/token) and are woken by a push (GET /lab/wait); lifetimes.`,
		Example: `  mimi-lab partner serve --for 1s`,
		Args:    command.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runServe(c.Context(), o) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Dev, "dev", dmadev.Default, "`directory` of gatekeeper serve --dev")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`address` of the server")
	f.StringVar(&o.Admin, "admin", "", "`address` of /healthz, /stats and /metrics (default: none)")
	f.DurationVar(&o.Rotate, "rotate", 30*24*time.Hour, "how often the key of tokens changes")
	f.DurationVar(&o.For, "for", 0, "end after this time; 0 serves without end")
	f.BoolVar(&o.Verbose, "verbose", false, "log everything")
	return c
}

func runServe(ctx context.Context, o *serveOptions) error {
	if o.For < 0 {
		return exit.Usagef("", "--for %v: want 0 or more", o.For)
	}
	if o.Rotate <= time.Hour {
		return exit.Usagef("Keys are published an hour before they sign.", "--rotate %v: want more than 1h", o.Rotate)
	}
	dir, err := dmadev.Make(o.Dev, o.IO.Now())
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return exit.Failuref("--listen names another address.", "listening: %w", err)
	}
	defer func() { _ = l.Close() }()
	level := slog.LevelWarn
	if o.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(o.IO.Err, &slog.HandlerOptions{Level: level}))
	s, keys, err := Development(ctx, dir, log, nil, o.Rotate, func(user string) {
		fmt.Fprintf(o.IO.Err, "push: something waits for %s\n", strconv.Quote(user))
	})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	beside, end := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	defer background.Wait()
	defer end()
	background.Go(func() { keys.Run(beside) })
	return o.serve(ctx, dir, s, l)
}

// serve serves until the end.
func (o *serveOptions) serve(ctx context.Context, dir *dmadev.Dir, s *partner.Server, l net.Listener) error {
	ended := make(chan error, 2)
	var at net.Addr
	if o.Admin != "" {
		admin, err := net.Listen("tcp", o.Admin)
		if err != nil {
			return exit.Failuref("--admin names another address.", "listening: %w", err)
		}
		at = admin.Addr()
		h := &http.Server{Handler: s.Admin(), ReadHeaderTimeout: 10 * time.Second}
		defer func() { _ = h.Close() }()
		go func() { ended <- h.Serve(admin) }()
	}
	go func() { ended <- s.Serve(l) }()
	if err := dir.AnnouncePartner(l.Addr()); err != nil {
		return err
	}
	announce(o.IO.Out, dir, l.Addr(), at)
	if err := command.Until(ctx, o.For, ended); err != nil {
		return exit.Failuref("", "%w", err)
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.Shutdown(bounded)
}

// announce says where everything is, and what of it is assumed.
func announce(w io.Writer, dir *dmadev.Dir, at, admin net.Addr) {
	fmt.Fprintf(w, "partner %d, %s, publishes its keys:\n  curl --cacert %s https://%s%s\n",
		dmadev.Integrator, dmadev.Partner, command.Quote(dir.RootsFile()), at, token.WellKnown)
	fmt.Fprintf(w, "takes pushes at https://%s%s, hosts media at https://%s%s/{storage_ref}\n", at, serve.PushPath, at, partner.MediaPath)
	if admin != nil {
		fmt.Fprintf(w, "for the operator: http://%s/healthz, /stats and /metrics\n", admin)
	}
	fmt.Fprintf(w, "assumed, as no public text says it: %s, %s and %s, for its users\n", partner.JoinPath, partner.TokenPath, partner.WaitPath)
	fmt.Fprintf(w, "the gatekeeper: mimi-lab gatekeeper serve --dev %s --no-stand-in\n", command.Quote(dir.Path))
}
