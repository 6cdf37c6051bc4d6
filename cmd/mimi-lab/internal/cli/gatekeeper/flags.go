package gatekeeper

import (
	"crypto/x509"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// settings are those of the configuration file or the defaults, with the flags over them
// that were given.
func (o *serveOptions) settings(given func(flag string) bool) (s *settings, err error) {
	switch {
	case o.Config == "":
		s = defaults()
		s.Dev = o.Dev
	case given("dev"):
		return nil, exit.Usagef("The key dev of the file names the directory.", "want either --config or --dev")
	default:
		if s, err = read(o.Config); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct {
		flag, value string
		to          *string
	}{{"listen", o.Listen, &s.Listen}, {"chat", o.Chat, &s.Chat}, {"proxied", o.Proxied, &s.Proxied}, {"admin", o.Admin, &s.Admin}} {
		if given(f.flag) {
			*f.to = f.value
		}
	}
	if given("dialect") {
		d, err := dialectOf(o.Dialect)
		if err != nil {
			return nil, err
		}
		s.Dialect = dialect(d)
	}
	if given("reach") {
		r, err := dma.ParseReach(o.Reach)
		if err != nil {
			return nil, exit.Usagef("", "--reach: %w", err)
		}
		s.Service.Reach = reach(r)
	}
	if given("proxies") {
		s.Proxies = nil
		for _, p := range o.Proxies {
			var n network
			if n.UnmarshalText([]byte(p)) != nil {
				return nil, exit.Usagef("It is an address, or a network such as 192.0.2.0/24.", "--proxies %q", p)
			}
			s.Proxies = append(s.Proxies, n)
		}
	}
	if given("max-media") {
		if o.MaxMedia < 1 || o.MaxMedia > maxMediaMiB {
			return nil, exit.Usagef("", "--max-media %d: want 1 to %d", o.MaxMedia, maxMediaMiB)
		}
		m := &s.Media
		m.Max, m.PerOwner, m.Total = o.MaxMedia, max(m.PerOwner, o.MaxMedia), max(m.Total, o.MaxMedia)
	}
	if given("group-limit") {
		if o.Members < 2 || o.Members > dma.MaxGroupLimit {
			return nil, exit.Usagef("", "--group-limit %d: want 2 to %d", o.Members, dma.MaxGroupLimit)
		}
		s.Service.GroupLimit = o.Members
	}
	if given("media-for-all") {
		s.Media.ForAll = o.ForAll
	}
	if o.Verbose {
		s.Log.Level = logLevel(slog.LevelDebug)
	}
	if o.JSONLog {
		s.Log.Format = "json"
	}
	return s, o.addPartners(s)
}

// addPartners adds those of the flags, who may be on this machine.
func (o *serveOptions) addPartners(s *settings) error {
	for _, p := range o.Partners {
		number, url, ok := strings.Cut(p, "=")
		n, err := strconv.ParseUint(number, 10, 16)
		if !ok || err != nil || n <= dmadev.Integrator {
			return exit.Usagef("It is NUMBER=URL with a number from 2 on, such as 2=https://partner.example.", "--partner %q", p)
		}
		one := partnerSettings{Integrator: uint16(n), URL: url, Roots: o.Roots, Private: true}
		s.Partners = append(s.Partners, one)
		if err := s.check(); err != nil {
			return exit.Usagef("", "--partner %q: %w", p, err)
		}
	}
	return nil
}

// roots are who signs the certificate of a partner; nil means the system's.
func (p *partnerSettings) roots() (*x509.CertPool, error) {
	if p.Roots == "" {
		return nil, nil
	}
	b, err := os.ReadFile(p.Roots)
	if err != nil {
		return nil, exit.Usagef("", "roots of partner %d: %w", p.Integrator, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, exit.Usagef("It holds certificates in PEM.", "roots of partner %d: no certificate in %s", p.Integrator, p.Roots)
	}
	return pool, nil
}

// logger writes the log.
func (s *settings) logger(w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.Level(s.Log.Level)}
	if s.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// own verifies the tokens of native users: by the key of the directory, or by a file. It
// returns nil if there are none.
func (s *settings) own(dir *dmadev.Dir) (*ownUsers, error) {
	var document []byte
	var err error
	switch {
	case s.Dev != "":
		document, err = token.Document(dir.Own)
	case s.OwnKeys != "":
		document, err = os.ReadFile(s.OwnKeys)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, exit.Usagef("", "own_keys: %w", err)
	}
	k, err := token.ParseKeys(document)
	if err != nil {
		return nil, exit.Usagef("", "own_keys: %w", err)
	}
	return &ownUsers{token.Policy{Issuer: s.Name, Audience: s.Name}, k}, nil
}

// dialectOf returns the dialect of a name on the command line.
func dialectOf(name string) (noise.Dialect, error) {
	var d dialect
	if d.UnmarshalText([]byte(name)) == nil {
		return noise.Dialect(d), nil
	}
	var names []string
	for _, d := range noise.Dialects {
		names = append(names, d.Name)
	}
	return noise.Dialect{}, command.Unknown("dialect", name, names, "There are "+strings.Join(names, " and ")+".")
}
