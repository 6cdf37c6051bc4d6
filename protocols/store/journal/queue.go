package journal

import (
	"runtime"
	"sync"
)

// Queue is what waits for one goroutine to take it, in order. Start with [NewQueue].
type Queue[T any] struct {
	mu     sync.Mutex // guards list and closed
	list   []T
	taken  []T // what was taken last, whose place the next list takes
	closed bool
	more   chan struct{} // holds a token if there may be something new
}

// NewQueue returns an empty queue.
func NewQueue[T any]() *Queue[T] { return &Queue[T]{more: make(chan struct{}, 1)} }

// Add appends something. It reports whether the queue was open.
func (q *Queue[T]) Add(v T) bool {
	q.mu.Lock()
	closed := q.closed
	if !closed {
		q.list = append(q.list, v)
	}
	q.mu.Unlock()
	if !closed {
		q.signal()
	}
	return !closed
}

func (q *Queue[T]) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// maxYields bounds how often [Queue.TakeMany] lets others go first. Each time about as
// many goroutines run as wait for a processor. A choice of this implementation.
const maxYields = 16

// TakeMany is [Queue.Take] where taking more at once is cheaper. When there is something,
// it lets those go first that are ready to run, as long as they add more. On a machine
// that has nothing else to do it takes what there is at once: nothing waits for a clock.
func (q *Queue[T]) TakeMany() []T {
	n := q.wait()
	for range maxYields {
		runtime.Gosched()
		before := n
		if n = q.len(); n == before {
			break
		}
	}
	return q.take()
}

// Take waits for what was added and returns all of it, or nil if there is nothing any
// more. It is for one goroutine. What it returns is valid until the next call.
func (q *Queue[T]) Take() []T {
	q.wait()
	return q.take()
}

// wait waits until there is something, or will be nothing any more, and returns how much
// there is.
func (q *Queue[T]) wait() int {
	for {
		q.mu.Lock()
		n, closed := len(q.list), q.closed
		q.mu.Unlock()
		if n > 0 || closed {
			return n
		}
		<-q.more
	}
}

func (q *Queue[T]) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list)
}

func (q *Queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return nil
	}
	clear(q.taken) // what it holds is not to outlive its use
	if cap(q.taken) > maxKept {
		q.taken = nil
	}
	q.list, q.taken = q.taken[:0], q.list
	return q.taken
}

// maxKept bounds the place that is kept for what is added next, after many at once. A
// choice of this implementation.
const maxKept = 1024

// Close lets nothing be added any more. It returns what was not taken and won't be.
func (q *Queue[T]) Close() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	rest := q.list
	q.list = nil
	return rest
}

// End lets nothing be added any more. What was is still taken.
func (q *Queue[T]) End() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}
