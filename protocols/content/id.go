package content

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
)

// HashSHA256 is the number of SHA-256 as a named hash, and 0 that of none.
// https://www.iana.org/assignments/named-information/named-information.xhtml
const (
	HashNone   = 0
	HashSHA256 = 1
)

// idHashSize is that of the hash in a message ID. The draft fixes the hash
// whatever suite the room's MLS group has, and so this is not the suite's.
const idHashSize = sha256.Size

// MessageID names a message, or more exactly one version of it (Message ID). The
// zero value is none: the first octet is the number of a hash algorithm.
//
//	MessageId = bstr .size 32
type MessageID [32]byte

// IsZero reports whether id is the zero value.
func (id MessageID) IsZero() bool { return id == MessageID{} }

// String returns the ID in hexadecimal.
func (id MessageID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (id MessageID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (id *MessageID) UnmarshalText(text []byte) error {
	v, err := ParseMessageID(string(text))
	if err == nil {
		*id = v
	}
	return err
}

// ParseMessageID reads a message ID in hexadecimal. It demands a hash algorithm
// that is known.
func ParseMessageID(s string) (MessageID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(MessageID{}) {
		return MessageID{}, broken(CheckLength, "messageId", fmt.Sprintf("%d characters, want %d hexadecimal digits", len(s), 2*len(MessageID{})))
	}
	if b[0] != HashSHA256 {
		return MessageID{}, broken(CheckHash, "messageId", fmt.Sprintf("%d, want %d", b[0], HashSHA256))
	}
	return MessageID(b), nil
}

// ID returns the ID of m from that sender in that room: their URIs, byte for byte
// as the room has them.
func (m *Message) ID(senderURI, roomURI string) (MessageID, error) {
	b, err := m.Marshal()
	if err != nil {
		return MessageID{}, err
	}
	return IDOf(senderURI, roomURI, b, m.Salt)
}

// IDOf returns the ID of a message that is encoded already (Message ID):
//
//	hash_output = hash( senderUriLength || senderUri ||
//	                    roomUriLength   || roomUri   ||
//	                    message         || salt )
//	messageId = hashAlg || hash_output[0..30]
//
// The salt is in the message as well; that it comes again at the end keeps others
// from extending the hash.
func IDOf(senderURI, roomURI string, message []byte, salt Salt) (MessageID, error) {
	prefix := make([]byte, 0, 2+len(senderURI)+2+len(roomURI))
	for _, uri := range [...]struct{ what, uri string }{{"senderUri", senderURI}, {"roomUri", roomURI}} {
		if len(uri.uri) > math.MaxUint16 {
			return MessageID{}, broken(CheckURI, uri.what, fmt.Sprintf("%d bytes, want at most %d", len(uri.uri), math.MaxUint16))
		}
		prefix = binary.BigEndian.AppendUint16(prefix, uint16(len(uri.uri)))
		prefix = append(prefix, uri.uri...)
	}
	h := sha256.New()
	h.Write(prefix)
	h.Write(message)
	h.Write(salt[:])
	id := MessageID{HashSHA256}
	copy(id[1:], h.Sum(prefix[:0]))
	return id, nil
}

// reference reads null or a message ID. One whose hash algorithm is unknown is no
// ID that a message can have (General handling).
func (r *reader) reference() MessageID {
	var id MessageID
	if r.null() {
		return id
	}
	at := r.off
	r.fixed(id[:])
	if r.err == nil && id[0] != HashSHA256 {
		r.fail(at, CheckHash, "%d, want %d", id[0], HashSHA256)
	}
	return id
}

func (w *writer) reference(id MessageID) {
	if id.IsZero() {
		w.null()
		return
	}
	if id[0] != HashSHA256 {
		w.fail(CheckHash, "%d, want %d", id[0], HashSHA256)
	}
	w.bytes(id[:])
}
