package noise

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// typed fails if an error is none of this package.
func typed(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("got %T %v, want an *Error", err, err)
	}
}

// FuzzServer gives a server what a client might send: a hello, then a finish. Only a
// client's own finish for this very hello could be right, and no fuzzer makes one.
func FuzzServer(f *testing.F) {
	for form := range Form(2) {
		e := newEnds(f, Dialect{"fuzz", "F", form})
		var record [3][]byte
		_, _, _, err := e.handshake(f, func(step int, b []byte) []byte {
			record[step] = bytes.Clone(b)
			return b
		})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(form == Wrapped, record[0], record[2])
	}
	f.Fuzz(func(t *testing.T, wrapped bool, hello, finish []byte) {
		d := Dialect{"fuzz", "F", Plain}
		if wrapped {
			d.Form = Wrapped
		}
		e := newEnds(t, d)
		e.server.Suite = newSuite(t, "fuzz") // another ephemeral key than that of the seeds
		s, err := NewServer(ServerConfig{Config: e.server, Certificate: e.certificate})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Hello(hello)
		typed(t, err)
		if (err == nil) != (answer != nil) {
			t.Fatalf("answer of %d bytes and %v", len(answer), err)
		}
		peer, channel, err := s.Finish(finish)
		typed(t, err)
		if err == nil || peer != nil || channel != nil {
			t.Fatalf("a handshake that nobody made went well: %v, %v", peer, channel)
		}
	})
}

// FuzzClient gives a client what a server might send.
func FuzzClient(f *testing.F) {
	for form := range Form(2) {
		e := newEnds(f, Dialect{"fuzz", "F", form})
		_, _, _, err := e.handshake(f, func(step int, b []byte) []byte {
			if step == 1 {
				f.Add(form == Wrapped, bytes.Clone(b))
			}
			return b
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, wrapped bool, hello []byte) {
		d := Dialect{"fuzz", "F", Plain}
		if wrapped {
			d.Form = Wrapped
		}
		e := newEnds(t, d)
		e.client.Suite = newSuite(t, "fuzz") // another ephemeral key than that of the seeds
		c, _, err := NewClient(e.client, e.trust, &e.payload)
		if err != nil {
			t.Fatal(err)
		}
		last, channel, err := c.Finish(now, hello)
		typed(t, err)
		if err == nil || last != nil || channel != nil {
			t.Fatal("a handshake that nobody made went well")
		}
	})
}

// FuzzMessage: what is read as a wrapped message has the parts that it is to have, and
// written again is read the same.
func FuzzMessage(f *testing.F) {
	for i, l := range []*layout{&clientHello, &serverHello, &clientFinish} {
		n := Overhead
		for _, p := range l.parts {
			n += p.size
		}
		if l == &clientHello {
			n -= Overhead
		}
		f.Add(uint8(i), l.wrap(Wrapped, make([]byte, n)))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		l := [...]*layout{&clientHello, &serverHello, &clientFinish}[which%3]
		m, err := l.unwrap(Wrapped, b)
		typed(t, err)
		if err != nil {
			return
		}
		again, err := l.unwrap(Wrapped, l.wrap(Wrapped, m))
		if err != nil || !bytes.Equal(again, m) {
			t.Fatalf("%x came back as %x, %v", m, again, err)
		}
	})
}

// FuzzPayload: what is read is written, and read the same.
func FuzzPayload(f *testing.F) {
	for _, p := range []ClientPayload{
		{Username: 4915112345678, PushName: "Zoë"},
		{Product: ProductInterop, AccountID: 1, Token: []byte("a.b.c")},
	} {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseClientPayload(b)
		typed(t, err)
		if err != nil {
			if p != nil {
				t.Fatal("a value beside an error")
			}
			return
		}
		c, err := p.Marshal()
		if err != nil {
			t.Fatalf("%#v does not marshal: %v", p, err)
		}
		again, err := ParseClientPayload(c)
		if err != nil || again.Username != p.Username || again.AccountID != p.AccountID || again.Product != p.Product ||
			again.PushName != p.PushName || !bytes.Equal(again.Token, p.Token) {
			t.Fatalf("%#v came back as %#v, %v", p, again, err)
		}
	})
}

// FuzzCertificate: a certificate that nobody signed is refused, and one that is read is
// written the same.
func FuzzCertificate(f *testing.F) {
	e := newEnds(f, Lab)
	f.Add(e.certificate)
	var signed signedCertificate
	if err := wire.Unmarshal(e.certificate, &signed); err != nil {
		f.Fatal(err)
	}
	f.Add(signed.details)
	f.Fuzz(func(t *testing.T, b []byte) {
		err := e.trust.verify(now, e.client.Suite, e.server.Static.Public, b)
		typed(t, err)
		if err == nil && !bytes.Equal(b, e.certificate) {
			t.Fatalf("%x is good", b)
		}
		var c Certificate
		if wire.Unmarshal(b, &c) != nil {
			return
		}
		if again, err := wire.Marshal(&c); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x came back as %x, %v", b, again, err)
		}
	})
}

// FuzzChannel: what was not sealed does not open.
func FuzzChannel(f *testing.F) {
	f.Add([]byte("0123456789abcdefg"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, s := pair(t, Limits{Plaintext: 1000})
		_, err := s.Open(bytes.Clone(b))
		typed(t, err)
		if err == nil {
			t.Fatalf("%x opened", b)
		}
	})
}
