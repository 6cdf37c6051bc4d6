package stanza

import (
	"encoding/binary"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// AppendBinary appends the binary form of a tree to dst. It refuses what
// [Node.Validate] refuses and what would be longer than [MaxSize], and then
// returns dst as it was. It does not allocate if dst has room.
func AppendBinary(dst []byte, n Node) ([]byte, error) {
	return appendBinary(nil, DictionaryVersion<<4, dst, n)
}

func appendBinary(d *Dictionary, header byte, dst []byte, n Node) ([]byte, error) {
	e := encoder{dict: d, out: append(dst, header)}
	e.node(&n, 1)
	if e.err == nil && len(e.out)-len(dst) > MaxSize {
		e.err = &FormatError{Check: CheckSize, Where: n.Tag, Offset: -1}
	}
	if e.err != nil {
		return dst, e.err
	}
	return e.out, nil
}

// encoder appends to out until the first error.
type encoder struct {
	dict  *Dictionary // nil is the project's own
	out   []byte
	nodes int
	head  int // where the count of the element is that begin began
	err   error
}

func (e *encoder) fail(c Check, where string) {
	if e.err == nil {
		e.err = &FormatError{Check: c, Where: where, Offset: -1}
	}
}

// node writes a list of the tag, the attributes' names and values, and the
// content if there is any.
func (e *encoder) node(n *Node, depth int) {
	if e.nodes++; e.nodes > MaxNodes {
		e.fail(CheckNodes, n.Tag)
	}
	if e.err == nil {
		e.err = n.validateShape(depth)
	}
	if e.err != nil {
		return
	}
	items := 1 + 2*len(n.Attrs)
	if len(n.Data)+len(n.Children) > 0 {
		items++
	}
	e.list(items)
	e.name(n, n.Tag)
	for i := range n.Attrs {
		e.name(n, n.Attrs[i].Name)
		e.value(n, &n.Attrs[i])
	}
	switch {
	case len(n.Children) > 0:
		e.list(len(n.Children))
		for i := range n.Children {
			e.node(&n.Children[i], depth+1)
		}
	case len(n.Data) > 0:
		e.length(len(n.Data))
		e.out = append(e.out, n.Data...)
	}
}

// list writes the head of a list of 1 to 65535 items; MaxNodes and MaxAttrs keep
// lists below that.
func (e *encoder) list(items int) {
	switch {
	case items < 1<<8:
		e.out = append(e.out, markerList8, byte(items))
	case items < 1<<16:
		e.out = append(e.out, markerList16, byte(items>>8), byte(items))
	default:
		e.fail(CheckNodes, "")
	}
}

// length writes the head of raw bytes.
func (e *encoder) length(n int) {
	switch {
	case n < 1<<8:
		e.out = append(e.out, markerBytes8, byte(n))
	case n < 1<<20:
		e.out = append(e.out, markerBytes20, byte(n>>16), byte(n>>8), byte(n))
	case n <= MaxSize:
		e.out = append(e.out, markerBytes32)
		e.out = binary.BigEndian.AppendUint32(e.out, uint32(n))
	default:
		e.fail(CheckSize, "")
	}
}

// name writes a tag or the name of an attribute: a token or raw.
func (e *encoder) name(n *Node, s string) {
	t := e.dict.find(s)
	if !t.isName && !validName(s) {
		e.fail(CheckName, nameIn(n, s))
		return
	}
	if t.code != 0 {
		e.token(t.code)
		return
	}
	e.length(len(s))
	e.out = append(e.out, s...)
}

// nameIn says where in n a name stands.
func nameIn(n *Node, name string) string {
	if name == n.Tag {
		return name
	}
	return n.Tag + "/@" + name
}

// value writes the value of an attribute in the form that chooseForm says.
func (e *encoder) value(n *Node, a *Attr) {
	form, code, addr := e.dict.chooseForm(a.Value)
	switch form {
	case formToken:
		e.token(code)
	case formNibble, formHex:
		e.packed(form, a.Value)
	case formAddress:
		e.addressValue(addr)
	case formRaw:
		e.length(len(a.Value))
		e.out = append(e.out, a.Value...)
	case formNone:
		e.fail(CheckValue, n.Tag+"/@"+a.Name)
	}
}

func (e *encoder) token(code uint16) {
	if code >= 1<<8 {
		e.out = append(e.out, byte(code>>8))
	}
	e.out = append(e.out, byte(code))
}

// form is one of the ways to write the value of an attribute. The encoder takes
// the first that fits; the decoder refuses every other.
type form int

const (
	formToken   form = iota // what is in the dictionary
	formNibble              // 1 to maxPacked of the nibble alphabet
	formHex                 // 1 to maxPacked of the hex alphabet
	formAddress             // what an address marker can hold
	formRaw                 // any other value
	formNone                // no value that may be written
)

// chooseForm returns the form of a value, with the token's code or the address
// if that is the form.
func (d *Dictionary) chooseForm(s string) (form, uint16, ident.Address) {
	if d.bare(s) {
		return formAddress, 0, ident.Address{Server: ident.Server(s)}
	}
	all, any := scan(s)
	packs := all&(classNibble|classHex) != 0 && 0 < len(s) && len(s) <= maxPacked
	if !packs || len(s) <= maxPackedToken || d != nil {
		if t := d.find(s); t.code != 0 {
			return formToken, t.code, ident.Address{}
		}
	}
	switch {
	case packs && all&classNibble != 0:
		return formNibble, 0, ident.Address{}
	case packs:
		return formHex, 0, ident.Address{}
	case !validScanned(s, any):
		return formNone, 0, ident.Address{}
	case any&classAt != 0:
		if a, err := ident.ParseAddress(s); err == nil && markerOf(a) != 0 {
			return formAddress, 0, a
		}
	}
	return formRaw, 0, ident.Address{}
}

// markerOf returns the marker that holds an address with a user, or 0 if none
// does: the only device marker for users counts devices in one byte.
func markerOf(a ident.Address) byte {
	switch {
	case a.Server == ident.Interop:
		return markerInterop
	case a.Server == ident.Messenger:
		return markerMessenger
	case a.Device == 0:
		return markerPair
	case a.Device < 1<<8:
		return markerDevice
	}
	return 0
}

// packed writes two characters a byte.
func (e *encoder) packed(f form, s string) {
	marker, codes := byte(markerNibble), &nibbleCode
	if f == formHex {
		marker, codes = markerHex, &hexCode
	}
	size := byte(len(s)+1) / 2
	if len(s)%2 == 1 {
		size |= 0x80
	}
	e.out = append(e.out, marker, size)
	for ; len(s) >= 2; s = s[2:] {
		e.out = append(e.out, codes[s[0]]<<4|codes[s[1]])
	}
	if len(s) == 1 {
		e.out = append(e.out, codes[s[0]]<<4|0x0F)
	}
}

// addressValue writes an address that has a user part. Bare servers are tokens, but with
// another's dictionary.
func (e *encoder) addressValue(a ident.Address) {
	if a.User == "" {
		e.out = append(e.out, markerPair, markerEmpty)
		e.server(a.Server)
		return
	}
	marker := markerOf(a)
	e.out = append(e.out, marker)
	if marker == markerDevice {
		e.out = append(e.out, domainUser, byte(a.Device))
		e.user(a.User)
		return
	}
	e.user(a.User)
	if marker != markerPair {
		e.out = binary.BigEndian.AppendUint16(e.out, a.Device)
	}
	if marker == markerInterop {
		e.out = binary.BigEndian.AppendUint16(e.out, a.Integrator)
	}
	e.server(a.Server)
}

// server writes a server, which another's dictionary may not have.
func (e *encoder) server(s ident.Server) {
	if t := e.dict.find(string(s)); t.code != 0 {
		e.token(t.code)
		return
	}
	e.length(len(s))
	e.out = append(e.out, s...)
}

// user writes an account or group number, whose characters are all nibbles.
func (e *encoder) user(s string) {
	if t := e.dict.find(s); t.code != 0 {
		e.token(t.code)
		return
	}
	e.packed(formNibble, s)
}

// Alphabets of packing.
const (
	nibbleAlphabet = "0123456789-."
	hexAlphabet    = "0123456789ABCDEF"
)

var nibbleCode, hexCode = packingCodes(nibbleAlphabet), packingCodes(hexAlphabet)

func packingCodes(alphabet string) (t [256]byte) {
	for i := range alphabet {
		t[alphabet[i]] = byte(i)
	}
	return t
}
