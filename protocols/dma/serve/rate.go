package serve

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Rates bound what comes from one address, one partner or one client, so that others are
// served meanwhile. Zero values bound nothing: on one machine all have one address. No
// public text says what a gatekeeper bounds: all assumed.
type Rates struct {
	// Connections is how many connections one address may have at once, to the enlistment
	// server and to the chat channel each, and Handshakes how many of them may be not
	// authenticated on the chat channel. Those beyond it are closed.
	Connections, Handshakes int
	// Connects bounds the connections that one address begins, to both servers together.
	Connects Rate
	// Enlistments of one address, whatever comes of them, and those of one partner that
	// its token is good for. Those beyond it are refused with [enlist.TooMany].
	Enlistments, PartnerEnlistments Rate
	// Stanzas bounds what one client sends: what comes faster is read later. A long stanza
	// counts as one for each [StanzaUnit] bytes that it has begun.
	Stanzas Rate
	// Exempt addresses are not bounded: those of partners' proxies, behind which are many
	// clients.
	Exempt []netip.Prefix
}

// StanzaUnit is how many bytes of a stanza count as one of [Rates].Stanzas.
const StanzaUnit = 4 << 10

// Rate is how many at once, and that many again after Per. N 0 means without bound.
type Rate struct {
	N   int
	Per time.Duration
}

func (r Rate) check() error {
	if r.N < 0 || r.Per < 0 || r.N > 0 && r.Per < time.Duration(r.N) {
		return fmt.Errorf("serve: config: rate of %d in %v, want at most one in a nanosecond", r.N, r.Per)
	}
	return nil
}

func (r *Rates) check() error {
	if min(r.Connections, r.Handshakes) < 0 {
		return errors.New("serve: config: a number of connections is negative")
	}
	return errors.Join(r.Connects.check(), r.Enlistments.check(), r.PartnerEnlistments.check(), r.Stanzas.check())
}

// next returns when n more may come, if that is not now, and the state after them. The
// state is when as many as at first may come at once again (the generic cell rate
// algorithm, ITU-T I.371).
func (r Rate) next(state, now time.Time, n int) (after, free time.Time) {
	if state.Before(now) {
		state = now
	}
	after = state.Add(r.Per / time.Duration(r.N) * time.Duration(n))
	return after, after.Add(-r.Per)
}

// meter bounds a rate for each of many keys.
type meter[K comparable] struct {
	rate Rate

	mu    sync.Mutex // guards state
	state map[K]time.Time
}

// maxKeys is how many keys a meter remembers. Who has that many addresses gets more than
// its share in any case.
const maxKeys = 1 << 16

// take counts one more of a key, if the rate allows it now.
func (m *meter[K]) take(key K, now time.Time) bool {
	if m.rate.N == 0 {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	after, free := m.rate.next(m.state[key], now, 1)
	if free.After(now) {
		return false
	}
	if m.state == nil {
		m.state = make(map[K]time.Time)
	}
	if _, known := m.state[key]; !known && len(m.state) >= maxKeys {
		m.forget(now)
	}
	m.state[key] = after
	return true
}

// forget makes room for many keys at once, as it looks at all: those that are as good as
// new go, and else any.
func (m *meter[K]) forget(now time.Time) {
	for k, t := range m.state {
		if !t.After(now) {
			delete(m.state, k)
		}
	}
	for k := range m.state {
		if len(m.state) <= maxKeys/2 {
			return
		}
		delete(m.state, k)
	}
}

// tally bounds how many there are at once of each key.
type tally[K comparable] struct {
	most int // 0 means any number

	mu  sync.Mutex // guards now
	now map[K]int
}

func (t *tally[K]) enter(key K) bool {
	if t.most == 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[key] >= t.most {
		return false
	}
	if t.now == nil {
		t.now = make(map[K]int)
	}
	t.now[key]++
	return true
}

func (t *tally[K]) leave(key K) {
	if t.most == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[key]--; t.now[key] == 0 {
		delete(t.now, key)
	}
}

// gate bounds by address who may come in.
type gate struct {
	exempt      []netip.Prefix
	chat, https tally[netip.Addr] // connections
	handshakes  tally[netip.Addr]
	connects    meter[netip.Addr]
	enlistments meter[netip.Addr]
	partners    meter[uint16]
}

func newGate(r *Rates) *gate {
	g := &gate{exempt: r.Exempt}
	g.chat.most, g.https.most, g.handshakes.most = r.Connections, r.Connections, r.Handshakes
	g.connects.rate, g.enlistments.rate, g.partners.rate = r.Connects, r.Enlistments, r.PartnerEnlistments
	return g
}

// origin is whom a connection is counted for, and whether it is. An IPv6 network of 64
// bits is one host's, who may take any address of it.
func (g *gate) origin(a net.Addr) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}, false
	}
	ip := ap.Addr().Unmap().WithZone("")
	for _, p := range g.exempt {
		if p.Contains(ip) {
			return netip.Addr{}, false
		}
	}
	if ip.Is6() {
		return netip.PrefixFrom(ip, 64).Masked().Addr(), true
	}
	return ip, true
}

// Why a connection is closed before anything was said on it.
var (
	errAddress = errors.New("serve: too many connections of one address")
	errConnect = errors.New("serve: one address connects too often")
	errWaiting = errors.New("serve: too many handshakes of one address")
	errFull    = errors.New("serve: too many connections")
	errSlots   = errors.New("serve: too many handshakes at once")
)

// admit counts a connection, and returns what to call at its end.
func (g *gate) admit(t *tally[netip.Addr], a net.Addr) (leave func(), err error) {
	ip, counted := g.origin(a)
	switch {
	case !counted:
		return func() {}, nil
	case !g.connects.take(ip, time.Now()):
		return nil, errConnect
	case !t.enter(ip):
		return nil, errAddress
	}
	return func() { t.leave(ip) }, nil
}

// handshake counts one, and returns what to call at its end.
func (g *gate) handshake(a net.Addr) (leave func(), err error) {
	ip, counted := g.origin(a)
	switch {
	case !counted:
		return func() {}, nil
	case !g.handshakes.enter(ip):
		return nil, errWaiting
	}
	return func() { g.handshakes.leave(ip) }, nil
}

// enlist counts an enlistment of an address , which a [textAddr] may be.
func (g *gate) enlist(a net.Addr) bool {
	ip, counted := g.origin(a)
	return !counted || g.enlistments.take(ip, time.Now())
}

// textAddr is an address as text.
type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }
