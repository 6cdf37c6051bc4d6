package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/proxy"
)

// serveOptions are those of the command proxy serve.
type serveOptions struct {
	IO         *term.IO
	Dev        string
	Gatekeeper string
	Listen     string
	Admin      string
	For        time.Duration // 0 means without end
	Verbose    bool
}

func newServe(t *term.IO) *cobra.Command {
	o := &serveOptions{IO: t}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a proxy until it is interrupted",
		Long: `Run a partner's proxy until it is interrupted. It keeps four rules: exactly one
connection to the gatekeeper per client; connected only while the client is; it
passes on the client's IP address; it never decrypts. The device's handshake is
with the gatekeeper, and the proxy moves what the two have sealed.

The gatekeeper is that of "gatekeeper serve" with the same --dev, or at the
address of --gatekeeper, where it takes proxies. "device --proxy dev" connects
by the proxy in --dev, "device --proxy ADDRESS" by another one.

Assumed, as no public text says it: the address goes ahead of what the client
sends in the header of the PROXY protocol, version 2.`,
		Example: `  mimi-lab proxy serve --for 1s
  mimi-lab proxy serve --gatekeeper 127.0.0.1:5222 --for 1s`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runServe(c.Context(), o) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Dev, "dev", dmadev.Default, "`directory` of gatekeeper serve --dev")
	f.StringVar(&o.Gatekeeper, "gatekeeper", "", "`address` where a gatekeeper takes proxies (default: in --dev)")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`address` of the proxy")
	f.StringVar(&o.Admin, "admin", "", "`address` of /healthz, /stats and /metrics (default: none)")
	f.DurationVar(&o.For, "for", 0, "end after this time; 0 serves without end")
	f.BoolVar(&o.Verbose, "verbose", false, "log everything")
	return c
}

func runServe(ctx context.Context, o *serveOptions) error {
	if o.For < 0 {
		return exit.Usagef("", "--for %v: want 0 or more", o.For)
	}
	level := slog.LevelInfo
	if o.Verbose {
		level = slog.LevelDebug
	}
	cfg := proxy.Config{Gatekeeper: o.Gatekeeper, Logger: slog.New(slog.NewTextHandler(o.IO.Err, &slog.HandlerOptions{Level: level}))}
	var dir *dmadev.Dir
	if o.Gatekeeper == "" {
		var err error
		if dir, err = dmadev.Make(o.Dev, o.IO.Now()); err != nil {
			return err
		}
		cfg.Dial = dir.DialProxied
	}
	s, err := proxy.New(cfg)
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	defer func() { _ = s.Close() }()
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return exit.Failuref("--listen names another address.", "listening: %w", err)
	}
	ended := make(chan error, 2)
	go func() { ended <- s.Serve(l) }()
	var admin net.Listener
	if o.Admin != "" {
		if admin, err = net.Listen("tcp", o.Admin); err != nil {
			return exit.Failuref("--admin names another address.", "listening: %w", err)
		}
		h := &http.Server{Handler: s.Admin(), ReadHeaderTimeout: 10 * time.Second}
		defer func() { _ = h.Close() }()
		go func() { ended <- h.Serve(admin) }()
	}
	to := o.Gatekeeper
	if dir != nil {
		if err := dir.AnnounceProxy(l.Addr()); err != nil {
			return err
		}
		to = "that of " + dir.Path
	}
	fmt.Fprintf(o.IO.Out, "proxy at %s, to the gatekeeper: %s\n", l.Addr(), to)
	if admin != nil {
		fmt.Fprintf(o.IO.Out, "for the operator: http://%s/healthz, /stats and /metrics\n", admin.Addr())
	}
	fmt.Fprintln(o.IO.Out, "assumed, as no public text says it: the client's address in the header of the\n  PROXY protocol, version 2")
	if err := command.Until(ctx, o.For, ended); err != nil {
		return exit.Failuref("", "%w", err)
	}
	// Clients connect again elsewhere; there is nothing to wait for.
	return s.Close()
}
