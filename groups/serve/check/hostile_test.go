package check_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/mimi-lab/mimi-lab/groups/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// hostile runs a handler, or what takes its connections, in place of a provider.
func (w *world) hostile(h http.Handler) {
	s := &http.Server{
		Handler: h, TLSConfig: &tls.Config{Certificates: []tls.Certificate{w.ca.issue(checked)}, ClientAuth: tls.RequestClientCert},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = s.ServeTLS(w.listeners[checked], "", "") }()
	w.Cleanup(func() { _ = s.Close() })
}

// bounded checks a hostile provider, with all that a check could use, and wants an end
// of it, with a verdict on everything and nothing that harms a terminal.
func (w *world) bounded(most time.Duration) *check.Report {
	w.Helper()
	start := time.Now()
	r := w.run(nil, func(c *check.Config) {
		c.User, c.Refusing, c.Room = uri("mimi://a.example/u/bob"), uri("mimi://a.example/u/rufus"), uri("mimi://a.example/r/clubhouse")
		c.Query = &mimi.QueryElement{SearchType: mimi.SearchNick, SearchValue: "bob"}
		c.Asset = "https://assets.a.example/asset"
		c.Timeout, c.Deadline = time.Second, 3*time.Second
	})
	if took := time.Since(start); took > most {
		w.Errorf("it took %v, want %v at most", took, most)
	}
	for _, c := range r.Checks {
		if c.Verdict == "" || c.Seen == "" {
			w.Errorf("%s has the verdict %q: %q", c.ID, c.Verdict, c.Seen)
		}
		if i := strings.IndexFunc(c.Seen, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 || len(c.Seen) > 200 {
			w.Errorf("%s: %q, want one short line", c.ID, c.Seen)
		}
	}
	if n := r.Pass + r.Warn + r.Fail + r.Skip; n != len(check.Checks()) {
		w.Errorf("%d verdicts, want %d", n, len(check.Checks()))
	}
	return r
}

// directory answers with a directory, and everything else by next.
func directory(next http.HandlerFunc) http.Handler {
	d := must(json.Marshal(must(mimi.NewDirectory("https://" + checked))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == mimi.DirectoryPath {
			_, _ = w.Write(d)
			return
		}
		next(w, r)
	})
}

// endless writes without end.
func endless(w http.ResponseWriter, r *http.Request) {
	for b := make([]byte, 64<<10); ; {
		if _, err := w.Write(b); err != nil || r.Context().Err() != nil {
			return
		}
	}
}

// TestHostile checks providers that do not want to be checked.
func TestHostile(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for _, tt := range []struct {
		name string
		h    http.Handler
	}{
		{"hangs", http.HandlerFunc(hang)},
		{"hangs behind the directory", directory(hang)},
		{"answers without end", http.HandlerFunc(endless)},
		{"answers without end behind the directory", directory(endless)},
		{"says yes to everything", directory(func(http.ResponseWriter, *http.Request) {})},
		{"redirects", directory(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://inside.example/", http.StatusTemporaryRedirect)
		})},
		{"an error that draws on the terminal", directory(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "\x1b[2J\u202e\u200b"+strings.Repeat("\x07é\xff", 1000), http.StatusTeapot)
		})},
		{"headers without end", directory(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		})},
		{"noise", directory(func(w http.ResponseWriter, _ *http.Request) {
			b := make([]byte, 100)
			for i := range b {
				b[i] = byte(rand.Uint32())
			}
			_, _ = w.Write(b)
		})},
		{"no directory", http.NotFoundHandler()},
		{"a directory of somebody else", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(must(json.Marshal(must(mimi.NewDirectory("https://inside.example")))))
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hostile(tt.h)
			if r := w.bounded(8 * time.Second); r.Fail == 0 {
				t.Errorf("%d passed, none failed", r.Pass)
			}
		})
	}
	t.Run("no handshake", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var conns []net.Conn
		go func() {
			for {
				c, err := w.listeners[checked].Accept()
				if err != nil {
					return
				}
				conns = append(conns, c)
			}
		}()
		if r := w.bounded(8 * time.Second); r.Fail != 1 {
			t.Errorf("%d failed, want the handshake", r.Fail)
		}
	})
}

// TestFlood has a provider send to the checker without end, what is no event and what is
// too long, while it is checked.
func TestFlood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.start(nil, nil)
	client := &http.Client{Transport: &http.Transport{DialContext: w.dial, TLSClientConfig: &tls.Config{
		RootCAs: w.ca.pool, Certificates: []tls.Certificate{w.ca.issue(checked)},
	}}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	large := make([]byte, 8<<20)
	for _, peer := range peers {
		for i := range 4 {
			go func() {
				for ctx.Err() == nil {
					body := []byte("no event")
					if i == 0 {
						body = large
					}
					q := must(http.NewRequestWithContext(ctx, "POST", "https://"+peer+"/notify/"+mimi.Escape("mimi://a.example/r/clubhouse"), bytes.NewReader(body)))
					q.Header.Set("From", mimi.From(checked))
					if resp, err := client.Do(q); err == nil {
						_ = resp.Body.Close()
					}
				}
			}()
		}
	}
	r := w.run(p, func(c *check.Config) { c.Wait, c.Deadline = 0, 20*time.Second })
	if r.Seconds > 30 { // and it has to leave the room
		t.Errorf("it took %.0f s", r.Seconds)
	}
	if c, _ := r.Find("update.external"); c.Verdict != check.Pass {
		t.Errorf("update.external: %s, %s", c.Verdict, c.Seen)
	}
}

// TestBroken checks providers of this project whose answers are damaged on the way, at
// places that a seed says: whatever comes, there is an end and a report.
func TestBroken(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := rand.New(rand.NewPCG(seed, 7))
			var lock sync.Mutex // guards r
			p := w.start(nil, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
					if q.ContentLength > 1<<20 {
						next.ServeHTTP(rw, q)
						return
					}
					rec := httptest.NewRecorder()
					next.ServeHTTP(rec, q)
					b := rec.Body.Bytes()
					lock.Lock()
					if len(b) > 0 && q.URL.Path != mimi.DirectoryPath && r.IntN(4) == 0 {
						b[r.IntN(len(b))] ^= 1 << r.IntN(8)
						b = b[:len(b)-r.IntN(2)]
					}
					lock.Unlock()
					rw.WriteHeader(rec.Code)
					_, _ = rw.Write(b)
				})
			})
			report := w.run(p, func(c *check.Config) { c.Timeout, c.Deadline = time.Second, 15*time.Second })
			if n := report.Pass + report.Warn + report.Fail + report.Skip; n != len(check.Checks()) {
				t.Errorf("%d verdicts", n)
			}
		})
	}
}
