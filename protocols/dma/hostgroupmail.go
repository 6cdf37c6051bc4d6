package dma

import (
	"fmt"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// groupMessage passes a message on to the members of a group, or one that was asked for
// again to one of them, and acknowledges it.
func (g *Gatekeeper) groupMessage(now time.Time, from *account, m *stanza.Message) error {
	retry := !m.Participant.IsZero()
	if retry != (m.Enc[0].Count > 0) {
		return fmt.Errorf("dma: message %s: %w: attempt %d for participant %v, want an attempt after the first for one", m.ID, protocols.ErrMalformed, m.Enc[0].Count, m.Participant)
	}
	id := m.To.String() + "/" + m.ID
	if retry {
		id = m.Participant.String() + "/" + id
	}
	ack := &stanza.Ack{Class: stanza.AckMessage, ID: m.ID, To: m.To, Participant: m.Participant, Type: attemptType(m.Enc[0].Count)}
	key := newSeenKey(from.addr, id, m.Enc[0].Count)
	if from.seen.has(key) {
		g.sendTo(from, ack, false)
		return nil
	}
	gr := from.groups[m.To]
	if gr == nil {
		ack.Error = stanza.Forbidden
	} else if retry {
		ack.Error = g.resendInGroup(now, gr, from, m)
	} else if ack.Error = gr.takes(from, m); ack.Error == stanza.Conflict {
		ack.PHash, ack.Version = gr.phash(), gr.version
	} else if ack.Error == 0 {
		ack.Error = g.fanOut(now, gr, from, m)
	}
	if ack.Error == 0 {
		from.seen.add(key)
		g.saveSeen(from)
	}
	g.sendTo(from, ack, false)
	return nil
}

// takes says whether a message was made for the members that the group has now. One for
// others is refused: who was removed since holds the key that it was sealed with. So is
// one that says it was made for another version, in which the same were members.
func (gr *group) takes(from *account, m *stanza.Message) stanza.Code {
	if m.PHash != gr.phash() || m.Version != 0 && m.Version != gr.version {
		return stanza.Conflict
	}
	if len(m.Participants) >= len(gr.members) {
		return stanza.NotAcceptable
	}
	seen := make(map[ident.Address]bool, len(m.Participants))
	for i := range m.Participants {
		a := m.Participants[i].Address
		if gr.members[a] == nil || a == from.addr || seen[a] {
			return stanza.NotAcceptable
		}
		seen[a] = true
	}
	return 0
}

// fanOut puts a message into the mailboxes of all members that it may pass to: what all
// of them read, and what is for each alone.
func (g *Gatekeeper) fanOut(now time.Time, gr *group, from *account, m *stanza.Message) stanza.Code {
	alone := make(map[ident.Address]*stanza.To, len(m.Participants))
	for i := range m.Participants {
		alone[m.Participants[i].Address] = &m.Participants[i]
	}
	out := *m
	out.From, out.To, out.Participant, out.Timestamp = gr.addr, ident.Address{}, from.addr, now.Unix()
	out.Offline, out.PHash, out.Version, out.Participants = 0, "", 0, nil
	all := forward(&out) // for those who get nothing of their own
	if all == nil {
		return stanza.ResourceLimit
	}
	frames := make(map[ident.Address][]byte, len(alone))
	for a, to := range alone {
		out.Participants = []stanza.To{*to}
		if frames[a] = forward(&out); frames[a] == nil {
			return stanza.ResourceLimit
		}
	}
	for _, to := range gr.list() {
		if to.account == from || g.mayMeet(from, to.account) != 0 {
			continue
		}
		frame := all
		if f := frames[to.account.addr]; f != nil {
			frame = f
		}
		g.post(now, gr, from, to.account, m.ID, "", frame)
	}
	return 0
}

// resendInGroup passes a message that a member asked for again on to that one.
func (g *Gatekeeper) resendInGroup(now time.Time, gr *group, from *account, m *stanza.Message) stanza.Code {
	to := gr.members[m.Participant]
	switch {
	case to == nil || to.account == from:
		return stanza.ItemNotFound
	case len(m.Participants) > 1, len(m.Participants) == 1 && m.Participants[0].Address != m.Participant:
		return stanza.NotAcceptable
	}
	if why := g.mayMeet(from, to.account); why != 0 {
		return why
	}
	out := *m
	out.From, out.To, out.Participant, out.Timestamp = gr.addr, ident.Address{}, from.addr, now.Unix()
	out.Offline, out.PHash, out.Version = 0, "", 0
	frame := forward(&out)
	if frame == nil {
		return stanza.ResourceLimit
	}
	g.post(now, gr, from, to.account, m.ID, attemptType(m.Enc[0].Count), frame)
	return 0
}

// post puts a message of a group into the mailbox of a member, if there is room.
func (g *Gatekeeper) post(now time.Time, gr *group, from, to *account, id, attempt string, frame []byte) {
	e := &entry{kind: messageEntry, from: from.addr, group: gr.addr, id: strings.Clone(id), typ: attempt, frame: frame}
	if to.waiting(messageEntry, from.addr) >= g.cfg.PerSender || !g.hasRoom(to, frame) {
		e.owner = to
		g.event(Dropped, e, "too many messages wait")
		return
	}
	g.accept(now, to, e)
	g.event(Routed, e, "")
	if to.conn == 0 && to.partner() {
		g.out.Pushes = append(g.out.Pushes, Push{Integrator: to.addr.Integrator, To: to.visible})
	}
	g.deliver(now, to)
}

// groupReceipt settles a message of a group and passes the receipt on to its sender.
func (g *Gatekeeper) groupReceipt(now time.Time, from *account, r *stanza.Receipt) error {
	group, sender := r.To, r.Participant
	ack := &stanza.Ack{Class: stanza.AckReceipt, ID: r.ID, To: group, Participant: sender, Type: string(r.Type)}
	if len(r.ID) > MaxID || sender.IsZero() {
		return fmt.Errorf("dma: receipt: %w: id of %d bytes, want 1 to %d, of a message of a participant", protocols.ErrMalformed, len(r.ID), MaxID)
	}
	gr, to := from.groups[group], g.accounts[sender]
	pass := gr != nil && to != nil && gr.members[sender] != nil && to != from && g.mayMeet(from, to) == 0
	var frame []byte
	if pass {
		out := *r
		out.From, out.To, out.Participant, out.Timestamp, out.Offline = gr.addr, to.addr, from.addr, now.Unix(), 0
		if frame = forward(&out); frame == nil {
			return fmt.Errorf("dma: receipt: %w: more than %d bytes", protocols.ErrMalformed, maxStanza)
		}
	}
	switch r.Type {
	case stanza.Delivered, stanza.RetryAsk:
		e := from.find(messageEntry, group, sender, r.ID, "")
		settles := e != nil && (r.Type == stanza.Delivered || e.typ == attemptType(r.Retry.Count-1))
		switch {
		case settles && r.Type == stanza.RetryAsk && !pass: // nobody can seal it anew
			g.event(Dropped, e, GivenUpReason)
			g.remove(e)
		case settles:
			g.event(Settled, e, string(r.Type))
			g.remove(e)
		}
		pass = pass && settles
	default:
		pass = pass && to.find(receiptEntry, group, from.addr, r.ID, string(r.Type)) == nil &&
			to.waiting(receiptEntry, from.addr) < g.cfg.PerSender && g.hasRoom(to, frame)
	}
	if pass {
		g.accept(now, to, &entry{kind: receiptEntry, from: from.addr, group: gr.addr, id: strings.Clone(r.ID), typ: string(r.Type), frame: frame})
		g.deliver(now, to)
	}
	g.sendTo(from, ack, false)
	g.deliver(now, from) // the window may have opened
	return nil
}

// groupHeld reports whether what happened before in a group holds an entry back, where
// frames may come out of order: who reads a message must know of the members before it,
// and of those after it not yet.
func (g *Gatekeeper) groupHeld(before []*entry, e *entry) bool {
	if g.cfg.Window == 0 || e.group.IsZero() || e.kind == receiptEntry {
		return false
	}
	for _, b := range before {
		if b.group == e.group && (b.kind == notificationEntry || b.kind == messageEntry && e.kind == notificationEntry) {
			return true
		}
	}
	return false
}
