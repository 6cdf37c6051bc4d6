package rooms

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// room is a room of this measurement.
type room struct {
	uri ident.URI
	// sent is how many messages were accepted before the round, and order the digest
	// of their times.
	sent  int
	order digest
	// target is how many each client has when the round is over, and last when the
	// last client had each message of the round, in nanoseconds since began.
	target atomic.Int64
	began  time.Time
	last   []atomic.Int64
}

// digest sums up the times at which messages were accepted, in their order. A room has no
// two of one time, so that equal digests mean that the same messages came in the same
// order, each once.
type digest uint64

func (d *digest) add(accepted uint64) {
	*d = (*d ^ digest(accepted)) * 0x100000001b3 // FNV-1a's prime
}

// receiver is a client that counts what it gets, and acknowledges it.
type receiver struct {
	w    *world
	uri  ident.URI
	conn *serve.Client
	// keeps has it keep the messages of a round.
	keeps bool
	feeds map[ident.URI]*feed

	mu   sync.Mutex           // guards acks
	acks map[ident.URI]uint64 // what is to be acknowledged
	more chan struct{}        // holds a token if acks may not be empty
}

// feed is what a client has had of a room.
type feed struct {
	room   *room
	seq    uint64 // of the last delivery
	count  int    // messages
	order  digest
	bodies [][]byte // of the round, if they are kept
}

func newReceiver(w *world, d *device) *receiver {
	return &receiver{
		w: w, uri: d.uri, conn: d.conn, feeds: make(map[ident.URI]*feed),
		acks: make(map[ident.URI]uint64), more: make(chan struct{}, 1),
	}
}

// receive lets all clients receive.
func (w *world) receive() {
	for _, r := range w.receivers {
		for _, room := range w.rooms {
			r.feeds[room.uri] = &feed{room: room}
		}
		go r.run()
		go r.acknowledge()
	}
}

// run takes deliveries.
func (r *receiver) run() {
	for {
		d, err := r.conn.Receive(r.w.ctx)
		if err != nil {
			r.fail(err)
			return
		}
		if f := r.feeds[d.Room]; f != nil {
			if err := r.take(f, d.Seq, d.Body); err != nil {
				r.fail(err)
				return
			}
		}
		r.mu.Lock()
		r.acks[d.Room] = d.Seq
		r.mu.Unlock()
		select {
		case r.more <- struct{}{}:
		default:
		}
	}
}

// take notes an event of a room.
func (r *receiver) take(f *feed, seq uint64, body []byte) error {
	if f.seq != 0 && seq != f.seq+1 {
		return fmt.Errorf("delivery %d of %v follows %d", seq, f.room.uri, f.seq)
	}
	f.seq = seq
	// A FanoutMessage begins with its timestamp, which an MLSMessage follows: its
	// version, and its wire format.
	const privateMessage = 2
	if len(body) < 12 || binary.BigEndian.Uint16(body[10:]) != privateMessage {
		return nil // the Commit that made the room what it is
	}
	k := f.count - f.room.sent
	if k >= len(f.room.last) {
		return fmt.Errorf("%d messages of %v, and only %d were sent", f.count+1, f.room.uri, f.room.target.Load())
	}
	now := int64(time.Since(f.room.began))
	for last := &f.room.last[k]; ; {
		if at := last.Load(); at >= now || last.CompareAndSwap(at, now) {
			break
		}
	}
	f.order.add(binary.BigEndian.Uint64(body))
	if r.keeps {
		f.bodies = append(f.bodies, body)
	}
	if f.count++; int64(f.count) == f.room.target.Load() {
		r.w.done.Done()
	}
	return nil
}

// acknowledge acknowledges what came, one request at a time.
func (r *receiver) acknowledge() {
	for {
		select {
		case <-r.more:
		case <-r.w.ctx.Done():
			return
		}
		r.mu.Lock()
		acks := r.acks
		r.acks = make(map[ident.URI]uint64)
		r.mu.Unlock()
		for room, seq := range acks {
			if err := r.conn.Ack(r.w.ctx, room, seq); err != nil {
				r.fail(err)
				return
			}
		}
	}
}

// fail ends the run, unless it is over.
func (r *receiver) fail(err error) { r.w.stop(fmt.Errorf("%v: %w", r.uri, err)) }
