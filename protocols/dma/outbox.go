package dma

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// outKind says what ends an outgoing stanza's stay in the outbox.
type outKind uint8

const (
	outMessage outKind = iota // an ack; then it waits for the delivery receipt
	outReceipt                // an ack
	outIQ                     // the result
	outGroup                  // an ack; then it waits for the delivery receipts
)

// outgoing is a stanza that the device repeats until it is acknowledged.
type outgoing struct {
	seq     uint64
	kind    outKind
	id      string
	typ     string        // of a receipt
	peer    *peer         // nil for an IQ that concerns nobody, and a message to a group
	group   ident.Address // that it is of, or empty
	content []byte        // outMessage: the padded plaintext, kept for retries
	media   ContentKind
	attempt int       // outMessage: retries that the peer asked for
	frame   []byte    // nil: a message that is not sealed yet
	sentAt  time.Time // zero: not under way on the present connection
	fetch   bool      // outIQ: asks for the keys of peer

	groupState
}

// queue puts a stanza into the outbox; pump sends it.
func (d *Device) queue(o *outgoing) {
	d.nextSeq++
	o.seq = d.nextSeq
	d.out = append(d.out, o)
	d.saveOut(o)
}

// ask queues a query.
func (d *Device) ask(typ stanza.IQType, payload stanza.Payload, p *peer) {
	id := "q" + strconv.FormatUint(d.nextSeq+1, 10)
	_, fetch := payload.(*stanza.KeyFetch)
	d.queue(&outgoing{kind: outIQ, id: id, peer: p, fetch: fetch, frame: encode(&stanza.IQ{ID: id, Type: typ, Payload: payload})})
}

func (d *Device) compose(now time.Time, in Compose) error {
	if err := in.To.Validate(); err != nil {
		return fmt.Errorf("dma: compose: %w", err)
	}
	if in.To.Server == ident.Group {
		return d.composeGroup(in)
	}
	if in.To == d.cfg.Address {
		return fmt.Errorf("dma: compose: to %v, which is the device itself", in.To)
	}
	in.Content.Group = ""
	return d.composeTo(in, &outgoing{kind: outMessage, peer: d.peer(in.To)})
}

// composeTo queues a message.
func (d *Device) composeTo(in Compose, o *outgoing) error {
	if in.Content.Kind < Text || in.Content.Kind > Reaction {
		return fmt.Errorf("dma: compose: content of %v, want a known kind", in.Content.Kind)
	}
	if len(in.Content.Text) > MaxText || len(in.Content.Media.Ref) > MaxMediaRef {
		return fmt.Errorf("dma: compose: text of %d and media ref of %d bytes, want at most %d and %d",
			len(in.Content.Text), len(in.Content.Media.Ref), MaxText, MaxMediaRef)
	}
	if err := in.Content.check(); err != nil { // the peer could not read it either
		return fmt.Errorf("dma: compose: %w", err)
	}
	encoded := in.Content.Append(make([]byte, 0, in.Content.size()+signal.MaxPadding))
	o.id, o.media, o.content = d.newID(), in.Content.Kind, d.pad(encoded)
	d.queue(o)
	d.output.ID = o.id
	return nil
}

// pump sends what may be sent: everything in order, messages within the window,
// and again what was not acknowledged in time.
func (d *Device) pump(now time.Time) {
	d.resendAt = time.Time{}
	if d.conn == 0 {
		return
	}
	for i := 0; i < len(d.out); i++ { // fetchKeys appends
		o := d.out[i]
		if !o.sentAt.IsZero() {
			if d.cfg.ResendAfter == 0 {
				continue
			}
			if due := o.sentAt.Add(d.cfg.ResendAfter); due.After(now) {
				d.resendAt = earliest(d.resendAt, due)
				continue
			}
		}
		if o.kind == outMessage && !d.ready(now, o, i) || o.kind == outGroup && !d.groupReady(o, i) {
			continue
		}
		o.sentAt = now
		d.output.Sends = append(d.output.Sends, Send{Conn: d.conn, Frame: o.frame})
		if d.cfg.ResendAfter > 0 {
			d.resendAt = earliest(d.resendAt, now.Add(d.cfg.ResendAfter))
		}
	}
}

// ready seals a message if the window and the session allow, and reports whether
// it can be sent. Without a session it asks for the peer's keys.
func (d *Device) ready(now time.Time, o *outgoing, i int) bool {
	if d.windowFull(d.out[:i], o) {
		return false
	}
	if o.frame != nil {
		return true
	}
	if o.peer.rekey || !d.cfg.Client.Established(o.peer.name) {
		if !o.peer.fetching {
			o.peer.fetching = true
			d.ask(stanza.Get, &stanza.KeyFetch{Users: []ident.Address{o.peer.addr}}, o.peer)
		}
		return false
	}
	m := &stanza.Message{ID: o.id, To: o.peer.addr, Type: messageType(o.media)}
	if !o.group.IsZero() {
		d.addressResent(o, m)
	}
	sealed, err := d.cfg.Client.Seal(o.peer.name, o.content)
	if err != nil {
		panic("dma: client does not seal in an established session: " + err.Error())
	}
	m.Enc = []stanza.Enc{{Type: sealed.Type, Version: sealed.Version, MediaType: mediaType(o.media), Count: o.attempt, Payload: sealed.Payload}}
	o.frame = encode(m)
	d.saveOut(o)
	d.tell(Event{
		Kind: MessageSealed, ID: o.id, Peer: o.peer.addr, Group: o.group,
		Size: len(o.frame), Plain: len(o.content), Padding: int(o.content[len(o.content)-1]), Sealed: len(sealed.Payload),
	})
	return true
}

func (d *Device) windowFull(before []*outgoing, m *outgoing) bool {
	if d.cfg.Window == 0 {
		return false
	}
	n := 0
	for _, o := range before {
		if o.kind == m.kind && o.peer == m.peer && o.group == m.group {
			n++
		}
	}
	return n >= d.cfg.Window
}

// messageType is the type attribute of a message stanza, which the gatekeeper
// sees.
func messageType(k ContentKind) stanza.MessageType {
	switch {
	case k.Media():
		return stanza.MediaMessage
	case k == Reaction:
		return stanza.ReactionMessage
	}
	return stanza.TextMessage
}

// mediaType is the mediatype attribute of <enc>, which the gatekeeper sees; the
// names are read in public clients.
func mediaType(k ContentKind) string {
	switch k {
	case Image:
		return "image"
	case Voice:
		return "ptt"
	case Video:
		return "video"
	case File:
		return "document"
	}
	return ""
}

// pad pads a plaintext, which is the caller's no more, with 1 to 15 bytes.
func (d *Device) pad(b []byte) []byte {
	var r [1]byte
	if _, err := d.cfg.Rand.Read(r[:]); err != nil {
		panic("dma: source of randomness failed: " + err.Error())
	}
	return signal.AppendPadding(b, 1+int(r[0])%15)
}

// remove takes a stanza out of the outbox.
func (d *Device) remove(o *outgoing) {
	if i := slices.Index(d.out, o); i >= 0 {
		d.out = slices.Delete(d.out, i, i+1)
	}
	d.deleteOut(o)
	d.deleteGot(o)
}

// find returns the stanza in the outbox that the arguments describe, or nil.
func (d *Device) find(kind outKind, id, typ string, to, participant ident.Address) *outgoing {
	for _, o := range d.out {
		if o.kind == kind && o.id == id && o.typ == typ && (kind == outIQ || o.is(to, participant)) {
			return o
		}
	}
	return nil
}

// is reports whether a stanza goes to a user, or to a participant of a group, or to all.
func (o *outgoing) is(to, participant ident.Address) bool {
	if o.group.IsZero() {
		return o.peer == nil || o.peer.addr == to && participant.IsZero()
	}
	if o.peer == nil {
		return o.group == to && participant.IsZero()
	}
	return o.group == to && o.peer.addr == participant
}

// ack ends the repetition of a message or receipt.
func (d *Device) ack(a *stanza.Ack) error {
	switch a.Class {
	case stanza.AckMessage:
		if a.To.Server == ident.Group {
			d.groupAck(a)
			return nil
		}
		o := d.find(outMessage, a.ID, "", a.To, ident.Address{})
		if o == nil || o.sentAt.IsZero() || a.Type != attemptType(o.attempt) {
			return nil // repeated, or sealed anew meanwhile
		}
		if a.Error != 0 {
			d.remove(o)
			d.tell(Event{Kind: MessageRefused, ID: o.id, Peer: o.peer.addr, Reason: a.Error.Sentence()})
			return nil
		}
		d.accepted(o)
		if o.attempt == 0 {
			d.tell(Event{Kind: MessageAccepted, ID: o.id, Peer: o.peer.addr})
		}
	case stanza.AckReceipt:
		if o := d.find(outReceipt, a.ID, a.Type, a.To, a.Participant); o != nil {
			d.remove(o)
		}
	}
	return nil
}

// accepted moves a message that the gatekeeper has to those that wait for a receipt.
func (d *Device) accepted(o *outgoing) {
	d.out = slices.Delete(d.out, slices.Index(d.out, o), 1+slices.Index(d.out, o))
	if d.sent == nil {
		d.sent = make(map[string]*outgoing)
	}
	d.sent[o.id] = o
	o.frame = nil
	d.saveSent(o)
	d.limitSent()
}

// maxSent bounds the acknowledged messages that wait for their delivery receipt,
// which a peer may never send. Beyond it the oldest can't be sealed anew any more.
const maxSent = 4096

func (d *Device) limitSent() {
	if len(d.sent) <= maxSent {
		return
	}
	var oldest *outgoing
	for _, o := range d.sent {
		if oldest == nil || o.seq < oldest.seq {
			oldest = o
		}
	}
	d.forget(oldest)
}

// result ends a query.
func (d *Device) result(now time.Time, q *stanza.IQ) error {
	o := d.find(outIQ, q.ID, "", ident.Address{}, ident.Address{})
	if o == nil {
		return nil // repeated
	}
	if o.wish != "" {
		return d.groupResult(now, o, q)
	}
	switch p, _ := q.Payload.(*stanza.KeyBundles); {
	case q.Namespace == stanza.NamespaceMedia && !o.fetch && o.peer == nil:
		d.mediaAnswer(q)
	case q.Error != nil && o.fetch:
		d.refuseAll(o.peer, q.Error.Code)
	case q.Error != nil && o.peer != nil:
		d.tell(Event{Kind: ConsentRefused, Peer: o.peer.addr, Reason: q.Error.Code.Sentence()})
	case o.fetch && p == nil:
		return fmt.Errorf("dma: iq %s: %w: a result without the keys asked for", q.ID, protocols.ErrMalformed)
	case o.fetch:
		if err := d.bundles(now, o, p); err != nil {
			return err
		}
	}
	if o.fetch {
		o.peer.fetching = false
	}
	d.remove(o)
	return nil
}

// bundles starts the sessions that messages wait for.
func (d *Device) bundles(now time.Time, o *outgoing, p *stanza.KeyBundles) error {
	if len(p.Users) != 1 || p.Users[0].Address != o.peer.addr {
		return fmt.Errorf("dma: iq %s: %w: keys of %d users that were not asked for", o.id, protocols.ErrMalformed, len(p.Users))
	}
	if e := p.Users[0].Error; e != nil {
		d.refuseAll(o.peer, e.Code)
		return nil
	}
	b, err := parseBundle(p.Users[0].Keys)
	var notice protocols.Notice
	if err == nil {
		notice, err = d.cfg.Client.Establish(now, o.peer.name, b)
	}
	if err != nil { // the peer published them: to ask again would not help
		d.refuseAll(o.peer, stanza.NotAcceptable)
		return nil
	}
	o.peer.rekey = false
	d.noticed(o.peer.addr, notice)
	return nil
}

// refuseAll gives up the messages that wait for the keys of p.
func (d *Device) refuseAll(p *peer, code stanza.Code) {
	for _, o := range slices.Clone(d.out) {
		if o.kind == outMessage && o.peer == p && o.frame == nil {
			d.remove(o)
			if !o.group.IsZero() {
				d.lost(o)
			}
			d.tell(Event{Kind: MessageRefused, ID: o.id, Peer: p.addr, Group: o.group, Reason: code.Sentence()})
		}
	}
}

func (d *Device) noticed(addr ident.Address, n protocols.Notice) {
	if n.Has(protocols.IdentityChanged) {
		d.tell(Event{Kind: IdentityChanged, Peer: addr})
	}
}
