package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	neturl "net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/verdicts"
	"github.com/mimi-lab/mimi-lab/groups/serve/check"
	"github.com/mimi-lab/mimi-lab/groups/serve/check/own"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// checkOptions are those of the command provider check.
type checkOptions struct {
	IO       *term.IO
	Dev      string
	Self     bool
	Certs    []string
	Keys     []string
	CA       string
	Listen   []string
	Bases    []string
	Hosts    []string
	Address  string
	User     string
	Refusing string
	Find     string
	Room     string
	Code     string
	Asset    string
	Name     string
	Wait     time.Duration
	Remote   bool
	Timeout  time.Duration
	Deadline time.Duration
	Quiet    bool
	JSON     bool
	List     bool
}

// checkPeers are the domains that the checker plays with --dev.
var checkPeers = []string{"b.check.example", "c.check.example"}

func newCheck(t *term.IO) *cobra.Command {
	o := &checkOptions{IO: t}
	c := &cobra.Command{
		Use:   "check URL",
		Short: "Check somebody else's MIMI provider against the draft",
		Long: `Check the provider at a URL, such as https://a.example, endpoint by endpoint and
rule by rule against draft-ietf-mimi-protocol-06. The command plays one or two
providers, with certificates of their own and somewhere to listen: the second
watches what the hub fans out about the first. --list shows all checks.

What the provider should have, as far as it is to be checked; what is missing
skips checks, which are counted, named and never passed:

  - It takes the checker's domains for peers, and reaches them.
  - --user is a user with a client that has six KeyPackages or more and lets
    mimi://DOMAIN/u/checker add it to rooms, DOMAIN being the checker's first.
    The user may also grant that within three seconds of being asked.
  - --refusing is a user who has granted nobody that.
  - --find finds --user by an identifier query: handle, nick, email or phone,
    as handle=im:bob@a.example.
  - --room is a room of its hub in which nobody else is active, with
    mimi://DOMAIN/u/checker among the participants, in a role that may add its
    own clients and speak and, for all checks, add and remove participants but
    not change roles. --code is a joining code that opens it instead; or, with
    --wait, somebody adds that user to the room, or to any without --room, when
    the command says so.
  - --asset is the URL of an asset on one of the hosts it downloads from.

It is left as it was, but for some KeyPackages that were used, four messages to
--user in a room of the checker's from which it is removed again, some messages
in --room, abuse reports about the checker, and a proposal to remove the
checker's last client from --room, which the next Commit there puts into effect.
The checker's user stays a participant, so that another run can join again.

The verdicts are pass; warn, for what the draft only recommends or leaves open;
fail; and skip. The exit code is 3 if a check fails, else 0.

--dev DIRECTORY checks a provider that "provider serve" runs with the same
directory. Else --cert, --key and --ca name files in PEM, --cert and --key once
or twice; the first name in a certificate is the checker's domain. --listen is
where it is reached, --base the URL by which. Addresses that are not loopback
want --remote: it says that the provider's operator has given permission.

--self checks a provider that the command runs itself, to show what it looks
like. --json prints an object with draft, provider, as (the checker's domains),
pass, warn, fail and skip (counts), seconds and checks: of each its id, section,
sent, want, verdict and seen.`,
		Example: `  mimi-lab provider check --self
  mimi-lab provider check --list`,
		Args: command.Args(0, 1, "the URL of a provider"),
		RunE: func(c *cobra.Command, args []string) error {
			return runCheck(c.Context(), o, args)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dev, "dev", "", "`directory` of provider serve --dev")
	f.BoolVar(&o.Self, "self", false, "check a provider that this command runs")
	f.StringArrayVar(&o.Certs, "cert", nil, "`file` with a certificate of the checker; up to two")
	f.StringArrayVar(&o.Keys, "key", nil, "`file` with its key; as many")
	f.StringVar(&o.CA, "ca", "", "`file` with who signs certificates (default: the system's)")
	f.StringArrayVar(&o.Listen, "listen", nil, "`address` to be reached at; as many (default: any port of 127.0.0.1)")
	f.StringArrayVar(&o.Bases, "base", nil, "`URL` to be reached by; as many (default: https, domain and port)")
	f.StringArrayVar(&o.Hosts, "host", nil, "`name` of a host besides the URL's that the directory may name; may be repeated")
	f.StringVar(&o.Address, "address", "", "`address` of the provider (default: that of the URL)")
	f.StringVar(&o.User, "user", "", "`URI` of a user whom the checker may add")
	f.StringVar(&o.Refusing, "refusing", "", "`URI` of a user whom it may not add")
	f.StringVar(&o.Find, "find", "", "`type=value` of a query that finds --user")
	f.StringVar(&o.Room, "room", "", "`URI` of a room that the checker may join")
	f.StringVar(&o.Code, "code", "", "joining `code` of --room")
	f.StringVar(&o.Asset, "asset", "", "`URL` of an asset")
	f.StringVar(&o.Name, "name", "checker", "`name` of the checker's users")
	f.DurationVar(&o.Wait, "wait", 0, "how long to wait until the checker's user is added to a room")
	f.BoolVar(&o.Remote, "remote", false, "check a provider that is not on this machine, with its operator's permission")
	f.DurationVar(&o.Timeout, "timeout", 10*time.Second, "how long to wait for each answer")
	f.DurationVar(&o.Deadline, "for", 3*time.Minute, "how long the whole may take")
	f.BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress, and of the checks those that do not pass")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	f.BoolVar(&o.List, "list", false, "list the checks and make none")
	return c
}

func runCheck(ctx context.Context, o *checkOptions, args []string) error {
	if o.List {
		if o.JSON {
			return o.IO.JSON(check.Checks())
		}
		o.printer().List()
		return nil
	}
	if o.Self {
		if len(args) > 0 || o.Dev != "" || len(o.Certs) > 0 {
			return exit.Usagef("Leave out the other.", "--self checks a provider of its own, and none at a URL or by --dev or --cert")
		}
		return o.self(ctx)
	}
	if len(args) == 0 {
		return exit.Usagef(`"mimi-lab provider check --self" shows what it looks like.`, "the URL of a provider is missing")
	}
	cfg, err := o.config(args[0])
	if err != nil {
		return err
	}
	done, err := o.peers(&cfg)
	defer done()
	if err != nil {
		return err
	}
	return o.run(ctx, cfg)
}

// run checks and prints.
func (o *checkOptions) run(ctx context.Context, cfg check.Config) error {
	progress := o.IO.Progress("checking", o.Quiet)
	if !o.Self {
		cfg.Wait = o.Wait
		cfg.Waiting = func(user ident.URI) {
			fmt.Fprintf(o.IO.Err, "waiting %v until somebody adds %v to a room of %s\n", o.Wait, user, cfg.Domain)
		}
	}
	cfg.Progress = func(_ string, done, total int) { progress.Set(float64(done), float64(total)) }
	r, err := check.Run(ctx, cfg)
	progress.Done()
	if r == nil {
		return exit.Usagef("", "%w", err)
	}
	if o.JSON {
		if err := o.IO.JSON(r); err != nil {
			return err
		}
	} else {
		o.print(r)
	}
	return verdicts.End(r.Provider, r.Tally, len(r.Checks), err)
}

// config is what the flags say, but for the peers.
func (o *checkOptions) config(at string) (cfg check.Config, err error) {
	const hint = "It is a URL as https://a.example, or https://a.example:8443."
	if !strings.Contains(at, "://") {
		at = "https://" + at
	}
	u, err := neturl.Parse(at)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return cfg, exit.Usagef(hint, "%q is no URL of a provider", at)
	}
	p, err := ident.NewURI(ident.KindProvider, u.Hostname())
	if err != nil {
		return cfg, exit.Usagef("A provider is known by its domain; --address says where it is.", "%q: %w", at, err)
	}
	if o.Timeout <= 0 || o.Deadline <= 0 {
		return cfg, exit.Usagef("", "--timeout and --for want more than 0")
	}
	if o.Wait < 0 {
		return cfg, exit.Usagef("", "--wait %v: want 0 or more", o.Wait)
	}
	cfg = check.Config{
		Domain: p.Provider(), Port: u.Port(), Hosts: o.Hosts, Name: o.Name, Code: []byte(o.Code), Asset: o.Asset, Timeout: o.Timeout, Deadline: o.Deadline,
	}
	for _, f := range []struct {
		flag, value string
		to          *ident.URI
	}{{"user", o.User, &cfg.User}, {"refusing", o.Refusing, &cfg.Refusing}, {"room", o.Room, &cfg.Room}} {
		if f.value == "" {
			continue
		}
		if *f.to, err = ident.ParseURI(f.value); err != nil {
			return cfg, exit.Usagef("", "--%s: %w", f.flag, err)
		}
	}
	cfg.Query, err = o.query()
	return cfg, err
}

// query is the identifier query of --find.
func (o *checkOptions) query() (*mimi.QueryElement, error) {
	if o.Find == "" {
		return nil, nil
	}
	name, value, ok := strings.Cut(o.Find, "=")
	types := []mimi.SearchIdentifierType{mimi.SearchHandle, mimi.SearchNick, mimi.SearchEmail, mimi.SearchPhone}
	i := slices.IndexFunc(types, func(t mimi.SearchIdentifierType) bool { return t.String() == name })
	if !ok || i < 0 || value == "" {
		return nil, exit.Usagef("It is handle, nick, email or phone, an equals sign, and what is looked for.", "--find %q", o.Find)
	}
	return &mimi.QueryElement{SearchType: types[i], SearchValue: value}, nil
}

// peers lets the checker's providers listen. done undoes that.
func (o *checkOptions) peers(cfg *check.Config) (done func(), err error) {
	var undo []func()
	done = func() {
		for _, f := range undo {
			f()
		}
	}
	switch {
	case (o.Dev == "") == (len(o.Certs) == 0):
		return done, exit.Usagef(`"mimi-lab provider check --help" shows both.`, "want either --dev or --cert")
	case len(o.Certs) != len(o.Keys) || len(o.Certs) > 2:
		return done, exit.Usagef("Each certificate has its key; two are the most.", "%d --cert and %d --key", len(o.Certs), len(o.Keys))
	case len(o.Listen) > 2 || len(o.Bases) > 2:
		return done, exit.Usagef("", "--listen and --base want one for each --cert")
	}
	names, certs, keys := checkPeers, []string{}, []string{}
	if o.Dev == "" {
		names, certs, keys = make([]string, len(o.Certs)), o.Certs, o.Keys
	}
	if err := o.network(cfg); err != nil {
		return done, err
	}
	for i := range names {
		if o.Dev != "" {
			s, err := development(o.Dev, names[i], o.IO.Now())
			if err != nil {
				return done, err
			}
			certs, keys = append(certs, s.Certificate), append(keys, s.Key)
			undo = append(undo, func() { _ = os.Remove(filepath.Join(o.Dev, names[i]+addrSuffix)) })
		}
		p, err := o.peer(i, certs[i], keys[i])
		if err != nil {
			return done, err
		}
		undo = append(undo, func() { _ = p.Listener.Close() })
		cfg.Peers = append(cfg.Peers, p)
		if o.Dev != "" {
			s := &settings{Domain: p.Domain, dev: o.Dev}
			if err := s.beFound(p.Listener.Addr()); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// peer is one of the checker's providers.
func (o *checkOptions) peer(i int, cert, key string) (p check.Peer, err error) {
	if p.Certificate, err = tls.LoadX509KeyPair(cert, key); err != nil {
		return p, exit.Usagef("", "certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(p.Certificate.Certificate[0])
	if err != nil || len(leaf.DNSNames) == 0 {
		return p, exit.Usagef("It is for the domain that the checker plays.", "certificate %s has no DNS name", cert)
	}
	p.Domain = leaf.DNSNames[0]
	at := "127.0.0.1:0"
	if i < len(o.Listen) {
		at = o.Listen[i]
	}
	if p.Listener, err = net.Listen("tcp", at); err != nil {
		return p, exit.Failuref("--listen names another address.", "listening: %w", err)
	}
	if !o.Remote && !loopback(p.Listener.Addr().String()) {
		_ = p.Listener.Close()
		return p, exit.Usagef(remoteHint, "--listen %s is for others than this machine", at)
	}
	_, port, err := net.SplitHostPort(p.Listener.Addr().String())
	if err != nil {
		return p, err
	}
	p.Base = "https://" + p.Domain
	if port != "443" {
		p.Base = "https://" + net.JoinHostPort(p.Domain, port)
	}
	if i < len(o.Bases) {
		p.Base = o.Bases[i]
	}
	return p, nil
}

const remoteHint = "--remote says that the provider's operator has given permission."

// errNotHere: a name has led to another machine.
var errNotHere = errors.New("the address is not of this machine, which wants --remote")

// network sets how the provider is reached, and by whose certificates.
func (o *checkOptions) network(cfg *check.Config) error {
	ca := o.CA
	if o.Dev != "" {
		ca = filepath.Join(o.Dev, rootName+certSuffix)
		if _, err := os.Stat(filepath.Join(o.Dev, cfg.Domain+addrSuffix)); err != nil && o.Address == "" {
			return exit.Usagef(fmt.Sprintf(`"mimi-lab provider serve --dev %s --domain %s" runs one.`, command.Quote(o.Dev), cfg.Domain), "%s does not run with --dev %s", cfg.Domain, o.Dev)
		}
	}
	if ca != "" {
		b, err := os.ReadFile(ca)
		if err != nil {
			return exit.Usagef("", "--ca: %w", err)
		}
		cfg.Roots = x509.NewCertPool()
		if !cfg.Roots.AppendCertsFromPEM(b) {
			return exit.Usagef("It holds certificates in PEM.", "--ca: no certificate in %s", ca)
		}
	}
	d := &net.Dialer{Timeout: o.Timeout}
	if !o.Remote {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			if !loopback(address) {
				return errNotHere
			}
			return nil
		}
	}
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		at := o.Address
		if at == "" && o.Dev != "" {
			b, err := os.ReadFile(filepath.Join(o.Dev, cfg.Domain+addrSuffix))
			if err != nil {
				return nil, err
			}
			at = string(b)
		}
		if at == "" {
			at = address
		}
		return d.DialContext(ctx, network, at)
	}
	return nil
}

// loopback reports whether an address is this machine's own.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// self checks a provider of this program's own.
func (o *checkOptions) self(ctx context.Context) error {
	const domain, assets = "a.example", "assets.a.example"
	now := o.IO.Now()
	authority, err := localca.New("mimi-lab provider check --self", now.Add(-time.Hour), now.Add(lifetime))
	if err != nil {
		return exit.Failuref("", "authority: %w", err)
	}
	at := make(map[string]net.Listener)
	certs := make(map[string]tls.Certificate)
	for _, name := range append([]string{domain, assets}, checkPeers...) {
		c, err := issue(name, authority, now)
		if err != nil {
			return exit.Failuref("", "certificate: %w", err)
		}
		certs[name] = *c
		if at[name], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return exit.Failuref("", "listening: %w", err)
		}
		defer func() { _ = at[name].Close() }()
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil || at[host] == nil {
			return nil, fmt.Errorf("no host %s here", address)
		}
		return new(net.Dialer).DialContext(ctx, network, at[host].Addr().String())
	}
	roots := authority.Pool()
	p, err := own.Start(ctx, own.Config{
		Domain: domain, Certificate: certs[domain], Roots: roots, Listener: at[domain], Dial: dial,
		Assets: assets, AssetCertificate: certs[assets], AssetListener: at[assets], Checkers: checkPeers, Name: o.Name,
	})
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	cfg := check.Config{Roots: roots, Dial: dial, Timeout: o.Timeout, Deadline: o.Deadline}
	for _, name := range checkPeers {
		cfg.Peers = append(cfg.Peers, check.Peer{Domain: name, Certificate: certs[name], Listener: at[name]})
	}
	if err := p.Has(&cfg); err != nil {
		return err
	}
	return o.run(ctx, cfg)
}
