package serve

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
)

// TestHTTPVersions: the enlistment server speaks HTTP/1.1 and HTTP/2 over TLS 1.3, and
// nothing older.
func TestHTTPVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, tt := range []struct {
		protos []string
		two    bool
	}{{[]string{"h2"}, true}, {[]string{"http/1.1"}, false}, {nil, false}} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots, NextProtos: tt.protos}, ForceAttemptHTTP2: tt.two, Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP1(!tt.two)
		tr.Protocols.SetHTTP2(tt.two)
		f := &enlist.Form{Identifier: "bob", Token: w.partner.token("bob", time.Hour), Version: enlist.Version, SignedPreKeyID: 1}
		body, err := enlist.Names{}.Encode(f)
		must(t, err)
		resp, err := (&http.Client{Transport: tr}).Post("https://"+w.https+enlist.Path, enlist.ContentType, bytes.NewReader(body))
		must(t, err)
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		_ = resp.Body.Close()
		tr.CloseIdleConnections()
		want := 1
		if tt.two {
			want = 2
		}
		a, err := enlist.ParseAnswer(text)
		if err != nil || a.Reason != "" || resp.ProtoMajor != want || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%v: %s, TLS %#x, %s, %v", tt.protos, resp.Proto, resp.TLS.Version, text, err)
		}
	}
	for version := uint16(tls.VersionTLS10); version < tls.VersionTLS13; version++ {
		c, err := tls.Dial("tcp", w.https, &tls.Config{RootCAs: w.roots, MinVersion: version, MaxVersion: version})
		if err == nil {
			_ = c.Close()
			t.Errorf("TLS %#x is spoken", version)
		}
	}
}

// TestSlowHTTP2: a body that does not come takes no place from others in HTTP/2 either,
// and its stream ends in time.
func TestSlowHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.RequestTimeout, c.Limits.Enlistments = 3*time.Second, 1 })
	r, end := io.Pipe()
	defer func() { _ = end.Close() }()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, "https://"+w.https+enlist.Path, r)
	must(t, err)
	req.Header.Set("Content-Type", enlist.ContentType)
	answered := make(chan string, 1)
	go func() {
		resp, err := tr.RoundTrip(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answered <- string(text)
	}()
	w.enlist("bob", w.partner)
	if got := <-answered; got == "" || bytes.Contains([]byte(got), []byte(`"ok"`)) {
		t.Errorf("the slow one got %q", got)
	}
}
