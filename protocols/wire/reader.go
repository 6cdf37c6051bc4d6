package wire

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
)

// Reader reads values from bytes. After the first error it reads zeros and
// nothing else, so that a type reads all its fields and the error is looked at
// once, by [Reader.Done] or [Reader.Err].
type Reader struct {
	s   cryptobyte.String // what is left of the input, or of the vector that is being read
	end int               // the offset in the input at which s ends
	err error
}

// NewReader returns a Reader of b. Slices that it hands out are parts of b.
func NewReader(b []byte) *Reader { return &Reader{s: b, end: len(b)} }

// Err returns the first error, an [*Error].
func (r *Reader) Err() error { return r.err }

// Done returns the first error, if need be that something is left to read.
func (r *Reader) Done() error {
	if r.err == nil && len(r.s) > 0 {
		r.Fail(ErrTrailing)
	}
	return r.err
}

// Offset returns how many bytes of the input have been read.
func (r *Reader) Offset() int { return r.end - len(r.s) }

// Empty reports whether nothing is left to read: of the input, or within Vector
// of the vector. After an error it is true.
func (r *Reader) Empty() bool { return r.err != nil || len(r.s) == 0 }

// Fail ends the reading with err, unless it ended before. It is for a type that
// reads a value which it does not allow.
func (r *Reader) Fail(err error) { r.failAt(r.Offset(), err) }

func (r *Reader) failAt(offset int, err error) {
	if r.err == nil {
		r.err = &Error{Offset: offset, Err: err}
	}
}

// ok takes what cryptobyte said; it says no only if there were too few bytes.
func (r *Reader) ok(read bool) {
	if !read {
		r.Fail(ErrTruncated)
	}
}

// Uint8 reads a uint8.
func (r *Reader) Uint8() (v uint8) {
	if r.err == nil {
		r.ok(r.s.ReadUint8(&v))
	}
	return v
}

// Uint16 reads a uint16.
func (r *Reader) Uint16() (v uint16) {
	if r.err == nil {
		r.ok(r.s.ReadUint16(&v))
	}
	return v
}

// Uint24 reads a uint24.
func (r *Reader) Uint24() (v uint32) {
	if r.err == nil {
		r.ok(r.s.ReadUint24(&v))
	}
	return v
}

// Uint32 reads a uint32.
func (r *Reader) Uint32() (v uint32) {
	if r.err == nil {
		r.ok(r.s.ReadUint32(&v))
	}
	return v
}

// Uint64 reads a uint64.
func (r *Reader) Uint64() (v uint64) {
	if r.err == nil {
		r.ok(r.s.ReadUint64(&v))
	}
	return v
}

// Fixed reads an opaque[n], n >= 0. The slice is part of the input, without
// capacity to grow into it; it is nil after an error and only then.
func (r *Reader) Fixed(n int) (b []byte) {
	if r.err != nil {
		return nil
	}
	if n == 0 {
		return []byte{} // cryptobyte takes a view of no input for a failure
	}
	r.ok(r.s.ReadBytes(&b, n))
	return b[:len(b):len(b)]
}

// Opaque reads an opaque<V>, as Fixed does.
func (r *Reader) Opaque() []byte {
	n := r.length() // before Fixed looks at the error
	return r.Fixed(n)
}

// Vector reads a T<V>: it calls read, which reads one T from r, until the vector
// ends. A T may not reach beyond it.
func (r *Reader) Vector(read func()) {
	n := r.length()
	if r.err != nil {
		return
	}
	rest, end := r.s[n:], r.end
	r.s, r.end = r.s[:n], r.Offset()+n
	for !r.Empty() {
		before := len(r.s)
		read()
		if r.err == nil && len(r.s) == before {
			r.Fail(errNoProgress)
		}
	}
	if r.err == nil {
		r.s, r.end = rest, end
	}
}

// errNoProgress keeps a type without bytes from being read for ever.
var errNoProgress = errors.New("element of a vector takes no bytes")

// Optional reads an optional<T>: it calls read, which reads a T from r, if one is
// there, and reports whether one was.
func (r *Reader) Optional(read func()) bool {
	offset := r.Offset()
	switch r.Uint8() {
	case 0:
		return false
	case 1:
		read()
		return r.err == nil
	}
	r.failAt(offset, ErrOptional)
	return false
}

// Length reads the length of a vector, for those who look at it before its bytes
// are there. What follows is read as if it were not a vector.
func (r *Reader) Length() int {
	offset := r.Offset()
	first := r.Uint8()
	n, size := int(first&0x3f), 1<<(first>>6)
	switch size {
	case 8:
		r.failAt(offset, ErrLength)
	case 4:
		n = n<<24 | int(r.Uint24())
	case 2:
		n = n<<8 | int(r.Uint8())
	}
	if r.err == nil && LengthSize(n) != size {
		r.failAt(offset, ErrNotMinimal)
	}
	if r.err != nil {
		return 0
	}
	return n
}

// length reads the length of a vector and checks that its bytes are there.
func (r *Reader) length() int {
	offset := r.Offset()
	n := r.Length()
	if r.err == nil && n > len(r.s) {
		r.failAt(offset, ErrTruncated)
		return 0
	}
	return n
}
