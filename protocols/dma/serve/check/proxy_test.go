package check_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/check"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/proxy"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// faulty is a proxy that breaks a rule. The zero value keeps them.
type faulty struct {
	gatekeeper string
	suite      suite.Suite

	twice     bool // makes two connections for each client
	shares    bool // makes one for all
	ahead     bool // makes one before there is a client
	stays     bool // does not end it with the client
	again     bool // makes another when the gatekeeper ends one
	holds     bool // does not end the client's when the gatekeeper ends its
	noHeader  bool
	says      netip.AddrPort // what the header says in place of the client's address
	remembers bool           // says the first client's address for all
	believes  bool           // takes a header of the client's for its own
	decrypts  bool
	changes   bool // changes a byte on the way
	drops     bool // loses what the gatekeeper sends after the handshake

	mu     sync.Mutex // guards what follows
	shared net.Conn
	first  netip.AddrPort
	open   []net.Conn
}

// serve serves clients until l is closed.
func (f *faulty) serve(l net.Listener) {
	if f.ahead {
		_, _ = f.dial(netip.MustParseAddrPort("127.0.0.1:1"))
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		f.keep(nc)
		go f.client(nc)
	}
}

func (f *faulty) keep(nc net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = append(f.open, nc)
}

func (f *faulty) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, nc := range f.open {
		_ = nc.Close()
	}
}

// dial connects to the gatekeeper for a client.
func (f *faulty) dial(client netip.AddrPort) (net.Conn, error) {
	nc, err := net.Dial("tcp", f.gatekeeper)
	if err != nil {
		return nil, err
	}
	f.keep(nc)
	if f.says.IsValid() {
		client = f.says
	}
	if f.noHeader {
		return nc, nil
	}
	header, err := proxy.AppendHeader(nil, client, client)
	if err == nil {
		_, err = nc.Write(header)
	}
	return nc, err
}

// client serves one.
func (f *faulty) client(nc net.Conn) {
	from := netip.MustParseAddrPort(nc.RemoteAddr().String())
	var in io.Reader = nc
	f.mu.Lock()
	if !f.first.IsValid() {
		f.first = from
	}
	if f.remembers {
		from = f.first
	}
	f.mu.Unlock()
	if f.believes {
		head := make([]byte, 1)
		if _, err := io.ReadFull(nc, head); err != nil {
			return
		}
		in = io.MultiReader(bytes.NewReader(head), nc)
		if head[0] == '\r' {
			claimed, err := proxy.ReadHeader(in)
			if err != nil {
				return
			}
			from = claimed
		}
	}
	up, err := f.upper(from)
	if err != nil {
		return
	}
	if f.twice {
		_, _ = f.dial(from)
	}
	if f.decrypts {
		own := must2(f.suite.GenerateKeyPair())
		m := &meddler{suite: f.suite, own: own, static: own, dialect: noise.Lab}
		m.serve(nc, up)
		return
	}
	go f.down(nc, up, from)
	f.move(up, in, f.changes)
	if !f.stays {
		_ = up.Close()
	}
}

func (f *faulty) upper(from netip.AddrPort) (net.Conn, error) {
	if !f.shares {
		return f.dial(from)
	}
	f.mu.Lock()
	up := f.shared
	f.mu.Unlock()
	if up != nil {
		return up, nil
	}
	up, err := f.dial(from)
	f.mu.Lock()
	f.shared = up
	f.mu.Unlock()
	return up, err
}

// move moves bytes, and changes one of the later ones if it is to.
func (f *faulty) move(w io.Writer, r io.Reader, change bool) {
	b := make([]byte, 4<<10)
	for reads := 0; ; reads++ {
		n, err := r.Read(b)
		if n > 0 && change && reads == 2 {
			b[n-1] ^= 1
		}
		if _, werr := w.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}

// down moves what the gatekeeper sends.
func (f *faulty) down(nc, up net.Conn, from netip.AddrPort) {
	if f.drops {
		b := make([]byte, 4<<10)
		n, _ := up.Read(b)
		_, _ = nc.Write(b[:n])
		_, _ = io.Copy(io.Discard, up)
	} else {
		_, _ = io.Copy(nc, up)
	}
	if f.again {
		_, _ = f.dial(from)
	}
	if !f.holds {
		_ = nc.Close()
	}
}

// proxyMutants are proxies that break a rule each, with the checks that find it.
var proxyMutants = []struct {
	name  string
	trips []string
	set   func(*faulty)
}{
	{"two connections for each client", []string{"one.each", "one.own"}, func(f *faulty) { f.twice = true }},
	{"one connection for all", []string{"one.own"}, func(f *faulty) { f.shares = true }},
	{"a connection ahead of clients", []string{"while.before"}, func(f *faulty) { f.ahead = true }},
	{"a connection that outlives the client", []string{"while.leaves"}, func(f *faulty) { f.stays = true }},
	{"another connection without the client", []string{"while.ends"}, func(f *faulty) { f.again = true }},
	{"a client whose gatekeeper is gone", []string{"while.ends"}, func(f *faulty) { f.holds = true }},
	{"no address", []string{"address.passed", "address.each", "address.forged"}, func(f *faulty) { f.noHeader = true }},
	{"its own address", []string{"address.passed", "address.each", "address.forged"}, func(f *faulty) { f.says = netip.MustParseAddrPort("127.0.0.9:9") }},
	{"the first client's address", []string{"address.each"}, func(f *faulty) { f.remembers = true }},
	{"whatever address a client claims", []string{"address.forged"}, func(f *faulty) { f.believes = true }},
	{"decrypts", []string{"sealed.keys", "sealed.hash", "sealed.bytes"}, func(f *faulty) { f.decrypts = true }},
	{"changes a message", []string{"sealed.bytes"}, func(f *faulty) { f.changes = true }},
	{"loses messages", []string{"sealed.bytes"}, func(f *faulty) { f.drops = true }},
}

// checkProxy checks a proxy that start runs for a gatekeeper.
func checkProxy(t *testing.T, timeout time.Duration, start func(gatekeeper string, l net.Listener)) *check.Report {
	t.Helper()
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	must(t, err)
	gk, l := listen(t), listen(t)
	go start(gk.Addr().String(), l)
	r, err := check.Proxy(context.Background(), check.ProxyConfig{
		Proxy: l.Addr().String(), Listener: gk, Suite: s, Other: netip.MustParseAddr("127.0.0.2"), Timeout: timeout, Settle: 200 * time.Millisecond,
	})
	must(t, err)
	return r
}

// TestOwnProxy: this project's own proxy keeps the rules, and so does the one that is made
// to break them.
func TestOwnProxy(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(string, net.Listener){
		"own": func(gatekeeper string, l net.Listener) {
			p, err := proxy.New(proxy.Config{Gatekeeper: gatekeeper})
			if err != nil {
				panic(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			_ = p.Serve(l)
		},
		"faulty, without a fault": func(gatekeeper string, l net.Listener) {
			f := &faulty{gatekeeper: gatekeeper}
			t.Cleanup(f.close)
			f.serve(l)
		},
	} {
		r := checkProxy(t, 30*time.Second, start)
		for _, c := range r.Checks {
			if c.Verdict != verdict.Pass {
				t.Errorf("%s: %s: %s: %s", name, c.ID, c.Verdict, c.Seen)
			}
		}
	}
}

// TestProxyMutants: each fault is found by the checks that it is about, and by no other.
func TestProxyMutants(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, m := range proxyMutants {
		all.Go(func() {
			t.Run(m.name, func(t *testing.T) {
				r := checkProxy(t, 3*time.Second, func(gatekeeper string, l net.Listener) {
					f := &faulty{gatekeeper: gatekeeper, suite: must2(suite.NewStd(suite.X25519AES128GCMSHA256Ed25519))}
					m.set(f)
					t.Cleanup(f.close)
					f.serve(l)
				})
				for _, c := range r.Checks {
					if trips := slices.Contains(m.trips, c.ID); trips != (c.Verdict == verdict.Fail) {
						t.Errorf("%s: %s: %s; want it to fail: %t", c.ID, c.Verdict, c.Seen, trips)
					}
				}
			})
		})
	}
	all.Wait()
}
