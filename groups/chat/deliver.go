package chat

import (
	"strconv"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// Deliver writes a delivery: a message for application data, else a notification. Its
// id is the number of the event. points nil means [mimi.DefaultCodePoints].
func Deliver(d follower.Delivery, points *mimi.CodePoints) (stanza.Stanza, error) {
	id := strconv.FormatUint(d.Seq, 10)
	if d.Room.IsZero() && d.About.IsZero() {
		if _, err := mimi.ParseConsentEntry(d.Body); err != nil {
			return nil, &Error{"consent", err}
		}
		return &stanza.Notification{ID: id, Seq: d.Seq, Event: &stanza.Body{Tag: stanza.ConsentBody, Data: d.Body}}, nil
	}
	list, err := mimi.ParseFanoutMessages(d.Body, points)
	if err != nil {
		return nil, &Error{"delivery", err}
	}
	if len(list) != 1 {
		return nil, wrong("delivery", "%d FanoutMessages, want one", len(list))
	}
	m := &list[0]
	var w writer
	if m.Kind() == mimi.FanoutApplication {
		s := &stanza.Message{
			ID: id, Type: stanza.RoomMessage, Room: d.Room, Seq: d.Seq, Accepted: &stanza.Accepted{Timestamp: m.Timestamp},
			Enc: []stanza.Enc{{Type: encType, Version: encVersion, Payload: w.bytes("enc", &m.Message)}},
		}
		if d.Room.IsZero() {
			return nil, wrong("delivery", "application data in a mailbox, want it in a room")
		}
		if m.Frank != nil {
			s.Accepted.Frank = w.bytes("frank", m.Frank)
		}
		return s, w.err
	}
	u := &stanza.Update{Room: d.About, Accepted: m.Timestamp}
	switch m.Kind() {
	case mimi.FanoutWelcome:
		u.Welcome = w.bytes("welcome", &m.Message)
		u.RatchetTree = w.bytes("ratchet-tree", &m.RatchetTreeOption)
	case mimi.FanoutCommit:
		u.Commit = w.bytes("commit", &m.Message)
		u.Proposals = w.list("proposal", m.ExternalProposals)
	case mimi.FanoutProposal:
		u.Proposals = append([][]byte{w.bytes("proposal", &m.Message)}, w.list("proposal", m.MoreProposals)...)
	}
	return &stanza.Notification{ID: id, Room: d.Room, Seq: d.Seq, Event: u}, w.err
}

// ReadDelivery reads a delivery to a client, and reports whether the stanza is one.
// What it does not know is none, as a client ignores it. points nil means
// [mimi.DefaultCodePoints].
func ReadDelivery(client ident.URI, s stanza.Stanza, points *mimi.CodePoints) (follower.Delivery, bool, error) {
	r := &reader{points: points}
	d := follower.Delivery{Client: client}
	var m mimi.FanoutMessage
	switch s := s.(type) {
	case *stanza.Message:
		if s.Room.IsZero() || s.Seq == 0 {
			return d, false, nil
		}
		d.Room, d.Seq = s.Room, s.Seq
		m = r.application(s)
	case *stanza.Notification:
		if s.Seq == 0 {
			return d, false, nil
		}
		d.Room, d.Seq = s.Room, s.Seq
		switch e := s.Event.(type) {
		case *stanza.Body:
			d.Body = e.Data
			_, err := mimi.ParseConsentEntry(e.Data)
			r.fail("consent", err)
			return d, r.err == nil, r.err
		case *stanza.Update:
			if d.Room.IsZero() { // in a room it has been said
				d.About = e.Room
				r.fail("update/@room", wanted(!e.Room.IsZero()))
			}
			m = r.fanout(e)
		default:
			return d, false, nil
		}
	default:
		return d, false, nil
	}
	if r.err != nil {
		return follower.Delivery{}, false, r.err
	}
	body, err := mimi.MarshalFanoutMessages([]mimi.FanoutMessage{m})
	if err != nil {
		return follower.Delivery{}, false, &Error{"delivery", err}
	}
	d.Body = body
	return d, true, nil
}

// wanted is the error of something that is not there.
func wanted(there bool) error {
	if there {
		return nil
	}
	return errMissing
}

func (r *reader) application(s *stanza.Message) (m mimi.FanoutMessage) {
	b, err := mlsEnc(s)
	if err != nil {
		r.err = err
		return m
	}
	m.Message = r.message("enc", b)
	if s.Accepted == nil {
		r.fail("accepted", errMissing)
		return m
	}
	if m.Timestamp = s.Accepted.Timestamp; s.Accepted.Frank != nil {
		m.Frank = new(mimi.Frank)
		r.into("frank", s.Accepted.Frank, m.Frank)
	}
	if r.err == nil && m.Kind() != mimi.FanoutApplication {
		r.fail("enc", errApplication)
	}
	return m
}

func (r *reader) fanout(u *stanza.Update) mimi.FanoutMessage {
	m := mimi.FanoutMessage{Timestamp: u.Accepted}
	var want mimi.FanoutKind
	var proposals []message.Message
	switch {
	case u.Welcome != nil:
		want = mimi.FanoutWelcome
		m.Message = r.message("welcome", u.Welcome)
		r.into("ratchet-tree", u.RatchetTree, &m.RatchetTreeOption)
	case u.Commit != nil:
		want = mimi.FanoutCommit
		m.Message = r.message("commit", u.Commit)
		m.ExternalProposals = r.messages("proposal", u.Proposals)
	default:
		want = mimi.FanoutProposal
		proposals = r.messages("proposal", u.Proposals)
		if m.Message = proposals[0]; len(proposals) > 1 {
			m.MoreProposals = proposals[1:]
		}
	}
	if r.err == nil && m.Kind() != want {
		r.fail("update", errHandshake)
	}
	return m
}
