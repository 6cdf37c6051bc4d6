package partner

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/localca"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

const (
	issuer   = "https://partner.example"
	audience = "https://gatekeeper.example"
	bob      = "bob@partner.example"
)

// world is a partner's server on the loopback interface, with the keys of a gatekeeper.
type world struct {
	t     *testing.T
	cfg   Config
	s     *Server
	base  string
	roots *x509.CertPool
	gk    *gatekeeper
	serve sync.WaitGroup

	mu    sync.Mutex // guards woken
	woken []string
}

// gatekeeper is who signs and verifies pushes.
type gatekeeper struct {
	signer *token.Signer
	keys   *token.Keys
	down   bool
}

func (g *gatekeeper) VerifyBearer(_ context.Context, t string) (*token.Claims, error) {
	if g.down {
		return nil, jwks.ErrUnavailable
	}
	return token.Policy{Issuer: serve.PushIssuer, Audience: issuer}.VerifyBearer(time.Now(), g.keys, t)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signerOf makes a signer and its keys.
func signerOf(t *testing.T) (*token.Signer, *token.Keys) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	s, err := token.NewSigner("gatekeeper-1", private)
	must(t, err)
	b, err := token.Document(s)
	must(t, err)
	return s, parsed(t, b)
}

func parsed(t *testing.T, document []byte) *token.Keys {
	t.Helper()
	k, err := token.ParseKeys(document)
	must(t, err)
	return k
}

func newWorld(t *testing.T, set func(*Config)) *world {
	t.Helper()
	now := time.Now()
	a, err := localca.New("test", now.Add(-time.Hour), now.Add(time.Hour))
	must(t, err)
	w := &world{t: t, roots: a.Pool(), gk: new(gatekeeper)}
	w.gk.signer, w.gk.keys = signerOf(t)
	w.cfg = Config{
		Issuer: issuer, Audience: audience, Opened: store.NewMemory(), Gatekeeper: w.gk, Invitation: "come in",
		Woken: func(user string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.woken = append(w.woken, user)
		},
	}
	w.cfg.Certificate, err = a.Issue(localca.Leaf{Name: "partner", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Starts: now.Add(-time.Hour), Ends: now.Add(time.Hour)})
	must(t, err)
	if set != nil {
		set(&w.cfg)
	}
	w.start()
	t.Cleanup(w.stop)
	return w
}

func (w *world) start() {
	w.t.Helper()
	s, err := New(w.t.Context(), w.cfg)
	must(w.t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.t, err)
	w.s, w.base = s, "https://"+l.Addr().String()
	w.serve.Go(func() { _ = s.Serve(l) })
}

func (w *world) stop() {
	_ = w.s.Close()
	w.serve.Wait()
}

// client speaks one version of HTTP.
func (w *world) client(protocol string) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots}, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(protocol == "HTTP/1.1")
	tr.Protocols.SetHTTP2(protocol == "HTTP/2.0")
	w.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// do makes a request and returns what is answered.
func (w *world) do(method, path, body string, set func(*http.Request)) (status int, text string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, strings.NewReader(body))
	must(w.t, err)
	if set != nil {
		set(req)
	}
	resp, err := w.client("HTTP/1.1").Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp.StatusCode, string(b)
}

func bearer(t string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+t) }
}

// keys are those that the server publishes.
func (w *world) keys() *token.Keys {
	w.t.Helper()
	status, text := w.do("GET", token.WellKnown, "", nil)
	if status != http.StatusOK {
		w.t.Fatalf("keys: status %d", status)
	}
	return parsed(w.t, []byte(text))
}

// join makes a user and returns its credential.
func (w *world) join(user string) string {
	w.t.Helper()
	b, err := json.Marshal(JoinRequest{user})
	must(w.t, err)
	status, text := w.do("POST", JoinPath, string(b), bearer("come in"))
	var j Joined
	if err := json.Unmarshal([]byte(text), &j); status != http.StatusOK || err != nil || j.Credential == "" {
		w.t.Fatalf("joining: got %d %s, %v", status, text, err)
	}
	return j.Credential
}

// ask gets a token.
func (w *world) ask(user, credential string) (int, string) {
	w.t.Helper()
	status, text := w.do("POST", TokenPath, "", func(r *http.Request) { r.SetBasicAuth(user, credential) })
	var i Issued
	if status == http.StatusOK {
		must(w.t, json.Unmarshal([]byte(text), &i))
	}
	return status, i.Token
}

var policy = token.Policy{Issuer: issuer, Audience: audience}

// TestTokens: a user who has joined gets tokens that the published keys verify, also after
// the server's end and beginning, and nobody else does.
func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	credential := w.join(bob)
	_, tok := w.ask(bob, credential)
	c, err := policy.Verify(time.Now(), w.keys(), tok, bob)
	if err != nil || c.Expires.Sub(c.IssuedAt) != time.Hour {
		t.Errorf("got %+v, %v", c, err)
	}
	w.stop()
	w.start()
	if _, err := policy.Verify(time.Now(), w.keys(), tok, bob); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if _, tok = w.ask(bob, credential); tok == "" {
		t.Error("after a restart the user gets no token")
	}
	again := w.join(bob)
	for name, who := range map[string][2]string{
		"the credential before": {bob, credential}, "no credential": {bob, ""}, "another user": {"eve@partner.example", again}, "nobody": {"", ""},
	} {
		if status, tok := w.ask(who[0], who[1]); status != http.StatusUnauthorized || tok != "" {
			t.Errorf("%s: got status %d, want 401", name, status)
		}
	}
	if status, _ := w.ask(bob, again); status != http.StatusOK {
		t.Errorf("the new credential: got status %d", status)
	}
	must(t, w.s.Leave(t.Context(), bob))
	if status, _ := w.ask(bob, again); status != http.StatusUnauthorized {
		t.Errorf("a user who left: got status %d, want 401", status)
	}
	if s := w.s.Stats(); s.Users != 0 || s.Tokens != 2 || s.Refused != 5 || len(s.Keys) != 1 {
		t.Errorf("stats: %+v", s)
	}
}

// TestJoinRefused: who has no invitation does not join, nor do strange names.
func TestJoinRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, tt := range []struct {
		name, invitation, body string
		want                   int
	}{
		{"no invitation", "", `{"user":"bob"}`, 401},
		{"another", "let me in", `{"user":"bob"}`, 401},
		{"a colon", "come in", `{"user":"a:b"}`, 400},
		{"control characters", "come in", `{"user":"a\u0007"}`, 400},
		{"no name", "come in", `{}`, 400},
		{"no JSON", "come in", `user=bob`, 400},
		{"too long", "come in", `{"user":"` + strings.Repeat("x", maxBody) + `"}`, 400},
	} {
		if status, text := w.do("POST", JoinPath, tt.body, bearer(tt.invitation)); status != tt.want {
			t.Errorf("%s: got %d %s, want %d", tt.name, status, text, tt.want)
		}
	}
	closed := newWorld(t, func(c *Config) { c.Invitation = "" })
	if status, _ := closed.do("POST", JoinPath, `{"user":"bob"}`, bearer("")); status != http.StatusNotFound {
		t.Errorf("without an invitation: got %d, want 404", status)
	}
}

// TestProtocols: a partner's server speaks HTTP/1.1 and HTTP/2 (Reference Offer), over TLS
// 1.3 alone.
func TestProtocols(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		resp, err := w.client(protocol).Get(w.base + token.WellKnown)
		must(t, err)
		_ = resp.Body.Close()
		if resp.Proto != protocol || resp.StatusCode != http.StatusOK || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s: got %s with status %d", protocol, resp.Proto, resp.StatusCode)
		}
	}
	old := &tls.Config{RootCAs: w.roots, MaxVersion: tls.VersionTLS12}
	if c, err := tls.Dial("tcp", strings.TrimPrefix(w.base, "https://"), old); err == nil {
		_ = c.Close()
		t.Error("TLS 1.2 is let in")
	}
}

// TestPush: a push of the gatekeeper wakes its user, and one of anybody else wakes nobody.
func TestPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.join(bob)
	now := time.Now()
	right := token.Claims{Issuer: serve.PushIssuer, Audience: []string{issuer}, IssuedAt: now, Expires: now.Add(serve.PushLifetime)}
	sign := func(s *token.Signer, set func(*token.Claims)) string {
		c := right
		if set != nil {
			set(&c)
		}
		tok, err := s.Sign(c)
		must(t, err)
		return tok
	}
	evil, _ := signerOf(t)
	const body = `{"to":"bob@partner.example"}`
	for _, tt := range []struct {
		name, token, body string
		want              int
	}{
		{"right", sign(w.gk.signer, nil), body, 200},
		{"more members", sign(w.gk.signer, nil), `{"to":"bob@partner.example","later":1}`, 200},
		{"no token", "", body, 401},
		{"no JWT", "x", body, 401},
		{"another's key", sign(evil, nil), body, 401},
		{"another issuer", sign(w.gk.signer, func(c *token.Claims) { c.Issuer = "MESSENGER" }), body, 401},
		{"another partner's", sign(w.gk.signer, func(c *token.Claims) { c.Audience = []string{"https://other.example"} }), body, 401},
		{"expired", sign(w.gk.signer, func(c *token.Claims) { c.Expires = now.Add(-time.Hour) }), body, 401},
		{"early", sign(w.gk.signer, func(c *token.Claims) { c.NotBefore = now.Add(time.Hour) }), body, 401},
		{"a token of its own", func() string { _, tok := w.ask(bob, w.join(bob)); return tok }(), body, 401},
		{"unknown user", sign(w.gk.signer, nil), `{"to":"eve@partner.example"}`, 404},
		{"no user", sign(w.gk.signer, nil), `{}`, 400},
		{"no JSON", sign(w.gk.signer, nil), `to=bob`, 400},
		{"too long", sign(w.gk.signer, nil), `{"to":"` + strings.Repeat("x", maxBody) + `"}`, 400},
	} {
		status, text := w.do("POST", serve.PushPath, tt.body, bearer(tt.token))
		if status != tt.want || status == http.StatusOK && text != "" {
			t.Errorf("%s: got %d %q, want %d", tt.name, status, text, tt.want)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.woken, " "); got != bob+" "+bob {
		t.Errorf("woke %q, want Bob twice", got)
	}
	if s := w.s.Stats(); s.Pushes != 2 || s.Forged != 8 {
		t.Errorf("stats: %+v", s)
	}
	w.gk.down = true
	if status, _ := w.do("POST", serve.PushPath, body, bearer(sign(w.gk.signer, nil))); status != http.StatusServiceUnavailable {
		t.Errorf("without the gatekeeper's keys: got %d, want 503", status)
	}
}

// TestClient: a device joins, gets tokens and is woken by pushes, also by one that came
// before it waited.
func TestClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := &Client{Base: w.base, Roots: w.roots, User: bob}
	if err := c.Join(t.Context(), "let me in"); !errors.Is(err, ErrRefused) {
		t.Errorf("another invitation: got %v, want %v", err, ErrRefused)
	}
	if _, err := c.Token(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("no credential: got %v, want %v", err, ErrRefused)
	}
	must(t, c.Join(t.Context(), "come in"))
	tok, err := c.Token(t.Context())
	must(t, err)
	if _, err := policy.Verify(time.Now(), w.keys(), tok, bob); err != nil {
		t.Error(err)
	}
	now := time.Now()
	pushed, err := w.gk.signer.Sign(token.Claims{Issuer: serve.PushIssuer, Audience: []string{issuer}, Expires: now.Add(time.Hour)})
	must(t, err)
	push := func() {
		t.Helper()
		if status, text := w.do("POST", serve.PushPath, `{"to":"`+bob+`"}`, bearer(pushed)); status != http.StatusOK {
			t.Fatalf("push: got %d %s", status, text)
		}
	}
	push()
	must(t, c.Wait(t.Context()))
	woken := make(chan error, 2)
	for range cap(woken) { // each of two that wait is told
		go func() { woken <- c.Wait(t.Context()) }()
	}
	for {
		w.s.wakes.mu.Lock()
		n := w.s.wakes.count
		w.s.wakes.mu.Unlock()
		if n == cap(woken) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	push()
	must(t, <-woken)
	eve := &Client{Base: w.base, Roots: w.roots, User: bob, Credential: "x"}
	if err := eve.Wait(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("another credential: got %v, want %v", err, ErrRefused)
	}
	push() // for the other one, if it came too late for the one before
	must(t, <-woken)
	go func() { woken <- c.Wait(t.Context()) }()
	must(t, w.s.Shutdown(t.Context())) // nobody is waited for
}

// TestRotation: while keys change, tokens of both are verified by what is published.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Ahead, c.RotateEvery = 300*time.Millisecond, time.Hour })
	credential := w.join(bob)
	_, before := w.ask(bob, credential)
	time.Sleep(time.Until(w.s.machine.p.Keys()[0].From.Add(time.Millisecond)))
	must(t, w.s.Rotate(t.Context()))
	ids := w.s.Stats().Keys
	keys := w.keys()
	if len(ids) != 2 || !keys.Known(ids[0]) || !keys.Known(ids[1]) {
		t.Fatalf("published %v, want both of %v", keys.IDs(), ids)
	}
	kid := func(tok string) string {
		h, err := token.Peek(tok)
		must(t, err)
		return h.KeyID
	}
	_, ahead := w.ask(bob, credential)
	time.Sleep(time.Until(w.s.machine.p.Keys()[1].From))
	_, after := w.ask(bob, credential)
	if kid(before) != ids[0] || kid(after) != ids[1] {
		t.Errorf("signed by %s and then %s, want %s and %s", kid(before), kid(after), ids[0], ids[1])
	}
	for name, tok := range map[string]string{"before": before, "ahead": ahead, "after": after} {
		if _, err := policy.Verify(time.Now(), keys, tok, bob); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTurn: keys change by themselves.
func TestTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Ahead, c.RotateEvery = time.Millisecond, 50*time.Millisecond })
	first := w.s.Stats().Keys[0]
	deadline := time.Now().Add(time.Minute)
	for len(w.s.Stats().Keys) < 3 {
		if time.Now().After(deadline) {
			t.Fatal("the key does not change")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if keys := w.keys(); !keys.Known(first) {
		t.Errorf("published %v, want the first, %s, whose tokens are not over", keys.IDs(), first)
	}
}

// TestMedia: the host of media sees what is below its path.
func TestMedia(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Media = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	})
	if status, text := w.do("GET", MediaPath+"/abc", "", nil); status != http.StatusOK || text != "/abc" {
		t.Errorf("got %d %q, want /abc", status, text)
	}
	if status, _ := newWorld(t, nil).do("GET", MediaPath+"/abc", "", nil); status != http.StatusNotFound {
		t.Errorf("without a host: got %d, want 404", status)
	}
}

// TestShutdown: the server ends by itself, and what was answered is kept.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	credential := w.join(bob)
	admin := func() (int, string) {
		rec := httptest.NewRecorder()
		w.s.Admin().ServeHTTP(rec, httptest.NewRequest("GET", "/healthz", nil))
		return rec.Code, rec.Body.String()
	}
	if code, text := admin(); code != http.StatusOK || text != "ok\n" {
		t.Errorf("health: got %d %q", code, text)
	}
	rec := httptest.NewRecorder()
	w.s.Admin().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{"mimi_partner_users 1", "mimi_partner_keys 1", "mimi_partner_tokens_total 0"} {
		if !strings.Contains(rec.Body.String(), line+"\n") {
			t.Errorf("metrics: want the line %q in\n%s", line, rec.Body)
		}
	}
	must(t, w.s.Shutdown(t.Context()))
	w.serve.Wait()
	if code, _ := admin(); code != http.StatusServiceUnavailable {
		t.Errorf("health after the end: got %d, want 503", code)
	}
	if err := w.s.Err(); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want %v", err, ErrStopped)
	}
	if _, err := w.s.Join(t.Context(), "late"); !errors.Is(err, ErrStopped) {
		t.Errorf("joining after the end: got %v, want %v", err, ErrStopped)
	}
	w.start()
	if status, _ := w.ask(bob, credential); status != http.StatusOK {
		t.Errorf("after a restart: got status %d", status)
	}
}

// TestSecrets: neither credentials nor tokens nor keys are logged.
func TestSecrets(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	w := newWorld(t, func(c *Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	credential := w.join(bob)
	_, tok := w.ask(bob, credential)
	w.ask(bob, "wrong-credential")
	w.do("POST", serve.PushPath, "{}", bearer(tok))
	w.stop()
	for _, secret := range []string{credential, tok, "wrong-credential", "come in", fmt.Sprintf("%x", w.s.machine.p.Keys()[0].Private[:8])} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if k := w.s.machine.p.Keys()[0]; strings.Contains(fmt.Sprintf("%v %+v %#v", k, k, k), "rivate") {
		t.Error("a signing key prints its private part")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"no issuer":            {Audience: audience},
		"no audience":          {Issuer: issuer},
		"negative":             {Issuer: issuer, Audience: audience, Lifetime: -1},
		"no time between keys": {Issuer: issuer, Audience: audience, RotateEvery: time.Minute},
		"a store of no kind":   {Issuer: issuer, Audience: audience, Store: "cloud:"},
	} {
		if s, err := New(t.Context(), c); err == nil {
			_ = s.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
