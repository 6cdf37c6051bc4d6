package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/egress"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// peers are the providers that this one makes requests to.
type peers struct {
	cfg *Config
	mu  sync.Mutex // guards byDomain
	// byDomain has those that something was sent to.
	byDomain map[string]*peer
}

// peer is another provider, as this one reaches it.
type peer struct {
	Peer
	domain string
	http   *http.Client

	fetching  chan struct{} // holds a token while nobody fetches the directory
	mu        sync.Mutex    // guards what follows
	directory *mimi.Directory
	expires   time.Time

	senders sender
}

func newPeers(cfg *Config) *peers { return &peers{cfg: cfg, byDomain: make(map[string]*peer)} }

// get returns a peer.
func (p *peers) get(domain string) (*peer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if peer := p.byDomain[domain]; peer != nil {
		return peer, nil
	}
	listed, ok := p.cfg.Peers[domain]
	if !ok && !p.cfg.AnyPeer {
		return nil, refuse(http.StatusForbidden, "%s is no peer", clip(domain))
	}
	if _, err := ident.NewURI(ident.KindProvider, domain); err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	made := &peer{Peer: listed, domain: domain, fetching: make(chan struct{}, 1)}
	made.fetching <- struct{}{}
	made.senders.most = p.cfg.Limits.Notifies
	made.http = &http.Client{CheckRedirect: noRedirect, Transport: &http.Transport{
		DialContext: p.dial(listed.Address, !ok),
		// ServerName has the certificate authenticate the domain, whatever host the
		// directory names.
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, ServerName: domain, RootCAs: p.cfg.Roots,
			Certificates: []tls.Certificate{p.cfg.Certificate},
		},
		ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10,
		MaxIdleConnsPerHost: p.cfg.Limits.Notifies, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
	}}
	if !ok {
		p.forgetStrangers()
	}
	p.byDomain[domain] = made
	return made, nil
}

// maxStrangers bounds the providers that are remembered and not in the configuration: a
// peer or an own client may name any domain. A choice of this implementation.
const maxStrangers = 1024

// forgetStrangers makes room for one more. Those that nothing waits for are found again
// as they were the first time.
func (p *peers) forgetStrangers() {
	if len(p.byDomain) < len(p.cfg.Peers)+maxStrangers {
		return
	}
	for domain, peer := range p.byDomain {
		if _, listed := p.cfg.Peers[domain]; !listed && peer.senders.idle() {
			peer.http.CloseIdleConnections()
			delete(p.byDomain, domain)
			return
		}
	}
}

func (p *peers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for peer := range maps.Values(p.byDomain) {
		peer.http.CloseIdleConnections()
	}
}

// noRedirect has a redirect be an answer like any other: a peer's endpoints are where
// its directory says.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// dial returns how a connection is made: to address, if that is not "", and to public
// addresses alone if public.
func (p *peers) dial(address string, public bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	connect := p.cfg.Dial
	if connect == nil {
		d := &net.Dialer{Timeout: 10 * time.Second}
		if public {
			d.Control = egress.PublicOnly
		}
		connect = d.DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if address != "" {
			addr = address
		}
		return connect(ctx, network, addr)
	}
}

// request makes a request at an endpoint of another provider and returns the body of the
// answer. An answer that is no success is a [follower.Refusal] with its status code;
// after other errors nobody knows what came of it.
func (p *Provider) request(ctx context.Context, to string, e *mimi.Endpoint, subject string, body []byte) ([]byte, error) {
	return p.requestMissed(ctx, to, e, subject, body, 0)
}

// requestMissed is request with what missedHeader is to say, 0 for nothing.
func (p *Provider) requestMissed(ctx context.Context, to string, e *mimi.Endpoint, subject string, body []byte, missed uint64) ([]byte, error) {
	peer, err := p.peers.get(to)
	if err != nil {
		return nil, err
	}
	url, err := p.url(ctx, peer, e, subject)
	if err != nil {
		return nil, err
	}
	var more http.Header
	if missed > 0 {
		more = http.Header{missedHeader: {strconv.FormatUint(missed, 10)}}
	}
	resp, err := p.roundTrip(ctx, peer, e.Method, url, mimi.MediaType, body, more)
	if err != nil {
		return nil, err
	}
	defer closeBody(resp)
	if e.Outcome(resp.StatusCode) != mimi.OutcomeDone {
		if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMisdirectedRequest {
			peer.forget() // the endpoint may be elsewhere by now
		}
		return nil, failure(resp)
	}
	return readBody(resp, min(p.cfg.Limits.Body, maxAnswer(e.Name)))
}

// maxAnswer bounds the answer of an endpoint, in bytes. Only a GroupInfo comes with a
// tree. Choices of this implementation.
func maxAnswer(name mimi.EndpointName) int64 {
	if name == mimi.EndpointGroupInfo {
		return math.MaxInt64
	}
	return 1 << 20
}

// url returns where a peer has an endpoint.
func (p *Provider) url(ctx context.Context, peer *peer, e *mimi.Endpoint, subject string) (string, error) {
	d, err := p.directory(ctx, peer)
	if err != nil {
		return "", err
	}
	t, err := d.Template(e.Name)
	if err != nil {
		return "", fmt.Errorf("serve: %s: %w", peer.domain, err)
	}
	host, err := mimi.ParseHost(t.Host())
	if err != nil {
		return "", fmt.Errorf("serve: %s: %w", peer.domain, err)
	}
	if host != peer.domain && !slices.ContainsFunc(peer.Hosts, func(s string) bool { return strings.EqualFold(s, host) }) {
		return "", fmt.Errorf("serve: directory of %s: %s is at %s, want a host of the provider", peer.domain, e.Name, clip(host))
	}
	if u := mimi.IdentifierURI(subject); t.Variable().Subject == mimi.SubjectDomain && strings.HasPrefix(subject, "mimi:") {
		return t.ExpandFor(u)
	}
	return t.Expand(subject), nil
}

// roundTrip makes a request in the own name, with more fields in its header.
func (p *Provider) roundTrip(ctx context.Context, peer *peer, method, url, mediaType string, body []byte, more http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("serve: request to %s: %w", peer.domain, err)
	}
	maps.Copy(r.Header, more)
	r.Header.Set("From", mimi.From(p.cfg.Domain))
	if body != nil {
		r.Header.Set("Content-Type", mediaType)
	}
	// "The target provider is indicated using a Host header", whatever host its
	// directory has; the port is ignored.
	r.Host = peer.domain
	if port := r.URL.Port(); port != "" {
		r.Host = net.JoinHostPort(peer.domain, port)
	}
	resp, err := peer.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("serve: request to %s: %w", peer.domain, withoutURL(err))
	}
	return resp, nil
}

// withoutURL takes the URL out of an error: it names rooms and users.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// directory returns a peer's directory, which it fetches if need be.
func (p *Provider) directory(ctx context.Context, peer *peer) (*mimi.Directory, error) {
	if d := peer.known(); d != nil {
		return d, nil
	}
	select {
	case <-peer.fetching:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { peer.fetching <- struct{}{} }()
	if d := peer.known(); d != nil { // another has fetched it
		return d, nil
	}
	resp, err := p.roundTrip(ctx, peer, http.MethodGet, "https://"+peer.domain+mimi.DirectoryPath, "", nil, nil)
	if err != nil {
		return nil, err
	}
	defer closeBody(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("serve: directory of %s: status %d, want 200", peer.domain, resp.StatusCode)
	}
	b, err := readBody(resp, mimi.MaxDirectory)
	if err != nil {
		return nil, err
	}
	d, err := mimi.ParseDirectory(b)
	if err != nil {
		return nil, fmt.Errorf("serve: %s: %w", peer.domain, err)
	}
	peer.mu.Lock()
	defer peer.mu.Unlock()
	peer.directory, peer.expires = d, time.Now().Add(p.cfg.Limits.Directory)
	return d, nil
}

func (p *peer) known() *mimi.Directory {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.expires) {
		return p.directory
	}
	return nil
}

func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.directory, p.expires = nil, time.Time{}
}

// closeBody ends a response such that its connection can be used again.
func closeBody(r *http.Response) {
	_, _ = io.CopyN(io.Discard, r.Body, 4096)
	_ = r.Body.Close()
}

func readBody(r *http.Response, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("serve: response: %w", err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("serve: response of more than %d bytes", most)
	}
	return b, nil
}

// maxReason bounds what is read of the reason for a refusal.
const maxReason = 256

// failure is an answer that is no success.
func failure(r *http.Response) *follower.Refusal {
	reason, _ := io.ReadAll(io.LimitReader(r.Body, maxReason))
	return &follower.Refusal{
		Status: r.StatusCode, After: retryAfter(r.Header.Get("Retry-After"), time.Now()),
		Reason: fmt.Sprintf("status %d: %.*q", r.StatusCode, maxReason, strings.TrimSpace(string(reason))),
	}
}

// retryAfter reads Retry-After (RFC 9110, Section 10.2.3): seconds, or a date. What
// can't be read says nothing.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
