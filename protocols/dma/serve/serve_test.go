package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"crypto/tls"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

const number = "4915112345678"

// TestMessages: a partner's user and a native one write to each other, over sockets, in
// both dialects.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, d := range noise.Dialects {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *Config) { c.Noise.Dialect = d })
			alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner).connect()
			bob.send(alice, "hello across")
			alice.want(bob, "hello across")
			for i := range 20 {
				alice.send(bob, fmt.Sprint(i))
			}
			for i := range 20 {
				bob.want(alice, fmt.Sprint(i))
			}
			must(t, bob.Settled(w.ctx, true))
			must(t, alice.Settled(w.ctx, true))
			if s := w.gk.Stats(); s.Connected != 2 || s.Routed != 21 || s.Settled != 21 || s.Enlisted != 2 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

// TestOffline: what was accepted is there after the gatekeeper's end and beginning, and
// what a device has for its user after the device's.
func TestOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.enlist(number, w.own), w.enlist("bob@partner.example", w.partner).connect()
	bob.send(alice, "one")
	bob.send(alice, "two")
	must(t, bob.Settled(w.ctx, false))
	w.stop()
	w.start()
	alice.connect()
	m, err := alice.Receive(w.ctx)
	must(t, err)
	if m.Content.Text != "one" {
		t.Errorf("got %q, want one", m.Content.Text)
	}
	must(t, bob.Settled(w.ctx, true)) // it has connected again by itself
	alice.disconnect()
	must(t, alice.Close())
	alice.open() // it had not taken it
	alice.want(bob, "one", "two")
	must(t, alice.Close())
	alice.open()
	alice.connect()
	bob.send(alice, "three")
	alice.want(bob, "three")
}

// TestOneConnection: the newer connection of a client wins.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner).connect()
	bob.send(alice, "one")
	alice.want(bob, "one")
	again := *alice
	again.store = store.NewMemory()
	must(t, alice.store.Load(w.ctx, "", func(r protocols.Record) error { return again.store.Commit(w.ctx, []protocols.Record{r}) }))
	again.cfg.Store = again.store
	again.open()
	again.connect()
	if err := alice.gone(); !errors.Is(err, stanza.Conflict) {
		t.Errorf("the older: got %v, want %v", err, stanza.Conflict)
	}
	bob.send(alice, "two")
	again.want(bob, "two")
}

// post sends a form that is like the right one but for a change.
func (w *world) post(path, contentType, body string) (int, string) {
	w.t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.roots}, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr}).Post("https://"+w.https+path, contentType, strings.NewReader(body))
	must(w.t, err)
	defer resp.Body.Close()
	b := make([]byte, 1000)
	n, _ := resp.Body.Read(b)
	return resp.StatusCode, string(b[:n])
}

func TestEnlistRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	stranger := newIssuer(t, "https://stranger.example")
	evil := newIssuer(t, w.partner.name) // says it is the partner
	const bob = "bob@partner.example"
	for _, tt := range []struct {
		name string
		set  func(*enlist.Form)
		want enlist.Reason
	}{
		{"no partner", func(f *enlist.Form) { f.Token = stranger.token(bob, time.Hour) }, enlist.BadIntegrator},
		{"another's key", func(f *enlist.Form) { f.Token = evil.token(bob, time.Hour) }, enlist.BadToken},
		{"expired", func(f *enlist.Form) { f.Token = w.partner.token(bob, -time.Hour) }, enlist.BadToken},
		{"no token", func(f *enlist.Form) { f.Token = "x" }, enlist.BadToken},
		{"another user", func(f *enlist.Form) { f.Identifier = "eve@partner.example" }, enlist.BadIdentifier},
		{"version", func(f *enlist.Form) { f.Version = 2 }, enlist.BadVersion},
		{"native token", func(f *enlist.Form) { f.Token = w.own.token(bob, time.Hour) }, enlist.BadIntegrator},
	} {
		f := &enlist.Form{Identifier: bob, Token: w.partner.token(bob, time.Hour), Version: 1}
		tt.set(f)
		body, err := enlist.Names{}.Encode(f)
		must(t, err)
		status, text := w.post(enlist.Path, enlist.ContentType, string(body))
		if a, err := enlist.ParseAnswer([]byte(text)); status != 200 || err != nil || a.Reason != tt.want {
			t.Errorf("%s: got %d %s, %v; want %s", tt.name, status, text, err, tt.want)
		}
	}
	if status, text := w.post(enlist.Path, enlist.ContentType, "authkey=AA"); status != 200 || text != `{"reason":"bad_param","status":"fail"}` {
		t.Errorf("bad field: got %d %s", status, text)
	}
	if status, text := w.post(enlist.Path, enlist.ContentType, "x="+strings.Repeat("x", enlist.MaxForm)); status != 200 || !strings.Contains(text, "bad_param") {
		t.Errorf("too long: got %d %s", status, text)
	}
	if status, _ := w.post(enlist.Path, "application/json", "{}"); status != http.StatusUnsupportedMediaType {
		t.Errorf("JSON: got %d", status)
	}
	if status, _ := w.post("/elsewhere", enlist.ContentType, ""); status != http.StatusNotFound {
		t.Errorf("elsewhere: got %d", status)
	}
	w.partner.mu.Lock()
	w.partner.down = fmt.Errorf("x: %w", jwks.ErrUnavailable)
	w.partner.mu.Unlock()
	if _, err := Enlist(w.ctx, w.enlistConfig(store.NewMemory(), bob, w.partner)); !errors.Is(err, enlist.Internal) {
		t.Errorf("no keys: got %v, want %v", err, enlist.Internal)
	}
	must(t, w.gk.Agree(w.ctx, 2, false))
	if _, err := Enlist(w.ctx, w.enlistConfig(store.NewMemory(), "x", w.other)); !errors.Is(err, enlist.BadIntegrator) {
		t.Errorf("no agreement: got %v, want %v", err, enlist.BadIntegrator)
	}
	if s := w.gk.Stats(); s.Enlisted != 0 || s.Rejected != 11 {
		t.Errorf("stats: %+v", s)
	}
}

// TestEnlistAgain keeps account and keys.
func TestEnlistAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner)
	addr, err := Enlist(w.ctx, w.enlistConfig(bob.store, "bob@partner.example", w.partner))
	if err != nil || addr != bob.Account() {
		t.Fatalf("got %v, %v, want %v", addr, err, bob.Account())
	}
	bob.open()
	bob.connect()
	bob.send(alice, "still me")
	alice.want(bob, "still me")
}

// TestDelete: a user who deletes the account is out, and can enlist again.
func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner).connect()
	bob.send(alice, "one")
	must(t, bob.Settled(w.ctx, true))
	if _, err := bob.Do(w.ctx, dma.Delete{}); err != nil {
		t.Fatal(err)
	}
	if err := bob.gone(); !errors.Is(err, stanza.NotEnlisted) {
		t.Errorf("got %v, want %v", err, stanza.NotEnlisted)
	}
	before := bob.Account()
	must(t, bob.Close())
	addr, err := Enlist(w.ctx, w.enlistConfig(bob.store, "bob@partner.example", w.partner))
	if err != nil || addr == before {
		t.Fatalf("again: got %v, %v, want another account than %v", addr, err, before)
	}
	bob.open()
	bob.connect()
	bob.send(alice, "two")
	m, err := alice.Receive(w.ctx)
	must(t, err)
	must(t, alice.Taken(w.ctx, m))
	alice.want(bob, "two")
}

func TestConnectRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	evil := newIssuer(t, w.partner.name)
	stranger := newIssuer(t, "https://stranger.example")
	const user = "bob@partner.example"
	give := func(i *issuer, user string, d time.Duration) func(*phone) {
		return func(p *phone) { p.cfg.Token = func(context.Context) (string, error) { return i.token(user, d), nil } }
	}
	bob := w.enlist(user, w.partner)
	pair, err := w.suite.GenerateKeyPair()
	must(t, err)
	for _, tt := range []struct {
		name string
		set  func(*phone)
		want error
	}{
		{"expired", give(w.partner, user, -time.Hour), stanza.NotAuthorized},
		{"another user's", give(w.partner, "eve@partner.example", time.Hour), stanza.NotAuthorized},
		{"another partner's", give(w.other, user, time.Hour), stanza.NotEnlisted},
		{"forged", give(evil, user, time.Hour), stanza.NotAuthorized},
		{"stranger's", give(stranger, user, time.Hour), stanza.NotAuthorized},
		{"another server's pin", func(p *phone) { p.cfg.Trust.Pin = pair.Public }, noise.ErrServer},
	} {
		p := *bob
		tt.set(&p)
		p.open()
		p.connect()
		if err := p.gone(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	stolen := *bob // the token alone is of no use
	stolen.open()
	stolen.account.Private, stolen.account.Public = pair.Private, pair.Public
	stolen.connect()
	if err := stolen.gone(); !errors.Is(err, stanza.NotAuthorized) {
		t.Errorf("another static key: got %v, want %v", err, stanza.NotAuthorized)
	}
	unknown := *bob
	unknown.open()
	unknown.account.Address.User = "1"
	unknown.connect()
	if err := unknown.gone(); !errors.Is(err, stanza.NotEnlisted) {
		t.Errorf("unknown account: got %v, want %v", err, stanza.NotEnlisted)
	}
	if s := w.gk.Stats(); s.Connected != 0 || s.Refused < 7 {
		t.Errorf("stats: %+v", s)
	}
}

// TestAgreementEnds: a partner's users are cut off at once, and for good.
func TestAgreementEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner).connect()
	bob.send(alice, "one")
	alice.want(bob, "one")
	must(t, bob.Settled(w.ctx, true))
	must(t, w.gk.Agree(w.ctx, 1, false))
	if err := bob.gone(); !errors.Is(err, stanza.AgreementRevoked) {
		t.Errorf("got %v, want %v", err, stanza.AgreementRevoked)
	}
	w.stop()
	w.start() // the configuration has it, so that it begins again
	bob.connect()
	bob.send(alice, "two")
	alice.want(bob, "two")
	w.cfg.Partners = w.cfg.Partners[1:]
	w.stop()
	w.start()
	if err := bob.gone(); !errors.Is(err, stanza.NotAuthorized) {
		t.Errorf("a partner that is not configured any more: got %v, want %v", err, stanza.NotAuthorized)
	}
}

// TestShutdown tells clients to go, who come back.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner).connect()
	bob.send(alice, "one")
	alice.want(bob, "one")
	must(t, w.gk.Shutdown(w.ctx))
	w.serves.Wait()
	if err := w.gk.Err(); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want %v", err, ErrStopped)
	}
	if err := w.gk.Agree(w.ctx, 1, false); !errors.Is(err, ErrStopped) {
		t.Errorf("after the end: got %v, want %v", err, ErrStopped)
	}
	bob.send(alice, "two")
	w.start()
	alice.want(bob, "two")
}

// broken is a store that fails when it is told to.
type broken struct {
	store.Store
	fail chan struct{} // closed: fail
}

var errDisk = errors.New("disk full")

func (b *broken) Commit(ctx context.Context, records []protocols.Record) error {
	select {
	case <-b.fail:
		return errDisk
	default:
		return b.Store.Commit(ctx, records)
	}
}

// TestStoreFails: a gatekeeper that can't keep what it accepts acknowledges nothing and
// stops.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	b := &broken{store.NewMemory(), make(chan struct{})}
	w := newWorld(t, func(c *Config) { c.Opened = b })
	alice, bob := w.enlist(number, w.own), w.enlist("bob@partner.example", w.partner).connect()
	bob.send(alice, "one")
	must(t, bob.Settled(w.ctx, false))
	close(b.fail)
	bob.send(alice, "two")
	<-w.gk.Done()
	if err := w.gk.Err(); !errors.Is(err, errDisk) {
		t.Errorf("got %v, want %v", err, errDisk)
	}
	w.stop()
	if acks, receipts := bob.Waiting(); acks != 1 || receipts != 1 {
		t.Errorf("%d without acknowledgement and %d without receipt, want 1 and 1", acks, receipts)
	}
	w.cfg.Opened = b.Store
	w.start()
	alice.connect()
	alice.want(bob, "one", "two")
}

func TestDeviceConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	cfg := w.enlist("bob@partner.example", w.partner).cfg
	cfg.Store = store.NewMemory()
	if _, err := NewDevice(w.ctx, cfg); !errors.Is(err, ErrNoAccount) {
		t.Errorf("got %v, want %v", err, ErrNoAccount)
	}
	bad := w.cfg
	bad.Partners = append(bad.Partners, bad.Partners[0])
	if _, err := New(w.ctx, bad); err == nil || !strings.Contains(err.Error(), "named twice") {
		t.Errorf("got %v, want an issuer that is named twice", err)
	}
	bad = w.cfg
	bad.Partners = []Partner{{Issuer: "x", Tokens: w.own}}
	if _, err := New(w.ctx, bad); err == nil {
		t.Error("partner 0: no error")
	}
}
