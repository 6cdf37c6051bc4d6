package content

import (
	"fmt"
	"io"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// The limits of the draft (Depth restrictions; General handling).
const (
	MaxDepth   = 4    // levels of parts, and of maps, arrays and tags in extensions
	MaxParts   = 1024 // parts of a message, the root among them
	MaxTopicID = 4096 // bytes
)

// MaxSize is the longest message in bytes. The draft leaves it to local policy;
// what is longer belongs into an external part.
const MaxSize = 4 << 20

// Salt makes a message's ID unpredictable. It is also the key of the franking tag
// (draft-ietf-mimi-protocol-06, Message Franking), and so has to stay with the
// message.
type Salt [16]byte

// NewSalt draws a salt.
func NewSalt(s suite.Suite) (Salt, error) {
	var salt Salt
	if _, err := io.ReadFull(s.Rand(), salt[:]); err != nil {
		return Salt{}, fmt.Errorf("content: drawing a salt: %w", err)
	}
	return salt, nil
}

// DeriveSalt makes the salt that base, a secret exported from the key schedule of
// MLS, and a nonce determine (Generating the random salt). The nonce must be drawn
// anew for each message. The suite's hash must be SHA-256.
//
//	hash_output = HMAC_SHA256( salt_base_secret, nonce )
//	salt = hash_output[0..15]
func DeriveSalt(s suite.Suite, base, nonce []byte) (Salt, error) {
	if n := s.ID().Sizes().Hash; n != idHashSize {
		return Salt{}, broken(CheckHash, "salt", fmt.Sprintf("suite with a hash of %d bytes, want SHA-256", n))
	}
	return Salt(s.HMAC(nil, base, nonce)[:len(Salt{})]), nil
}

// Message is the content of a message (Message Behavior Fields):
//
//	mimiContent = [
//	  salt: bstr .size 16,
//	  replaces: null / MessageId,
//	  topicId: bstr,
//	  expires: null / Expiration,
//	  inReplyTo: null / MessageId,
//	  mimiExtensions: extensions,
//	  nestedPart: NestedPart
//	]
type Message struct {
	Salt       Salt
	Replaces   MessageID  // the first version of the message that this is another version of; zero for null
	TopicID    []byte     // empty if the message belongs to no topic
	Expires    Expiration // zero for null
	InReplyTo  MessageID  // the version of a message that this answers; zero for null
	Extensions Extensions
	Body       NestedPart
}

// New makes a message with a fresh salt, and with the extensions that say whose it
// is and in which room.
func New(s suite.Suite, senderURI, roomURI string, body NestedPart) (*Message, error) {
	salt, err := NewSalt(s)
	if err != nil {
		return nil, err
	}
	e := Extensions{}.With(KeySenderURI, TextValue(senderURI)).With(KeyRoomURI, TextValue(roomURI))
	return &Message{Salt: salt, Extensions: e, Body: body}, nil
}

// Parse reads a message, all of b. The message keeps slices of b. An error is an
// [*Error].
func Parse(b []byte) (*Message, error) {
	if len(b) > MaxSize {
		return nil, broken(CheckSize, "", fmt.Sprintf("%d bytes, want at most %d", len(b), MaxSize))
	}
	r := &reader{data: b, part: -1}
	m := &Message{}
	r.field = "mimiContent"
	r.arrayOf(7)
	r.field = "salt"
	r.fixed(m.Salt[:])
	r.field = "replaces"
	m.Replaces = r.reference()
	r.field = "topicId"
	at := r.off
	if m.TopicID = r.bytes(); len(m.TopicID) > MaxTopicID {
		r.fail(at, CheckTopic, "%d bytes, want at most %d", len(m.TopicID), MaxTopicID)
	}
	r.field = "expires"
	m.Expires = r.expiration()
	r.field = "inReplyTo"
	m.InReplyTo = r.reference()
	r.field = "mimiExtensions"
	m.Extensions = r.extensions()
	m.Body = r.nestedPart(1)
	if err := r.done(); err != nil {
		return nil, err
	}
	return m, nil
}

// Marshal returns the encoding of m, the only one there is. It refuses what Parse
// refuses.
func (m *Message) Marshal() ([]byte, error) { return m.Append(nil) }

// Append appends the encoding of m to dst. On an error it returns dst.
func (m *Message) Append(dst []byte) ([]byte, error) {
	w := &writer{b: dst, start: len(dst), part: -1}
	w.field = "mimiContent"
	w.array(7)
	w.field = "salt"
	w.bytes(m.Salt[:])
	w.field = "replaces"
	w.reference(m.Replaces)
	w.field = "topicId"
	if len(m.TopicID) > MaxTopicID {
		w.fail(CheckTopic, "%d bytes, want at most %d", len(m.TopicID), MaxTopicID)
	}
	w.bytes(m.TopicID)
	w.field = "expires"
	w.expiration(m.Expires)
	w.field = "inReplyTo"
	w.reference(m.InReplyTo)
	w.field = "mimiExtensions"
	w.extensions(m.Extensions)
	w.nestedPart(m.Body, 1)
	w.field, w.part = "", -1
	if n := len(w.b) - len(dst); n > MaxSize {
		w.fail(CheckSize, "%d bytes, want at most %d", n, MaxSize)
	}
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}

// SenderURI returns the user whom the message says it is from.
func (m *Message) SenderURI() (uri string, ok bool) { return m.Extensions.text(KeySenderURI) }

// RoomURI returns the room that the message says it is for.
func (m *Message) RoomURI() (uri string, ok bool) { return m.Extensions.text(KeyRoomURI) }

// Kind is what a message does.
type Kind uint8

// The kinds of messages, as Examples tells them apart.
const (
	KindMessage  Kind = iota + 1
	KindReply         // answers another message
	KindReaction      // reacts to another message
	KindEdit          // is a new version of a message, or of a reaction
	KindDelete        // takes a message back
	KindUnlike        // takes a reaction back
)

var kindNames = [...]string{KindMessage: "message", KindReply: "reply", KindReaction: "reaction", KindEdit: "edit", KindDelete: "delete", KindUnlike: "unlike"}

// String returns the kind in the words of the draft.
func (k Kind) String() string { return nameOf(kindNames[:], "Kind", uint64(k)) }

// Kind returns what m does. Whether it may is for [Timeline] to say.
func (m *Message) Kind() Kind {
	_, empty := m.Body.Part.(NullPart)
	empty = empty || m.Body.Part == nil
	reaction := m.Body.Disposition == DispositionReaction
	switch {
	case !m.Replaces.IsZero() && empty && reaction:
		return KindUnlike
	case !m.Replaces.IsZero() && empty:
		return KindDelete
	case !m.Replaces.IsZero():
		return KindEdit
	case reaction && !m.InReplyTo.IsZero():
		return KindReaction
	case !m.InReplyTo.IsZero():
		return KindReply
	}
	return KindMessage
}
