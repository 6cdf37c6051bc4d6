package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// listenNoise serves over Noise on loopback until the test ends.
func listenNoise(t testing.TB, p *provider, auth Authenticator) (addr string, trust noise.Trust) {
	cfg := noiseConfig()
	s := must(New(Config{Open: p.open, Authenticator: auth, Noise: &noise.ServerConfig{Config: cfg}}))
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	served := make(chan error, 1)
	go func() { served <- s.ServeNoise(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Errorf("ServeNoise returned %v, want %v", err, net.ErrClosed)
		}
	})
	return l.Addr().String(), noise.Trust{Pin: cfg.Static.Public}
}

// TestNoise: clients come in by static key or token, with the right one alone, and to the
// right server alone.
func TestNoise(t *testing.T) {
	t.Parallel()
	var (
		tokens Tokens
		keys   StaticKeys
	)
	tokens.Set(bob, []byte("bob's"))
	mine, hers := noiseConfig(), noiseConfig()
	keys.Set(alice, hers.Static.Public)
	p := newProvider()
	addr, trust := listenNoise(t, p, AnyOf{Certificates{}, &tokens, &keys})
	other := noiseConfig()
	whatsapp := hers
	whatsapp.Dialect = noise.WhatsApp
	for _, tt := range []struct {
		name  string
		who   ident.URI
		token string
		cfg   noise.Config
		trust noise.Trust
		want  bool
	}{
		{"key", alice, "", hers, trust, true},
		{"token", bob, "bob's", mine, trust, true},
		{"token beside another's key", bob, "bob's", hers, trust, true},
		{"another's key", bob, "", hers, trust, false},
		{"a key of nobody's", alice, "", mine, trust, false},
		{"another's token", alice, "bob's", mine, trust, false},
		{"another server", alice, "", hers, noise.Trust{Pin: other.Static.Public}, false},
		{"another dialect", alice, "", whatsapp, trust, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Dial(t.Context(), addr, ClientConfig{
				Client: tt.who, Token: []byte(tt.token), Noise: &Noise{tt.cfg, tt.trust}, Deliver: func(follower.Delivery) {},
			})
			if (err == nil) != tt.want {
				t.Fatalf("error %v, want let in: %v", err, tt.want)
			}
			if err != nil {
				return
			}
			if _, err := c.Do(t.Context(), submit("hello")); err != nil {
				t.Error(err)
			}
			_ = c.Close()
		})
	}
	keys.Set(alice, nil)
	if _, err := Dial(t.Context(), addr, ClientConfig{Client: alice, Noise: &Noise{hers, trust}, Deliver: func(follower.Delivery) {}}); err == nil {
		t.Error("let in by a key that was taken away")
	}
}

// TestNoiseConfig: what cannot work is refused before anybody connects.
func TestNoiseConfig(t *testing.T) {
	t.Parallel()
	p := newProvider()
	if _, err := New(Config{Open: p.open, Authenticator: &Tokens{}, Noise: &noise.ServerConfig{}}); err == nil {
		t.Error("a server without a static key was made")
	}
	s := must(New(Config{Open: p.open, Authenticator: &Tokens{}}))
	if err := s.ServeNoise(must(net.Listen("tcp", "127.0.0.1:0"))); err == nil {
		t.Error("a server without Noise serves over it")
	}
	if _, err := Dial(t.Context(), "127.0.0.1:1", ClientConfig{Client: alice, Deliver: func(follower.Delivery) {}}); err == nil {
		t.Error("a client connects with neither TLS nor Noise")
	}
}

// TestNoiseMixed: one connection a client is left, whichever way the others came.
func TestNoiseMixed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{})
		plain := must(l.dial(alice, "alice's", &inbox{}))
		l.noise = l.clientNoise()
		sealed := must(l.dial(alice, "alice's", &inbox{}))
		synctest.Wait()
		var e *stanza.Error
		if err := plain.Err(); !errors.As(err, &e) || e.Code != stanza.Conflict {
			t.Errorf("ended with %v, want %v", err, stanza.Conflict)
		}
		if sealed.Err() != nil || l.server.Connected() != 1 {
			t.Errorf("%v, %d connected: want the last connection alone", sealed.Err(), l.server.Connected())
		}
		l.shutdown()
	})
}

// TestNoiseHostile: what comes in place of a handshake or a sealed stanza ends the
// connection, and leaves nothing behind.
func TestNoiseHostile(t *testing.T) {
	t.Parallel()
	// tamper changes what a client sends after its handshake and login.
	for _, tt := range []struct {
		name   string
		raw    string // sent in place of a handshake
		tamper func(sealed []byte) []byte
	}{
		{name: "another protocol", raw: "GET / HTTP/1.1\r\n\r\n"},
		{name: "a hello too long", raw: "ML\x01\x01\x00\x02\x00"},
		{name: "an empty hello", raw: "ML\x01\x01\x00\x00\x00"},
		{name: "silence", raw: "ML\x01\x01"},
		{"a bit flipped", "", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		{"a stanza twice", "", func(b []byte) []byte { return append(b, b...) }},
		{"a stanza in the clear", "", func([]byte) []byte { return frame(&stanza.IQ{ID: "1", Type: stanza.Get, Payload: stanza.KeepAlive{}}) }},
		{"no stanza at all", "", func([]byte) []byte { return []byte{0, 0, 1, 7} }},
		{"half of one", "", func(b []byte) []byte { return b[:len(b)/2] }},
		{"a frame too long", "", func([]byte) []byte { return []byte{0xff, 0xff, 0xff} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, Limits{})
				l.noise = l.clientNoise()
				nc := l.pipe()
				go func() {
					if tt.tamper == nil {
						_, _ = io.WriteString(nc, tt.raw)
						_, _ = io.Copy(io.Discard, nc)
						return
					}
					channel, err := noise.Connect(nc, nc, time.Now(), l.noise.Config, l.noise.Trust, nil)
					if err != nil {
						t.Error(err)
						return
					}
					e := &encoder{noise: channel}
					_, _ = nc.Write(must(e.append(nil, login(alice, "alice's"))))
					go func() { _, _ = io.Copy(io.Discard, nc) }()
					_, _ = nc.Write(tt.tamper(must(e.append(nil, &stanza.IQ{ID: "1", Type: stanza.Get, Payload: stanza.KeepAlive{}}))))
				}()
				l.wg.Wait()
				if n := l.server.Connected(); n != 0 {
					t.Errorf("%d connected, want none", n)
				}
				_ = nc.Close()
				l.noise = nil
				must(l.dial(bob, "bob's", &inbox{}))
				l.shutdown()
			})
		})
	}
}
