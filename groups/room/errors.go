package room

import (
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// What an [*UpdateError] wraps, besides [ErrInvalid] and errors of package wire.
var (
	// ErrIndex: an index points behind the end of its list.
	ErrIndex = errors.New("no such index")
	// ErrSameUser: the updates of one Commit change the same user, or the same join
	// link, more than once.
	ErrSameUser = errors.New("changed more than once in one commit")
	// ErrPresent: a user is added who is in the list.
	ErrPresent = errors.New("in the participant list already")
	// ErrUser: a user is added by a name that is not the canonical one.
	ErrUser = errors.New("not the name of a user")
	// ErrUpdates: a Commit replaces a component more than once.
	ErrUpdates = errors.New("more than one update in one commit")
	// ErrComponent: the component is not a room's, may not be removed or has no data
	// to remove.
	ErrComponent = errors.New("component takes no such change")
	// ErrStray: a client in the group whose user is no participant.
	ErrStray = errors.New("client in the group whose user is no participant")
	// ErrIncoherent: components contradict each other.
	ErrIncoherent = errors.New("components of the room contradict each other")
)

// UpdateError says that a component's bytes, or an update of them, cannot be: not
// by whose will, but at all. A hub answers it with invalidProposal, where it would
// answer a [*Denial] with notAllowed.
type UpdateError struct {
	Component message.ComponentID
	Name      string // the component's in the drafts
	Err       error
}

// Error implements error.
func (e *UpdateError) Error() string { return fmt.Sprintf("room: %s: %v", e.Name, e.Err) }

// Unwrap returns what is wrong.
func (e *UpdateError) Unwrap() error { return e.Err }

func (p *Points) fail(id message.ComponentID, err error) error {
	return &UpdateError{Component: id, Name: p.Name(id), Err: err}
}

// invalidWith makes an error that wraps one of this package's.
func invalidWith(err error, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
