package dma

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// frame takes one stanza from the gatekeeper.
func (d *Device) frame(now time.Time, in Frame) error {
	if in.Conn != d.conn || d.conn == 0 {
		return fmt.Errorf("dma: frame on connection %d, want %d", in.Conn, d.conn)
	}
	s, err := parseFrame(in.Data)
	if err != nil {
		return err
	}
	switch s := s.(type) {
	case *stanza.Message:
		if s.From == (ident.Address{}) {
			return noSender("message", s.ID)
		}
		return d.message(now, s)
	case *stanza.Receipt:
		if s.From == (ident.Address{}) {
			return noSender("receipt", s.ID)
		}
		return d.receipt(now, s)
	case *stanza.Ack:
		return d.ack(s)
	case *stanza.IQ:
		return d.result(now, s)
	case *stanza.Notification:
		return d.notification(now, s)
	case *stanza.IB:
		return nil
	}
	return fmt.Errorf("dma: %w: a gatekeeper may not send %T here", protocols.ErrMalformed, s)
}

// noSender refuses what names nobody to answer. It is well-formed: a device's own
// stanzas have only @to, and a message of a room neither.
func noSender(tag, id string) error {
	return fmt.Errorf("dma: %w: %s %q without @from", protocols.ErrMalformed, tag, id)
}

// message decrypts a message, shows it to the user unless it was shown before,
// and acknowledges it either way.
func (d *Device) message(now time.Time, m *stanza.Message) error {
	if m.From.Server == ident.Group {
		return d.groupMessage(now, m)
	}
	if len(m.Enc) != 1 {
		d.giveUp(m, fmt.Errorf("dma: message: %w: %d enc, want 1", protocols.ErrMalformed, len(m.Enc)))
		return nil
	}
	key := newSeenKey(m.From, m.ID, 0)
	if d.seen.has(key) { // the receipt was lost, or is under way
		d.send(&stanza.Receipt{ID: m.ID, To: m.From})
		return nil
	}
	p := d.peer(m.From)
	enc := &m.Enc[0]
	opened, err := d.cfg.Client.Open(p.name, protocols.Sealed{Type: enc.Type, Version: enc.Version, Payload: enc.Payload})
	switch {
	case err == nil:
	case protocols.Retryable(err):
		return d.askAgain(now, m, err)
	default: // opened before, in another attempt; or of no use
		d.giveUp(m, err)
		return nil
	}
	d.noticed(m.From, opened.Notice)
	content, err := openContent(opened.Plaintext, ident.Address{})
	if err != nil { // from a peer that speaks another schema: a retry won't help
		d.giveUp(m, err)
		return nil
	}
	d.seen.add(key)
	d.saveSeen()
	d.queue(&outgoing{kind: outReceipt, id: strings.Clone(m.ID), peer: p, frame: encode(&stanza.Receipt{ID: m.ID, To: m.From})})
	d.tell(Event{Kind: MessageDelivered, ID: m.ID, Peer: m.From, Content: &content, Sent: time.Unix(m.Timestamp, 0), Inbox: d.inboxOf(m.From)})
	return nil
}

// openContent reads a plaintext that came in a group, or in none.
func openContent(plaintext []byte, group ident.Address) (Content, error) {
	b, err := signal.Unpad(plaintext)
	if err != nil {
		return Content{}, err
	}
	c, err := ParseContent(b)
	if err == nil && c.Group != groupText(group) {
		err = fmt.Errorf("dma: message: %w: it was written to %q, and comes in %q", protocols.ErrMalformed, c.Group, groupText(group))
	}
	return c, err
}

// askAgain answers a message that does not decrypt with a retry receipt, at most
// [stanza.MaxRetry] times. From the second time on it carries fresh keys, so that
// the sender can start a new session from them.
//
// Which attempt failed is what the message says of itself. A count of the device's
// own would be lost in a crash, and the sender ignores a number that it has served
// before; and it would be state that a stranger makes grow.
func (d *Device) askAgain(now time.Time, m *stanza.Message, cause error) error {
	n := m.Enc[0].Count + 1
	if n > stanza.MaxRetry {
		d.giveUp(m, cause)
		return nil
	}
	km, err := d.cfg.Client.Publish(now, min(n-1, 1))
	if err != nil {
		panic("dma: client does not publish: " + err.Error())
	}
	r := &stanza.Receipt{
		ID: m.ID, To: m.From, Participant: m.Participant, Type: stanza.RetryAsk,
		Retry: &stanza.Retry{Count: n, ID: m.ID, Timestamp: m.Timestamp, Version: 1},
	}
	keys := stanzaKeys(d.cfg.Keys, km.Static, km.OneTime)
	r.Registration = keys.Registration
	if n > 1 {
		r.Keys = &keys
	}
	group, sender := from(m)
	d.queue(&outgoing{kind: outReceipt, id: strings.Clone(m.ID), typ: string(stanza.RetryAsk), group: group, peer: d.peer(sender), frame: encode(r)})
	d.tell(Event{Kind: Undecryptable, ID: m.ID, Peer: sender, Group: group, Reason: cause.Error()})
	return nil
}

// from returns who wrote a message, and in which group, if in one.
func from(m *stanza.Message) (group, sender ident.Address) {
	if m.From.Server == ident.Group {
		return own(m.From), own(m.Participant)
	}
	return ident.Address{}, m.From
}

// giveUp takes a message that can't be shown out of the mailbox.
func (d *Device) giveUp(m *stanza.Message, cause error) {
	d.send(&stanza.Ack{Class: stanza.AckMessage, ID: m.ID, To: m.From, Participant: m.Participant, Error: stanza.NotAcceptable})
	if !errors.Is(cause, protocols.ErrReplayed) {
		group, sender := from(m)
		d.tell(Event{Kind: GivenUp, ID: m.ID, Peer: sender, Group: group, Reason: cause.Error()})
	}
}

// receipt takes a peer's receipt and acknowledges it.
func (d *Device) receipt(now time.Time, r *stanza.Receipt) error {
	d.send(&stanza.Ack{Class: stanza.AckReceipt, ID: r.ID, To: r.From, Participant: r.Participant, Type: string(r.Type)})
	if r.From.Server == ident.Group {
		d.groupReceipt(r)
		return nil
	}
	switch r.Type {
	case stanza.Delivered, stanza.Sender:
		for _, id := range append([]string{r.ID}, r.IDs...) {
			if o := d.unsettled(id, r.From); o != nil {
				d.forget(o)
				d.tell(Event{Kind: DeliveryReceipt, ID: id, Peer: r.From})
			}
		}
	case stanza.Read:
		for _, id := range append([]string{r.ID}, r.IDs...) {
			d.tell(Event{Kind: ReadReceipt, ID: id, Peer: r.From})
		}
	case stanza.RetryAsk:
		o := d.unsettled(r.ID, r.From)
		if o == nil || r.Retry.Count <= o.attempt {
			return nil // delivered since, or this retry was served
		}
		d.again(o, r.Retry.Count)
		d.tell(Event{Kind: RetryAsked, ID: r.ID, Peer: r.From})
	}
	return nil
}

// notification takes a notice from the gatekeeper and acknowledges the durable
// ones.
func (d *Device) notification(now time.Time, n *stanza.Notification) error {
	switch e := n.Event.(type) {
	case stanza.Typing:
		if !e.Paused {
			d.tell(Event{Kind: TypingStarted, Peer: n.From})
		}
		return nil
	case stanza.KeysLow:
		if !d.refilling() {
			d.publish(now, d.cfg.Batch)
		}
		return nil
	case stanza.RevokedAgreement:
		d.tell(Event{Kind: AgreementRevoked})
		return nil // the connection ends with it
	case stanza.PingReceived:
		d.tell(Event{Kind: PingReceived, Peer: n.From})
	case stanza.ConsentChanged:
		kind := ConsentRefused
		if e.Given {
			kind = ConsentGiven
		}
		d.tell(Event{Kind: kind, Peer: n.From})
	case *stanza.GroupChange:
		d.groupChanged(n, e)
	case stanza.IdentityChange:
		d.tell(Event{Kind: IdentityChanged, Peer: n.From})
	}
	d.send(&stanza.Ack{Class: stanza.AckNotification, ID: n.ID, To: n.From})
	return nil
}

// unsettled returns the own message to addr that has no delivery receipt yet, or
// nil.
func (d *Device) unsettled(id string, addr ident.Address) *outgoing {
	if o := d.sent[id]; o != nil && o.kind == outMessage && o.peer.addr == addr {
		return o
	}
	return d.find(outMessage, id, "", addr, ident.Address{})
}

// forget drops a message that its recipient has.
func (d *Device) forget(o *outgoing) {
	delete(d.sent, o.id)
	d.remove(o)
}

// again puts a message back into the outbox, at its place, to be sealed in a new
// session.
func (d *Device) again(o *outgoing, attempt int) {
	o.attempt, o.frame, o.sentAt = attempt, nil, time.Time{}
	o.peer.rekey = true
	if d.sent[o.id] == o {
		delete(d.sent, o.id)
		i, _ := slices.BinarySearchFunc(d.out, o.seq, func(x *outgoing, seq uint64) int { return cmp.Compare(x.seq, seq) })
		d.out = slices.Insert(d.out, i, o)
	}
	d.saveOut(o)
}
