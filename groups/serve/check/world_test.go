package check_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/groups/serve/check"
	"github.com/mimi-lab/mimi-lab/groups/serve/check/own"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
)

// The actors: a.example is checked, b.example and c.example are the checker's.
const (
	checked = "a.example"
	assets  = "assets.a.example"
)

var peers = []string{"b.example", "c.example"}

// must ends a test at an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func uri(s string) ident.URI { return must(ident.ParseURI(s)) }

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

// world is the sockets that a run needs, on loopback, by the names of their hosts.
type world struct {
	testing.TB
	ca        *authority
	listeners map[string]net.Listener
	// way connects the checked provider to a host; nil is the straight one.
	way func(ctx context.Context, host string) (net.Conn, error)
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, ca: newAuthority(), listeners: make(map[string]net.Listener)}
	for _, host := range append([]string{checked, assets}, peers...) {
		w.listeners[host] = must(net.Listen("tcp", "127.0.0.1:0"))
		t.Cleanup(func() { _ = w.listeners[host].Close() })
	}
	return w
}

func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	l := w.listeners[host]
	if l == nil {
		return nil, fmt.Errorf("no host %s", host)
	}
	return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
}

// fromChecked connects the checked provider.
func (w *world) fromChecked(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err == nil && w.way != nil && w.listeners[host] != nil {
		return w.way(ctx, host)
	}
	return w.dial(ctx, network, address)
}

// start runs the provider that is checked.
func (w *world) start(change func(*serve.Config), handler func(http.Handler) http.Handler) *own.Provider {
	w.Helper()
	p, err := own.Start(w.Context(), own.Config{
		Domain: checked, Certificate: w.ca.issue(checked), Roots: w.ca.pool, Listener: w.listeners[checked], Dial: w.fromChecked,
		Assets: assets, AssetCertificate: w.ca.issue(assets), AssetListener: w.listeners[assets], Checkers: peers, Name: "checker",
		Change: change, Handler: handler,
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := p.Close(); err != nil {
			w.Error(err)
		}
	})
	return p
}

// config is that of a check by both peers.
func (w *world) config() check.Config {
	cfg := check.Config{Domain: checked, Roots: w.ca.pool, Dial: w.dial, Name: "checker", Timeout: 10 * time.Second}
	for _, p := range peers {
		cfg.Peers = append(cfg.Peers, check.Peer{Domain: p, Certificate: w.ca.issue(p), Listener: w.listeners[p]})
	}
	return cfg
}

// run checks a provider.
func (w *world) run(p *own.Provider, change func(*check.Config)) *check.Report {
	w.Helper()
	cfg := w.config()
	if p != nil {
		if err := p.Has(&cfg); err != nil {
			w.Fatal(err)
		}
	}
	if change != nil {
		change(&cfg)
	}
	r, err := check.Run(w.Context(), cfg)
	if err != nil {
		w.Fatal(err)
	}
	return r
}
