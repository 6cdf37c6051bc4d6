package serve

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// TestTransportLayer holds what the draft says of requests (Transport layer), and the
// status codes of deviation 26, over both versions of HTTP.
func TestTransportLayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Body = 1000 }, "a.example")
	b, stranger, own := w.ca.issue("b.example"), w.ca.issue("d.example"), w.ca.issue("a.example")
	other := newAuthority().issue("b.example")
	room := "/notify/" + mimi.Escape("mimi://b.example/r/lounge")
	for _, tt := range []struct {
		name   string
		cert   []tls.Certificate
		method string
		path   string
		host   string
		from   []string
		body   string
		status int
		says   string
	}{
		{"directory without a certificate", nil, "GET", mimi.DirectoryPath, "", nil, "", 200, `"notify":"https://a.example/notify/{roomId}"`},
		{"directory by POST", nil, "POST", mimi.DirectoryPath, "", nil, "", 405, "want GET"},
		{"gateway keys without a certificate", nil, "GET", gatewayPath, "", nil, "", 200, ""},
		{"no such path", []tls.Certificate{b}, "POST", "/else", "", []string{"mimi@b.example"}, "", 404, "no such endpoint"},
		{"no certificate", nil, "POST", room, "", []string{"mimi@b.example"}, "", 401, "no client certificate"},
		{"no From", []tls.Certificate{b}, "POST", room, "", nil, "", 401, "0 From fields"},
		{"two Froms", []tls.Certificate{b}, "POST", room, "", []string{"mimi@b.example", "mimi@b.example"}, "", 401, "2 From fields"},
		{"From of no provider", []tls.Certificate{b}, "POST", room, "", []string{"b.example"}, "", 401, "want mimi@"},
		{"From of another", []tls.Certificate{b}, "POST", room, "", []string{"mimi@c.example"}, "", 403, "not for c.example"},
		{"certificate of another", []tls.Certificate{stranger}, "POST", room, "", []string{"mimi@b.example"}, "", 403, "not for b.example"},
		{"a stranger", []tls.Certificate{stranger}, "POST", room, "", []string{"mimi@d.example"}, "", 403, "no peer"},
		{"the own domain", []tls.Certificate{own}, "POST", room, "", []string{"mimi@a.example"}, "", 403, "another provider"},
		{"another host", []tls.Certificate{b}, "POST", room, "c.example", []string{"mimi@b.example"}, "", 421, "want a.example"},
		{"a port, which is ignored", []tls.Certificate{b}, "POST", room, "A.example:8443", []string{"mimi@b.example"}, "", 400, "mimi"},
		{"malformed body", []tls.Certificate{b}, "POST", room, "", []string{"mimi@b.example"}, "nonsense", 400, "mimi"},
		{"malformed path", []tls.Certificate{b}, "POST", "/notify/lounge", "", []string{"mimi@b.example"}, "", 400, "URI of a room"},
		{"GET", []tls.Certificate{b}, "GET", room, "", []string{"mimi@b.example"}, "", 405, "want POST"},
		{"too long", []tls.Certificate{b}, "POST", room, "", []string{"mimi@b.example"}, strings.Repeat("x", 1001), 413, "at most 1000"},
		{"no such room", []tls.Certificate{b}, "POST", "/submitMessage/" + mimi.Escape(clubhouse.String()), "", []string{"mimi@b.example"}, "", 404, "no room"},
	} {
		for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(tt.name+"/"+version, func(t *testing.T) {
				t.Parallel()
				c := w.client(tt.cert...)
				if version == "HTTP/1.1" {
					c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
				}
				r := must(http.NewRequestWithContext(t.Context(), tt.method, "https://a.example"+tt.path, strings.NewReader(tt.body)))
				r.Host = tt.host
				r.Header["From"] = tt.from
				resp, err := c.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				got := string(must(io.ReadAll(resp.Body)))
				if resp.StatusCode != tt.status || !strings.Contains(got, tt.says) || resp.Proto != version {
					t.Errorf("%s: got %d and %q, want %d that says %q", resp.Proto, resp.StatusCode, got, tt.status, tt.says)
				}
				if media := resp.Header.Get("Content-Type"); resp.StatusCode != 200 && !strings.HasPrefix(media, "text/plain") {
					t.Errorf("a reason in %q, want text/plain", media)
				}
				if tt.status == 405 && resp.Header.Get("Allow") == "" {
					t.Error("no Allow")
				}
			})
		}
	}
	t.Run("another authority", func(t *testing.T) {
		t.Parallel()
		r := must(http.NewRequestWithContext(t.Context(), "POST", "https://a.example"+room, nil))
		r.Header.Set("From", "mimi@b.example")
		if resp, err := w.client(other).Do(r); err == nil {
			t.Errorf("got %s, want no connection", resp.Status)
		}
	})
}

// TestTLSVersion holds that older versions of TLS are refused.
func TestTLSVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example")
	c := w.client(w.ca.issue("b.example"))
	c.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12
	if resp, err := c.Get("https://a.example" + mimi.DirectoryPath); err == nil {
		t.Errorf("got %s, want no connection", resp.Status)
	}
}

// TestOverload holds that requests beyond the bounds are refused, with the time when to
// try again.
func TestOverload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.PeerRequests, c.Limits.Requests = 1, 2 }, "a.example")
	s := w.providers["a.example"].handler
	post := func(from string) *http.Response {
		r := httptest.NewRequest("POST", "https://a.example/notify/"+mimi.Escape("mimi://b.example/r/lounge"), bytes.NewReader(nil))
		r.Header.Set("From", "mimi@"+from)
		cert := w.ca.issue(from)
		r.TLS.PeerCertificates = append(r.TLS.PeerCertificates, cert.Leaf)
		r.TLS.VerifiedChains = append(r.TLS.VerifiedChains, r.TLS.PeerCertificates)
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		return rec.Result()
	}
	done := must(s.admit("b.example"))
	if r := post("b.example"); r.StatusCode != 429 || r.Header.Get("Retry-After") != "1" {
		t.Errorf("got %s, Retry-After %q, want 429 and 1", r.Status, r.Header.Get("Retry-After"))
	}
	if r := post("c.example"); r.StatusCode != 400 {
		t.Errorf("another peer: got %s, want 400", r.Status)
	}
	must(s.admit("d.example"))
	if r := post("c.example"); r.StatusCode != 503 || r.Header.Get("Retry-After") != "1" {
		t.Errorf("got %s, Retry-After %q, want 503 and 1", r.Status, r.Header.Get("Retry-After"))
	}
	done()
	if r := post("b.example"); r.StatusCode != 400 {
		t.Errorf("when one is done: got %s, want 400", r.Status)
	}
}

// TestShutdown holds that a provider that has stopped serves nobody, and says so to the
// operator.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example")
	p := w.providers["a.example"]
	healthz := func() int {
		rec := httptest.NewRecorder()
		p.Admin().ServeHTTP(rec, httptest.NewRequest("GET", "/healthz", nil))
		return rec.Code
	}
	if got := healthz(); got != 200 {
		t.Errorf("got %d, want 200", got)
	}
	l := w.net.listen("again")
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	if err := p.AddUser(t.Context(), uri("mimi://a.example/u/alice"), noProfile); err != nil {
		t.Fatal(err)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != ErrStopped {
		t.Errorf("Serve: got %v, want ErrStopped", err)
	}
	if got := healthz(); got != 503 {
		t.Errorf("got %d, want 503", got)
	}
	if err := p.AddUser(t.Context(), uri("mimi://a.example/u/alice"), noProfile); err != ErrStopped {
		t.Errorf("AddUser: got %v, want ErrStopped", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

// TestRetryAfter reads both forms (RFC 9110, Section 10.2.3).
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, "-1": 0, "soon": 0, "99999999999999": 0,
		"Sat, 25 Apr 2026 12:00:30 GMT": 30 * time.Second, "Sat, 25 Apr 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(in, now); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}

// TestHandler serves a provider by a server that is not its own.
func TestHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example")
	p := w.providers["a.example"]
	s := &http.Server{Handler: p.Handler(), TLSConfig: p.TLS()}
	l := w.net.listen("a.example")
	go func() { _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = s.Close() })
	for path, want := range map[string]int{mimi.DirectoryPath: 200, "/notify/x": 401} {
		r := must(http.NewRequest("POST", "https://a.example"+path, nil))
		if want == 200 {
			r.Method = "GET"
		}
		resp, err := w.client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
}
