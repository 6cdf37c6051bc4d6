package serve

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestTypingIsNotKept: typing notices for a client that does not read are left out, so
// that nobody makes the gatekeeper hold more and more for another.
func TestTypingIsNotKept(t *testing.T) {
	t.Parallel()
	const queue = 10 << 10
	w := newWorld(t, func(c *Config) {
		c.Limits.Queue, c.Limits.WriteTimeout = queue, time.Minute
	})
	alice, bob := w.enlist(number, w.own), w.enlist("bob@partner.example", w.partner)
	r := bob.login()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.serves.Go(func() { _ = w.gk.ServeChat(tight{l}) })
	w.chat = l.Addr().String()
	must(t, alice.login().nc.(*net.TCPConn).SetReadBuffer(1<<10))
	out := w.outboxOf(alice)
	for batches := 0; !out.holds(queue); batches++ {
		if batches == 1000 {
			t.Fatal("the sockets hold all that is sent")
		}
		r.typing(alice, 1000)
	}
	for range 10 { // far more than the sockets hold
		r.typing(alice, 1000)
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.bytes > queue+1000 {
		t.Errorf("%d bytes wait, want at most one notice more than %d", out.bytes, queue)
	}
	if s := w.gk.Stats(); s.Connected != 2 {
		t.Errorf("%d are connected, want both", s.Connected)
	}
}

// tight is a listener whose connections hold little of what is written.
type tight struct{ net.Listener }

func (l tight) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		err = nc.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return nc, err
}

// typing sends n typing notices and waits until they were taken.
func (r *raw) typing(to *phone, n int) {
	r.w.t.Helper()
	for range n {
		r.stanza(&stanza.Notification{ID: "t", To: to.Account(), Event: stanza.Typing{}})
	}
	r.ask(stanza.Get, stanza.KeepAlive{})
}

// stanza sends one.
func (r *raw) stanza(s stanza.Stanza) *raw {
	r.w.t.Helper()
	b, err := stanza.AppendBinary(nil, s.Node())
	must(r.w.t, err)
	return r.seal(b)
}

// next returns the next stanza of the gatekeeper.
func (r *raw) next() stanza.Stanza {
	r.w.t.Helper()
	if r.in == nil {
		r.in = newReader(r.nc)
	}
	body, err := noise.ReadFrame(r.in, r.channel.MaxBody(), nil)
	must(r.w.t, err)
	frame, err := r.channel.Open(body)
	must(r.w.t, err)
	s, err := new(stanza.Decoder).Parse(frame)
	must(r.w.t, err)
	return s
}

// ask sends a query and returns the answer; what comes before it is skipped.
func (r *raw) ask(typ stanza.IQType, p stanza.Payload) *stanza.IQ {
	r.w.t.Helper()
	r.asked++
	id := "ask" + strconv.Itoa(r.asked)
	r.stanza(&stanza.IQ{ID: id, Type: typ, Payload: p})
	for {
		if q, ok := r.next().(*stanza.IQ); ok && q.ID == id {
			return q
		}
	}
}

// outboxOf returns what waits for a phone.
func (w *world) outboxOf(p *phone) *outbox {
	w.t.Helper()
	for {
		if c := w.gk.connOf(p.Account()); c != nil {
			return c.out
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatal("not connected")
		case <-time.After(time.Millisecond):
		}
	}
}

// connOf returns the connection of an account, or nil.
func (g *Gatekeeper) connOf(a ident.Address) *conn {
	g.machine.mu.Lock()
	defer g.machine.mu.Unlock()
	for _, c := range g.machine.conns {
		if c.account == a {
			return c
		}
	}
	return nil
}
