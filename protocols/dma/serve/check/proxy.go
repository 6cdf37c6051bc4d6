package check

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/proxy"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// ProxyConfig says which proxy is checked. It is not modified.
type ProxyConfig struct {
	// Proxy is where devices connect to it, and Listener where it connects to, as to its
	// gatekeeper.
	Proxy    string
	Listener net.Listener
	Suite    suite.Suite
	Dialect  noise.Dialect
	// Other is another address of this machine to connect from; if it is none, what an
	// address of another client becomes is not seen.
	Other netip.Addr
	// Timeout is how long the proxy has for what it does; default 5 s. Settle is how long
	// is waited for what it should not do; default 500 ms.
	Timeout, Settle time.Duration
}

// proxyRun is one run against a proxy.
type proxyRun struct {
	cfg    ProxyConfig
	sheet  *verdict.Sheet
	static suite.KeyPair // the gatekeeper's
	serves sync.WaitGroup
	err    error // what ended it early

	*board
	arrived []*arrival // guarded by the board
}

// arrival is a connection that the proxy has made.
type arrival struct {
	nc net.Conn

	// Guarded by the run's lock.
	client  netip.AddrPort // what the header says
	err     error          // of the header
	shaken  bool           // the handshake is done
	peer    *noise.Peer
	channel *noise.Channel
	in      bytes.Buffer // what has come after the header, up to the end of the handshake
	out     bytes.Buffer // what was answered
	stanzas [][]byte
	gone    bool
}

// dialed is a connection to the proxy.
type dialed struct {
	nc      net.Conn
	static  suite.KeyPair
	channel *noise.Channel
	out, in bytes.Buffer // what was sent and received in the handshake
	err     error        // of the handshake
}

// ErrNoProxy: nothing is at the address of the proxy.
var ErrNoProxy = errors.New("check: no connection to the proxy")

// Proxy checks a proxy by the four rules of the Reference Offer. It returns an error if it
// can't begin, and with a report as far as it got if ctx ends or with [ErrNoProxy]. It closes
// the listener.
func Proxy(ctx context.Context, cfg ProxyConfig) (*Report, error) {
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Second)
	cfg.Settle = cmp.Or(cfg.Settle, 500*time.Millisecond)
	if cfg.Proxy == "" || cfg.Listener == nil || cfg.Suite == nil {
		return nil, errors.New("check: config: no proxy, or nowhere for it to connect to")
	}
	start := time.Now()
	r := &proxyRun{cfg: cfg, sheet: verdict.New(ProxyChecks()), board: newBoard()}
	var err error
	if r.static, err = cfg.Suite.GenerateKeyPair(); err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	r.serves.Go(r.accept)
	unreached := r.rules(ctx)
	_ = cfg.Listener.Close()
	r.mu.Lock()
	for _, a := range r.arrived {
		_ = a.nc.Close()
	}
	r.mu.Unlock()
	r.serves.Wait()
	if ctx.Err() != nil {
		unreached, r.err = "interrupted", ctx.Err()
	}
	out := &Report{Against: "the four rules of WhatsApp's Reference Offer 1.0.3", Checked: cfg.Proxy, Seconds: time.Since(start).Seconds()}
	out.Checks, out.Tally = r.sheet.Seal(unreached)
	return out, r.err
}

func (r *proxyRun) pass(id, format string, args ...any) {
	r.sheet.Note(id, verdict.Pass, format, args...)
}

func (r *proxyRun) holds(id string, ok bool, format string, args ...any) {
	if ok {
		r.sheet.Note(id, verdict.Pass, format, args...)
		return
	}
	r.sheet.Note(id, verdict.Fail, format, args...)
}

// rules checks them, and returns why some were not reached.
func (r *proxyRun) rules(ctx context.Context) string {
	r.pause(ctx)
	before := r.count()
	r.holds("while.before", before == 0, "%d connections", before)

	first, err := r.dial(ctx, netip.Addr{}, nil)
	if err != nil {
		r.err = fmt.Errorf("%w: %w", ErrNoProxy, err)
		return "no connection to the proxy"
	}
	defer func() { _ = first.nc.Close() }()
	a := r.await(ctx, before, 1)
	r.pause(ctx)
	if n := r.count() - before; a == nil {
		r.holds("one.each", false, "none in %v", r.cfg.Timeout)
		return "the proxy does not connect to the gatekeeper"
	} else {
		r.holds("one.each", n == 1, "%d connections", n)
	}
	r.address("address.passed", first, a)
	r.sealed(ctx, first, a)
	more := r.further(ctx)
	defer func() {
		for _, d := range more {
			_ = d.nc.Close()
		}
	}()
	r.forged(ctx)

	// A client that leaves, and one whose gatekeeper does.
	_ = first.nc.Close()
	gone := r.wait(ctx, func() bool { return a.gone })
	r.holds("while.leaves", gone, "gone: %t, in %v at most", gone, r.cfg.Timeout)
	if len(more) > 0 {
		r.ends(ctx, more[0])
	}
	return "it could not be told, after what failed"
}

// further has more clients connect at once.
func (r *proxyRun) further(ctx context.Context) (more []*dialed) {
	before := r.count()
	from := []netip.Addr{{}, {}, {}}
	if r.cfg.Other.IsValid() {
		from[2] = r.cfg.Other
	} else {
		r.sheet.Note("address.each", verdict.Skip, "there is no other address to connect from")
	}
	list := make([]*dialed, len(from))
	errs := make([]error, len(from))
	var all sync.WaitGroup
	for i := range from {
		all.Go(func() { list[i], errs[i] = r.dial(ctx, from[i], nil) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		r.holds("one.own", false, "%v", err)
		return nil
	}
	r.await(ctx, before, len(from))
	r.pause(ctx)
	n := r.count() - before
	r.holds("one.own", n == len(from), "%d connections for %d clients", n, len(from))
	for i, d := range list {
		a := r.of(d)
		switch {
		case d.err != nil: // which another rule is about
		case a == nil:
			r.holds("one.own", false, "the handshake of a client is on no connection of its own")
		case from[i].IsValid():
			r.address("address.each", d, a)
		}
	}
	return list
}

// forged has a client claim another address, in the form that the proxy uses.
func (r *proxyRun) forged(ctx context.Context) {
	claim, err := proxy.AppendHeader(nil, netip.MustParseAddrPort("192.0.2.66:6666"), netip.MustParseAddrPort("192.0.2.67:7777"))
	if err != nil {
		return
	}
	before := r.count()
	d, err := r.dial(ctx, netip.Addr{}, claim)
	if err != nil {
		return
	}
	defer func() { _ = d.nc.Close() }()
	a := r.await(ctx, before, 1)
	if a == nil { // it was refused, which is as good
		r.pass("address.forged", "no connection")
		return
	}
	r.address("address.forged", d, a)
}

// ends has the gatekeeper end a connection.
func (r *proxyRun) ends(ctx context.Context, d *dialed) {
	a := r.of(d)
	if a == nil {
		return
	}
	before := r.count()
	_ = a.nc.Close()
	_ = d.nc.SetReadDeadline(time.Now().Add(r.cfg.Timeout))
	_, err := d.nc.Read(make([]byte, 1))
	var late net.Error
	open := err == nil || errors.As(err, &late) && late.Timeout()
	r.pause(ctx)
	r.holds("while.ends", !open && r.count() == before, "the client's connection is open: %t; further connections: %d", open, r.count()-before)
}

// address checks what the gatekeeper is told of a client's address.
func (r *proxyRun) address(id string, d *dialed, a *arrival) {
	r.mu.Lock()
	got, err := a.client.Addr(), a.err
	r.mu.Unlock()
	own, parse := netip.ParseAddrPort(d.nc.LocalAddr().String())
	switch {
	case err != nil:
		r.holds(id, false, "%v", err)
	case parse != nil:
		r.sheet.Note(id, verdict.Skip, "the address of the client is not known: %v", parse)
	default:
		r.holds(id, got == own.Addr().Unmap(), "%v, of a client at %v", got, own.Addr().Unmap())
	}
}

// sealed checks that the device's handshake is with the gatekeeper.
func (r *proxyRun) sealed(ctx context.Context, d *dialed, a *arrival) {
	if d.err != nil {
		r.holds("sealed.keys", false, "at the device: %v", d.err)
		r.holds("sealed.hash", false, "there is no handshake between the two")
		r.holds("sealed.bytes", false, "nor a channel")
		return
	}
	r.wait(ctx, func() bool { return a.shaken || a.gone })
	r.mu.Lock()
	peer, channel := a.peer, a.channel
	same := bytes.Equal(a.in.Bytes(), d.out.Bytes()) && bytes.Equal(a.out.Bytes(), d.in.Bytes())
	r.mu.Unlock()
	if peer == nil {
		r.holds("sealed.keys", false, "the gatekeeper's handshake does not end")
		return
	}
	r.holds("sealed.keys", bytes.Equal(peer.Static[:], d.static.Public), "the gatekeeper finds the key %x, of a device with %x", peer.Static[:4], d.static.Public[:4])
	r.holds("sealed.hash", bytes.Equal(channel.Binding(), d.channel.Binding()), "%x and %x", channel.Binding()[:4], d.channel.Binding()[:4])
	r.holds("sealed.bytes", same && r.speak(ctx, d, a), "the same bytes in the handshake: %t", same)
}

// speak sends a message each way.
func (r *proxyRun) speak(ctx context.Context, d *dialed, a *arrival) bool {
	up, down := []byte("a message up"), []byte("a message down")
	b, err := d.channel.Seal(nil, up)
	if err == nil {
		_, err = d.nc.Write(b)
	}
	if err != nil || !r.wait(ctx, func() bool { return len(a.stanzas) > 0 && bytes.Equal(a.stanzas[0], up) }) {
		return false
	}
	if b, err = a.channel.Seal(nil, down); err == nil {
		_, err = a.nc.Write(b)
	}
	if err != nil {
		return false
	}
	_ = d.nc.SetReadDeadline(time.Now().Add(r.cfg.Timeout))
	body, err := noise.ReadFrame(d.nc, maxFrame, nil)
	if err == nil {
		body, err = d.channel.Open(body)
	}
	return err == nil && bytes.Equal(body, down)
}

// pause waits for what should not happen.
func (r *proxyRun) pause(ctx context.Context) {
	select {
	case <-time.After(r.cfg.Settle):
	case <-ctx.Done():
	}
}

// count returns how many connections the proxy has made so far.
func (r *proxyRun) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.arrived)
}

// of returns the connection with the handshake of a device.
func (r *proxyRun) of(d *dialed) *arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.arrived {
		if a.peer != nil && bytes.Equal(a.peer.Static[:], d.static.Public) {
			return a
		}
	}
	return nil
}

// await waits for n more connections than there were, all with a header and, as far as
// there is one, a handshake, and returns the first that has one.
func (r *proxyRun) await(ctx context.Context, before, n int) *arrival {
	var first *arrival
	ok := r.wait(ctx, func() bool {
		first = nil
		done := 0
		for _, a := range r.arrived[min(before, len(r.arrived)):] {
			if a.shaken || a.gone {
				done++
			}
			if first == nil && (a.client.IsValid() || a.err != nil) {
				first = a
			}
		}
		return done >= n
	})
	if !ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, a := range r.arrived[min(before, len(r.arrived)):] {
			if a.client.IsValid() || a.err != nil {
				return a
			}
		}
		return nil
	}
	return first
}

// wait waits until something is so, for as long as the proxy has.
func (r *proxyRun) wait(ctx context.Context, so func() bool) bool {
	return r.board.await(ctx, r.cfg.Timeout, so)
}
