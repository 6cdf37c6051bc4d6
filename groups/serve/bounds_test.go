package serve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// TestShortBodies holds that a body which would be read as very many short elements is
// not read at all.
func TestShortBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example")
	for _, tt := range []struct {
		name  mimi.EndpointName
		value string
		most  int
	}{
		{mimi.EndpointKeyMaterial, "mimi://a.example/u/alice", 64 << 10},
		{mimi.EndpointGroupInfo, clubhouse.String(), 64 << 10},
		{mimi.EndpointRequestConsent, "a.example", 64 << 10},
		{mimi.EndpointUpdateConsent, "a.example", 1 << 20},
		{mimi.EndpointIdentifierQuery, "a.example", 64 << 10},
		{mimi.EndpointNotify, lounge.String(), 16 << 20},
		{mimi.EndpointUpdate, clubhouse.String(), 16 << 20},
		{mimi.EndpointSubmitMessage, clubhouse.String(), 16 << 20},
		{mimi.EndpointReportAbuse, clubhouse.String(), 16 << 20},
	} {
		if got := w.askBytes("a.example", "b.example", tt.name, tt.value, make([]byte, tt.most+1)).Code; got != 413 {
			t.Errorf("%s of %d bytes: got %d, want 413", tt.name, tt.most+1, got)
		}
		if got := w.askBytes("a.example", "b.example", tt.name, tt.value, make([]byte, tt.most)).Code; got == 413 {
			t.Errorf("%s of %d bytes: got 413", tt.name, tt.most)
		}
	}
}

// TestBytesOfOnePeer holds that the bodies of one peer that are under way are bounded
// together, those that do not say their length by what they may have.
func TestBytesOfOnePeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Body, c.Limits.PeerBytes = 1000, 1500 }, "a.example")
	s := w.providers["a.example"].handler
	release := must(s.reserve("b.example", 1000))
	ask := func(from string, length int64) int {
		r := peerRequest(w.certificate(from), "POST", pathOf(mimi.EndpointNotify, lounge.String()), make([]byte, max(length, 1)))
		r.ContentLength, r.Host = length, "a.example"
		r.Header.Set("From", mimi.From(from))
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		return rec.Code
	}
	if got := ask("b.example", 500); got == 429 {
		t.Error("500 bytes beside 1000: got 429")
	}
	for _, length := range []int64{501, -1} {
		if got := ask("b.example", length); got != 429 {
			t.Errorf("%d bytes beside 1000: got %d, want 429", length, got)
		}
		if got := ask("c.example", length); got == 429 {
			t.Errorf("another peer: %d bytes: got 429", length)
		}
	}
	release()
	w.idle("a.example")
}

// TestReadAll holds that a body is read as it comes, and refused if it is not as long as
// it is said to be.
func TestReadAll(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		body string
		n    int64
		err  error
	}{
		{"", 0, nil}, {"", -1, nil}, {"body", 4, nil}, {"body", -1, nil}, {"body", maxAtOnce + 1, nil},
		{"", 1, io.ErrUnexpectedEOF}, {"body", 5, io.ErrUnexpectedEOF}, {"body", 3, io.ErrUnexpectedEOF}, {"body", 0, io.ErrUnexpectedEOF},
	} {
		got, err := readAll(iotest.OneByteReader(strings.NewReader(row.body)), row.n)
		if err != row.err || err == nil && string(got) != row.body {
			t.Errorf("%q, said to have %d bytes: got %q, %v, want error %v", row.body, row.n, got, err, row.err)
		}
	}
	broken := errors.New("broken")
	if _, err := readAll(iotest.ErrReader(broken), 3); err != broken {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// TestStrangersAreForgotten holds that a provider which speaks to all does not remember
// each domain that somebody has named.
func TestStrangersAreForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.AnyPeer = true }, "a.example")
	p := w.providers["a.example"].peers
	busy := must(p.get("busy.example"))
	busy.senders.active = 1
	for i := range maxStrangers + 100 {
		must(p.get(fmt.Sprintf("d%d.example", i)))
	}
	must(p.get("b.example")) // who is listed
	if n := len(p.byDomain); n > maxStrangers+len(p.cfg.Peers)+1 {
		t.Errorf("%d are remembered, want about %d", n, maxStrangers)
	}
	if must(p.get("busy.example")) != busy {
		t.Error("one that something is sent to was forgotten")
	}
}

// slowWorld is a hub in a bubble, whose clock passes when nothing else does.
func slowWorld(t *testing.T) (*world, *tls.Conn) {
	w := newWorldOn(newNetwork(), t, nil, "a.example", "b.example")
	raw, err := w.net.dial(t.Context(), "tcp", "a.example:443")
	w.check(err)
	c := tls.Client(raw, &tls.Config{RootCAs: w.ca.pool, ServerName: "a.example", Certificates: []tls.Certificate{w.ca.issue("b.example")}})
	t.Cleanup(func() { _ = c.Close() })
	return w, c
}

// TestSlowBody holds that a body which does not arrive ends its connection.
func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := slowWorld(t)
		start := time.Now()
		_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: a.example\r\nFrom: mimi@b.example\r\nContent-Length: 1000\r\n\r\n",
			pathOf(mimi.EndpointNotify, lounge.String()))
		w.check(err)
		for range 10 {
			time.Sleep(20 * time.Second) // of the bubble's clock
			if _, err = c.Write([]byte{1}); err != nil {
				break
			}
		}
		_, _ = io.ReadAll(c)
		if took := time.Since(start); took > 2*time.Minute {
			t.Errorf("the connection lasted %v, want at most two minutes", took)
		}
		synctest.Wait()
		w.idle("a.example")
	})
}

// TestSlowReader holds that an answer which is not read is not waited for.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := slowWorld(t)
		_, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: a.example\r\nFrom: mimi@b.example\r\nContent-Length: 1\r\n\r\n0",
			pathOf(mimi.EndpointIdentifierQuery, "a.example"))
		w.check(err)
		time.Sleep(2 * time.Minute) // of the bubble's clock
		synctest.Wait()
		w.idle("a.example")
	})
}

// TestSilentTarget holds that a hub does not wait for ever for the provider of whom it
// asks key material for.
func TestSilentTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(newNetwork(), t, nil, "a.example", "b.example")
		a1, b1 := w.device("alice/A1"), w.device("bob/B1")
		w.check(a1.create())
		w.check(a1.add(b1.user))
		b1.until(1)
		silent := make(chan struct{})
		defer close(silent)
		s := &http.Server{
			Handler:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{w.ca.issue("c.example")}},
		}
		l := w.net.listen("c.example")
		go func() { _ = s.ServeTLS(l, "", "") }()
		defer s.Close()
		start := time.Now()
		rec := w.ask("a.example", "b.example", mimi.EndpointKeyMaterial, "mimi://c.example/u/cathy", b1.asking(uri("mimi://c.example/u/cathy"), mimi.URI(clubhouse), nil))
		if took := time.Since(start); rec.Code < 500 || took > time.Minute {
			t.Errorf("got %d after %v, want that the target can't be reached within a minute", rec.Code, took)
		}
	})
}

// idle checks that no request is under way.
func (w *world) idle(domain string) {
	w.Helper()
	s := w.providers[domain].handler
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total != 0 || len(s.from) != 0 || len(s.bytes) != 0 {
		w.Errorf("%d requests are under way, of %v, with %v bytes, want none", s.total, s.from, s.bytes)
	}
}
