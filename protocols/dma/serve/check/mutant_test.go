package check_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check/own"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// mutant is this project's partner with one fault.
type mutant struct {
	name string
	// trips are the checks that have to fail, and hides those that are then not seen, as
	// the user is asked for what the implementation can't do.
	trips, hides []string
	set          func(*own.Config)
}

// believing takes all bearer tokens that a rule lets pass.
type believing struct {
	partner.Gatekeeper
	rule func(error) bool
}

func (b believing) VerifyBearer(ctx context.Context, t string) (*token.Claims, error) {
	c, err := b.Gatekeeper.VerifyBearer(ctx, t)
	if err != nil && b.rule(err) {
		return &token.Claims{}, nil
	}
	return c, err
}

// believes has a partner's server take pushes that it should not.
func believes(kinds ...error) func(*own.Config) {
	return server(func(c *partner.Config) {
		c.Gatekeeper = believing{c.Gatekeeper, func(err error) bool {
			for _, k := range kinds {
				if strings.Contains(err.Error(), k.Error()) {
					return true
				}
			}
			return len(kinds) == 0
		}}
	})
}

func server(set func(*partner.Config)) func(*own.Config) {
	return func(c *own.Config) { c.Faults.Server = set }
}

// answering changes what the server answers at a path.
func answering(path string, change func(*httptest.ResponseRecorder)) func(*own.Config) {
	return func(c *own.Config) {
		c.Faults.Wrap = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != path {
					h.ServeHTTP(w, r)
					return
				}
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				change(rec)
				w.WriteHeader(rec.Code)
				_, _ = io.Copy(w, rec.Body)
			})
		}
	}
}

// answeringUnder has the server answer GETs below a path by a status.
func answeringUnder(path string, status int) func(*own.Config) {
	return func(c *own.Config) {
		c.Faults.Wrap = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost && strings.HasPrefix(r.URL.Path, path) {
					w.WriteHeader(status)
					return
				}
				h.ServeHTTP(w, r)
			})
		}
	}
}

// signing has other tokens in place of the right ones.
func signing(set func(*token.Claims)) func(*own.Config) {
	return func(c *own.Config) {
		c.Faults.Server = func(p *partner.Config) {}
		c.Faults.Token = func(good string) string {
			_, k, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				panic(err)
			}
			h, err := token.Peek(good)
			if err != nil {
				panic(err)
			}
			s, err := token.NewSigner(h.KeyID, k)
			if err != nil {
				panic(err)
			}
			now := time.Now()
			claims := token.Claims{Issuer: h.Issuer, Audience: []string{c.Gatekeeper.Audience}, Subject: own.User, IssuedAt: now, Expires: now.Add(time.Hour)}
			set(&claims)
			t, err := s.Sign(claims)
			if err != nil {
				panic(err)
			}
			return t
		}
	}
}

// form posts a form in which one field is another, before the right one.
func form(change func(url.Values)) func(*own.Config) {
	return func(c *own.Config) {
		c.Faults.Enlisted = func(ctx context.Context, e serve.EnlistConfig) error {
			f := &enlist.Form{Token: e.Token, Identifier: e.Identifier, Version: enlist.Version}
			body, err := enlist.Names{}.Encode(f)
			if err != nil {
				return err
			}
			v, err := url.ParseQuery(string(body))
			if err != nil {
				return err
			}
			change(v)
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.Base+enlist.Path, strings.NewReader(v.Encode()))
			if err != nil {
				return err
			}
			req.Header.Set("Content-Type", enlist.ContentType)
			tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: e.Roots}, DisableKeepAlives: true}
			resp, err := (&http.Client{Transport: tr}).Do(req)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		}
	}
}

// silent is a device that does not send some stanzas.
func silent(drop func(s stanza.Stanza) bool) func(*own.Config) {
	return func(c *own.Config) {
		c.Faults.Device = dropping(c.Suite, func(up bool, s stanza.Stanza) bool { return up && drop(s) })
	}
}

func receipt(typ stanza.ReceiptType) func(stanza.Stanza) bool {
	return func(s stanza.Stanza) bool {
		r, ok := s.(*stanza.Receipt)
		return ok && r.Type == typ
	}
}

func order[P stanza.Payload](is func(P) bool) func(stanza.Stanza) bool {
	return func(s stanza.Stanza) bool {
		q, ok := s.(*stanza.IQ)
		if !ok {
			return false
		}
		p, ok := q.Payload.(P)
		return ok && (is == nil || is(p))
	}
}

func message(typ stanza.MessageType) func(stanza.Stanza) bool {
	return func(s stanza.Stanza) bool {
		m, ok := s.(*stanza.Message)
		return ok && m.Type == typ
	}
}

var mutants = []mutant{
	// 1 Identities.
	{name: "no HTTP/1.1", trips: []string{"identity.http1", "messaging.push-http1"}, set: func(c *own.Config) {
		c.Faults.TLS = func(t *tls.Config) { t.NextProtos = []string{"h2"} }
	}},
	{name: "no HTTP/2", trips: []string{"identity.http2", "messaging.push"}, set: func(c *own.Config) {
		c.Faults.TLS = func(t *tls.Config) { t.NextProtos = []string{"http/1.1"} }
	}},
	{name: "keys of another kid", trips: []string{"identity.kid"}, set: answering(token.WellKnown, func(w *httptest.ResponseRecorder) {
		w.Body = bytes.NewBuffer(bytes.ReplaceAll(w.Body.Bytes(), []byte(`"kid":"`), []byte(`"kid":"x`)))
	})},
	{name: "no keys", trips: []string{"identity.keys", "identity.http1", "identity.http2"}, set: answering(token.WellKnown, func(w *httptest.ResponseRecorder) { w.Code = 404 })},
	{name: "a token signed by another key", trips: []string{"identity.signature"}, set: signing(func(*token.Claims) {})},
	{name: "a token for another gatekeeper", trips: []string{"identity.audience"}, set: server(func(c *partner.Config) { c.Audience = "https://other.example" })},
	{name: "a token of another issuer", trips: []string{"identity.issuer"}, set: server(func(c *partner.Config) { c.Issuer = "https://other.example" })},
	{name: "a token for two days", trips: []string{"identity.lifetime"}, set: server(func(c *partner.Config) { c.Lifetime = 48 * time.Hour })},
	{name: "another user's token", trips: []string{"identity.identifier"}, set: func(c *own.Config) {
		c.Faults.Enlist = func(e *serve.EnlistConfig) { e.Identifier = "eve@partner.example" }
	}},
	{name: "no token", trips: []string{"identity.token"}, set: func(c *own.Config) { c.Faults.Token = func(string) string { return "x.y" } }},
	{name: "an identity key of 31 bytes", trips: []string{"identity.form"}, set: form(func(v url.Values) {
		v.Set("e_ident", base64.RawURLEncoding.EncodeToString(make([]byte, 31)))
	})},
	{name: "padded base64", trips: []string{"identity.form"}, set: form(func(v url.Values) { v.Set("e_ident", v.Get("e_ident")+"=") })},
	{name: "a field left out", trips: []string{"identity.form"}, set: form(func(v url.Values) { v.Del("e_skey_sig") })},
	{name: "another version", trips: []string{"identity.version"}, set: form(func(v url.Values) { v.Set(enlist.DefaultNames.Version, "2") })},

	// 2 Noise and the chat protocol.
	{name: "the other dialect", trips: []string{"chat.prologue"}, set: func(c *own.Config) {
		c.Faults.Device = func(d *serve.DeviceConfig) { d.Dialect = noise.WhatsApp }
	}},
	{name: "no keepalive", trips: []string{"chat.keepalive"}, set: silent(order[stanza.KeepAlive](nil))},
	{name: "no prekeys", trips: []string{"chat.prekeys", "messaging.refill"}, set: silent(order[*stanza.KeyUpload](nil))},
	{name: "a forged token at the chat channel", trips: []string{"chat.token"}, set: func(c *own.Config) {
		signing(func(*token.Claims) {})(c)
		forged, asked := c.Faults.Token, 0
		c.Faults.Token = func(good string) string {
			if asked++; asked == 1 {
				return good
			}
			return forged(good)
		}
	}},
	{name: "another static key", trips: []string{"chat.key"}, set: func(c *own.Config) {
		c.Faults.Device = func(d *serve.DeviceConfig) { meddlingAs(c.Suite, must2(c.Suite.GenerateKeyPair()), nil)(d) }
	}},
	{name: "a stanza that is none", trips: []string{"chat.stanzas"}, set: func(c *own.Config) {
		var n atomic.Int32
		c.Faults.Device = meddling(c.Suite, func(up bool, frame []byte) []byte {
			if up && n.Add(1) == 10 {
				return []byte{0, 0xff, 0xff}
			}
			return frame
		})
	}},
	{name: "the connection is not made again", trips: []string{"chat.resume"}, set: func(c *own.Config) {
		c.Faults.Device = func(d *serve.DeviceConfig) { d.Again = time.Hour }
		c.Faults.Refuses = map[check.Step]bool{check.Return: true}
	}},

	{name: "two connections at once", trips: []string{"chat.one"}, hides: []string{"features.unblock", "deletion.request", "deletion.ends", "deletion.again"}, set: twins(check.Unblock, 1, false)},

	// 3 Messaging.
	{name: "texts that do not decrypt", trips: []string{"messaging.send"}, set: func(c *own.Config) {
		c.Faults.Device = changing(c.Suite, func(up bool, s stanza.Stanza) {
			if m, ok := s.(*stanza.Message); ok && up {
				m.Enc[0].Payload[len(m.Enc[0].Payload)-1] ^= 1
			}
		})
	}},
	{name: "no delivery receipts", trips: []string{
		"messaging.delivered", "messaging.retried", "messaging.offline", "features.takes-reply", "features.takes-reaction", "features.takes-media",
	}, set: silent(receipt(stanza.Delivered))},
	{name: "no read receipts", hides: []string{"messaging.read"}, set: silent(receipt(stanza.Read))},
	{name: "no retry receipts", trips: []string{"messaging.retry"}, set: silent(receipt(stanza.RetryAsk))},
	{name: "no refill", trips: []string{"messaging.refill"}, set: func(c *own.Config) {
		var uploads atomic.Int32
		silent(order(func(u *stanza.KeyUpload) bool { return uploads.Add(1) > 1 }))(c)
	}},
	{name: "no acknowledgements", trips: []string{"messaging.ack", "reach.told"}, set: silent(func(s stanza.Stanza) bool {
		_, ok := s.(*stanza.Ack)
		return ok
	})},
	{name: "pushes of anybody", trips: []string{"messaging.push-key", "messaging.push-issuer", "messaging.push-audience", "messaging.push-expired"}, set: believes()},
	{name: "pushes without a token", trips: []string{"messaging.push-none"}, set: func(c *own.Config) {
		c.Faults.Wrap = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != serve.PushPath || r.Header.Get("Authorization") != "" {
					h.ServeHTTP(w, r)
				}
			})
		}
	}},
	{name: "pushes by another key", trips: []string{"messaging.push-key"}, set: believes(token.ErrSignature)},
	{name: "pushes of another issuer", trips: []string{"messaging.push-issuer"}, set: believes(token.ErrIssuer)},
	{name: "pushes for another partner", trips: []string{"messaging.push-audience"}, set: believes(token.ErrAudience)},
	{name: "expired pushes", trips: []string{"messaging.push-expired"}, set: believes(token.ErrExpired)},
	{name: "an answer to pushes that is not empty", trips: []string{"messaging.push", "messaging.push-http1"}, set: answering(serve.PushPath, func(w *httptest.ResponseRecorder) {
		if w.Code == http.StatusOK {
			w.Body.WriteString("ok")
		}
	})},

	// 4 Media, features, blocking.
	{name: "no reactions", hides: []string{"features.reaction", "features.revoke"}, set: silent(message(stanza.ReactionMessage))},
	{name: "no revocation", hides: []string{"features.revoke"}, set: func(c *own.Config) { c.Faults.Refuses = map[check.Step]bool{check.Revoke: true} }},
	{name: "replies that name no message", hides: []string{"features.reply"}, set: func(c *own.Config) {
		c.Faults.Instead = func(ctx context.Context, d *serve.Device, a check.Ask) bool {
			if a.Step != check.Reply {
				return false
			}
			a.Step = check.Send
			_, _ = d.Do(ctx, dma.Compose{To: addressOf(a.Number), Content: dma.Content{Kind: dma.Text, Text: "Much."}})
			return true
		}
	}},
	{name: "no typing notices", hides: []string{"features.typing"}, set: silent(func(s stanza.Stanza) bool {
		_, ok := s.(*stanza.Notification)
		return ok
	})},
	{name: "media are not taken", trips: []string{"features.takes-media"}, set: func(c *own.Config) {
		c.Faults.Device = dropping(c.Suite, func(up bool, s stanza.Stanza) bool { return !up && message(stanza.MediaMessage)(s) })
	}},
	{name: "media are not fetched", hides: []string{"features.fetches"}, set: func(c *own.Config) { c.Faults.NoFetch = true }},
	{name: "media of another hash", trips: []string{"features.photo"}, set: func(c *own.Config) {
		c.Faults.Wrap = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost || !strings.HasPrefix(r.URL.Path, partner.MediaPath+"/") {
					h.ServeHTTP(w, r)
					return
				}
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				maps.Copy(w.Header(), rec.Header())
				w.WriteHeader(rec.Code)
				b := rec.Body.Bytes()
				if len(b) > 0 {
					b[0] ^= 1
				}
				_, _ = w.Write(b)
			})
		}
	}},
	{name: "media are not hosted", trips: []string{"features.photo"}, set: answeringUnder(partner.MediaPath+"/", http.StatusNotFound)},
	{name: "reactions are not taken", trips: []string{"features.takes-reaction"}, set: func(c *own.Config) {
		c.Faults.Device = dropping(c.Suite, func(up bool, s stanza.Stanza) bool { return !up && message(stanza.ReactionMessage)(s) })
	}},
	{name: "blocking is ignored", hides: []string{"features.block", "features.unblock"}, set: silent(order[*stanza.Block](nil))},
	{name: "unblocking is ignored", hides: []string{"features.unblock"}, set: silent(order(func(b *stanza.Block) bool { return b.Unblock }))},

	// 5 Deletion.
	{name: "no deletion", hides: []string{"deletion.request", "deletion.ends", "deletion.again"}, set: silent(order[stanza.Delete](nil))},
	{name: "no second enlistment", hides: []string{"deletion.again"}, set: func(c *own.Config) { c.Faults.Refuses = map[check.Step]bool{check.Again: true} }},

	{name: "insisting on a deleted account", trips: []string{"deletion.ends"}, set: twins(check.Delete, 3, true)},

	// 6 Reachability.
	{name: "no pings", hides: []string{"reach.ping", "reach.told", "reach.after"}, set: silent(order[*stanza.Ping](nil))},
	{name: "consent is not heard", trips: []string{"reach.told"}, set: silent(func(s stanza.Stanza) bool {
		a, ok := s.(*stanza.Ack)
		return ok && a.Class == stanza.AckNotification
	})},
}

// twins has another device with the same keys connect, some times, when a step is asked
// for; the step is taken before if it is to be.
func twins(at check.Step, times int, taken bool) func(*own.Config) {
	return func(c *own.Config) {
		var cfg serve.DeviceConfig
		c.Faults.Device = func(d *serve.DeviceConfig) { cfg = *d }
		c.Faults.Instead = func(ctx context.Context, d *serve.Device, a check.Ask) bool {
			if a.Step != at {
				return false
			}
			if taken {
				_, _ = d.Do(ctx, dma.Delete{})
				_ = d.Settled(ctx, false)
				time.Sleep(100 * time.Millisecond) // until the connection has ended
			}
			for range times {
				twin := must2(serve.NewDevice(ctx, cfg))
				bounded, cancel := context.WithTimeout(ctx, 8*time.Second) // a refusal ends it sooner
				_ = twin.Run(bounded)
				cancel()
				_ = twin.Close()
			}
			return true
		}
	}
}

// changing is a device whose stanzas are changed.
func changing(s suite.Suite, change func(up bool, s stanza.Stanza)) func(*serve.DeviceConfig) {
	return meddling(s, func(up bool, frame []byte) []byte {
		tree, err := stanza.ParseBinary(frame)
		if err != nil {
			return frame
		}
		st, err := stanza.Parse(tree)
		if err != nil {
			return frame
		}
		change(up, st)
		return must2(stanza.AppendBinary(nil, st.Node()))
	})
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func addressOf(number string) ident.Address { return ident.Address{User: number, Server: ident.User} }

// TestMutants: each fault is found by the checks that it is about, and by no other.
func TestMutants(t *testing.T) {
	t.Parallel()
	some := mutants
	if testing.Short() { // all of them take a minute
		some = every(5, some)
	}
	// Most of the time is spent waiting for what does not come.
	slots := make(chan struct{}, 16)
	var all sync.WaitGroup
	for _, m := range some {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(m.name, func(t *testing.T) { m.run(t) })
		})
	}
	all.Wait()
}

// every returns each nth of a list.
func every[T any](n int, list []T) (some []T) {
	for i := 0; i < len(list); i += n {
		some = append(some, list[i])
	}
	return some
}

func (m *mutant) run(t *testing.T) {
	cfg, _ := world(t, m.set)
	r, err := check.Partner(context.Background(), cfg)
	must(t, err)
	for _, id := range m.trips {
		if c, _ := r.Find(id); c.Verdict != verdict.Fail {
			t.Errorf("%s: %s: %s, want it to fail", id, c.Verdict, c.Seen)
		}
	}
	for _, id := range m.hides {
		if c, _ := r.Find(id); c.Verdict != verdict.Skip {
			t.Errorf("%s: %s: %s, want it not to be seen", id, c.Verdict, c.Seen)
		}
	}
	for _, c := range r.Checks {
		if c.Verdict == verdict.Fail && !slices.Contains(m.trips, c.ID) {
			t.Errorf("%s fails too: %s", c.ID, c.Seen)
		}
	}
}
