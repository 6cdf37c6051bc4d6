package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/bhttp"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/ohttp"
)

// serveAssets runs an asset server of a host, which says who asked it.
func (w *world) serveAssets(host string) *[]string {
	asked := new([]string)
	mux := http.NewServeMux()
	mux.HandleFunc("/photo", func(rw http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, fmt.Sprintf("%s certificates=%d from=%q cookie=%q", r.Host, len(r.TLS.PeerCertificates), r.Header.Get("From"), r.Header.Get("Cookie")))
		_, _ = io.WriteString(rw, "pixels")
	})
	mux.HandleFunc("/elsewhere", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "https://inside.example/secret", http.StatusFound)
	})
	mux.HandleFunc("/large", func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write(make([]byte, 2000))
	})
	mux.HandleFunc("/endless", func(rw http.ResponseWriter, _ *http.Request) {
		for range 20 {
			_, _ = rw.Write(make([]byte, 100))
			_ = http.NewResponseController(rw).Flush()
		}
	})
	s := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{w.ca.issue(host)}, ClientAuth: tls.RequestClientCert}}
	l := w.net.listen(host)
	go func() { _ = s.ServeTLS(l, "", "") }()
	w.Cleanup(func() { _ = s.Close() })
	return asked
}

// newAssetWorld is a hub a.example, b.example that downloads, and the asset server of
// c.example.
func newAssetWorld(t *testing.T) (*world, *device, *[]string) {
	w := newWorld(t, func(c *Config) { c.Limits.Asset = 1000 }, "a.example", "b.example")
	return w, w.device("bob/B1"), w.serveAssets("assets.c.example")
}

// TestProxyDownload is Download using a hub proxy, and what the hub refuses to be used
// for.
func TestProxyDownload(t *testing.T) {
	t.Parallel()
	w, b1, asked := newAssetWorld(t)
	w.serveAssets("inside.example")
	for _, tt := range []struct {
		name, hub, url string
		status         int
		says           string // the asset, or the reason
	}{
		{"an asset", "a.example", "https://assets.c.example/photo", 0, "pixels"},
		{"by the own hub", "b.example", "https://assets.c.example/photo", 0, "pixels"},
		{"no such asset", "a.example", "https://assets.c.example/none", 404, "no such asset"},
		{"a redirect", "a.example", "https://assets.c.example/elsewhere", 502, "says 302"},
		{"too large", "a.example", "https://assets.c.example/large", 502, "at most 1000"},
		{"a host that is listed nowhere", "a.example", "https://inside.example/secret", 403, "no assets of a peer"},
		{"the hub itself", "a.example", "https://a.example/photo", 403, "no assets of a peer"},
		{"another port", "a.example", "https://assets.c.example:8443/photo", 403, "without user and port"},
		{"a host that is down", "a.example", "https://assets.b.example/photo", 502, "can't be reached"},
		{"no https", "a.example", "http://assets.c.example/photo", 400, "https"},
		{"an address", "a.example", "https://127.0.0.1/photo", 400, "mimi"},
		{"no peer", "d.example", "https://assets.c.example/photo", 403, "no peer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := b1.conn.Download(t.Context(), tt.hub, tt.url)
			if tt.status != 0 {
				refusedWith(t, err, tt.status, tt.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			if got := string(must(io.ReadAll(body))); got != tt.says {
				t.Errorf("got %q, want %q", got, tt.says)
			}
		})
	}
	if len(*asked) != 2 || (*asked)[0] != `assets.c.example certificates=0 from="" cookie=""` {
		t.Errorf("the asset server was asked %q, want twice, and told nothing", *asked)
	}
	for _, address := range w.net.dials {
		if strings.HasPrefix(address, "inside.") {
			t.Error("a connection to inside.example")
		}
	}
	body, err := b1.conn.Download(t.Context(), "a.example", "https://assets.c.example/endless")
	if err == nil { // else none of it was under way yet
		_, err = io.ReadAll(body)
		body.Close()
	}
	if err == nil {
		t.Error("an asset that is too long was taken")
	}
	// A download is under way until it is closed.
	underWay := func() int {
		f := &w.providers["b.example"].follower
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.underWay[b1.uri]
	}
	body = must(b1.conn.Download(t.Context(), "a.example", "https://assets.c.example/photo"))
	before := underWay()
	body.Close()
	if after := underWay(); before != 1 || after != 0 {
		t.Errorf("%d downloads under way before it is closed and %d after, want 1 and 0", before, after)
	}
}

// TestOblivious is Download using Oblivious HTTP: through b.example as the relay and
// a.example as the gateway.
func TestOblivious(t *testing.T) {
	t.Parallel()
	w, b1, asked := newAssetWorld(t)
	suite := b1.cfg.Suite
	for _, hub := range []string{"a.example", "b.example"} {
		keys, err := b1.conn.GatewayKeys(t.Context(), hub)
		if err != nil {
			t.Fatal(err)
		}
		config := must(ohttp.ParseKeys(keys))[0]
		get := func(method, authority, path string) (int, string) {
			q := &bhttp.Request{Method: method, Scheme: "https", Authority: authority, Path: path}
			q.Header = []bhttp.Field{{Name: "cookie", Value: "me"}}
			encapsulated, pending, err := ohttp.Encapsulate(suite, config, must(q.Marshal()))
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := b1.conn.Oblivious(t.Context(), hub, encapsulated)
			if err != nil {
				t.Fatal(err)
			}
			resp := must(bhttp.ParseResponse(must(pending.Open(sealed))))
			return resp.Status, string(resp.Content)
		}
		for _, tt := range []struct {
			method, authority, path string
			status                  int
			says                    string
		}{
			{"GET", "assets.c.example", "/photo", 200, "pixels"},
			{"GET", "assets.c.example", "/endless", 502, "too long"},
			{"GET", "inside.example", "/secret", 403, "no assets of a peer"},
			{"GET", "user@assets.c.example", "/photo", 403, "without user"},
			{"POST", "assets.c.example", "/photo", 405, "want GET"},
		} {
			if status, got := get(tt.method, tt.authority, tt.path); status != tt.status || !strings.Contains(got, tt.says) {
				t.Errorf("%s: %s %s%s: got %d %q, want %d that says %q", hub, tt.method, tt.authority, tt.path, status, got, tt.status, tt.says)
			}
		}
		_, err = b1.conn.Oblivious(t.Context(), hub, []byte("nonsense"))
		if err == nil {
			t.Errorf("%s: nonsense was taken", hub)
		}
	}
	for _, a := range *asked {
		if !strings.Contains(a, `cookie=""`) {
			t.Errorf("the target was told %s", a)
		}
	}
	c := w.client(w.ca.issue("b.example"))
	post := func(from, media string, body []byte) (int, string) {
		r := must(http.NewRequestWithContext(t.Context(), "POST", "https://a.example"+gatewayPath, bytes.NewReader(body)))
		r.Header.Set("Content-Type", media)
		r.Header.Set("From", from)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, string(must(io.ReadAll(resp.Body)))
	}
	unknown := append([]byte{9, 0, 32, 0, 1, 0, 1}, make([]byte, 64)...)
	for _, tt := range []struct {
		name, from, media string
		body              []byte
		status            int
		says              string
	}{
		{"another's name", "mimi@c.example", ohttp.MediaTypeRequest, nil, 403, "not for c.example"},
		{"another type", "mimi@b.example", mimi.MediaType, nil, 415, "want message/ohttp-req"},
		{"unknown key", "mimi@b.example", ohttp.MediaTypeRequest, unknown, 400, "http-problem-types#ohttp-key"},
		{"too short", "mimi@b.example", ohttp.MediaTypeRequest, []byte{1}, 400, "malformed"},
	} {
		if status, got := post(tt.from, tt.media, tt.body); status != tt.status || !strings.Contains(got, tt.says) {
			t.Errorf("%s: got %d %q, want %d that says %q", tt.name, status, got, tt.status, tt.says)
		}
	}
}

// TestDirectories holds how a peer's directory is used: fetched once, forgotten when an
// endpoint is not where it was, and kept to the provider's own hosts.
func TestDirectories(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example")
	peer := &fakePeer{base: "https://b.example/v1"}
	w.run("b.example", peer)
	p := w.providers["a.example"]
	e, _ := mimi.FindEndpoint(mimi.EndpointRequestConsent)
	ask := func() error {
		_, err := p.request(t.Context(), "b.example", e, "mimi://b.example/u/bob", []byte("body"))
		return err
	}
	for range 3 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if peer.directories != 1 {
		t.Errorf("fetched the directory %d times, want once", peer.directories)
	}
	if want := "POST /v1/requestConsent/b.example b.example mimi@a.example application/octet-stream body"; peer.last != want {
		t.Errorf("got %q, want %q", peer.last, want)
	}
	peer.status = 404
	refusedWith(t, ask(), 404, "status 404")
	peer.status = 0
	if err := ask(); err != nil || peer.directories != 2 {
		t.Errorf("got %v and %d directories, want another", err, peer.directories)
	}
	peer.status = 307
	refusedWith(t, ask(), 307, "status 307")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.request(ctx, "b.example", e, "b.example", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}

	p.peers.byDomain["b.example"].forget()
	peer.base = "https://c.example/v1"
	if err := ask(); err == nil || !strings.Contains(err.Error(), "want a host of the provider") {
		t.Errorf("a directory that names another's host: got %v", err)
	}
	w.run("c.example", &fakePeer{base: "https://c.example", cert: w.ca.issue("b.example")})
	if _, err := p.request(t.Context(), "c.example", e, "c.example", nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of another: got %v", err)
	}
}

// fakePeer is a provider that says yes to everything, or a status code.
type fakePeer struct {
	base        string
	cert        tls.Certificate
	status      int
	header      map[string]string
	directories int
	last        string
}

func (f *fakePeer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == mimi.DirectoryPath {
		f.directories++
		d := must(mimi.NewDirectory(f.base))
		_, _ = w.Write(must(d.MarshalJSON()))
		return
	}
	f.last = strings.Join([]string{r.Method, r.URL.EscapedPath(), r.Host, r.Header.Get("From"), r.Header.Get("Content-Type"), string(must(io.ReadAll(r.Body)))}, " ")
	for k, v := range f.header {
		w.Header().Set(k, v)
	}
	if f.status == 307 {
		w.Header().Set("Location", "https://b.example/v1/elsewhere")
	}
	if f.status == 0 {
		w.WriteHeader(http.StatusCreated)
		return
	}
	w.WriteHeader(f.status)
}

// run runs a handler in place of a provider.
func (w *world) run(domain string, f *fakePeer) {
	if f.cert.Leaf == nil {
		f.cert = w.ca.issue(domain)
	}
	s := &http.Server{Handler: f, TLSConfig: &tls.Config{Certificates: []tls.Certificate{f.cert}, ClientAuth: tls.RequireAnyClientCert}}
	l := w.net.listen(domain)
	go func() { _ = s.ServeTLS(l, "", "") }()
	w.Cleanup(func() { _ = s.Close() })
}
