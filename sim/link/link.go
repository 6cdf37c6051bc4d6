package link

import (
	"cmp"
	"math"
	"slices"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Arrivals is what becomes of a frame.
type Arrivals struct {
	// N is how often the frame arrives: 0, 1 or 2 (Datagram only).
	N int
	// At is when, ascending; N of them are meant.
	At [2]des.Time
	// Broken, if not 0, is when the connection breaks with this frame undelivered
	// (Stream only). Frames sent before that time share the fate; a frame sent
	// from then on opens a new connection.
	Broken des.Time
	// Conn numbers the connection, see [Link.Conn].
	Conn uint32
}

// Link is one direction of a link between two nodes. It is a value of 64 bytes
// (a simulation has very many), made by [New], and not safe for concurrent use.
// A copy takes over: only one of the two may be used.
type Link struct {
	cfg  *Config
	rand des.Rand
	free des.Time // when the transmitter is done with what was sent
	// last is the latest arrival of an open connection, or when a failing one
	// breaks.
	last  des.Time
	conn  uint32
	state connState
}

type connState uint8

const (
	fresh   connState = iota // no frame has arrived yet, so no round trip was measured
	open                     // a round trip was measured
	failing                  // will break at Link.last
)

// New returns a link of a kind that draws from a stream of its own, which it
// copies. cfg must be valid, see [Config.Validate].
func New(cfg *Config, stream *des.Rand) Link { return Link{cfg: cfg, rand: *stream} }

// Config returns the kind of the link.
func (l *Link) Config() *Config { return l.cfg }

// Cut takes the link down in the given windows, in addition to its kind's. It is
// for single links of a kind, and comes before the first Send.
func (l *Link) Cut(down Windows) {
	own := *l.cfg
	own.Down = append(slices.Clone(own.Down), down...)
	slices.SortFunc(own.Down, func(a, b Window) int { return cmp.Compare(a.From, b.From) })
	l.cfg = &own
}

// Conn numbers the connections of a stream, from 0. A caller that drops the
// frames of a broken connection which are still on their way compares it with
// that of the frame.
func (l *Link) Conn() uint32 { return l.conn }

// Reset ends the connection, as when an endpoint crashes or a device goes
// offline, and empties the transmitter's queue. The next frame opens a new
// connection. What was sent before keeps its arrivals: to drop them, compare
// [Link.Conn].
func (l *Link) Reset(now des.Time) {
	l.conn++
	l.state, l.last, l.free = fresh, 0, min(l.free, now)
}

// Send says what becomes of a frame of size bytes that is handed to the link now.
// Calls of one link must not go back in time. It does not allocate.
func (l *Link) Send(now des.Time, size int) Arrivals {
	// The frame's own draws take the place of the link's while it is under way,
	// so that they need no memory of their own.
	own := l.rand.Fork()
	rest := l.rand
	l.rand = own
	var a Arrivals
	if l.cfg.Mode == Stream {
		a = l.stream(now, size)
	} else {
		a = l.datagram(now, size)
	}
	l.rand = rest
	return a
}

// transmit queues size bytes and returns when the last of them is sent: each
// takes 8/Bandwidth seconds.
func (l *Link) transmit(now des.Time, size int) des.Time {
	if l.cfg.Bandwidth == 0 {
		return now
	}
	l.free = max(l.free, now).Add(des.FromSeconds(8 * float64(size) / l.cfg.Bandwidth))
	return l.free
}

// delay draws a time on the wire.
func (l *Link) delay(held bool) des.Time {
	var d float64
	if l.cfg.Delay != nil {
		d = l.cfg.Delay.Sample(&l.rand)
	}
	if held && l.cfg.ReorderBy != nil {
		d += l.cfg.ReorderBy.Sample(&l.rand)
	}
	return max(0, des.FromSeconds(d))
}

func (l *Link) datagram(now des.Time, size int) Arrivals {
	c := l.cfg
	lost, twice, held := l.rand.Bool(c.Loss), l.rand.Bool(c.Duplicate), l.rand.Bool(c.Reorder)
	if c.Queue > 0 && l.waiting(now)+float64(size) > float64(c.Queue) {
		return Arrivals{}
	}
	sent := l.transmit(now, size)
	if lost || c.Down.Contains(sent) {
		return Arrivals{}
	}
	a := Arrivals{N: 1}
	a.At[0] = sent.Add(l.delay(held))
	if twice {
		a.N = 2
		a.At[1] = sent.Add(l.delay(false))
		if a.At[1] < a.At[0] {
			a.At[0], a.At[1] = a.At[1], a.At[0]
		}
	}
	return a
}

// waiting is the number of bytes that the transmitter has still to send.
func (l *Link) waiting(now des.Time) float64 {
	return max(0, (l.free-now).Seconds()) * l.cfg.Bandwidth / 8
}

// lostRounds draws how many times in a row a frame of n segments has to be sent
// again: the first time because any of them is lost, then because the
// retransmitted one is. One uniform number u decides all of them: k rounds or
// more are lost if u < q p^(k-1), with q = 1 - (1-p)^n.
func (l *Link) lostRounds(n int) int {
	u, p := l.rand.Float64(), l.cfg.Loss
	q := -math.Expm1(float64(n) * math.Log1p(-p))
	if u >= q {
		return 0
	}
	if p == 1 {
		return math.MaxInt32
	}
	k := math.Ceil(math.Log(u/q) / math.Log(p)) // +Inf for u = 0
	return int(min(max(k, 1), math.MaxInt32))
}
