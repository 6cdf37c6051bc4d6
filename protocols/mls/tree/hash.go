package tree

import (
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// hasher computes tree hashes (RFC 9420, Section 7.8). It holds the input of the
// hash function from one call to the next.
type hasher struct {
	s    suite.Suite
	size int
	buf  []byte
}

func newHasher(s suite.Suite) *hasher { return &hasher{s: s, size: s.ID().Sizes().Hash} }

// leaf appends the tree hash of a leaf to dst:
//
//	struct {
//	    NodeType node_type = leaf;
//	    uint32 leaf_index;
//	    optional<LeafNode> leaf_node;
//	} TreeHashInput;
func (h *hasher) leaf(dst []byte, i LeafIndex, l *leaf) []byte {
	w := wire.NewWriter(h.buf[:0])
	w.Uint8(uint8(message.NodeLeaf))
	w.Uint32(uint32(i))
	w.Optional(l != nil && !l.blank(), func() { w.Fixed(l.raw) })
	return h.sum(dst, w)
}

// parent appends the tree hash of a parent to dst:
//
//	struct {
//	    NodeType node_type = parent;
//	    optional<ParentNode> parent_node;
//	    opaque left_hash<V>;
//	    opaque right_hash<V>;
//	} TreeHashInput;
func (h *hasher) parent(dst []byte, p *parent, left, right []byte) []byte {
	w := wire.NewWriter(h.buf[:0])
	w.Uint8(uint8(message.NodeParent))
	w.Optional(p != nil && !p.blank(), func() { p.write(w) })
	w.Opaque(left)
	w.Opaque(right)
	return h.sum(dst, w)
}

func (h *hasher) sum(dst []byte, w *wire.Writer) []byte {
	b, err := w.Bytes()
	if err != nil {
		panic(fmt.Sprintf("tree: invariant broken, nodes that were read can be written: %v", err))
	}
	h.buf = b
	return h.s.Hash(dst, b)
}

// blank appends the tree hash of a subtree in which all is blank. It depends on
// where the subtree is, because leaves are hashed with their index.
func (h *hasher) blank(dst []byte, n NodeIndex) []byte {
	if i, ok := n.Leaf(); ok {
		return h.leaf(dst, i, nil)
	}
	left, _ := n.Left()
	right, _ := n.Right()
	var buf [128]byte // two hashes
	l := h.blank(buf[:0], left)
	both := h.blank(l, right)
	return h.parent(dst, nil, both[:len(l)], both[len(l):])
}

// rehash brings all tree hashes of a page and below up to date, and returns that
// of the page's root.
func (h *hasher) rehash(pg *page, level int, number uint32, height int) []byte {
	return h.place(pg, level, number, 1<<(height-1)-1, height-1)
}

// place brings the tree hash at a place of a page up to date, which has some
// levels below it in the page.
func (h *hasher) place(pg *page, level int, number uint32, place, below int) []byte {
	out := pg.hashes[place*h.size : (place+1)*h.size : (place+1)*h.size]
	if pg.valid>>place&1 != 0 {
		return out
	}
	switch {
	case below > 0:
		step := 1 << (below - 1)
		left := h.place(pg, level, number, place-step, below-1)
		right := h.place(pg, level, number, place+step, below-1)
		h.parent(out[:0], pg.parent(level, place), left, right)
	case level > 0:
		left := h.kid(pg, level, number, place)
		right := h.kid(pg, level, number, place+1)
		h.parent(out[:0], pg.parent(level, place), left, right)
	default:
		n := nodeAt(level, number, place)
		h.leaf(out[:0], LeafIndex(n>>1), &pg.leaves[place/2])
	}
	pg.valid |= 1 << place
	return out
}

// kid brings the tree hashes of a page's kid up to date and returns its root's.
func (h *hasher) kid(pg *page, level int, number uint32, k int) []byte {
	if kid := pg.kids[k]; kid != nil {
		return h.rehash(kid, level-1, number<<pageLevels|uint32(k), pageLevels)
	}
	if pg.blanks == nil {
		pg.blanks = make([]byte, len(pg.kids)*h.size)
	}
	out := pg.blanks[k*h.size : (k+1)*h.size : (k+1)*h.size]
	if pg.blankValid>>k&1 == 0 {
		root := nodeAt(level-1, number<<pageLevels|uint32(k), pageKids/2-1)
		h.blank(out[:0], root)
		pg.blankValid |= 1 << k
	}
	return out
}

// rehash brings all tree hashes of a tree that is being made up to date.
func (t *Tree) rehash() {
	newHasher(t.suite).rehash(t.root, t.rootLevel(), 0, t.height())
}

// Hash returns the tree hash of the root (RFC 9420, Section 7.8).
func (t *Tree) Hash() []byte { return slices.Clone(t.hashAt(Root(t.width))) }

// NodeHash returns the tree hash of a node, nil if it is out of range.
func (t *Tree) NodeHash(n NodeIndex) []byte {
	if uint32(n) >= NodeWidth(t.width) {
		return nil
	}
	return slices.Clone(t.hashAt(n))
}

// hashAt returns the tree hash of a node in the tree, which is not to be modified.
func (t *Tree) hashAt(n NodeIndex) []byte {
	pg, _, place := t.find(n)
	size := t.suite.ID().Sizes().Hash
	if pg != nil {
		return pg.hashes[place*size : (place+1)*size : (place+1)*size]
	}
	h := newHasher(t.suite)
	if up, k := t.aboveBlank(n); up != nil {
		return up.blanks[k*size : (k+1)*size : (k+1)*size]
	}
	return h.blank(nil, n)
}

// aboveBlank returns the page that keeps the tree hash of n, the root of a blank
// page, and as which of its kids; nil if n is none.
func (t *Tree) aboveBlank(n NodeIndex) (*page, int) {
	level, number, place := address(n)
	if place != pageKids/2-1 || level == t.rootLevel() {
		return nil, 0
	}
	pg := t.root
	for up := t.rootLevel(); up > level+1 && pg != nil; up-- {
		pg = pg.kids[kid(up, level, number)]
	}
	if pg == nil {
		return nil, 0
	}
	return pg, kid(level+1, level, number)
}

// fresh returns the tree hash of a node in a tree that is being made, after
// bringing it up to date. Only pages of the tree's maker have outdated hashes, so
// pages that snapshots share are not written to.
func (h *hasher) fresh(t *Tree, n NodeIndex) []byte {
	if pg, level, place := t.find(n); pg != nil {
		_, number, _ := address(n)
		return h.place(pg, level, number, place, NodeIndex(place).Level())
	}
	if up, k := t.aboveBlank(n); up != nil {
		level, number, _ := address(n)
		return h.kid(up, level+1, number>>pageLevels, k)
	}
	return h.blank(nil, n)
}
