package gatekeeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
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
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/proxy"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// serveOptions are those of the command gatekeeper serve.
type serveOptions struct {
	IO       *term.IO
	Config   string
	Dev      string
	Listen   string
	Chat     string
	Proxied  string
	Proxies  []string
	Admin    string
	MaxMedia int // MiB
	ForAll   bool
	Reach    string
	Members  int // of a group, at most
	Dialect  string
	Partners []string
	Roots    string
	NoStand  bool
	For      time.Duration // 0 means without end
	Verbose  bool
	JSONLog  bool

	set *settings // what all of that comes to
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
go to URL/push, with a token whose keys the enlistment server publishes; the
ciphertext of media that its users send is fetched at URL/media/{storage_ref}.

--config FILE says all of that and more in a file, with the flags over it:
"mimi-lab gatekeeper config example" prints one.

--admin ADDRESS serves /healthz, /stats and /metrics, the last as Prometheus has
it, and asks nobody who they are.

What is not public is assumed, and said to be so when it starts.`,
		Example: `  mimi-lab gatekeeper serve --for 1s
  mimi-lab gatekeeper serve --dev lab --reach opt_in --for 1s`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.set, err = o.settings(c.Flags().Changed); err != nil {
				return err
			}
			return runServe(c.Context(), o)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Config, "config", "", "`file` that says what the gatekeeper is")
	f.StringVar(&o.Dev, "dev", dmadev.Default, "`directory` with all that a gatekeeper on this machine needs")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "`address` of the enlistment server")
	f.StringVar(&o.Chat, "chat", "127.0.0.1:0", "`address` of the chat channel")
	f.StringVar(&o.Proxied, "proxied", "127.0.0.1:0", "`address` of the chat channel for proxies")
	f.StringArrayVar(&o.Proxies, "proxies", []string{"127.0.0.0/8"}, "`addresses` of proxies, such as 192.0.2.0/24; may be repeated")
	f.StringVar(&o.Admin, "admin", "", "`address` of /healthz, /stats and /metrics (default: none)")
	f.IntVar(&o.MaxMedia, "max-media", 16, "`MiB` of the largest medium that is hosted or fetched")
	f.BoolVar(&o.ForAll, "media-for-all", false, "let who knows a file_reference have its ciphertext without a token")
	f.StringVar(&o.Reach, "reach", dma.DefaultOn.String(), "whom partners' users reach by `default`: opt_in, ping_then_consent or default_on")
	f.IntVar(&o.Members, "group-limit", dma.DefaultGroupLimit, fmt.Sprintf("`number` of members that a group has at most, up to %d", dma.MaxGroupLimit))
	f.StringVar(&o.Dialect, "dialect", noise.Lab.Name, "`dialect` of the chat channel: lab is Noise by its specification, whatsapp as read in clients")
	f.StringArrayVar(&o.Partners, "partner", nil, "`NUMBER=URL` of another partner; may be repeated")
	f.StringVar(&o.Roots, "roots", "", "`file` with who signs the certificates of --partner (default: the system's)")
	f.BoolVar(&o.NoStand, "no-stand-in", false, "leave the server of partner 1 to partner serve with the same --dev")
	f.DurationVar(&o.For, "for", 0, "end after this time; 0 serves without end")
	f.BoolVar(&o.Verbose, "verbose", false, "log everything")
	f.BoolVar(&o.JSONLog, "log-json", false, "log in JSON, an object on a line")
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
	set     *settings
	fetch   []*jwks.Source // fetch their keys once everybody can be found
}

func runServe(ctx context.Context, o *serveOptions) error {
	if o.For < 0 {
		return exit.Usagef("", "--for %v: want 0 or more", o.For)
	}
	set := o.set
	dir, err := set.directory(o.IO.Now())
	if err != nil {
		return err
	}
	r := &running{dir: dir, dialect: noise.Dialect(set.Dialect), set: set}
	for _, l := range []struct {
		flag, address string
		to            *net.Listener
	}{{"--listen", set.Listen, &r.https}, {"--chat", set.Chat, &r.chat}, {"--proxied", set.Proxied, &r.proxied}, {"", "127.0.0.1:0", &r.partner}} {
		if (o.NoStand || set.Dev == "") && l.to == &r.partner {
			continue
		}
		if *l.to, err = net.Listen("tcp", l.address); err != nil {
			return exit.Failuref(strings.TrimSpace(l.flag+" names another address."), "listening: %w", err)
		}
		defer func() { _ = (*l.to).Close() }()
	}
	if set.Admin != "" {
		if r.admin, err = net.Listen("tcp", set.Admin); err != nil {
			return exit.Failuref("--admin names another address.", "listening: %w", err)
		}
		defer func() { _ = r.admin.Close() }()
	}
	log := set.logger(o.IO.Err)
	r.proxied = proxy.Listen(r.proxied, proxy.ListenerConfig{From: prefixesOf(set.Proxies), Logger: log})
	sources, err := o.partners(r, log)
	if err != nil {
		return err
	}
	s, err := dmadev.Suite()
	if err != nil {
		return err
	}
	own, err := set.own(dir)
	if err != nil {
		return err
	}
	cfg := serve.Config{
		Machine: set.machine(), Limits: set.limits(), Rates: set.rates(),
		Store: cmp.Or(set.Store, dir.Store()), Certificate: dir.TLS, Logger: log, Signer: dir.Own,
		Noise: noise.ServerConfig{Config: noise.Config{Dialect: r.dialect, Suite: s, Static: dir.Noise}},
	}
	if own != nil {
		cfg.Own, cfg.OwnIssuer = own, set.Name
	}
	if set.Media.Directory != "" {
		ciphertexts, err := blob.Open(set.media())
		if err != nil {
			return exit.Failuref("", "%w", err)
		}
		defer func() { _ = ciphertexts.Close() }()
		cfg.Media = &serve.Media{Store: ciphertexts, Hosts: []string{cmp.Or(set.Media.Host, r.https.Addr().String())}, Anonymous: set.Media.ForAll, Lifetime: set.Media.Lifetime, Limits: set.transfers()}
	}
	for _, p := range sources {
		cfg.Partners = append(cfg.Partners, p.Partner)
		r.fetch = append(r.fetch, p.source)
	}
	if r.gk, err = serve.New(ctx, cfg); err != nil {
		if errors.Is(err, store.ErrInUse) {
			return exit.Failuref(o.elsewhere(), "another gatekeeper runs in %s", cmp.Or(dir.Path, set.Store))
		}
		return exit.Failuref("", "%w", err)
	}
	defer func() { _ = r.gk.Close() }()
	if r.partner == nil {
		return r.serve(ctx, o, nil)
	}
	standIn, keys, err := clipartner.Development(ctx, dir, log, nil, 0, func(user string) {
		fmt.Fprintf(o.IO.Err, "push: the stand-in is told that something waits for %s\n", strconv.Quote(user))
	})
	if err != nil {
		return err
	}
	defer func() { _ = standIn.Close() }()
	r.fetch = append(r.fetch, keys)
	return r.serve(ctx, o, standIn)
}

// elsewhere says how a gatekeeper gets a store of its own.
func (o *serveOptions) elsewhere() string {
	if o.Config != "" {
		return "The keys dev and store of the file name others."
	}
	return "--dev names another directory."
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
	if r.set.Dev != "" {
		if err := r.dir.Announce(a); err != nil {
			return err
		}
	}
	beside, end := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	defer background.Wait()
	defer end()
	for _, s := range r.fetch {
		background.Go(func() { s.Run(beside) })
	}
	r.announce(o.IO.Out)
	if err := command.Until(ctx, o.For, ended); err != nil {
		return exit.Failuref("", "%w", err)
	}
	// Enlistments that came are answered, and clients are told to go.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(r.set.Shutdown))
	defer cancel()
	return r.gk.Shutdown(bounded)
}

// announce says where everything is, and what of it is assumed.
func (r *running) announce(w io.Writer) {
	fmt.Fprintf(w, "enlistment at https://%s%s\n", r.https.Addr(), enlist.Path)
	fmt.Fprintf(w, "chat channel at %s, %s, prologue %q,\n  static key %x\n", r.chat.Addr(), r.dialect.Form, r.dialect.Prologue, r.dir.Noise.Public)
	fmt.Fprintf(w, "the same for proxies, with a header before it, at %s\n", r.proxied.Addr())
	if r.set.Media.Directory != "" {
		fmt.Fprintf(w, "media host at https://%s/v/t{file_reference}\n  and /interop/whatsapp/download/{integrator}/{storage_ref}/\n", r.https.Addr())
	}
	if r.admin != nil {
		fmt.Fprintf(w, "for the operator: http://%s/healthz, /stats and /metrics\n", r.admin.Addr())
	}
	if r.set.Dev != "" {
		fmt.Fprintf(w, "partner %d is %s; ", dmadev.Integrator, dmadev.Partner)
	}
	switch {
	case r.set.Dev == "":
	case r.partner == nil:
		fmt.Fprintf(w, "its server: mimi-lab partner serve --dev %s\n", command.Quote(r.dir.Path))
	default:
		fmt.Fprintf(w, "a stand-in takes pushes and publishes its keys:\n  curl --cacert %s https://%s%s\n",
			command.Quote(r.dir.RootsFile()), r.partner.Addr(), token.WellKnown)
	}
	fmt.Fprintf(w, "assumed, as no public text says it: the form's fields %s and\n"+
		"  %s with version %d; the user in sub; reasons but %s;\n  the certificate of the chat channel; the header of proxies;\n"+
		"  groups, their members and who may be in one; tokens for downloads;\n  %s of a partner's URL as {3p_base_url}\n",
		enlist.DefaultNames.Identifier, enlist.DefaultNames.Version, enlist.Version, string(enlist.BadIntegrator), partner.MediaPath)
	fmt.Fprintln(w, "and these parameters, with what they are:")
	for _, line := range wrapped(assumedOf(r.set), 78) {
		fmt.Fprintln(w, "  "+line)
	}
	if r.set.Service.CheckKeys && !signs() {
		fmt.Fprintln(w, "devices of this build sign nothing: service.check_keys is off")
	}
	if r.set.Dev == "" {
		return
	}
	fmt.Fprintf(w, "its users: mimi-lab device enlist bob@partner.example --dev %s\n", command.Quote(r.dir.Path))
}

// sourced is a partner with where its keys come from.
type sourced struct {
	serve.Partner
	source *jwks.Source
}

// partners returns that of the directory and those of the settings.
func (o *serveOptions) partners(r *running, log *slog.Logger) (list []sourced, err error) {
	add := func(integrator uint16, issuer, mediaURL string, cfg jwks.Config) error {
		pushes := &serve.Pushes{Base: cfg.Base, Roots: cfg.Roots, Private: cfg.Private, Dial: cfg.Dial}
		var media *serve.MediaSource
		if r.set.Media.Directory != "" {
			base := cmp.Or(mediaURL, strings.TrimSuffix(cfg.Base, "/")+partner.MediaPath)
			media = &serve.MediaSource{Base: base, Roots: cfg.Roots, Private: cfg.Private, Dial: cfg.Dial}
		}
		cfg.Policy = token.Policy{Issuer: issuer, Audience: r.set.Name}
		cfg.Logger = log
		s, err := jwks.New(cfg)
		if err != nil {
			return err
		}
		list = append(list, sourced{serve.Partner{Integrator: integrator, Issuer: issuer, Tokens: s, Pushes: pushes, Media: media}, s})
		return nil
	}
	if r.set.Dev != "" {
		err := add(dmadev.Integrator, dmadev.Partner, "", jwks.Config{
			Base: dmadev.Partner, Roots: r.dir.Roots, Private: true, Dial: r.dir.DialPartner, Again: time.Millisecond, // which may start later
		})
		if err != nil {
			return nil, err
		}
	}
	for _, p := range r.set.Partners {
		roots, err := p.roots()
		if err != nil {
			return nil, err
		}
		if err := add(p.Integrator, p.URL, p.Media, jwks.Config{Base: p.URL, Roots: roots, Private: p.Private}); err != nil {
			return nil, exit.Usagef("", "partner %d: %w", p.Integrator, err)
		}
	}
	return list, nil
}

// ownUsers verifies the tokens by which native users register: with keys of the directory.
type ownUsers struct {
	policy token.Policy
	keys   *token.Keys
}

// Verify implements [serve.Verifier].
func (o *ownUsers) Verify(_ context.Context, t, identifier string) (*token.Claims, error) {
	return o.policy.Verify(time.Now(), o.keys, t, identifier)
}
