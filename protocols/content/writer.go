package content

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// writer appends deterministic CBOR. It keeps the first error.
type writer struct {
	b     []byte
	start int    // where in b the output begins
	field string // as in reader
	part  int
	parts int
	err   error
}

func (w *writer) fail(c Check, format string, args ...any) {
	if w.err != nil {
		return
	}
	where := w.field
	if w.part >= 0 {
		where = "part " + strconv.Itoa(w.part) + " " + w.field
	}
	w.err = &Error{Check: c, Offset: len(w.b) - w.start, Where: where, Detail: fmt.Sprintf(format, args...)}
}

// head writes the initial byte of an item and its argument, in the shortest form
// (RFC 8949, Section 4.2.1).
func (w *writer) head(major byte, arg uint64) {
	m := major << 5
	switch {
	case arg < 24:
		w.b = append(w.b, m|byte(arg))
	case arg < 1<<8:
		w.b = append(w.b, m|24, byte(arg))
	case arg < 1<<16:
		w.b = append(w.b, m|25, byte(arg>>8), byte(arg))
	case arg < 1<<32:
		w.b = append(w.b, m|26, byte(arg>>24), byte(arg>>16), byte(arg>>8), byte(arg))
	default:
		w.b = append(w.b, m|27, byte(arg>>56), byte(arg>>48), byte(arg>>40), byte(arg>>32),
			byte(arg>>24), byte(arg>>16), byte(arg>>8), byte(arg))
	}
}

func (w *writer) uint(v uint64) { w.head(majorUint, v) }
func (w *writer) array(n int)   { w.head(majorArray, uint64(n)) }
func (w *writer) null()         { w.b = append(w.b, byteNull) }

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, byteTrue)
	} else {
		w.b = append(w.b, byteFalse)
	}
}

func (w *writer) bytes(b []byte) {
	w.head(majorBytes, uint64(len(b)))
	w.b = append(w.b, b...)
}

func (w *writer) text(s string) {
	if !utf8.ValidString(s) {
		w.fail(CheckUTF8, "text of %d bytes", len(s))
	}
	w.head(majorText, uint64(len(s)))
	w.b = append(w.b, s...)
}

// shortHex writes the beginning of b.
func shortHex(b []byte) string {
	if len(b) > 16 {
		return hex.EncodeToString(b[:16]) + "…"
	}
	return hex.EncodeToString(b)
}
