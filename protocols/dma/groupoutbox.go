package dma

import (
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// groupState is what an outgoing stanza has that is about groups.
type groupState struct {
	wish  wish    // outIQ: what it asks for; "" if it is about no group
	ref   string  // outIQ: the ID of the user's wish
	users []*peer // outIQ: whose keys it asks for

	phash      string                 // outGroup, sealed: of the members that it is sealed for
	version    uint64                 // outGroup, sealed: of the group that it is sealed for
	waiting    map[ident.Address]bool // outGroup, sealed: of whom there is no receipt
	told       []ident.Address        // outGroup: of whom there was one, or who has gone since
	mismatches int                    // outGroup: how often the gatekeeper knew other members
	served     map[ident.Address]int  // outGroup: the retries that members asked for
}

// maxMismatches is how often a message is sealed anew since the gatekeeper knows other
// members. Members may change while it is under way, but not without end.
const maxMismatches = 8

// composeGroup queues a message to a group.
func (d *Device) composeGroup(in Compose) error {
	gr := d.groups[in.To]
	if gr == nil {
		return fmt.Errorf("dma: compose: %w: %v", errNotIn, in.To)
	}
	in.Content.Group = gr.Address.String()
	return d.composeTo(in, &outgoing{kind: outGroup, group: gr.Address})
}

// groupReady seals a message to a group if the window, the knowledge of its members and
// their keys allow, and reports whether it can be sent.
//
// What was sealed once stays as it is until the gatekeeper has answered, also if the
// members change meanwhile: it may have been accepted, and what would be sealed in its
// place, with the keys that go with it, would be taken for a repetition.
func (d *Device) groupReady(o *outgoing, i int) bool {
	if d.windowFull(d.out[:i], o) {
		return false
	}
	if o.frame != nil {
		return true
	}
	gr := d.groups[o.group]
	if gr == nil || d.asksRoster(o.group) {
		return false
	}
	envelopes, err := d.hosted.SealGroup(gr.id, o.content)
	var missing *protocols.MissingSessionsError
	switch {
	case errors.As(err, &missing):
		d.fetchKeys(gr, missing.Peers)
		return false
	case err != nil:
		panic("dma: client does not seal to a group: " + err.Error())
	}
	m := &stanza.Message{ID: o.id, To: gr.Address, Type: messageType(o.media), PHash: gr.hash, Version: gr.Version}
	last := len(envelopes) - 1
	for _, e := range envelopes[:last] {
		for _, to := range e.To {
			m.Participants = append(m.Participants, stanza.To{Address: addressOf(to), Enc: encOf(e.Sealed)})
		}
	}
	enc := encOf(envelopes[last].Sealed)
	enc.MediaType = mediaType(o.media)
	m.Enc = []stanza.Enc{enc}
	o.frame, o.phash, o.version = encode(m), gr.hash, gr.Version
	o.waiting = make(map[ident.Address]bool, len(gr.Members))
	for _, a := range gr.addresses() {
		if a != d.cfg.Address {
			o.waiting[a] = true
		}
	}
	d.saveOut(o)
	d.tell(Event{
		Kind: MessageSealed, ID: o.id, Group: gr.Address,
		Size: len(o.frame), Plain: len(o.content), Padding: int(o.content[len(o.content)-1]), Sealed: len(enc.Payload),
	})
	return true
}

func encOf(s protocols.Sealed) stanza.Enc {
	return stanza.Enc{Type: s.Type, Version: s.Version, Payload: s.Payload}
}

// addressOf is whom the end-to-end client means: it knows only names that a device gave it.
func addressOf(name protocols.Address) ident.Address {
	a, err := ident.ParseAddress(string(name))
	if err != nil {
		panic("dma: client names somebody else: " + err.Error())
	}
	return a
}

// fetchKeys asks for the keys of members.
func (d *Device) fetchKeys(gr *memberGroup, names []protocols.Address) {
	var users []ident.Address
	for _, name := range names {
		if p := d.peer(addressOf(name)); !p.fetching {
			p.fetching = true
			users = append(users, p.addr)
		}
	}
	for len(users) > 0 {
		n := min(len(users), maxFetch)
		d.askGroup(wishKeys, gr.Address, stanza.Get, &stanza.KeyFetch{Users: users[:n]})
		users = users[n:]
	}
}

// groupKeys starts sessions with the members whose keys came. The others are excluded.
func (d *Device) groupKeys(now time.Time, o *outgoing, q *stanza.IQ) error {
	keys := make(map[ident.Address]*stanza.UserKeys)
	if q.Error == nil {
		p, _ := q.Payload.(*stanza.KeyBundles)
		if p == nil || len(p.Users) > len(o.users) {
			return fmt.Errorf("dma: iq %s: %w: a result without the keys asked for", q.ID, protocols.ErrMalformed)
		}
		for i := range p.Users {
			keys[p.Users[i].Address] = &p.Users[i]
		}
	}
	gr := d.groups[o.group]
	lacks := false
	for _, p := range o.users {
		p.fetching = false
		if u := keys[p.addr]; u != nil && u.Error == nil {
			if b, err := parseBundle(u.Keys); err == nil {
				if notice, err := d.cfg.Client.Establish(now, p.name, b); err == nil {
					p.rekey = false
					d.noticed(p.addr, notice)
					continue
				}
			}
		}
		if gr != nil && gr.has(p.addr) {
			if gr.excluded == nil {
				gr.excluded = make(map[ident.Address]bool)
			}
			gr.excluded[p.addr] = true
			lacks = true
		}
	}
	if lacks {
		d.tellClient(gr)
		d.askRoster(gr.Address) // they may have left
	}
	return nil
}

// groupAck ends the repetition of a message of a group.
func (d *Device) groupAck(a *stanza.Ack) {
	if !a.Participant.IsZero() {
		o := d.find(outMessage, a.ID, "", a.To, a.Participant)
		if o == nil || o.sentAt.IsZero() || a.Type != attemptType(o.attempt) {
			return
		}
		d.remove(o)
		if a.Error != 0 {
			d.lost(o)
		}
		return
	}
	o := d.find(outGroup, a.ID, "", a.To, ident.Address{})
	switch {
	case o == nil || o.sentAt.IsZero() || a.Type != "":
	case a.Error == 0:
		d.groupAccepted(o)
	case a.Error == stanza.Conflict && a.PHash == o.phash && (a.Version == 0 || a.Version == o.version): // of what was sealed before
	case a.Error == stanza.Conflict && a.PHash != "" && o.mismatches < maxMismatches && d.groups[o.group] != nil:
		d.unseal(o)
		o.mismatches++
		if gr := d.groups[o.group]; gr.hash != a.PHash || gr.Version < a.Version {
			d.askRoster(gr.Address)
		}
	default:
		d.redistribute(o)
		d.remove(o)
		if gr := d.groups[o.group]; gr != nil && a.Error == stanza.Forbidden {
			d.askRoster(gr.Address) // the user is out, and does not know
		}
		d.tell(Event{Kind: MessageRefused, ID: o.id, Group: o.group, Reason: a.Error.Sentence()})
	}
}

// groupAccepted notes that the gatekeeper has a message.
func (d *Device) groupAccepted(o *outgoing) {
	d.tell(Event{Kind: MessageAccepted, ID: o.id, Group: o.group})
	if len(o.waiting) == 0 {
		d.remove(o)
		return
	}
	d.accepted(o)
	d.release(o)
}

// unseal has a message that the gatekeeper refused be sealed anew.
func (d *Device) unseal(o *outgoing) {
	d.redistribute(o)
	d.deleteGot(o)
	o.frame, o.sentAt, o.phash, o.version, o.waiting = nil, time.Time{}, "", 0, nil
	d.saveOut(o)
}

// redistribute has the keys that went with a refused message go with the next one.
func (d *Device) redistribute(o *outgoing) {
	gr := d.groups[o.group]
	s, err := parseFrame(o.frame)
	m, _ := s.(*stanza.Message)
	if gr == nil || err != nil || m == nil || len(m.Participants) == 0 {
		return
	}
	peers := make([]protocols.Address, len(m.Participants))
	for i := range m.Participants {
		peers[i] = protocols.Address(m.Participants[i].Address.String())
	}
	if err := d.hosted.Redistribute(gr.id, peers); err != nil {
		panic("dma: client does not distribute again: " + err.Error())
	}
}

// groupReceipt takes a member's receipt.
func (d *Device) groupReceipt(r *stanza.Receipt) {
	group, who := own(r.From), own(r.Participant)
	switch r.Type {
	case stanza.Delivered, stanza.Sender:
		for _, id := range append([]string{r.ID}, r.IDs...) {
			if o := d.groupUnsettled(id, group, who); o != nil {
				d.got(o, who)
				d.tell(Event{Kind: DeliveryReceipt, ID: o.id, Group: o.group, Peer: who})
			}
		}
	case stanza.Read:
		for _, id := range append([]string{r.ID}, r.IDs...) {
			d.tell(Event{Kind: ReadReceipt, ID: id, Group: group, Peer: who})
		}
	case stanza.RetryAsk:
		if o := d.groupUnsettled(r.ID, group, who); o != nil {
			d.resend(o, who, r.Retry.Count)
		}
	}
}

// groupUnsettled returns the own message to a group for which a member has given no
// receipt yet, or nil. The gatekeeper may not have acknowledged it yet.
func (d *Device) groupUnsettled(id string, group, who ident.Address) *outgoing {
	o := d.sent[id]
	if o == nil {
		o = d.find(outGroup, id, "", group, ident.Address{})
	}
	if o == nil || o.group != group || !o.waiting[who] {
		return nil
	}
	return o
}

// resend seals a message for one member who asks for it, in a new session, as far as that
// one was a member when it was sealed and still is.
func (d *Device) resend(o *outgoing, who ident.Address, count int) {
	gr := d.groups[o.group]
	if gr == nil || !gr.has(who) || count <= o.served[who] {
		return
	}
	if o.served == nil {
		o.served = make(map[ident.Address]int)
	}
	o.served[who] = count
	p := d.peer(who)
	p.rekey = true
	if again := d.find(outMessage, o.id, "", o.group, who); again != nil {
		again.attempt, again.frame, again.sentAt = count, nil, time.Time{}
		d.saveOut(again)
	} else {
		d.queue(&outgoing{kind: outMessage, group: o.group, peer: p, id: o.id, media: o.media, content: o.content, attempt: count})
	}
	d.tell(Event{Kind: RetryAsked, ID: o.id, Group: o.group, Peer: who})
}

// addressResent has a message for one member go there, with the key for what follows.
func (d *Device) addressResent(o *outgoing, m *stanza.Message) {
	m.To, m.Participant = o.group, o.peer.addr
	gr := d.groups[o.group]
	if gr == nil || !gr.has(o.peer.addr) {
		return
	}
	if gr.excluded[o.peer.addr] { // there is a session with it now
		delete(gr.excluded, o.peer.addr)
		d.tellClient(gr)
	}
	e, err := d.hosted.Distribute(gr.id, o.peer.name)
	if err != nil {
		panic("dma: client does not distribute in an established session: " + err.Error())
	}
	m.Participants = []stanza.To{{Address: o.peer.addr, Enc: encOf(e.Sealed)}}
}

// lost notes that a message for one member can't be passed to them.
func (d *Device) lost(o *outgoing) {
	if sent := d.sent[o.id]; sent != nil && sent.group == o.group {
		d.got(sent, o.peer.addr)
	}
}

// got notes that nothing more is due to a member for a message.
func (d *Device) got(o *outgoing, who ident.Address) {
	if !o.waiting[who] {
		return
	}
	delete(o.waiting, who)
	o.told = append(o.told, who)
	if len(o.waiting) == 0 && d.sent[o.id] == o {
		d.forget(o)
		return
	}
	d.saveGot(o, who)
}
