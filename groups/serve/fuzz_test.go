package serve

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// FuzzServer has a peer ask for anything at any place. Whatever it is, the provider goes
// on, and it is never the provider who is wrong.
func FuzzServer(f *testing.F) {
	w := newWorld(f, nil, "a.example", "b.example")
	a1, b1 := w.device("alice/A1"), w.device("bob/B1")
	w.check(a1.create())
	w.check(a1.add(b1.user))
	b1.until(1)
	room := "/" + mimi.Escape(clubhouse.String())
	f.Add("POST", "/submitMessage"+room, must(wire.Marshal(b1.newMessage("hello"))))
	for _, e := range mimi.Endpoints {
		path := e.Path[:strings.IndexByte(e.Path, '{')]
		for _, v := range []string{clubhouse.String(), a1.user.String(), "a.example", "https://assets.b.example/photo", "mimi://b.example/r/lounge"} {
			f.Add(e.Method, path+mimi.Escape(v), []byte{1, 0, 0})
		}
	}
	f.Add("GET", mimi.DirectoryPath, []byte{})
	f.Add("POST", gatewayPath, make([]byte, 80))
	cert := w.ca.issue("b.example").Leaf
	p := w.providers["a.example"]
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		r := httptest.NewRequest("POST", "https://a.example/", bytes.NewReader(body))
		u, err := r.URL.Parse(path)
		if err != nil || method == "" {
			return
		}
		r.Method, r.URL, r.Host = method, u, "a.example"
		r.Header.Set("From", "mimi@b.example")
		r.Header.Set("Content-Type", "message/ohttp-req")
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
		rec := httptest.NewRecorder()
		p.handler.ServeHTTP(rec, r)
		if rec.Code == 500 || rec.Code == 503 || p.Err() != nil {
			t.Fatalf("%s %q: got %d %s, and %v", method, path, rec.Code, rec.Body, p.Err())
		}
	})
}
