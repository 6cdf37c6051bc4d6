package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// TestInward: a partner whose base URL leads into the gatekeeper's own networks, by an
// address or a name, has the gatekeeper connect to nobody there, is told that
// its keys can't be had, and others go on.
func TestInward(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	inside.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			asked.Add(1)
		}
	}
	inside.StartTLS()
	t.Cleanup(inside.Close)
	_, port, err := net.SplitHostPort(inside.Listener.Addr().String())
	must(t, err)
	for _, base := range []string{
		inside.URL, "https://localhost:" + port, "https://[::1]:" + port, "https://[::ffff:127.0.0.1]:" + port,
		"https://0.0.0.0:" + port, "https://127.1.2.3:" + port + "/interop",
	} {
		w := newWorld(t, func(c *Config) {
			s, err := jwks.New(jwks.Config{Base: base, Policy: token.Policy{Issuer: c.Partners[1].Issuer, Audience: audience}, Timeout: time.Second})
			must(t, err)
			c.Partners[1].Tokens = s
			c.Signer = newIssuer(t, "unused").signer
			c.Partners[0].Pushes = &Pushes{Base: base, Tries: 1, Timeout: time.Second}
		})
		if _, err := Enlist(w.ctx, w.enlistConfig(store.NewMemory(), "eve", w.other)); !errors.Is(err, enlist.Internal) {
			t.Errorf("%s: got %v, want %v", base, err, enlist.Internal)
		}
		if err := w.gk.pushers[1].post(w.ctx, "bob"); err == nil {
			t.Errorf("%s: a push was taken", base)
		}
		alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob", w.partner)
		alice.send(bob, "hello") // with a push
		must(t, alice.Settled(w.ctx, false))
		bob.connect()
		bob.want(alice, "hello")
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server inside was connected to %d times", n)
	}
}

// TestSilentKeys: a partner's server that takes connections and never answers costs its own
// users their enlistment, within a bound, and nobody else anything.
func TestSilentKeys(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	taken := make(chan struct{}, 100)
	go func() {
		var held []net.Conn
		for {
			nc, err := l.Accept()
			if err != nil {
				for _, nc := range held {
					_ = nc.Close()
				}
				return
			}
			held = append(held, nc)
			taken <- struct{}{}
		}
	}()
	const timeout = 500 * time.Millisecond
	w := newWorld(t, func(c *Config) {
		c.Limits.Enlistments = 2
		c.Limits.Checks = 1
		s, err := jwks.New(jwks.Config{
			Base: "https://" + l.Addr().String(), Private: true, Timeout: timeout,
			Policy: token.Policy{Issuer: c.Partners[1].Issuer, Audience: audience},
		})
		must(t, err)
		c.Partners[1].Tokens = s
	})
	first := make(chan error, 1)
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	begin := time.Now()
	go func() {
		_, err := Enlist(ctx, w.enlistConfig(store.NewMemory(), "eve", w.other))
		first <- err
	}()
	<-taken // its keys are asked for
	if _, err := Enlist(ctx, w.enlistConfig(store.NewMemory(), "mallory", w.other)); !errors.Is(err, enlist.TooMany) && !errors.Is(err, enlist.Internal) {
		t.Errorf("another of that partner: got %v", err)
	}
	w.enlist("bob", w.partner)
	if err := <-first; !errors.Is(err, enlist.Internal) {
		t.Errorf("got %v, want %v", err, enlist.Internal)
	}
	if took := time.Since(begin); took < timeout || took > time.Minute {
		t.Errorf("it took %v, want about %v", took, timeout)
	}
}
