// Package exit defines the exit codes of mimi-lab and the errors that carry
// them.
package exit

import (
	"context"
	"errors"
	"fmt"
)

// The exit codes. They are part of the command line's interface and documented
// in its help and in README.md.
const (
	OK          = 0
	Failure     = 1   // something could not be done
	Usage       = 2   // the command line, or a file it names, makes no sense
	Violation   = 3   // a check found that a promise was broken
	Interrupted = 130 // Ctrl-C; what was finished before is whole
)

// Error is an error with the exit code it leads to and what to do next.
type Error struct {
	Code int
	Err  error
	Hint string // full sentences for the user; may be empty
}

// Error returns the message of the wrapped error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// Usagef returns an error that exits with [Usage].
func Usagef(hint, format string, args ...any) error {
	return &Error{Code: Usage, Err: fmt.Errorf(format, args...), Hint: hint}
}

// Failuref returns an error that exits with [Failure].
func Failuref(hint, format string, args ...any) error {
	return &Error{Code: Failure, Err: fmt.Errorf(format, args...), Hint: hint}
}

// Violationf returns an error that exits with [Violation].
func Violationf(hint, format string, args ...any) error {
	return &Error{Code: Violation, Err: fmt.Errorf(format, args...), Hint: hint}
}

// Code returns the exit code that err leads to.
func Code(err error) int {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Interrupted
	}
	return Failure
}

// Hint returns what to do about err, "" if there is nothing to say.
func Hint(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Hint
	}
	return ""
}
