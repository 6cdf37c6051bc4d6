package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/verdicts"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/proxy"
)

// checkOptions are those of the command proxy check.
type checkOptions struct {
	IO      *term.IO
	Self    bool
	Proxy   string
	Dev     string
	Listen  string
	Other   string
	Timeout time.Duration
	Settle  time.Duration
	Quiet   bool
	JSON    bool
	List    bool
}

func newCheck(t *term.IO) *cobra.Command {
	o := &checkOptions{IO: t}
	c := &cobra.Command{
		Use:   "check ADDRESS",
		Short: "Check whether a proxy keeps the four rules",
		Long: `Check the proxy at an address by the four rules of WhatsApp's Reference Offer:
exactly one connection to the gatekeeper per client; connected only while the
client is; it passes on the client's IP address; it never decrypts. The command
plays the gatekeeper, to whose address of --listen the proxy must connect, and
the devices. --other is another address of this machine, to see that each
client's is passed on. A proxy that decrypts shows as another static key at the
device.

ADDRESS dev is the proxy of "proxy serve" with the same --dev, while no
gatekeeper runs there. --self checks a proxy that the command runs itself.

The verdicts are pass, fail and not seen. The exit code is 3 if a check fails, 1
if nothing is at the address, else 0. --json prints an object with against,
checked, pass, warn, fail and skip (counts; not seen is skip), seconds and
checks: of each its id, section, sent, want, verdict and seen.`,
		Example: `  mimi-lab proxy check --self
  mimi-lab proxy check --list`,
		Args: command.Args(0, 1, "the address of a proxy"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Proxy = args[0]
			}
			return runCheck(c.Context(), o)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&o.Self, "self", false, "check a proxy that this command runs")
	f.StringVar(&o.Dev, "dev", dmadev.Default, "`directory` of proxy serve --dev")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`address` to which the proxy connects, as to its gatekeeper")
	f.StringVar(&o.Other, "other", "", "another `address` of this machine to connect from")
	f.DurationVar(&o.Timeout, "timeout", 5*time.Second, "how long to wait for what the proxy does")
	f.DurationVar(&o.Settle, "settle", 500*time.Millisecond, "how long to wait for what it should not do")
	f.BoolVarP(&o.Quiet, "quiet", "q", false, "show of the checks those that do not pass")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	f.BoolVar(&o.List, "list", false, "list the checks and make none")
	return c
}

func (o *checkOptions) printer() *verdicts.Printer {
	return &verdicts.Printer{IO: o.IO, Checks: check.ProxyChecks(), Quiet: o.Quiet, Skipped: "not seen", Titles: check.ProxyTitles}
}

func runCheck(ctx context.Context, o *checkOptions) error {
	switch {
	case o.List && o.JSON:
		return o.IO.JSON(check.ProxyChecks())
	case o.List:
		o.printer().List()
		return nil
	case o.Self == (o.Proxy != ""):
		return exit.Usagef(`"mimi-lab proxy check --self" shows what it looks like.`, "want either the address of a proxy or --self")
	case o.Timeout <= 0 || o.Settle <= 0:
		return exit.Usagef("", "--timeout and --settle want more than 0")
	}
	s, err := dmadev.Suite()
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	cfg := check.ProxyConfig{Proxy: o.Proxy, Suite: s, Timeout: o.Timeout, Settle: o.Settle}
	if o.Other != "" {
		if cfg.Other, err = netip.ParseAddr(o.Other); err != nil {
			return exit.Usagef("It is an IP address of this machine.", "--other: %w", err)
		}
	}
	if cfg.Listener, err = net.Listen("tcp", o.Listen); err != nil {
		return exit.Failuref("--listen names another address.", "listening: %w", err)
	}
	defer func() { _ = cfg.Listener.Close() }()
	switch {
	case o.Self:
		return o.self(ctx, cfg)
	case o.Proxy == "dev":
		dir, err := dmadev.Open(o.Dev)
		if err != nil {
			return err
		}
		if cfg.Proxy, err = dir.Proxy(); err != nil {
			return err
		}
		if err := dir.Announce(dmadev.Addresses{Proxied: cfg.Listener.Addr().String()}); err != nil {
			return err
		}
	}
	return o.run(ctx, cfg)
}

// self checks a proxy of this program's own.
func (o *checkOptions) self(ctx context.Context, cfg check.ProxyConfig) error {
	p, err := proxy.New(proxy.Config{Gatekeeper: cfg.Listener.Addr().String()})
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	defer func() { _ = p.Close() }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return exit.Failuref("", "listening: %w", err)
	}
	go func() { _ = p.Serve(l) }()
	cfg.Proxy = l.Addr().String()
	return o.run(ctx, cfg)
}

// run checks and prints.
func (o *checkOptions) run(ctx context.Context, cfg check.ProxyConfig) error {
	r, err := check.Proxy(ctx, cfg)
	if errors.Is(err, check.ErrNoProxy) {
		err = exit.Failuref(fmt.Sprintf("It has to run, and to take %s for its gatekeeper (--listen).", cfg.Listener.Addr()), "%w", err)
	}
	if r == nil {
		return exit.Failuref("", "%w", err)
	}
	if o.JSON {
		if err := o.IO.JSON(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(o.IO.Out, "%s\nagainst %s\n", o.IO.Paint(term.Bold, "proxy at "+r.Checked), r.Against)
		p := o.printer()
		p.Print(r.Checks)
		p.Total(len(r.Checks), r.Tally, r.Seconds)
	}
	return verdicts.End("the proxy at "+r.Checked, r.Tally, len(r.Checks), err)
}
