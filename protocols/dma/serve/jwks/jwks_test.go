package jwks

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/egress"
)

var policy = token.Policy{Issuer: "https://partner.example", Audience: "https://gatekeeper.example"}

const bob = "bob@partner.example"

func newSigner(t *testing.T, id string) *token.Signer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := token.NewSigner(id, k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sign(t *testing.T, s *token.Signer) string {
	t.Helper()
	jwt, err := s.Sign(token.Claims{
		Issuer: policy.Issuer, Audience: []string{policy.Audience}, Subject: bob, Expires: time.Now().Add(20 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return jwt
}

func document(t *testing.T, signers ...*token.Signer) []byte {
	t.Helper()
	b, err := token.Document(signers...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFetch goes over TLS on the loopback interface.
func TestFetch(t *testing.T) {
	t.Parallel()
	s := newSigner(t, "1")
	good := document(t, s)
	var other *httptest.Server
	serve := func(h http.HandlerFunc) *httptest.Server {
		srv := httptest.NewUnstartedServer(h)
		srv.EnableHTTP2 = true
		srv.StartTLS()
		t.Cleanup(srv.Close)
		return srv
	}
	other = serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) })
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		set    func(*Config)
		says   string
		is     error
	}{
		{"good", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) }, nil, "", nil},
		{"the path", func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "GET" || r.URL.Path != "/interop/.well-known/oauth/openid/jwks" || r.ProtoMajor != 2 {
				w.WriteHeader(500)
			}
			_, _ = w.Write(good)
		}, func(c *Config) { c.Base += "/interop/" }, "", nil},
		{"redirect within the host", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/keys" {
				http.Redirect(w, r, "/keys", http.StatusFound)
				return
			}
			_, _ = w.Write(good)
		}, nil, "", nil},
		{"redirect to another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusFound)
		}, nil, "redirect to another host", errRedirect},
		{"redirect to http", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
		}, nil, "", errRedirect},
		{"redirect for ever", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, nil, "more than 3 redirects", nil},
		{"loopback address", nil, func(c *Config) { c.Private = false }, "want a public address", egress.ErrPrivate},
		{"another authority", nil, func(c *Config) { c.Roots = x509.NewCertPool() }, "certificate", nil},
		{"not found", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, nil, "status 404, want 200", nil},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, nil, "malformed keys", token.ErrKeys},
		{"no end", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}, nil, "want at most 65536", token.ErrKeys},
		{"large header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			_, _ = w.Write(good)
		}, nil, "", ErrUnavailable},
		{"never answers", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			func(c *Config) { c.Timeout = 50 * time.Millisecond }, "deadline exceeded", context.DeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.answer == nil {
				tt.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) }
			}
			srv := serve(tt.answer)
			roots := x509.NewCertPool()
			roots.AddCert(srv.Certificate())
			roots.AddCert(other.Certificate())
			cfg := Config{Base: srv.URL, Policy: policy, Roots: roots, Private: true}
			if tt.set != nil {
				tt.set(&cfg)
			}
			k, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, err = k.Verify(t.Context(), sign(t, s), bob)
			if tt.says == "" && tt.is == nil {
				if err != nil {
					t.Errorf("got %v, want a token that is good", err)
				}
				return
			}
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(fmt.Sprint(err), tt.says) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v, %v and %q", err, ErrUnavailable, tt.is, tt.says)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "http://partner.example", "https://", "partner.example", "https://u:p@partner.example", "https://partner.example?x", "https://partner.example#x", "file:///etc/passwd", "https://%zz"} {
		if _, err := New(Config{Base: base}); err == nil {
			t.Errorf("base %q: no error", base)
		}
	}
	if _, err := New(Config{Base: "https://partner.example", Keep: -1}); err == nil {
		t.Error("a negative duration: no error")
	}
}

// partner is a server of a partner in a bubble of its own time.
type partner struct {
	mu     sync.Mutex
	answer []byte        // nil: it is down
	wait   chan struct{} // if not nil, it answers when this is closed
}

func (p *partner) set(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = b
}

// source returns a source that asks p, by way of a round trip in memory.
func (p *partner) source(t *testing.T, cfg Config) *Source {
	t.Helper()
	cfg.Base, cfg.Policy = "https://partner.example", policy
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network here") }
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.http.Transport = p
	return s
}

func (p *partner) RoundTrip(*http.Request) (*http.Response, error) {
	if p.wait != nil {
		<-p.wait
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answer == nil {
		return nil, errors.New("down")
	}
	w := httptest.NewRecorder()
	_, _ = w.Write(p.answer)
	return w.Result(), nil
}

// TestRotation: a new key serves at once, and the old one no more once it is not
// published.
func TestRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := newSigner(t, "1"), newSigner(t, "2")
		p := &partner{answer: document(t, before)}
		s := p.source(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Run(ctx)
		time.Sleep(2 * time.Minute)
		verify := func(signer *token.Signer, want error) {
			t.Helper()
			if _, err := s.Verify(ctx, sign(t, signer), bob); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		verify(before, nil)
		p.set(document(t, before, after))
		verify(after, nil)
		if n := s.Fetches(); n != 2 {
			t.Errorf("%d fetches, want the first and one for the unknown key", n)
		}
		verify(before, nil)
		p.set(document(t, after))
		verify(before, nil) // nobody knows yet
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		verify(before, token.ErrKey)
		verify(after, nil)
	})
}

// TestUnknownKeys: tokens with unknown keys make the gatekeeper fetch once an interval,
// however many there are.
func TestUnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right, wrong := newSigner(t, "1"), newSigner(t, "x")
		p := &partner{answer: document(t, right)}
		s := p.source(t, Config{})
		bad, good := sign(t, wrong), sign(t, right)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := s.Verify(t.Context(), bad, bob); !errors.Is(err, token.ErrKey) {
					t.Errorf("got %v, want %v", err, token.ErrKey)
				}
			})
		}
		wg.Wait()
		if n := s.Fetches(); n != 1 {
			t.Errorf("%d fetches for 100 tokens at once, want 1", n)
		}
		time.Sleep(time.Minute)
		for range 100 {
			_, _ = s.Verify(t.Context(), bad, bob)
		}
		if n := s.Fetches(); n != 2 {
			t.Errorf("%d fetches a minute later, want 2", n)
		}
		if _, err := s.Verify(t.Context(), good, bob); err != nil {
			t.Errorf("meanwhile a good token: %v", err)
		}
	})
}

// TestDown: keys serve for a day when the partner is down, and then nobody's token is
// good until it is back.
func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer := newSigner(t, "1")
		p := &partner{answer: document(t, signer)}
		s := p.source(t, Config{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Run(ctx)
		synctest.Wait()
		up := p.answer
		p.set(nil)
		time.Sleep(24 * time.Hour)
		if _, err := s.Verify(ctx, sign(t, signer), bob); err != nil {
			t.Errorf("after a day: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := s.Verify(ctx, sign(t, signer), bob); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after more than a day: got %v, want %v", err, ErrUnavailable)
		}
		p.set(up)
		time.Sleep(time.Minute)
		if _, err := s.Verify(ctx, sign(t, signer), bob); err != nil {
			t.Errorf("back again: %v", err)
		}
	})
}

// TestGaveUp: who waits for a fetch can leave, and the fetch goes on.
func TestGaveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer := newSigner(t, "1")
		p := &partner{answer: document(t, signer), wait: make(chan struct{})}
		s := p.source(t, Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Verify(ctx, sign(t, signer), bob); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
		close(p.wait)
		if _, err := s.Verify(t.Context(), sign(t, signer), bob); err != nil || s.Fetches() != 1 {
			t.Errorf("got %v after %d fetches, want the first to serve", err, s.Fetches())
		}
	})
}
