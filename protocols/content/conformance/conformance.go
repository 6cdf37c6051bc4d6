// Package conformance checks package content against the published examples: the
// messages of draft-ietf-mimi-content
// (https://github.com/ietf-wg-mimi/draft-ietf-mimi-content, examples) and the
// report of draft-mahy-mimi-message-status
// (https://github.com/rohanmahy/mimi-message-status). Start with [Check].
//
// An example is a file in CBOR and one in diagnostic notation. It passes if the
// first is read, is written again byte for byte, is what another implementation of
// CBOR makes of the second, and has the ID that a comment in the second says.
//
// One published file is left out, implied-original: what is in it is never sent,
// and in CBOR it has the ID of a message by an earlier revision of the draft.
package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// The sets of examples, as package vectors names their sources.
const (
	Messages = "mimi-content"
	Reports  = "mimi-status"
)

// Example is one of the examples.
type Example struct {
	Name  string // of its files, without ".cbor" and ".edn"
	About string
}

// sets holds the examples in the order of their files.
var sets = map[string][]Example{
	Messages: {
		{"attachment", "an encrypted video elsewhere"},
		{"conferencing", "a link to a session, in a topic"},
		{"delete", "a reply that is taken back"},
		{"edit", "a reply that is changed"},
		{"expiring", "a message that expires at a time"},
		{"mention-html", "a mention in HTML"},
		{"mention", "a mention in Markdown"},
		{"multipart-1", "a common and a vendor's format, of which to choose"},
		{"multipart-2", "three reactions at once"},
		{"multipart-3", "pictures and languages to choose, on four levels"},
		{"original", "a message in Markdown"},
		{"reaction", "a heart"},
		{"reply", "a reply in Markdown"},
		{"unlike", "a heart that is taken back"},
	},
	Reports: {{"status", "what became of four messages"}},
}

// Examples returns those of a set, none if there is no such set.
func Examples(set string) []Example { return slices.Clone(sets[set]) }

// ErrExample says that there is no such example.
var ErrExample = errors.New("no such example")

// Check verifies an example. It returns what differs, nothing if it passes. The
// error is [ErrExample].
func Check(set, name string, encoded, notation []byte) ([]string, error) {
	if !slices.ContainsFunc(sets[set], func(e Example) bool { return e.Name == name }) {
		return nil, fmt.Errorf("conformance: %s/%s: %w", set, name, ErrExample)
	}
	var c checker
	if set == Reports {
		c.report(encoded)
	} else {
		c.message(encoded, notation)
	}
	c.notation(encoded, notation)
	return c.differences, nil
}

// checker collects what differs.
type checker struct{ differences []string }

func (c *checker) fail(format string, args ...any) {
	c.differences = append(c.differences, fmt.Sprintf(format, args...))
}

// idComment is where an example says what its ID is.
var idComment = regexp.MustCompile(`message ID = h'([0-9a-f]{32})\s+#\s+([0-9a-f]{32})'`)

func (c *checker) message(encoded, notation []byte) {
	m, err := content.Parse(encoded)
	if err != nil {
		c.fail("read: %v", err)
		return
	}
	c.written(m.Marshal, encoded)
	sender, ok1 := m.SenderURI()
	room, ok2 := m.RoomURI()
	if !ok1 || !ok2 {
		c.fail("mimiExtensions: no senderUri or no roomUri, want both")
		return
	}
	id, err := m.ID(sender, room)
	if err != nil {
		c.fail("message ID: %v", err)
		return
	}
	switch want := idComment.FindSubmatch(notation); {
	case want == nil:
		c.fail("message ID: the example says none")
	case id.String() != string(want[1])+string(want[2]):
		c.fail("message ID: got %s, want %s%s", id, want[1], want[2])
	}
}

func (c *checker) report(encoded []byte) {
	r, err := content.ParseStatusReport(encoded)
	if err != nil {
		c.fail("read: %v", err)
		return
	}
	c.written(r.Marshal, encoded)
}

// written wants the bytes back that were read.
func (c *checker) written(marshal func() ([]byte, error), want []byte) {
	got, err := marshal()
	switch {
	case err != nil:
		c.fail("write: %v", err)
	case !bytes.Equal(got, want):
		c.fail("write: %s", difference(got, want))
	}
}

// notation compares the two forms of the example.
func (c *checker) notation(encoded, notation []byte) {
	v, err := parseEDN(notation)
	if err != nil {
		c.fail("diagnostic notation: %v", err)
		return
	}
	got, err := deterministic.Marshal(v)
	switch {
	case err != nil:
		c.fail("diagnostic notation: %v", err)
	case !bytes.Equal(got, encoded):
		c.fail("diagnostic notation: %s", difference(got, encoded))
	}
}

// deterministic is the encoding of RFC 8949, Section 4.2.1.
var deterministic = func() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("conformance: options of the CBOR library: " + err.Error())
	}
	return mode
}()

// difference says where two byte strings part.
func difference(got, want []byte) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("got %d bytes, want %d; from byte %d on got %x, want %x",
		len(got), len(want), i, got[i:min(len(got), i+8)], want[i:min(len(want), i+8)])
}
