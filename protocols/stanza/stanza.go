package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// Stanza is what can be written as a tree: the seven typed stanzas, and a
// [Node] itself. Node makes a fresh tree that shares byte slices with the
// stanza; it writes no attribute for a zero value. It does not check what it
// writes: the encoders refuse a malformed tree, and Parse a malformed stanza.
type Stanza interface{ Node() Node }

// Parse reads a tree as one of [*Message], [*IQ], [*IB], [*Receipt], [*Ack],
// [*Notification] and [*Call]. The result shares byte slices and strings with
// the tree.
//
// Unknown attributes and children are ignored (S-rules concern only what this
// package knows); who must pass them on keeps the [Node]. Numbers are decimal
// without sign or leading zeros. Errors are a *[FormatError].
func Parse(n Node) (Stanza, error) {
	var f fields
	var s Stanza
	switch n.Tag {
	case "message":
		s = parseMessage(&f, &n)
	case "iq":
		s, f.err = parseIQ(n)
	case "ib":
		s = parseIB(&f, &n)
	case "receipt":
		s = parseReceipt(&f, &n)
	case "ack":
		s = parseAck(&f, &n)
	case "notification":
		s, f.err = parseNotification(n)
	case "call":
		s = parseCall(&f, &n)
	default:
		f.fail(CheckKind, n.Tag, "")
	}
	if f.err != nil {
		return nil, f.err
	}
	return s, nil
}

// Enc is an encrypted payload:
//
//	<enc v="2" type="pkmsg|msg|skmsg|mls" mediatype="image" count>bytes</enc>
//
// The payload is never interpreted here.
type Enc struct {
	Type      string // which adapter's payload, in its own words; required
	Version   int    // the wire version within the type: 1 to 255
	MediaType string // "image", "video", "ptt", "document"...; empty for text
	Count     int    // which retry receipt this answers, 1 to [MaxRetry]; 0 if none
	Payload   []byte // at least one byte
}

func (e *Enc) node() Node {
	b := make(builder, 0, 4)
	e.attributes(&b)
	return Node{Tag: "enc", Attrs: b, Data: e.Payload}
}

func (e *Enc) attributes(b attributes) {
	b.number("v", int64(e.Version))
	b.text("type", e.Type)
	b.text("mediatype", e.MediaType)
	b.number("count", int64(e.Count))
}

func parseEnc(f *fields, n *Node) Enc {
	r := f.attrs(n)
	e := readEnc(&r)
	e.Payload = n.Data
	e.check(f, n.Tag)
	return e
}

func readEnc(r *attrReader) (e Enc) {
	for r.next() {
		switch r.name {
		case "v":
			e.Version = int(r.number(1, 255))
		case "type":
			e.Type = r.value()
		case "mediatype":
			e.MediaType = r.value()
		case "count":
			e.Count = int(r.number(1, MaxRetry))
		}
	}
	return e
}

func (e *Enc) check(f *fields, tag string) {
	f.require(tag, e.Version != 0, "@v")
	f.require(tag, e.Type != "", "@type")
	f.require(tag, len(e.Payload) > 0, "data")
}

func encNodes(encs []Enc) []Node {
	var nodes []Node
	for i := range encs {
		nodes = append(nodes, encs[i].node())
	}
	return nodes
}

// present reports whether an optional address is set.
func present(a ident.Address) bool { return a != ident.Address{} }
