package dma

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

var errStranger = errors.New("the sender is in no group that the device knows of")

// groupMessage takes a message of a group, as message does one of a user's.
func (d *Device) groupMessage(now time.Time, m *stanza.Message) error {
	if m.Participant.User == "" || m.Participant.Server == ident.Group {
		return fmt.Errorf("dma: message %q of group %v: %w: participant %v, want a user", m.ID, m.From, protocols.ErrMalformed, m.Participant)
	}
	if d.hosted == nil || len(m.Enc) != 1 {
		d.giveUp(m, fmt.Errorf("dma: message: %w: %d enc, want 1, in a protocol with groups", protocols.ErrMalformed, len(m.Enc)))
		return nil
	}
	key := newSeenKey(m.Participant, m.From.String()+"/"+m.ID, 0)
	if d.seen.has(key) {
		d.send(&stanza.Receipt{ID: m.ID, To: m.From, Participant: m.Participant})
		return nil
	}
	gr := d.groups[m.From]
	if gr == nil || !gr.has(m.Participant) || m.Participant == d.cfg.Address {
		if d.hold(m) {
			return nil
		}
		return d.askAgain(now, m, fmt.Errorf("dma: message: %w: %w", protocols.ErrNoSession, errStranger))
	}
	p := d.peer(m.Participant)
	plaintext, err := d.openInGroup(now, gr, p, m)
	switch {
	case err == nil:
	case protocols.Retryable(err):
		return d.askAgain(now, m, err)
	default:
		d.giveUp(m, err)
		return nil
	}
	content, err := openContent(plaintext, gr.Address)
	if err != nil { // a retry won't help
		d.giveUp(m, err)
		return nil
	}
	d.seen.add(key)
	d.saveSeen()
	d.queue(&outgoing{
		kind: outReceipt, id: strings.Clone(m.ID), group: gr.Address, peer: p,
		frame: encode(&stanza.Receipt{ID: m.ID, To: m.From, Participant: m.Participant}),
	})
	d.tell(Event{Kind: MessageDelivered, ID: strings.Clone(m.ID), Group: gr.Address, Peer: p.addr, Content: &content, Sent: time.Unix(m.Timestamp, 0), Inbox: d.inboxOf(p.addr)})
	return nil
}

// maxHeld bounds the messages that a device holds.
const maxHeld = 256

// hold keeps a message of somebody unknown until the gatekeeper has said who is in the
// group, for who was just added gets messages before that answer. It reports whether it
// did. A crash forgets the message, and the next connection brings it again.
func (d *Device) hold(m *stanza.Message) bool {
	if d.answered || len(d.held) >= maxHeld {
		return false
	}
	d.askRoster(m.From)
	frame := encode(m) // which shares no bytes with the one that came
	if !slices.ContainsFunc(d.held, func(h heldMessage) bool { return h.group == m.From && bytes.Equal(h.frame, frame) }) {
		d.held = append(d.held, heldMessage{own(m.From), frame})
	}
	return true
}

// heldMessage is a message that waits for the members of its group to be known.
type heldMessage struct {
	group ident.Address
	frame []byte
}

// takeHeld takes the messages of a group that were held, now that the gatekeeper has
// answered. Whose sender is still unknown is asked for again.
func (d *Device) takeHeld(now time.Time, group ident.Address) {
	var ready []heldMessage
	d.held = slices.DeleteFunc(d.held, func(h heldMessage) bool {
		if h.group != group {
			return false
		}
		ready = append(ready, h)
		return true
	})
	d.answered = true
	defer func() { d.answered = false }()
	for _, h := range ready {
		s, err := parseFrame(h.frame)
		if err == nil {
			err = d.groupMessage(now, s.(*stanza.Message))
		}
		if err != nil {
			panic("dma: a message that was held is refused: " + err.Error())
		}
	}
}

// openInGroup decrypts a message: under the sender's key, which may come with it, or, if
// it was asked for again, in the pairwise session.
func (d *Device) openInGroup(now time.Time, gr *memberGroup, p *peer, m *stanza.Message) ([]byte, error) {
	var setUp error
	for i := range m.Participants {
		if to := &m.Participants[i]; to.Address == d.cfg.Address {
			var o protocols.Opened
			if o, setUp = d.hosted.OpenGroup(now, gr.id, p.name, sealedOf(&to.Enc)); setUp == nil {
				d.noticed(p.addr, o.Notice)
			}
		}
	}
	var o protocols.Opened
	var err error
	enc := &m.Enc[0]
	if enc.Count > 0 {
		o, err = d.cfg.Client.Open(p.name, sealedOf(enc))
	} else {
		o, err = d.hosted.OpenGroup(now, gr.id, p.name, sealedOf(enc))
	}
	if err != nil {
		return nil, errors.Join(err, setUp)
	}
	d.noticed(p.addr, o.Notice)
	return o.Plaintext, nil // nil if there was no message in it, which is no content
}

func sealedOf(e *stanza.Enc) protocols.Sealed {
	return protocols.Sealed{Type: e.Type, Version: e.Version, Payload: e.Payload}
}
