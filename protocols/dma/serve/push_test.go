package serve

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// TestPush: a message for a user who is not connected makes a push, which is made again
// until the partner takes it, and whose token is verified by the keys that the gatekeeper
// publishes.
func TestPush(t *testing.T) {
	t.Parallel()
	var fails atomic.Int32
	fails.Store(2)
	pushed := make(chan string, 10)
	var policy atomic.Pointer[jwks.Source]
	mux := http.NewServeMux()
	srv := httptest.NewUnstartedServer(mux)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	mux.HandleFunc("POST /interop/push", func(rw http.ResponseWriter, r *http.Request) {
		if fails.Add(-1) >= 0 {
			rw.WriteHeader(503)
			return
		}
		b, _ := io.ReadAll(r.Body)
		var p PushRequest
		err := json.Unmarshal(b, &p)
		bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if c, err := policy.Load().VerifyBearer(r.Context(), bearer); !ok || err != nil || time.Until(c.Expires) > PushLifetime {
			t.Errorf("token: %v, %v", c, err)
		}
		if err != nil || string(b) != `{"to":"`+p.To+`"}` || r.ProtoMajor != 2 {
			t.Errorf("got %s, %v, %s", b, err, r.Proto)
		}
		pushed <- p.To
	})
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	w := newWorld(t, func(c *Config) {
		c.Signer = newIssuer(t, "unused").signer
		c.Partners[0].Pushes = &Pushes{Base: srv.URL + "/interop", Roots: roots, Private: true, Again: time.Millisecond}
	})
	keys, err := jwks.New(jwks.Config{Base: "https://" + w.https, Roots: w.roots, Private: true, Policy: token.Policy{Issuer: PushIssuer, Audience: srv.URL + "/interop"}})
	must(t, err)
	policy.Store(keys)
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner)
	alice.send(bob, "wake up")
	select {
	case to := <-pushed:
		if to != "bob@partner.example" {
			t.Errorf("push for %q", to)
		}
	case <-w.ctx.Done():
		t.Fatal("no push")
	}
	bob.connect()
	bob.want(alice, "wake up")
	alice.send(bob, "there already")
	bob.want(alice, "there already")
	must(t, alice.Settled(w.ctx, true))
	if n := len(pushed); n != 0 {
		t.Errorf("%d pushes for who is connected", n)
	}
	if s := w.gk.Stats(); s.Pushes != 1 {
		t.Errorf("stats: %+v, want 1 push due", s)
	}
}

// TestPushRefused: where pushes do not go, and what that costs nobody.
func TestPushRefused(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	t.Cleanup(other.Close)
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		set    func(*Pushes)
		says   string
	}{
		{"loopback", func(http.ResponseWriter, *http.Request) {}, func(p *Pushes) { p.Private = false }, "want a public address"},
		{"another authority", func(http.ResponseWriter, *http.Request) {}, func(p *Pushes) { p.Roots = x509.NewCertPool() }, "certificate"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, nil, "status 307, want 200"},
		{"never answers", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, func(p *Pushes) { p.Timeout = 50 * time.Millisecond }, "deadline exceeded"},
	} {
		srv := httptest.NewTLSServer(tt.answer)
		t.Cleanup(srv.Close)
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		p := &Pushes{Base: srv.URL, Roots: roots, Private: true}
		if tt.set != nil {
			tt.set(p)
		}
		w := newWorld(t, func(c *Config) {
			c.Signer = newIssuer(t, "unused").signer
			c.Partners[0].Pushes = p
		})
		err := w.gk.pushers[1].post(w.ctx, "bob")
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
		alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner)
		alice.send(bob, "hello")
		must(t, alice.Settled(w.ctx, false)) // whatever becomes of the push
	}
	if len(asked) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestPushes: one push for a user however many are due, and no more users than are kept.
func TestPushes(t *testing.T) {
	t.Parallel()
	p := &pusher{queue: make(chan string, 2), waiting: map[string]bool{}}
	for _, to := range []string{"a", "a", "b", "c", "a"} {
		p.add(to)
	}
	if len(p.queue) != 2 || <-p.queue != "a" || <-p.queue != "b" {
		t.Error("want a and b")
	}
	for name, set := range map[string]func(*Config){
		"no signer": func(c *Config) { c.Partners[0].Pushes = &Pushes{Base: "https://partner.example"} },
		"http": func(c *Config) {
			c.Signer, c.Partners[0].Pushes = newIssuer(t, "x").signer, &Pushes{Base: "http://partner.example"}
		},
	} {
		w := newWorld(t, nil)
		set(&w.cfg)
		if _, err := New(context.Background(), w.cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
