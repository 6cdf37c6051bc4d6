// Package wire reads and writes the TLS presentation language (RFC 8446, Section
// 3, https://www.rfc-editor.org/rfc/rfc8446) with the additions of MLS: optional
// values and vectors with a length of variable size (RFC 9420, Section 2.1,
// https://www.rfc-editor.org/rfc/rfc9420).
//
//	uint8, uint16, uint24, uint32, uint64    big-endian
//	opaque x[n]                              n bytes
//	opaque x<V>                              length, then that many bytes
//	T x<V>                                   length in bytes, then values of T
//	optional<T>                              0, or 1 and a T
//
//	length    00xxxxxx                             0 to 63
//	          01xxxxxx xxxxxxxx                    64 to 16383
//	          10xxxxxx xxxxxxxx xxxxxxxx xxxxxxxx  16384 to 2^30-1
//
// A type is a [Marshaler] and an [Unmarshaler] with its fields in the order of
// its struct; [Marshal] and [Unmarshal] convert it to and from bytes.
//
// Reading is strict: lengths that are longer than need be, presence octets other
// than 0 and 1, and bytes behind the value are errors. So every input that is
// read has exactly one value, and every value one encoding. Reading never
// allocates on the word of a length; it is checked against the bytes that are
// there.
//
// The package does not know enums, variants (select) or the fixed-size length
// prefixes of TLS, which neither MLS nor MIMI uses: the first two are plain Go in
// the types that need them.
package wire

import (
	"errors"
	"fmt"
)

// What an [*Error] of reading or writing wraps.
var (
	ErrTruncated  = errors.New("input ends early")
	ErrTrailing   = errors.New("bytes behind the value")
	ErrNotMinimal = errors.New("length is not in its shortest form")
	ErrLength     = errors.New("length begins with the reserved bits 11")
	ErrTooLong    = errors.New("value is too long")
	ErrOptional   = errors.New("presence octet is neither 0 nor 1")
)

// MaxLength is the longest vector in bytes (RFC 9420, Section 2.1.2).
const MaxLength = 1<<30 - 1

// Error says what went wrong and where.
type Error struct {
	Offset int   // in bytes, from the beginning of the input or output
	Err    error // one of this package, or what was given to Fail
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("wire: at byte %d: %v", e.Offset, e.Err) }

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Marshaler is a value that writes itself.
type Marshaler interface{ MarshalTLS(*Writer) }

// Unmarshaler is a value that reads itself. What it holds after an error is
// undefined. It may keep slices of the input.
type Unmarshaler interface{ UnmarshalTLS(*Reader) }

// Marshal returns the encoding of m.
func Marshal(m Marshaler) ([]byte, error) { return Append(nil, m) }

// Append appends the encoding of m to dst. On an error it returns dst.
func Append(dst []byte, m Marshaler) ([]byte, error) {
	w := NewWriter(dst)
	m.MarshalTLS(w)
	b, err := w.Bytes()
	if err != nil {
		return dst, err
	}
	return b, nil
}

// Unmarshal reads u from b, all of it.
func Unmarshal(b []byte, u Unmarshaler) error {
	r := NewReader(b)
	u.UnmarshalTLS(r)
	return r.Done()
}

// LengthSize returns how many bytes the length of a vector of n bytes takes, 0
// <= n <= [MaxLength].
func LengthSize(n int) int {
	switch {
	case n < 1<<6:
		return 1
	case n < 1<<14:
		return 2
	}
	return 4
}
