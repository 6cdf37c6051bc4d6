package stanza

import (
	"strconv"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// fields reads attributes and children into Go values and keeps the first
// failure, so that a parser reads straight through.
type fields struct{ err error }

func (f *fields) fail(c Check, where, detail string) {
	if f.err == nil {
		f.err = &FormatError{Check: c, Where: where, Offset: -1, Detail: detail}
	}
}

func (f *fields) failAttr(n *Node, a *Attr, expected string) {
	f.fail(CheckField, n.Tag+"/@"+a.Name, strconv.Quote(a.Value)+", expected "+expected)
}

// require fails if a part of an element is missing. what is "@name" for an attribute.
func (f *fields) require(tag string, ok bool, what string) {
	if !ok {
		f.fail(CheckMissing, tag+"/"+what, "")
	}
}

// once fails if a part of n was seen before.
func (f *fields) once(n *Node, first bool, what string) {
	if !first {
		f.fail(CheckRepeat, n.Tag+"/"+what, "")
	}
}

// text reads a value that must not be empty.
func (f *fields) text(n *Node, a *Attr) string {
	if a.Value == "" {
		f.failAttr(n, a, "a value")
	}
	return a.Value
}

// wantAddress is what an error says of an address that is none.
const wantAddress = "an address such as 42@msgr"

func (f *fields) address(n *Node, a *Attr) ident.Address {
	addr, err := ident.ParseAddress(a.Value)
	if err != nil {
		f.failAttr(n, a, wantAddress)
	}
	return addr
}

// number reads a decimal number between lo >= 0 and hi.
func (f *fields) number(n *Node, a *Attr, lo, hi int64) int64 {
	v, ok := parseNumber(a.Value)
	if !ok || v < lo || v > hi {
		f.failAttr(n, a, "a number from "+strconv.FormatInt(lo, 10)+" to "+strconv.FormatInt(hi, 10))
		return 0
	}
	return v
}

// parseNumber reads decimal digits without sign and leading zeros, at most 18.
func parseNumber(s string) (int64, bool) {
	if s == "" || len(s) > 18 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var v int64
	for i := 0; i < len(s); i++ {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + int64(d)
	}
	return v, true
}

// wide reads a number of 64 bits, from 1.
func (f *fields) wide(n *Node, a *Attr) uint64 {
	r := attrReader{f: f, tag: n.Tag, name: a.Name, text: a.Value}
	return r.wide(1)
}

// maxTime bounds timestamps: year 9999 in Unix seconds.
const maxTime = 253402300799

func (f *fields) time(n *Node, a *Attr) int64 { return f.number(n, a, 1, maxTime) }

// maxCount bounds counters.
const maxCount = 1<<31 - 1

// one reads a value that is one of few.
func one[T ~string](f *fields, n *Node, a *Attr, known ...T) T {
	for _, k := range known {
		if a.Value == string(k) {
			return k
		}
	}
	f.failAttr(n, a, "a known value")
	return ""
}

// bigEndian reads an unsigned number of exactly size bytes.
func (f *fields) bigEndian(n *Node, size int) uint32 {
	if len(n.Data) != size {
		f.fail(CheckField, n.Tag, strconv.Itoa(len(n.Data))+" bytes, expected "+strconv.Itoa(size))
		return 0
	}
	var v uint32
	for _, b := range n.Data {
		v = v<<8 | uint32(b)
	}
	return v
}

// bytes reads data of exactly size bytes, or of at least one if size is 0.
func (f *fields) bytes(n *Node, size int) []byte {
	if len(n.Data) == 0 || size > 0 && len(n.Data) != size {
		expected := "some"
		if size > 0 {
			expected = strconv.Itoa(size)
		}
		f.fail(CheckField, n.Tag, strconv.Itoa(len(n.Data))+" bytes, expected "+expected)
		return nil
	}
	return n.Data
}

func utoa(v uint64) string { return strconv.FormatUint(v, 10) }

func itoa(v int64) string { return strconv.FormatInt(v, 10) }

// builder collects the attributes of a node, leaving zero values out.
type builder []Attr

func (b *builder) text(name, v string) {
	if v != "" {
		*b = append(*b, Attr{name, v})
	}
}

func (b *builder) address(name string, a ident.Address) {
	if present(a) {
		*b = append(*b, Attr{name, a.String()})
	}
}

func (b *builder) uri(name string, u ident.URI) {
	if !u.IsZero() {
		*b = append(*b, Attr{name, u.String()})
	}
}

// wide writes a number of 64 bits.
func (b *builder) wide(name string, v uint64) {
	if v != 0 {
		*b = append(*b, Attr{name, utoa(v)})
	}
}

func (b *builder) number(name string, v int64) {
	if v != 0 {
		*b = append(*b, Attr{name, itoa(v)})
	}
}
