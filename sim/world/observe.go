package world

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/sim/check"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// flight is a message under way.
type flight struct {
	contact  *contact // the sender's
	kind     dma.ContentKind
	sent     des.Time
	online   bool // the sender was connected when it was written, and the recipient when it was routed
	handed   des.Time
	measured bool
	retried  bool

	content, plain, sealed, frame int // bytes: before and after padding, encrypted, as a stanza
	media                         uint64
}

// partnerSide returns the partner's user's device of a contact.
func (c *contact) partnerSide() *device {
	if c.from.user.partner != nil {
		return c.from
	}
	return c.to
}

func (c *contact) route() string { return c.partnerSide().user.partner.route() }

// composed notes a message that a user wrote.
func (w *world) composed(d *device, id string, in dma.Compose) {
	c := d.peer(in.To)
	w.meter.written++
	now := w.k.Now()
	w.flights[id] = &flight{
		contact: c, kind: in.Content.Kind, sent: now, measured: now >= w.from && now < w.end,
		media: in.Content.Media.Size, online: d.up,
	}
	if w.checker != nil {
		w.checker.Written(id, d.name(), c.to.name())
	}
	w.noteMessage(d.name(), trace.Seal, c.to.name(), id, in.Content.Kind.String())
}

// deviceEvent notes what a device reports, and has its user act on it.
func (w *world) deviceEvent(d *device, e *dma.Event) {
	w.digest.event(w.k.Now(), d.name(), e)
	switch e.Kind {
	case dma.MessageSealed:
		if f := w.flights[e.ID]; f != nil {
			f.content, f.plain, f.sealed, f.frame = e.Plain-e.Padding, e.Plain, e.Sealed, e.Size
			w.learn(f.contact, ledger.Network, ledger.Timestamp, e.ID)
			w.learn(f.contact, ledger.Network, ledger.Size, e.ID)
		}
	case dma.MessageAccepted:
		w.meter.accepted++
		if w.checker != nil {
			w.checker.Accepted(e.ID)
		}
	case dma.MessageRefused:
		w.messageRefused(d, d.peer(e.Peer), e)
	case dma.MessageDelivered:
		w.delivered(d, d.peer(e.Peer), w.flights[e.ID], e)
	case dma.DeliveryReceipt:
		delete(w.flights, e.ID)
	case dma.ReadReceipt:
		w.meter.read++
	case dma.RetryAsked:
		w.meter.retries++
		if f := w.flights[e.ID]; f != nil {
			f.retried = true
		}
		if w.checker != nil {
			w.checker.Retried(e.ID)
		}
	case dma.GivenUp:
		w.meter.givenUp++
		w.noteMessage(d.name(), trace.Reject, e.Peer.String(), e.ID, e.Reason)
	case dma.PingReceived:
		if c := d.peer(e.Peer); c != nil {
			w.k.After(des.FromSeconds(d.gk.consent.Sample(&d.user.rand)), w, des.Event{Kind: evAnswer, Ref: c})
		}
	case dma.ConsentGiven:
		d.peer(e.Peer).reach = open
	case dma.ConsentRefused:
		if c := d.peer(e.Peer); c != nil && c.reach == untried {
			c.reach = closed
		}
	}
}

func (w *world) messageRefused(d *device, c *contact, e *dma.Event) {
	w.meter.refused++
	if d.user.partner != nil {
		c.reach = closed
	}
	delete(w.flights, e.ID)
	if w.checker != nil {
		w.checker.Excused(e.ID)
	}
	w.noteMessage(d.name(), trace.Reject, c.to.name(), e.ID, e.Reason)
}

// delivered notes that a user sees a message. c is the recipient's view; f is nil if
// the message was delivered before.
func (w *world) delivered(d *device, c *contact, f *flight, e *dma.Event) {
	w.meter.delivered++
	if e.Inbox != "" {
		w.meter.inboxes[e.Inbox]++
	}
	now := w.k.Now()
	if w.checker != nil {
		handed := now
		if f != nil {
			handed = f.handed
		}
		w.checker.Delivered(now, e.ID, c.to.name(), d.name(), c.to.user.partner != nil, handed)
	}
	if f == nil {
		return
	}
	w.noteMessage(d.name(), trace.Deliver, c.to.name(), e.ID, e.Content.Kind.String())
	c.to.peer(d.addr).reach = open // who reads can be written to
	w.meter.arrived(f, now)
	if e.Content.Kind.Media() {
		w.meter.carried += int64(f.media)
	}
	w.see(c, e.ID, e.Content.Kind == dma.Reaction)
}

// gatekeeperEvent notes what a gatekeeper reports.
func (w *world) gatekeeperEvent(g *gatekeeper, e *dma.Event) {
	w.digest.event(w.k.Now(), g.name, e)
	switch e.Kind {
	case dma.Routed:
		if f := w.flights[e.ID]; f != nil {
			w.routed(f, e.ID)
			if !f.contact.to.up {
				f.online = false
				w.noteMessage(g.name, trace.Store, f.contact.to.name(), e.ID, "")
			}
		}
	case dma.HandedOut:
		if f := w.flights[e.ID]; f != nil && f.handed == 0 {
			f.handed = w.k.Now()
		}
	case dma.Dropped:
		w.meter.dropped++
		if w.checker != nil && e.Reason != dma.GivenUpReason {
			w.checker.Excused(e.ID)
		}
		w.noteMessage(g.name, trace.Reject, e.Account.String(), e.ID, e.Reason)
	case dma.KeysGone:
		w.meter.keysGone++
	}
}

// routed notes what a message makes true, and what the servers learn of it. The
// gatekeeper routes it and so knows both ends, the time and the size; the partner's
// server hosts its media, and hears of it by a push if its user is offline.
func (w *world) routed(f *flight, id string) {
	if w.ledger == nil {
		return
	}
	c := f.contact
	from, to := c.from.user, c.to.user
	route := c.route()
	for _, u := range [...]*user{from, to} {
		w.ledger.True(route, ledger.Identity, u.name)
		w.ledger.True(route, ledger.Address, u.ip.String())
		w.ledger.Learn(route, ledger.Gatekeeper, ledger.Identity, u.name)
	}
	for _, fact := range [...]ledger.Fact{ledger.Timestamp, ledger.Size} {
		w.ledger.True(route, fact, id)
		w.ledger.Learn(route, ledger.Gatekeeper, fact, id)
	}
	edge := from.name + " " + to.name
	w.ledger.True(route, ledger.Contact, edge)
	w.ledger.Learn(route, ledger.Gatekeeper, ledger.Contact, edge)
	if from.partner != nil && f.media > 0 {
		w.ledger.Learn(route, ledger.PartnerServer, ledger.Timestamp, id)
		w.ledger.Learn(route, ledger.PartnerServer, ledger.Size, id)
	}
	if to.partner != nil && !c.to.up {
		w.ledger.Learn(route, ledger.PartnerServer, ledger.Timestamp, id)
	}
}

// learn notes a fact about a contact's message.
func (w *world) learn(c *contact, r ledger.Role, f ledger.Fact, key string) {
	if w.ledger != nil {
		w.ledger.Learn(c.route(), r, f, key)
	}
}

// learnConnection notes who learns of a device by its connecting: the network sees
// the address, the gatekeeper gets it (from a proxy by its third rule), and the
// partner's server hands out the token that the gatekeeper checks at every
// connection, so it knows its own user and the address. That the device fetches the
// token when it connects is assumed.
func (w *world) learnConnection(d *device) {
	if w.ledger == nil {
		return
	}
	address := d.user.ip.String()
	if d.user.partner == nil {
		for _, route := range [...]string{routeDirect, routeProxied} {
			w.ledger.Learn(route, ledger.Network, ledger.Address, address)
			w.ledger.Learn(route, ledger.Gatekeeper, ledger.Address, address)
		}
		return
	}
	route := d.user.partner.route()
	for _, role := range [...]ledger.Role{ledger.Network, ledger.Gatekeeper, ledger.PartnerServer} {
		w.ledger.Learn(route, role, ledger.Address, address)
	}
	w.ledger.Learn(route, ledger.PartnerServer, ledger.Identity, d.user.name)
	if d.proxied() {
		w.ledger.Learn(route, ledger.Proxy, ledger.Address, address)
		w.ledger.Learn(route, ledger.Proxy, ledger.Identity, d.user.name)
	}
}

// passedOn takes down a frame that a proxy hands to a link.
func (w *world) passedOn(pa *partner, peer string, s dma.Send) {
	if w.journal.On() && s.Frame != nil {
		w.journal.Add(w.frameEntry(trace.Send, pa.proxyName, peer, s.Frame))
	}
}

// proxySees notes what a proxy can read of a frame that it passes on. It ends the
// chat channel, so that is every stanza, and no content.
func (w *world) proxySees(d *device, p packet, up bool) {
	if w.checker != nil {
		w.checker.Observed(w.k.Now(), d.user.partner.proxyName, p.data)
	}
	if w.journal.On() {
		peer := d.gk.name
		if up {
			peer = d.name()
		}
		w.journal.Add(w.frameEntry(trace.Receive, d.user.partner.proxyName, peer, p.data))
	}
	if w.ledger == nil {
		return
	}
	n, err := stanza.ParseBinary(p.data)
	if err != nil || n.Tag != "message" {
		return
	}
	s, err := stanza.Parse(n)
	if err != nil {
		return
	}
	m := s.(*stanza.Message)
	other := m.From
	if up {
		other = m.To
	}
	c := d.peer(other)
	if c == nil {
		return
	}
	route := c.route()
	w.ledger.Learn(route, ledger.Proxy, ledger.Timestamp, m.ID)
	w.ledger.Learn(route, ledger.Proxy, ledger.Size, m.ID)
	w.ledger.Learn(route, ledger.Proxy, ledger.Identity, c.to.user.name)
	edge := c.to.user.name + " " + d.user.name
	if up {
		edge = d.user.name + " " + c.to.user.name
	}
	w.ledger.Learn(route, ledger.Proxy, ledger.Contact, edge)
}

// digest is a running hash of everything that happens, so that two runs can be
// compared by 32 bytes. A nil one hashes nothing.
type digest struct {
	h   hash.Hash
	buf []byte
}

func newDigest() *digest { return &digest{h: sha256.New()} }

// frame takes a frame in.
func (d *digest) frame(at des.Time, node, peer string, data []byte) {
	if d == nil {
		return
	}
	b := binary.BigEndian.AppendUint64(d.buf[:0], uint64(at))
	b = binary.BigEndian.AppendUint64(b, uint64(len(data)))
	b = append(append(append(b, node...), 0), peer...)
	b = append(append(b, 0), data...)
	d.buf = b
	d.h.Write(b)
}

func (d *digest) event(at des.Time, node string, e *dma.Event) {
	if d == nil {
		return
	}
	b := binary.BigEndian.AppendUint64(d.buf[:0], uint64(at))
	b = append(b, byte(e.Kind))
	b = append(append(append(b, node...), 0), e.ID...)
	b = append(append(append(b, 0), e.Peer.User...), 0)
	if e.Content != nil {
		b = append(b, e.Content.Text...)
	}
	d.buf = b
	d.h.Write(b)
}

func (d *digest) sum() (sum [32]byte) {
	if d != nil {
		d.h.Sum(sum[:0])
	}
	return sum
}

// leaving takes down a frame that a node hands to a link. peer is the other end of
// the chat channel, and next the other end of the link.
func (w *world) leaving(node, peer, next string, data []byte) {
	w.digest.frame(w.k.Now(), node, peer, data)
	if w.journal.On() {
		w.journal.Add(w.frameEntry(trace.Send, node, next, data))
	}
}

// arrived takes down a frame that a node gets, and looks whether it can be read: by
// the gatekeeper, or on the way to a device.
func (w *world) arrived(node, peer string, p packet) {
	if w.checker != nil && w.checker.Checks(check.Confidentiality) {
		by := node
		if node == p.device.name() {
			by = "the network on the way to " + node
		}
		w.checker.Observed(w.k.Now(), by, p.data)
	}
	if w.journal.On() {
		w.journal.Add(w.frameEntry(trace.Receive, node, peer, p.data))
	}
}

// connectionOver is why a frame is lost that arrives after its connection's end.
const connectionOver = "connection is over"

// lost takes down a frame that was on its way to arrive, an event's kind, and that
// its link has lost or nobody takes.
func (w *world) lost(p packet, arrive uint32, why string) {
	if p.kind != frame || !w.journal.On() {
		return
	}
	d := p.device
	var from, to string
	switch arrive {
	case evArriveServer:
		from, to = d.name(), d.server()
	case evArriveUp:
		from, to = d.hop(), d.gk.name
	case evArriveDown:
		from, to = d.gk.name, d.hop()
	case evArriveDevice:
		from, to = d.server(), d.name()
	}
	e := w.frameEntry(trace.Drop, from, to, p.data)
	e.Note = why
	w.journal.Add(e)
}

func (w *world) frameEntry(event trace.Event, node, peer string, data []byte) trace.Entry {
	e := trace.Entry{At: w.k.Now(), Node: node, Event: event, Peer: peer, Size: len(data) + frameOverhead}
	if n, err := stanza.ParseBinary(data); err == nil {
		e.Kind = n.Tag
		e.ID, _ = n.Attr("id")
		switch n.Tag {
		case "receipt":
			e.Note, _ = n.Attr("type") // "read", or none if it says that the device has it
		case "ack":
			class, _ := n.Attr("class")
			e.Note = "of a " + class
		}
	}
	return e
}

func (w *world) note(node string, event trace.Event, note string) {
	if w.journal.On() {
		w.journal.Add(trace.Entry{At: w.k.Now(), Node: node, Event: event, Note: note})
	}
}

func (w *world) noteMessage(node string, event trace.Event, peer, id, note string) {
	if w.journal.On() {
		w.journal.Add(trace.Entry{At: w.k.Now(), Node: node, Event: event, Peer: peer, ID: id, Note: note})
	}
}
