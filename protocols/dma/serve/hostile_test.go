package serve

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// raw is a client that says what a test wants.
type raw struct {
	w       *world
	nc      net.Conn
	channel *noise.Channel
	in      *bufio.Reader // nil before it reads stanzas
	asked   int
}

func (w *world) dial() *raw {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.chat)
	must(w.t, err)
	w.t.Cleanup(func() { _ = nc.Close() })
	must(w.t, nc.SetDeadline(time.Now().Add(30*time.Second)))
	return &raw{w: w, nc: nc}
}

// login does the handshake of a phone.
func (p *phone) login() *raw {
	r := p.w.dial()
	l := &line{d: p.Device, nc: r.nc, r: newReader(r.nc)}
	var err error
	r.channel, err = l.handshake(p.w.ctx)
	must(p.w.t, err)
	return r
}

func (r *raw) write(b ...byte) *raw {
	_, _ = r.nc.Write(b) // the server may have hung up
	return r
}

// seal sends what it seals.
func (r *raw) seal(plaintext []byte) *raw {
	r.w.t.Helper()
	b, err := r.channel.Seal(nil, plaintext)
	must(r.w.t, err)
	return r.write(b...)
}

// hungUp wants the server to close the connection, with nothing said before.
func (r *raw) hungUp(name string) {
	r.w.t.Helper()
	if b, err := io.ReadAll(r.nc); err != nil && !strings.Contains(err.Error(), "reset") || len(b) > 0 {
		r.w.t.Errorf("%s: the server says %d bytes, %v; want it to hang up", name, len(b), err)
	}
}

// told wants the server to say why it closes the connection.
func (r *raw) told(name string, want stanza.Code) {
	r.w.t.Helper()
	in := newReader(r.nc)
	for {
		body, err := noise.ReadFrame(in, r.channel.MaxBody(), nil)
		if err != nil {
			r.w.t.Errorf("%s: got %v, want to be told %v", name, err, want)
			return
		}
		frame, err := r.channel.Open(body)
		must(r.w.t, err)
		if why := farewell(frame); why != nil {
			if !errors.Is(why, want) {
				r.w.t.Errorf("%s: told %v, want %v", name, why, want)
			}
			return
		}
	}
}

// short are limits that a test reaches.
func short(c *Config) {
	c.Limits = Limits{
		HandshakeTimeout: time.Second, FrameTimeout: 300 * time.Millisecond, IdleTimeout: 1500 * time.Millisecond,
		Frame: 10000, Queue: 100 << 10, WriteTimeout: 10 * time.Second,
	}
}

// TestHostilePeers: those who are nobody get nothing, and others are served meanwhile.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		short(c)
		c.Limits.IdleTimeout = time.Minute
	})
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner).connect()
	hello := append([]byte("ML\x01\x01\x00\x00\x20"), bytes.Repeat([]byte{9}, 32)...)
	var wg sync.WaitGroup
	for _, tt := range []struct {
		name string
		say  []byte
	}{
		{"nothing", nil},
		{"half a prologue", []byte("M")},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
		{"another version", []byte("ML\x02\x01\x00\x00\x20")},
		{"another dialect", []byte("WA\x06\x03\x00\x00\x20")},
		{"huge hello", []byte("ML\x01\x01\xff\xff\xff")},
		{"empty hello", []byte("ML\x01\x01\x00\x00\x00")},
		{"short hello", []byte("ML\x01\x01\x00\x00\x01x")},
		{"half a hello", hello[:20]},
		{"key of small order", append([]byte("ML\x01\x01\x00\x00\x20"), make([]byte, 32)...)},
	} {
		r := w.dial().write(tt.say...)
		wg.Go(func() { r.hungUp(tt.name) })
	}
	for _, tt := range []struct {
		name string
		say  []byte
	}{
		{"no finish", nil},
		{"huge finish", []byte("\xff\xff\xff")},
		{"short finish", []byte("\x00\x00\x01x")},
		{"forged finish", append([]byte("\x00\x00\x60"), make([]byte, 0x60)...)},
	} {
		r := w.dial().write(hello...)
		in := newReader(r.nc)
		_, err := noise.ReadFrame(in, noise.MaxServerHello, nil)
		must(t, err)
		r.write(tt.say...)
		wg.Go(func() { r.hungUp(tt.name) })
	}
	bob.send(alice, "meanwhile")
	alice.want(bob, "meanwhile")
	wg.Wait()
	if s := w.gk.Stats(); s.Refused != 15 || s.Connected != 2 {
		t.Errorf("stats: %+v, want 15 refused and 2 connected", s)
	}
}

// TestHostileClients: those who are somebody are told.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, short)
	var wg sync.WaitGroup
	for i, tt := range []struct {
		name string
		do   func(r *raw)
		want stanza.Code
	}{
		{"silence", func(*raw) {}, stanza.RequestTimeout},
		{"half a frame", func(r *raw) { r.write(0, 1, 0, 'x') }, stanza.RequestTimeout},
		{"huge frame", func(r *raw) { r.write(0xff, 0xff, 0xff) }, stanza.ResourceLimit},
		{"frame of 1 byte too many", func(r *raw) { r.seal(make([]byte, 10001)) }, stanza.ResourceLimit},
		{"empty frame", func(r *raw) { r.write(0, 0, 0) }, stanza.ResourceLimit},
		{"no stanza", func(r *raw) { r.seal([]byte("hello")) }, stanza.BadRequest},
		{"zip bomb", func(r *raw) { r.seal(append([]byte{stanza.DictionaryVersion<<4 | 2}, "\x78\x9c\xff\xff"...)) }, stanza.BadRequest},
		{"a stanza of servers", func(r *raw) {
			b, err := stanza.AppendBinary(nil, (&stanza.IB{Offline: &stanza.Offline{Count: 1}}).Node())
			must(t, err)
			r.seal(b)
		}, stanza.BadRequest},
	} {
		p := w.enlist(number[:8]+string(rune('0'+i)), w.own)
		r := p.login()
		tt.do(r)
		wg.Go(func() { r.told(tt.name, tt.want) })
	}
	wg.Wait()
	p := w.enlist(number, w.own)
	r := p.login()
	r.write(append([]byte{0, 0, 40}, make([]byte, 40)...)...)
	if _, err := io.ReadAll(r.nc); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("a frame that does not open: got %v, want the end", err)
	}
}

// TestDoesNotRead: a client that does not read is cut off and loses nothing, whatever waits
// for it.
func TestDoesNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Limits.Queue, c.Limits.WriteTimeout = 100<<10, 200*time.Millisecond
	})
	alice, bob := w.enlist(number, w.own), w.enlist("bob@partner.example", w.partner).connect()
	r := alice.login()
	must(t, r.nc.(*net.TCPConn).SetReadBuffer(1<<10))
	text := strings.Repeat("x", 60000)
	for range 200 { // 12 MB, which no socket's room holds
		bob.send(alice, text)
	}
	must(t, bob.Settled(w.ctx, false))
	for w.gk.Stats().Connected != 1 {
		select {
		case <-w.ctx.Done():
			t.Fatal("it is not cut off")
		case <-time.After(10 * time.Millisecond):
		}
	}
	alice.connect()
	for range 200 {
		alice.want(bob, text)
	}
}

// TestReplayedHandshake: who has recorded all that a device sent gets no further with it.
func TestReplayedHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	alice, bob := w.enlist(number, w.own).connect(), w.enlist("bob@partner.example", w.partner)
	var mu sync.Mutex
	var record bytes.Buffer
	bob.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		return &recorded{nc, &mu, &record}, err
	}
	bob.open()
	bob.connect()
	bob.send(alice, "one")
	alice.want(bob, "one")
	must(t, bob.Settled(w.ctx, true))
	bob.disconnect()
	mu.Lock()
	r := w.dial().write(record.Bytes()...)
	mu.Unlock()
	// The server answers the hello, as it would anybody's, and hangs up at the finish.
	b, err := io.ReadAll(r.nc)
	if n := noise.HeaderSize + 32 + 48 + 16; err != nil && !strings.Contains(err.Error(), "reset") || len(b) > n {
		t.Errorf("got %d bytes, %v; want at most the %d of a server hello", len(b), err, n)
	}
	if s := w.gk.Stats(); s.Routed != 1 || s.Refused != 1 {
		t.Errorf("stats: %+v, want 1 message and 1 connection refused", s)
	}
}

// recorded is a connection whose writes are recorded.
type recorded struct {
	net.Conn
	mu *sync.Mutex
	to *bytes.Buffer
}

func (r *recorded) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.to.Write(b)
	r.mu.Unlock()
	return r.Conn.Write(b)
}

// TestManyConnections: beyond the bounds nobody is served, and within them all are.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Handshakes = 1 })
	alice := w.enlist(number, w.own)
	slow := w.dial() // takes the only place
	for len(w.gk.handshakes) == 0 {
		select {
		case <-w.ctx.Done():
			t.Fatal("no handshake begins")
		case <-time.After(time.Millisecond):
		}
	}
	w.dial().hungUp("one handshake too many")
	_ = slow.nc.Close()
	alice.connect() // tries until there is room
	bob := w.enlist("bob@partner.example", w.partner).connect()
	bob.send(alice, "one")
	alice.want(bob, "one")
}

// slowVerifier lets a test see that it was asked, and answers when it is let.
type slowVerifier struct {
	asked chan struct{}
	pass  chan struct{}
}

func (s *slowVerifier) Verify(ctx context.Context, _, _ string) (*token.Claims, error) {
	s.asked <- struct{}{}
	select {
	case <-s.pass:
		return &token.Claims{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestManyEnlistments: a partner whose keys never come holds up a bounded number.
func TestManyEnlistments(t *testing.T) {
	t.Parallel()
	slow := &slowVerifier{make(chan struct{}, 1), make(chan struct{})}
	w := newWorld(t, func(c *Config) {
		c.Limits.Enlistments = 1
		c.Partners[1].Tokens = slow
	})
	done := make(chan error, 1)
	go func() {
		_, err := Enlist(w.ctx, w.enlistConfig(store.NewMemory(), "eve", w.other))
		done <- err
	}()
	<-slow.asked
	if _, err := Enlist(w.ctx, w.enlistConfig(store.NewMemory(), "bob", w.partner)); !errors.Is(err, enlist.TooMany) {
		t.Errorf("got %v, want %v", err, enlist.TooMany)
	}
	close(slow.pass)
	must(t, <-done)
	w.enlist("bob", w.partner)
}

// FuzzChat gives the server what a peer might say. Nobody gets in.
func FuzzChat(f *testing.F) {
	f.Add([]byte("ML\x01\x01\x00\x00\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\x00\x40"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	must(f, err)
	static, err := s.GenerateKeyPair()
	must(f, err)
	gk, err := New(f.Context(), Config{
		Machine: dma.GatekeeperConfig{Native: ident.User}, Noise: noise.ServerConfig{Config: noise.Config{Suite: s, Static: static}},
	})
	must(f, err)
	f.Cleanup(func() { _ = gk.Close() })
	f.Fuzz(func(t *testing.T, b []byte) {
		client, server := net.Pipe()
		if !gk.enter(server) {
			t.Fatal("no room")
		}
		go func() {
			_, _ = client.Write(b)
			_ = client.Close()
		}()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		gk.serveChat(server)
		gk.leave(server)
		if n := gk.Stats().Connected; n != 0 {
			t.Fatalf("%d connected", n)
		}
	})
}
