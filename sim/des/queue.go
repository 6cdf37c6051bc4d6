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

// Where a node is, if not in a slot of the wheel (a number from 0).
const (
	inRun = -1 - iota
	inLate
	inOverflow
	free
)

const none = -1 // end of a list

// node is the part of an event that ordering needs, half a cache line.
type node struct {
	at         Time
	order      uint64 // priority and sequence number; unique
	next, prev int32  // list of the slot, or of the free nodes (next only)
	where      int32
	kind       uint32
}

// load is the part of an event that only its handling needs.
type load struct {
	h    Handler
	ref  any
	a, b uint64
}

// key is an entry of the run or of a heap. It is stale if its node has another
// order by now: the event was cancelled.
type key struct {
	at    Time
	order uint64
	node  int32
}

func (a key) before(b key) bool {
	return a.at < b.at || a.at == b.at && a.order < b.order
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
	loads []load
	free  int32 // first free node

	run   []key // sorted; run[head:] is left
	head  int
	late  keyHeap
	limit Time

	base     Time
	level    uint32         // bit l: level l has events
	occupied [levels]uint64 // bit s: slot s has events
	count    [levels * slots]int32
	first    [levels * slots]int32

	overflow keyHeap
	stale    int // stale entries in overflow
}

func (q *queue) init() {
	q.free = none
	q.limit = -1
	for i := range q.first {
		q.first[i] = none
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
		q.loads = append(q.loads, load{})
	}
	n := &q.nodes[i]
	n.at, n.order, n.kind = at, order, ev.Kind
	l := &q.loads[i]
	l.h, l.ref, l.a, l.b = h, ev.Ref, ev.A, ev.B
	if at <= q.limit {
		n.where = inLate
		q.late.push(key{at, order, i})
		if len(q.late) > lateMax && q.limit > q.base {
			q.spill()
		}
		return i
	}
	q.place(i, n)
	return i
}

// place puts a node with limit < at into the wheel or the overflow.
func (q *queue) place(i int32, n *node) {
	diff := uint64(n.at ^ q.base)
	if diff>>span != 0 {
		n.where = inOverflow
		q.overflow.push(key{n.at, n.order, i})
		return
	}
	l := uint(bits.Len64(diff|1)-1) / levelBits
	d := uint(uint64(n.at)>>(l*levelBits)) % slots
	s := l*slots + d
	head := q.first[s]
	n.where, n.prev, n.next = int32(s), none, head
	if head != none {
		q.nodes[head].prev = i
	}
	q.first[s] = i
	q.count[s]++
	q.occupied[l] |= 1 << d
	q.level |= 1 << l
}

// remove cancels the event of node i if it is still the one whose order ends in
// low.
func (q *queue) remove(i int32, low uint32) bool {
	if i < 0 || int(i) >= len(q.nodes) {
		return false
	}
	n := &q.nodes[i]
	if n.where == free || uint32(n.order) != low {
		return false
	}
	switch n.where {
	case inRun, inLate: // the entry stays until it comes up or is spilled
	case inOverflow:
		q.stale++
		if q.stale > 64 && q.stale > len(q.overflow)/2 {
			n.order = 0
			q.overflow.filter(func(k key) bool { return q.nodes[k.node].order == k.order })
			q.stale = 0
		}
	default:
		q.unlink(n)
	}
	q.release(i)
	return true
}

// unlink takes a node out of its slot.
func (q *queue) unlink(n *node) {
	s := uint(n.where)
	if n.prev != none {
		q.nodes[n.prev].next = n.next
	} else {
		q.first[s] = n.next
	}
	if n.next != none {
		q.nodes[n.next].prev = n.prev
	}
	if q.count[s]--; q.count[s] == 0 {
		q.vacate(s)
	}
}

// vacate notes that a slot is empty.
func (q *queue) vacate(s uint) {
	l := s / slots
	q.first[s], q.count[s] = none, 0
	if q.occupied[l] &^= 1 << (s % slots); q.occupied[l] == 0 {
		q.level &^= 1 << l
	}
}

// release frees a node, and what its event refers to.
func (q *queue) release(i int32) {
	n := &q.nodes[i]
	n.order, n.where, n.next = 0, free, q.free
	q.free = i
	q.loads[i] = load{}
}

// take frees the node of an event that is due and returns the event.
func (q *queue) take(i int32) (Handler, Event) {
	l := &q.loads[i]
	h, ev := l.h, Event{Kind: q.nodes[i].kind, A: l.a, B: l.b, Ref: l.ref}
	q.release(i)
	return h, ev
}

// next takes the first event off the queue if it is due by until. The caller
// moves the clock there and calls take.
func (q *queue) next(until Time) (key, bool) {
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
		} else {
			e = q.late[0]
			if e.at > until {
				return key{}, false
			}
			q.late.pop()
		}
		if q.nodes[e.node].order == e.order {
			return e, true
		}
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
		s, shift := l*slots+d, l*levelBits
		above := ^uint64(0) << shift << levelBits
		start := Time(uint64(q.base)&above | uint64(d)<<shift)
		if start > until {
			return false
		}
		i, n := q.first[s], q.count[s]
		q.vacate(s)
		q.base, q.limit = start, start-1
		if l == 0 || n <= runMax {
			q.limit = start + Time(uint64(1)<<shift-1)
			q.sort(i)
			return true
		}
		for i != none {
			n := &q.nodes[i]
			next := n.next
			q.place(i, n)
			i = next
		}
	}
}

// sort makes the run of the list that begins with node i.
func (q *queue) sort(i int32) {
	run := q.run[:0]
	for i != none {
		n := &q.nodes[i]
		n.where = inRun
		run = append(run, key{n.at, n.order, i})
		i = n.next
	}
	q.run, q.head = run, 0
	// A list begins with its youngest node, so that equal times stand backwards.
	slices.Reverse(run)
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
		if q.nodes[e.node].order != e.order {
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
			if n := &q.nodes[e.node]; n.order == e.order {
				q.place(e.node, n)
			} else {
				q.stale--
			}
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
		q.restore(e)
	}
	for _, e := range q.late {
		q.restore(e)
	}
	q.run, q.head, q.late = q.run[:0], 0, q.late[:0]
}

func (q *queue) restore(e key) {
	if n := &q.nodes[e.node]; n.order == e.order {
		q.place(e.node, n)
	}
}
