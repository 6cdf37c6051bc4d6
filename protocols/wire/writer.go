package wire

import "encoding/binary"

// Writer appends values to bytes. After the first error it writes nothing more,
// so that a type writes all its fields and the error is looked at once, by
// [Writer.Bytes].
//
// It appends to a slice and does not build on cryptobyte.Builder, whose length
// prefixes have a fixed size and each take a buffer of their own.
type Writer struct {
	b     []byte
	start int // length of what was there before
	err   error
}

// NewWriter returns a Writer that appends to dst.
func NewWriter(dst []byte) *Writer { return &Writer{b: dst, start: len(dst)} }

// Bytes returns dst with all that was written, or the first error, an [*Error].
func (w *Writer) Bytes() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

// Fail ends the writing with err, unless it ended before. It is for a type that
// holds a value which it does not allow.
func (w *Writer) Fail(err error) {
	if w.err == nil {
		w.err = &Error{Offset: len(w.b) - w.start, Err: err}
	}
}

// Uint8 writes a uint8.
func (w *Writer) Uint8(v uint8) {
	if w.err == nil {
		w.b = append(w.b, v)
	}
}

// Uint16 writes a uint16.
func (w *Writer) Uint16(v uint16) {
	if w.err == nil {
		w.b = binary.BigEndian.AppendUint16(w.b, v)
	}
}

// Uint24 writes a uint24. Values from 2^24 on are an error.
func (w *Writer) Uint24(v uint32) {
	if v >= 1<<24 {
		w.Fail(ErrTooLong)
	}
	if w.err == nil {
		w.b = append(w.b, byte(v>>16), byte(v>>8), byte(v))
	}
}

// Uint32 writes a uint32.
func (w *Writer) Uint32(v uint32) {
	if w.err == nil {
		w.b = binary.BigEndian.AppendUint32(w.b, v)
	}
}

// Uint64 writes a uint64.
func (w *Writer) Uint64(v uint64) {
	if w.err == nil {
		w.b = binary.BigEndian.AppendUint64(w.b, v)
	}
}

// Fixed writes an opaque[n], or bytes that are encoded already.
func (w *Writer) Fixed(b []byte) {
	if w.err == nil {
		w.b = append(w.b, b...)
	}
}

// Opaque writes an opaque<V>. More than [MaxLength] bytes are an error.
func (w *Writer) Opaque(b []byte) {
	w.length(len(b))
	w.Fixed(b)
}

// OpaqueString writes the bytes of s as an opaque<V>.
func (w *Writer) OpaqueString(s string) {
	w.length(len(s))
	if w.err == nil {
		w.b = append(w.b, s...)
	}
}

// Vector writes a T<V>: write writes all its elements to w. They may not exceed
// [MaxLength] bytes.
func (w *Writer) Vector(write func()) {
	start := len(w.b)
	w.Uint8(0) // room for the length, enough for most
	write()
	if w.err != nil {
		return
	}
	n := len(w.b) - start - 1
	if more := LengthSize(n) - 1; more > 0 {
		var zeros [3]byte
		w.b = append(w.b, zeros[:more]...)
		copy(w.b[start+1+more:], w.b[start+1:start+1+n])
	}
	end := len(w.b)
	w.b = w.b[:start]
	w.length(n)
	if w.err == nil {
		w.b = w.b[:end]
	}
}

// Optional writes an optional<T>: if it is present, write writes the T to w.
func (w *Writer) Optional(present bool, write func()) {
	if !present {
		w.Uint8(0)
		return
	}
	w.Uint8(1)
	write()
}

// length writes the length of a vector.
func (w *Writer) length(n int) {
	switch {
	case n > MaxLength:
		w.Fail(ErrTooLong)
	case LengthSize(n) == 1:
		w.Uint8(byte(n))
	case LengthSize(n) == 2:
		w.Uint16(1<<14 | uint16(n))
	default:
		w.Uint32(2<<30 | uint32(n))
	}
}
