package room

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// ErrInvalid is what the reading and writing of a component wraps if its bytes
// are well-formed and say what the drafts forbid.
var ErrInvalid = errors.New("not allowed by the draft")

// invalid makes an error that wraps ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Opaque is bytes that JSON shows as hexadecimal digits.
type Opaque []byte

// MarshalText writes hexadecimal digits.
func (o Opaque) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, o), nil }

// UnmarshalText reads hexadecimal digits.
func (o *Opaque) UnmarshalText(text []byte) (err error) {
	*o, err = hex.AppendDecode(nil, text)
	return err
}

// checked is a component that has rules beyond its layout.
type checked interface{ check() error }

// readCheck fails the reading of a value that breaks its rules, and writeCheck
// the writing of it: nothing is written that would not be read.
func readCheck(r *wire.Reader, c checked) {
	if r.Err() == nil {
		if err := c.check(); err != nil {
			r.Fail(err)
		}
	}
}

func writeCheck(w *wire.Writer, c checked) {
	if err := c.check(); err != nil {
		w.Fail(err)
	}
}

// readBool reads a bool, enum { false(0), true(1) } (room-policy-04, Base Room
// policy component syntax).
func readBool(r *wire.Reader) bool {
	v := r.Uint8()
	if v > 1 {
		r.Fail(invalid("bool %d, want 0 or 1", v))
	}
	return v == 1
}

func writeBool(w *wire.Writer, v bool) {
	if v {
		w.Uint8(1)
	} else {
		w.Uint8(0)
	}
}

// readOptional32 reads an optional uint32; nil means that there is none.
func readOptional32(r *wire.Reader) *uint32 {
	var v uint32
	if !r.Optional(func() { v = r.Uint32() }) {
		return nil
	}
	return &v
}

func writeOptional32(w *wire.Writer, v *uint32) {
	w.Optional(v != nil, func() { w.Uint32(*v) })
}

// readText reads an opaque<V> that is text: valid UTF-8 without nulls
// (mimi-protocol-06, Room Metadata: UTF8String).
func readText(r *wire.Reader) string {
	s := string(r.Opaque())
	if err := checkText(s); err != nil {
		r.Fail(err)
	}
	return s
}

func writeText(w *wire.Writer, s string) {
	if err := checkText(s); err != nil {
		w.Fail(err)
	}
	w.OpaqueString(s)
}

func checkText(s string) error {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return invalid("text %.40q is not UTF-8 without nulls", s)
	}
	return nil
}

// readURI reads a Uri: struct { opaque uri<V>; }, "a valid Uniform Resource
// Identifier". Empty stands for none. Only its characters are looked at: which
// schemes are of use is up to those who follow it.
func readURI(r *wire.Reader) string {
	s := string(r.Opaque())
	if err := checkURI(s); err != nil {
		r.Fail(err)
	}
	return s
}

func writeURI(w *wire.Writer, s string) {
	if err := checkURI(s); err != nil {
		w.Fail(err)
	}
	w.OpaqueString(s)
}

func checkURI(s string) error {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return invalid("URI %.40q has byte %#02x, want printable ASCII", s, s[i])
		}
	}
	if colon := strings.IndexByte(s, ':'); s != "" && colon <= 0 {
		return invalid("URI %.40q has no scheme", s)
	}
	return nil
}

// readURIs reads Uri x<V>, none of them empty.
func readURIs(r *wire.Reader) (v []string) {
	r.Vector(func() {
		s := readURI(r)
		if r.Err() == nil && s == "" {
			r.Fail(invalid("empty URI in a list"))
		}
		v = append(v, s)
	})
	return v
}

func writeURIs(w *wire.Writer, v []string) {
	w.Vector(func() {
		for _, s := range v {
			if s == "" {
				w.Fail(invalid("empty URI in a list"))
			}
			writeURI(w, s)
		}
	})
}

// readCodes reads a vector of 8, 16 or 32 bit numbers with one, as in
// readCodes(r, r.Uint16).
func readCodes[T, N ~uint8 | ~uint16 | ~uint32](r *wire.Reader, one func() N) (v []T) {
	r.Vector(func() { v = append(v, T(one())) })
	return v
}

func writeCodes[T, N ~uint8 | ~uint16 | ~uint32](w *wire.Writer, v []T, one func(N)) {
	w.Vector(func() {
		for _, c := range v {
			one(N(c))
		}
	})
}

// enum is the specification's names of an enum's values, in their order from 0.
type enum []string

func (e enum) name(v uint8) string {
	if int(v) < len(e) {
		return e[v]
	}
	return fmt.Sprintf("%#02x", v)
}

// readEnum reads one octet that must have a name.
func readEnum[T ~uint8](r *wire.Reader, e enum, what string) T {
	v := r.Uint8()
	if int(v) >= len(e) {
		r.Fail(invalid("no such %s: %d", what, v))
	}
	return T(v)
}

func writeEnum[T ~uint8](w *wire.Writer, e enum, what string, v T) {
	if int(v) >= len(e) {
		w.Fail(invalid("no such %s: %d", what, v))
	}
	w.Uint8(uint8(v))
}

// Optionality says whether something is done in a room (room-policy-04, Status
// Notifications component).
type Optionality uint8

// The values of Optionality. The selects of the draft call Required "mandatory",
// which is no value of the enum (deviation 1).
const (
	Optional  Optionality = 0
	Required  Optionality = 1
	Forbidden Optionality = 2
)

var optionalities = enum{"optional", "required", "forbidden"}

// String returns the specification's name, or the number.
func (o Optionality) String() string { return optionalities.name(uint8(o)) }

// MarshalText writes the name.
func (o Optionality) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

func readOptionality(r *wire.Reader) Optionality {
	return readEnum[Optionality](r, optionalities, "Optionality")
}

func writeOptionality(w *wire.Writer, o Optionality) {
	writeEnum(w, optionalities, "Optionality", o)
}
