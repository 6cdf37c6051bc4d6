package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// The actors of draft-ietf-mimi-protocol-06, Example protocol flow.
var clubhouse = uri("mimi://a.example/r/clubhouse")

func uri(s string) ident.URI { return must(ident.ParseURI(s)) }

// must ends a test at an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// authority makes certificates.
type authority struct {
	*localca.Authority
	pool *x509.CertPool
}

func newAuthority() *authority {
	a := must(localca.New("test", time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour)))
	return &authority{a, a.Pool()}
}

// issue makes a certificate for names, of servers and clients.
func (a *authority) issue(names ...string) tls.Certificate {
	return must(a.Issue(localca.Leaf{DNS: names, Starts: time.Now().Add(-time.Hour), Ends: time.Now().Add(1000 * time.Hour)}))
}

// network connects by name: in memory, as testing/synctest wants it, or over loopback.
type network struct {
	loopback bool

	mu        sync.Mutex
	listeners map[string]net.Listener
	dials     []string
}

func newNetwork() *network { return &network{listeners: make(map[string]net.Listener)} }

// pipeListener is of a network in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// listen takes connections to a host, in place of whoever did before.
func (n *network) listen(name string) net.Listener {
	var l net.Listener = &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	if n.loopback {
		l = must(net.Listen("tcp", "127.0.0.1:0"))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[name] = l
	return l
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	listener := n.listeners[host]
	n.dials = append(n.dials, address)
	n.mu.Unlock()
	l, ok := listener.(*pipeListener)
	switch {
	case listener == nil:
		return nil, fmt.Errorf("no host %s", host)
	case !ok:
		return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, fmt.Errorf("%s refuses", host)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Net: "pipe"} }

// world is providers on one network, with their stores.
type world struct {
	testing.TB
	ctx       context.Context
	ca        *authority
	net       *network
	stores    map[string]store.Store
	providers map[string]*Provider
	change    func(*Config)
	devices   map[string]*device
	certs     map[string]*x509.Certificate // of peers that are only played
}

var domains = []string{"a.example", "b.example", "c.example"}

// newWorld runs providers of domains, all three by default, over loopback.
func newWorld(t testing.TB, change func(*Config), only ...string) *world {
	t.Helper()
	n := newNetwork()
	n.loopback = true
	return newWorldOn(n, t, change, only...)
}

// newWorldOn runs providers on a network.
func newWorldOn(n *network, t testing.TB, change func(*Config), only ...string) *world {
	t.Helper()
	w := &world{
		TB: t, ctx: t.Context(), ca: newAuthority(), net: n, stores: make(map[string]store.Store),
		providers: make(map[string]*Provider), change: change, devices: make(map[string]*device),
	}
	if len(only) == 0 {
		only = domains
	}
	for _, domain := range only {
		w.stores[domain] = store.NewMemory()
		w.open(domain)
	}
	t.Cleanup(func() {
		for _, p := range w.providers {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

func (w *world) config(domain string) Config {
	cfg := Config{
		Domain: domain, Certificate: w.ca.issue(domain), Roots: w.ca.pool, Opened: w.stores[domain], Dial: w.net.dial,
		Peers: make(map[string]Peer),
	}
	for _, other := range domains {
		if other != domain {
			cfg.Peers[other] = Peer{Assets: []string{"assets." + other}}
		}
	}
	cfg.Hub.RetryMin = time.Second
	cfg.Hub.EpochTolerance = 2
	if w.change != nil {
		w.change(&cfg)
	}
	return cfg
}

// open starts a provider with what its store holds.
func (w *world) open(domain string) {
	w.Helper()
	p, err := New(w.ctx, w.config(domain))
	if err != nil {
		w.Fatal(err)
	}
	w.providers[domain] = p
	l := w.net.listen(domain)
	go func() { _ = p.Serve(l) }()
}

// client returns an HTTP client with a certificate, or none, that reaches the network.
func (w *world) client(certs ...tls.Certificate) *http.Client {
	tr := &http.Transport{
		DialContext: w.net.dial, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: w.ca.pool, Certificates: certs, ServerName: "a.example"},
	}
	w.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: noRedirect}
}

// refusedWith checks that an error is a refusal.
func refusedWith(t testing.TB, err error, status int, says string) {
	t.Helper()
	var r *follower.Refusal
	if !errors.As(err, &r) || r.Status != status || !strings.Contains(r.Reason, says) {
		t.Errorf("got error %v, want a refusal with %d that says %q", err, status, says)
	}
}
