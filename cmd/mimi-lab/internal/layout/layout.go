// Package layout reads the structs of MLS and MIMI field by field, by the
// presentation language of RFC 9420 (https://www.rfc-editor.org/rfc/rfc9420),
// draft-ietf-mls-extensions-10 and draft-ietf-mimi-protocol-06, into outlines.
//
// It is a second reading beside packages message and mimi, which read whole values for
// those who compute with them. This one knows the name and the place of every
// field, so that it can show a message and can say in which field one goes wrong;
// it takes values for nothing. What both accept is the same, which tests demand
// of them. What it works out from a message (references, hashes, whether
// signatures verify) comes from message and tree.
//
// Start with [Read], or with [Guess] or [GuessBody] where the struct is not known.
package layout

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Kind is a struct that can be read on its own, under its name in RFC 9420.
type Kind string

// The kinds.
const (
	MLSMessage   Kind = "MLSMessage"
	KeyPackage   Kind = "KeyPackage"
	GroupInfo    Kind = "GroupInfo"
	Welcome      Kind = "Welcome"
	RatchetTree  Kind = "ratchet_tree" // the data of the extension; it has no struct
	LeafNode     Kind = "LeafNode"
	GroupContext Kind = "GroupContext"
	Commit       Kind = "Commit"
	Proposal     Kind = "Proposal"
)

// structure is a kind with what reads it.
type structure struct {
	kind Kind
	read func(*decoder)
}

// structs are the kinds of MLS in the order in which they are tried.
var structs = []structure{
	{MLSMessage, (*decoder).mlsMessage},
	{KeyPackage, (*decoder).keyPackage},
	{GroupInfo, (*decoder).groupInfo},
	{Welcome, (*decoder).welcome},
	{RatchetTree, func(d *decoder) { d.ratchetTree("ratchet_tree") }},
	{LeafNode, (*decoder).leafNode},
	{GroupContext, (*decoder).groupContext},
	{Commit, (*decoder).commit},
	{Proposal, (*decoder).proposal},
}

// Kinds returns the kinds of MLS.
func Kinds() []Kind { return kindsOf(structs) }

func kindsOf(list []structure) []Kind {
	var kinds []Kind
	for _, s := range list {
		kinds = append(kinds, s.kind)
	}
	return kinds
}

// ParseKind returns the kind of MLS that a name stands for: "KeyPackage" and also
// "key_package" or "key-package".
func ParseKind(name string) (Kind, bool) { return parseKind(structs, name) }

// ParseBody returns the kind of MIMI that a name stands for, as [ParseKind] does.
func ParseBody(name string) (Kind, bool) { return parseKind(bodies, name) }

func parseKind(list []structure, name string) (Kind, bool) {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
	}
	for _, s := range list {
		if plain(string(s.kind)) == plain(name) {
			return s.kind, true
		}
	}
	return "", false
}

// reader returns the function that reads a kind.
func reader(k Kind) func(*decoder) {
	for _, list := range [][]structure{structs, bodies, parts} {
		for _, s := range list {
			if s.kind == k {
				return s.read
			}
		}
	}
	panic("layout: invariant broken, every Kind is in a list: " + string(k))
}

// Message is a message that was read.
type Message struct {
	Kind   Kind
	Fields *outline.Node
	// Problems are the fields with a check that found something wrong.
	Problems []string
}

// maxNodes bounds how many fields of a message are kept: more than a thousand
// members' tree has. Elements of lists beyond it are counted.
const maxNodes = 1 << 20

// Read reads all of b as a kind. Its errors are of type [*Error].
func Read(b []byte, k Kind) (*Message, error) {
	m := &Message{Kind: k, Fields: &outline.Node{}}
	left := maxNodes
	d := &decoder{r: wire.NewReader(b), input: b, at: m.Fields, left: &left, message: m}
	return m, d.whole(k)
}

// Check says what is wrong with b as a kind, and keeps nothing.
func Check(b []byte, k Kind) error { return check(b, k, false) }

func check(b []byte, k Kind, known bool) error {
	d := &decoder{r: wire.NewReader(b), input: b, left: new(int), known: known}
	return d.whole(k)
}

// Guess returns the kind that b is: an MLSMessage if it can be, else the only other
// kind that fits. If several do, the only one with versions and cipher suites that
// are known. Its errors are of type [*GuessError].
func Guess(b []byte) (Kind, error) { return guess(b, structs, MLSMessage) }

// guess returns the kind of list that b is: sure if it can be.
func guess(b []byte, list []structure, sure Kind) (Kind, error) {
	e := &GuessError{}
	for _, s := range list {
		err := Check(b, s.kind)
		if err == nil && s.kind == sure {
			return s.kind, nil
		}
		if err == nil {
			e.Fits = append(e.Fits, s.kind)
			continue
		}
		e.Misfits = append(e.Misfits, err)
	}
	if len(e.Fits) > 1 {
		known := slices.DeleteFunc(slices.Clone(e.Fits), func(k Kind) bool { return check(b, k, true) != nil })
		if len(known) > 0 {
			e.Fits = known
		}
	}
	if len(e.Fits) == 1 {
		return e.Fits[0], nil
	}
	slices.SortStableFunc(e.Misfits, func(a, b error) int { return offset(b) - offset(a) })
	return "", e
}

// offset is where an error of Check is.
func offset(err error) int {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Offset
	}
	return 0
}

// GuessError says that bytes are none of the kinds, or several of them.
type GuessError struct {
	Fits    []Kind
	Misfits []error // what was wrong with each of the others, the furthest in first
}

// Error implements error. It takes a line for each kind that does not fit.
func (e *GuessError) Error() string {
	if len(e.Fits) > 1 {
		var names []string
		for _, k := range e.Fits {
			names = append(names, string(k))
		}
		return "may be any of " + strings.Join(names, ", ")
	}
	s := "fits none of the known structs; those that it fits furthest come first:"
	for _, m := range e.Misfits {
		s += "\n  " + m.Error()
	}
	return s
}

// Error says in which field a message goes wrong.
type Error struct {
	Kind   Kind
	Path   string // of the field: "key_package.leaf_node.signature"; "" for the whole
	Offset int    // in bytes
	Want   string // what should be there
	Err    error
}

// Error implements error.
func (e *Error) Error() string {
	where := fmt.Sprintf("at byte %d", e.Offset)
	if e.Path != "" {
		where += ", " + e.Path
	}
	return fmt.Sprintf("%s: %s: %v, want %s", e.Kind, where, e.Err, e.Want)
}

// Unwrap returns what went wrong: an error of package wire where it is one.
func (e *Error) Unwrap() error { return e.Err }

// points are the numbers of what draft-ietf-mls-extensions-10 defines.
var points = &message.DefaultCodePoints
