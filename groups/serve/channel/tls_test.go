package channel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
)

// authority issues certificates for a test.
type authority struct{ *localca.Authority }

func newAuthority() *authority {
	return &authority{must(localca.New("test", time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))}
}

// issue returns a certificate for a client, or for the server if that is the zero URI.
func (a *authority) issue(client ident.URI) tls.Certificate {
	l := localca.Leaf{Starts: time.Now().Add(-time.Hour), Ends: time.Now().Add(time.Hour)}
	if client.IsZero() {
		l.IPs = []net.IP{net.IPv4(127, 0, 0, 1)}
	} else {
		l.URIs = []*url.URL{must(url.Parse(client.String()))}
	}
	return must(a.Issue(l))
}

// listen serves on loopback until the test ends, and returns where.
func listen(t testing.TB, p *provider, auth Authenticator, a *authority) string {
	s := must(New(Config{Open: p.open, Authenticator: auth, TLS: &tls.Config{
		Certificates: []tls.Certificate{a.issue(ident.URI{})}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: a.Pool(),
	}}))
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v, want %v", err, net.ErrClosed)
		}
	})
	return l.Addr().String()
}

// TestTLS: clients come in by certificate or token, and with the right one alone.
func TestTLS(t *testing.T) {
	t.Parallel()
	a, other := newAuthority(), newAuthority()
	var tokens Tokens
	tokens.Set(bob, []byte("bob's"))
	p := newProvider()
	addr := listen(t, p, AnyOf{Certificates{}, &tokens}, a)
	roots := a.Pool()
	for _, tt := range []struct {
		name  string
		who   ident.URI
		token string
		cert  *tls.Certificate
		roots *x509.CertPool
		want  bool
	}{
		{"certificate", alice, "", ptr(a.issue(alice)), roots, true},
		{"token", bob, "bob's", nil, roots, true},
		{"token beside another's certificate", bob, "bob's", ptr(a.issue(alice)), roots, true},
		{"another's certificate", bob, "", ptr(a.issue(alice)), roots, false},
		{"certificate of another authority", alice, "", ptr(other.issue(alice)), roots, false},
		{"certificate for the user", alice, "", ptr(a.issue(uri("mimi://a.example/u/alice"))), roots, false},
		{"nothing", alice, "", nil, roots, false},
		{"another server", bob, "bob's", nil, other.Pool(), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := ClientConfig{Client: tt.who, Token: []byte(tt.token), TLS: &tls.Config{RootCAs: tt.roots}, Deliver: func(follower.Delivery) {}}
			if tt.cert != nil {
				cfg.TLS.Certificates = []tls.Certificate{*tt.cert}
			}
			c, err := Dial(t.Context(), addr, cfg)
			if (err == nil) != tt.want {
				t.Fatalf("error %v, want let in: %v", err, tt.want)
			}
			if err != nil {
				return
			}
			if _, err := c.Do(t.Context(), submit("hello")); err != nil {
				t.Error(err)
			}
			_ = c.Close()
		})
	}
}

func ptr[T any](v T) *T { return &v }

// TestTLSVersion: nobody gets in without the protocol's name or by an old version.
func TestTLSVersion(t *testing.T) {
	t.Parallel()
	a := newAuthority()
	addr := listen(t, newProvider(), Certificates{}, a)
	for name, cfg := range map[string]*tls.Config{
		"TLS 1.2":          {RootCAs: a.Pool(), MaxVersion: tls.VersionTLS12, NextProtos: []string{Protocol}},
		"another protocol": {RootCAs: a.Pool(), NextProtos: []string{"h2"}},
	} {
		if nc, err := tls.Dial("tcp", addr, cfg); err == nil {
			_ = nc.Close()
			t.Errorf("%s: let in", name)
		}
	}
}

// TestLoopback: over sockets, with connections that are cut at any place, every event
// comes in order and whole to a client that stores what it acknowledges.
func TestLoopback(t *testing.T) {
	t.Parallel()
	a := newAuthority()
	p := newProvider()
	addr := listen(t, p, Certificates{}, a)
	cfg := ClientConfig{Client: alice, TLS: &tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{a.issue(alice)}}}
	const events = 5000
	go func() {
		for range events / 20 {
			p.notify(20)
		}
	}()
	var stored uint64 // what the client keeps over its connections, one after another
	for cuts := 0; stored < events; cuts++ {
		left := 1 + 37*cuts%400 // deliveries until the cut
		known := make(chan *Client, 1)
		var c *Client
		cfg.Deliver = func(d follower.Delivery) {
			if c == nil {
				c = <-known
			}
			switch {
			case d.Seq == stored+1:
				stored++
			case d.Seq > stored:
				t.Errorf("event %d came after %d", d.Seq, stored)
			}
			if left--; left == 0 || stored == events {
				_ = c.nc.Conn.(*tls.Conn).NetConn().Close() // as if the network went away
				return
			}
			_, _ = c.Do(t.Context(), follower.Ack{Room: d.Room, Seq: d.Seq})
		}
		dialed, err := Dial(t.Context(), addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		known <- dialed
		<-dialed.Done()
		_ = dialed.Close() // waits for Deliver
		if cuts > events {
			t.Fatal("no end")
		}
	}
}

// BenchmarkRoundTrip is one submitted message and its answer over TLS on loopback, with
// a provider that does nothing.
func BenchmarkRoundTrip(b *testing.B) {
	a := newAuthority()
	addr := listen(b, newProvider(), Certificates{}, a)
	c := must(Dial(b.Context(), addr, ClientConfig{
		Client: alice, TLS: &tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{a.issue(alice)}}, Deliver: func(follower.Delivery) {},
	}))
	defer func() { _ = c.Close() }()
	in := submit("hello")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Do(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}
