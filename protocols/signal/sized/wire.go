package sized

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// Layout of the messages (Signal Protocol, version 3; protobuf fields in the
// order of their numbers):
//
//	SignalMessage        0x33
//	                     0a 21 05 ratchet key (32 bytes)
//	                     10 counter (varint)
//	                     18 previous counter (varint)
//	                     22 length (varint) ciphertext
//	                     MAC (8 bytes, outside the protobuf)
//	PreKeySignalMessage  0x33
//	                    [08 prekey id (varint)]
//	                     12 21 05 base key (32 bytes)
//	                     1a 21 05 identity key (32 bytes)
//	                     22 length (varint) SignalMessage
//	                     28 registration id (varint)
//	                     30 signed prekey id (varint)
const (
	versionByte = 0x33
	djbType     = 0x05 // the type byte before a Curve25519 public key
	macSize     = 8
	blockSize   = 16 // AES-CBC with PKCS #7 padding

	tagRatchetKey = 1<<3 | 2
	tagCounter    = 2<<3 | 0
	tagPrevious   = 3<<3 | 0
	tagCiphertext = 4<<3 | 2

	tagPreKeyID       = 1<<3 | 0
	tagBaseKey        = 2<<3 | 2
	tagIdentityKey    = 3<<3 | 2
	tagMessage        = 4<<3 | 2
	tagRegistrationID = 5<<3 | 0
	tagSignedPreKeyID = 6<<3 | 0

	keyField = 3 + keySize // tag, length, type byte, key
)

// Message types of the <enc> element.
const (
	typePreKey  = "pkmsg"
	typeMessage = "msg"
	encVersion  = 2
)

// message is a parsed SignalMessage. It aliases the bytes it was parsed from.
type message struct {
	ratchet  uint64
	counter  uint32
	previous uint32
	body     []byte // a positive multiple of blockSize
	digest   uint64 // of everything before the MAC
	mac      uint64
}

// preKeyMessage is a parsed PreKeySignalMessage.
type preKeyMessage struct {
	oneTime      uint32 // 0 if absent
	base         uint64
	identity     uint64
	registration uint32
	signed       uint32
	message      message
}

func varintSize(v uint32) int { return (bits.Len32(v|1) + 6) / 7 }

// paddedSize is the size of n bytes under AES-CBC with PKCS #7 padding.
func paddedSize(n int) int { return n - n%blockSize + blockSize }

// messageSize is the size of a SignalMessage.
func messageSize(counter, previous uint32, plaintext int) int {
	body := paddedSize(plaintext)
	return 1 + keyField + 1 + varintSize(counter) + 1 + varintSize(previous) +
		1 + varintSize(uint32(body)) + body + macSize
}

// preKeyMessageSize is the size of a PreKeySignalMessage around a SignalMessage
// of size inner.
func preKeyMessageSize(p pending, registration uint32, inner int) int {
	n := 1 + 2*keyField + 1 + varintSize(uint32(inner)) + inner +
		1 + varintSize(registration) + 1 + varintSize(p.signed)
	if p.oneTime != 0 {
		n += 1 + varintSize(p.oneTime)
	}
	return n
}

func appendUint(b []byte, tag byte, v uint32) []byte {
	return binary.AppendUvarint(append(b, tag), uint64(v))
}

func appendKey(b []byte, tag byte, core uint64) []byte {
	b = append(b, tag, keySize+1, djbType)
	n := len(b)
	b = b[:n+keySize]
	expand((*[keySize]byte)(b[n:]), core)
	return b
}

// appendMessage appends a SignalMessage. b has room for it.
func appendMessage(b []byte, ratchet uint64, counter, previous uint32, plaintext []byte, key messageKey) []byte {
	start := len(b)
	b = append(b, versionByte)
	b = appendKey(b, tagRatchetKey, ratchet)
	b = appendUint(b, tagCounter, counter)
	b = appendUint(b, tagPrevious, previous)
	size := paddedSize(len(plaintext))
	b = appendUint(b, tagCiphertext, uint32(size))
	body := b[len(b) : len(b)+size]
	copy(body, plaintext)
	for i := len(plaintext); i < size; i++ {
		body[i] = byte(size - len(plaintext))
	}
	mask(body, body, key.stream())
	b = b[:len(b)+size]
	return binary.LittleEndian.AppendUint64(b, key.mac(digest(b[start:])))
}

// reader takes a message apart, strictly: every field in its place, minimal
// varints of at most 32 bits, canonical keys. After the first fault it is bad
// and returns zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) tag(t byte) bool {
	if r.bad || len(r.b) == 0 || r.b[0] != t {
		r.bad = true
		return false
	}
	r.b = r.b[1:]
	return true
}

func (r *reader) uint(t byte) uint32 {
	if !r.tag(t) {
		return 0
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<32-1 || n != varintSize(uint32(v)) {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return uint32(v)
}

func (r *reader) bytes(t byte) []byte {
	n := r.uint(t)
	if r.bad || uint64(n) > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) key(t byte) uint64 {
	v := r.bytes(t)
	if len(v) != 1+keySize || v[0] != djbType || v[keySize]&0x80 != 0 {
		r.bad = true
		return 0
	}
	return fold(v[1:])
}

func malformed(what string) error {
	return fmt.Errorf("%s: %w", what, protocols.ErrMalformed)
}

// parseMessage parses a SignalMessage.
func parseMessage(b []byte) (message, error) {
	if len(b) < 1+macSize {
		return message{}, malformed("signal message")
	}
	signed := b[:len(b)-macSize]
	m := message{mac: binary.LittleEndian.Uint64(b[len(signed):])}
	r := reader{b: signed}
	r.tag(versionByte)
	m.ratchet = r.key(tagRatchetKey)
	m.counter = r.uint(tagCounter)
	m.previous = r.uint(tagPrevious)
	m.body = r.bytes(tagCiphertext)
	if r.bad || len(r.b) != 0 || len(m.body) == 0 || len(m.body)%blockSize != 0 {
		return message{}, malformed("signal message")
	}
	m.digest = digest(signed)
	return m, nil
}

// parsePreKeyMessage parses a PreKeySignalMessage.
func parsePreKeyMessage(b []byte) (preKeyMessage, error) {
	var m preKeyMessage
	r := reader{b: b}
	r.tag(versionByte)
	if !r.bad && len(r.b) > 0 && r.b[0] == tagPreKeyID {
		m.oneTime = r.uint(tagPreKeyID)
		r.bad = r.bad || m.oneTime == 0
	}
	m.base = r.key(tagBaseKey)
	m.identity = r.key(tagIdentityKey)
	inner := r.bytes(tagMessage)
	m.registration = r.uint(tagRegistrationID)
	m.signed = r.uint(tagSignedPreKeyID)
	if r.bad || len(r.b) != 0 {
		return preKeyMessage{}, malformed("prekey signal message")
	}
	var err error
	m.message, err = parseMessage(inner)
	return m, err
}
