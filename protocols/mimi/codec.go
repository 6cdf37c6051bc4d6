package mimi

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// CodeError says that an enum has no such value.
type CodeError struct {
	Enum  string // its name in the draft
	Value uint8
}

// Error implements error.
func (e *CodeError) Error() string { return fmt.Sprintf("no such %s: %d", e.Enum, e.Value) }

// name returns the draft's name of a code, or its number.
func name[T ~uint8](names map[T]string, v T) string {
	if s, ok := names[v]; ok {
		return s
	}
	return fmt.Sprintf("%#02x", uint8(v)) // %x of v itself would ask for its name again
}

// code reads a value of an enum: one that has a name.
func code[T ~uint8](r *wire.Reader, enum string, names map[T]string) T {
	v := T(r.Uint8())
	if _, ok := names[v]; !ok && r.Err() == nil {
		r.Fail(&CodeError{enum, uint8(v)})
	}
	return v
}

// putCode writes a value of an enum that can be read again.
func putCode[T ~uint8](w *wire.Writer, enum string, names map[T]string, v T) {
	if _, ok := names[v]; !ok {
		w.Fail(&CodeError{enum, uint8(v)})
	}
	w.Uint8(uint8(v))
}

// messages reads MLSMessage x<V>.
func messages(r *wire.Reader, points *message.CodePoints) (v []message.Message) {
	r.Vector(func() {
		v = wire.Extend(v)
		v[len(v)-1] = points.Message(r)
	})
	return v
}

// errText: the draft's string is read as UTF-8 without nulls (deviation 14).
var errText = errors.New("string is not UTF-8 without nulls")

// text reads a string.
func text(r *wire.Reader) string {
	b := r.Opaque()
	if !isText(b) {
		r.Fail(errText)
		return ""
	}
	return string(b)
}

// putText writes a string.
func putText(w *wire.Writer, s string) {
	if !isText([]byte(s)) {
		w.Fail(errText)
	}
	w.OpaqueString(s)
}

func isText(b []byte) bool { return utf8.Valid(b) && !slices.Contains(b, 0) }

// parse reads a whole body. what is its name in the draft.
func parse(b []byte, what string, read func(*wire.Reader)) error {
	r := wire.NewReader(b)
	read(r)
	if err := r.Done(); err != nil {
		return fmt.Errorf("mimi: %s: %w", what, err)
	}
	return nil
}

// RuleError says which rule of the draft a well-formed body breaks.
type RuleError struct {
	Body string // its struct
	Err  error
}

// Error implements error.
func (e *RuleError) Error() string { return fmt.Sprintf("mimi: invalid %s: %v", e.Body, e.Err) }

// Unwrap returns what is wrong.
func (e *RuleError) Unwrap() error { return e.Err }

// invalid is an error of a Check.
func invalid(body, format string, args ...any) error {
	return &RuleError{body, fmt.Errorf(format, args...)}
}

// missing is the error of writing a struct without a field that its code demands.
func missing(field string) error { return fmt.Errorf("no %s, want one", field) }
