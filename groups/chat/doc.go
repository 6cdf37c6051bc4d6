// Package chat says in stanzas what a MIMI provider and its own clients tell each
// other: it turns the inputs, replies and deliveries of package follower into those of
// package stanza, and back. What the stanzas carry are the structs of
// draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/); the draft leaves this
// side of a provider open, so the stanzas are this project's own (protocols/stanza,
// schema.md, "Rooms of MIMI").
//
//	client                                              provider
//	Encode(id, follower.Call...)  ── message, iq ──▶    Read → Query
//	ReadAnswer → follower.Body    ◀── ack, iq ──        Query.Answer
//	ReadDelivery                  ◀── message,          Deliver(follower.Delivery)
//	                                  notification ──
//	Encode(id, follower.Ack)      ── ack ──▶            Read → Query
//
// Everything is a function of its arguments. The package does not judge who may say
// what: the provider puts the client that a connection belongs to into what it reads,
// and the follower refuses a body that speaks for another.
package chat

import (
	"cmp"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// encVersion is the version of what an <enc type="mls"> holds: an MLSMessage, which
// names the version of MLS itself.
const encVersion = 1

// encType is the type of an <enc> with an MLSMessage.
const encType = "mls"

// Error says which part of a stanza, or of what is to be one, is wrong.
type Error struct {
	Part string // element, attribute or Go type
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return "chat: " + e.Part + ": " + e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e *Error) Unwrap() error { return e.Err }

func wrong(part, format string, args ...any) error {
	return &Error{part, fmt.Errorf(format, args...)}
}

// writer marshals the parts of a stanza and keeps the first failure.
type writer struct{ err error }

func (w *writer) bytes(part string, m wire.Marshaler) []byte {
	b, err := wire.Marshal(m)
	if err != nil && w.err == nil {
		w.err = &Error{part, err}
	}
	return b
}

func (w *writer) list(part string, messages []message.Message) (out [][]byte) {
	for i := range messages {
		out = append(out, w.bytes(part, &messages[i]))
	}
	return out
}

// reader parses the parts of a stanza and keeps the first failure.
type reader struct {
	points *mimi.CodePoints
	err    error
}

func (r *reader) fail(part string, err error) {
	if err != nil && r.err == nil {
		r.err = &Error{part, err}
	}
}

func (r *reader) into(part string, b []byte, u wire.Unmarshaler) { r.fail(part, wire.Unmarshal(b, u)) }

// message reads an MLSMessage.
func (r *reader) message(part string, b []byte) message.Message {
	m, err := message.Parse(b, &cmp.Or(r.points, &mimi.DefaultCodePoints).MLS)
	if err != nil {
		r.fail(part, err)
		return message.Message{}
	}
	return *m
}

func (r *reader) messages(part string, list [][]byte) (out []message.Message) {
	for _, b := range list {
		out = append(out, r.message(part, b))
	}
	return out
}

// mlsEnc returns the MLSMessage in a message of a room.
func mlsEnc(m *stanza.Message) ([]byte, error) {
	if len(m.Enc) != 1 || len(m.Participants) > 0 || m.Enc[0].Type != encType || m.Enc[0].Version != encVersion {
		return nil, wrong("message", "want exactly one <enc v=\"1\" type=\"mls\">, and no participants")
	}
	return m.Enc[0].Payload, nil
}
