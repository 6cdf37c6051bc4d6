package member

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/follower"
)

// What callers branch on.
var (
	// ErrState: records do not form the state of a member.
	ErrState = errors.New("member: invalid state")
	// ErrNoRoom: this client is not in such a room.
	ErrNoRoom = errors.New("member: not in the room")
	// ErrRoom: this client is in the room already, or is about to be.
	ErrRoom = errors.New("member: in the room already")
	// ErrLeaving: this user has asked to leave the room.
	ErrLeaving = errors.New("member: leaving the room")
	// ErrBusy: too many intentions wait in the room.
	ErrBusy = errors.New("member: too much waits already")
	// ErrRetries: it was tried as often as is allowed.
	ErrRetries = errors.New("member: tried too often")
	// ErrNoAnswer: what an intention needs has not come in time.
	ErrNoAnswer = errors.New("member: no answer in time; ask again when the provider can be reached")
	// ErrNoFrank: a message came without a frank.
	ErrNoFrank = errors.New("member: message without a frank")
)

// Error says that a peer refused with a code of the draft.
type Error struct {
	Code fmt.Stringer // of package mimi
	Text string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Text == "" {
		return "member: refused: " + e.Code.String()
	}
	return fmt.Sprintf("member: refused: %v: %s", e.Code, e.Text)
}

// definite reports whether an error that answers a call says that it was not done,
// and will not be if it is asked again.
func definite(err error) bool {
	var r *follower.Refusal
	return errors.As(err, &r) && r.Status >= 400 && r.Status < 500 && r.Status != 408 && r.Status != 429
}
