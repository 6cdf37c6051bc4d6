// Package outline holds a message as a tree of named fields and writes it as an
// outline for people or as JSON for programs. It knows no protocol: what reads
// messages makes [Node] values, and this package decides how they look.
//
// Text may hold what came from strangers. The outline quotes it, so that none of
// it reaches a terminal as anything but printable characters; names and notes
// are the program's own words.
package outline

// Node is a field and what is in it: a value, the fields of a struct, or the
// elements of a list.
type Node struct {
	Name string // of the field; elements of a list have none
	// Value is nil for a struct and for a list.
	Value Value
	// Kids are the fields of a struct or the elements of a list.
	Kids []*Node
	// List says that Kids are elements. A list may have more than were kept.
	List bool
	More int
	// Brief is what a large list is shown as, unless all is wanted. JSON always has
	// all.
	Brief string
	// Derived says that the field is not part of the message but was worked out
	// from it. JSON has such fields of a struct under the name "derived".
	Derived bool
	// Verdict is what a check found, for the colour of the value.
	Verdict Verdict
}

// Verdict is what a check of a field found.
type Verdict uint8

const (
	Unchecked Verdict = iota
	Good
	Bad
)

// Value is what a field holds: [Bytes], [Number], [Time], [Millis], [Bool], [Code],
// [Codes], [Numbers], [Text], [Quoted] or [Absent].
type Value interface{ value() }

// Bytes are an opaque value. Those that are printable text are shown as such if
// Text says so.
type Bytes struct {
	Data []byte
	Text bool
}

// Number is an integer.
type Number uint64

// Time is a number of seconds since 1970 that says when.
type Time uint64

// Millis is a number of milliseconds since 1970 that says when.
type Millis uint64

// Bool is a truth value.
type Bool bool

// Code is a value of an enum, with its name in the specification.
type Code struct {
	Name   string `json:"name"`
	Number uint64 `json:"number"`
}

// Codes are a list of enums, which takes a few lines instead of one for each. A
// list may have more than were kept.
type Codes struct {
	List []Code
	More int
}

// Numbers are a list of integers. A list may have more than were kept.
type Numbers struct {
	List []uint64
	More int
}

// Text is the program's own words.
type Text string

// Quoted is text that a stranger wrote.
type Quoted string

// Absent is an optional value that is not there, and the word for that.
type Absent string

func (Bytes) value()   {}
func (Number) value()  {}
func (Time) value()    {}
func (Millis) value()  {}
func (Bool) value()    {}
func (Code) value()    {}
func (Codes) value()   {}
func (Numbers) value() {}
func (Text) value()    {}
func (Quoted) value()  {}
func (Absent) value()  {}

// Add appends a field and returns it.
func (n *Node) Add(kid *Node) *Node {
	n.Kids = append(n.Kids, kid)
	return kid
}

// Derive appends a derived field and returns it.
func (n *Node) Derive(name string, v Value) *Node {
	return n.Add(&Node{Name: name, Value: v, Derived: true})
}
