package dma

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// message routes a message into its recipient's mailbox and acknowledges it to
// the sender. What the gatekeeper refuses is acknowledged with an error code, so
// that the sender stops sending it.
func (g *Gatekeeper) message(now time.Time, from *account, m *stanza.Message, size int) error {
	if m.ID == "" || len(m.ID) > MaxID {
		return fmt.Errorf("dma: message: %w: id of %d bytes, want 1 to %d", protocols.ErrMalformed, len(m.ID), MaxID)
	}
	if len(m.Enc) != 1 || len(m.Participants) > 0 && m.To.Server != ident.Group { // one to one, to one device
		return fmt.Errorf("dma: message %s: %w: %d enc and %d participants, want one enc", m.ID, protocols.ErrMalformed, len(m.Enc), len(m.Participants))
	}
	if !m.Room.IsZero() || !m.Sender.IsZero() || m.Seq != 0 {
		return fmt.Errorf("dma: message %s: %w: it is of a room, want one of a chat", m.ID, protocols.ErrMalformed)
	}
	if m.To.Server == ident.Group {
		return g.groupMessage(now, from, m)
	}
	attempt := attemptType(m.Enc[0].Count)
	ack := stanza.Ack{Class: stanza.AckMessage, ID: m.ID, To: m.To, Type: attempt}
	key := newSeenKey(from.addr, m.ID, m.Enc[0].Count)
	if from.seen.has(key) {
		g.acknowledge(from, ack)
		return nil
	}
	to, why := g.mayWrite(from, m.To)
	var frame []byte
	if why == 0 {
		m.From, m.To, m.Timestamp = from.addr, to.addr, now.Unix()
		m.Participant, m.Offline = ident.Address{}, 0 // which are not for clients to say
		if frame = forward(m); frame == nil || to.waiting(messageEntry, from.addr) >= g.cfg.PerSender || !g.hasRoom(to, frame) {
			why = stanza.ResourceLimit
		}
	}
	if why != 0 {
		ack.Error = why
		g.acknowledge(from, ack)
		return nil
	}
	from.seen.add(key)
	g.saveSeen(from)

	e := &entry{kind: messageEntry, from: from.addr, id: strings.Clone(m.ID), typ: attempt, frame: frame}
	g.accept(now, to, e)
	g.event(Routed, e, "")
	g.acknowledge(from, ack)
	if to.conn == 0 && to.partner() {
		g.out.Pushes = append(g.out.Pushes, Push{Integrator: to.addr.Integrator, To: to.visible})
	}
	g.deliver(now, to)
	return nil
}

// attemptType tells the attempts at one message apart, where acks and the mailbox
// keep the type of a receipt: "" for the first, then the number of the retry receipt
// that it serves. What is late and meant for one attempt must not settle another.
func attemptType(count int) string {
	if count == 0 {
		return ""
	}
	return strconv.Itoa(count)
}

// forward renders a stanza that a client sent, with the gatekeeper's changes; nil if
// it is too large to keep.
func forward(s stanza.Stanza) []byte {
	frame, err := render(s)
	if err != nil || len(frame) > maxStanza {
		return nil
	}
	return frame
}

// receipt settles the message it is about and passes the receipt on.
func (g *Gatekeeper) receipt(now time.Time, from *account, r *stanza.Receipt) error {
	if r.To.Server == ident.Group {
		return g.groupReceipt(now, from, r)
	}
	to := g.accounts[r.To]
	if to == nil {
		return g.receiptToNobody(now, from, r)
	}
	r.From, r.To, r.Timestamp = from.addr, to.addr, now.Unix()
	r.Participant, r.Offline = ident.Address{}, 0
	frame := forward(r)
	if len(r.ID) > MaxID || frame == nil {
		return fmt.Errorf("dma: receipt: %w: id of %d bytes, want 1 to %d, and at most %d in all", protocols.ErrMalformed, len(r.ID), MaxID, maxStanza)
	}
	pass := true
	if r.Type == stanza.Delivered || r.Type == stanza.RetryAsk {
		e := from.find(messageEntry, ident.Address{}, to.addr, r.ID, "")
		pass = e != nil && (r.Type == stanza.Delivered || e.typ == attemptType(r.Retry.Count-1))
		if pass {
			g.event(Settled, e, string(r.Type))
			g.remove(e)
		}
	} else {
		// These answer nothing that the gatekeeper knows of, so they need what a
		// message needs. One that waits already was repeated by the sender.
		_, why := g.mayWrite(from, to.addr)
		pass = why == 0 && to.find(receiptEntry, ident.Address{}, from.addr, r.ID, string(r.Type)) == nil &&
			to.waiting(receiptEntry, from.addr) < g.cfg.PerSender && g.hasRoom(to, frame)
	}
	if pass && g.linked(from, to) {
		g.accept(now, to, &entry{kind: receiptEntry, from: from.addr, id: strings.Clone(r.ID), typ: string(r.Type), frame: frame})
		g.deliver(now, to)
	}
	g.acknowledge(from, stanza.Ack{Class: stanza.AckReceipt, ID: r.ID, To: r.To, Type: string(r.Type)})
	g.deliver(now, from) // the window may have opened
	return nil
}

// receiptToNobody takes a receipt for a message whose sender has no account any more.
func (g *Gatekeeper) receiptToNobody(now time.Time, from *account, r *stanza.Receipt) error {
	if len(r.ID) > MaxID {
		return fmt.Errorf("dma: receipt: %w: id of %d bytes, want 1 to %d", protocols.ErrMalformed, len(r.ID), MaxID)
	}
	if e := from.find(messageEntry, ident.Address{}, r.To, r.ID, ""); e != nil {
		switch r.Type {
		case stanza.Delivered:
			g.event(Settled, e, string(r.Type))
			g.remove(e)
		case stanza.RetryAsk: // nobody can seal it anew
			g.event(Dropped, e, GivenUpReason)
			g.remove(e)
		}
	}
	g.acknowledge(from, stanza.Ack{Class: stanza.AckReceipt, ID: r.ID, To: r.To, Type: string(r.Type)})
	g.deliver(now, from)
	return nil
}

// linked reports whether both sides may still hear of each other: receipts pass
// also where new messages would not, but not beyond an agreement's end.
func (g *Gatekeeper) linked(a, b *account) bool {
	for _, x := range [...]*account{a, b} {
		if x.partner() && !g.agreements[x.addr.Integrator] {
			return false
		}
	}
	return true
}

// ack settles a receipt, a notification, or a message that its recipient cannot
// use.
func (g *Gatekeeper) ack(now time.Time, from *account, a *stanza.Ack) error {
	var kind entryKind
	switch a.Class {
	case stanza.AckMessage:
		kind = messageEntry
	case stanza.AckReceipt:
		kind = receiptEntry
	case stanza.AckNotification:
		kind = notificationEntry
	default:
		return fmt.Errorf("dma: ack: %w: class %q, want message, receipt or notification", protocols.ErrMalformed, a.Class)
	}
	group, sender := ident.Address{}, a.To
	if a.To.Server == ident.Group {
		group = a.To
		if kind != notificationEntry {
			sender = a.Participant
		}
	}
	if e := from.find(kind, group, sender, a.ID, a.Type); e != nil {
		if kind == messageEntry {
			g.event(Dropped, e, GivenUpReason)
		}
		g.remove(e)
		g.deliver(now, from)
	}
	return nil
}

// chatState passes a typing notice on to a peer that is connected. It is never
// stored: a late one is worse than none.
func (g *Gatekeeper) chatState(from *account, n *stanza.Notification) error {
	if _, ok := n.Event.(stanza.Typing); !ok {
		return fmt.Errorf("dma: notification: %w: a client may send chatstate only, not %q", protocols.ErrMalformed, n.Type)
	}
	if len(n.ID) > MaxID {
		return fmt.Errorf("dma: notification: %w: id of %d bytes, want at most %d", protocols.ErrMalformed, len(n.ID), MaxID)
	}
	to, why := g.mayWrite(from, n.To)
	if why != 0 || to.conn == 0 {
		return nil
	}
	// What else it says is not for clients to say.
	fwd := stanza.Notification{ID: n.ID, From: from.addr, To: to.addr, Event: n.Event}
	g.out.Sends = append(g.out.Sends, Send{Conn: to.conn, Frame: encode(&fwd), Lossy: true})
	return nil
}

// notify puts a notification into the mailbox of a.
func (g *Gatekeeper) notify(now time.Time, a *account, from ident.Address, n *stanza.Notification) {
	g.nextSeq++
	n.ID = "n" + strconv.FormatUint(g.nextSeq, 10)
	n.From, n.To, n.Timestamp = from, a.addr, now.Unix()
	g.accept(now, a, &entry{kind: notificationEntry, from: from, id: n.ID, frame: encode(n)})
	g.deliver(now, a)
}
