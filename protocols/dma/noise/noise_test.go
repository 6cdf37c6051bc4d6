package noise

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

var now = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

func newSuite(t testing.TB, label string) suite.Suite {
	t.Helper()
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{7}, label)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ends are the two ends of a connection to be.
type ends struct {
	client, server     Config
	trust              Trust
	certificate        []byte
	payload            ClientPayload
	authority, server2 suite.KeyPair
}

func newEnds(t testing.TB, d Dialect) *ends {
	t.Helper()
	cs, ss := newSuite(t, "client"), newSuite(t, "server")
	pair := func(k suite.KeyPair, err error) suite.KeyPair {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	e := &ends{
		client:    Config{Dialect: d, Suite: cs, Static: pair(cs.GenerateKeyPair())},
		server:    Config{Dialect: d, Suite: ss, Static: pair(ss.GenerateKeyPair())},
		payload:   ClientPayload{Product: ProductInterop, AccountID: 10853634039893, Token: []byte("a.b.c"), PushName: "Bob"},
		authority: pair(ss.GenerateSigner()), server2: pair(ss.GenerateKeyPair()),
	}
	e.trust = Trust{Authority: e.authority.Public, Service: "chat.example"}
	e.certificate = e.certify(t, func(*Certificate) {})
	return e
}

// certify makes a certificate for the server that is like the right one but for a change.
func (e *ends) certify(t testing.TB, change func(*Certificate)) []byte {
	t.Helper()
	c := &Certificate{Service: "chat.example", Key: [32]byte(e.server.Static.Public), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	change(c)
	b, err := c.Sign(e.server.Suite, e.authority.Private)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// body takes the frame apart.
func body(t testing.TB, frame []byte, limit int) []byte {
	t.Helper()
	n, err := FrameLength([HeaderSize]byte(frame), limit)
	if err != nil {
		t.Fatal(err)
	}
	if n != len(frame)-HeaderSize {
		t.Fatalf("frame of %d bytes announces %d", len(frame), n)
	}
	return bytes.Clone(frame[HeaderSize:])
}

// handshake plays all of it, each message as change makes it: 0 the client's hello, 1 the
// server's, 2 the client's finish.
func (e *ends) handshake(t testing.TB, change func(step int, body []byte) []byte) (client, server *Channel, peer *Peer, err error) {
	t.Helper()
	c, first, err := NewClient(e.client, e.trust, &e.payload)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(ServerConfig{Config: e.server, Certificate: e.certificate})
	if err != nil {
		t.Fatal(err)
	}
	n := s.PrologueSize()
	if err := s.Prologue(first[:n]); err != nil {
		return nil, nil, nil, err
	}
	hello, err := s.Hello(change(0, body(t, first[n:], MaxClientHello)))
	if err != nil {
		return nil, nil, nil, err
	}
	last, client, err := c.Finish(now, change(1, body(t, hello, MaxServerHello)))
	if err != nil {
		return nil, nil, nil, err
	}
	peer, server, err = s.Finish(change(2, body(t, last, MaxClientFinish)))
	return client, server, peer, err
}

func unchanged(_ int, b []byte) []byte { return b }

func TestHandshake(t *testing.T) {
	t.Parallel()
	for _, d := range Dialects {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			e := newEnds(t, d)
			c, s, peer, err := e.handshake(t, unchanged)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(peer.Static[:], e.client.Static.Public) {
				t.Errorf("the client's key: got %x, want %x", peer.Static, e.client.Static.Public)
			}
			if peer.Payload.AccountID != e.payload.AccountID || string(peer.Payload.Token) != "a.b.c" || peer.Payload.PushName != "Bob" || peer.Payload.Product != ProductInterop {
				t.Errorf("payload: got %#v %s", peer.Payload, peer.Payload.Token)
			}
			if len(c.Binding()) != 32 || !bytes.Equal(c.Binding(), s.Binding()) {
				t.Errorf("bindings: %x and %x", c.Binding(), s.Binding())
			}
			for i := range 3 {
				talk(t, c, s, fmt.Sprintf("up %d", i))
				talk(t, s, c, fmt.Sprintf("down %d", i))
			}
		})
	}
}

func talk(t testing.TB, from, to *Channel, text string) {
	t.Helper()
	frame, err := from.Seal([]byte("before"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := to.Open(body(t, frame[len("before"):], to.MaxBody()))
	if err != nil || string(got) != text {
		t.Fatalf("got %q, %v, want %q", got, err, text)
	}
}

// TestForms: the two forms are told apart although the prologue is the same.
func TestForms(t *testing.T) {
	t.Parallel()
	for _, forms := range [][2]Form{{Plain, Wrapped}, {Wrapped, Plain}} {
		e := newEnds(t, Lab)
		e.client.Dialect.Form, e.server.Dialect.Form = forms[0], forms[1]
		if _, _, _, err := e.handshake(t, unchanged); !errors.Is(err, ErrMessage) {
			t.Errorf("%v to %v: got %v, want %v", forms[0], forms[1], err, ErrMessage)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			if at < 0 {
				at += len(b)
			}
			b[at] ^= 1
			return b
		}
	}
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	longer := func(b []byte) []byte { return append(b, 0) }
	huge := func(b []byte) []byte { return append(b, make([]byte, MaxClientFinish)...) }
	zero := func(b []byte) []byte { clear(b); return b }
	for _, tt := range []struct {
		name   string
		set    func(t *testing.T, e *ends)
		step   int
		change func([]byte) []byte
		want   error
		says   string
	}{
		{"version", func(_ *testing.T, e *ends) { e.client.Dialect.Prologue = "ML\x02\x01" }, 0, nil, ErrPrologue, `"ML\x02\x01", want "ML\x01\x01"`},
		{"short hello", nil, 0, cut(1), ErrMessage, "31 bytes, want 32"},
		{"long hello", nil, 0, longer, ErrMessage, "33 bytes, want 32"},
		{"huge hello", nil, 0, huge, ErrFrame, "want at most 256"},
		{"key of small order", nil, 0, zero, ErrHandshake, "server hello"},
		{"another ephemeral key", nil, 0, flip(0), ErrHandshake, "server hello"},
		{"server's ephemeral key", nil, 1, flip(0), ErrHandshake, "server hello"},
		{"server's static key", nil, 1, flip(40), ErrHandshake, "server hello"},
		{"certificate's ciphertext", nil, 1, flip(-1), ErrHandshake, "server hello"},
		{"short server hello", nil, 1, func(b []byte) []byte { return b[:95] }, ErrMessage, "95 bytes, want at least 96"},
		{"huge server hello", nil, 1, huge, ErrFrame, "want at most 4096"},
		{"client's static key", nil, 2, flip(0), ErrHandshake, "client finish"},
		{"payload's ciphertext", nil, 2, flip(-1), ErrHandshake, "client finish"},
		{"short finish", nil, 2, func(b []byte) []byte { return b[:63] }, ErrMessage, "63 bytes, want at least 64"},
		{"huge finish", nil, 2, huge, ErrFrame, "want at most 8192"},
		{"no certificate", func(_ *testing.T, e *ends) { e.certificate = nil }, 0, nil, ErrServer, "certificate"},
		{"bytes behind the certificate", func(_ *testing.T, e *ends) { e.certificate = append(e.certificate, 0) }, 0, nil, ErrServer, "behind"},
		{"another authority", func(_ *testing.T, e *ends) { e.trust.Authority = e.server2.Public }, 0, nil, ErrServer, "certificate"},
		{"another service", func(t *testing.T, e *ends) {
			e.certificate = e.certify(t, func(c *Certificate) { c.Service = "evil.example" })
		}, 0, nil, ErrServer, `for "evil.example", want "chat.example"`},
		{"another key in the certificate", func(t *testing.T, e *ends) {
			e.certificate = e.certify(t, func(c *Certificate) { c.Key[0] ^= 1 })
		}, 0, nil, ErrServer, "want the static key"},
		{"expired", func(t *testing.T, e *ends) {
			e.certificate = e.certify(t, func(c *Certificate) { c.NotAfter = now.Add(-time.Second) })
		}, 0, nil, ErrServer, "good from"},
		{"not good yet", func(t *testing.T, e *ends) {
			e.certificate = e.certify(t, func(c *Certificate) { c.NotBefore = now.Add(time.Second) })
		}, 0, nil, ErrServer, "good from"},
		{"another pin", func(_ *testing.T, e *ends) { e.trust = Trust{Pin: e.server2.Public} }, 0, nil, ErrServer, "static key"},
		{"certificate and another pin", func(_ *testing.T, e *ends) { e.trust.Pin = e.server2.Public }, 0, nil, ErrServer, "static key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEnds(t, Lab)
			if tt.set != nil {
				tt.set(t, e)
			}
			_, _, _, err := e.handshake(t, func(step int, b []byte) []byte {
				if step == tt.step && tt.change != nil {
					return tt.change(b)
				}
				return b
			})
			if !errors.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("got %v, want %v and %q", err, tt.want, tt.says)
			}
			var typed *Error
			if !errors.As(err, &typed) || typed.Where == "" {
				t.Errorf("got %T %v, want an *Error that says where", err, err)
			}
		})
	}
}

func TestPin(t *testing.T) {
	t.Parallel()
	e := newEnds(t, Lab)
	e.trust, e.certificate = Trust{Pin: e.server.Static.Public}, nil
	if _, _, _, err := e.handshake(t, unchanged); err != nil {
		t.Errorf("with a pin alone: %v", err)
	}
}

// TestReplay: what an eavesdropper has recorded serves nobody.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, d := range Dialects {
		e := newEnds(t, d)
		var record [3][]byte
		c, s, _, err := e.handshake(t, func(step int, b []byte) []byte {
			record[step] = bytes.Clone(b)
			return b
		})
		if err != nil {
			t.Fatal(err)
		}
		again, err := NewServer(ServerConfig{Config: e.server, Certificate: e.certificate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.Hello(record[0]); err != nil {
			t.Fatalf("%s: a hello is anybody's: %v", d.Name, err)
		}
		if _, _, err := again.Finish(record[2]); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: the last message replayed: got %v, want %v", d.Name, err, ErrHandshake)
		}
		if _, _, err := again.Finish(record[2]); !errors.Is(err, ErrState) {
			t.Errorf("%s: a second try: got %v, want %v", d.Name, err, ErrState)
		}
		client, _, err := NewClient(e.client, e.trust, &e.payload)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := client.Finish(now, record[1]); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: the server's message replayed: got %v, want %v", d.Name, err, ErrHandshake)
		}
		if _, _, err := client.Finish(now, record[1]); !errors.Is(err, ErrState) {
			t.Errorf("%s: a second try: got %v, want %v", d.Name, err, ErrState)
		}
		frame, err := c.Seal(nil, []byte("once"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(body(t, frame, s.MaxBody())); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(body(t, frame, s.MaxBody())); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: a frame replayed: got %v, want %v", d.Name, err, ErrOpen)
		}
	}
}

// TestOrder: steps that are not due are refused.
func TestOrder(t *testing.T) {
	t.Parallel()
	e := newEnds(t, Lab)
	s, err := NewServer(ServerConfig{Config: e.server, Certificate: e.certificate})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Finish(make([]byte, 100)); !errors.Is(err, ErrState) {
		t.Errorf("finish before hello: got %v, want %v", err, ErrState)
	}
	if _, err := s.Hello(bytes.Repeat([]byte{9}, 32)); err != nil {
		t.Fatalf("hello: %v", err)
	}
	if _, err := s.Hello(bytes.Repeat([]byte{9}, 32)); !errors.Is(err, ErrState) {
		t.Errorf("second hello: got %v, want %v", err, ErrState)
	}
	if s, err = NewServer(ServerConfig{Config: e.server}); err != nil {
		t.Fatal(err)
	}
	if err := s.Prologue([]byte("GET ")); !errors.Is(err, ErrPrologue) {
		t.Errorf("prologue of another protocol: got %v", err)
	}
	if _, err := s.Hello(bytes.Repeat([]byte{9}, 32)); !errors.Is(err, ErrState) {
		t.Errorf("hello after a wrong prologue: got %v, want %v", err, ErrState)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		set  func(*ends)
		says string
	}{
		{"suite", func(e *ends) { e.client.Suite = nil }, "no suite"},
		{"static key", func(e *ends) { e.client.Static.Private = nil }, "static key of 0 and 32 bytes"},
		{"prologue", func(e *ends) { e.client.Dialect = Dialect{Name: "none"} }, "prologue of 0 bytes"},
		{"form", func(e *ends) { e.client.Dialect = Dialect{"x", "x", 2} }, "Form(2)"},
		{"limits", func(e *ends) { e.client.Limits.Plaintext = MaxFrame }, "plaintext"},
		{"messages", func(e *ends) { e.client.Limits.Messages = MaxMessages + 1 }, "messages"},
		{"trust", func(e *ends) { e.trust = Trust{} }, "neither a pin nor an authority"},
		{"pin", func(e *ends) { e.trust = Trust{Pin: []byte{1}} }, "pin of 1 bytes"},
		{"service", func(e *ends) { e.trust.Service = "" }, "without the service"},
		{"token", func(e *ends) { e.payload.Token = make([]byte, MaxToken+1) }, "token of 4097 bytes"},
		{"account", func(e *ends) { e.payload.AccountID = 0 }, "account 0"},
		{"native", func(e *ends) { e.payload.Product = ProductWhatsApp }, "a native client"},
		{"name", func(e *ends) { e.payload.PushName = "\xff" }, "push name"},
	} {
		e := newEnds(t, Lab)
		tt.set(e)
		if _, _, err := NewClient(e.client, e.trust, &e.payload); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
	}
	e := newEnds(t, Lab)
	if _, err := NewServer(ServerConfig{Config: e.server, Certificate: make([]byte, MaxServerHello)}); err == nil {
		t.Error("a certificate that no frame holds: no error")
	}
}

// pair returns both ends of a channel.
func pair(t testing.TB, l Limits) (client, server *Channel) {
	t.Helper()
	e := newEnds(t, Lab)
	e.client.Limits, e.server.Limits = l, l
	client, server, _, err := e.handshake(t, unchanged)
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// TestExhausted: the last nonce is used once, and then no more is sealed or opened.
func TestExhausted(t *testing.T) {
	t.Parallel()
	c, s := pair(t, Limits{})
	c.send.state.SetNonce(MaxMessages - 1)
	s.receive.state.SetNonce(MaxMessages - 1)
	talk(t, c, s, "the last")
	if out, err := c.Seal(nil, []byte("one more")); !errors.Is(err, ErrExhausted) || len(out) != 0 {
		t.Errorf("seal: got %x, %v, want %v", out, err, ErrExhausted)
	}
	if _, err := s.Open(make([]byte, 40)); !errors.Is(err, ErrExhausted) {
		t.Errorf("open: got %v, want %v", err, ErrExhausted)
	}
	talk(t, s, c, "the other direction has its own")
}

func TestRekey(t *testing.T) {
	t.Parallel()
	c, s := pair(t, Limits{RekeyAfter: 3, Messages: 8})
	key := c.send.state.UnsafeKey()
	changes := 0
	for i := range 8 {
		talk(t, c, s, fmt.Sprint(i))
		if k := c.send.state.UnsafeKey(); k != key {
			key = k
			changes++
		}
	}
	if changes != 2 {
		t.Errorf("%d keys replaced in 8 messages, want 2", changes)
	}
	if _, err := c.Seal(nil, []byte("x")); !errors.Is(err, ErrExhausted) {
		t.Errorf("got %v, want %v", err, ErrExhausted)
	}
	other, _ := pair(t, Limits{})
	_, s = pair(t, Limits{RekeyAfter: 1})
	for i, want := range []error{nil, ErrOpen} {
		frame, err := other.Seal(nil, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(frame[HeaderSize:]); !errors.Is(err, want) {
			t.Errorf("message %d of a peer that keeps its key: got %v, want %v", i, err, want)
		}
	}
}

func TestChannelRefuses(t *testing.T) {
	t.Parallel()
	seal := func(c *Channel, text string) []byte {
		frame, err := c.Seal(nil, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return frame[HeaderSize:]
	}
	for _, tt := range []struct {
		name string
		body func(c *Channel) []byte
		want error
	}{
		{"changed", func(c *Channel) []byte { b := seal(c, "x"); b[0] ^= 1; return b }, ErrOpen},
		{"out of order", func(c *Channel) []byte { seal(c, "lost"); return seal(c, "x") }, ErrOpen},
		{"cut", func(c *Channel) []byte { b := seal(c, "longer"); return b[:len(b)-1] }, ErrOpen},
		{"only a tag", func(*Channel) []byte { return make([]byte, Overhead) }, ErrFrame},
		{"empty", func(*Channel) []byte { return nil }, ErrFrame},
		{"too long", func(*Channel) []byte { return make([]byte, 101+Overhead) }, ErrFrame},
	} {
		c, s := pair(t, Limits{Plaintext: 100})
		if _, err := s.Open(tt.body(c)); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		if _, err := s.Open(seal(c, "y")); err == nil {
			t.Errorf("%s: opens after an error", tt.name)
		}
	}
	c, s := pair(t, Limits{Plaintext: 100})
	for _, n := range []int{0, 101} {
		if _, err := c.Seal(nil, make([]byte, n)); !errors.Is(err, ErrFrame) {
			t.Errorf("seal of %d bytes: got %v, want %v", n, err, ErrFrame)
		}
	}
	talk(t, c, s, "a refused message costs no nonce")
	c.Close()
	if _, err := c.Seal(nil, []byte("x")); !errors.Is(err, ErrState) {
		t.Errorf("closed: got %v", err)
	}
}

func TestFrameLength(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header [3]byte
		limit  int
		want   int
		err    error
	}{
		{[3]byte{0, 0, 1}, 1, 1, nil},
		{[3]byte{1, 2, 3}, MaxFrame, 0x010203, nil},
		{[3]byte{0xff, 0xff, 0xff}, MaxFrame, MaxFrame, nil},
		{[3]byte{0, 0, 0}, MaxFrame, 0, ErrFrame},
		{[3]byte{0, 1, 1}, 256, 0, ErrFrame},
		{[3]byte{0xff, 0xff, 0xff}, 1 << 20, 0, ErrFrame},
	} {
		if got, err := FrameLength(tt.header, tt.limit); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%x up to %d: got %d, %v, want %d, %v", tt.header, tt.limit, got, err, tt.want, tt.err)
		}
	}
	if _, err := AppendHeader(nil, MaxFrame+1); !errors.Is(err, ErrFrame) {
		t.Errorf("got %v, want %v", err, ErrFrame)
	}
}

// TestNameless: a server takes a payload or does without, as it says, over a stream.
func TestNameless(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		nameless bool
		payload  *ClientPayload
		want     error
	}{
		{"a name where one is wanted", false, &ClientPayload{Username: 7}, nil},
		{"none where one is wanted", false, nil, ErrPayload},
		{"none where none is wanted", true, nil, nil},
		{"a name where none is wanted", true, &ClientPayload{Username: 7}, ErrPayload},
	} {
		for _, d := range Dialects {
			t.Run(tt.name+"/"+d.Name, func(t *testing.T) {
				t.Parallel()
				e := newEnds(t, d)
				a, b := net.Pipe()
				defer func() { _, _ = a.Close(), b.Close() }()
				connected := make(chan error, 1)
				go func() {
					_, err := Connect(a, a, time.Unix(0, 0), e.client, Trust{Pin: e.server.Static.Public}, tt.payload)
					connected <- err
				}()
				peer, _, err := Accept(b, b, ServerConfig{Config: e.server, Nameless: tt.nameless})
				if !errors.Is(err, tt.want) || err == nil && tt.want != nil {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				if err := <-connected; err != nil {
					t.Errorf("client: %v", err)
				}
				if err == nil && (peer.Payload == nil) != tt.nameless {
					t.Errorf("payload %v, nameless %v", peer.Payload, tt.nameless)
				}
			})
		}
	}
}
