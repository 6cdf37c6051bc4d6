package schedule

import (
	"math/bits"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// A frontier is the tree of secrets of RFC 9420, Section 9, as far as it must
// exist: the secret of a node stands for all below it until one of those is asked
// for. Then it is replaced by the secrets beside the path to that leaf, which
// are all that the deletion schedule leaves of it (Section 9.2). So there are
// O(log N) secrets for a leaf in use, and one for a tree of which none is.
//
// Nodes are numbered from 1, the root; the children of n are 2n and 2n+1; the
// leaves begin at width. The numbers of the ratchet tree's array do not occur.
type frontier struct {
	width uint32            // leaves, a power of two
	nodes map[uint32][]byte // no node is below another
}

// maxLeaves is how many leaves a ratchet tree may have, so that nodes have 32-bit
// numbers.
const maxLeaves = 1 << 31

// newFrontier returns the frontier of which no leaf is in use.
func newFrontier(root []byte, leaves uint32) frontier {
	f := emptyFrontier(leaves)
	f.nodes[1] = append([]byte(nil), root...)
	return f
}

// emptyFrontier returns one without secrets, for leaves extended to a power of two.
func emptyFrontier(leaves uint32) frontier {
	width := uint32(1)
	if leaves > 1 {
		width = 1 << bits.Len32(leaves-1)
	}
	return frontier{width, map[uint32][]byte{}}
}

// A descent is the way from a node of the frontier to a leaf. It changes nothing
// before it is taken.
type descent struct {
	from   uint32 // the node
	leaf   []byte // the leaf's secret
	beside []node // the nodes beside the path
}

type node struct {
	number uint32
	secret []byte
}

// descend derives what lies between the frontier and a leaf. It returns nil if
// the leaf's secret is gone.
func (f *frontier) descend(s suite.Suite, leaf uint32) *descent {
	number := f.width + leaf
	from := number
	for f.nodes[from] == nil {
		if from >>= 1; from == 0 {
			return nil
		}
	}
	depth := bits.Len32(number) - bits.Len32(from)
	d := &descent{from, append([]byte(nil), f.nodes[from]...), make([]node, 0, depth)}
	size := s.ID().Sizes().Hash
	for depth--; depth >= 0; depth-- {
		left := labeled.Expand(s, d.leaf, "tree", []byte("left"), size)
		right := labeled.Expand(s, d.leaf, "tree", []byte("right"), size)
		clear(d.leaf)
		child := number >> depth
		if child&1 == 0 {
			d.leaf, d.beside = left, append(d.beside, node{child ^ 1, right})
		} else {
			d.leaf, d.beside = right, append(d.beside, node{child ^ 1, left})
		}
	}
	return d
}

// take moves the frontier beside the path. The leaf's secret is overwritten: the
// caller has taken what it gives.
func (f *frontier) take(d *descent) {
	clear(f.nodes[d.from])
	delete(f.nodes, d.from)
	for _, n := range d.beside {
		f.nodes[n.number] = n.secret
	}
	clear(d.leaf)
}

// drop overwrites a descent that is not taken.
func (d *descent) drop() {
	clear(d.leaf)
	for _, n := range d.beside {
		clear(n.secret)
	}
}

// wipe overwrites all secrets; every leaf is gone then.
func (f *frontier) wipe() {
	for _, secret := range f.nodes {
		clear(secret)
	}
	f.nodes = nil
}
