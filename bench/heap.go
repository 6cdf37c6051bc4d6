package bench

import (
	"container/heap"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// heapEvent is an event of the baseline. Its kernel reuses the events, so that
// the comparison is of queues and not of allocators.
type heapEvent struct {
	at  des.Time
	seq uint64
	h   heapHandler
	ev  des.Event
}

type heapHandler interface {
	handleHeap(k *heapKernel, ev des.Event)
}

// heapKernel is the baseline: the clock and the events of des.Kernel, with the
// same order, over container/heap as its documentation's priority queue uses
// it, on a slice of pointers.
type heapKernel struct {
	now   des.Time
	seq   uint64
	queue eventHeap
	free  []*heapEvent
}

type eventHeap []*heapEvent

func (q eventHeap) Len() int { return len(q) }
func (q eventHeap) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventHeap) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventHeap) Push(x any)   { *q = append(*q, x.(*heapEvent)) }
func (q *eventHeap) Pop() any {
	s := *q
	e := s[len(s)-1]
	s[len(s)-1] = nil
	*q = s[:len(s)-1]
	return e
}

func (k *heapKernel) schedule(at des.Time, h heapHandler, ev des.Event) {
	var e *heapEvent
	if n := len(k.free); n > 0 {
		e, k.free = k.free[n-1], k.free[:n-1]
	} else {
		e = new(heapEvent)
	}
	k.seq++
	*e = heapEvent{at, k.seq, h, ev}
	heap.Push(&k.queue, e)
}

func (k *heapKernel) step() bool {
	if len(k.queue) == 0 {
		return false
	}
	e := heap.Pop(&k.queue).(*heapEvent)
	k.now = e.at
	h, ev := e.h, e.ev
	*e = heapEvent{}
	k.free = append(k.free, e)
	h.handleHeap(k, ev)
	return true
}
