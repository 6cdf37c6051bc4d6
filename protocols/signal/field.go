package signal

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrFormat is wrapped by every error of this package's parsers.
var ErrFormat = errors.New("signal: malformed")

func malformed(what, format string, args ...any) error {
	return fmt.Errorf("%w %s: %s", ErrFormat, what, fmt.Sprintf(format, args...))
}

// maxField is the highest field number that this package knows.
const maxField = 6

// fields is one message's protobuf, taken apart: each known field at most once.
type fields struct {
	what string
	seen [maxField + 1]bool
	num  [maxField + 1]uint32
	data [maxField + 1][]byte
}

// kind says of what type each field of a message is, by number: 'i' an integer
// of at most 32 bits, 'b' bytes, anything else unknown. kind[0] is unused.
type kind string

// parseFields takes b apart. Byte fields alias b.
func parseFields(what string, k kind, b []byte) (f fields, err error) {
	f.what = what
	for len(b) > 0 {
		tag, n := minimalVarint(b)
		if n < 0 {
			return f, malformed(what, "bad field tag")
		}
		b = b[n:]
		number, wireType := tag>>3, protowire.Type(tag&7)
		if number == 0 || number >= uint64(len(k)) {
			return f, malformed(what, "unknown field %d", number)
		}
		if f.seen[number] {
			return f, malformed(what, "field %d twice", number)
		}
		f.seen[number] = true
		value, n := minimalVarint(b)
		if n < 0 {
			return f, malformed(what, "field %d: bad integer", number)
		}
		b = b[n:]
		switch {
		case k[number] == 'i' && wireType == protowire.VarintType:
			if value > math.MaxUint32 {
				return f, malformed(what, "field %d: %d exceeds 32 bits", number, value)
			}
			f.num[number] = uint32(value)
		case k[number] == 'b' && wireType == protowire.BytesType:
			if value > uint64(len(b)) {
				return f, malformed(what, "field %d: %d bytes announced, %d left", number, value, len(b))
			}
			f.data[number] = b[:value:value]
			b = b[value:]
		default:
			return f, malformed(what, "field %d has wire type %d", number, wireType)
		}
	}
	return f, nil
}

// minimalVarint reads a varint and its length, which is negative if the varint
// is cut short, too long or not in its shortest form.
func minimalVarint(b []byte) (uint64, int) {
	v, n := protowire.ConsumeVarint(b)
	if n > 0 && n != protowire.SizeVarint(v) {
		return 0, -1
	}
	return v, n
}

func (f *fields) require(numbers ...int) error {
	for _, n := range numbers {
		if !f.seen[n] {
			return malformed(f.what, "field %d missing", n)
		}
	}
	return nil
}

// key reads the public key in field n.
func (f *fields) key(n int) (key [32]byte, err error) {
	b := f.data[n]
	if len(b) != PublicKeySize || b[0] != keyTypeDJB {
		return key, malformed(f.what, "field %d is no public key (%d bytes)", n, len(b))
	}
	key = [32]byte(b[1:])
	if !canonical(&key) {
		return key, malformed(f.what, "field %d is a public key beyond the field's prime", n)
	}
	return key, nil
}

// blocks reads the CBC ciphertext in field n.
func (f *fields) blocks(n int) ([]byte, error) {
	b := f.data[n]
	if len(b) == 0 || len(b)%blockSize != 0 {
		return nil, malformed(f.what, "ciphertext of %d bytes, expected a positive multiple of %d", len(b), blockSize)
	}
	return b, nil
}

// canonical reports whether u is below 2^255-19. X25519 itself takes any 32
// bytes, and so several spellings of one key (RFC 7748, Section 5).
func canonical(u *[32]byte) bool {
	if u[31] != 0x7f {
		return u[31] < 0x7f
	}
	for i := 30; i > 0; i-- {
		if u[i] != 0xff {
			return true
		}
	}
	return u[0] < 0xed
}

func appendInt(dst []byte, field protowire.Number, v uint32) []byte {
	dst = protowire.AppendTag(dst, field, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(v))
}

func appendBytes(dst []byte, field protowire.Number, b []byte) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	return protowire.AppendBytes(dst, b)
}

func appendKey(dst []byte, field protowire.Number, key *[32]byte) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	dst = append(dst, PublicKeySize, keyTypeDJB)
	return append(dst, key[:]...)
}
