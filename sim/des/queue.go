package des

import (
	"math/bits"
	"slices"
)

const (
	levelBits = 6 // log2 of the slots of a level
	slots     = 1 << levelBits
	levels    = 9
	span      = levelBits * levels // log2 of the nanoseconds that the wheel covers

	runMax  = 48  // events that are sorted at once rather than moved down a level
	lateMax = 128 // events below the limit beyond which the run is given up
)

const none = -1 // no node, no chunk

// node is an event that waits, in one cache line.
type node struct {
	order uint64 // priority and sequence number; unique; 0 if free
	h     Handler
	ref   any
	a, b  uint64
	kind  uint32
	next  int32 // next free node
}

// key is what the queue moves about for an event. It is stale if its node has
// another order by now: the event was cancelled.
type key struct {
	at    Time
	order uint64
	node  int32
}

func (a key) before(b key) bool {
	return a.at < b.at || a.at == b.at && a.order < b.order
}

// slot is a bag of keys: a chain of chunks, all full but the first.
type slot struct {
	first int32
	n     int32 // keys, stale ones included
}

// chunk is sized for 8 cache lines.
type chunk struct {
	keys [21]key
	n    int32
	next int32
}

// queue is a priority queue of events. Its parts, in the order in which their
// events come due:
//
//	run, late    at <= limit: sorted, and what came after the sorting
//	wheel        limit < at, and the same bits above span as base
//	overflow     everything later
//
// Invariants between calls: base <= the kernel's now, base <= limit+1; an event
// of the wheel lies at the level of the highest digit in which its time differs
// from base, in the slot of that digit. So the first event of the wheel is in
// the first occupied slot of the lowest occupied level.
type queue struct {
	nodes []node
	free  int32 // first free node

	run   []key // sorted; run[head:] is left
	head  int
	late  keyHeap
	limit Time

	base     Time
	level    uint32         // bit l: level l has events
	occupied [levels]uint64 // bit s: slot s has events
	wheel    [levels * slots]slot
	chunks   []chunk
	spare    int32 // first free chunk

	overflow keyHeap

	live  int // events
	stale int // stale keys
}

func (q *queue) init() {
	q.free, q.spare = none, none
	q.limit = -1
	for i := range q.wheel {
		q.wheel[i].first = none
	}
}

// add puts an event into the queue and returns its node. at must not lie before
// the kernel's now.
func (q *queue) add(at Time, order uint64, h Handler, ev Event) int32 {
	i := q.free
	if i != none {
		q.free = q.nodes[i].next
	} else {
		i = int32(len(q.nodes))
		q.nodes = append(q.nodes, node{})
	}
	n := &q.nodes[i]
	n.order, n.h, n.ref, n.a, n.b, n.kind = order, h, ev.Ref, ev.A, ev.B, ev.Kind
	q.live++
	e := key{at, order, i}
	if at > q.limit {
		q.place(e)
		return i
	}
	q.late.push(e)
	if len(q.late) > lateMax && q.limit > q.base {
		q.spill()
	}
	return i
}

// place puts a key with limit < at into the wheel or the overflow.
func (q *queue) place(e key) {
	diff := uint64(e.at ^ q.base)
	if diff>>span != 0 {
		q.overflow.push(e)
		return
	}
	l := uint(bits.Len64(diff|1)-1) / levelBits
	d := uint(uint64(e.at)>>(l*levelBits)) % slots
	q.occupied[l] |= 1 << d
	q.level |= 1 << l
	s := &q.wheel[l*slots+d]
	s.n++
	if s.first == none || int(q.chunks[s.first].n) == len(chunk{}.keys) {
		s.first = q.newChunk(s.first)
	}
	c := &q.chunks[s.first]
	c.keys[c.n] = e
	c.n++
}

// newChunk returns an empty chunk that goes before next.
func (q *queue) newChunk(next int32) int32 {
	c := q.spare
	if c == none {
		c = int32(len(q.chunks))
		q.chunks = append(q.chunks, chunk{})
	} else {
		q.spare = q.chunks[c].next
	}
	q.chunks[c].n, q.chunks[c].next = 0, next
	return c
}

// dropChunk frees a chunk and returns the one after it.
func (q *queue) dropChunk(c int32) int32 {
	next := q.chunks[c].next
	q.chunks[c].next = q.spare
	q.spare = c
	return next
}

// isStale reports whether the event of a key was cancelled.
func (q *queue) isStale(e key) bool { return q.nodes[e.node].order != e.order }

// cancel frees the event of node i if it is still the one whose order ends in
// low. Its key stays where it is, to be dropped when it comes up; when stale keys
// outnumber the others, all are.
func (q *queue) cancel(i int32, low uint32) bool {
	if i < 0 || int(i) >= len(q.nodes) || q.nodes[i].order == 0 || uint32(q.nodes[i].order) != low {
		return false
	}
	q.release(i)
	if q.stale++; q.stale > 64 && q.stale > q.live {
		q.sweep()
	}
	return true
}

// release frees a node, and what its event refers to.
func (q *queue) release(i int32) {
	n := &q.nodes[i]
	n.order, n.h, n.ref, n.next = 0, nil, nil, q.free
	q.free = i
	q.live--
}

// take frees the node of an event that is due and returns the event.
func (q *queue) take(i int32) (Handler, Event) {
	n := &q.nodes[i]
	h, ev := n.h, Event{Kind: n.kind, A: n.a, B: n.b, Ref: n.ref}
	q.release(i)
	return h, ev
}

// next takes the first event off the queue if it is due by until. The caller
// moves the clock there and calls take.
func (q *queue) next(until Time) (key, bool) {
	if q.live == 0 {
		return key{}, false // stale keys must not move the base
	}
	for {
		if q.head == len(q.run) && len(q.late) == 0 && !q.fill(until) {
			return key{}, false
		}
		var e key
		if q.head < len(q.run) && (len(q.late) == 0 || q.run[q.head].before(q.late[0])) {
			e = q.run[q.head]
			if e.at > until {
				return key{}, false
			}
			q.head++
		} else if len(q.late) > 0 {
			e = q.late[0]
			if e.at > until {
				return key{}, false
			}
			q.late.pop()
		} else {
			continue // all that fill found was stale
		}
		if !q.isStale(e) {
			return e, true
		}
		q.stale--
	}
}

// fill makes a run of the first events beyond the limit and reports whether
// there may be any by until. The base never moves beyond until, so that it
// never moves beyond the kernel's now.
func (q *queue) fill(until Time) bool {
	for {
		if q.level == 0 {
			if !q.refill(until) {
				return false
			}
			continue
		}
		l := uint(bits.TrailingZeros32(q.level))
		d := uint(bits.TrailingZeros64(q.occupied[l]))
		shift := l * levelBits
		above := ^uint64(0) << shift << levelBits
		start := Time(uint64(q.base)&above | uint64(d)<<shift)
		if start > until {
			return false
		}
		s := q.empty(l, d)
		q.base, q.limit = start, start-1
		if l == 0 || s.n <= runMax {
			q.limit = start + Time(uint64(1)<<shift-1)
			q.sort(s)
			return true
		}
		for c := s.first; c != none; c = q.dropChunk(c) {
			for i := range q.chunks[c].n {
				q.place(q.chunks[c].keys[i])
			}
		}
	}
}

// empty takes the keys out of slot d of level l.
func (q *queue) empty(l, d uint) slot {
	s := q.wheel[l*slots+d]
	q.wheel[l*slots+d] = slot{first: none}
	if q.occupied[l] &^= 1 << d; q.occupied[l] == 0 {
		q.level &^= 1 << l
	}
	return s
}

// sort makes the keys of a slot the run. Looking for stale ones first also has
// the nodes fetched, all at once, that are about to be handled.
func (q *queue) sort(s slot) {
	run := q.run[:0]
	for c := s.first; c != none; c = q.dropChunk(c) {
		c := &q.chunks[c]
		for _, e := range c.keys[:c.n] {
			if q.isStale(e) {
				q.stale--
				continue
			}
			run = append(run, e)
		}
	}
	q.run, q.head = run, 0
	if len(run) > runMax {
		slices.SortFunc(run, func(a, b key) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		return
	}
	for j := 1; j < len(run); j++ {
		e := run[j]
		h := j
		for ; h > 0 && e.before(run[h-1]); h-- {
			run[h] = run[h-1]
		}
		run[h] = e
	}
}

// refill moves the wheel, which is empty, to the first event of the overflow and
// reports whether that is due by until.
func (q *queue) refill(until Time) bool {
	for len(q.overflow) > 0 {
		e := q.overflow[0]
		if q.isStale(e) {
			q.overflow.pop()
			q.stale--
			continue
		}
		if e.at > until {
			return false
		}
		q.base = e.at >> span << span
		q.limit = q.base - 1
		for len(q.overflow) > 0 && q.overflow[0].at>>span == e.at>>span {
			e := q.overflow[0]
			q.overflow.pop()
			q.replace(e)
		}
		return true
	}
	return false
}

// spill gives up the run: it has turned out to be too coarse, many events came
// after its sorting. Its events go to lower levels of the wheel.
func (q *queue) spill() {
	q.limit = q.base - 1
	for _, e := range q.run[q.head:] {
		q.replace(e)
	}
	for _, e := range q.late {
		q.replace(e)
	}
	q.run, q.head, q.late = q.run[:0], 0, q.late[:0]
}

// replace places a key, or drops it if it is stale.
func (q *queue) replace(e key) {
	if q.isStale(e) {
		q.stale--
		return
	}
	q.place(e)
}

// sweep drops all stale keys.
func (q *queue) sweep() {
	q.run = slices.DeleteFunc(q.run[:copy(q.run, q.run[q.head:])], q.isStale)
	q.head = 0
	q.late.filter(q.isStale)
	q.overflow.filter(q.isStale)
	for l, occupied := range q.occupied {
		for ; occupied != 0; occupied &= occupied - 1 {
			s := q.empty(uint(l), uint(bits.TrailingZeros64(occupied)))
			for c := s.first; c != none; c = q.dropChunk(c) {
				for i := range q.chunks[c].n {
					q.replace(q.chunks[c].keys[i])
				}
			}
		}
	}
	q.stale = 0
}
