package hub

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// This file is the way from an accepted event to those who are to have it
// (draft-ietf-mimi-protocol-06, Fanout Messages and Room Events).
//
// An event is stored once, whoever is to have it. A queue is one room's way to one
// follower: it has one batch under way at a time, so that a follower sees the
// events of a room in their order. A batch keeps its bounds until the follower has
// accepted it, over failures and restarts, since a follower knows a request that it
// has had before by its bytes.

// event is what was accepted, until all who are to have it do.
type event struct {
	seq     uint64 // of its room
	body    []byte // a FanoutMessage
	targets []target
	open    int  // how many targets have not accepted it
	fresh   bool // it is of this Step, and not stored yet
}

// target is a follower that is to have an event.
type target struct {
	to string // its domain
	// sent says that the event was sent in the Step that accepted it. It saves the
	// record of a queue that had nothing else to do.
	sent bool
}

// queue is what of a room is on its way to one follower.
type queue struct {
	room     *chatRoom
	to       string
	acked    uint64   // the last event that the follower accepted
	flight   uint64   // the last event of the batch under way, 0 if there is none
	failures int      // of the batch under way, one after the other
	retryAt  int64    // nothing is sent before then (Unix milliseconds); 0 if nothing stands against it
	waiting  []*event // for the follower, in order; those up to flight are under way
	size     int      // of their bodies
	dropped  int      // how many were given up since the hub runs
	// missed are how many were given up that the follower has not been told of: before the
	// batch under way, or the next one if there is none, and behind it.
	missed, behind uint64
	touched        bool // it is in Hub.touched
	changed        bool // its record is to be written
}

// publish makes an event of the room for some followers, which are sorted.
func (h *Hub) publish(r *chatRoom, body []byte, to []string) {
	if len(to) == 0 {
		return
	}
	r.lastSeq++
	e := &event{seq: r.lastSeq, body: body, targets: make([]target, len(to)), open: len(to), fresh: true}
	r.events[e.seq] = e
	h.fresh = append(h.fresh, freshEvent{r, e})
	for i, domain := range to {
		e.targets[i].to = domain
		q := r.queue(domain)
		q.add(e)
		h.touch(q)
		h.trim(q)
	}
}

func (q *queue) add(e *event) {
	q.waiting = append(q.waiting, e)
	q.size += len(e.body)
}

// trim gives up what a follower has not accepted for too long, the oldest first, but for
// what is under way. Whoever is in the room could else fill the hub by a follower that
// accepts nothing. What is given up at once makes room for a while.
func (h *Hub) trim(q *queue) {
	if q.size <= h.cfg.Backlog {
		return
	}
	from := len(q.underWay())
	to := from
	for to < len(q.waiting)-1 && !q.waiting[to].fresh && q.size > h.cfg.Backlog/8*7 {
		e := q.waiting[to]
		q.size -= len(e.body)
		e.targets = slices.DeleteFunc(e.targets, func(t target) bool { return t.to == q.to })
		if e.open--; e.open == 0 {
			delete(q.room.events, e.seq)
			h.drop(q.room.eventKey(e.seq))
		} else {
			h.put(q.room.eventKey(e.seq), e.marshal())
		}
		to++
	}
	if to == from {
		return
	}
	if q.flight == 0 {
		q.missed += uint64(to - from)
	} else {
		q.behind += uint64(to - from)
	}
	h.put(q.room.missedKey(q.to), q.marshalMissed())
	q.dropped += to - from
	q.waiting = slices.Delete(q.waiting, from, to)
	h.out.GivenUp = append(h.out.GivenUp, GivenUp{Room: q.room.uri, To: q.to, Events: to - from})
}

// freshEvent is an event of this Step.
type freshEvent struct {
	room  *chatRoom
	event *event
}

// queue returns the room's queue to a follower.
func (r *chatRoom) queue(domain string) *queue {
	q := r.queues[domain]
	if q == nil {
		q = &queue{room: r, to: domain}
		r.queues[domain] = q
	}
	return q
}

// touch has flush look at a queue.
func (h *Hub) touch(q *queue) {
	if !q.touched {
		q.touched = true
		h.touched = append(h.touched, q)
	}
}

// flush ends a Step: it sends what can be sent and records what has changed.
func (h *Hub) flush(now int64) {
	for _, q := range h.touched {
		q.touched = false
		h.start(q, now)
	}
	for _, f := range h.fresh {
		f.event.fresh = false
		h.put(f.room.eventKey(f.event.seq), f.event.marshal())
	}
	for _, q := range h.touched {
		if q.changed {
			q.changed = false
			h.put(q.room.queueKey(q.to), q.marshal())
		}
	}
	clear(h.touched)
	clear(h.fresh)
	h.touched, h.fresh = h.touched[:0], h.fresh[:0]
}

// start sends the next batch of a queue, if there is one and its time has come.
func (h *Hub) start(q *queue, now int64) {
	if q.flight != 0 || q.retryAt != 0 || len(q.waiting) == 0 {
		return
	}
	if hold := h.held(q.to, now); hold != 0 {
		h.holdBack(q, hold)
		return
	}
	n := h.batch(q)
	q.flight = q.waiting[n-1].seq
	if q.waiting[0].fresh { // then so are all, and their records can say it
		for _, e := range q.waiting[:n] {
			for i := range e.targets {
				if e.targets[i].to == q.to {
					e.targets[i].sent = true
				}
			}
		}
	} else {
		q.changed = true // the bounds of the request are kept until it is accepted
	}
	h.send(q)
}

// batch returns how many of the waiting events go into the next request.
func (h *Hub) batch(q *queue) int {
	n, size := 1, len(q.waiting[0].body)
	for n < len(q.waiting) && n < h.cfg.BatchMessages && size+len(q.waiting[n].body) <= h.cfg.BatchBytes {
		size += len(q.waiting[n].body)
		n++
	}
	return n
}

// underWay returns the events of the batch under way.
func (q *queue) underWay() []*event {
	n := 0
	for n < len(q.waiting) && q.waiting[n].seq <= q.flight {
		n++
	}
	return q.waiting[:n]
}

// send sends the batch under way.
func (h *Hub) send(q *queue) {
	batch := q.underWay()
	body := batch[0].body
	if len(batch) > 1 {
		size := 0
		for _, e := range batch {
			size += len(e.body)
		}
		body = make([]byte, 0, size)
		for _, e := range batch {
			body = append(body, e.body...)
		}
	}
	h.out.Sends = append(h.out.Sends, Send{Room: q.room.uri, To: q.to, Last: q.flight, Messages: len(batch), Missed: q.missed, Body: body})
}

// delivered takes the news that a follower accepted a batch. News of another batch
// than the one under way is old.
func (h *Hub) delivered(in Delivered) error {
	q, err := h.queueOf(in.Room, in.To)
	if err != nil || q.flight == 0 || q.flight != in.Last {
		return err
	}
	n := len(q.underWay())
	for _, e := range q.waiting[:n] {
		q.size -= len(e.body)
		if e.open--; e.open == 0 {
			delete(q.room.events, e.seq)
			h.drop(q.room.eventKey(e.seq))
		}
	}
	clear(q.waiting[:n]) // the bodies are not to outlive their queue
	q.waiting = q.waiting[n:]
	if len(q.waiting) == 0 {
		q.waiting = nil
	}
	q.acked, q.flight, q.failures, q.retryAt, q.changed = in.Last, 0, 0, 0, true
	if q.missed+q.behind > 0 {
		q.missed, q.behind = q.behind, 0
		if q.missed > 0 {
			h.put(q.room.missedKey(q.to), q.marshalMissed())
		} else {
			h.drop(q.room.missedKey(q.to))
		}
	}
	h.touch(q)
	return nil
}

// failed takes the news that a batch could not be delivered, or that the follower's
// answer did not arrive: it is sent again, after a time that grows with the number
// of failures and is no shorter than the follower asked for.
func (h *Hub) failed(now int64, in DeliveryFailed) error {
	q, err := h.queueOf(in.Room, in.To)
	if err != nil || q.flight == 0 || q.flight != in.Last || q.retryAt != 0 {
		return err
	}
	at := now + h.backOff(q.failures)
	if after := min(in.RetryAfter, h.cfg.RetryMax); after > 0 {
		hold := now + after.Milliseconds()
		at = max(at, hold)
		if hold > h.holds[q.to] { // it speaks for the follower, whatever the room
			h.holds[q.to] = hold
			h.put(holdKey(q.to), marshalTime(hold))
		}
	}
	if q.failures < maxFailures {
		q.failures++
	}
	h.holdBack(q, at)
	h.touch(q)
	return nil
}

// maxFailures bounds what is counted: the back-off has long reached its maximum.
const maxFailures = 60

// held returns until when a follower is not to be sent anything, 0 if it is.
func (h *Hub) held(to string, now int64) int64 {
	at, ok := h.holds[to]
	if ok && at <= now {
		delete(h.holds, to)
		h.drop(holdKey(to))
		at = 0
	}
	return at
}

// backOff returns how long to wait after a number of failures before, in
// milliseconds.
func (h *Hub) backOff(failures int) int64 {
	wait, most := h.cfg.RetryMin.Milliseconds(), h.cfg.RetryMax.Milliseconds()
	for ; failures > 0 && wait < most; failures-- {
		wait *= 2
	}
	return min(wait, most)
}

// holdBack keeps a queue from sending before a time.
func (h *Hub) holdBack(q *queue, at int64) {
	q.retryAt, q.changed = at, true
	heap.Push(&h.retries, retry{at, q})
}

func (h *Hub) queueOf(uri ident.URI, to string) (*queue, error) {
	r := h.rooms[uri]
	if r == nil {
		return nil, fail(NotFound, "notify of %v: no such room", uri)
	}
	q := r.queues[to]
	if q == nil {
		return nil, fail(NotFound, "notify of %v to %s: nothing was sent", uri, to)
	}
	return q, nil
}

// retryNow starts the queues whose time has come.
func (h *Hub) retryNow(now int64) {
	for len(h.retries) > 0 && h.retries[0].at <= now {
		e := heap.Pop(&h.retries).(retry)
		if e.q.retryAt != e.at {
			continue // it was started before
		}
		e.q.retryAt, e.q.changed = 0, true
		h.touch(e.q)
		if hold := h.held(e.q.to, now); hold != 0 {
			h.holdBack(e.q, hold)
		} else if e.q.flight != 0 {
			h.send(e.q)
		}
	}
}

// resume sends what was under way when the hub stopped.
func (h *Hub) resume() {
	for _, r := range h.sortedRooms() {
		for _, to := range sortedKeys(r.queues) {
			if q := r.queues[to]; q.flight != 0 && q.retryAt == 0 {
				h.send(q)
			}
		}
	}
}

// nextRetry returns when the next queue is to be started, 0 if none is.
func (h *Hub) nextRetry() int64 {
	for len(h.retries) > 0 && h.retries[0].q.retryAt != h.retries[0].at {
		heap.Pop(&h.retries)
	}
	if len(h.retries) == 0 {
		return 0
	}
	return h.retries[0].at
}

// retry is when a queue is to be started. It is void if the queue says otherwise.
type retry struct {
	at int64
	q  *queue
}

// retries is a heap. Its order is total, so that a hub which was restored does the
// same as one which was not.
type retries []retry

func (r retries) Len() int { return len(r) }
func (r retries) Less(i, j int) bool {
	a, b := r[i], r[j]
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.q.room.key, b.q.room.key), cmp.Compare(a.q.to, b.q.to)) < 0
}
func (r retries) Swap(i, j int) { r[i], r[j] = r[j], r[i] }
func (r *retries) Push(x any)   { *r = append(*r, x.(retry)) }
func (r *retries) Pop() any {
	old := *r
	x := old[len(old)-1]
	old[len(old)-1] = retry{}
	*r = old[:len(old)-1]
	return x
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Backlog says how much of a room a follower has not accepted.
type Backlog struct {
	Room     ident.URI
	To       string
	Messages int
	Bytes    int       // of them
	Dropped  int       // given up before, since the hub runs
	Failures int       // of the request under way
	RetryAt  time.Time // zero unless a request failed
}

// Backlogs returns what has not been delivered, by room and follower.
func (h *Hub) Backlogs() (list []Backlog) {
	for _, r := range h.sortedRooms() {
		for _, to := range sortedKeys(r.queues) {
			if q := r.queues[to]; len(q.waiting) > 0 {
				b := Backlog{Room: r.uri, To: to, Messages: len(q.waiting), Bytes: q.size, Dropped: q.dropped, Failures: q.failures}
				if q.retryAt != 0 {
					b.RetryAt = time.UnixMilli(q.retryAt).UTC()
				}
				list = append(list, b)
			}
		}
	}
	return list
}
