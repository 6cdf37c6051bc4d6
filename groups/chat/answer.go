package chat

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

var (
	errApplication = errors.New("no mls_private_message with application data, want one")
	errSender      = errors.New("no room or no sender, want both")
	errMissing     = errors.New("none, want one")
	errUnknown     = errors.New("no request that a provider of MIMI knows")
	errWelcome     = errors.New("no mls_welcome, want one")
	errHandshake   = errors.New("no mls_public_message with a commit, or a proposal where one stands, want one")
	errBundle      = errors.New("a commit with group-info and ratchet-tree, or proposals alone, expected")
	errAnswer      = errors.New("no answer to what was asked")
)

// Answer writes the answer to a query that wants one: the body of the response of a
// call, a [Count], or nil, or the error that Read or the follower had for it. A body whose code
// says no comes as an error with the body in it, so that who knows no MIMI knows that
// too.
func (q *Query) Answer(answer any, err error) (stanza.Stanza, error) {
	if !q.Answered() {
		return nil, wrong("answer", "to a stanza that wants none")
	}
	if err != nil {
		return q.refuse(Condition(err)), nil
	}
	if q.message {
		return q.submitted(answer)
	}
	iq := &stanza.IQ{ID: q.id, Type: stanza.Result}
	var body follower.Body
	switch a := answer.(type) {
	case nil:
		return iq, nil
	case Count:
		iq.Payload = stanza.KeyCount{Value: int(a)}
		return iq, nil
	case follower.Body:
		body = a
	default:
		return nil, wrong("answer", "a %T, which answers nothing", a)
	}
	var w writer
	b := w.bytes(string(q.payload), body)
	if w.err != nil {
		return nil, w.err
	}
	iq.Payload = &stanza.Body{Tag: q.payload, Data: b}
	if code, name := codeOf(body); code != 0 {
		iq.Type, iq.Error = stanza.Fail, &stanza.Error{Code: code, Text: name}
	}
	return iq, nil
}

// refuse answers without a body.
func (q *Query) refuse(e *stanza.Error) stanza.Stanza {
	if q.message {
		return &stanza.Ack{Class: stanza.AckMessage, ID: q.id, Room: q.room, Error: e.Code}
	}
	return &stanza.IQ{ID: q.id, Type: stanza.Fail, Error: e}
}

// submitted answers a message to a room with the fields of a SubmitMessageResponse.
func (q *Query) submitted(answer any) (stanza.Stanza, error) {
	r, ok := answer.(*mimi.SubmitMessageResponse)
	if !ok {
		return nil, wrong("ack", "a %T, want a SubmitMessageResponse", answer)
	}
	a := &stanza.Ack{Class: stanza.AckMessage, ID: q.id, Room: q.room}
	if r.StatusCode != mimi.SubmitAccepted {
		a.Error, a.Reason = codeOf(r)
		a.Epoch = r.CurrentEpoch
		return a, nil
	}
	var w writer
	a.Accepted = &stanza.Accepted{Timestamp: r.AcceptedTimestamp}
	if r.Frank != nil {
		a.Accepted.Frank = w.bytes("frank", r.Frank)
	}
	return a, w.err
}

// codeOf returns the condition that the code in a response stands for, with the
// draft's name of it, or 0 if it is one of success.
func codeOf(body follower.Body) (stanza.Code, string) {
	switch m := body.(type) {
	case *mimi.SubmitMessageResponse:
		return submitConditions[m.StatusCode], m.StatusCode.String()
	case *mimi.UpdateRoomResponse:
		return updateConditions[m.ResponseCode], m.ResponseCode.String()
	case *mimi.KeyMaterialResponse:
		return userConditions[m.UserStatus], m.UserStatus.String()
	case *mimi.GroupInfoResponse:
		return groupInfoConditions[m.Status], m.Status.String()
	case *mimi.IdentifierResponse:
		return queryConditions[m.ResponseCode], m.ResponseCode.String()
	}
	return 0, ""
}

// Codes of the draft as conditions. Those of success are left out.
var (
	submitConditions = map[mimi.SubmitResponseCode]stanza.Code{
		mimi.SubmitNotAllowed: stanza.Forbidden, mimi.SubmitEpochTooOld: stanza.Conflict,
	}
	updateConditions = map[mimi.UpdateResponseCode]stanza.Code{
		mimi.UpdateWrongEpoch: stanza.Conflict, mimi.UpdateNotAllowed: stanza.Forbidden,
		mimi.UpdateInvalidProposal: stanza.NotAcceptable,
	}
	userConditions = map[mimi.KeyMaterialUserCode]stanza.Code{
		mimi.UserIncompatibleProtocol: stanza.NotAcceptable, mimi.UserNoCompatibleMaterial: stanza.NotAcceptable,
		mimi.UserUnknown: stanza.ItemNotFound, mimi.UserNoConsent: stanza.NotReachable,
		mimi.UserNoConsentForThisRoom: stanza.NotReachable, mimi.UserDeleted: stanza.Gone,
	}
	groupInfoConditions = map[mimi.GroupInfoCode]stanza.Code{
		mimi.GroupInfoNotAuthorized: stanza.Forbidden, mimi.GroupInfoNoSuchRoom: stanza.ItemNotFound,
	}
	queryConditions = map[mimi.IdentifierQueryCode]stanza.Code{
		mimi.QueryNotFound: stanza.ItemNotFound, mimi.QueryAmbiguous: stanza.NotAcceptable,
		mimi.QueryForbidden: stanza.Forbidden, mimi.QueryUnsupportedField: stanza.FeatureNotImplemented,
	}
)

// statuses are the conditions of HTTP's status codes. Others of 4xx are NotAcceptable,
// others of 5xx InternalServerError.
var statuses = map[int]stanza.Code{
	400: stanza.BadRequest, 401: stanza.NotAuthorized, 403: stanza.Forbidden, 404: stanza.ItemNotFound,
	405: stanza.NotAllowed, 408: stanza.RequestTimeout, 409: stanza.Conflict, 410: stanza.Gone, 413: stanza.ResourceLimit, 423: stanza.Locked,
	429: stanza.RateOverlimit, 501: stanza.FeatureNotImplemented, 503: stanza.ServiceUnavailable, 504: stanza.RemoteTimeout,
}

// Condition returns what a client is told of an error: a refusal of the follower in its
// words, a malformed stanza, a provider that did not answer in time. Of any other
// error it learns that there was one, and not that nothing was done.
func Condition(err error) *stanza.Error {
	var (
		said    *stanza.Error
		refusal *follower.Refusal
		format  *stanza.FormatError
		part    *Error
	)
	switch {
	case errors.As(err, &said):
		return said
	case errors.As(err, &refusal):
		return &stanza.Error{Code: status(refusal.Status), Text: plain(refusal.Reason), After: seconds(refusal.After)}
	case errors.Is(err, errUnknown):
		return &stanza.Error{Code: stanza.FeatureNotImplemented}
	case errors.As(err, &part), errors.As(err, &format):
		return &stanza.Error{Code: stanza.BadRequest, Text: plain(err.Error())}
	case errors.Is(err, context.DeadlineExceeded):
		return &stanza.Error{Code: stanza.RemoteTimeout}
	}
	return &stanza.Error{Code: stanza.InternalServerError}
}

func status(http int) stanza.Code {
	if c, ok := statuses[http]; ok {
		return c
	}
	if http >= 400 && http < 500 {
		return stanza.NotAcceptable
	}
	return stanza.InternalServerError
}

// seconds rounds up, so that who waits so long does not come too early.
func seconds(d time.Duration) int {
	return int(min(max(0, math.Ceil(d.Seconds())), math.MaxInt32))
}

// maxText bounds the words of an error in bytes.
const maxText = 512

// plain makes text that may stand in an attribute: in UTF-8, without control characters.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F || r == 0xFFFE || r == 0xFFFF {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "?")
}

// ReadAnswer reads the answer to asked, which [Encode] made: the body of the response, a
// [Count], or nil, or an error: a *[stanza.Error] if the provider said no without a body.
func ReadAnswer(asked, s stanza.Stanza) (any, error) {
	switch s := s.(type) {
	case *stanza.Ack:
		m, ok := asked.(*stanza.Message)
		if !ok || m.ID != s.ID || s.Class != stanza.AckMessage {
			return nil, &Error{"ack", errAnswer}
		}
		return readSubmitted(s)
	case *stanza.IQ:
		q, ok := asked.(*stanza.IQ)
		if !ok || q.ID != s.ID || s.Type != stanza.Result && s.Type != stanza.Fail {
			return nil, &Error{"iq", errAnswer}
		}
		return readBody(q, s)
	}
	return nil, &Error{"stanza", errAnswer}
}

func readSubmitted(a *stanza.Ack) (any, error) {
	r := &reader{}
	out := &mimi.SubmitMessageResponse{CurrentEpoch: a.Epoch}
	switch {
	case a.Accepted != nil && a.Error == 0:
		out.AcceptedTimestamp = a.Accepted.Timestamp
		if a.Accepted.Frank != nil {
			out.Frank = new(mimi.Frank)
			r.into("frank", a.Accepted.Frank, out.Frank)
		}
	case a.Reason == mimi.SubmitNotAllowed.String():
		out.StatusCode = mimi.SubmitNotAllowed
	case a.Reason == mimi.SubmitEpochTooOld.String():
		out.StatusCode = mimi.SubmitEpochTooOld
	case a.Error != 0:
		return nil, &stanza.Error{Code: a.Error}
	default:
		r.fail("ack", errAnswer)
	}
	if r.err != nil {
		return nil, r.err
	}
	return out, nil
}

func readBody(asked, s *stanza.IQ) (any, error) {
	if n, ok := s.Payload.(stanza.KeyCount); ok {
		if _, asks := asked.Payload.(stanza.KeyCountQuery); !asks || s.Type != stanza.Result {
			return nil, &Error{"count", errAnswer}
		}
		return Count(n.Value), nil
	}
	b, ok := s.Payload.(*stanza.Body)
	switch {
	case !ok && s.Error != nil:
		return nil, s.Error
	case s.Payload == nil:
		return nil, nil
	case !ok:
		return nil, &Error{"iq", errAnswer}
	}
	want, endpoint := stanza.UpdateBody, mimi.EndpointUpdate
	if q, ok := asked.Payload.(*stanza.Body); ok {
		want = q.Tag
		for _, k := range calls {
			if k.tag == want {
				endpoint = k.endpoint
			}
		}
	}
	if b.Tag != want {
		return nil, &Error{string(b.Tag), errAnswer}
	}
	e, _ := mimi.FindEndpoint(endpoint)
	body, err := e.ParseResponse(b.Data, nil)
	if err != nil {
		return nil, &Error{string(b.Tag), err}
	}
	return body, nil
}
