// Package trace keeps the journal of a simulation and draws from it.
//
// A [Journal] is JSON Lines (https://jsonlines.org): one [Entry] to a line, in
// the order of virtual time, with the fields always in the same order, so that
// two runs of one seed have the same bytes.
//
//	{"at":52000000,"node":"gatekeeper","event":"receive","peer":"alice","id":"m1","kind":"message","size":412}
//
// [Read] takes exactly what a Journal writes. [Sequence] draws the life of one
// message as a sequence diagram, and [Diagram] one of any entries.
//
// It decides nothing: what is an event, and what a node learns from it, is for
// the model and its checks.
package trace

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Event says what happened. The constants are those that diagrams draw in a way
// of their own; others are words of lower-case letters, digits and dashes.
type Event string

// What happens to a frame between Node and Peer.
const (
	Send    Event = "send"    // Node hands a frame for Peer to the link
	Receive Event = "receive" // Node gets a frame from Peer
	Drop    Event = "drop"    // a frame from Node to Peer is lost on its way
)

// What happens to a message within Node.
const (
	Seal    Event = "seal"    // encrypted
	Open    Event = "open"    // decrypted
	Store   Event = "store"   // kept for a peer that is not there
	Deliver Event = "deliver" // shown to the user
	Reject  Event = "reject"  // refused or given up
)

// What happens to Node itself; the ID is empty.
const (
	Crash   Event = "crash"
	Restart Event = "restart"
	Offline Event = "offline"
	Online  Event = "online"
)

// Entry is a line of the journal.
type Entry struct {
	At    des.Time `json:"at"`    // nanoseconds since the start of the run
	Node  string   `json:"node"`  // where it happened; never empty
	Event Event    `json:"event"` // what happened; never empty
	Peer  string   `json:"peer,omitempty"`
	ID    string   `json:"id,omitempty"`   // of the message it belongs to
	Kind  string   `json:"kind,omitempty"` // of stanza: "message", "receipt"
	Size  int      `json:"size,omitempty"` // in bytes, of the frame
	Note  string   `json:"note,omitempty"` // for people
}

// What is wrong with an entry.
var (
	errTime  = errors.New("at: negative, want nanoseconds since the start")
	errNode  = errors.New("node: empty, want a name")
	errEvent = errors.New("event: want a word of lower-case letters, digits and dashes")
	errSize  = errors.New("size: negative, want bytes")
	errUTF8  = errors.New("not valid UTF-8")
)

func (e *Entry) validate() error {
	switch {
	case e.At < 0:
		return errTime
	case e.Node == "":
		return errNode
	case !isWord(string(e.Event)):
		return errEvent
	case e.Size < 0:
		return errSize
	}
	for _, f := range [...]struct{ name, s string }{
		{"node", e.Node}, {"peer", e.Peer}, {"id", e.ID}, {"kind", e.Kind}, {"note", e.Note},
	} {
		if !utf8.ValidString(f.s) {
			return fmt.Errorf("%s: %w", f.name, errUTF8)
		}
	}
	return nil
}

func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}
