package hub

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// errTooOld: an application message is of an epoch that is too long ago.
var errTooOld = errors.New("the epoch is too old")

// submit takes an application message (draft-ietf-mimi-protocol-06, Submit a
// Message).
func (h *Hub) submit(now time.Time, in SubmitMessageRequest) error {
	r, err := h.room(in.Room)
	if err != nil {
		return err
	}
	if err := checkBody(in.Body); err != nil {
		return err
	}
	req, err := mimi.ParseSubmitMessageRequest(in.Body)
	if err != nil {
		return fail(Malformed, "submit: %w", err)
	}
	sum, err := h.sumsOf(req, in.Body)
	if err != nil {
		return fail(Malformed, "submit: %w", err)
	}
	if at, ok := r.said.before(sum, in.From, req); ok {
		// Its answer was lost, whatever has become of the sender or the epoch since.
		frank, err := h.frank(r, req, at)
		if err != nil {
			return fail(Malformed, "submit: %w", err)
		}
		h.out.Response = &mimi.SubmitMessageResponse{StatusCode: mimi.SubmitAccepted, AcceptedTimestamp: at, Frank: frank}
		return nil
	}
	if err := h.checkSubmit(r, in.From, req, sum); err != nil {
		resp := &mimi.SubmitMessageResponse{StatusCode: mimi.SubmitNotAllowed}
		if errors.Is(err, errTooOld) {
			resp.StatusCode, resp.CurrentEpoch = mimi.SubmitEpochTooOld, r.group.Epoch()
		}
		h.out.Response, h.out.Refused = resp, err
		return nil
	}
	at := r.nextTime(now)
	frank, err := h.frank(r, req, at)
	if err != nil {
		h.out.Response, h.out.Refused = &mimi.SubmitMessageResponse{StatusCode: mimi.SubmitNotAllowed}, err
		return nil
	}
	// It is a little longer than the request: by the time, the frank, and no sendingUri.
	body, err := wire.Append(make([]byte, 0, len(in.Body)+128), &mimi.FanoutMessage{Timestamp: at, Message: message.Message{Private: req.AppMessage}, Frank: frank})
	if err != nil {
		return fail(Malformed, "submit: %w", err)
	}

	// Accepted.
	r.accept(now)
	h.remind(r, sum, at)
	h.publish(r, body, r.applicationTargets(in.From))
	h.put(r.key+"head", r.marshalHead())
	h.out.Response = &mimi.SubmitMessageResponse{StatusCode: mimi.SubmitAccepted, AcceptedTimestamp: at, Frank: frank}
	return nil
}

// checkSubmit says why a message is not accepted. The parser has seen to it that it
// is a PrivateMessage with application data.
func (h *Hub) checkSubmit(r *chatRoom, from string, req *mimi.SubmitMessageRequest, sum sums) error {
	m := req.AppMessage
	if !bytes.Equal(m.GroupID, r.group.GroupID()) {
		return fmt.Errorf("message for group %x, the room's is %x", m.GroupID, r.group.GroupID())
	}
	sender, ok := userURI(req.SendingURI)
	switch {
	case !ok:
		return fmt.Errorf("sendingUri %q, want the URI of a user", req.SendingURI)
	case sender.Provider() != from:
		return fmt.Errorf("message of %v through %s, want its own provider", sender, from)
	case r.users[sender] == nil:
		return fmt.Errorf("%v is no active participant", sender)
	}
	if r.said.has(sum) {
		return errors.New("the message was sent before, by another request")
	}
	if !r.senders[sender] { // the same for all messages in one state
		if err := r.state.maySend(sender.String()); err != nil {
			return err
		}
		if r.senders == nil {
			r.senders = make(map[ident.URI]bool)
		}
		r.senders[sender] = true
	}
	switch epoch := r.group.Epoch(); {
	case r.group.ReInit() != nil:
		return errors.New("the group has ended with a reinit")
	case m.Epoch > epoch:
		// "nonsensical inputs such as an MLS epoch more recent than the hub's"
		return fmt.Errorf("message of epoch %d, the group is at %d", m.Epoch, epoch)
	case epoch-m.Epoch > r.state.tolerance(h.cfg.EpochTolerance):
		return fmt.Errorf("message of epoch %d, the group is at %d: %w", m.Epoch, epoch, errTooOld)
	}
	if h.messages(r).framed {
		var aad message.SafeAAD
		if err := wire.Unmarshal(m.AuthenticatedData, &aad); err != nil {
			return fmt.Errorf("authenticated_data is no Safe AAD: %w", err)
		}
	}
	return nil
}

// frank franks a message that asks for it: "When the Hub receives an acceptable
// application message with the frank_aad Safe AAD component and a valid sender
// identity, it calculates a server frank" (Hub processing). Without an agent in the
// room whose key is the hub's, it is nil.
func (h *Hub) frank(r *chatRoom, req *mimi.SubmitMessageRequest, at uint64) (*mimi.Frank, error) {
	tag, err := mimi.FrankAADOf(req.AppMessage.AuthenticatedData, h.cfg.Points)
	if err != nil || tag == nil || !h.messages(r).franked {
		return nil, err
	}
	return mimi.NewFrank(h.groups.Suite, h.cfg.FrankKeys[0], h.cfg.Franking.Private, tag.FrankingTag, &mimi.ServerFrankingContext{
		SenderURI: req.SendingURI, RoomURI: r.name(), AcceptedTimestamp: at,
	})
}

// messageRules is what an epoch's GroupContext says of application messages.
type messageRules struct {
	framed  bool // their authenticated data are a Safe AAD
	franked bool // the hub franks those that ask for it
}

// messages returns the rules of the current epoch, which are looked up once.
func (h *Hub) messages(r *chatRoom) *messageRules {
	if r.rules == nil {
		_, framed := r.group.ComponentData(h.cfg.Points.MLS.SafeAAD)
		r.rules = &messageRules{framed, h.franks(r)}
	}
	return r.rules
}

// franks reports whether the room's franking agent is this hub.
func (h *Hub) franks(r *chatRoom) bool {
	if len(h.cfg.FrankKeys) == 0 {
		return false
	}
	data, ok := r.group.ComponentData(h.cfg.Points.FrankingAgent)
	if !ok {
		return false
	}
	agent, err := mimi.ParseFrankingAgentData(data)
	return err == nil && bytes.Equal(agent.FrankingSignatureKey, h.cfg.Franking.Public) &&
		mimi.CredentialOf(&agent.Credential, h.cfg.Domain) == nil
}
