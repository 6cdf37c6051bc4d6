package member

import (
	"errors"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
)

// errTooFar tells a message that is too far ahead from one that has come before.
var errTooFar = schedule.ErrTooFarAhead

// send begins to send a message. Its bytes, and so its ID, stay what they are however
// often it has to be encrypted.
func (m *Member) send(now time.Time, in Send) error {
	r, err := m.findRoom(in.Room)
	if err != nil {
		return err
	}
	if in.Message == nil {
		return errors.New("member: send without a message")
	}
	c := *in.Message
	if c.Salt == (content.Salt{}) {
		if c.Salt, err = content.NewSalt(m.groups.Suite); err != nil {
			return err
		}
	}
	c.Extensions = c.Extensions.With(content.KeySenderURI, content.TextValue(m.user.String())).
		With(content.KeyRoomURI, content.TextValue(r.uri.String()))
	data, err := c.Marshal()
	if err != nil {
		return err
	}
	id, err := content.IDOf(m.user.String(), r.uri.String(), data, c.Salt)
	if err != nil {
		return err
	}
	it := &intention{Do: doSend, Data: data, Message: id}
	if err := m.check(r, it); err != nil {
		return err
	}
	m.begin(now, r, it)
	return nil
}

// submit encrypts a message, with its franking tag, and sends it (Submit a Message).
func (m *Member) submit(now time.Time, r *chatRoom, it *intention) error {
	if err := m.allowed(r, it); err != nil {
		return err
	}
	data, err := r.group.Frame(message.MediaType{Type: []byte(content.TypeContent)}, it.Data)
	if err != nil {
		return err
	}
	c, err := content.Parse(it.Data)
	if err != nil {
		return err
	}
	var o mls.SendOptions
	if r.group.FramesAAD() {
		tag := mimi.FrankAAD{FrankingTag: mimi.FrankingTag(c.Salt[:], data)}
		o.Items = tag.AAD(m.cfg.Points)
	}
	b, err := r.group.Protect(data, o)
	m.putGroup(r) // a key is used up, also if it failed
	if err != nil {
		return err
	}
	p, err := message.Parse(b, m.groups.Points)
	if err != nil {
		return err
	}
	req := &mimi.SubmitMessageRequest{AppMessage: p.Private, SendingURI: mimi.URI(m.user)}
	return m.toHub(r, it, &own{Kind: ownMessage, Last: true, Messages: [][]byte{b}}, mimi.EndpointSubmitMessage, req)
}

// submitted takes the hub's answer to a message. If an earlier answer was lost, a refusal
// may be one of what has been accepted before. Then its echo is on its way, ahead of the
// Commit for which the hub now refuses.
func (m *Member) submitted(now time.Time, r *chatRoom, f *flight, resp *mimi.SubmitMessageResponse) {
	again := f.Tries > 0
	switch resp.StatusCode {
	case mimi.SubmitAccepted:
		m.accepted(now, r, resp.AcceptedTimestamp, resp.Frank)
	case mimi.SubmitEpochTooOld:
		// "the client must re-encrypt": in the epoch that the hub is at, whose Commits
		// are on their way if they have not come yet.
		it := r.find(r.own.Intention)
		if it != nil && resp.CurrentEpoch > r.group.Epoch() {
			if again {
				m.later(now, f)
				return
			}
			m.dropOwn(r)
			it.Wait = now.Add(m.cfg.RetryMin).UnixMilli()
			m.putIntention(r, it)
			return
		}
		m.rebuild(now, r)
	default:
		if again && !r.own.Stale {
			r.own.Stale = true
			m.putOwn(r)
			m.later(now, f)
			return
		}
		m.failOwn(now, r, &Error{Code: resp.StatusCode}, again)
	}
}
