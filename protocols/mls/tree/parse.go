package tree

import (
	"encoding/binary"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Parse reads the data of a ratchet_tree extension and hashes the tree (RFC 9420,
// Section 12.4.3.3):
//
//	optional<Node> ratchet_tree<V>;
//
//	struct {
//	    NodeType node_type; // leaf(1), parent(2)
//	    select (Node.node_type) {
//	        case leaf:   LeafNode leaf_node;
//	        case parent: ParentNode parent_node;
//	    };
//	} Node;
//
// The last node must be a leaf: blank ones are left out there, and no Commit gives
// a key to a parent without a member on either side. What Parse reads takes
// memory in proportion to b, of which the tree keeps slices: about twice its size,
// and sixty times if b is made of blanks with a tiny leaf here and there. The caller
// bounds b.
func Parse(s suite.Suite, b []byte) (*Tree, error) {
	r := wire.NewReader(b)
	nodes := r.Opaque()
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: ratchet tree: %w", ErrFormat, err)
	}
	e := newTree(s).edit()
	if err := e.read(nodes); err != nil {
		return nil, err
	}
	t := e.t
	t.rehash()
	return &t, nil
}

// read fills a tree of one blank leaf with nodes.
func (e *Edit) read(b []byte) error {
	r := wire.NewReader(b)
	n, last := NodeIndex(0), NodeIndex(0)
	blank := true
	for ; !r.Empty(); n++ {
		blank = !r.Optional(func() { e.readNode(r, b, n) })
		if err := r.Err(); err != nil {
			return fmt.Errorf("%w: node %d of a ratchet tree: %w", ErrFormat, n, err)
		}
		last = n
	}
	switch {
	case n == 0:
		return fmt.Errorf("%w: ratchet tree without nodes, want a leaf at least", ErrFormat)
	case blank:
		return fmt.Errorf("%w: node %d, the last of a ratchet tree, is blank", ErrFormat, last)
	case last&1 != 0:
		return fmt.Errorf("%w: node %d, the last of a ratchet tree, is a parent, want a leaf", ErrFormat, last)
	}
	return nil
}

// readNode reads node n of the ratchet tree b from r.
func (e *Edit) readNode(r *wire.Reader, b []byte, n NodeIndex) {
	want := message.NodeLeaf
	if n&1 != 0 {
		want = message.NodeParent
	}
	if t := message.NodeType(r.Uint8()); r.Err() == nil && t != want {
		r.Fail(fmt.Errorf("node type %d, want %d", t, want))
	}
	if r.Err() != nil {
		return
	}
	e.grow(n)
	if want == message.NodeLeaf {
		from := r.Offset()
		start, end := scanLeaf(r)
		if r.Err() == nil {
			raw := b[from:r.Offset():r.Offset()]
			e.fillLeaf(LeafIndex(n>>1), leaf{raw, e.t.index.intern(b[start:end:end])})
		}
		return
	}
	if p := scanParent(r, b); r.Err() == nil {
		e.fillParent(n, p)
	}
}

// scanParent reads a ParentNode of b from r, as message.ParentNode does.
func scanParent(r *wire.Reader, b []byte) (p parent) {
	from := r.Offset()
	r.Opaque()
	r.Opaque()
	to := r.Offset()
	list := r.Opaque()
	if len(list)%4 != 0 {
		r.Fail(wire.ErrTruncated)
		return p
	}
	if len(list) > 0 {
		p.unmerged = make([]uint32, len(list)/4)
	}
	for k := range p.unmerged {
		v := binary.BigEndian.Uint32(list[4*k:])
		if k > 0 && p.unmerged[k-1] >= v {
			r.Fail(fmt.Errorf("unmerged leaf %d after %d, want ascending order", v, p.unmerged[k-1]))
		}
		p.unmerged[k] = v
	}
	if r.Err() == nil {
		p.keys = b[from:to:to]
	}
	return p
}

// grow extends the tree until it has node n.
func (e *Edit) grow(n NodeIndex) {
	for uint32(n) >= NodeWidth(e.t.width) {
		if err := e.extend(); err != nil {
			panic(fmt.Sprintf("tree: invariant broken, a vector has fewer nodes than a tree: %v", err))
		}
	}
}

// fillLeaf sets a leaf that was blank, without a note that it is new.
func (e *Edit) fillLeaf(i LeafIndex, l leaf) {
	pg, _, place := e.open(i.Node(), 1, 1)
	pg.leaves[place/2] = l
	e.t.index.addLeaf(e.owner, i, &l)
}

func (e *Edit) fillParent(n NodeIndex, p parent) {
	pg, level, place := e.open(n, 1, 0)
	*pg.parent(level, place) = p
	e.t.index.addParent(e.owner, n, &p)
}

// Marshal returns the data of a ratchet_tree extension. What was parsed is
// written again byte for byte.
func (t *Tree) Marshal() ([]byte, error) {
	end := t.nodesSent()
	w := wire.NewWriter(make([]byte, 0, t.encodedSize(end)))
	w.Vector(func() {
		for n := range end {
			t.writeNode(w, NodeIndex(n))
		}
	})
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("tree: ratchet tree: %w", err)
	}
	return b, nil
}

// nodesSent returns how many nodes there are up to the last that is not blank.
func (t *Tree) nodesSent() uint32 {
	end := NodeWidth(t.width)
	for end > 0 && t.encryptionKeyOf(NodeIndex(end-1)) == nil {
		end--
	}
	return end
}

// encodedSize returns a size that suffices for the first nodes.
func (t *Tree) encodedSize(end uint32) int {
	size := 8 + int(end)
	for n := range end {
		size += t.nodeSize(NodeIndex(n))
	}
	return size
}

func (t *Tree) nodeSize(n NodeIndex) int {
	if i, ok := n.Leaf(); ok {
		if l := t.leafAt(i); l != nil {
			return 1 + len(l.raw)
		}
		return 0
	}
	if p := t.parentAt(n); p != nil {
		return 1 + len(p.keys) + 4 + 4*len(p.unmerged)
	}
	return 0
}

// writeNode writes an optional<Node>.
func (t *Tree) writeNode(w *wire.Writer, n NodeIndex) {
	if i, ok := n.Leaf(); ok {
		l := t.leafAt(i)
		w.Optional(l != nil, func() {
			w.Uint8(uint8(message.NodeLeaf))
			w.Fixed(l.raw)
		})
		return
	}
	p := t.parentAt(n)
	w.Optional(p != nil, func() {
		w.Uint8(uint8(message.NodeParent))
		p.write(w)
	})
}
