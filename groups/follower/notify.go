package follower

import (
	"cmp"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Notify is a request to notify: what the hub of the domain From has accepted in a
// room, in that order (draft-ietf-mimi-protocol-06, Fanout Messages and Room
// Events).
type Notify struct {
	From     string
	Room     ident.URI
	Messages []mimi.FanoutMessage
	// Missed is how many events before these the hub says that it has given up, since
	// nothing was accepted here for too long. The draft has no way to say so.
	Missed uint64
}

func (Notify) input() {}

// room is what is kept of a room that a client of this provider is in, or was in.
type room struct {
	uri   ident.URI
	log   []entry // what some client has not acknowledged, and what shares its record, the oldest first
	size  int     // of all in log
	last  uint64  // the number of the last entry there was
	open  uint64  // the number of the first entry that this Step has logged, or 0
	since uint64  // the timestamp of the Welcome by which it came to be known here, or 0
	seen  map[digest]bool
	order []digest // of seen, a ring whose oldest is at turn
	turn  int
	fresh []int     // the slots of order that this Step has written
	in    []*cursor // in the order of the clients' URIs
	// empty is when the last client left, zero if that was before a restart.
	empty time.Time
}

// entry is one event of a room. Those of one request to notify are in one record, and
// leave the log together.
type entry struct {
	seq  uint64
	from uint64 // the number of the first in its record
	at   time.Time
	body []byte // a FanoutMessage
	left int    // how many of the room's clients have not acknowledged it
}

// size is what an entry counts for in Limits.
func (e *entry) size() int { return len(e.body) + 128 }

// cursor is how far a client has fetched a room's events.
type cursor struct {
	client *client
	acked  uint64
	// welcome is the number of the first event after the last Welcome that the client
	// got, 0 if it came by itself.
	welcome uint64
}

// digest is the SHA-256 of a FanoutMessage.
type digest [32]byte

// notify takes the events of a room. One that came before is ignored: the draft lets
// a hub repeat a request, byte for byte, and here it may also put the same events
// together in other ways (deviation 46). A hub whose events are of a room that
// nobody here is in gets its success too; they are dropped.
func (f *Follower) notify(now time.Time, in Notify) error {
	if in.Room.Kind() != ident.KindRoom || in.Room.Provider() != in.From {
		return refuse(statusForbidden, "events of %v come from %s", in.Room, in.From)
	}
	// All are written one behind the other, as the room's log has them: a time, which is
	// that of this Step, and events.
	all := make([]byte, timeSize, timeSize+sizeOf(in.Messages))
	ends := make([]int, len(in.Messages))
	for i := range in.Messages {
		err := in.Messages[i].Check()
		if err == nil {
			all, err = wire.Append(all, &in.Messages[i])
		}
		if err != nil {
			return refuse(statusBadRequest, "event %d of %d: %v", i+1, len(in.Messages), err)
		}
		ends[i] = len(all)
	}
	if len(ends) > 0 {
		f.missed(in, all[timeSize:ends[0]])
	}
	begin := timeSize
	for i, end := range ends {
		f.event(now, in.Room, &in.Messages[i], all[begin:end:end])
		begin = end
	}
	if r := f.rooms[in.Room]; r != nil && len(r.fresh) > 0 {
		f.put(roomKey(r.uri), roomRecord(r))
		f.saveSeen(r)
		f.saveLog(now, r, all)
	}
	return nil
}

// sizeOf estimates the size of events on the wire, rather too much than too little.
func sizeOf(list []mimi.FanoutMessage) (n int) {
	for i := range list {
		n += 384
		if m := list[i].Message.Private; m != nil {
			n += len(m.GroupID) + len(m.AuthenticatedData) + len(m.Ciphertext)
		}
	}
	return n
}

// saveLog writes what this Step has logged of a room. all are all events of the Step,
// with room for the time before them.
func (f *Follower) saveLog(now time.Time, r *room, all []byte) {
	if r.open == 0 {
		return
	}
	logged := r.log[len(r.log)-int(r.last+1-r.open):]
	size := timeSize
	for i := range logged {
		size += len(logged[i].body)
	}
	if size < len(all) { // some were there before
		all = make([]byte, timeSize, size)
		for i := range logged {
			all = append(all, logged[i].body...)
		}
	}
	f.put(logKey(r.uri, r.open), stamp(now, all))
	r.open = 0
}

// maxMissed bounds what one request can take from a room's numbers.
const maxMissed = 1 << 32

// missed leaves out the numbers of events that will not come, so that clients see that
// they lack some, as they do of what was dropped here. A request that comes again says
// nothing new.
func (f *Follower) missed(in Notify, first []byte) {
	r := f.rooms[in.Room]
	if in.Missed == 0 || r == nil || r.seen[f.digest(first)] || in.Messages[0].Timestamp < r.since {
		return
	}
	r.last += min(in.Missed, maxMissed)
	f.put(roomKey(r.uri), roomRecord(r))
}

// event takes one event.
func (f *Follower) event(now time.Time, uri ident.URI, m *mimi.FanoutMessage, body []byte) {
	sum := f.digest(body)
	r := f.rooms[uri]
	if r != nil && (r.seen[sum] || m.Timestamp < r.since) {
		return
	}
	if m.Kind() == mimi.FanoutWelcome {
		fresh := r == nil
		// A mailbox is not to hold on to the other events of the request.
		if r = f.welcome(now, uri, m.Message.Welcome, slices.Clone(body)); r != nil && fresh {
			// What it may have had before it was forgotten may still come again.
			r.since = m.Timestamp
			f.put(roomKey(uri), roomRecord(r))
		}
	} else if r != nil && len(r.in) > 0 {
		f.log(now, r, body)
	}
	if r != nil {
		f.remember(r, sum)
	}
}

// digest hashes an event. SHA-256 is the hash of suites 1 to 3; what is hashed here
// goes nowhere, so that the suite of the room does not matter.
func (f *Follower) digest(body []byte) (d digest) {
	copy(d[:], f.cfg.Groups[f.suites()[0]].Suite.Hash(nil, body))
	return d
}

// welcome puts a Welcome into the mailboxes of those whose KeyPackages it is for,
// and lets them have the room's events from here on. It returns nil if it is for
// nobody here.
func (f *Follower) welcome(now time.Time, uri ident.URI, w *message.Welcome, body []byte) *room {
	var r *room
	for i := range w.Secrets {
		ref := string(w.Secrets[i].NewMember)
		g, ok := f.given[ref]
		if !ok {
			continue
		}
		c := f.clients[g.client]
		if c.rooms[uri] == nil && f.crowdedRooms(c, uri.Provider()) {
			continue // a hub that makes rooms for a client without end
		}
		r = f.room(uri)
		f.joinRoom(c, r)
		at := c.rooms[uri]
		at.welcome = r.last + 1
		f.put(cursorKey(c.uri, uri), cursorRecord(at))
		f.toClient(now, c, boxed{room: uri, from: uri.Provider(), after: r.last, body: body})
		if !slices.ContainsFunc(c.packages, func(k keyPackage) bool { return k.ref == ref }) { // not one of last resort
			delete(f.given, ref)
			f.remove(givenKey(ref))
		}
	}
	return r
}

// room returns a room, which is made if it is new. Its events are numbered on from those
// of all rooms that were forgotten: it may be one of them, and a client that was in it
// knows events, and what it acknowledges or leaves, by their numbers.
func (f *Follower) room(uri ident.URI) *room {
	r := f.rooms[uri]
	if r == nil {
		r = &room{uri: uri, last: f.last, seen: map[digest]bool{}}
		f.rooms[uri] = r
		f.countLeft(uri.Provider(), 1)
		f.put(roomKey(uri), roomRecord(r))
	}
	return r
}

// log appends an event to a room's log and sends it to the clients that are connected.
// [Follower.saveLog] writes it.
func (f *Follower) log(now time.Time, r *room, body []byte) {
	r.last++
	if r.open == 0 {
		r.open = r.last
	}
	e := entry{seq: r.last, from: r.open, at: now, body: body, left: len(r.in)}
	f.append(r, e)
	// What a client has not fetched is not to grow without end, but for what comes at once.
	n, size, all := 0, r.size, f.logged[r.uri.Provider()]
	for r.log[n].from != r.open && (size > f.limits.RoomLog || all > f.limits.HubLog || n > 0 && r.log[n].from == r.log[n-1].from) {
		size, all = size-r.log[n].size(), all-r.log[n].size()
		n++
	}
	f.dropLog(r, n)
	for _, at := range r.in {
		f.deliver(at.client, Delivery{Client: at.client.uri, Room: r.uri, Seq: e.seq, Body: body})
	}
}

// append adds an entry to a room's log.
func (f *Follower) append(r *room, e entry) {
	r.log = append(r.log, e)
	r.size += e.size()
	f.logged[r.uri.Provider()] += e.size()
}

// remember notes an event among the last ones. [Follower.saveSeen] writes it.
func (f *Follower) remember(r *room, sum digest) {
	slot := r.turn
	if len(r.order) < f.limits.Remembered {
		slot = len(r.order)
		r.order = append(r.order, sum)
	} else {
		delete(r.seen, r.order[slot])
		r.order[slot] = sum
		r.turn = (r.turn + 1) % len(r.order)
	}
	r.seen[sum] = true
	r.fresh = append(r.fresh, slot)
}

// saveSeen writes the pages of what this Step has noted: under load one for many
// events.
func (f *Follower) saveSeen(r *room) {
	last := -1
	for _, slot := range r.fresh {
		if page := slot / seenPage; page != last {
			f.put(seenKey(r.uri, page), seenRecord(r, page))
			last = page
		}
	}
	r.fresh = r.fresh[:0]
	if len(r.order) < f.limits.Remembered {
		return // it has not come to the end yet
	}
	if r.turn > 0 {
		f.put(turnKey(r.uri), number(uint64(r.turn)))
	} else {
		f.remove(turnKey(r.uri))
	}
}

// acknowledge moves a client's cursor and drops the events that nobody waits for any
// more. Those that were dropped for their age are not in the log.
func (f *Follower) acknowledge(r *room, at *cursor, seq uint64) {
	first, _ := slices.BinarySearchFunc(r.log, at.acked+1, func(e entry, seq uint64) int { return cmp.Compare(e.seq, seq) })
	for i := first; i < len(r.log) && r.log[i].seq <= seq; i++ {
		r.log[i].left--
	}
	at.acked = seq
	n := slices.IndexFunc(r.log, func(e entry) bool { return e.left > 0 })
	if n < 0 {
		n = len(r.log)
	}
	for n > 0 && n < len(r.log) && r.log[n].from == r.log[n-1].from {
		n-- // somebody waits for the rest of the record
	}
	f.dropLog(r, n)
}

// dropLog drops the first n events of a log, which are whole records.
func (f *Follower) dropLog(r *room, n int) {
	hub := r.uri.Provider()
	for i := range r.log[:n] {
		e := &r.log[i]
		if e.seq == e.from {
			f.remove(logKey(r.uri, e.from))
		}
		r.size -= e.size()
		if f.logged[hub] -= e.size(); f.logged[hub] == 0 {
			delete(f.logged, hub)
		}
	}
	clear(r.log[:n]) // the bodies are not to outlive their log
	if r.log = r.log[n:]; len(r.log) == 0 {
		r.log = nil
	}
}
