package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// serveOptions are those of the command provider serve.
type serveOptions struct {
	IO          *term.IO
	Config      string
	Dev         string
	Domain      string
	Listen      string
	Admin       string
	Clients     string
	Noise       string
	Users       []string
	NeedConsent bool
	For         time.Duration // 0 means without end
	Verbose     bool
}

func newServe(t *term.IO) *cobra.Command {
	o := &serveOptions{IO: t}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run a MIMI provider until it is interrupted",
		Long: `Run a MIMI provider until it is interrupted: HTTPS with certificates of both
sides, and a store that has everything before anybody is told of it.

--config FILE says what it is, in YAML or JSON:

  {
    "domain": "a.example",
    "listen": ":443",             where peers reach it
    "base": "https://a.example",  what its directory says, if not that
    "admin": "127.0.0.1:9090",    for the operator alone: /metrics, /healthz
    "certificate": "a.pem",       its certificate for the domain, with the chain
    "key": "a.key",
    "roots": "ca.pem",            who signs peers' certificates, else the system
    "store": "sqlite:a.db",       or postgres://HOST/DATABASE
    "users": ["alice", "alice/ClientA1"],
    "clients": ":5223",           where its users' clients connect, over TLS
    "client_roots": "users.pem",  who signs their certificates, with their URIs
    "tokens": "tokens",           or what they log in with: on a line for each
                                  the client and its token, with a space between
    "noise": ":5222",             where they connect over Noise in place of TLS,
    "noise_key": "a.noise",       the X25519 key for that, as openssl makes it,
    "client_keys": "keys",        and like "tokens" their static keys in base64
    "assets": ["assets.a.example"],
    "peers": {"b.example": {"address": "", "hosts": [], "assets": []}},
    "any_peer": false,            speak to others than those too
    "need_consent": true,         users are added by those alone whom they let
    "hide": true                  tell nobody who exists
  }

Names of files are relative to that of the configuration.

--dev DIRECTORY is for one machine: it makes an authority and a certificate in
the directory, keeps the store there, and finds the other providers that run
with the same directory. Who can read the directory is trusted: a client with a
certificate of the authority for its URI is let in, and made if it is not there
yet, with its user; so is one over Noise whose static key is in the directory.
The file DOMAIN.clients says in JSON where clients connect, and what the hub
signs with, for rooms that they make.`,
		Example: `  mimi-lab provider serve --dev lab --domain a.example --user alice --for 1s`,
		Args:    command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runServe(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.Config, "config", "", "`file` that says what the provider is")
	c.Flags().StringVar(&o.Dev, "dev", "", "`directory` with all that a provider on this machine needs")
	c.Flags().StringVar(&o.Domain, "domain", "", "the provider's domain `name`, with --dev")
	c.Flags().StringVar(&o.Listen, "listen", "", "`address` where peers reach it (default: that of --config, or any port of 127.0.0.1)")
	c.Flags().StringVar(&o.Clients, "clients", "", "`address` where its own users' clients connect (default: that of --config, or any port of 127.0.0.1 with --dev)")
	c.Flags().StringVar(&o.Noise, "noise", "", "`address` where they connect over Noise (default: as with --clients)")
	c.Flags().StringVar(&o.Admin, "admin", "", "`address` of /healthz, /stats and /metrics (default: that of --config, or none)")
	c.Flags().StringArrayVar(&o.Users, "user", nil, "`name` of a user of the provider, or of one with a client: alice/ClientA1; may be repeated")
	c.Flags().BoolVar(&o.NeedConsent, "need-consent", false, "let users be added by those alone whom they let (default: what --config says, or by all whom they do not block)")
	c.Flags().DurationVar(&o.For, "for", 0, "end after this time; 0 serves without end")
	c.Flags().BoolVar(&o.Verbose, "verbose", false, "log each request")
	return c
}

// started is what is told of a provider that runs.
type started struct {
	Listen                net.Addr
	Clients, Noise, Admin net.Addr // nil if there are none
}

func runServe(ctx context.Context, o *serveOptions) error {
	if o.For < 0 {
		return exit.Usagef("", "--for %v: want 0 or more", o.For)
	}
	s, err := o.settings()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return exit.Failuref("--listen names another address.", "listening: %w", err)
	}
	defer func() { _ = l.Close() }()
	cfg, err := s.provider(l.Addr())
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if o.Verbose {
		level = slog.LevelDebug
	}
	cfg.Logger = slog.New(slog.NewTextHandler(o.IO.Err, &slog.HandlerOptions{Level: level}))
	p, err := serve.New(ctx, cfg)
	if errors.Is(err, store.ErrInUse) {
		return exit.Failuref("Is it running already? A store is one provider's alone.", "%w", err)
	}
	if errors.Is(err, store.ErrDamaged) {
		return exit.Failuref("Put a copy of it in its place: rooms and users are nowhere else.", "%w", err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	if err := addUsers(ctx, p, append(s.Users, o.Users...)); err != nil {
		return err
	}
	admin, stop, err := serveAdmin(p, s.Admin, cfg.Logger)
	if err != nil {
		return err
	}
	defer stop()
	clients, err := s.serveClients(p, &cfg)
	if err != nil {
		return err
	}
	defer clients.stop(ended(ctx))
	if err := s.beFound(l.Addr()); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(l) }()
	s.announce(o.IO.Out, started{l.Addr(), clients.over(tlsWay), clients.over(noiseWay), admin})
	if err := command.Until(ctx, o.For, done); err != nil {
		return err
	}
	// Requests that came are answered, for as long as a peer waits.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	clients.stop(bounded)
	return p.Shutdown(bounded)
}

// ended returns a context that has ended.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cancel()
	return ctx
}

// settings are those of the configuration or the directory, with the flags over them.
func (o *serveOptions) settings() (*settings, error) {
	var s *settings
	var err error
	switch {
	case (o.Config == "") == (o.Dev == ""):
		return nil, exit.Usagef(`"mimi-lab provider serve --help" shows both.`, "want either --config or --dev")
	case o.Dev != "" && o.Domain == "":
		return nil, exit.Usagef("It is that of the provider, such as a.example.", "--dev wants --domain")
	case o.Config != "" && o.Domain != "":
		return nil, exit.Usagef("Leave it out.", "--config says the domain, and not --domain")
	case o.Dev != "":
		s, err = development(o.Dev, o.Domain, o.IO.Now())
	default:
		s, err = readSettings(o.Config)
	}
	if err != nil {
		return nil, err
	}
	if o.Listen != "" {
		s.Listen = o.Listen
	}
	if o.Clients != "" {
		s.Clients = o.Clients
	}
	if o.Noise != "" {
		s.Noise = o.Noise
	}
	if o.Admin != "" {
		s.Admin = o.Admin
	}
	s.NeedConsent = s.NeedConsent || o.NeedConsent
	return s, nil
}

// addUsers makes sure that the provider has users, whom nobody finds, and clients of
// theirs.
func addUsers(ctx context.Context, p *serve.Provider, names []string) error {
	for _, name := range names {
		user, _, client := strings.Cut(name, "/")
		u, err := ident.NewURI(ident.KindUser, p.Domain(), user)
		if err != nil {
			return exit.Usagef("", "user %q: %w", name, err)
		}
		if err := p.AddUser(ctx, u, follower.Profile{}); err != nil {
			return err
		}
		if !client {
			continue
		}
		c, err := clientURI(p.Domain(), name)
		if err != nil {
			return exit.Usagef("", "%w", err)
		}
		if err := p.AddClient(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// serveAdmin serves what is for the operator, if there is an address for it.
func serveAdmin(p *serve.Provider, address string, log *slog.Logger) (net.Addr, func(), error) {
	if address == "" {
		return nil, func() {}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, exit.Failuref("--admin names another address.", "listening: %w", err)
	}
	s := &http.Server{Handler: p.Admin(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("admin", "error", err)
		}
	}()
	return l.Addr(), func() {
		_ = s.Close()
		<-done
	}, nil
}

// url is where something is reached.
func url(scheme string, a net.Addr, path string) string {
	return fmt.Sprintf("%s://%s%s", scheme, a, path)
}
