package dma

import (
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// The offline mailbox: whatever is to reach a client durably waits here as the
// frame it will be sent in, and leaves when the client acknowledges it.

// entryKind says how a client acknowledges an entry.
type entryKind uint8

const (
	messageEntry      entryKind = iota // by a receipt
	receiptEntry                       // by <ack class="receipt">
	notificationEntry                  // by <ack class="notification">
)

// entry is one frame in an account's mailbox.
type entry struct {
	owner  *account
	seq    uint64 // order within the gatekeeper
	kind   entryKind
	live   bool          // still in the mailbox
	from   ident.Address // who wrote it; the group, in its notifications
	group  ident.Address // zero: of nobody's group
	id     string
	typ    string // of a receipt; of a message its attempt, as attemptType has it
	frame  []byte
	at     time.Time // accepted
	sentAt time.Time // zero: not under way on the present connection
}

// accept puts an entry into the mailbox of a.
func (g *Gatekeeper) accept(now time.Time, a *account, e *entry) {
	g.nextSeq++
	e.owner, e.seq, e.live, e.at = a, g.nextSeq, true, now
	a.box = append(a.box, e)
	a.boxBytes += len(e.frame)
	g.expiry.push(now.Add(g.cfg.Retention), e)
	g.saveEntry(e)
}

// deliver sends what the account's connection and window allow, in order.
func (g *Gatekeeper) deliver(now time.Time, a *account) {
	if a.conn == 0 {
		return
	}
	for i, e := range a.box {
		if !e.sentAt.IsZero() || e.kind == messageEntry && g.windowFull(a.box[:i], e) || g.groupHeld(a.box[:i], e) {
			continue
		}
		e.sentAt = now
		g.out.Sends = append(g.out.Sends, Send{Conn: a.conn, Frame: e.frame})
		if e.kind == messageEntry {
			g.event(HandedOut, e, "")
		}
		if g.cfg.ResendAfter > 0 {
			g.resend.push(now.Add(g.cfg.ResendAfter), e)
		}
	}
}

// windowFull reports whether the entries before a message of the same conversation hold
// it back.
func (g *Gatekeeper) windowFull(before []*entry, m *entry) bool {
	if g.cfg.Window == 0 {
		return false
	}
	n := 0
	for _, e := range before {
		if e.kind == messageEntry && e.from == m.from && e.group == m.group {
			n++
		}
	}
	return n >= g.cfg.Window
}

// find returns the entry that the arguments describe, or nil.
func (a *account) find(kind entryKind, group, from ident.Address, id, typ string) *entry {
	for _, e := range a.box {
		if e.kind == kind && e.id == id && e.from == from && e.group == group && (kind != receiptEntry || e.typ == typ) {
			return e
		}
	}
	return nil
}

// waiting returns how many entries of a kind from one sender are in the mailbox.
func (a *account) waiting(kind entryKind, from ident.Address) int {
	n := 0
	for _, e := range a.box {
		if e.kind == kind && e.from == from {
			n++
		}
	}
	return n
}

// remove takes an entry out of its mailbox.
func (g *Gatekeeper) remove(e *entry) {
	box := e.owner.box
	for i := range box {
		if box[i] == e {
			copy(box[i:], box[i+1:])
			box[len(box)-1] = nil
			e.owner.box = box[:len(box)-1]
			break
		}
	}
	e.live = false
	e.owner.boxBytes -= len(e.frame)
	e.frame = nil
	g.expiry.died()
	if g.cfg.ResendAfter > 0 && !e.sentAt.IsZero() {
		g.resend.died()
	}
	g.deleteEntry(e)
}

// dropWhere removes the entries that cond picks from the mailbox of a.
func (g *Gatekeeper) dropWhere(a *account, reason string, cond func(*entry) bool) {
	for i := 0; i < len(a.box); {
		e := a.box[i]
		if !cond(e) {
			i++
			continue
		}
		if e.kind == messageEntry {
			g.event(Dropped, e, reason)
		}
		g.remove(e)
	}
}

func (g *Gatekeeper) event(kind EventKind, e *entry, reason string) {
	g.out.Events = append(g.out.Events, Event{
		Kind: kind, ID: e.id, Peer: e.from, Group: e.group, Account: e.owner.addr, Reason: reason, Size: len(e.frame), Sent: e.at,
	})
}

// queue holds entries by a deadline that never decreases from one push to the next,
// so that a FIFO is a priority queue. Entries that have left their mailbox are swept
// out when they are the majority: their deadline may be 30 days away.
type queue struct {
	items []queued
	head  int
	dead  int // at least that many items behind head have left their mailbox
}

type queued struct {
	at time.Time
	e  *entry
}

func (q *queue) push(at time.Time, e *entry) { q.items = append(q.items, queued{at, e}) }

// next returns the earliest deadline of a live entry, or zero.
func (q *queue) next() time.Time {
	for q.head < len(q.items) && !q.items[q.head].e.live {
		q.drop()
	}
	if q.head == len(q.items) {
		return time.Time{}
	}
	return q.items[q.head].at
}

// pop returns the first entry whose deadline is not after now, or nil.
func (q *queue) pop(now time.Time) *entry {
	if q.head == len(q.items) || q.items[q.head].at.After(now) {
		return nil
	}
	return q.drop()
}

func (q *queue) drop() *entry {
	e := q.items[q.head].e
	q.items[q.head] = queued{}
	q.head++
	if !e.live {
		q.dead = max(0, q.dead-1)
	}
	if q.head > 64 && q.head > len(q.items)/2 {
		q.sweep()
	}
	return e
}

// died says that an entry in the queue has left its mailbox.
func (q *queue) died() {
	if q.dead++; q.dead > 64 && q.dead > (len(q.items)-q.head)/2 {
		q.sweep()
	}
}

// sweep drops what is done with.
func (q *queue) sweep() {
	live := q.items[:0]
	for _, x := range q.items[q.head:] {
		if x.e.live {
			live = append(live, x)
		}
	}
	clear(q.items[len(live):])
	q.items, q.head, q.dead = live, 0, 0
}
