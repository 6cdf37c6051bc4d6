package content_test

import (
	"encoding/hex"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

const (
	alice = "mimi://a.example/u/alice"
	bob   = "mimi://b.example/u/bob"
	cathy = "mimi://c.example/u/cathy"
	room  = "mimi://a.example/r/clubhouse"
)

// library is the deterministic encoding of an implementation that is not this one.
var library = func() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// encoded is what is encoded already, perhaps wrongly.
type encoded []byte

// raw is an item as its encoding in hexadecimal.
func raw(s string) encoded {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// list is an array.
type list = []any

// The fields of a mimiContent by their place.
const (
	fieldSalt = iota
	fieldReplaces
	fieldTopic
	fieldExpires
	fieldInReplyTo
	fieldExtensions
	fieldPart
)

// encode encodes a message of which some fields are other than the plainest.
func encode(t testing.TB, fields map[int]any) []byte {
	t.Helper()
	m := list{make([]byte, 16), nil, []byte{}, nil, nil, map[any]any{}, list{0, "", 0}}
	for i, v := range fields {
		m[i] = v
	}
	b := []byte{0x87}
	for _, v := range m {
		if e, ok := v.(encoded); ok {
			b = append(b, e...)
		} else {
			b = append(b, pack(t, v)...)
		}
	}
	return b
}

// pack encodes anything.
func pack(t testing.TB, v any) []byte {
	t.Helper()
	b, err := library.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// single is a NestedPart of plain text.
func single(text string) list { return list{1, "", 1, content.TypePlain, []byte(text)} }

// external is a NestedPart with one field of its ExternalPart, counted from its
// content type, set to v.
func external(field int, v any) list {
	p := list{6, "", 2, "image/png", "https://a.example/1", 0, 0, 0, []byte{}, []byte{}, []byte{}, 0, []byte{}, "", ""}
	p[3+field] = v
	return p
}

// deep is a NestedPart of so many levels.
func deep(levels int) list {
	p := single("x")
	for range levels - 1 {
		p = list{1, "", 3, 2, list{p, single("y")}}
	}
	return p
}

// wide is a NestedPart of so many parts.
func wide(parts int) list {
	var kids list
	for range parts - 1 {
		kids = append(kids, list{0, "", 0})
	}
	return list{1, "", 3, 2, kids}
}

// newSuite returns a suite with AES-128-GCM and its own randomness.
func newSuite(t testing.TB) suite.Suite {
	t.Helper()
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{}, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newMessage makes a message of a sender in the room.
func newMessage(t testing.TB, s suite.Suite, sender string, body content.NestedPart) *content.Message {
	t.Helper()
	m, err := content.New(s, sender, room, body)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
