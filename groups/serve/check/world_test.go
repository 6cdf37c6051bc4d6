package check_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/groups/serve/check"
	"github.com/mimi-lab/mimi-lab/groups/serve/check/own"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
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

// authority makes certificates, for servers and clients.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool

	mu   sync.Mutex // guards last
	last int64
}

func newAuthority() *authority {
	a := &authority{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), pool: x509.NewCertPool(), last: 1}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, t, t, &a.key.PublicKey, a.key))))
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(names ...string) tls.Certificate {
	a.mu.Lock()
	a.last++
	serial := a.last
	a.mu.Unlock()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	t := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: names, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der := must(x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: must(x509.ParseCertificate(der))}
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
