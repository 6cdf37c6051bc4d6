package device

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// storedEvent is an event as it is kept: of its fields those that its kind has.
type storedEvent struct {
	Kind      kind              `json:"kind"`
	At        int64             `json:"at"` // ns since 1970
	ID        uint64            `json:"id,omitempty"`
	Room      ident.URI         `json:"room,omitzero"`
	By        ident.URI         `json:"by,omitzero"` // or the sender
	ByClient  ident.URI         `json:"by_client,omitzero"`
	Epoch     uint64            `json:"epoch,omitempty"`
	From      uint64            `json:"from,omitempty"`
	To        uint64            `json:"to,omitempty"`
	Message   content.MessageID `json:"message,omitzero"`
	Content   []byte            `json:"content,omitempty"`
	Data      []byte            `json:"data,omitempty"`
	Accepted  int64             `json:"accepted,omitempty"` // ms since 1970
	Late      bool              `json:"late,omitempty"`
	Unknown   bool              `json:"unknown,omitempty"`
	What      string            `json:"what,omitempty"`
	Why       *storedError      `json:"why,omitempty"`
	Unfranked *storedError      `json:"unfranked,omitempty"`
	Frank     []byte            `json:"frank,omitempty"`
	Evidence  []byte            `json:"evidence,omitempty"`
	Entry     []byte            `json:"entry,omitempty"`
	Response  []byte            `json:"response,omitempty"`
	Changes   []member.Change   `json:"changes,omitempty"`
}

// kind names a type of events.
type kind string

const (
	kindJoined   kind = "joined"
	kindMessage  kind = "message"
	kindSent     kind = "sent"
	kindChanged  kind = "room changed"
	kindProposed kind = "proposed"
	kindLeaving  kind = "leaving"
	kindRemoved  kind = "removed"
	kindDone     kind = "done"
	kindFailed   kind = "failed"
	kindStalled  kind = "stalled"
	kindRefused  kind = "refused"
	kindGap      kind = "gap"
	kindConsent  kind = "consent"
	kindFound    kind = "found"
)

// marshalEvent writes an event.
func marshalEvent(at time.Time, e member.Event) ([]byte, error) {
	s := storedEvent{At: at.UnixNano()}
	var w writer
	switch e := e.(type) {
	case member.Joined:
		s.Kind, s.ID, s.Room, s.Epoch, s.By = kindJoined, e.ID, e.Room, e.Epoch, e.By
	case member.Message:
		s.Kind, s.Room, s.By, s.ByClient, s.Message = kindMessage, e.Room, e.Sender, e.SenderClient, e.ID
		s.Data, s.Accepted, s.Late = e.Data, millis(e.Accepted), e.Late
		s.Why, s.Unfranked = storeError(e.Why), storeError(e.Unfranked)
		if e.Content != nil {
			s.Content, w.err = e.Content.Marshal()
		}
		if e.Evidence != nil {
			s.Evidence = w.bytes(e.Evidence)
		}
	case member.Sent:
		s.Kind, s.ID, s.Room, s.Message, s.Accepted = kindSent, e.ID, e.Room, e.Message, millis(e.Accepted)
		if e.Frank != nil {
			s.Frank = w.bytes(e.Frank)
		}
	case member.RoomChanged:
		s.Kind, s.ID, s.Room, s.Epoch, s.By, s.ByClient, s.Changes = kindChanged, e.ID, e.Room, e.Epoch, e.By, e.ByClient, e.Changes
	case member.Proposed:
		s.Kind, s.Room, s.By, s.Changes = kindProposed, e.Room, e.By, e.Changes
	case member.Leaving:
		s.Kind, s.ID, s.Room = kindLeaving, e.ID, e.Room
	case member.Removed:
		s.Kind, s.Room, s.By = kindRemoved, e.Room, e.By
	case member.Done:
		s.Kind, s.ID = kindDone, e.ID
	case member.Failed:
		s.Kind, s.ID, s.Room, s.What, s.Why, s.Unknown = kindFailed, e.ID, e.Room, e.What, storeError(e.Why), e.Unknown
	case member.Stalled:
		s.Kind, s.ID, s.Room, s.What, s.Why = kindStalled, e.ID, e.Room, e.What, storeError(e.Why)
	case member.Refused:
		s.Kind, s.Room, s.What, s.Why = kindRefused, e.Room, e.What, storeError(e.Why)
	case member.Gap:
		s.Kind, s.Room, s.From, s.To, s.Epoch = kindGap, e.Room, e.From, e.To, e.Epoch
	case member.ConsentChanged:
		s.Kind, s.Entry = kindConsent, w.bytes(e.Entry)
	case member.Found:
		s.Kind, s.ID, s.Response = kindFound, e.ID, w.bytes(e.Response)
	default:
		return nil, fmt.Errorf("device: event of type %T", e)
	}
	if w.err != nil {
		return nil, fmt.Errorf("device: event %s: %w", s.Kind, w.err)
	}
	return mustJSON(s), nil
}

// parseEvent reads an event with its number.
func parseEvent(n uint64, b []byte) (Event, error) {
	var s storedEvent
	if err := json.Unmarshal(b, &s); err != nil {
		return Event{}, err
	}
	if len(s.Changes) == 0 { // what was left out and what is empty are one
		s.Changes = nil
	}
	if len(s.Data) == 0 {
		s.Data = nil
	}
	e, err := s.event()
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", s.Kind, err)
	}
	return Event{N: n, At: time.Unix(0, s.At).UTC(), Event: e}, nil
}

func (s *storedEvent) event() (member.Event, error) {
	switch s.Kind {
	case kindJoined:
		return member.Joined{ID: s.ID, Room: s.Room, Epoch: s.Epoch, By: s.By}, nil
	case kindMessage:
		return s.message()
	case kindSent:
		e := member.Sent{ID: s.ID, Room: s.Room, Message: s.Message, Accepted: fromMillis(s.Accepted)}
		if s.Frank != nil {
			e.Frank = new(mimi.Frank)
			return e, wire.Unmarshal(s.Frank, e.Frank)
		}
		return e, nil
	case kindChanged:
		return member.RoomChanged{ID: s.ID, Room: s.Room, Epoch: s.Epoch, By: s.By, ByClient: s.ByClient, Changes: s.Changes}, nil
	case kindProposed:
		return member.Proposed{Room: s.Room, By: s.By, Changes: s.Changes}, nil
	case kindLeaving:
		return member.Leaving{ID: s.ID, Room: s.Room}, nil
	case kindRemoved:
		return member.Removed{Room: s.Room, By: s.By}, nil
	case kindDone:
		return member.Done{ID: s.ID}, nil
	case kindFailed:
		return member.Failed{ID: s.ID, Room: s.Room, What: s.What, Why: s.Why.err(), Unknown: s.Unknown}, nil
	case kindStalled:
		return member.Stalled{ID: s.ID, Room: s.Room, What: s.What, Why: s.Why.err()}, nil
	case kindRefused:
		return member.Refused{Room: s.Room, What: s.What, Why: s.Why.err()}, nil
	case kindGap:
		return member.Gap{Room: s.Room, From: s.From, To: s.To, Epoch: s.Epoch}, nil
	case kindConsent:
		e := member.ConsentChanged{Entry: new(mimi.ConsentEntry)}
		return e, wire.Unmarshal(s.Entry, e.Entry)
	case kindFound:
		e := member.Found{ID: s.ID, Response: new(mimi.IdentifierResponse)}
		return e, wire.Unmarshal(s.Response, e.Response)
	}
	return nil, errors.New("no such kind")
}

func (s *storedEvent) message() (e member.Message, err error) {
	e = member.Message{
		Room: s.Room, Sender: s.By, SenderClient: s.ByClient, ID: s.Message, Data: s.Data, Why: s.Why.err(),
		Accepted: fromMillis(s.Accepted), Unfranked: s.Unfranked.err(), Late: s.Late,
	}
	if s.Content != nil {
		if e.Content, err = content.Parse(s.Content); err != nil {
			return e, err
		}
	}
	if s.Evidence != nil {
		e.Evidence = new(mimi.AbusiveMessage)
		err = wire.Unmarshal(s.Evidence, e.Evidence)
	}
	return e, err
}

// writer marshals parts of an event and keeps the first failure.
type writer struct{ err error }

func (w *writer) bytes(m wire.Marshaler) []byte {
	b, err := wire.Marshal(m)
	if err != nil && w.err == nil {
		w.err = err
	}
	return b
}

// millis and fromMillis keep the time of the zero value.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// storedError is an error as it is kept: its text, and what callers ask it for.
type storedError struct {
	Text   string `json:"text"`
	Code   string `json:"code,omitempty"`   // of a member.Error, which has the draft's name of it
	Detail string `json:"detail,omitempty"` // its text
	Status int    `json:"status,omitempty"` // of a follower.Refusal
	Is     string `json:"is,omitempty"`     // the text of one of known
}

// known are the errors that are known again by errors.Is.
var known = []error{
	member.ErrState, member.ErrNoRoom, member.ErrRoom, member.ErrLeaving, member.ErrBusy, member.ErrRetries, member.ErrNoAnswer,
	member.ErrNoFrank,
}

func storeError(err error) *storedError {
	if err == nil {
		return nil
	}
	s := &storedError{Text: err.Error()}
	var (
		peer    *member.Error
		refusal *follower.Refusal
	)
	switch {
	case errors.As(err, &peer):
		s.Code, s.Detail = peer.Code.String(), peer.Text
	case errors.As(err, &refusal):
		s.Status, s.Detail = refusal.Status, refusal.Reason
	}
	for _, k := range known {
		if errors.Is(err, k) {
			s.Is = k.Error()
		}
	}
	return s
}

// err returns an error with the same text, of the same kind.
func (s *storedError) err() error {
	if s == nil {
		return nil
	}
	e := &failure{text: s.Text}
	switch {
	case s.Code != "":
		e.cause = &member.Error{Code: code(s.Code), Text: s.Detail}
	case s.Status != 0:
		e.cause = &follower.Refusal{Status: s.Status, Reason: s.Detail}
	}
	for _, k := range known {
		if s.Is == k.Error() {
			e.cause = k
		}
	}
	return e
}

// failure is an error that was kept.
type failure struct {
	text  string
	cause error // or nil
}

func (e *failure) Error() string { return e.text }
func (e *failure) Unwrap() error { return e.cause }

// code is the draft's name of a code.
type code string

func (c code) String() string { return string(c) }
