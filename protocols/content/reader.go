package content

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The major types of CBOR (RFC 8949, Section 3.1).
const (
	majorUint  = 0
	majorNint  = 1
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorTag   = 6
	majorOther = 7 // floating-point numbers and simple values
)

var majorNames = [...]string{"unsigned integer", "negative integer", "byte string", "text string", "array", "map", "tag", "simple value or float"}

// The simple values that fields have, with their initial byte.
const (
	byteFalse = 0xf4
	byteTrue  = 0xf5
	byteNull  = 0xf6
)

// reader takes deterministic CBOR apart, field by field. After the first error,
// which it keeps, it returns zero values only. It works through each byte once and
// allocates on the word of no length: each is checked against the bytes that are
// there, of which an item takes at least one.
type reader struct {
	data  []byte
	off   int
	field string // being read, in the draft's words
	part  int    // being read, or -1
	parts int    // begun so far
	err   error
}

// fail keeps the first error.
func (r *reader) fail(at int, c Check, format string, args ...any) {
	if r.err != nil {
		return
	}
	where := r.field
	if r.part >= 0 {
		where = "part " + strconv.Itoa(r.part) + " " + r.field
	}
	r.err = &Error{Check: c, Offset: at, Where: where, Detail: fmt.Sprintf(format, args...)}
}

// head reads the initial byte of an item and its argument (RFC 8949, Section 3).
// It demands the shortest form but for floats, whose argument is no number.
func (r *reader) head() (major byte, arg uint64) {
	if r.err != nil {
		return 0, 0
	}
	at := r.off
	if at >= len(r.data) {
		r.fail(at, CheckTruncated, "want an item")
		return 0, 0
	}
	major, info := r.data[at]>>5, r.data[at]&0x1f
	r.off++
	if info < 24 {
		return major, uint64(info)
	}
	if info == 31 && major >= majorBytes && major != majorTag {
		r.fail(at, CheckIndefinite, "%s of indefinite length or a break", majorNames[major])
		return 0, 0
	}
	if info > 27 {
		r.fail(at, CheckWellFormed, "initial byte 0x%02x", r.data[at])
		return 0, 0
	}
	n := 1 << (info - 24)
	if len(r.data)-r.off < n {
		r.fail(at, CheckTruncated, "want %d bytes of an argument, have %d", n, len(r.data)-r.off)
		return 0, 0
	}
	for _, b := range r.data[r.off : r.off+n] {
		arg = arg<<8 | uint64(b)
	}
	r.off += n
	if major == majorOther {
		if n == 1 && arg < 32 { // RFC 8949, Section 3.3
			r.fail(at, CheckWellFormed, "simple value %d in two bytes", arg)
		}
		return major, arg
	}
	if least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[info-24]; arg < least {
		r.fail(at, CheckShortest, "%d in %d bytes", arg, n+1)
	}
	return major, arg
}

// typed reads the head of an item that must have the major type.
func (r *reader) typed(want byte) (at int, arg uint64) {
	at = r.off
	major, arg := r.head()
	if r.err == nil && major != want {
		r.fail(at, CheckType, "got %s, want %s", majorNames[major], majorNames[want])
	}
	if r.err != nil {
		return at, 0
	}
	return at, arg
}

// uint reads an unsigned integer.
func (r *reader) uint(most uint64) uint64 {
	at, v := r.typed(majorUint)
	if v > most {
		r.fail(at, CheckRange, "%d, want at most %d", v, most)
		return 0
	}
	return v
}

// array reads the head of an array and returns how many items follow.
func (r *reader) array() int {
	at, n := r.typed(majorArray)
	return r.items(at, n, 1)
}

// items checks a number of items against the bytes that are there for them.
func (r *reader) items(at int, n, each uint64) int {
	if rest := uint64(len(r.data) - r.off); n > rest/each {
		r.fail(at, CheckTruncated, "want %d items, have %d bytes", n, rest)
		return 0
	}
	return int(n)
}

// arrayOf reads the head of an array that has n items.
func (r *reader) arrayOf(n int) {
	at := r.off
	if got := r.array(); r.err == nil && got != n {
		r.fail(at, CheckLength, "array of %d, want %d", got, n)
	}
}

// bytes reads a byte string, which is a slice of the input.
func (r *reader) bytes() []byte {
	at, n := r.typed(majorBytes)
	return r.take(at, n)
}

// take returns the next n bytes.
func (r *reader) take(at int, n uint64) []byte {
	if rest := uint64(len(r.data) - r.off); n > rest {
		r.fail(at, CheckTruncated, "want %d bytes, have %d", n, rest)
	}
	if r.err != nil {
		return nil
	}
	end := r.off + int(n)
	b := r.data[r.off:end:end]
	r.off = end
	return b
}

// fixed reads a byte string of as many bytes as dst has.
func (r *reader) fixed(dst []byte) {
	at := r.off
	b := r.bytes()
	if r.err == nil && len(b) != len(dst) {
		r.fail(at, CheckLength, "%d bytes, want %d", len(b), len(dst))
	}
	if r.err == nil {
		copy(dst, b)
	}
}

// text reads a text string.
func (r *reader) text() string {
	at, n := r.typed(majorText)
	return string(r.takeText(at, n))
}

func (r *reader) takeText(at int, n uint64) []byte {
	b := r.take(at, n)
	if !utf8.Valid(b) {
		r.fail(at, CheckUTF8, "text of %d bytes", len(b))
		return nil
	}
	return b
}

// null reads null, if that is what comes next.
func (r *reader) null() bool {
	if r.err != nil || r.off >= len(r.data) || r.data[r.off] != byteNull {
		return false
	}
	r.off++
	return true
}

// bool reads a truth value.
func (r *reader) bool() bool {
	at := r.off
	switch major, _ := r.head(); {
	case r.err != nil:
	case major == majorOther && r.off == at+1 && r.data[at] == byteTrue:
		return true
	case major == majorOther && r.off == at+1 && r.data[at] == byteFalse:
	default:
		r.fail(at, CheckType, "got %s, want true or false", majorNames[major])
	}
	return false
}

// done demands that nothing is left, and returns the first error.
func (r *reader) done() error {
	if r.err == nil && r.off < len(r.data) {
		r.field, r.part = "", -1
		r.fail(r.off, CheckTrailing, "%d bytes", len(r.data)-r.off)
	}
	return r.err
}
