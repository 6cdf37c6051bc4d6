package layout

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// decoder reads fields and keeps them in an outline.
type decoder struct {
	r     *wire.Reader
	input []byte // all that r reads
	base  int    // where input begins in the message
	depth int    // how many extensions deep input is
	known bool   // whether to refuse versions and cipher suites that are not known

	at   *outline.Node // what fields are added to; nil if they are not kept
	left *int          // how many more nodes may be kept

	message *Message // nil if nothing is kept
	path    []step   // to the field that is being read
	err     *Error   // the first
}

// step is the name of a field, or "" and the place of an element in a list.
type step struct {
	name  string
	index int
}

// whole reads a kind and demands that nothing follows.
func (d *decoder) whole(k Kind) error {
	reader(k)(d)
	return d.done(k)
}

func (d *decoder) done(k Kind) error {
	if n := len(d.input) - d.r.Offset(); d.r.Err() == nil && n > 0 {
		d.err = &Error{Offset: d.base + d.r.Offset(), Want: "the end",
			Err: fmt.Errorf("%s behind the value", outline.Size(n))}
	}
	if d.err == nil {
		return nil
	}
	d.err.Kind = k
	return d.err
}

// failed notes where the reading failed, if it just did: in the field that is being
// read, where want says what should be.
func (d *decoder) failed(want string) bool {
	err := d.r.Err()
	if err == nil {
		return false
	}
	if d.err == nil {
		d.err = &Error{Offset: d.base, Path: d.where(), Want: want, Err: err}
		if e := (*wire.Error)(nil); errors.As(err, &e) {
			d.err.Offset, d.err.Err = d.base+e.Offset, e.Err
			if errors.Is(err, wire.ErrTruncated) {
				d.err.Want += d.length(want, e.Offset)
			}
		}
		if e := (misfit{}); errors.As(err, &e) {
			d.err.Offset = d.base + e.start
		}
	}
	return true
}

// misfit is a value that may not be where it is.
type misfit struct {
	start int // its offset in the reader's input
	what  string
}

func (m misfit) Error() string { return m.what }

// misfit fails the reading with a value that began at start.
func (d *decoder) misfit(start int, format string, args ...any) {
	d.r.Fail(misfit{start, fmt.Sprintf(format, args...)})
}

// length says how long a vector claims to be that does not fit, if that is what is
// wrong at an offset.
func (d *decoder) length(want string, offset int) string {
	if !strings.HasSuffix(want, "<V>") || offset >= len(d.input) {
		return ""
	}
	b := d.input[offset:]
	size := 1 << (b[0] >> 6)
	if size > 4 || len(b) < size {
		return ""
	}
	n := uint32(b[0] & 0x3f)
	for _, x := range b[1:size] {
		n = n<<8 | uint32(x)
	}
	return " of " + outline.Size(int(n))
}

// where is the path to the field that is being read.
func (d *decoder) where() string {
	var b strings.Builder
	for i, s := range d.path {
		switch {
		case s.name == "":
			fmt.Fprintf(&b, "[%d]", s.index)
		case i > 0:
			b.WriteString("." + s.name)
		default:
			b.WriteString(s.name)
		}
	}
	return b.String()
}

// keep adds a field to the outline.
func (d *decoder) keep(n *outline.Node) *outline.Node {
	if d.at == nil {
		return nil
	}
	*d.left--
	return d.at.Add(n)
}

// value reads a field of one value.
func value[T any](d *decoder, name, want string, read func() T, show func(T) outline.Value) T {
	d.path = append(d.path, step{name: name})
	v := read()
	if !d.failed(want) && d.at != nil {
		d.keep(&outline.Node{Name: name, Value: show(v)})
	}
	d.path = d.path[:len(d.path)-1]
	return v
}

// opaque reads an opaque<V>.
func (d *decoder) opaque(name string) []byte {
	return value(d, name, "opaque<V>", d.r.Opaque, func(b []byte) outline.Value { return outline.Bytes{Data: b} })
}

// text reads an opaque<V> that people may be able to read.
func (d *decoder) text(name string) []byte {
	return value(d, name, "opaque<V>", d.r.Opaque, func(b []byte) outline.Value { return outline.Bytes{Data: b, Text: true} })
}

func (d *decoder) uint32(name string) uint32 {
	return value(d, name, "uint32", d.r.Uint32, func(v uint32) outline.Value { return outline.Number(v) })
}

func (d *decoder) uint64(name string) uint64 {
	return value(d, name, "uint64", d.r.Uint64, func(v uint64) outline.Value { return outline.Number(v) })
}

func (d *decoder) time(name string) {
	value(d, name, "uint64", d.r.Uint64, func(v uint64) outline.Value { return outline.Time(v) })
}

// code8 reads an enum of 8 bits, of which the values 1 to the number of names
// exist.
func (d *decoder) code8(name string, names []string) uint8 {
	want := fmt.Sprintf("1 to %d (%s)", len(names), strings.Join(names, ", "))
	read := func() uint8 {
		start := d.r.Offset()
		v := d.r.Uint8()
		if d.r.Err() == nil && (v < 1 || int(v) > len(names)) {
			d.misfit(start, "got %d", v)
		}
		return v
	}
	return value(d, name, want, read, func(v uint8) outline.Value {
		return outline.Code{Name: names[v-1], Number: uint64(v)}
	})
}

// code16 reads an enum of 16 bits. ok says which values may be there; nil allows
// all.
func (d *decoder) code16(name string, names func(uint16) string, want string, ok func(uint16) bool) uint16 {
	read := func() uint16 {
		start := d.r.Offset()
		v := d.r.Uint16()
		if d.r.Err() == nil && ok != nil && !ok(v) {
			d.misfit(start, "got %d", v)
		}
		return v
	}
	return value(d, name, want, read, func(v uint16) outline.Value {
		return outline.Code{Name: names(v), Number: uint64(v)}
	})
}

// maxCodes is how many elements of a list of enums or numbers are kept.
const maxCodes = 1 << 10

// numbers reads a vector of numbers.
func (d *decoder) numbers(name, want string, read func() uint32) {
	value(d, name, want+" in a vector<V>", func() (n outline.Numbers) {
		d.r.Vector(func() {
			v := read()
			if len(n.List) < maxCodes && d.at != nil {
				n.List = append(n.List, uint64(v))
			} else {
				n.More++
			}
		})
		*d.left -= len(n.List)
		return n
	}, func(n outline.Numbers) outline.Value { return n })
}

// codes reads a vector of enums of 16 bits.
func (d *decoder) codes(name string, names func(uint16) string) {
	value(d, name, "uint16 in a vector<V>", func() (c outline.Codes) {
		d.r.Vector(func() {
			v := d.r.Uint16()
			if len(c.List) < maxCodes && d.at != nil {
				c.List = append(c.List, outline.Code{Name: names(v), Number: uint64(v)})
			} else {
				c.More++
			}
		})
		*d.left -= len(c.List)
		return c
	}, func(c outline.Codes) outline.Value { return c })
}

// group reads a field that is a struct.
func (d *decoder) group(name string, read func()) *outline.Node {
	return d.into(name, &outline.Node{Name: name}, read)
}

// into reads with n as what is read.
func (d *decoder) into(name string, n *outline.Node, read func()) *outline.Node {
	up := d.at
	if n = d.keep(n); n != nil {
		d.at = n
	}
	d.path = append(d.path, step{name: name})
	read()
	d.path = d.path[:len(d.path)-1]
	d.at = up
	return n
}

// list reads a vector of structs or of single values.
func (d *decoder) list(name string, read func()) *outline.Node {
	n := &outline.Node{Name: name, List: true}
	return d.into(name, n, func() {
		i := 0
		d.r.Vector(func() {
			d.element(n, i, read)
			i++
		})
		d.failed("vector<V>")
	})
}

// element reads element i of the list n, and keeps it if there is room.
func (d *decoder) element(n *outline.Node, i int, read func()) {
	up := d.at
	switch {
	case d.at == nil:
	case *d.left <= 0:
		n.More++
		d.at = nil
	default:
		d.at = d.keep(&outline.Node{})
	}
	d.path = append(d.path, step{index: i})
	read()
	d.path = d.path[:len(d.path)-1]
	d.at = up
}

// optional reads an optional<T>. read reads a T as the field of that name.
func (d *decoder) optional(name string, read func()) {
	there := d.r.Optional(read)
	d.path = append(d.path, step{name: name})
	if !d.failed("0 or 1") && !there {
		d.keep(&outline.Node{Name: name, Value: outline.Absent("absent")})
	}
	d.path = d.path[:len(d.path)-1]
}

// from returns what has been read since an offset of the reader.
func (d *decoder) from(offset int) []byte { return slices.Clip(d.input[offset:d.r.Offset()]) }

// inside reads the data of an extension or component, which was read last, as a
// derived field. Data that does not have the layout that its type promises stays
// what it is, with a note.
func (d *decoder) inside(name string, data []byte, read func(*decoder)) {
	n := d.keep(&outline.Node{Name: name, Derived: true})
	inner := &decoder{
		r: wire.NewReader(data), input: data, base: d.base + d.r.Offset() - len(data), depth: d.depth + 1,
		at: n, left: d.left, message: d.message, path: append(slices.Clip(d.path), step{name: name}),
	}
	read(inner)
	if err := inner.done(Kind(name)); err != nil {
		*n = outline.Node{Name: name, Derived: true, Value: outline.Text("not well-formed: " + err.Error()), Verdict: outline.Bad}
		d.problem(name)
		return
	}
	if len(n.Kids) == 1 && n.Kids[0].Name == name { // once is enough
		*n = *n.Kids[0]
		n.Derived = true
	}
}

// problem notes that a check of a field found something wrong.
func (d *decoder) problem(name string) {
	if d.message != nil {
		path := d.where()
		if path != "" {
			path += "."
		}
		d.message.Problems = append(d.message.Problems, path+name)
	}
}
