package stanza

import (
	"strconv"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// attrReader walks the attributes of an element: those of a tree, or those that a
// decoder reads one after another.
type attrReader struct {
	f    *fields
	tag  string
	name string // of the present attribute

	tree []Attr // that follow the present one
	text string // its value

	d      *decoder // nil: of a tree
	left   int      // attributes that d has still to read
	unread bool     // the present one's value is ahead in d
	seen   [most]string
	n      int // names seen
}

// most is the largest number of attributes that the direct way reads: those of an ack.
const most = 14

func (f *fields) attrs(n *Node) attrReader { return attrReader{f: f, tag: n.Tag, tree: n.Attrs} }

// next moves to the next attribute and reports whether there is one.
func (r *attrReader) next() bool {
	if r.d != nil {
		return r.nextRead()
	}
	if len(r.tree) == 0 {
		return false
	}
	r.name, r.text, r.tree = r.tree[0].Name, r.tree[0].Value, r.tree[1:]
	return true
}

func (r *attrReader) nextRead() bool {
	if r.unread {
		r.value() // which nobody wanted
	}
	if r.left == 0 || r.d.err != nil {
		return false
	}
	r.left--
	r.name, r.unread = r.d.name(), true
	for _, s := range r.seen[:r.n] {
		if s == r.name {
			r.d.fail(CheckDuplicate, r.d.off)
		}
	}
	r.seen[r.n] = r.name
	r.n++
	return r.d.err == nil
}

// value returns the present attribute's value.
func (r *attrReader) value() string {
	if r.unread {
		r.unread = false
		r.text = r.d.value()
	}
	return r.text
}

func (r *attrReader) fail(expected string) {
	r.f.fail(CheckField, r.tag+"/@"+r.name, strconv.Quote(r.text)+", expected "+expected)
}

// filled is a value that must not be empty.
func (r *attrReader) filled() string {
	if r.value() == "" {
		r.fail("a value")
	}
	return r.text
}

func (r *attrReader) address() ident.Address {
	if r.unread {
		if a, ok := r.d.peekAddress(); ok {
			r.unread = false
			return a
		}
	}
	a, err := ident.ParseAddress(r.value())
	if err != nil {
		r.fail(wantAddress)
	}
	return a
}

// number is a decimal number between lo >= 0 and hi.
func (r *attrReader) number(lo, hi int64) int64 {
	v, ok := parseNumber(r.value())
	if !ok || v < lo || v > hi {
		r.fail("a number from " + strconv.FormatInt(lo, 10) + " to " + strconv.FormatInt(hi, 10))
		return 0
	}
	return v
}

// wide is a decimal number of 64 bits, at least lo.
func (r *attrReader) wide(lo uint64) uint64 {
	s := r.value()
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil || v < lo || len(s) > 1 && s[0] == '0' {
		r.fail("a number from " + utoa(lo) + " to 18446744073709551615")
		return 0
	}
	return v
}

// uri is a MIMI URI in canonical form.
func (r *attrReader) uri() ident.URI {
	u, err := ident.ParseURI(r.value())
	if err != nil || u.String() != r.text {
		r.fail("a MIMI URI in canonical form")
		return ident.URI{}
	}
	return u
}

func (r *attrReader) time() int64 { return r.number(1, maxTime) }

// oneOf is a value that is one of few.
func oneOf[T ~string](r *attrReader, known ...T) T {
	v := r.value()
	for _, k := range known {
		if v == string(k) {
			return k
		}
	}
	r.fail("a known value")
	return ""
}

// direct reads a stanza of the kinds that a service has most of, without making a
// tree. It returns nil, or leaves an error in d or f, if the stanza is of another kind
// or form or is malformed; the tree tells then what it is.
func (d *decoder) direct(f *fields) Stanza {
	r := attrReader{f: f, d: d}
	content := r.begin()
	switch {
	case r.tag == "ack" && !content:
		return readAck(&r)
	case r.tag == "receipt" && !content:
		k := readReceipt(&r)
		k.check(f)
		return k
	case r.tag == "message" && content:
		return d.directMessage(&r)
	}
	return nil
}

// begin reads the head of an element, up to its attributes, and reports whether
// content follows them.
func (r *attrReader) begin() (content bool) {
	d := r.d
	start := d.off
	items := d.list(d.byte(), start)
	r.tag, r.left = d.name(), (items-1)/2
	if r.left > most {
		d.fail(CheckAttrs, start) // or more than this way takes
	}
	return items%2 == 0
}

// directMessage reads a message with one <enc>, as those have that go from one user
// to another.
func (d *decoder) directMessage(r *attrReader) Stanza {
	m := d.newOneEnc()
	readMessage(r, &m.Message)
	start := d.off
	if d.list(d.byte(), start) != 1 {
		return nil
	}
	e := attrReader{f: r.f, d: d}
	if content := e.begin(); e.tag != "enc" || !content {
		return nil
	}
	m.enc[0] = readEnc(&e)
	start = d.off
	size := d.length(d.byte(), start)
	if m.enc[0].Payload = d.take(size); len(m.enc[0].Payload) == 0 {
		return nil
	}
	m.enc[0].check(e.f, e.tag)
	m.Enc = m.enc[:]
	m.check(r.f)
	return &m.Message
}

// peekAddress reads a value that is written as an address. Any other it leaves ahead.
func (d *decoder) peekAddress() (ident.Address, bool) {
	if d.err != nil || d.left() == 0 {
		return ident.Address{}, false
	}
	switch d.in[d.off] {
	case markerPair, markerDevice, markerMessenger, markerInterop:
		start := d.off
		return d.addressValue(d.byte(), start), true
	}
	return ident.Address{}, false
}
