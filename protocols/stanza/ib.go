package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// IB is information from the server that nobody asked for:
//
//	<ib from><offline count="3"/><dirty type="groups" timestamp="1700000000"/><error code text/></ib>
type IB struct {
	From    ident.Address // absent if it is the server
	Offline *Offline      // nil if absent
	Dirty   []Dirty
	Error   *Error // the connection ends, and why; nil if absent
}

// Offline says that the mailbox has been delivered, and how much that was.
type Offline struct{ Count int }

// Dirty says that a kind of state changed while the client was away, so it
// should ask for it again.
type Dirty struct {
	Type      string // which state; required
	Timestamp int64  // when it changed, Unix seconds; 0 if absent
}

// Node returns the information as a tree.
func (ib *IB) Node() Node {
	var b builder
	b.address("from", ib.From)
	n := Node{Tag: "ib", Attrs: b}
	if ib.Offline != nil {
		n.Children = append(n.Children, Node{Tag: "offline", Attrs: []Attr{{"count", itoa(int64(ib.Offline.Count))}}})
	}
	for _, d := range ib.Dirty {
		var b builder
		b.text("type", d.Type)
		b.number("timestamp", d.Timestamp)
		n.Children = append(n.Children, Node{Tag: "dirty", Attrs: b})
	}
	if ib.Error != nil {
		n.Children = append(n.Children, ib.Error.node())
	}
	return n
}

func parseIB(f *fields, n *Node) *IB {
	ib := new(IB)
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name == "from" {
			ib.From = f.address(n, a)
		}
	}
	for i := range n.Children {
		switch c := &n.Children[i]; c.Tag {
		case "offline":
			f.once(n, ib.Offline == nil, c.Tag)
			ib.Offline = &Offline{Count: parseCount(f, c, "count")}
		case "dirty":
			ib.Dirty = append(ib.Dirty, parseDirty(f, c))
		case "error":
			f.once(n, ib.Error == nil, c.Tag)
			ib.Error = parseError(f, c)
		}
	}
	return ib
}

// parseCount reads a counter that must be there.
func parseCount(f *fields, n *Node, name string) int {
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name == name {
			return int(f.number(n, a, 0, maxCount))
		}
	}
	f.require(n.Tag, false, "@"+name)
	return 0
}

func parseDirty(f *fields, n *Node) (d Dirty) {
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "type":
			d.Type = a.Value
		case "timestamp":
			d.Timestamp = f.time(n, a)
		}
	}
	f.require(n.Tag, d.Type != "", "@type")
	return d
}
