package protocols

import (
	"errors"
	"fmt"
)

// What an adapter's errors wrap. Callers branch on these with [errors.Is].
var (
	// ErrNoSession: there is no session with the peer (or no such group).
	ErrNoSession = errors.New("no session")
	// ErrMalformed: the bytes are not a message of this protocol.
	ErrMalformed = errors.New("malformed message")
	// ErrAuthentication: a MAC, tag or signature does not verify.
	ErrAuthentication = errors.New("authentication failed")
	// ErrReplayed: the message was opened before, or its key is gone.
	ErrReplayed = errors.New("message replayed or its key deleted")
	// ErrKeyUnknown: the message needs a prekey or KeyPackage that this client
	// does not hold (any more).
	ErrKeyUnknown = errors.New("unknown or used prekey")
	// ErrTooFarAhead: the message skips more keys than the client will derive.
	ErrTooFarAhead = errors.New("message too far ahead")
	// ErrPending: a group change waits to be settled.
	ErrPending = errors.New("a change is pending")
	// ErrState: exported records do not form a state.
	ErrState = errors.New("invalid state records")
)

// Retryable reports whether the sender can help by sealing the message anew in
// a fresh session, which is what a retry receipt asks for. A replayed message is
// not worth asking for.
func Retryable(err error) bool {
	switch {
	case err == nil, errors.Is(err, ErrReplayed), errors.Is(err, ErrState), errors.Is(err, ErrPending):
		return false
	}
	return errors.Is(err, ErrNoSession) || errors.Is(err, ErrAuthentication) ||
		errors.Is(err, ErrKeyUnknown) || errors.Is(err, ErrTooFarAhead) || errors.Is(err, ErrMalformed)
}

// MissingSessionsError says that a group operation has something to send in
// pairwise sessions that do not exist. The caller establishes them and tries
// again. It wraps [ErrNoSession]. A protocol without pairwise sessions (MLS) has
// no use for it.
type MissingSessionsError struct {
	Peers []Address // sorted, at least one
}

func (e *MissingSessionsError) Error() string {
	return fmt.Sprintf("%v with %d members, first %s", ErrNoSession, len(e.Peers), e.Peers[0])
}

// Unwrap returns [ErrNoSession].
func (e *MissingSessionsError) Unwrap() error { return ErrNoSession }
