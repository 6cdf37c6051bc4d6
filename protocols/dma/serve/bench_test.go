//go:build unix

package serve

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
)

// connected is how many devices are connected in the benchmarks: MIMI_LAB_DEVICES, or few.
func connected(tb testing.TB) int {
	if s := os.Getenv("MIMI_LAB_DEVICES"); s != "" {
		n, err := strconv.Atoi(s)
		must(tb, err)
		return n
	}
	return 100
}

// underway is how many messages of a device are on their way at once.
const underway = 4

// cpu is the time that this process has computed.
func cpu(tb testing.TB) time.Duration {
	var r syscall.Rusage
	must(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// report reports a rate, and what a message costs in computing, which others on the
// machine change less.
func report(b *testing.B, before time.Duration) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(cpu(b)-before)/1e3/float64(b.N), "cpu-µs/message")
}

// BenchmarkMessages has half of the clients send texts to the other half: from the sender's
// stanza to that of the recipient, with a receipt and its way back for each. The clients do
// nothing else, so that it is the gatekeeper that is measured; BenchmarkEcho is what it is
// compared with. Volatile keeps nothing, memory has all records made and no disk.
func BenchmarkMessages(b *testing.B) {
	for _, kind := range []string{"volatile", "memory", "sqlite"} {
		b.Run(kind, func(b *testing.B) {
			var disk store.Store = store.NewMemory()
			if kind == "sqlite" {
				s, err := sqlite.Open(filepath.Join(b.TempDir(), "gatekeeper.db"))
				must(b, err)
				defer func() { _ = s.Close() }()
				disk = s
			}
			w := newWorld(b, func(c *Config) { c.Opened, c.Machine.Volatile = disk, kind == "volatile" })
			benchMessages(b, w)
		})
	}
}

// client sends or receives messages and does what the protocol wants of it.
type client struct {
	*line
	b     *testing.B
	write sync.Mutex // guards what follows
	enc   stanza.Encoder
	plain []byte
	buf   []byte
}

func (c *client) say(s stanza.Stanza) {
	c.write.Lock()
	defer c.write.Unlock()
	var err error
	if c.plain, err = c.enc.Append(c.plain[:0], s); err == nil {
		c.buf, err = c.channel.Seal(c.buf[:0], c.plain)
	}
	if err == nil {
		_, err = c.nc.Write(c.buf)
	}
	if err != nil {
		c.b.Log(err)
	}
}

// listen calls f with each stanza that comes, until the connection ends.
func (c *client) listen(f func(stanza.Stanza)) {
	var d stanza.Decoder
	for {
		body, err := readFrame(c.r, c.channel.MaxBody(), nil)
		if err != nil {
			return
		}
		plaintext, err := c.channel.Open(body)
		if err != nil {
			return
		}
		s, err := d.Parse(plaintext)
		if err != nil {
			c.b.Error(err)
			return
		}
		f(s)
	}
}

func (p *phone) client(b *testing.B) *client {
	r := p.login()
	return &client{line: &line{nc: r.nc, r: newReader(r.nc), channel: r.channel}, b: b}
}

func benchMessages(b *testing.B, w *world) {
	pairs := connected(b) / 2
	var mu sync.Mutex // guards delays
	delays := hdrhistogram.New(1, 60e9, 3)
	var left, settled atomic.Int64
	left.Store(int64(b.N))
	all := make(chan struct{})
	type pair struct {
		sender, receiver *client
		to               ident.Address
		tokens           chan struct{}
		sent             [underway]atomic.Int64 // when, by the number of the message
	}
	began := time.Now()
	var list []*pair
	for i := range pairs {
		r := w.enlist(fmt.Sprint(4915100000000+i), w.own)
		s := w.enlist(fmt.Sprint("user", i, "@partner.example"), w.partner)
		list = append(list, &pair{sender: s.client(b), receiver: r.client(b), to: r.Account(), tokens: make(chan struct{}, underway)})
	}
	for w.gk.Stats().Connected < 2*pairs {
		time.Sleep(time.Millisecond)
	}
	payload := make([]byte, 200) // about what a text of 100 bytes has
	before := cpu(b)
	b.ResetTimer()
	for _, p := range list {
		for range underway {
			p.tokens <- struct{}{}
		}
		go p.receiver.listen(func(s stanza.Stanza) {
			m, ok := s.(*stanza.Message)
			if !ok {
				return
			}
			n, _ := strconv.Atoi(m.ID)
			delay := int64(time.Since(began)) - p.sent[n%underway].Load()
			mu.Lock()
			_ = delays.RecordValue(delay)
			mu.Unlock()
			p.receiver.say(&stanza.Receipt{ID: m.ID, To: m.From})
		})
		go p.sender.listen(func(s stanza.Stanza) {
			r, ok := s.(*stanza.Receipt)
			if !ok {
				return
			}
			p.sender.say(&stanza.Ack{Class: stanza.AckReceipt, ID: r.ID, To: r.From, Type: string(r.Type)})
			p.tokens <- struct{}{}
			if settled.Add(1) == int64(b.N) {
				close(all)
			}
		})
		go func() {
			for n := 0; left.Add(-1) >= 0; n++ {
				<-p.tokens
				p.sent[n%underway].Store(int64(time.Since(began)))
				p.sender.say(&stanza.Message{ID: strconv.Itoa(n), To: p.to, Type: stanza.TextMessage, Enc: []stanza.Enc{{Type: "msg", Version: 2, Payload: payload}}})
			}
		}()
	}
	select {
	case <-all:
	case <-w.ctx.Done():
		b.Fatalf("%d of %d messages have come", settled.Load(), b.N)
	}
	b.StopTimer()
	report(b, before)
	b.ReportMetric(float64(delays.ValueAtPercentile(50))/1e6, "p50-ms")
	b.ReportMetric(float64(delays.ValueAtPercentile(99))/1e6, "p99-ms")
}

// BenchmarkEcho is the bare channel: as many clients send frames of a message's size over
// Noise and get each back, as many at once.
func BenchmarkEcho(b *testing.B) {
	w := newWorld(b, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	defer func() { _ = l.Close() }()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go echo(w, nc)
		}
	}()
	var clients []*line
	one := w.enlist(number, w.own)
	for range connected(b) {
		nc, err := net.Dial("tcp", l.Addr().String())
		must(b, err)
		c := &line{d: one.Device, nc: nc, r: newReader(nc)}
		c.channel, err = c.handshake(w.ctx)
		must(b, err)
		clients = append(clients, c)
		defer func() { _ = nc.Close() }()
	}
	frame := make([]byte, 300)
	var left, back atomic.Int64
	left.Store(int64(b.N))
	all := make(chan struct{})
	before := cpu(b)
	b.ResetTimer()
	for _, c := range clients {
		tokens := make(chan struct{}, underway)
		go func() {
			var buf []byte
			for left.Add(-1) >= 0 {
				tokens <- struct{}{}
				buf, _ = c.channel.Seal(buf[:0], frame)
				if _, err := c.nc.Write(buf); err != nil {
					return
				}
			}
		}()
		go func() {
			for {
				body, err := readFrame(c.r, c.channel.MaxBody(), nil)
				if err != nil {
					return
				}
				if _, err := c.channel.Open(body); err != nil {
					return
				}
				<-tokens
				if back.Add(1) == int64(b.N) {
					close(all)
				}
			}
		}()
	}
	<-all
	b.StopTimer()
	report(b, before)
}

// echo is a server that sends back what it gets.
func echo(w *world, nc net.Conn) {
	defer func() { _ = nc.Close() }()
	s, err := noise.NewServer(w.gk.cfg.Noise)
	if err != nil {
		return
	}
	r := newReader(nc)
	prologue := make([]byte, s.PrologueSize())
	if _, err := io.ReadFull(r, prologue); err != nil {
		return
	}
	body, err := readFrame(r, noise.MaxClientHello, nil)
	if err != nil {
		return
	}
	hello, err := s.Hello(body)
	if err != nil {
		return
	}
	_, _ = nc.Write(hello)
	if body, err = readFrame(r, noise.MaxClientFinish, nil); err != nil {
		return
	}
	_, channel, err := s.Finish(body)
	if err != nil {
		return
	}
	var buf []byte
	for {
		if body, err = readFrame(r, channel.MaxBody(), nil); err != nil {
			return
		}
		plaintext, err := channel.Open(body)
		if err != nil {
			return
		}
		if buf, err = channel.Seal(buf[:0], plaintext); err != nil {
			return
		}
		if _, err := nc.Write(buf); err != nil {
			return
		}
	}
}

// TestIdleMemory bounds what an idle connection costs: at most 50 KB, both ends of it.
func TestIdleMemory(t *testing.T) {
	w := newWorld(t, nil)
	const n = 300
	var phones []*phone
	for i := range n {
		phones = append(phones, w.enlist(fmt.Sprint(4915100000000+i), w.own))
	}
	used := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := used()
	var open []*raw
	for _, p := range phones {
		open = append(open, p.login())
	}
	for w.gk.Stats().Connected < n {
		time.Sleep(time.Millisecond)
	}
	each := (int64(used()) - int64(before)) / n
	t.Logf("%d bytes for each of %d connections, both ends", each, n)
	if each > 50<<10 {
		t.Errorf("%d bytes for each connection, want at most %d", each, 50<<10)
	}
	runtime.KeepAlive(open)
}
