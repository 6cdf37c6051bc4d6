package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// safeBuffer is a buffer that several goroutines write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestLogs: whatever happens, at the level that tells most, the log has no keys, no
// tokens, no content and nothing that a user is known by elsewhere; and it says why.
func TestLogs(t *testing.T) {
	t.Parallel()
	const (
		user  = "bob.is.secret@partner.example"
		other = "eve.is.secret@other.example"
		text  = "meet me at the usual place"
	)
	var text1, json1 safeBuffer
	w := newWorld(t, func(c *Config) {
		short(c)
		c.Signer = newIssuer(t, "unused").signer
		c.Partners[0].Pushes = &Pushes{Base: "https://127.0.0.1:1", Private: true, Again: time.Millisecond, Tries: 2}
		c.Logger = slog.New(both{
			slog.NewTextHandler(&text1, &slog.HandlerOptions{Level: slog.LevelDebug}),
			slog.NewJSONHandler(&json1, &slog.HandlerOptions{Level: slog.LevelDebug}),
		})
	})
	alice, bob := w.enlist(number, w.own), w.enlist(user, w.partner)
	alice.connect()
	bob.connect()
	bob.send(alice, text)
	alice.want(bob, text)
	must(t, bob.Settled(w.ctx, true))
	bob.disconnect()
	w.until("bob is gone", func() bool { return w.gk.Stats().Connected == 1 })
	alice.send(bob, text)
	must(t, alice.Settled(w.ctx, false))
	w.until("the push has failed", func() bool { return strings.Contains(text1.String(), "push failed") })
	// Whatever goes wrong: forms, tokens, frames, accounts.
	tokens := []string{w.partner.token(user, -time.Hour), w.partner.token(user, time.Hour), w.other.token(other, time.Hour)}
	for i, f := range []*enlist.Form{
		{Identifier: user, Token: tokens[0], Version: 1},
		{Identifier: other, Token: tokens[1], Version: 1},
		{Identifier: user, Token: "a." + base64.RawURLEncoding.EncodeToString([]byte(user)) + ".c", Version: 1},
		{Identifier: user, Token: tokens[1], Version: 9},
	} {
		body, err := enlist.Names{}.Encode(f)
		must(t, err)
		if status, answer := w.post(enlist.Path, enlist.ContentType, string(body)); status != 200 || !strings.Contains(answer, "fail") {
			t.Errorf("form %d: %d %s", i, status, answer)
		}
	}
	w.post(enlist.Path, enlist.ContentType, "authkey="+user)
	w.post("/"+user, enlist.ContentType, user)
	w.dial().write([]byte(user)...).hungUp("nonsense")
	must(t, w.gk.Agree(w.ctx, 2, false))
	if _, err := Enlist(w.ctx, w.enlistConfig(store.NewMemory(), other, w.other)); err == nil {
		t.Error("no agreement, and enlisted")
	}
	for _, c := range []struct {
		do   func(r *raw)
		want stanza.Code
	}{
		{func(r *raw) { r.seal([]byte(text)) }, stanza.BadRequest},
		{func(r *raw) { r.stanza(&stanza.IB{Offline: &stanza.Offline{Count: 1}}) }, stanza.BadRequest},
		{func(r *raw) { r.write(0xff, 0xff, 0xff) }, stanza.ResourceLimit},
	} {
		r := bob.login()
		c.do(r)
		r.told("a client", c.want)
	}
	bob.cfg.Token = func(context.Context) (string, error) { return tokens[0], nil }
	bob.open()
	bob.connect()
	if err := bob.gone(); err == nil {
		t.Error("an expired token is good")
	}
	alice.disconnect()
	must(t, w.gk.Shutdown(w.ctx))
	for _, log := range []string{text1.String(), json1.String()} {
		for _, line := range strings.Split(strings.TrimSpace(json1.String()), "\n") {
			if !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %s", line)
			}
		}
		for name, secret := range map[string]string{
			"a partner's user": user, "another": other, "their name": "is.secret", "the text": text, "a number": number,
			"a token": tokens[0][:30], "another token": tokens[1][len(tokens[1])-30:], "a token's payload": strings.Split(tokens[2], ".")[1][:20],
			"the static key":      hex.EncodeToString(w.cfg.Noise.Static.Private),
			"its base64":          base64.StdEncoding.EncodeToString(w.cfg.Noise.Static.Private)[:40],
			"a device's key":      hex.EncodeToString(bob.account.Private),
			"a device's base64":   base64.StdEncoding.EncodeToString(bob.account.Private)[:40],
			"a user's identifier": base64.RawURLEncoding.EncodeToString([]byte(user))[:16],
		} {
			if strings.Contains(log, secret) {
				t.Errorf("the log has %s, %q, in\n%s", name, secret, log)
			}
		}
		for _, want := range []string{
			"token: expired", "token: other identifier", "noise: other prologue", "bad_param", "bad_version", "push failed",
			bob.Account().String(), "native-", "connection ended", "enlisted",
		} {
			if !strings.Contains(log, want) {
				t.Errorf("the log is without %q:\n%s", want, log)
			}
		}
	}
}

// until waits for something.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	for !is() {
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("%s: it never is", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// both is two handlers in one.
type both [2]slog.Handler

func (b both) Enabled(ctx context.Context, l slog.Level) bool { return b[0].Enabled(ctx, l) }

func (b both) Handle(ctx context.Context, r slog.Record) error {
	for _, h := range b {
		if err := h.Handle(ctx, r.Clone()); err != nil {
			return err
		}
	}
	return nil
}

func (b both) WithAttrs(a []slog.Attr) slog.Handler {
	return both{b[0].WithAttrs(a), b[1].WithAttrs(a)}
}

func (b both) WithGroup(name string) slog.Handler {
	return both{b[0].WithGroup(name), b[1].WithGroup(name)}
}
