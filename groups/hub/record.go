package hub

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The records of a hub. ROOM is the last segment of the room's URI, N a number in 16
// hexadecimal digits.
//
//	room/ROOM/head           what changes with each event: Head
//	room/ROOM/info           of the epoch's GroupInfo what the group has not: Info
//	room/ROOM/mls/...        the group, as package mls has it
//	room/ROOM/pending/N      a proposal that waits for a Commit: Pending
//	room/ROOM/said/N         a message that was accepted, one of the last ones: Said
//	room/ROOM/event/N        an event that not all who are to have it do: Event
//	room/ROOM/to/DOMAIN      the queue to a follower: Queue
//	room/ROOM/missed/DOMAIN  what was given up of it, and was not told: Missed
//	room/ROOM/join/USER      a user who may join by a joining code: Time
//	key/REF                  where a KeyPackage's Welcome goes: Route
//	hold/DOMAIN              until when a follower is not to be sent anything: Time
//
// An application message writes three of them and one for each follower that was
// behind, a follower's answer one or two, a Commit those of the group's tree that it
// changes besides.

// recordVersion begins every value.
const recordVersion = 1

func (r *chatRoom) eventKey(seq uint64) string    { return r.key + "event/" + number(seq) }
func (r *chatRoom) queueKey(domain string) string { return r.key + "to/" + domain }
func (r *chatRoom) missedKey(to string) string    { return r.key + "missed/" + to }
func (r *chatRoom) pendingKey(i int) string       { return r.key + "pending/" + number(uint64(i)) }
func (r *chatRoom) joinKey(user ident.URI) string { return r.key + "join/" + user.String() }

// number writes a number in 16 hexadecimal digits, so that keys are in its order.
func number(n uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[15-i] = digits[n>>(4*i)&15]
	}
	return string(b[:])
}

func holdKey(domain string) string { return "hold/" + domain }

// value returns a record's value. What a hub holds was read or made within the
// limits of the encoding.
func value(size int, write func(*wire.Writer)) []byte {
	w := wire.NewWriter(make([]byte, 0, size+1))
	w.Uint8(recordVersion)
	write(w)
	b, err := w.Bytes()
	if err != nil {
		panic(fmt.Sprintf("hub: invariant broken, the state can be written: %v", err))
	}
	return b
}

// read reads a record's value.
func read(key string, b []byte, read func(*wire.Reader)) error {
	r := wire.NewReader(b)
	if v := r.Uint8(); v != recordVersion && r.Err() == nil {
		r.Fail(fmt.Errorf("version %d, want %d", v, recordVersion))
	}
	read(r)
	if err := r.Done(); err != nil {
		return fmt.Errorf("record %q: %w", key, err)
	}
	return nil
}

func writeBool(w *wire.Writer, b bool) {
	if b {
		w.Uint8(1)
	} else {
		w.Uint8(0)
	}
}

func readBool(r *wire.Reader) bool {
	b := r.Uint8()
	if b > 1 {
		r.Fail(fmt.Errorf("truth value %d, want 0 or 1", b))
	}
	return b == 1
}

// marshalHead writes
//
//	struct {
//	    opaque uri<V>;
//	    uint64 last_time;     // accepted_timestamp
//	    uint64 last_seq;
//	    opaque update<V>;     // hash of the last Commit's request
//	    uint64 update_time;
//	} Head;
func (r *chatRoom) marshalHead() []byte {
	uri := r.uri.String()
	return value(len(uri)+2*8+8+64, func(w *wire.Writer) {
		w.OpaqueString(uri)
		w.Uint64(r.lastTime)
		w.Uint64(r.lastSeq)
		w.Opaque(r.last.request)
		w.Uint64(r.last.time)
	})
}

// marshal writes
//
//	struct {
//	    Extension extensions<V>;
//	    MAC confirmation_tag;
//	    uint32 signer;
//	    opaque signature<V>;
//	} Info;
func (i *groupInfo) marshal() []byte {
	return value(256, func(w *wire.Writer) {
		i.extensions.MarshalTLS(w)
		w.Opaque(i.tag)
		w.Uint32(i.signer)
		w.Opaque(i.signature)
	})
}

func (i *groupInfo) read(r *wire.Reader) {
	i.extensions.UnmarshalTLS(r)
	i.tag = r.Opaque()
	i.signer = r.Uint32()
	i.signature = r.Opaque()
}

// marshal writes
//
//	struct {
//	    MLSMessage proposal;
//	    uint64 time;          // accepted_timestamp
//	    opaque request<V>;    // hash of the request that it came with
//	} Pending;
func (p *pendingProposal) marshal() []byte {
	return value(512, func(w *wire.Writer) {
		p.message.MarshalTLS(w)
		w.Uint64(p.time)
		w.Opaque(p.request)
	})
}

func (p *pendingProposal) read(r *wire.Reader, points *message.CodePoints) {
	p.message = points.Message(r)
	p.time = r.Uint64()
	if p.request = r.Opaque(); len(p.request) == 0 {
		p.request = nil
	}
}

// marshal writes
//
//	struct {
//	    struct {
//	        opaque domain<V>;
//	        uint8 sent;
//	    } targets<V>;
//	    FanoutMessage message;
//	} Event;
func (e *event) marshal() []byte {
	return value(len(e.body)+32*len(e.targets)+8, func(w *wire.Writer) {
		w.Vector(func() {
			for _, t := range e.targets {
				w.OpaqueString(t.to)
				writeBool(w, t.sent)
			}
		})
		w.Fixed(e.body)
	})
}

func (e *event) read(r *wire.Reader, size int) {
	r.Vector(func() {
		e.targets = append(e.targets, target{string(r.Opaque()), readBool(r)})
	})
	if r.Err() == nil {
		e.body = r.Fixed(size - r.Offset())
	}
}

// marshal writes
//
//	struct {
//	    uint64 acked;
//	    uint64 flight;
//	    uint8 failures;
//	    uint64 retry_at;
//	} Queue;
func (q *queue) marshal() []byte {
	return value(3*8+1, func(w *wire.Writer) {
		w.Uint64(q.acked)
		w.Uint64(q.flight)
		w.Uint8(uint8(q.failures))
		w.Uint64(uint64(q.retryAt))
	})
}

// marshalMissed writes
//
//	struct {
//	    uint64 missed;        // before the batch under way
//	    uint64 behind;        // behind it
//	} Missed;
func (q *queue) marshalMissed() []byte {
	return value(2*8, func(w *wire.Writer) {
		w.Uint64(q.missed)
		w.Uint64(q.behind)
	})
}

func (q *queue) readMissed(r *wire.Reader) { q.missed, q.behind = r.Uint64(), r.Uint64() }

func (q *queue) read(r *wire.Reader) {
	q.acked = r.Uint64()
	q.flight = r.Uint64()
	q.failures = int(r.Uint8())
	q.retryAt = int64(r.Uint64())
}

// marshal writes
//
//	struct {
//	    opaque provider<V>;
//	    uint64 not_after;     // milliseconds since 1970
//	    uint8 lasts;
//	} Route;
func (e *route) marshal() []byte {
	return value(len(e.to)+2+8+1, func(w *wire.Writer) {
		w.OpaqueString(e.to)
		w.Uint64(uint64(e.notAfter))
		writeBool(w, e.lasts)
	})
}

// marshalTime writes milliseconds since 1970.
func marshalTime(ms int64) []byte { return value(8, func(w *wire.Writer) { w.Uint64(uint64(ms)) }) }

func readTime(key string, b []byte) (ms int64, err error) {
	err = read(key, b, func(r *wire.Reader) { ms = int64(r.Uint64()) })
	return ms, err
}

// expireJoins forgets who did not use a joining code.
func (h *Hub) expireJoins(r *chatRoom, now int64) {
	for _, user := range sortedUsers(r.joins) {
		if r.joins[user] < now {
			delete(r.joins, user)
			h.drop(r.joinKey(user))
		}
	}
}
