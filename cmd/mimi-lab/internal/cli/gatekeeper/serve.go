package gatekeeper

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	clipartner "github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/partner"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/proxy"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// serveOptions are those of the command gatekeeper serve.
type serveOptions struct {
	IO       *term.IO
	Dev      string
	Listen   string
	Chat     string
	Proxied  string
	Proxies  []string
	Admin    string
	Reach    string
	Dialect  string
	Partners []string
	Roots    string
	NoStand  bool
	For      time.Duration // 0 means without end
	Verbose  bool
}

func newServe(t *term.IO) *cobra.Command {
	o := &serveOptions{IO: t}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a gatekeeper until it is interrupted",
		Long: `Run a gatekeeper on this machine until it is interrupted: POST /3p/interop_reg
over TLS 1.3, the chat channel in Noise over TCP, and a store that has
everything before anybody is told of it.

--dev DIRECTORY gets keys, a certificate and the stores. There is one partner in
it, integrator 1, whose server runs in this process too, unless --no-stand-in
leaves it to "partner serve" with the same --dev; the commands of device enlist
and connect its users, and the gatekeeper's own.

--partner NUMBER=URL is a partner of yours: its tokens say URL in iss, and
https://gatekeeper.example in aud, and its keys are fetched from
URL/.well-known/oauth/openid/jwks; --roots has who signs its certificate. Pushes
go to URL/push, with a token whose keys the enlistment server publishes.

What is not public is assumed, and said to be so when it starts.`,
		Example: `  mimi-lab gatekeeper serve --for 1s
  mimi-lab gatekeeper serve --dev lab --reach opt_in --for 1s`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runServe(c.Context(), o) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Dev, "dev", dmadev.Default, "`directory` with all that a gatekeeper on this machine needs")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`address` of the enlistment server")
	f.StringVar(&o.Chat, "chat", "127.0.0.1:0", "`address` of the chat channel")
	f.StringVar(&o.Proxied, "proxied", "127.0.0.1:0", "`address` of the chat channel for proxies")
	f.StringArrayVar(&o.Proxies, "proxies", []string{"127.0.0.0/8"}, "`addresses` of proxies, such as 192.0.2.0/24; may be repeated")
	f.StringVar(&o.Admin, "admin", "", "`address` of /healthz and /stats (default: none)")
	f.StringVar(&o.Reach, "reach", dma.DefaultOn.String(), "whom partners' users reach by `default`: opt_in, ping_then_consent or default_on")
	f.StringVar(&o.Dialect, "dialect", noise.Lab.Name, "`dialect` of the chat channel: lab is Noise by its specification, whatsapp as read in clients")
	f.StringArrayVar(&o.Partners, "partner", nil, "`NUMBER=URL` of another partner; may be repeated")
	f.StringVar(&o.Roots, "roots", "", "`file` with who signs the certificates of --partner (default: the system's)")
	f.BoolVar(&o.NoStand, "no-stand-in", false, "leave the server of partner 1 to partner serve with the same --dev")
	f.DurationVar(&o.For, "for", 0, "end after this time; 0 serves without end")
	f.BoolVar(&o.Verbose, "verbose", false, "log everything")
	return c
}

// running is a gatekeeper with what runs beside it.
type running struct {
	dir     *dmadev.Dir
	gk      *serve.Gatekeeper
	https   net.Listener
	chat    net.Listener
	proxied net.Listener // the chat channel for proxies
	partner net.Listener // of the stand-in for the partner's server; nil with --no-stand-in
	admin   net.Listener // nil without --admin
	dialect noise.Dialect
}

func runServe(ctx context.Context, o *serveOptions) error {
	if o.For < 0 {
		return exit.Usagef("", "--for %v: want 0 or more", o.For)
	}
	dialect, err := dialectOf(o.Dialect)
	if err != nil {
		return err
	}
	reach, err := dma.ParseReach(o.Reach)
	if err != nil {
		return exit.Usagef("", "--reach: %w", err)
	}
	dir, err := dmadev.Make(o.Dev, o.IO.Now())
	if err != nil {
		return err
	}
	r := &running{dir: dir, dialect: dialect}
	for _, l := range []struct {
		flag, address string
		to            *net.Listener
	}{{"--listen", o.Listen, &r.https}, {"--chat", o.Chat, &r.chat}, {"--proxied", o.Proxied, &r.proxied}, {"", "127.0.0.1:0", &r.partner}} {
		if o.NoStand && l.to == &r.partner {
			continue
		}
		if *l.to, err = net.Listen("tcp", l.address); err != nil {
			return exit.Failuref(strings.TrimSpace(l.flag+" names another address."), "listening: %w", err)
		}
		defer func() { _ = (*l.to).Close() }()
	}
	if o.Admin != "" {
		if r.admin, err = net.Listen("tcp", o.Admin); err != nil {
			return exit.Failuref("--admin names another address.", "listening: %w", err)
		}
		defer func() { _ = r.admin.Close() }()
	}
	level := slog.LevelInfo
	if o.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(o.IO.Err, &slog.HandlerOptions{Level: level}))
	from, err := prefixes(o.Proxies)
	if err != nil {
		return err
	}
	r.proxied = proxy.Listen(r.proxied, proxy.ListenerConfig{From: from, Logger: log})
	sources, err := o.partners(r, log)
	if err != nil {
		return err
	}
	s, err := dmadev.Suite()
	if err != nil {
		return err
	}
	own, err := fixed(dir)
	if err != nil {
		return err
	}
	cfg := serve.Config{
		// Below 5 prekeys a device refills, as whatsmeow does; the limit of pings is assumed.
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: reach, RefillBelow: 5, PingLimit: 5, UnenlistAfter: dma.DefaultUnenlistAfter},
		Store:   dir.Store(), Certificate: dir.TLS, Logger: log, Own: own, OwnIssuer: dmadev.Gatekeeper, Signer: dir.Own,
		Noise: noise.ServerConfig{Config: noise.Config{Dialect: dialect, Suite: s, Static: dir.Noise}},
	}
	beside, end := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	defer background.Wait()
	defer end()
	for _, p := range sources {
		cfg.Partners = append(cfg.Partners, p.Partner)
		background.Go(func() { p.source.Run(beside) })
	}
	if r.gk, err = serve.New(ctx, cfg); err != nil {
		if errors.Is(err, store.ErrInUse) {
			return exit.Failuref("--dev names another directory.", "another gatekeeper runs in %s", dir.Path)
		}
		return exit.Failuref("", "%w", err)
	}
	defer func() { _ = r.gk.Close() }()
	if o.NoStand {
		return r.serve(ctx, o, nil)
	}
	standIn, keys, err := clipartner.Development(ctx, dir, log, nil, 0, func(user string) {
		fmt.Fprintf(o.IO.Err, "push: the stand-in is told that something waits for %s\n", strconv.Quote(user))
	})
	if err != nil {
		return err
	}
	defer func() { _ = standIn.Close() }()
	background.Go(func() { keys.Run(beside) })
	return r.serve(ctx, o, standIn)
}

// serve serves until the end.
func (r *running) serve(ctx context.Context, o *serveOptions, standIn *partner.Server) error {
	ended := make(chan error, 5)
	if r.admin != nil {
		admin := &http.Server{Handler: r.gk.Admin(), ReadHeaderTimeout: 10 * time.Second}
		defer func() { _ = admin.Close() }()
		go func() { ended <- admin.Serve(r.admin) }()
	}
	if standIn != nil {
		go func() { ended <- standIn.Serve(r.partner) }()
		if err := r.dir.AnnouncePartner(r.partner.Addr()); err != nil {
			return err
		}
	}
	go func() { ended <- r.gk.ServeHTTPS(r.https) }()
	go func() { ended <- r.gk.ServeChat(r.chat) }()
	go func() { ended <- r.gk.ServeChat(r.proxied) }()
	a := dmadev.Addresses{HTTPS: r.https.Addr().String(), Chat: r.chat.Addr().String(), Proxied: r.proxied.Addr().String(), Dialect: r.dialect.Name}
	if err := r.dir.Announce(a); err != nil {
		return err
	}
	r.announce(o.IO.Out)
	var over <-chan time.Time // never, without --for
	if o.For > 0 {
		over = time.After(o.For)
	}
	select {
	case err := <-ended:
		return exit.Failuref("", "%w", err)
	case <-ctx.Done():
	case <-over:
	}
	// Enlistments that came are answered, and clients are told to go.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return r.gk.Shutdown(bounded)
}

// announce says where everything is, and what of it is assumed.
func (r *running) announce(w io.Writer) {
	fmt.Fprintf(w, "enlistment at https://%s%s\n", r.https.Addr(), enlist.Path)
	fmt.Fprintf(w, "chat channel at %s, %s, prologue %q, static key %x\n", r.chat.Addr(), r.dialect.Form, r.dialect.Prologue, r.dir.Noise.Public)
	fmt.Fprintf(w, "the same for proxies, with a header before it, at %s\n", r.proxied.Addr())
	if r.admin != nil {
		fmt.Fprintf(w, "for the operator: http://%s/healthz and /stats\n", r.admin.Addr())
	}
	fmt.Fprintf(w, "partner %d is %s; ", dmadev.Integrator, dmadev.Partner)
	if r.partner == nil {
		fmt.Fprintf(w, "its server: mimi-lab partner serve --dev %s\n", command.Quote(r.dir.Path))
	} else {
		fmt.Fprintf(w, "a stand-in takes pushes and publishes its keys:\n  curl --cacert %s https://%s%s\n",
			command.Quote(r.dir.RootsFile()), r.partner.Addr(), token.WellKnown)
	}
	fmt.Fprintf(w, "assumed, as no public text says it: the form's fields %s and %s with version %d; the user in sub;\n"+
		"  reasons but %s; the certificate of the chat channel; the header of proxies;\n  limits\n",
		enlist.DefaultNames.Identifier, enlist.DefaultNames.Version, enlist.Version, string(enlist.BadIntegrator))
	fmt.Fprintf(w, "its users: mimi-lab device enlist bob@partner.example --dev %s\n", command.Quote(r.dir.Path))
}

// sourced is a partner with where its keys come from.
type sourced struct {
	serve.Partner
	source *jwks.Source
}

// partners returns the stand-in and those of the command line.
func (o *serveOptions) partners(r *running, log *slog.Logger) ([]sourced, error) {
	add := func(list []sourced, integrator uint16, issuer string, cfg jwks.Config) ([]sourced, error) {
		pushes := &serve.Pushes{Base: cfg.Base, Roots: cfg.Roots, Private: true, Dial: cfg.Dial}
		cfg.Policy = token.Policy{Issuer: issuer, Audience: dmadev.Gatekeeper}
		cfg.Private, cfg.Logger = true, log
		s, err := jwks.New(cfg)
		if err != nil {
			return nil, err
		}
		return append(list, sourced{serve.Partner{Integrator: integrator, Issuer: issuer, Tokens: s, Pushes: pushes}, s}), nil
	}
	list, err := add(nil, dmadev.Integrator, dmadev.Partner, jwks.Config{
		Base: dmadev.Partner, Roots: r.dir.Roots, Dial: r.dir.DialPartner, Again: time.Millisecond, // which may start later
	})
	if err != nil {
		return nil, err
	}
	var roots *x509.CertPool
	if o.Roots != "" {
		b, err := os.ReadFile(o.Roots)
		if err != nil {
			return nil, exit.Usagef("", "--roots: %w", err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(b) {
			return nil, exit.Usagef("It holds certificates in PEM.", "--roots: no certificate in %s", o.Roots)
		}
	}
	for _, p := range o.Partners {
		number, url, ok := strings.Cut(p, "=")
		n, err := strconv.ParseUint(number, 10, 16)
		if !ok || err != nil || n <= dmadev.Integrator {
			return nil, exit.Usagef("It is NUMBER=URL with a number from 2 on, such as 2=https://partner.example.", "--partner %q", p)
		}
		if list, err = add(list, uint16(n), url, jwks.Config{Base: url, Roots: roots}); err != nil {
			return nil, exit.Usagef("", "--partner %q: %w", p, err)
		}
	}
	return list, nil
}

// ownUsers verifies the tokens by which native users register: with keys of the directory.
type ownUsers struct {
	policy token.Policy
	keys   *token.Keys
}

func fixed(dir *dmadev.Dir) (*ownUsers, error) {
	b, err := token.Document(dir.Own)
	if err != nil {
		return nil, err
	}
	k, err := token.ParseKeys(b)
	if err != nil {
		return nil, err
	}
	return &ownUsers{token.Policy{Issuer: dmadev.Gatekeeper, Audience: dmadev.Gatekeeper}, k}, nil
}

// Verify implements [serve.Verifier].
func (o *ownUsers) Verify(_ context.Context, t, identifier string) (*token.Claims, error) {
	return o.policy.Verify(time.Now(), o.keys, t, identifier)
}

// prefixes are addresses of proxies.
func prefixes(texts []string) (list []netip.Prefix, err error) {
	for _, s := range texts {
		p, err := netip.ParsePrefix(s)
		if a, single := netip.ParseAddr(s); single == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, exit.Usagef("It is an address, or a network such as 192.0.2.0/24.", "--proxies %q", s)
		}
		list = append(list, p)
	}
	return list, nil
}

// dialectOf returns the dialect of a name.
func dialectOf(name string) (noise.Dialect, error) {
	var names []string
	for _, d := range noise.Dialects {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return noise.Dialect{}, command.Unknown("dialect", name, names, "There are "+strings.Join(names, " and ")+".")
}
