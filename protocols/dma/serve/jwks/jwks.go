// Package jwks keeps the keys of one partner as the gatekeeper knows them: it fetches the
// partner's JWK Set (RFC 7517, https://www.rfc-editor.org/rfc/rfc7517) from time to time,
// as the technical specification in WhatsApp's Reference Offer 1.0.3 has it, and verifies
// tokens by it (package token).
//
// Start with [New], have a goroutine call [Source.Run], and ask [Source.Verify].
//
//	periodically, and on an unknown kid   GET {base}/.well-known/oauth/openid/jwks
//
// Keys that can't be refreshed serve on for a while; then nobody's token is good. A token
// with an unknown kid has the keys fetched at once, but not more often than once per
// interval, whoever sends how many of them. The URL is the partner's word, so that it may
// lead to public addresses alone, and a redirect to no other host. How often keys are
// fetched and how long they serve is assumed.
package jwks

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/egress"
)

// ErrUnavailable: the partner's keys can't be had, so that nobody knows whether the token
// is good.
var ErrUnavailable = errors.New("jwks: the partner's keys can't be had")

// Config is what a source needs. It is not modified.
type Config struct {
	Base   string       // the partner's URL, https alone; [token.WellKnown] is below it
	Policy token.Policy // what its tokens must be like
	// Roots are the authorities that its certificate is verified by; nil means the system's.
	Roots *x509.CertPool
	// Private lets the URL lead to addresses that are not public, for one machine.
	Private bool
	// Dial makes connections in place of the network; nil means TCP. Private is not looked
	// at then.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Refresh time.Duration // between two fetches; default 15 min
	Again   time.Duration // at least between two fetches, whoever asks; default 1 min
	Timeout time.Duration // of a fetch; default 5 s
	Keep    time.Duration // how long keys serve that can't be refreshed; default 24 h

	// Logger is told of fetches; nil discards it.
	Logger *slog.Logger
}

// Source is the keys of one partner. Its methods may be called by several goroutines.
type Source struct {
	cfg  Config
	url  string
	http *http.Client

	mu      sync.Mutex    // guards what follows
	keys    *token.Keys   // nil before the first
	fetched time.Time     // when keys came
	tried   time.Time     // when the last fetch began; zero before the first
	err     error         // of the last fetch
	flight  chan struct{} // closed when the fetch under way has ended; nil without one
	fetches uint64
}

// New returns a source that has fetched nothing yet.
func New(cfg Config) (*Source, error) {
	cfg.Refresh = cmp.Or(cfg.Refresh, 15*time.Minute)
	cfg.Again = cmp.Or(cfg.Again, time.Minute)
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Second)
	cfg.Keep = cmp.Or(cfg.Keep, 24*time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if min(cfg.Refresh, cfg.Again, cfg.Timeout, cfg.Keep) < 0 {
		return nil, errors.New("jwks: config: a duration is negative")
	}
	u, err := url.Parse(cfg.Base)
	if err != nil {
		return nil, fmt.Errorf("jwks: config: base: %w", err)
	}
	if u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("jwks: config: base %q, want https://HOST with a path at most", u.Redacted())
	}
	s := &Source{cfg: cfg, url: strings.TrimSuffix(cfg.Base, "/") + token.WellKnown}
	dial := cfg.Dial
	if dial == nil {
		d := &net.Dialer{Timeout: cfg.Timeout}
		if !cfg.Private {
			d.Control = egress.PublicOnly
		}
		dial = d.DialContext
	}
	s.http = &http.Client{CheckRedirect: sameHost, Transport: &http.Transport{
		DialContext: dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: cfg.Roots},
		ForceAttemptHTTP2: true, DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 32 << 10,
	}}
	return s, nil
}

// maxRedirects bounds redirects within the host.
const maxRedirects = 3

// errRedirect: the partner's host sends the gatekeeper elsewhere.
var errRedirect = errors.New("redirect to another host, want the keys from the partner's own")

func sameHost(next *http.Request, via []*http.Request) error {
	if next.URL.Scheme != "https" || next.URL.Host != via[0].URL.Host {
		return fmt.Errorf("%w", errRedirect)
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

// Run fetches the keys now and periodically, until ctx ends.
func (s *Source) Run(ctx context.Context) {
	t := time.NewTicker(s.cfg.Refresh)
	defer t.Stop()
	for {
		_ = s.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Verify checks a token by the keys there are, as [token.Policy.Verify] does. It may wait
// for a fetch. An error that is ErrUnavailable says nothing about the token.
func (s *Source) Verify(ctx context.Context, t, identifier string) (*token.Claims, error) {
	return s.verify(ctx, func(keys *token.Keys) (*token.Claims, error) {
		return s.cfg.Policy.Verify(time.Now(), keys, t, identifier)
	})
}

// VerifyBearer is Verify for a token that is about no user.
func (s *Source) VerifyBearer(ctx context.Context, t string) (*token.Claims, error) {
	return s.verify(ctx, func(keys *token.Keys) (*token.Claims, error) {
		return s.cfg.Policy.VerifyBearer(time.Now(), keys, t)
	})
}

// verify calls by with the keys there are, and with newer ones if it knows none of a kid.
func (s *Source) verify(ctx context.Context, by func(*token.Keys) (*token.Claims, error)) (*token.Claims, error) {
	keys, current := s.current()
	if !current {
		err := s.refresh(ctx)
		if keys, current = s.current(); !current {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	c, err := by(keys)
	if !errors.Is(err, token.ErrKey) {
		return c, err
	}
	if s.refresh(ctx) != nil {
		return nil, err // the keys there are have served a moment ago
	}
	newer, _ := s.current()
	return by(newer)
}

// current returns the keys, and whether they may serve.
func (s *Source) current() (*token.Keys, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.keys != nil && time.Since(s.fetched) <= s.cfg.Keep
}

// Fetches returns how often the keys were fetched or could not be.
func (s *Source) Fetches() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

// refresh has the keys fetched, unless that was done or tried a moment ago, and returns
// what came of it. Those who ask while a fetch is under way share it.
func (s *Source) refresh(ctx context.Context) error {
	s.mu.Lock()
	if s.flight == nil {
		if !s.tried.IsZero() && time.Since(s.tried) < s.cfg.Again {
			defer s.mu.Unlock()
			return s.err
		}
		s.flight, s.tried = make(chan struct{}), time.Now()
		s.fetches++
		go s.fetch(s.flight)
	}
	flight := s.flight
	s.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// fetch fetches the keys. It is nobody's request: whoever asked first may be gone.
func (s *Source) fetch(done chan struct{}) {
	defer close(done)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	keys, err := s.get(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight, s.err = nil, err
	if err != nil {
		s.cfg.Logger.Warn("a partner's keys can't be had", "url", s.url, "error", err)
		return
	}
	s.keys, s.fetched = keys, time.Now()
	s.cfg.Logger.Debug("a partner's keys", "url", s.url, "kids", keys.IDs())
}

func (s *Source) get(ctx context.Context) (*token.Keys, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d, want 200", resp.StatusCode)
	}
	document, err := io.ReadAll(io.LimitReader(resp.Body, token.MaxDocument+1)) // one more is too long
	if err != nil {
		return nil, err
	}
	return token.ParseKeys(document)
}
