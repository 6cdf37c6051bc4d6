package follower

import (
	"cmp"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// What a client's connection and the client on it say.
type (
	// Connect: the client has a connection. What waits for it is sent again.
	Connect struct{ Client ident.URI }
	// Disconnect: it has none any more.
	Disconnect struct{ Client ident.URI }
	// Ack: the client has everything up to the delivery with this number, and has
	// stored what came of it. Room is that of the delivery, zero for its mailbox.
	Ack struct {
		Client ident.URI
		Room   ident.URI
		Seq    uint64
	}
	// Join: the client has made a room at this provider's own hub.
	Join struct {
		Client ident.URI
		Room   ident.URI
	}
	// Leave: the client is no member of the room any more and wants no more events. Seq
	// is the last delivery that it has seen in the room, or 0. A client that was added
	// again meanwhile, by a Welcome that came after that delivery, stays.
	Leave struct {
		Client ident.URI
		Room   ident.URI
		Seq    uint64
	}
)

func (Connect) input()    {}
func (Disconnect) input() {}
func (Ack) input()        {}
func (Join) input()       {}
func (Leave) input()      {}

// Delivery is an event for a client. Numbers of one room, and of one mailbox, grow
// by one from delivery to delivery. They are never given again, also not to a client that
// leaves a room and comes back, whose numbers go on from any higher one. A client that was
// away gets again what it has not acknowledged, and ignores what it has.
type Delivery struct {
	Client ident.URI
	// Room is whose event it is, with Seq in the room's log, or zero, with Seq in the
	// client's mailbox.
	Room ident.URI
	Seq  uint64
	// About is the room of a Welcome in the mailbox. What else is there is a
	// ConsentEntry.
	About ident.URI
	Body  []byte // a FanoutMessage, or a ConsentEntry
}

// boxed is what is for one client.
type boxed struct {
	seq  uint64
	at   time.Time
	room ident.URI // of a Welcome, or zero
	from string    // the provider whose room it is of, or whose user's consent
	// after is the number of the room's last event when its Welcome came. A client that
	// was removed and added again gets what it missed of before first: to the Welcome
	// the room is a new one.
	after uint64
	body  []byte
}

func (f *Follower) connect(in Connect) error {
	c, err := f.client(in.Client)
	if err != nil {
		return err
	}
	c.connected = true
	sent := make(map[ident.URI]uint64)
	for _, b := range c.box {
		if at := c.rooms[b.room]; at != nil {
			f.catchUp(at, f.rooms[b.room], max(at.acked, sent[b.room]), b.after)
			sent[b.room] = b.after
		}
		f.deliver(c, Delivery{Client: c.uri, Seq: b.seq, About: b.room, Body: b.body})
	}
	for _, name := range sortedURIs(c.rooms) {
		at, r := c.rooms[name], f.rooms[name]
		f.catchUp(at, r, max(at.acked, sent[name]), r.last)
	}
	return nil
}

// catchUp delivers a room's events after one number up to another.
func (f *Follower) catchUp(at *cursor, r *room, after, to uint64) {
	for _, e := range r.log {
		if e.seq > after && e.seq <= to {
			f.deliver(at.client, Delivery{Client: at.client.uri, Room: r.uri, Seq: e.seq, Body: e.body})
		}
	}
}

func (f *Follower) disconnect(in Disconnect) error {
	c, err := f.client(in.Client)
	if err != nil {
		return err
	}
	c.connected = false
	return nil
}

func (f *Follower) deliver(c *client, d Delivery) {
	if c.connected {
		f.out.Deliveries = append(f.out.Deliveries, d)
	}
}

// toClient puts something into a client's mailbox. A provider has a share of it: what is
// too much drops the oldest of that share, so that a client which is away costs no more,
// and those of other providers lose nothing.
func (f *Follower) toClient(now time.Time, c *client, b boxed) {
	count, size := 1, len(b.body)
	for i := len(c.box) - 1; i >= 0; i-- {
		if o := &c.box[i]; o.from == b.from && o.room.IsZero() == b.room.IsZero() {
			if count, size = count+1, size+len(o.body); count > f.limits.Mail || size > f.limits.MailBytes {
				f.remove(boxKey(c.uri, o.seq))
				c.box = slices.Delete(c.box, i, i+1)
			}
		}
	}
	c.nextBox++
	b.seq, b.at = c.nextBox, now
	c.box = append(c.box, b)
	f.put(boxKey(c.uri, b.seq), boxRecord(b))
	f.put(clientKey(c.uri), number(c.nextBox))
	f.deliver(c, Delivery{Client: c.uri, Seq: b.seq, About: b.room, Body: b.body})
}

// toUser puts something of another provider into the mailboxes of all clients of a user.
func (f *Follower) toUser(now time.Time, u *user, from string, body []byte) {
	for _, c := range u.clients {
		f.toClient(now, c, boxed{from: from, body: body})
	}
}

func (f *Follower) ack(in Ack) error {
	c, err := f.client(in.Client)
	if err != nil {
		return err
	}
	if in.Room.IsZero() {
		if in.Seq > c.nextBox {
			return refuse(statusBadRequest, "acknowledgement of %d in the mailbox, which goes to %d", in.Seq, c.nextBox)
		}
		f.emptyBox(c, func(b boxed) bool { return b.seq <= in.Seq })
		return nil
	}
	at, r := c.rooms[in.Room], f.rooms[in.Room]
	if at == nil {
		return nil // it has left, and this was under way
	}
	if in.Seq > r.last {
		return refuse(statusBadRequest, "acknowledgement of %d in %v, which goes to %d", in.Seq, in.Room, r.last)
	}
	if in.Seq <= at.acked {
		return nil
	}
	f.acknowledge(r, at, in.Seq)
	f.put(cursorKey(c.uri, in.Room), cursorRecord(at))
	return nil
}

// crowdedRooms reports whether a client is in as many rooms of a hub as it may be.
func (f *Follower) crowdedRooms(c *client, hub string) bool {
	n := 0
	for r := range c.rooms {
		if r.Provider() == hub {
			n++
		}
	}
	return n >= f.limits.Rooms
}

// emptyBox drops the oldest of a mailbox for which done holds.
func (f *Follower) emptyBox(c *client, done func(boxed) bool) {
	n := 0
	for n < len(c.box) && done(c.box[n]) {
		f.remove(boxKey(c.uri, c.box[n].seq))
		n++
	}
	c.box = slices.Delete(c.box, 0, n)
}

func (f *Follower) join(in Join) error {
	c, err := f.client(in.Client)
	if err != nil {
		return err
	}
	if err := f.local(in.Room, ident.KindRoom); err != nil {
		return err
	}
	if c.rooms[in.Room] == nil && f.crowdedRooms(c, in.Room.Provider()) {
		return refuse(statusTooManyRequests, "%v is in %d rooms of %s, want no more", c.uri, f.limits.Rooms, in.Room.Provider())
	}
	f.joinRoom(c, f.room(in.Room))
	return nil
}

// joinRoom lets a client have a room's events from now on. One that is in it keeps
// what it has not fetched. It reports whether the client is new there.
func (f *Follower) joinRoom(c *client, r *room) bool {
	if c.rooms[r.uri] != nil {
		return false
	}
	f.put(cursorKey(c.uri, r.uri), cursorRecord(f.enter(c, r, r.last, 0)))
	return true
}

// enter is joinRoom at a place in the log, without the record.
func (f *Follower) enter(c *client, r *room, acked, welcome uint64) *cursor {
	at := &cursor{client: c, acked: acked, welcome: welcome}
	c.rooms[r.uri] = at
	if len(r.in) == 0 {
		f.countLeft(r.uri.Provider(), -1)
	}
	i, _ := slices.BinarySearchFunc(r.in, at, func(a, b *cursor) int { return compareURI(a.client.uri, b.client.uri) })
	r.in = slices.Insert(r.in, i, at)
	return at
}

func (f *Follower) leave(in Leave) error {
	c, err := f.client(in.Client)
	if err != nil {
		return err
	}
	if at := c.rooms[in.Room]; at != nil && in.Seq > 0 && in.Seq < at.welcome {
		return nil // it is about to learn that it is in again
	}
	f.leaveRoom(c, in.Room)
	return nil
}

// maxLeft is how many rooms of a hub that no client is in are remembered; a choice of
// this implementation.
const maxLeft = 256

// leaveRoom ends what joinRoom began. What the provider has had of a room that nobody is in
// any more is remembered for a while: the hub may not know that, and make a request again
// when a client is in the room anew.
func (f *Follower) leaveRoom(c *client, name ident.URI) {
	at, r := c.rooms[name], f.rooms[name]
	if at == nil {
		return
	}
	f.acknowledge(r, at, r.last)
	delete(c.rooms, name)
	r.in = slices.DeleteFunc(r.in, func(o *cursor) bool { return o == at })
	f.remove(cursorKey(c.uri, name))
	if len(r.in) > 0 {
		return
	}
	r.empty = f.now
	hub := name.Provider()
	if f.countLeft(hub, 1); f.left[hub] > maxLeft {
		f.forget(f.longestLeft(hub))
	}
}

// countLeft counts the rooms of a hub that nobody is in.
func (f *Follower) countLeft(hub string, n int) {
	if f.left[hub] += n; f.left[hub] == 0 {
		delete(f.left, hub)
	}
}

// longestLeft returns the room of a hub that nobody has been in for the longest time.
func (f *Follower) longestLeft(hub string) (first *room) {
	for _, r := range f.rooms {
		if len(r.in) > 0 || r.uri.Provider() != hub {
			continue
		}
		if first == nil || cmp.Or(r.empty.Compare(first.empty), compareURI(r.uri, first.uri)) < 0 {
			first = r
		}
	}
	return first
}

// forget drops all that is kept of a room that nobody is in.
func (f *Follower) forget(r *room) {
	name := r.uri
	for page := range seenPages(r) {
		f.remove(seenKey(name, page))
	}
	f.remove(turnKey(name))
	f.remove(roomKey(name))
	delete(f.rooms, name)
	f.countLeft(name.Provider(), -1)
	if r.last > f.last {
		f.last = r.last
		f.put(lastKey, number(f.last))
	}
}

// sweepEvery is how often the machine looks for what has expired.
const sweepEvery = time.Hour

// expire drops what nobody has fetched in time, and KeyPackages that can't be used any
// more with the memory of them.
func (f *Follower) expire(now time.Time) {
	old := func(at time.Time) bool { return now.Sub(at) >= f.limits.Retention }
	for _, name := range sortedURIs(f.clients) {
		f.emptyBox(f.clients[name], func(b boxed) bool { return old(b.at) })
		f.dropExpired(now, f.clients[name])
	}
	for _, name := range sortedURIs(f.rooms) {
		r := f.rooms[name]
		n := 0
		for n < len(r.log) && old(r.log[n].at) {
			n++
		}
		f.dropLog(r, n)
		switch {
		case len(r.in) > 0:
		case r.empty.IsZero():
			r.empty = now
		case old(r.empty):
			f.forget(r)
		}
	}
	for _, ref := range sortedKeys(f.given) {
		if f.given[ref].notAfter.Before(now) {
			delete(f.given, ref)
			f.remove(givenKey(ref))
		}
	}
	for key, times := range f.claims {
		if times = within(times, now, f.limits.ClaimWindow); len(times) == 0 {
			delete(f.claims, key)
		} else {
			f.claims[key] = times
		}
	}
	f.sweep = now.Add(sweepEvery)
}
