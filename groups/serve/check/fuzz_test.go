package check

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// closed is a listener that nobody comes to.
type closed struct{}

func (closed) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (closed) Close() error              { return nil }
func (closed) Addr() net.Addr            { return &net.UnixAddr{} }

// newRun returns a run of b.example against a.example, whose answers are what answer is
// called for.
func newRun(t testing.TB, answer http.RoundTripper) *run {
	t.Helper()
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Config{
		Domain: "a.example", Peers: []Peer{{Domain: "b.example", Certificate: tls.Certificate{Certificate: [][]byte{{0}}}, Listener: closed{}}},
	}.complete()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{cfg: cfg, suite: s, sheet: verdict.New(checks)}
	if r.b, err = newPeer(r, &cfg.Peers[0], 2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.b.close)
	r.b.http = &http.Client{Transport: answer}
	return r
}

// FuzzTake gives a peer what the checked provider may send it, at every endpoint.
func FuzzTake(f *testing.F) {
	r := newRun(f, nil)
	for i := range mimi.Endpoints {
		e := &mimi.Endpoints[i]
		f.Add(uint8(i), r.subject(e.Name), r.sample(e.Name))
		f.Add(uint8(i), "mimi://a.example/r/clubhouse", r.sample(e.Name))
	}
	f.Fuzz(func(t *testing.T, i uint8, subject string, body []byte) {
		e := &mimi.Endpoints[int(i)%len(mimi.Endpoints)]
		r := newRun(t, nil)
		for range 2 { // a duplicate is taken as well
			status, _, answer := r.b.take(e, subject, body)
			if status < 200 || status > 599 {
				t.Errorf("status %d", status)
			}
			if e.Response != "" && status == e.Success[0] {
				if _, err := e.ParseResponse(answer, nil); err != nil {
					t.Errorf("the answer can't be read: %v", err)
				}
			}
		}
		r.checkInboxes()
	})
}

// canned answers every request with the same bytes.
type canned struct {
	status int
	body   string
}

func (c canned) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.Body != nil {
		_ = q.Body.Close()
	}
	return &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(c.body)), Request: q}, nil
}

// FuzzAnswers gives all stages the same answer to whatever they ask: each check has a
// verdict of it, fit for a terminal.
func FuzzAnswers(f *testing.F) {
	for _, status := range []int{200, 201, 400, 404, 500} {
		f.Add(uint16(status), []byte{}, []byte{})
		f.Add(uint16(status), []byte{1, 0, 1, 'x', 0}, []byte(`{"notify":"https://a.example/{roomId}"}`))
	}
	full, err := mimi.NewDirectory("https://a.example")
	if err != nil {
		f.Fatal(err)
	}
	doc, err := full.MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(200), []byte("\x1b[2J"), doc)
	f.Fuzz(func(t *testing.T, status uint16, body, directory []byte) {
		r := newRun(t, canned{200 + int(status)%400, string(body)})
		r.cfg.Timeout = 1 // nanosecond, of which the canned answers take none
		if d, err := mimi.ParseDirectory(directory); err == nil {
			r.directory = d
			r.checkTemplates(d)
		} else {
			r.directory = full
		}
		ctx := context.Background()
		r.checkBodies(ctx)
		r.checkIdentifierQuery(ctx)
		r.checkConsent(ctx)
		r.checkKeyMaterial(ctx)
		r.checkFollower(ctx)
		r.checkRoom(ctx)
		r.checkDownload(ctx)
		r.checkOblivious(ctx)
		for _, c := range r.report(0).Checks {
			if c.Verdict == "" || !utf8.ValidString(c.Seen) || len(c.Seen) > verdict.MaxSeen+3 || strings.ContainsAny(c.Seen, "\x1b\n\r\t") {
				t.Errorf("%s: %s %q", c.ID, c.Verdict, c.Seen)
			}
		}
	})
}
