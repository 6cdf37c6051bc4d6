package stanza

import (
	"encoding/binary"
	"strconv"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// ParseBinary reads one stanza in binary form, compressed or not. It shares no
// memory with b.
//
// A tree has one uncompressed form, the one that [AppendBinary] writes; every
// other is refused. So is anything after the stanza. The memory that a stanza
// takes is bounded by a constant factor of its decompressed size and by
// [MaxNodes]. Errors are a *[FormatError], whose offset counts in the
// decompressed form.
func ParseBinary(b []byte) (Node, error) {
	return parseBinary(nil, DictionaryVersion<<4, b, MaxSize)
}

// parseBinary is ParseBinary with a dictionary, nil for the own one, its header, and a
// bound on what a compressed stanza becomes.
func parseBinary(d *Dictionary, header byte, b []byte, limit int) (Node, error) {
	if len(b) > MaxSize {
		return Node{}, &FormatError{Check: CheckSize, Offset: MaxSize}
	}
	if len(b) == 0 {
		return Node{}, &FormatError{Check: CheckTruncated}
	}
	switch b[0] {
	case header:
		return parsePlain(d, b)
	case header | flagCompressed:
		z := inflaters.Get().(*inflater)
		defer z.release()
		plain, err := z.inflate(b, limit)
		if err != nil {
			return Node{}, err
		}
		return parsePlain(d, plain)
	}
	return Node{}, &FormatError{Check: CheckHeader, Detail: "0x" + strconv.FormatUint(uint64(b[0]), 16)}
}

// parsePlain reads what is not, or no longer, compressed.
func parsePlain(dict *Dictionary, b []byte) (Node, error) {
	d := decoder{dict: dict, in: b, off: 1, nodes: 1}
	var n Node
	d.node(&n, 1)
	if d.err == nil && d.off < len(d.in) {
		d.fail(CheckTrailing, d.off)
	}
	if d.err != nil {
		return Node{}, d.err
	}
	return n, nil
}

// Decoder reads stanzas one after another and reuses the trees in between, for
// those who read very many. The zero value is ready to use. It is not safe for
// concurrent use.
type Decoder struct {
	// Ratio is how many bytes each byte of a compressed stanza may become, beyond
	// [FreeInflated] in all, so that who sends little can't have much read. 0 means any
	// number, up to [MaxSize] in all.
	Ratio int

	// Reuse lets Parse make an ack, a receipt or a message of what it returned before: a
	// stanza is valid until the next one is read. What it refers to is as without it.
	Reuse bool

	d decoder
	f fields // of the stanza that is read
}

// FreeInflated is how many bytes a compressed stanza may become whatever its size.
const FreeInflated = 64 << 10

// parseFresh reads a stanza of which something may be kept.
func (r *Decoder) parseFresh(b []byte) (Stanza, error) {
	limit := MaxSize
	if r.Ratio > 0 {
		limit = min(limit, max(FreeInflated, r.Ratio*min(len(b), MaxSize)))
	}
	n, err := parseBinary(nil, DictionaryVersion<<4, b, limit)
	if err != nil {
		return nil, err
	}
	return Parse(n)
}

// Parse reads one typed stanza in binary form. It is [ParseBinary] and [Parse] in
// one, but for memory: the bytes within the stanza are those of b where b is not
// compressed, so b must not change while the stanza is in use, and the strings share
// memory with those of stanzas before and after: clone what is kept for long.
func (r *Decoder) Parse(b []byte) (Stanza, error) {
	if len(b) == 0 || len(b) > MaxSize || b[0] != DictionaryVersion<<4 {
		return r.parseFresh(b)
	}
	d := &r.d
	d.in, d.off, d.nodes, d.err, d.share = b, 1, 1, nil, true
	d.strings.size = sharedChunk
	if r.Reuse && d.room == nil {
		d.room = new(room)
	}
	f := &r.f
	f.err = nil
	if s := d.direct(f); s != nil && d.err == nil && f.err == nil && d.off == len(b) {
		d.in = nil
		return s, nil
	}
	d.off, d.err = 1, nil
	d.attrs.reset()
	d.kids.reset()
	var n Node
	d.node(&n, 1)
	if d.err == nil && d.off < len(d.in) {
		d.fail(CheckTrailing, d.off)
	}
	d.in = nil
	if d.err != nil {
		return nil, d.err
	}
	s, err := Parse(n)
	if q, ok := s.(*IQ); ok {
		if _, ok := q.Payload.(Unknown); ok {
			return r.parseFresh(b) // which keeps a part of its tree
		}
	}
	return s, err
}

// decoder reads from in at off until the first error. Once err is set, its
// methods return zero values and read nothing more.
type decoder struct {
	dict  *Dictionary // nil is the project's own
	in    []byte
	off   int
	nodes int // read, and promised by the heads of lists
	err   error
	share bool // data are slices of in
	room  *room

	attrs   slab[Attr]
	kids    slab[Node]
	data    slab[byte]
	strings arena
}

// room is what stanzas are made of that are read one after another; nil makes each anew.
type room struct {
	ack     Ack
	receipt Receipt
	message oneEnc
}

// oneEnc is a message with one <enc>.
type oneEnc struct {
	Message
	enc [1]Enc
}

func (r *attrReader) newAck() *Ack {
	if r.d == nil || r.d.room == nil {
		return new(Ack)
	}
	r.d.room.ack = Ack{}
	return &r.d.room.ack
}

func (r *attrReader) newReceipt() *Receipt {
	if r.d == nil || r.d.room == nil {
		return new(Receipt)
	}
	r.d.room.receipt = Receipt{}
	return &r.d.room.receipt
}

func (d *decoder) newOneEnc() *oneEnc {
	if d.room == nil {
		return new(oneEnc)
	}
	d.room.message = oneEnc{}
	return &d.room.message
}

func (d *decoder) fail(c Check, off int) {
	if d.err == nil {
		d.err = &FormatError{Check: c, Offset: off}
	}
}

// canonical wants the form that the encoder chooses, unless the dictionary is another's.
func (d *decoder) canonical(ok bool, off int) {
	if !ok && d.dict == nil {
		d.fail(CheckCanonical, off)
	}
}

// left returns the number of bytes not yet read.
func (d *decoder) left() int { return len(d.in) - d.off }

// take returns the next n bytes, or nil at an error.
func (d *decoder) take(n int) []byte {
	if d.err != nil || n > d.left() {
		d.fail(CheckTruncated, len(d.in))
		return nil
	}
	d.off += n
	return d.in[d.off-n : d.off]
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Smallest encodings in bytes, which bound how many of a kind can follow.
const (
	minNode = 3 // a list of one token
	minAttr = 2 // two tokens
)

// node reads a node into n. The caller has counted it.
func (d *decoder) node(n *Node, depth int) {
	start := d.off
	items := d.list(d.byte(), start)
	if d.err != nil {
		return
	}
	attrs := (items - 1) / 2
	switch {
	case items == 0:
		d.fail(CheckMarker, start)
	case depth > MaxDepth:
		d.fail(CheckDepth, start)
	case attrs > MaxAttrs:
		d.fail(CheckAttrs, start)
	}
	n.Tag = d.name()
	if attrs > 0 && d.err == nil {
		n.Attrs = d.attrs.take(attrs, d.left()/minAttr)
		for i := range n.Attrs {
			n.Attrs[i] = Attr{Name: d.name(), Value: d.value()}
		}
		if duplicate(n.Attrs) >= 0 {
			d.fail(CheckDuplicate, start)
		}
	}
	if items%2 == 0 && d.err == nil {
		d.content(n, depth)
	}
}

// content reads children or data.
func (d *decoder) content(n *Node, depth int) {
	start := d.off
	marker := d.byte()
	if marker != markerList8 && marker != markerList16 {
		if d.dict != nil {
			if marker == markerEmpty {
				return
			}
			if s, ok := d.short(marker, start); ok {
				n.Data = []byte(s)
				return
			}
		}
		size := d.length(marker, start)
		d.canonical(d.err != nil || size > 0, start)
		if b := d.take(size); b != nil && d.share {
			n.Data = b[:size:size]
		} else if b != nil {
			n.Data = d.data.take(size, len(d.in))
			copy(n.Data, b)
		}
		return
	}
	count := d.list(marker, start)
	if d.nodes += count; d.nodes > MaxNodes {
		d.fail(CheckNodes, start)
	}
	if count*minNode > d.left() {
		d.fail(CheckTruncated, len(d.in))
	}
	if d.err != nil {
		return
	}
	n.Children = d.kids.take(count, d.left()/minNode)
	for i := range n.Children {
		d.node(&n.Children[i], depth+1)
	}
}

// list reads the head of a list after its marker: at least one item, in the
// shorter of the two forms.
func (d *decoder) list(marker byte, start int) int {
	var items, least int
	switch marker {
	case markerList8:
		items, least = int(d.byte()), 1
	case markerList16:
		items, least = int(d.uint16()), 1<<8
	default:
		d.fail(CheckMarker, start)
	}
	d.canonical(d.err != nil || items >= least, start)
	return items
}

// length reads the head of raw bytes after its marker, in the shortest form.
func (d *decoder) length(marker byte, start int) int {
	var size, least int
	switch marker {
	case markerBytes8:
		size = int(d.byte())
	case markerBytes20:
		if b := d.take(3); b != nil {
			size, least = int(b[0])<<16|int(b[1])<<8|int(b[2]), 1<<8
		}
		if size >= 1<<20 {
			d.fail(CheckMarker, start)
		}
	case markerBytes32:
		if b := d.take(4); b != nil {
			v := binary.BigEndian.Uint32(b)
			if v > MaxSize {
				d.fail(CheckSize, start)
				return 0
			}
			size, least = int(v), 1<<20
		}
	default:
		d.fail(CheckMarker, start)
	}
	d.canonical(d.err != nil || size >= least, start)
	return size
}

// name reads a tag or the name of an attribute.
func (d *decoder) name() string {
	start := d.off
	marker := d.byte()
	s, ok := d.token(marker, start)
	if !ok && d.dict != nil {
		s, ok = d.short(marker, start)
	}
	if !ok {
		s = d.raw(marker, start, MaxName, CheckName)
		d.canonical(d.dict.find(s).code == 0, start)
	}
	if d.err == nil && !validName(s) {
		d.fail(CheckName, start)
	}
	return s
}

// value reads the value of an attribute.
func (d *decoder) value() string {
	start := d.off
	marker := d.byte()
	if s, ok := d.short(marker, start); ok {
		if d.dict != nil && !validValue(s) { // which a token of others may be
			d.fail(CheckValue, start)
		}
		return s
	}
	s := d.raw(marker, start, MaxValue, CheckValue)
	if d.err != nil {
		return ""
	}
	switch form, _, _ := d.dict.chooseForm(s); form {
	case formRaw:
	case formNone:
		d.fail(CheckValue, start)
	default:
		d.canonical(false, start)
	}
	return s
}

// short reads a string that is not raw; ok is false if the marker begins none.
func (d *decoder) short(marker byte, start int) (s string, ok bool) {
	if s, ok := d.token(marker, start); ok {
		return s, true
	}
	switch marker {
	case markerNibble, markerHex:
		return d.strings.add(d.packed(marker, start)), true
	case markerPair, markerDevice, markerMessenger, markerInterop:
		return d.address(marker, start), true
	}
	return "", false
}

// token returns what a token stands for; ok is false if marker begins no token.
func (d *decoder) token(marker byte, start int) (s string, ok bool) {
	if d.dict != nil {
		s, ok, known := d.dict.at(marker, d.byte)
		if !known {
			d.fail(CheckMarker, start)
		}
		return s, ok
	}
	switch {
	case 0 < marker && int(marker) < len(singleTokens):
		return singleTokens[marker], true
	case marker == markerDictionary:
		i := int(d.byte())
		if i >= len(doubleTokens) {
			d.fail(CheckMarker, start)
			return "", true
		}
		return doubleTokens[i], true
	}
	return "", false
}

// raw reads a string of raw bytes, at most most of them, else c is broken.
func (d *decoder) raw(marker byte, start, most int, c Check) string {
	size := d.length(marker, start)
	if size > most {
		d.fail(c, start)
	}
	return d.strings.add(d.take(size))
}

// packed reads what follows the marker of a packed string. The result is valid
// until the next call.
func (d *decoder) packed(marker byte, start int) []byte {
	alphabet := nibbleAlphabet
	if marker == markerHex {
		alphabet = hexAlphabet
	}
	head := d.byte()
	b := d.take(int(head &^ 0x80))
	out := d.strings.scratch[:0]
	digits := true // which both alphabets have, so that hex must have others
	for i, c := range b {
		hi, lo := c>>4, c&0x0F
		odd := head&0x80 != 0 && i == len(b)-1 // lo is none, and written as 15
		if int(hi) >= len(alphabet) || !odd && int(lo) >= len(alphabet) || odd && lo != 0x0F {
			d.fail(CheckMarker, start)
			return nil
		}
		digits = digits && hi < 10 && (odd || lo < 10)
		out = append(out, alphabet[hi])
		if !odd {
			out = append(out, alphabet[lo])
		}
	}
	short := len(out) <= maxPackedToken && findToken(string(out)).code != 0
	d.canonical(d.err != nil || len(out) > 0 && len(out) <= maxPacked && !short && !(digits && marker == markerHex), start)
	return out
}

// address reads what follows the marker of an address and returns its text.
func (d *decoder) address(marker byte, start int) string {
	a := d.addressValue(marker, start)
	if d.err != nil {
		return ""
	}
	text, err := a.AppendText(d.strings.scratch[:0])
	if err != nil {
		d.fail(CheckAddress, start)
	}
	return d.strings.add(text)
}

// addressValue reads what follows the marker of an address.
func (d *decoder) addressValue(marker byte, start int) (a ident.Address) {
	if marker == markerDevice {
		if d.byte() != domainUser {
			d.fail(CheckAddress, start)
		}
		a.Device = uint16(d.byte())
	}
	a.User = d.user()
	if marker == markerInterop || marker == markerMessenger {
		a.Device = d.uint16()
	}
	if marker == markerInterop {
		a.Integrator = d.uint16()
	}
	a.Server = ident.User
	if marker != markerDevice {
		a.Server = d.server()
	}
	switch {
	case d.err != nil:
	case a.Validate() != nil:
		d.fail(CheckAddress, start)
	default:
		d.canonical(markerOf(a) == marker, start)
	}
	return a
}

// server reads the server of an address: a token, or raw with another's dictionary.
func (d *decoder) server() ident.Server {
	start := d.off
	marker := d.byte()
	s, ok := d.token(marker, start)
	switch {
	case ok:
	case d.dict != nil:
		s = d.raw(marker, start, ident.MaxAddress, CheckAddress)
	default:
		d.fail(CheckAddress, start)
	}
	return ident.Server(s)
}

// user reads the user part of an address, which is empty only with another's dictionary.
func (d *decoder) user() string {
	start := d.off
	marker := d.byte()
	if s, ok := d.token(marker, start); ok {
		return s
	}
	if d.dict != nil && marker == markerEmpty {
		return ""
	}
	if marker != markerNibble {
		d.fail(CheckAddress, start)
		return ""
	}
	return d.strings.add(d.packed(marker, start))
}
