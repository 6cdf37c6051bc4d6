package member

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// delivered takes an event. Whatever comes is acknowledged: an event that is not
// valid is told of once, and no more of it would come by asking again. What removes this
// client is not: that it leaves says so, and if that gets lost, the event comes again.
func (m *Member) delivered(now time.Time, in Delivered) error {
	if in.Seq == 0 {
		return fmt.Errorf("member: delivery without a number")
	}
	if in.Room.IsZero() {
		return m.boxed(now, in)
	}
	r := m.rooms[in.Room]
	if r == nil {
		// The provider has not heard that this client is out. If it is in again by a Welcome
		// that has not come yet, it stays: that is of after this event.
		m.leaveRoom(in.Room, in.Seq)
		return nil
	}
	if len(r.held) >= maxHeld || r.heldSize >= maxHeldSize {
		return nil // until it is known what becomes of what is at the hub
	}
	if in.Seq > r.Seq {
		// A provider that has let this client out, since the hub refused its Commit, and
		// in again with the next, goes on elsewhere.
		if r.Seq != 0 && in.Seq > r.Seq+1 && r.Status != joining && !r.Jumps {
			m.event(Gap{Room: r.uri, From: r.Seq + 1, To: in.Seq - 1})
		}
		r.Seq, r.Jumps = in.Seq, false
		m.putRoom(r)
		m.take(now, r, held{in.Seq, in.Body})
	}
	if m.rooms[in.Room] != nil {
		m.out.Acks = append(m.out.Acks, follower.Ack{Client: m.cfg.Client, Room: in.Room, Seq: in.Seq})
	}
	return nil
}

// maxHeld and maxHeldSize, in bytes, bound the events of a room that wait.
const (
	maxHeld     = 4096
	maxHeldSize = 64 << 20
)

// take takes an event of a room, or holds it until it is known what becomes of what is
// at the hub.
func (m *Member) take(now time.Time, r *chatRoom, h held) {
	f, err := m.parse(h.body)
	if err != nil {
		m.event(Refused{Room: r.uri, What: "event", Why: err})
		return
	}
	if m.echo(now, r, f) {
		return
	}
	if len(r.held) > 0 || m.waits(r, f) {
		r.hold(held{h.seq, bytes.Clone(h.body)})
		m.put(heldKey(r.uri, h.seq), h.body)
		m.settle(now, r)
		return
	}
	m.process(now, r, f)
}

// hold keeps an event that waits.
func (r *chatRoom) hold(h held) {
	r.held = append(r.held, h)
	r.heldSize += len(h.body)
}

// parse reads one FanoutMessage.
func (m *Member) parse(body []byte) (*mimi.FanoutMessage, error) {
	list, err := mimi.ParseFanoutMessages(body, m.cfg.Points)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("member: %d events in a delivery, want 1", len(list))
	}
	return &list[0], list[0].Check()
}

// epochOf returns the epoch that an event is of.
func epochOf(f *mimi.FanoutMessage) uint64 {
	if f.Message.Private != nil {
		return f.Message.Private.Epoch
	}
	if f.Message.Public != nil {
		return f.Message.Public.Content.Epoch
	}
	return 0
}

// waits reports whether an event can only be judged when it is known whether the hub
// has accepted what is ours: while creating or joining all of them, and later those of the epoch
// that our Commit would begin.
func (m *Member) waits(r *chatRoom, f *mimi.FanoutMessage) bool {
	if r.Status == joining || r.Status == creating {
		return true
	}
	return r.own != nil && r.own.Kind == ownCommit && epochOf(f) > r.group.Epoch()
}

// echo takes what is ours as it comes back: the hub has accepted it. It reports
// whether the event was no more than that.
func (m *Member) echo(now time.Time, r *chatRoom, f *mimi.FanoutMessage) bool {
	if r.own == nil {
		return false
	}
	b, err := wire.Marshal(&f.Message)
	if err != nil || !r.own.is(b) {
		return false
	}
	whole := r.own.Kind != ownJoin
	m.accepted(now, r, f.Timestamp, f.Frank)
	return whole // a Join's may have proposals stapled to it
}

// settle looks whether the events that wait tell what became of our Commit, if the hub
// does not: one of the epoch that it would begin comes from a member who has that
// epoch's secrets, so that they are those of our Commit or not.
func (m *Member) settle(now time.Time, r *chatRoom) {
	for r.own != nil && r.own.Kind == ownCommit && r.own.Stale && len(r.held) > 0 {
		f, err := m.parse(r.held[0].body)
		if err == nil && m.proves(now, r, f) {
			m.accepted(now, r, 0, nil)
			return
		}
		m.dropFirst(r)
		if err == nil {
			m.lost(r, epochOf(f))
		}
	}
}

// settled takes the events that wait for the hub's answer about our Commit, when a Welcome
// says that there are no more of that stay: they tell it themselves. It returns the room,
// or nil if this client was removed from it.
func (m *Member) settled(now time.Time, r *chatRoom) *chatRoom {
	if r.own != nil && r.own.Kind == ownCommit && len(r.held) > 0 {
		r.own.Stale = true
		m.settle(now, r)
	}
	return m.rooms[r.uri]
}

// proves reports whether an event is of the epoch that our Commit begins. It looks at
// a copy of the group.
func (m *Member) proves(now time.Time, r *chatRoom, f *mimi.FanoutMessage) bool {
	records := r.group.State()
	m.putRecords(r, records)
	g, err := mls.Restore(m.groups, records)
	if err != nil {
		return false
	}
	staged, err := g.UnmarshalPending(r.own.Staged)
	if err != nil || staged.Epoch() != epochOf(f) || g.Merge(staged) != nil {
		return false
	}
	_, err = g.ProcessMessage(now, &f.Message)
	return err == nil
}

// release takes the events that waited, in their order.
func (m *Member) release(now time.Time, r *chatRoom) {
	for len(r.held) > 0 && r.Status != joining && m.rooms[r.uri] == r {
		f, err := m.parse(r.held[0].body)
		if err == nil && m.waits(r, f) {
			return
		}
		m.dropFirst(r)
		if err == nil {
			m.process(now, r, f)
		}
	}
}

// goOn goes on with a room after something was decided: with the events that waited
// for it, and then with the intentions.
func (m *Member) goOn(now time.Time, r *chatRoom) {
	m.release(now, r)
	m.pump(now, r)
}

func (m *Member) dropFirst(r *chatRoom) {
	m.put(heldKey(r.uri, r.held[0].seq), nil)
	r.heldSize -= len(r.held[0].body)
	r.held = r.held[1:]
}

func (m *Member) dropHeld(r *chatRoom) {
	for len(r.held) > 0 {
		m.dropFirst(r)
	}
}

// process takes an event of a room that this client is in.
func (m *Member) process(now time.Time, r *chatRoom, f *mimi.FanoutMessage) {
	switch f.Kind() {
	case mimi.FanoutApplication:
		m.application(now, r, f)
	case mimi.FanoutProposal:
		m.proposed(now, r, append([]message.Message{f.Message}, f.MoreProposals...))
	case mimi.FanoutCommit:
		m.committed(now, r, f)
	default:
		m.event(Refused{Room: r.uri, What: "event", Why: fmt.Errorf("member: event of kind %v in a room", f.Kind())})
	}
}

// lost tells of an event of an epoch that this client does not know of: Commits are
// missing, which an ordered hub does not let happen.
func (m *Member) lost(r *chatRoom, epoch uint64) {
	m.event(Gap{Room: r.uri, Epoch: epoch})
	if !r.Lost {
		r.Lost = true
		m.putRoom(r)
	}
}

// current reports whether a handshake message is of the current epoch. One of an
// earlier one has come before; one of a later one is told of.
func (m *Member) current(r *chatRoom, p *message.PublicMessage) bool {
	epoch := r.group.Epoch()
	if bytes.Equal(p.Content.GroupID, r.group.GroupID()) && p.Content.Epoch > epoch {
		m.lost(r, p.Content.Epoch)
	}
	return p.Content.Epoch == epoch
}

// proposed takes proposals, which wait for a Commit.
func (m *Member) proposed(now time.Time, r *chatRoom, list []message.Message) {
	before := len(r.group.Proposals())
	var by ident.URI
	for i := range list {
		p := list[i].Public
		if p == nil || !m.current(r, p) {
			continue
		}
		_, err := r.group.ProcessMessage(now, &list[i])
		if errors.Is(err, mls.ErrOwnMessage) { // known by now, unless this client gave it up
			var own *mls.Received
			if own, err = r.group.CheckProposal(now, p); err == nil {
				err = r.group.Keep(own)
			}
		}
		switch {
		case errors.Is(err, mls.ErrDuplicate):
			continue
		case err != nil:
			m.event(Refused{Room: r.uri, What: "proposal", Why: err})
			continue
		}
		by = m.sender(r, p)
	}
	fresh := r.group.Proposals()[before:]
	if len(fresh) == 0 {
		return
	}
	m.putGroup(r)
	m.event(Proposed{Room: r.uri, By: by, Changes: m.describe(r, fresh)})
	if changes, err := m.translate.Proposals(&r.group.PublicGroup, r.group.Proposals()); err != nil {
		m.event(Refused{Room: r.uri, What: "proposal", Why: err})
	} else if _, err := room.AuthorizeCommit(r.state, nil, changes); err != nil {
		m.event(Refused{Room: r.uri, What: "proposal", Why: err})
	}
	own := removedBy(r.group.Proposals())[uint32(r.group.OwnLeaf())]
	if own && r.Status == inside {
		r.Status = leaving
		m.putRoom(r)
	}
	if !own {
		m.planCommit(now, r)
	}
	if len(r.todo) > 0 && r.own == nil && r.todo[0].Wait != 0 { // what the hub may have waited for
		r.todo[0].Wait = 0
		m.putIntention(r, r.todo[0])
	}
	m.pump(now, r)
}

// sender returns who sent a handshake message: a user or a provider.
func (m *Member) sender(r *chatRoom, p *message.PublicMessage) (by ident.URI) {
	var c message.Credential
	switch s := p.Content.Sender; s.Type {
	case message.SenderMember:
		c, _ = r.group.Tree().Credential(tree.LeafIndex(s.Index))
	case message.SenderExternal:
		if list, err := externalSenders(r.group.Context()); err == nil && int64(s.Index) < int64(len(list)) {
			c = list[s.Index].Credential
		}
	default:
		if p.Content.Proposal != nil {
			if add, ok := p.Content.Proposal.Body.(*message.Add); ok {
				c = add.KeyPackage.LeafNode.Credential
			}
		}
	}
	if name, _, err := m.userOf(&c); err == nil {
		by, _ = ident.ParseURI(name)
	}
	return by
}

// committed takes a Commit of another.
func (m *Member) committed(now time.Time, r *chatRoom, f *mimi.FanoutMessage) {
	p := f.Message.Public
	if m.current(r, p) {
		if !m.follow(now, r, f) {
			return
		}
	}
	if r.group != nil && m.rooms[r.uri] == r && p.Content.Epoch+1 == r.group.Epoch() && len(f.ExternalProposals) > 0 {
		m.proposed(now, r, f.ExternalProposals)
	}
	m.goOn(now, r)
}

// follow makes a Commit of the current epoch the group's state, if all is right with
// it, and reports whether this client is still a member.
func (m *Member) follow(now time.Time, r *chatRoom, f *mimi.FanoutMessage) bool {
	ev, err := r.group.ProcessMessage(now, &f.Message)
	if errors.Is(err, mls.CheckReference) && r.own != nil && r.own.Kind == ownProposals {
		// It may cover proposals of ours whose acceptance has not been told yet.
		m.accepted(now, r, 0, nil)
		ev, err = r.group.ProcessMessage(now, &f.Message)
	}
	staged, ok := ev.(*mls.Staged)
	if err == nil && !ok {
		err = fmt.Errorf("member: %T, want a Commit", ev)
	}
	if err != nil {
		m.lose(r, "commit", err)
		return true
	}
	v, err := m.judge(r, staged)
	if err != nil {
		m.lose(r, "commit", err)
		return true
	}
	if err := r.group.Merge(staged); err != nil {
		m.lose(r, "commit", err)
		return true
	}
	if staged.Removed() {
		m.putGroup(r)
		m.event(*v.changed)
		m.removed(r, v.changed.By)
		return false
	}
	m.newEpoch(r, &v)
	m.event(*v.changed)
	if r.own != nil && r.own.Kind != ownMessage { // another was first
		m.undo(r)
	}
	return true
}

// application takes a message.
func (m *Member) application(now time.Time, r *chatRoom, f *mimi.FanoutMessage) {
	p := f.Message.Private
	if p.Epoch < r.Since {
		return // of before this client joined
	}
	if p.Epoch > r.group.Epoch() {
		m.lost(r, p.Epoch)
		return
	}
	sender, c, err := r.group.Sender(&f.Message)
	if err == nil && sender == message.Member(uint32(r.group.OwnLeaf())) {
		return // of ours, as it comes back after the answer
	}
	var ev mls.Event
	if err == nil {
		ev, err = r.group.ProcessMessage(now, &f.Message)
	}
	switch {
	case errors.Is(err, mls.CheckGeneration) && !errors.Is(err, errTooFar):
		return // it has come before
	case err != nil:
		m.event(Refused{Room: r.uri, What: "message", Why: err})
		return
	}
	a, ok := ev.(*mls.Application)
	if !ok {
		m.event(Refused{Room: r.uri, What: "message", Why: fmt.Errorf("member: %T, want application data", ev)})
		return
	}
	m.putGroup(r)
	out := Message{Room: r.uri, Accepted: millis(f.Timestamp), Late: p.Epoch < r.group.Epoch()}
	if out.SenderClient, out.Sender, err = m.cfg.Users(&c); err != nil {
		m.event(Refused{Room: r.uri, What: "message", Why: err})
		return
	}
	m.open(r, f, a, &out)
	if out.Content != nil && !m.first(r, out.ID) {
		return // a sender that did not get its answer has encrypted it anew
	}
	m.event(out)
}

// maxSeen is how many messages of a room are remembered, so that none is told twice.
const maxSeen = 256

// seen are the last messages of a room: a ring, and which of them there are.
type seen struct {
	ids  map[content.MessageID]bool
	ring []content.MessageID
	turn uint64 // how many there were
}

// first reports whether a message is new, and remembers it.
func (m *Member) first(r *chatRoom, id content.MessageID) bool {
	s := &r.seen
	if s.ids[id] {
		return false
	}
	s.add(id)
	m.put(seenKey(r.uri, (s.turn-1)%maxSeen), binary.BigEndian.AppendUint64(id[:len(id):len(id)], s.turn))
	return true
}

func (s *seen) add(id content.MessageID) {
	if s.ids == nil {
		s.ids = make(map[content.MessageID]bool)
	}
	if slot := s.turn % maxSeen; slot < uint64(len(s.ring)) {
		delete(s.ids, s.ring[slot])
		s.ring[slot] = id
	} else {
		s.ring = append(s.ring, id)
	}
	s.ids[id] = true
	s.turn++
}

// open reads a message's content and verifies its frank (Receiver verification of
// frank).
func (m *Member) open(r *chatRoom, f *mimi.FanoutMessage, a *mls.Application, out *Message) {
	out.Unfranked = ErrNoFrank
	data := a.Content
	if a.MediaType != nil && len(a.MediaType.Type) > 0 && string(a.MediaType.Type) != content.TypeContent {
		out.Why, out.Data = fmt.Errorf("member: message of media type %.80q, want %s", a.MediaType.Type, content.TypeContent), a.Data
		return
	}
	in, err := content.Receive(out.Sender.String(), r.uri.String(), out.Accepted, bytes.Clone(data))
	if err != nil {
		out.Why, out.Data = err, a.Data
		return
	}
	out.ID, out.Content = in.ID, in.Message
	if f.Frank == nil {
		return
	}
	got := mimi.Received{
		Frank: f.Frank, AcceptedTimestamp: f.Timestamp, ApplicationData: a.Data, Content: disclosed(in.Message),
		RoomID: mimi.URI(r.uri), Sender: mimi.URI(out.Sender), Hub: r.uri.Provider(),
	}
	tag, err := mimi.FrankAADOf(a.AAD, m.cfg.Points)
	if err == nil && tag == nil {
		err = fmt.Errorf("member: a frank for a message without a franking_tag")
	}
	if err == nil {
		got.FrankingTag = tag.FrankingTag
		got.Agent, err = mimi.FrankingAgentOf(r.group.Context(), m.cfg.Points)
	}
	if err == nil {
		err = got.Verify(m.groups.Suite)
	}
	if out.Unfranked = err; err == nil {
		out.Evidence = &mimi.AbusiveMessage{MessageContent: bytes.Clone(a.Data), Frank: *f.Frank, AcceptedTimestamp: f.Timestamp}
	}
}

// disclosed returns what content says of itself.
func disclosed(c *content.Message) mimi.Disclosed {
	sender, _ := c.SenderURI()
	room, _ := c.RoomURI()
	return mimi.Disclosed{Salt: c.Salt[:], SenderURI: mimi.IdentifierURI(sender), RoomURI: mimi.IdentifierURI(room)}
}

// boxed takes what is in the mailbox: a Welcome, or something of consent.
func (m *Member) boxed(now time.Time, in Delivered) error {
	if in.Seq > m.head.Box {
		if m.head.Box != 0 && in.Seq > m.head.Box+1 {
			m.event(Gap{From: m.head.Box + 1, To: in.Seq - 1})
		}
		m.head.Box = in.Seq
		m.putHead()
		if in.About.IsZero() {
			m.consentChanged(in.Body)
		} else {
			m.takeWelcome(in.About, in.Body)
		}
	}
	m.out.Acks = append(m.out.Acks, follower.Ack{Client: m.cfg.Client, Seq: in.Seq})
	return nil
}

func (m *Member) takeWelcome(uri ident.URI, body []byte) {
	if err := m.welcome(m.now, uri, body); err != nil {
		m.event(Refused{Room: uri, What: "welcome", Why: err})
	}
}

func (m *Member) consentChanged(body []byte) {
	e, err := mimi.ParseConsentEntry(bytes.Clone(body))
	if err != nil {
		m.event(Refused{What: "consent", Why: err})
		return
	}
	m.noteConsent(m.now, e)
	m.event(ConsentChanged{e})
}

// planCommit notes when this client commits the proposals that wait (room-policy-04,
// Operational policy component).
func (m *Member) planCommit(now time.Time, r *chatRoom) {
	if r.Commit != 0 || r.Status != inside {
		return
	}
	delay := time.Duration(-1)
	leaf := uint32(r.group.OwnLeaf())
	if m.cfg.CommitDelay != nil {
		delay = m.cfg.CommitDelay(leaf)
	} else if o := r.state.Operational(); o != nil {
		switch p := o.PendingProposals; p.Strategy {
		case room.StrategyImmediateCommit:
			delay = 0
		case room.StrategyRandomDelay:
			delay = spread(p.MinimumDelay, p.MaximumDelay, leaf, r.group.Epoch())
		}
	}
	if delay < 0 {
		return
	}
	r.Commit = max(now.Add(delay).UnixMilli(), 1)
	m.putRoom(r)
}

// spread returns a delay in a range of milliseconds that differs between members and
// epochs: the place of a multiplicative sequence, so that neighbours are far apart.
func spread(least, most uint64, leaf uint32, epoch uint64) time.Duration {
	const limit = 1 << 40 // ms, some 30 years
	least, most = min(least, limit), min(most, limit)
	if most > least {
		const golden = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
		part := ((uint64(leaf) + epoch<<32) * golden) >> 32
		least += (most - least) * part >> 32
	}
	return time.Duration(least) * time.Millisecond
}

// autoCommit commits what waits, since nobody else has.
func (m *Member) autoCommit(now time.Time, r *chatRoom) {
	r.Commit = 0
	m.putRoom(r)
	if r.Status == inside && len(r.todo) == 0 && len(r.group.Proposals()) > 0 {
		id := m.out.ID
		m.begin(now, r, &intention{Do: doCommit, User: m.user, Auto: true})
		m.out.ID = id
	}
}
