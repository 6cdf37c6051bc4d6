package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
)

// partnerHost is a partner's media host on the loopback interface, whose users' tokens are
// their names.
func partnerHost(t testing.TB, limits MediaLimits) (*httptest.Server, *PartnerMedia) {
	t.Helper()
	s, err := blob.Open(blob.Config{Dir: t.TempDir(), MaxMedium: 1 << 20, PerOwner: 3 << 20})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	p, err := NewPartnerMedia(PartnerMediaConfig{Store: s, Limits: limits, User: func(r *http.Request) (string, error) {
		user, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || user == "nobody" {
			return "", errors.New("unknown")
		}
		return user, nil
	}})
	must(t, err)
	srv := httptest.NewUnstartedServer(p)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv, p
}

// ask makes a request and returns the status and the body.
func ask(t *testing.T, c *http.Client, method, url string, body io.Reader, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	must(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(b)
}

// shapedBytes are of the length of a ciphertext of n bytes.
func shapedBytes(n int) []byte {
	return bytes.Repeat([]byte("0123456789abcdef!"), n/16+2)[:dma.MediaCiphertext(uint64(n))]
}

// TestPartnerMedia: what a partner's user uploads is served by its reference, and what is no
// upload is refused with a reason.
func TestPartnerMedia(t *testing.T) {
	t.Parallel()
	srv, _ := partnerHost(t, MediaLimits{})
	c := srv.Client()
	b := shapedBytes(100_000)
	code, text := ask(t, c, "POST", srv.URL+"/", bytes.NewReader(b), "Authorization", "Bearer bob")
	var up uploaded
	if err := json.Unmarshal([]byte(text), &up); code != 201 || err != nil || up.Ref == "" {
		t.Fatalf("status %d, %q, want 201 and a reference", code, text)
	}
	if code, got := ask(t, c, "GET", srv.URL+"/"+up.Ref, nil); code != 200 || got != string(b) {
		t.Errorf("status %d, %d bytes, want 200 and %d", code, len(got), len(b))
	}
	if code, got := ask(t, c, "GET", srv.URL+"/"+up.Ref, nil, "Range", "bytes=99990-"); code != 206 || got != string(b[99990:]) {
		t.Errorf("a range: status %d, %d bytes", code, len(got))
	}
	if code, got := ask(t, c, "HEAD", srv.URL+"/"+up.Ref, nil); code != 200 || got != "" {
		t.Errorf("HEAD: status %d, %d bytes", code, len(got))
	}
	for _, tt := range []struct {
		name, method, path, bearer string
		body                       io.Reader
		code                       int
		says                       string
	}{
		{"no token", "POST", "/", "", bytes.NewReader(b), 401, "want the proof"},
		{"nobody's token", "POST", "/", "nobody", bytes.NewReader(b), 401, "want the proof"},
		{"not encrypted", "POST", "/", "bob", strings.NewReader("hello"), 400, "not of the length of a ciphertext"},
		{"not encrypted, in chunks", "POST", "/", "bob", chunked{strings.NewReader("hello")}, 400, "not of the length of a ciphertext"},
		{"too large", "POST", "/", "bob", bytes.NewReader(shapedBytes(1<<20 + 16)), 413, "want at most"},
		{"too large, in chunks", "POST", "/", "bob", chunked{bytes.NewReader(shapedBytes(1<<20 + 16))}, 413, "want at most"},
		{"no such reference", "GET", "/" + strings.Repeat("a", 32), "", nil, 404, "no such medium"},
		{"a way out", "GET", "/..%2f..%2fkeys.json", "", nil, 404, ""},
		{"a longer way out", "GET", "/%2e%2e/%2e%2e/keys.json", "", nil, 404, ""},
		{"another method", "PUT", "/" + up.Ref, "bob", bytes.NewReader(b), 405, ""},
	} {
		var h []string
		if tt.bearer != "" {
			h = []string{"Authorization", "Bearer " + tt.bearer}
		}
		if code, text := ask(t, c, tt.method, srv.URL+tt.path, tt.body, h...); code != tt.code || !strings.Contains(text, tt.says) {
			t.Errorf("%s: status %d, %q; want %d, %q", tt.name, code, text, tt.code, tt.says)
		}
	}
	full := 0
	for range 3 {
		code, text := ask(t, c, "POST", srv.URL+"/", bytes.NewReader(shapedBytes(1<<20)), "Authorization", "Bearer carol")
		if code == http.StatusInsufficientStorage && strings.Contains(text, "room is used up") {
			full++
		}
	}
	if full != 1 {
		t.Errorf("%d of 3 MiB that did not fit beside 3 times 26 bytes, want 1", full)
	}
}

// chunked is a body whose length is not announced.
type chunked struct{ io.Reader }

// TestMediaSlow: an upload that stalls is ended, counts for its user alone, and leaves room for
// others meanwhile.
func TestMediaSlow(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		srv, p := partnerHost(t, MediaLimits{Transfers: 3, PerUser: 2, Stall: 2 * time.Second})
		c := srv.Client()
		if version == "HTTP/1.1" {
			c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
			c.Transport.(*http.Transport).TLSClientConfig.NextProtos = []string{"http/1.1"}
		}
		var open []*io.PipeWriter
		slow := func(user string) chan string {
			r, w := io.Pipe()
			open = append(open, w)
			req, err := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/", r)
			must(t, err)
			req.Header.Set("Authorization", "Bearer "+user)
			ended := make(chan string, 1)
			n := p.transfers.count()
			go func() {
				resp, err := c.Do(req)
				if err != nil {
					ended <- err.Error()
					return
				}
				_ = resp.Body.Close()
				ended <- fmt.Sprint(resp.Proto, " ", resp.StatusCode)
			}()
			_, _ = w.Write([]byte("half"))
			for p.transfers.count() == n && len(ended) == 0 {
				time.Sleep(time.Millisecond)
			}
			return ended
		}
		first, second := slow("bob"), slow("bob")
		third := slow("bob")
		if got := <-third; got != version+" 503" {
			t.Errorf("%s: a third of one user: %s, want 503", version, got)
		}
		if code, text := ask(t, c, "POST", srv.URL+"/", bytes.NewReader(shapedBytes(10)), "Authorization", "Bearer carol"); code != 201 {
			t.Errorf("%s: another user meanwhile: status %d, %s", version, code, text)
		}
		for p.transfers.count() != 0 { // which the host sees to, while the clients hold on
			time.Sleep(time.Millisecond)
		}
		for _, w := range open {
			_ = w.Close()
		}
		for _, ended := range []chan string{first, second} {
			if got := <-ended; strings.HasSuffix(got, " 201") {
				t.Errorf("%s: a stalled one: %s", version, got)
			}
		}
		if k := p.cfg.Store.Kept(); k.Media != 1 {
			t.Errorf("%s: kept %+v, want 1", version, k)
		}
	}
}
