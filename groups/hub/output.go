package hub

import (
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Output says what the shell has to do, in this order: make Persist durable, give
// the Response, make the Sends, and note WakeAt. Nothing may leave before Persist is
// durable: an acceptance is "a commitment from the hub provider that the message
// will eventually be distributed" (Fanout Messages and Room Events). Its slices are
// valid until the next Step; the bytes in them are not modified by anybody.
type Output struct {
	// Persist are records to write atomically. A crash looks like one before the
	// Step or after it.
	Persist []protocols.Record
	// Response is the body that answers the request, nil if the input was none: one
	// of *mimi.UpdateRoomResponse, *mimi.SubmitMessageResponse,
	// *mimi.GroupInfoResponse and *mimi.KeyMaterialResponse.
	Response wire.Marshaler
	// Refused is why a Response refuses, nil if it does not. It is for logs; some of
	// it may not be for the requester.
	Refused error
	// Forward is a request to pass on. Its answer, or that there is none, answers the
	// request that it came from.
	Forward *Forward
	// Report is an abuse report that was accepted, checked.
	Report *Report
	// Sends are requests to notify, each with one that waits for it if it is said to.
	Sends []Send
	// GivenUp is what followers will not get, which an operator is to hear of.
	GivenUp []GivenUp
	// WakeAt is when the machine wants to be woken; zero means not at all. It
	// replaces the one of the Step before.
	WakeAt time.Time
}

// Forward is POST /keyMaterial/{targetUser} at another provider, or this one.
type Forward struct {
	To     string // the provider's domain
	Target ident.URI
	Body   []byte
}

// Send is POST /notify/{roomId} at a follower, or what stands for it between the hub
// and the clients of its own domain. Its outcome is told by [Delivered] or
// [DeliveryFailed].
type Send struct {
	Room     ident.URI
	To       string // the follower's domain
	Last     uint64 // names it, with Room and To: the last event in it
	Messages int    // how many FanoutMessages it holds
	// Missed is how many events before the first of it the follower does not get any more,
	// since it accepted nothing for too long ([Config.Backlog]).
	Missed uint64
	Body   []byte
}

// GivenUp is how many events of a room, the oldest that it did not accept, a follower does
// not get any more ([Config.Backlog]).
type GivenUp struct {
	Room   ident.URI
	To     string
	Events int
}

// Report is what a hub finds about an abuse report.
type Report struct {
	Room   ident.URI
	From   string
	Report *mimi.AbuseReport
	// Franks says of each message of the report why its frank does not hold; nil if
	// the message is proven to have been accepted by this hub from the alleged
	// abuser.
	Franks []error
}

// Status says what kind of refusal an [Error] is. A shell answers with the HTTP
// status code of the same number.
type Status int

// The kinds of refusals that have no code in a body of the draft.
const (
	Malformed Status = 400 // the request can't be read
	Forbidden Status = 403 // the requester may not ask this
	NotFound  Status = 404 // there is no such room, or nothing of that name
	Conflict  Status = 409 // the room exists, or the input does not fit its state
	TooLarge  Status = 413 // a bound of this implementation
)

// String returns the status in words.
func (s Status) String() string {
	switch s {
	case Malformed:
		return "malformed"
	case Forbidden:
		return "forbidden"
	case NotFound:
		return "not found"
	case Conflict:
		return "conflict"
	case TooLarge:
		return "too large"
	}
	return fmt.Sprintf("Status(%d)", int(s))
}

// Error says that an input was refused without a response, and that nothing has
// changed.
type Error struct {
	Status Status
	Err    error
}

// Error implements error.
func (e *Error) Error() string { return "hub: " + e.Err.Error() }

// Unwrap returns what was wrong.
func (e *Error) Unwrap() error { return e.Err }

func fail(s Status, format string, args ...any) error {
	return &Error{s, fmt.Errorf(format, args...)}
}
