package gatekeeper

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	neturl "net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/verdicts"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check/own"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
)

// partnerCheckOptions are those of the command gatekeeper check.
type partnerCheckOptions struct {
	IO       *term.IO
	Self     bool
	Partner  string
	Dev      string
	Media    string
	Roots    string
	Audience string
	Listen   string
	Chat     string
	Dialect  string
	Wait     time.Duration
	Timeout  time.Duration
	Quiet    bool
	JSON     bool
	List     bool
}

func newCheck(t *term.IO) *cobra.Command {
	o := &partnerCheckOptions{IO: t}
	c := &cobra.Command{
		Use:   "check",
		Short: "Check a partner's implementation, milestone by milestone",
		Long: `Check a partner's implementation by the six milestones of WhatsApp's Reference
Offer: identities; Noise and the chat protocol; messaging; media, features and
blocking; deletion; reachability. The command plays the gatekeeper and two of
its users. --list shows all checks.

--partner URL is the partner's server: what its tokens say in iss, where its
keys are and pushes go; --roots has who signs its certificate. Its device is
yours. The command says on standard error where it enlists and connects, what it
trusts, and then, one after the other, what its user is to do (send a text to
this number, react to that message); each is waited for --wait long.

The verdicts are pass; fail, for what is wrong or does not come though the
implementation has to do it by itself; and not seen, for what was asked for and
did not come, which is no pass. The exit code is 3 if a check fails, else 0.
Each check says where it is from: RO is the Reference Offer, client what public
clients show, assumed this project's choice.

--partner dev checks the partner of "partner serve" with the same --dev, where
no gatekeeper runs meanwhile; its device is that of the commands of device.
--self checks a partner that the command runs itself, to show what it looks
like. --json prints an object with against, checked, pass, warn, fail and skip
(counts; not seen is skip), seconds and checks: of each its id, section, sent,
want, verdict and seen.`,
		Example: `  mimi-lab gatekeeper check --self
  mimi-lab gatekeeper check --list`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runCheck(c.Context(), o) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Partner, "partner", "", "`URL` of the partner's server, or dev: the one in --dev")
	f.BoolVar(&o.Self, "self", false, "check a partner that this command runs")
	f.StringVar(&o.Dev, "dev", dmadev.Default, "`directory` with the gatekeeper's keys and certificate")
	f.StringVar(&o.Media, "media", "", "`URL` below which the partner hosts media (default: --partner and /media)")
	f.StringVar(&o.Roots, "roots", "", "`file` with who signs the partner's certificate (default: the system's)")
	f.StringVar(&o.Audience, "audience", dmadev.Gatekeeper, "`name` that the partner's tokens say in aud")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`address` of the enlistment server")
	f.StringVar(&o.Chat, "chat", "127.0.0.1:0", "`address` of the chat channel")
	f.StringVar(&o.Dialect, "dialect", noise.Lab.Name, "`dialect` of the chat channel: lab or whatsapp")
	f.DurationVar(&o.Wait, "wait", 2*time.Minute, "how long to wait for what the partner's user is asked to do")
	f.DurationVar(&o.Timeout, "timeout", 10*time.Second, "how long to wait for what the implementation does by itself")
	f.BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress, and of the checks those that do not pass")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	f.BoolVar(&o.List, "list", false, "list the checks and make none")
	return c
}

func (o *partnerCheckOptions) printer() *verdicts.Printer {
	return &verdicts.Printer{IO: o.IO, Checks: check.PartnerChecks(), Quiet: o.Quiet, Skipped: "not seen", Titles: check.Titles}
}

func runCheck(ctx context.Context, o *partnerCheckOptions) error {
	switch {
	case o.List && o.JSON:
		return o.IO.JSON(check.PartnerChecks())
	case o.List:
		o.printer().List()
		return nil
	case o.Self == (o.Partner != ""):
		return exit.Usagef(`"mimi-lab gatekeeper check --self" shows what it looks like.`, "want either --partner or --self")
	case o.Wait <= 0 || o.Timeout <= 0:
		return exit.Usagef("", "--wait and --timeout want more than 0")
	}
	dialect, err := namedDialect(o.Dialect)
	if err != nil {
		return err
	}
	s, err := dmadev.Suite()
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	adapter, err := dmadev.Adapter(o.IO.Err)
	if err != nil {
		return err
	}
	cfg := check.Config{
		Gatekeeper: check.Gatekeeper{Audience: o.Audience, Dialect: dialect}, Adapter: adapter, Suite: s, Wait: o.Wait, Timeout: o.Timeout,
	}
	for _, l := range []struct {
		flag, address string
		to            *net.Listener
	}{{"--listen", o.Listen, &cfg.Gatekeeper.HTTPS}, {"--chat", o.Chat, &cfg.Gatekeeper.Chat}} {
		if *l.to, err = net.Listen("tcp", l.address); err != nil {
			return exit.Failuref(l.flag+" names another address.", "listening: %w", err)
		}
		defer func() { _ = (*l.to).Close() }()
	}
	if o.Self {
		return o.self(ctx, cfg)
	}
	return o.other(ctx, cfg)
}

// namedDialect returns the dialect of a name.
func namedDialect(name string) (noise.Dialect, error) {
	var names []string
	for _, d := range noise.Dialects {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return noise.Dialect{}, command.Unknown("dialect", name, names, "There are "+strings.Join(names, " and ")+".")
}

// other checks somebody else's partner.
func (o *partnerCheckOptions) other(ctx context.Context, cfg check.Config) error {
	dir, err := dmadev.Make(o.Dev, o.IO.Now())
	if err != nil {
		return err
	}
	g := &cfg.Gatekeeper
	g.Certificate, g.Roots, g.Static = dir.TLS, dir.Roots, dir.Noise
	cfg.Base, cfg.Media = o.Partner, o.Media
	if o.Partner == "dev" {
		cfg.Base, cfg.Roots, cfg.Dial = dmadev.Partner, dir.Roots, dir.DialPartner
		a := dmadev.Addresses{HTTPS: g.HTTPS.Addr().String(), Chat: g.Chat.Addr().String(), Dialect: g.Dialect.Name}
		if err := dir.Announce(a); err != nil {
			return err
		}
	} else if u, err := neturl.Parse(o.Partner); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return exit.Usagef("It is a URL such as https://partner.example, or dev.", "--partner %q", o.Partner)
	}
	if o.Roots != "" {
		b, err := os.ReadFile(o.Roots)
		if err != nil {
			return exit.Usagef("It is a file with who signs the certificate of the partner's server, in PEM.", "--roots: %w", err)
		}
		if cfg.Roots = x509.NewCertPool(); !cfg.Roots.AppendCertsFromPEM(b) {
			return exit.Usagef("It holds certificates in PEM.", "--roots: no certificate in %s", o.Roots)
		}
	}
	n := 0
	cfg.Ask = func(a check.Ask) {
		n++
		for i, line := range term.Wrap(fmt.Sprintf("please %s", a.Text), 74) {
			head := fmt.Sprintf("%2d  ", n)
			if i > 0 {
				head = "    "
			}
			fmt.Fprintln(o.IO.Err, head+line)
		}
		if a.Message != "" {
			fmt.Fprintf(o.IO.Err, "    (message %s)\n", a.Message)
		}
	}
	fmt.Fprintf(o.IO.Err, "the enlistment server's certificate is signed by %s\n", dir.RootsFile())
	return o.run(ctx, cfg)
}

// self checks a partner of this program's own.
func (o *partnerCheckOptions) self(ctx context.Context, cfg check.Config) error {
	now := o.IO.Now()
	authority, err := localca.New("mimi-lab gatekeeper check --self", now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		return exit.Failuref("", "authority: %w", err)
	}
	var certs [2]tls.Certificate
	for i := range certs {
		leaf := localca.Leaf{Name: "mimi-lab gatekeeper check --self", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Starts: now.Add(-time.Hour), Ends: now.Add(time.Hour)}
		if certs[i], err = authority.Issue(leaf); err != nil {
			return exit.Failuref("", "certificate: %w", err)
		}
	}
	g := &cfg.Gatekeeper
	if g.Static, err = cfg.Suite.GenerateKeyPair(); err != nil {
		return exit.Failuref("", "%w", err)
	}
	g.Certificate, g.Roots = certs[0], authority.Pool()
	p, err := own.Start(ctx, own.Config{Certificate: certs[1], Roots: g.Roots, Adapter: cfg.Adapter, Suite: cfg.Suite, Gatekeeper: *g})
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	defer func() { _ = p.Close() }()
	p.Has(&cfg)
	return o.run(ctx, cfg)
}

// run checks and prints.
func (o *partnerCheckOptions) run(ctx context.Context, cfg check.Config) error {
	progress := o.IO.Progress("checking", o.Quiet)
	cfg.Progress = func(_ string, done, total int) { progress.Set(float64(done), float64(total)) }
	r, err := check.Partner(ctx, cfg)
	progress.Done()
	if r == nil {
		return exit.Failuref("", "%w", err)
	}
	if o.JSON {
		if err := o.IO.JSON(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(o.IO.Out, "%s\nagainst %s\n", o.IO.Paint(term.Bold, r.Checked), r.Against)
		p := o.printer()
		p.Print(r.Checks)
		o.milestones(r)
		p.Total(len(r.Checks), r.Tally, r.Seconds)
	}
	return verdicts.End(r.Checked, r.Tally, len(r.Checks), err)
}

// milestones prints which of them are passed.
func (o *partnerCheckOptions) milestones(r *check.Report) {
	fmt.Fprintln(o.IO.Out)
	wide := 0
	for _, t := range check.Titles {
		wide = max(wide, len(t))
	}
	for _, m := range check.Milestones {
		passed, failed, all := r.Milestone(m)
		verdict := "passed"
		switch {
		case failed > 0:
			verdict = "failed"
		case passed < all:
			verdict = "not seen"
		}
		fmt.Fprintf(o.IO.Out, "%s  %s (%d of %d)\n", check.Titles[m]+strings.Repeat(" ", wide-len(check.Titles[m])), verdict, passed, all)
	}
}
