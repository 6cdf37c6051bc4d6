package serve

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/media"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
)

// mediaWorld is a world whose gatekeeper and partner host media.
type mediaWorld struct {
	*world
	host   *PartnerMedia
	server *httptest.Server
	roots  *x509.CertPool // of the partner's host
	later  atomic.Int64   // nanoseconds by which the stores' clocks are ahead
	mu     sync.Mutex
	before http.HandlerFunc // answers in place of host, if not nil
}

func newMediaWorld(t testing.TB, set func(*Config)) *mediaWorld {
	t.Helper()
	m := &mediaWorld{}
	now := func() time.Time { return time.Now().Add(time.Duration(m.later.Load())) }
	store, err := blob.Open(blob.Config{Dir: t.TempDir(), Now: now})
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	m.host, err = NewPartnerMedia(PartnerMediaConfig{Store: store, User: func(r *http.Request) (string, error) {
		user, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return "", errors.New("nobody")
		}
		return user, nil
	}})
	must(t, err)
	m.server = httptest.NewUnstartedServer(http.StripPrefix("/media", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		before := m.before
		m.mu.Unlock()
		if before != nil {
			before(w, r)
			return
		}
		m.host.ServeHTTP(w, r)
	})))
	m.server.EnableHTTP2 = true
	m.server.StartTLS()
	t.Cleanup(m.server.Close)
	m.roots = x509.NewCertPool()
	m.roots.AddCert(m.server.Certificate())
	own, err := blob.Open(blob.Config{Dir: t.TempDir(), Now: now})
	must(t, err)
	t.Cleanup(func() { _ = own.Close() })
	m.world = newWorld(t, func(c *Config) {
		c.Media = &Media{Store: own}
		c.Partners[0].Media = &MediaSource{Base: m.server.URL + "/media", Roots: m.roots, Private: true}
		if set != nil {
			set(c)
		}
	})
	return m
}

// instead has a handler answer in place of the partner's host.
func (m *mediaWorld) instead(h http.HandlerFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = h
}

// phone makes a device that transfers media.
func (m *mediaWorld) phone(user string, i *issuer) *phone {
	m.t.Helper()
	p := m.enlist(user, i)
	p.cfg.Media = DeviceMedia{Roots: m.world.roots, Dir: m.t.TempDir(), Again: time.Millisecond, Stall: 10 * time.Second}
	if i != m.own {
		c := &PartnerMediaClient{Base: m.server.URL + "/media", Roots: m.roots, Authorize: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+user)
			return nil
		}}
		p.cfg.Media.Host = c.Put
	}
	p.open()
	return p.connect()
}

// pair returns a native user's device and that of a partner's user.
func (m *mediaWorld) pair() (alice, bob *phone) {
	return m.phone(number, m.own), m.phone("bob@partner.example", m.partner)
}

// picture is a medium of n bytes.
func picture(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// give sends a medium, and returns the message as the other one receives it.
func (p *phone) give(to *phone, b []byte) *dma.Content {
	p.w.t.Helper()
	_, err := p.SendMedia(p.w.ctx, to.Account(), Medium{Kind: dma.Image, Caption: "look", MIME: "image/png", Name: "../a.png"}, bytes.NewReader(b), nil)
	must(p.w.t, err)
	m, err := to.Receive(p.w.ctx)
	must(p.w.t, err)
	must(p.w.t, to.Taken(p.w.ctx, m))
	return &m.Content
}

// save saves the medium of a message.
func (p *phone) save(c *dma.Content) ([]byte, error) {
	var got bytes.Buffer
	err := p.SaveMedia(p.w.ctx, c, &got, nil)
	return got.Bytes(), err
}

// TestMedia: media of 16 MB go both ways, and between users of one side; neither host sees
// more than ciphertext, and the message says all of it.
func TestMedia(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, nil)
	alice, bob := m.pair()
	carol := m.phone("4915100000009", m.own)
	b := picture(16 << 20)
	for _, tt := range []struct {
		name     string
		from, to *phone
		path     string
	}{
		{"from the gatekeeper's user", alice, bob, "/v/t"},
		{"from the partner's user", bob, alice, "/interop/whatsapp/download/1/"},
		{"between two of the gatekeeper's", alice, carol, "/v/t"},
	} {
		c := tt.from.give(tt.to, b)
		if c.Kind != dma.Image || c.Text != "look" || c.Media.MIME != "image/png" || c.Media.Name != "../a.png" || c.Media.Length != 16<<20 || !strings.HasPrefix(c.Media.Ref, tt.path) {
			t.Errorf("%s: %+v", tt.name, c)
		}
		var done, total uint64
		var got bytes.Buffer
		err := tt.to.SaveMedia(m.ctx, c, &got, func(d, t uint64) { done, total = d, t })
		if err != nil || !bytes.Equal(got.Bytes(), b) || done != c.Media.Size || total != done {
			t.Errorf("%s: saved %d bytes, %v, progress %d of %d", tt.name, got.Len(), err, done, total)
		}
	}
	if _, err := alice.SendMedia(m.ctx, bob.Account(), Medium{Kind: dma.File}, bytes.NewReader(picture(16<<20+1)), nil); !errors.Is(err, ErrMediaSize) {
		t.Errorf("a byte more: got %v, want %v", err, ErrMediaSize)
	}
	if _, err := alice.SendMedia(m.ctx, bob.Account(), Medium{Kind: dma.Text}, bytes.NewReader(b), nil); err == nil {
		t.Error("a text is sent as a medium")
	}
	if s := m.gk.Stats(); s.Uploaded != 2 || s.Handed != 2 || s.Fetched != 1 || s.Unfetched != 0 {
		t.Errorf("stats: %+v", s)
	}
}

// TestMediaRestart: media and their messages survive the end of the gatekeeper, the tokens do
// not, and nobody notices.
func TestMediaRestart(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, nil)
	alice, bob := m.pair()
	c := alice.give(bob, picture(1000))
	_, err := bob.save(c)
	must(t, err)
	m.stop()
	m.start()
	if got, err := bob.save(c); err != nil || len(got) != 1000 {
		t.Errorf("saved %d bytes, %v", len(got), err)
	}
	if got, err := bob.save(alice.give(bob, picture(10))); err != nil || len(got) != 10 {
		t.Errorf("another: saved %d bytes, %v", len(got), err)
	}
}

// TestMediaTampered: what a host, or a sender, makes of a medium is found.
func TestMediaTampered(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, nil)
	alice, bob := m.pair()
	right := bob.give(alice, picture(5000))
	path, err := media.ParsePath(right.Media.Ref)
	must(t, err)
	_, file := ask(t, m.server.Client(), "GET", m.server.URL+"/media/"+path.Ref, nil)
	flip := func(i int) []byte {
		b := []byte(file)
		b[(i+len(b))%len(b)] ^= 1
		return b
	}
	for _, tt := range []struct {
		name string
		body []byte
		set  func(*dma.MediaRef, []byte)
		want error
	}{
		{"ciphertext", flip(100), nil, media.ErrHash},
		{"ciphertext and hash", flip(100), func(r *dma.MediaRef, b []byte) { r.SHA256 = sha256.Sum256(b) }, media.ErrMAC},
		{"MAC", flip(-1), nil, media.ErrHash},
		{"MAC and hash", flip(-1), func(r *dma.MediaRef, b []byte) { r.SHA256 = sha256.Sum256(b) }, media.ErrMAC},
		{"key", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Key[5]++ }, media.ErrMAC},
		{"hash of the ciphertext", []byte(file), func(r *dma.MediaRef, _ []byte) { r.SHA256[5]++ }, media.ErrHash},
		{"hash of the medium", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Plain[5]++ }, media.ErrPlain},
		{"length of the medium", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Length++ }, media.ErrPlain},
		{"truncated", []byte(file)[:len(file)-16], nil, media.ErrSize},
		{"longer", append([]byte(file), make([]byte, 16)...), nil, media.ErrSize},
		{"size", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Size += 16 }, media.ErrSize},
		{"larger than the device takes", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Size = 1 << 40 }, ErrMediaSize},
		{"path to elsewhere", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Ref = "/v/t../../lab/register" }, media.ErrPath},
		{"another host", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Ref = m.server.URL + "/media/" + path.Ref }, media.ErrPath},
		{"a partner that is none", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Ref = "/interop/whatsapp/download/9/x/" }, ErrMediaRefused},
		{"a partner that hosts nothing", []byte(file), func(r *dma.MediaRef, _ []byte) { r.Ref = "/interop/whatsapp/download/2/x/" }, ErrMediaRefused},
	} {
		m.instead(func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(tt.body))
		})
		c := *right
		if tt.set != nil {
			tt.set(&c.Media, tt.body)
		}
		if _, err := alice.save(&c); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	m.instead(nil)
	if got, err := alice.save(right); err != nil || len(got) != 5000 {
		t.Errorf("the right one after all: %d bytes, %v", len(got), err)
	}
}

// TestMediaResumed: a download whose connection breaks goes on where it ended.
func TestMediaResumed(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, nil)
	alice, bob := m.pair()
	b := picture(1 << 20)
	c := bob.give(alice, b)
	var mu sync.Mutex
	var ranges []string
	m.instead(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		ranges = append(ranges, r.Header.Get("Range"))
		first := len(ranges) < 3
		mu.Unlock()
		if first { // 300 000 bytes, and then the connection breaks
			w = &breaks{w, 300_000}
		}
		m.host.ServeHTTP(w, r)
	})
	if got, err := alice.save(c); err != nil || !bytes.Equal(got, b) {
		t.Errorf("saved %d bytes, %v", len(got), err)
	}
	if len(ranges) != 3 || ranges[0] != "" || !strings.HasPrefix(ranges[1], "bytes=") || ranges[1] >= ranges[2] && len(ranges[1]) >= len(ranges[2]) {
		t.Errorf("asked for %q, want the whole, and twice what was missing", ranges)
	}
}

// breaks is an answer that breaks off after some bytes.
type breaks struct {
	http.ResponseWriter
	left int
}

func (b *breaks) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (b *breaks) Write(p []byte) (int, error) {
	if len(p) > b.left {
		_, _ = b.ResponseWriter.Write(p[:b.left])
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

// client asks the gatekeeper's media host as no device would.
func (m *mediaWorld) client() *http.Client {
	c := mediaHTTP(m.world.roots, nil, 20*time.Second)
	m.t.Cleanup(c.CloseIdleConnections)
	return c
}

// auth returns a device's token for the media host.
func (p *phone) auth() string {
	p.w.t.Helper()
	c, err := p.mediaConn(p.w.ctx)
	must(p.w.t, err)
	return c.Auth
}

// TestMediaHostRefuses: requests that are not for who makes them, or for anybody.
func TestMediaHostRefuses(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, nil)
	alice, bob := m.pair()
	native, partner := alice.give(bob, picture(1000)).Media.Ref, bob.give(alice, picture(1000)).Media.Ref
	b := shapedBytes(1000)
	sum := sha256.Sum256(b)
	hash := base64.URLEncoding.EncodeToString(sum[:])
	for _, tt := range []struct {
		name, method, path, auth string
		body                     []byte
		code                     int
		says                     string
	}{
		{"an upload", "POST", "/mms/image/" + hash, alice.auth(), b, 200, `"direct_path":"/v/t`},
		{"an upload of nobody's", "POST", "/mms/image/" + hash, "", b, 401, "no token"},
		{"an upload of a partner's user's", "POST", "/mms/image/" + hash, bob.auth(), b, 403, "a partner hosts what its users send"},
		{"an upload of another hash", "POST", "/mms/image/" + hash, alice.auth(), shapedBytes(1016), 400, "not of the hash"},
		{"an upload that is not encrypted", "POST", "/mms/image/" + hash, alice.auth(), []byte("hello"), 400, "not of the length of a ciphertext"},
		{"an upload that is too large", "POST", "/mms/image/" + hash, alice.auth(), shapedBytes(16<<20 + 16), 413, "want at most"},
		{"an upload of a kind that is none", "POST", "/mms/x/" + hash, alice.auth(), b, 400, "want /mms/KIND/HASH"},
		{"an upload with no hash", "POST", "/mms/image/x", alice.auth(), b, 400, "want /mms/KIND/HASH"},
		{"a download", "GET", native, bob.auth(), nil, 200, ""},
		{"a download of nobody's", "GET", native, "", nil, 401, "no token"},
		{"a download with another token", "GET", native, bob.auth()[1:], nil, 401, "no token"},
		{"no such medium", "GET", "/v/t" + strings.Repeat("a", 32), bob.auth(), nil, 404, "no such medium"},
		{"a medium without the t", "GET", "/v/" + native[4:], bob.auth(), nil, 404, "no such medium"},
		{"a way out", "GET", "/v/t..%2f..%2fkeys.json", bob.auth(), nil, 404, "no such medium"},
		{"a longer way out", "GET", "/v/t%2e%2e/%2e%2e/keys.json", bob.auth(), nil, 404, ""},
		{"a NUL", "GET", "/v/t%00", bob.auth(), nil, 404, "no such medium"},
		{"what the partner hosts", "GET", partner, alice.auth(), nil, 200, ""},
		{"what the partner hosts, for nobody", "GET", partner, "", nil, 401, "no token"},
		{"what the partner hosts, for its own user", "GET", partner, bob.auth(), nil, 403, "own users alone"},
		{"what the partner does not host", "GET", "/interop/whatsapp/download/1/x/", alice.auth(), nil, 404, "it has no such medium"},
		{"a way out at the partner", "GET", "/interop/whatsapp/download/1/..%2fpush/", alice.auth(), nil, 404, "no such medium"},
		{"a query at the partner", "GET", "/interop/whatsapp/download/1/x%3fy/", alice.auth(), nil, 404, "no such medium"},
		{"a host in the place of a reference", "GET", "/interop/whatsapp/download/1/%40127.0.0.1:80/", alice.auth(), nil, 404, "no such medium"},
		{"no partner", "GET", "/interop/whatsapp/download/0/x/", alice.auth(), nil, 404, "no such medium"},
		{"a number of no partner", "GET", "/interop/whatsapp/download/70000/x/", alice.auth(), nil, 404, "no such medium"},
		{"a partner without an agreement", "GET", "/interop/whatsapp/download/9/x/", alice.auth(), nil, 403, "agreement"},
	} {
		var h []string
		if tt.auth != "" {
			h = []string{"Authorization", "Bearer " + tt.auth}
		}
		code, text := ask(t, m.client(), tt.method, "https://"+m.https+tt.path, bytes.NewReader(tt.body), h...)
		if code != tt.code || !strings.Contains(text, tt.says) {
			t.Errorf("%s: status %d, %.200q; want %d, %q", tt.name, code, text, tt.code, tt.says)
		}
	}
	// As clients do it: the token in the query.
	q := url.Values{"auth": {alice.auth()}, "token": {hash}}.Encode()
	if code, text := ask(t, m.client(), "POST", "https://"+m.https+"/mms/image/"+hash+"?"+q, bytes.NewReader(b)); code != 200 {
		t.Errorf("the token in the query: status %d, %q", code, text)
	}
	if code, text := ask(t, m.client(), "HEAD", "https://"+m.https+native+"?"+q, nil); code != 200 || text != "" {
		t.Errorf("HEAD: status %d, %q", code, text)
	}
	for _, path := range []string{native, partner} {
		code, text := ask(t, m.client(), "GET", "https://"+m.https+path+"?"+q, nil, "Range", "bytes=-10")
		if code != 206 || len(text) != 10 {
			t.Errorf("%s: the last 10 bytes: status %d, %d bytes", path, code, len(text))
		}
	}
}

// TestMediaAnonymous: where the gatekeeper is configured so, who knows a reference has the
// ciphertext, as at WhatsApp's own service; and nothing else.
func TestMediaAnonymous(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, func(c *Config) { c.Media.Anonymous = true })
	alice, bob := m.pair()
	native, partner := alice.give(bob, picture(1000)).Media, bob.give(alice, picture(1000)).Media.Ref
	if code, text := ask(t, m.client(), "GET", "https://"+m.https+native.Ref, nil); code != 200 || uint64(len(text)) != native.Size {
		t.Errorf("status %d, %d bytes", code, len(text))
	}
	if code, _ := ask(t, m.client(), "GET", "https://"+m.https+partner, nil); code != 401 {
		t.Errorf("what the partner hosts: status %d, want 401", code)
	}
}

// TestMediaExpired: a medium is to be had for 30 days, as its message is, and then it is not.
func TestMediaExpired(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, nil)
	alice, bob := m.pair()
	native, partner := alice.give(bob, picture(1000)), bob.give(alice, picture(1000))
	for _, tt := range []struct {
		name string
		p    *phone
		c    *dma.Content
	}{{"the gatekeeper's", bob, native}, {"the partner's", alice, partner}} {
		m.later.Store(int64(dma.DefaultRetention - time.Hour))
		if got, err := tt.p.save(tt.c); err != nil || len(got) != 1000 {
			t.Errorf("%s after 30 days but an hour: %d bytes, %v", tt.name, len(got), err)
		}
		m.later.Store(int64(dma.DefaultRetention))
		if _, err := tt.p.save(tt.c); !errors.Is(err, ErrMediaRefused) {
			t.Errorf("%s after 30 days: got %v, want %v", tt.name, err, ErrMediaRefused)
		}
	}
}

// TestMediaGone: what a user has sent goes with the user.
func TestMediaGone(t *testing.T) {
	t.Parallel()
	m := newMediaWorld(t, nil)
	alice, bob := m.pair()
	c := alice.give(bob, picture(1000))
	if _, err := alice.Do(m.ctx, dma.Delete{}); err != nil {
		t.Fatal(err)
	}
	_ = alice.gone()
	for m.cfg.Media.Store.Kept().Media != 0 {
		select {
		case <-m.ctx.Done():
			t.Fatal("the media of a user who is gone are kept")
		case <-time.After(time.Millisecond):
		}
	}
	if _, err := bob.save(c); !errors.Is(err, ErrMediaRefused) {
		t.Errorf("got %v, want %v", err, ErrMediaRefused)
	}
}
