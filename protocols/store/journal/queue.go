package journal

import "sync"

// Queue is what waits for one goroutine to take it, in order. Start with [NewQueue].
type Queue[T any] struct {
	mu     sync.Mutex // guards list and closed
	list   []T
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

// Take waits for what was added and returns all of it, or nil if there is nothing any
// more. It is for one goroutine.
func (q *Queue[T]) Take() []T {
	for {
		q.mu.Lock()
		list, closed := q.list, q.closed
		q.list = nil
		q.mu.Unlock()
		if len(list) > 0 || closed {
			return list
		}
		<-q.more
	}
}

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
