package stanza

import (
	"bytes"
	"unicode/utf8"
)

// Limits that hold in both codecs and both directions. They are choices of this
// implementation: the sizes of the gatekeeper's own limits are not public.
const (
	// MaxSize is the largest encoded stanza in bytes, in either codec and, for
	// the compressed binary form, after decompression. It is what fits a Noise
	// frame with a 3-byte length and a 16-byte tag.
	MaxSize = 1<<24 - 1 - 16
	// MaxDepth is how deep nodes may nest; the stanza itself is at depth 1.
	MaxDepth = 16
	// MaxNodes is the number of nodes in one stanza, itself included.
	MaxNodes = 1 << 16
	// MaxAttrs is the number of attributes of one node.
	MaxAttrs = 32
	// MaxName is the length of a tag or an attribute's name in bytes.
	MaxName = 64
	// MaxValue is the length of an attribute's value in bytes.
	MaxValue = 4096
)

// Node is one element of a stanza: the tree that both codecs carry.
//
// A node has either children or data, or neither; empty and nil mean the same.
// Tags and attribute names are ASCII: a letter or '_', then letters, digits,
// '_', '-' and '.'. Attribute values are UTF-8 without control characters. Data
// is any bytes. The order of attributes is kept and means nothing.
//
// A node keeps what its reader does not know: unknown attributes and children
// must be ignored but are preserved, so a proxy that decodes and encodes a
// stanza loses nothing.
type Node struct {
	Tag      string
	Attrs    []Attr
	Children []Node
	Data     []byte
}

// Attr is one attribute of a [Node].
type Attr struct{ Name, Value string }

// Node returns n itself, so that a tree may stand where a typed [Stanza] may.
func (n Node) Node() Node { return n }

// Attr returns the value of an attribute and whether the node has it.
func (n *Node) Attr(name string) (value string, ok bool) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return n.Attrs[i].Value, true
		}
	}
	return "", false
}

// Child returns the first child with the given tag, or nil. It points into n.
func (n *Node) Child(tag string) *Node {
	for i := range n.Children {
		if n.Children[i].Tag == tag {
			return &n.Children[i]
		}
	}
	return nil
}

// Equal reports whether two nodes are the same tree with their attributes in
// the same order.
func (n *Node) Equal(m *Node) bool {
	if n.Tag != m.Tag || len(n.Attrs) != len(m.Attrs) || len(n.Children) != len(m.Children) || !bytes.Equal(n.Data, m.Data) {
		return false
	}
	for i := range n.Attrs {
		if n.Attrs[i] != m.Attrs[i] {
			return false
		}
	}
	for i := range n.Children {
		if !n.Children[i].Equal(&m.Children[i]) {
			return false
		}
	}
	return true
}

// Validate reports the first rule of a [Node] or limit of this package that the
// tree breaks, as a *[FormatError]. The encoders check the same.
func (n *Node) Validate() error {
	nodes := 0
	return n.validate(1, &nodes)
}

func (n *Node) validate(depth int, nodes *int) error {
	if *nodes++; *nodes > MaxNodes {
		return &FormatError{Check: CheckNodes, Where: n.Tag, Offset: -1}
	}
	if err := n.validateShape(depth); err != nil {
		return err
	}
	if !validName(n.Tag) {
		return &FormatError{Check: CheckName, Where: n.Tag, Offset: -1}
	}
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if !validName(a.Name) {
			return &FormatError{Check: CheckName, Where: n.Tag + "/@" + a.Name, Offset: -1}
		}
		if !validValue(a.Value) {
			return &FormatError{Check: CheckValue, Where: n.Tag + "/@" + a.Name, Offset: -1}
		}
	}
	for i := range n.Children {
		if err := n.Children[i].validate(depth+1, nodes); err != nil {
			return err
		}
	}
	return nil
}

// validateShape checks everything of one node but the spelling of its strings.
func (n *Node) validateShape(depth int) error {
	switch {
	case depth > MaxDepth:
		return &FormatError{Check: CheckDepth, Where: n.Tag, Offset: -1}
	case len(n.Attrs) > MaxAttrs:
		return &FormatError{Check: CheckAttrs, Where: n.Tag, Offset: -1}
	case len(n.Data) > 0 && len(n.Children) > 0:
		return &FormatError{Check: CheckContent, Where: n.Tag, Offset: -1}
	}
	if i := duplicate(n.Attrs); i >= 0 {
		return &FormatError{Check: CheckDuplicate, Where: n.Tag + "/@" + n.Attrs[i].Name, Offset: -1}
	}
	return nil
}

// duplicate returns the index of the first attribute whose name occurred
// before, or -1. It is quadratic in at most MaxAttrs.
func duplicate(attrs []Attr) int {
	for i := 1; i < len(attrs); i++ {
		for j := range i {
			if attrs[i].Name == attrs[j].Name {
				return i
			}
		}
	}
	return -1
}

// Classes of bytes.
const (
	classStart   = 1 << iota // may start a name
	className                // may follow in a name
	classControl             // U+0000 to U+001F and U+007F
	classHigh                // part of a character beyond ASCII
	classNibble              // has a code in nibble packing
	classHex                 // has a code in hex packing
	classAt                  // "@"
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		b := byte(c)
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '_':
			t[b] |= classStart | className
		case b >= '0' && b <= '9':
			t[b] |= className | classNibble | classHex
		case b == '-', b == '.':
			t[b] |= className | classNibble
		case b < 0x20, b == 0x7f:
			t[b] |= classControl
		case b >= utf8.RuneSelf:
			t[b] |= classHigh
		case b == '@':
			t[b] |= classAt
		}
		if b >= 'A' && b <= 'F' {
			t[b] |= classHex
		}
	}
	return t
}()

func validName(s string) bool {
	if s == "" || len(s) > MaxName || class[s[0]]&classStart == 0 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if class[s[i]]&className == 0 {
			return false
		}
	}
	return true
}

// scan returns the classes that all bytes of s have, and those that any has.
func scan(s string) (all, any uint8) {
	all = 0xFF
	for i := 0; i < len(s); i++ {
		c := class[s[i]]
		all &= c
		any |= c
	}
	return all, any
}

func validValue(s string) bool {
	_, any := scan(s)
	return validScanned(s, any)
}

// validScanned is validValue for a value with the given classes.
func validScanned(s string, any uint8) bool {
	return len(s) <= MaxValue && any&classControl == 0 && (any&classHigh == 0 || validText(s))
}

// validText is validScanned for what holds more than ASCII.
func validText(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !xmlRune(r, size) || size == 1 && class[s[i]]&classControl != 0 {
			return false
		}
		i += size
	}
	return true
}

// xmlRune reports whether what utf8.DecodeRune returned is valid UTF-8 and, if
// it is beyond ASCII, a character of XML 1.0 (Section 2.2).
func xmlRune(r rune, size int) bool {
	return !(r == utf8.RuneError && size == 1) && r != 0xFFFE && r != 0xFFFF
}
