package serve

import (
	"context"
	"io"
	"sync"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
)

// outbox is what waits to be sent on a connection. It takes whatever comes: the frames
// that others cause are those of a mailbox, which the machine bounds and holds in any
// case, or may be lost and are not added to much, and the room that the connection's own
// peer takes up is bounded by room.
type outbox struct {
	mu     sync.Mutex // guards what follows
	queue  [][]byte
	spare  [][]byte // what the next queue is made of, of no length
	bytes  int      // queued, or taken and not written
	closed bool
	last   bool          // nothing more will come
	more   chan struct{} // holds a token if there may be something to take
	less   chan struct{} // holds a token if bytes may have become less
}

func newOutbox() *outbox {
	return &outbox{more: make(chan struct{}, 1), less: make(chan struct{}, 1)}
}

// poke puts a token into a channel that holds one.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// add queues a frame. It takes no notice once the outbox is closed.
func (o *outbox) add(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.last {
		return
	}
	if o.queue == nil {
		o.queue, o.spare = o.spare, nil
	}
	o.queue = append(o.queue, frame)
	o.bytes += len(frame)
	poke(o.more)
}

// close drops what is queued.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.queue = true, nil
	poke(o.more)
}

// finish lets nothing be queued any more.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = true
	poke(o.more)
}

// holds reports whether at least n bytes wait.
func (o *outbox) holds(n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes >= n
}

// room waits until at most limit bytes wait, or ctx ends. It is for one goroutine at a
// time.
func (o *outbox) room(ctx context.Context, limit int) error {
	for {
		o.mu.Lock()
		ok := o.bytes <= limit || o.closed
		o.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-o.less:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// chunk is how many bytes are written at once, if a frame is not longer. A peer must read
// that much in time, and not all that waits.
const chunk = 64 << 10

// take waits for what is queued and returns the first frames of it, about a chunk. It
// returns nil when there will be no more: last says that all of it was taken.
func (o *outbox) take() (batch [][]byte, last bool) {
	for {
		o.mu.Lock()
		closed, last := o.closed, o.last
		n, size := 0, 0
		for n < len(o.queue) && size < chunk {
			size += len(o.queue[n])
			n++
		}
		batch := o.queue[:n:n]
		if n == len(o.queue) {
			batch, o.queue = o.queue, nil
		} else {
			o.queue = o.queue[n:]
		}
		o.mu.Unlock()
		switch {
		case closed:
			return nil, false
		case n > 0:
			return batch, false
		case last:
			return nil, true
		}
		<-o.more
	}
}

// maxSpare is for how many frames a queue that is empty keeps its room.
const maxSpare = 16

// written says that what was taken has left.
func (o *outbox) written(batch [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, frame := range batch {
		o.bytes -= len(frame)
		batch[i] = nil
	}
	if o.spare == nil && cap(batch) <= maxSpare {
		o.spare = batch[:0]
	}
	poke(o.less)
}

// write seals what is queued and writes it, until the outbox is closed, which is an error,
// or finished. before is called before each write, to bound it.
func (o *outbox) write(c *noise.Channel, w io.Writer, before func()) error {
	var buf []byte
	for {
		batch, last := o.take()
		if last {
			return nil
		}
		if batch == nil {
			return ErrStopped
		}
		buf = buf[:0]
		for _, frame := range batch {
			var err error
			if buf, err = c.Seal(buf, frame); err != nil {
				return err
			}
		}
		before()
		if _, err := w.Write(buf); err != nil {
			return err
		}
		o.written(batch)
		if cap(buf) > 2*chunk {
			buf = nil // one large stanza is no reason to keep room for the next
		}
	}
}
