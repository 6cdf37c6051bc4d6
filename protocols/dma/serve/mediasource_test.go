package serve

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// TestMediaSource: what a partner's host may answer, and what becomes of it: the client is
// told, or has an answer that breaks off, and others have their media meanwhile.
func TestMediaSource(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	t.Cleanup(other.Close)
	m := newMediaWorld(t, func(c *Config) { c.Media.Limits = MediaLimits{Stall: 500 * time.Millisecond} })
	alice := m.phone(number, m.own)
	whole := shapedBytes(100_000)
	partly := func(contentRange string, b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(b)
		}
	}
	length := func(n int, b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(n))
			_, _ = w.Write(b)
		}
	}
	const broken = 0 // the answer breaks off
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		ranges  string
		code    int
		says    string
		wantLen int
	}{
		{"the medium", length(len(whole), whole), "", 200, "", len(whole)},
		{"the medium, in chunks", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(whole)
		}, "", 200, "", len(whole)},
		{"a range", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(whole))
		}, "bytes=10-19", 206, "", 10},
		{"no range after all", length(len(whole), whole), "bytes=10-19", 200, "", len(whole)},
		{"several ranges", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(whole))
		}, "bytes=1-2,5-6", 200, "", len(whole)},
		{"not there", http.NotFound, "", 404, "no such medium", -1},
		{"gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, "", 404, "no such medium", -1},
		{"failing", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "a secret", 500) }, "", 502, "status is none of", -1},
		{"wants to know who asks", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "", 502, "status is none of", -1},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }, "", 502, "it redirects", -1},
		{"redirect to itself", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/media/x", http.StatusTemporaryRedirect)
		}, "", 502, "it redirects", -1},
		{"too large", length(16<<20+42, nil), "", 502, "larger than a medium may be", -1},
		{"no ciphertext", length(5, []byte("hello")), "", 502, "not of the length of a ciphertext", -1},
		{"an endless body", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(whole); err != nil {
					return
				}
			}
		}, "", broken, "", -1},
		{"less than it says", length(len(whole), whole[:5000]), "", broken, "", -1},
		{"never answering", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", 504, "sends nothing for too long", -1},
		{"stops in the middle", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
			_, _ = w.Write(whole[:50_000])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "", broken, "", -1},
		{"a range that nobody asked for", partly("bytes 0-25/26", whole[:26]), "", 502, "another range", -1},
		{"another range", partly("bytes 0-9/26", whole[:10]), "bytes=10-19", 502, "another range", -1},
		{"a range of no length", partly("bytes 10-19/*", whole[:10]), "bytes=10-19", 502, "another range", -1},
		{"a range of something too large", partly("bytes 10-19/99999999999999", whole[:10]), "bytes=10-19", 502, "larger than", -1},
		{"a range of another size", partly("bytes 10-19/26", whole[:9]), "bytes=10-19", 502, "another range", -1},
		{"a huge header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 50<<10))
		}, "", 502, "media host", -1},
	} {
		m.instead(tt.answer)
		r, err := http.NewRequestWithContext(m.ctx, "GET", "https://"+m.https+"/interop/whatsapp/download/1/x/", nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+alice.auth())
		if tt.ranges != "" {
			r.Header.Set("Range", tt.ranges)
		}
		resp, err := m.client().Do(r)
		if err != nil {
			if tt.code != broken {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		switch {
		case tt.code == broken && err == nil:
			t.Errorf("%s: %d bytes to the end, want it to break off", tt.name, len(b))
		case tt.code == broken:
		case err != nil || resp.StatusCode != tt.code || !strings.Contains(string(b), tt.says) || tt.wantLen >= 0 && len(b) != tt.wantLen:
			t.Errorf("%s: status %d, %d bytes %.100q, %v; want %d, %q", tt.name, resp.StatusCode, len(b), b, err, tt.code, tt.says)
		case strings.Contains(string(b), "secret"):
			t.Errorf("%s: what the partner says is passed on", tt.name)
		case resp.StatusCode < 300 && (resp.Header.Get("Content-Type") != "application/octet-stream" || resp.Header.Get("X-Content-Type-Options") != "nosniff"):
			t.Errorf("%s: headers %v", tt.name, resp.Header)
		}
	}
	if len(asked) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestMediaSourceElsewhere: a partner's URL leads to no address of the gatekeeper's own
// networks, whatever its name resolves to, and to nobody whose certificate is not good.
func TestMediaSourceElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		set  func(*MediaSource)
		says string
	}{
		{"loopback", func(s *MediaSource) { s.Private = false }, "want a public address"},
		{"loopback by name", func(s *MediaSource) {
			s.Private, s.Base = false, strings.Replace(s.Base, "127.0.0.1", "localhost", 1)
		}, "want a public address"},
		{"metadata of a cloud", func(s *MediaSource) { s.Private, s.Base = false, "https://169.254.169.254/latest" }, "want a public address"},
		{"another authority", func(s *MediaSource) { s.Roots = x509.NewCertPool() }, "certificate is not good"},
	} {
		m := newMediaWorld(t, func(c *Config) { tt.set(c.Partners[0].Media) })
		m.instead(func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the partner was asked", tt.name) })
		alice := m.phone(number, m.own)
		code, text := ask(t, m.client(), "GET", "https://"+m.https+"/interop/whatsapp/download/1/x/", nil, "Authorization", "Bearer "+alice.auth())
		if code != 502 || !strings.Contains(text, tt.says) {
			t.Errorf("%s: status %d, %q; want 502, %q", tt.name, code, text, tt.says)
		}
	}
	for _, base := range []string{"", "http://partner.example", "https://", "https://a@partner.example", "https://partner.example?x", "https://partner.example#x", "ftp://partner.example"} {
		if _, err := newSource(MediaSource{Base: base}, MediaLimits{}.orDefault(), 1); err == nil {
			t.Errorf("%q is taken for a base", base)
		}
	}
}

// TestMediaRevoked: the end of an agreement ends the transfers under way, both ways, and lets
// none begin; those of others go on.
func TestMediaRevoked(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, nil)
	alice, bob := m.pair()
	carol := m.phone("4915100000009", m.own)
	native, partner := alice.give(bob, picture(16<<20)), bob.give(alice, picture(16<<20))
	between := alice.give(carol, picture(16<<20))
	begin := func(p *phone, c *dma.Content) (read func() (int64, error)) {
		r, err := http.NewRequestWithContext(m.ctx, "GET", "https://"+m.https+c.Media.Ref, nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+p.auth())
		resp, err := m.client().Do(r)
		must(t, err)
		if resp.StatusCode != 200 {
			t.Fatalf("status %d", resp.StatusCode)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return func() (int64, error) { return io.Copy(io.Discard, resp.Body) }
	}
	down, up, own := begin(bob, native), begin(alice, partner), begin(carol, between)
	bobsAuth, alicesAuth := bob.auth(), alice.auth()
	must(t, m.gk.Agree(m.ctx, 1, false))
	for name, read := range map[string]func() (int64, error){"what the partner's user gets": down, "what the partner hosts": up} {
		if n, err := read(); err == nil {
			t.Errorf("%s: %d bytes to the end, want it to break off", name, n)
		}
	}
	if n, err := own(); err != nil || uint64(n) != between.Media.Size {
		t.Errorf("between two native users: %d bytes, %v", n, err)
	}
	for _, tt := range []struct{ name, path, auth string }{
		{"what the partner's user gets", native.Media.Ref, bobsAuth},
		{"what the partner hosts", partner.Media.Ref, alicesAuth},
	} {
		code, text := ask(t, m.client(), "GET", "https://"+m.https+tt.path, nil, "Authorization", "Bearer "+tt.auth)
		if code != 403 || !strings.Contains(text, "agreement") {
			t.Errorf("%s, afterwards: status %d, %q; want 403", tt.name, code, text)
		}
	}
	m.gk.media.transfers.mu.Lock()
	left := len(m.gk.media.transfers.running)
	m.gk.media.transfers.mu.Unlock()
	if left > 1 {
		t.Errorf("%d transfers are left", left)
	}
}

// TestMediaBounded: a partner whose host never answers takes no more than its places, one user
// no more than a user's, and neither is in the way of messages and of others' media.
func TestMediaBounded(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, func(c *Config) {
		c.Media.Limits = MediaLimits{Transfers: 8, PerPartner: 3, PerUser: 2}
	})
	alice, bob := m.pair()
	native := alice.give(bob, picture(1000))
	reached := make(chan struct{}, 100)
	m.instead(func(_ http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		<-r.Context().Done()
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	get := func(p *phone) (wait func() int) {
		codes := make(chan int, 1)
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+m.https+"/interop/whatsapp/download/1/x/", nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+p.auth())
		c := m.client()
		wg.Go(func() {
			resp, err := c.Do(r)
			if err != nil {
				codes <- -1
				return
			}
			_ = resp.Body.Close()
			codes <- resp.StatusCode
		})
		return func() int { return <-codes }
	}
	carol := m.phone("4915100000009", m.own)
	dave := m.phone("4915100000010", m.own)
	for _, p := range []*phone{alice, alice, carol} {
		get(p)
		<-reached
	}
	if code := get(alice)(); code != 503 {
		t.Errorf("a third of one user: status %d, want 503", code)
	}
	if code := get(dave)(); code != 503 {
		t.Errorf("a fourth at one partner: status %d, want 503", code)
	}
	alice.send(bob, "meanwhile")
	bob.want(alice, "meanwhile")
	if got, err := bob.save(native); err != nil || len(got) != 1000 {
		t.Errorf("a medium meanwhile: %d bytes, %v", len(got), err)
	}
	if len(reached) != 0 {
		t.Errorf("%d more requests at the partner", len(reached))
	}
	m.gk.media.transfers.close(ErrStopped)
}

// TestMediaHalf: the users of one partner, however many and slow, leave half of the places to
// others.
func TestMediaHalf(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, func(c *Config) { c.Media.Limits = MediaLimits{Transfers: 4} })
	alice, bob := m.pair()
	carol := m.phone("carol@partner.example", m.partner)
	c := alice.give(bob, picture(16<<20))
	get := func(p *phone) int {
		r, err := http.NewRequestWithContext(m.ctx, "GET", "https://"+m.https+c.Media.Ref, nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+p.auth())
		resp, err := m.client().Do(r)
		must(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() }) // it is not read
		return resp.StatusCode
	}
	for i, tt := range []struct {
		p    *phone
		code int
	}{{bob, 200}, {carol, 200}, {carol, 503}, {bob, 503}, {alice, 200}} {
		if code := get(tt.p); code != tt.code {
			t.Errorf("download %d: status %d, want %d", i, code, tt.code)
		}
	}
}

// TestMediaSlowPeers: a client that sends or reads slowly is served, whatever the server's own
// deadlines for requests are.
func TestMediaSlowPeers(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		_, p := partnerHost(t, MediaLimits{Stall: 2 * time.Second})
		b := shapedBytes(1 << 20)
		srv := httptest.NewUnstartedServer(p)
		srv.EnableHTTP2 = http2
		srv.Config.ReadTimeout, srv.Config.WriteTimeout = time.Second, time.Second
		srv.StartTLS()
		t.Cleanup(srv.Close)
		c := srv.Client()
		c.Transport.(*http.Transport).HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 64 << 10}
		code, text := ask(t, c, "POST", srv.URL+"/", &slowly{bytes.NewReader(b)}, "Authorization", "Bearer bob")
		var up uploaded
		if err := json.Unmarshal([]byte(text), &up); code != http.StatusCreated || err != nil {
			t.Fatalf("HTTP/2 %t: sent slowly: status %d, %q", http2, code, text)
		}
		resp, err := c.Get(srv.URL + "/" + up.Ref)
		must(t, err)
		got, err := io.ReadAll(&slowly{resp.Body})
		_ = resp.Body.Close()
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("HTTP/2 %t: read slowly: %d bytes, %v, want %d", http2, len(got), err, len(b))
		}
	}
}

// slowly reads 64 KiB at most, and not at once.
type slowly struct{ r io.Reader }

func (s *slowly) Read(b []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return s.r.Read(b[:min(len(b), 64<<10)])
}

// FuzzRange: what is read of a range is written the same, and fits itself.
func FuzzRange(f *testing.F) {
	f.Add("bytes=0-", "bytes 0-25/26")
	f.Add("bytes=-10", "bytes 16-25/26")
	f.Add("bytes=5-7", "bytes 5-7/26")
	f.Add("bytes=1-2,3-4", "bytes */26")
	f.Fuzz(func(t *testing.T, s, content string) {
		r := parseRange(s)
		if r.given && parseRange(r.String()) != r {
			t.Errorf("%q is %+v", s, r)
		}
		from, to, total, ok := parseContentRange(content)
		if ok && (from < 0 || from > to || to >= total) {
			t.Errorf("%q is %d to %d of %d", content, from, to, total)
		}
		if ok && r.given && r.fits(from, to, total) && r.suffix == 0 && from != r.from {
			t.Errorf("%q is an answer to %q", content, s)
		}
	})
}
