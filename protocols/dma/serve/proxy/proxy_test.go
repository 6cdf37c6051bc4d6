package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// world is a proxy on the loopback interface, and a gatekeeper that answers what it is sent.
type world struct {
	t     *testing.T
	s     *Server
	at    string // of the proxy
	serve sync.WaitGroup

	gatekeeper net.Listener
	arrived    chan net.Conn // connections to the gatekeeper
}

func newWorld(t *testing.T, set func(*Config)) *world {
	t.Helper()
	w := &world{t: t, arrived: make(chan net.Conn, 100)}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.gatekeeper = Listen(raw, ListenerConfig{From: loopback})
	t.Cleanup(func() { _ = w.gatekeeper.Close() })
	w.serve.Go(func() {
		for {
			nc, err := w.gatekeeper.Accept()
			if err != nil {
				return
			}
			w.arrived <- nc
		}
	})
	cfg := Config{Gatekeeper: raw.Addr().String()}
	if set != nil {
		set(&cfg)
	}
	w.s, err = New(cfg)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.at = l.Addr().String()
	w.serve.Go(func() { _ = w.s.Serve(l) })
	t.Cleanup(func() {
		_ = w.s.Close()
		_ = w.gatekeeper.Close()
		w.serve.Wait()
	})
	return w
}

// client connects from an address of this machine.
func (w *world) client(from string) net.Conn {
	w.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(w.t.Context(), "tcp", w.at)
	must(w.t, err)
	w.t.Cleanup(func() { _ = c.Close() })
	must(w.t, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c
}

// upper is the connection that the gatekeeper got.
func (w *world) upper() net.Conn {
	w.t.Helper()
	select {
	case c := <-w.arrived:
		w.t.Cleanup(func() { _ = c.Close() })
		must(w.t, c.SetDeadline(time.Now().Add(30*time.Second)))
		return c
	case <-time.After(30 * time.Second):
		w.t.Fatal("no connection to the gatekeeper")
		return nil
	}
}

// want reads what is wanted.
func want(t *testing.T, c net.Conn, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != text {
		t.Errorf("got %q, %v, want %q", b, err, text)
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	must(t, err)
}

// TestRules: one connection for each client, with its address and its bytes, as long as the
// client is there.
func TestRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.client("127.0.0.1")
	send(t, a, "one")
	upA := w.upper()
	want(t, upA, "one")
	b := w.client("127.0.0.2")
	upB := w.upper()
	for from, c := range map[net.Conn]net.Conn{a: upA, b: upB} {
		if got := c.RemoteAddr().String(); got != from.LocalAddr().String() {
			t.Errorf("the gatekeeper is told %s, want %s", got, from.LocalAddr())
		}
	}
	send(t, upB, "for b")
	want(t, b, "for b")
	send(t, a, strings.Repeat("x", 3*bufferSize))
	want(t, upA, strings.Repeat("x", 3*bufferSize))
	if s := w.s.Stats(); s.Connected != 2 || s.Clients != 2 {
		t.Errorf("stats: %+v", s)
	}
	// The last words of the gatekeeper come through, and then the end.
	send(t, upB, "bye")
	_ = upB.Close()
	want(t, b, "bye")
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the gatekeeper's end: got %v, want %v", err, io.EOF)
	}
	// A client that leaves takes its connection with it.
	send(t, a, "bye")
	_ = a.Close()
	want(t, upA, "bye")
	if _, err := upA.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the client's end: got %v, want %v", err, io.EOF)
	}
	if len(w.arrived) != 0 {
		t.Error("a connection too many")
	}
	for w.s.Stats().Connected != 0 {
		time.Sleep(time.Millisecond)
	}
}

// TestSilent: a client that says nothing any more is gone.
func TestSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.IdleTimeout = 50 * time.Millisecond })
	a := w.client("127.0.0.1")
	up := w.upper()
	for _, c := range []net.Conn{a, up} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want %v", err, io.EOF)
		}
	}
}

// TestNoGatekeeper: a client whose gatekeeper can't be reached is let go, and one that goes
// is not connected for.
func TestNoGatekeeper(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	})
	if _, err := w.client("127.0.0.1").Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want %v", err, io.EOF)
	}
	ended := make(chan error, 1)
	slow := newWorld(t, func(c *Config) {
		c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}
	})
	c := slow.client("127.0.0.1")
	send(t, c, "hello")
	_ = c.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("dialing ended by %v, want %v", err, context.Canceled)
	}
}

// TestHoldsBack: what a client sends before the gatekeeper's connection stands comes
// through in order, and not more of it is kept than there is room for.
func TestHoldsBack(t *testing.T) {
	t.Parallel()
	dial := make(chan struct{})
	hold := func(c *Config) {
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			select {
			case <-dial:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	}
	w := newWorld(t, hold)
	a := w.client("127.0.0.1")
	const n = 20
	var all strings.Builder
	for i := range n {
		part := strings.Repeat(string(rune('a'+i)), 100)
		all.WriteString(part)
		send(t, a, part)
	}
	endless := newWorld(t, hold)
	b := endless.client("127.0.0.1")
	for {
		if _, err := b.Write(make([]byte, bufferSize)); err != nil {
			break // it was cut off
		}
	}
	close(dial)
	want(t, w.upper(), all.String())
}

func TestFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Connections = 1 })
	a := w.client("127.0.0.1")
	w.upper()
	if _, err := w.client("127.0.0.1").Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want %v", err, io.EOF)
	}
	if s := w.s.Stats(); s.Refused != 1 || s.Connected != 1 {
		t.Errorf("stats: %+v", s)
	}
	_ = a.Close()
}

// TestShutdown takes nobody any more, and cuts those who stay.
func TestShutdown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.client("127.0.0.1")
	w.upper()
	health := func() int {
		rec := httptest.NewRecorder()
		w.s.Admin().ServeHTTP(rec, httptest.NewRequest("GET", "/healthz", nil))
		return rec.Code
	}
	if code := health(); code != 200 {
		t.Errorf("health: got %d", code)
	}
	rec := httptest.NewRecorder()
	w.s.Admin().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if want := "mimi_proxy_connected 1\n"; !strings.Contains(rec.Body.String(), want) {
		t.Errorf("metrics: want the line %q in\n%s", want, rec.Body)
	}
	bounded, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	must(t, w.s.Shutdown(bounded))
	if _, err := a.Read(make([]byte, 1)); err == nil {
		t.Error("the client stays")
	}
	if code := health(); code != 503 {
		t.Errorf("health after the end: got %d", code)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	if err := w.s.Serve(l); !errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want %v", err, ErrStopped)
	}
}

// TestListener: who is no proxy, or has no header, is closed, and holds up nobody.
func TestListener(t *testing.T) {
	t.Parallel()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := Listen(raw, ListenerConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Timeout: 100 * time.Millisecond, Waiting: 4})
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", raw.Addr().String())
		must(t, err)
		t.Cleanup(func() { _ = c.Close() })
		must(t, c.SetDeadline(time.Now().Add(30*time.Second)))
		return c
	}
	header, err := AppendHeader(nil, netip.MustParseAddrPort("192.0.2.1:5"), netip.MustParseAddrPort("192.0.2.2:6"))
	must(t, err)
	silent, stranger, client := dial("127.0.0.1"), dial("127.0.0.2"), dial("127.0.0.1")
	garbage := dial("127.0.0.1")
	for _, c := range []net.Conn{stranger, client} {
		send(t, c, string(header)+"hello")
	}
	send(t, garbage, strings.Repeat("x", fixed))
	got, err := l.Accept()
	must(t, err)
	want(t, got, "hello")
	if a := got.RemoteAddr().String(); a != "192.0.2.1:5" {
		t.Errorf("client %s, want 192.0.2.1:5", a)
	}
	for name, c := range map[string]net.Conn{"silent": silent, "stranger": stranger, "garbage": garbage} {
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: got %v, want it closed", name, err)
		}
	}
	must(t, l.Close())
	if _, err := l.Accept(); err == nil {
		t.Error("a closed listener accepts")
	}
}

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		client, to string
		size       int
	}{
		{"192.0.2.1:56324", "192.0.2.2:443", 28},
		{"[2001:db8::1]:1", "[2001:db8::2]:2", 52},
		{"[::ffff:192.0.2.1]:1", "192.0.2.2:2", 28},
		{"192.0.2.1:1", "[2001:db8::2]:2", 52},
	} {
		client := netip.MustParseAddrPort(tt.client)
		b, err := AppendHeader([]byte("x"), client, netip.MustParseAddrPort(tt.to))
		must(t, err)
		r := bytes.NewReader(append(b[1:], "rest"...))
		got, err := ReadHeader(r)
		if err != nil || len(b) != 1+tt.size || got != netip.AddrPortFrom(client.Addr().Unmap(), client.Port()) || r.Len() != len("rest") {
			t.Errorf("%s to %s: got %v, %v, %d bytes, %d left; want %d bytes", tt.client, tt.to, got, err, len(b)-1, r.Len(), tt.size)
		}
	}
	if _, err := AppendHeader(nil, netip.AddrPort{}, netip.MustParseAddrPort("192.0.2.1:1")); err == nil {
		t.Error("no client: no error")
	}
}

func TestHeaderRefused(t *testing.T) {
	t.Parallel()
	right, err := AppendHeader(nil, netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2"))
	must(t, err)
	at := func(i int, b byte) []byte {
		c := slices.Clone(right)
		c[i] = b
		return c
	}
	for name, b := range map[string][]byte{
		"no signature": at(0, 'x'), "version 1": at(12, 0x11), "LOCAL": at(12, 0x20), "UDP": at(13, 0x12), "Unix": at(13, 0x31),
		"too short for its family": at(15, 11), "too long": at(14, 2), "nobody's address": append(slices.Clone(right[:16]), make([]byte, 12)...),
	} {
		if _, err := ReadHeader(bytes.NewReader(append(b, make([]byte, MaxHeader)...))); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: got %v, want %v", name, err, ErrHeader)
		}
	}
	for n := range right {
		if _, err := ReadHeader(bytes.NewReader(right[:n])); err == nil {
			t.Errorf("cut off after %d bytes: no error", n)
		}
	}
	long := at(15, 12+4)
	if got, err := ReadHeader(bytes.NewReader(append(long, 4, 0, 1, 9))); err != nil || got.String() != "192.0.2.1:1" {
		t.Errorf("with an extension: got %v, %v", got, err)
	}
}

func FuzzReadHeader(f *testing.F) {
	for _, a := range []string{"192.0.2.1:1", "[2001:db8::1]:65535"} {
		b, err := AppendHeader(nil, netip.MustParseAddrPort(a), netip.MustParseAddrPort(a))
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		client, err := ReadHeader(r)
		if err != nil {
			return
		}
		if len(b)-r.Len() > MaxHeader {
			t.Errorf("%d bytes read", len(b)-r.Len())
		}
		again, err := AppendHeader(nil, client, client)
		must(t, err)
		if got, err := ReadHeader(bytes.NewReader(again)); err != nil || got != client {
			t.Errorf("got %v, %v, want %v", got, err, client)
		}
	})
}
