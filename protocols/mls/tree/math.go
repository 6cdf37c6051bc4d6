package tree

import "math/bits"

// LeafIndex counts the leaves of a tree from the left, from 0.
type LeafIndex uint32

// NodeIndex counts the nodes of a tree in the order of RFC 9420, Appendix C: a
// node stands between its left and its right subtree, so leaves have even
// numbers. Numbers do not change when a tree grows.
//
//	                    X = 7
//	         ___________|___________
//	        X = 3                   X = 11
//	   _____|_____             _____|_____
//	  X = 1       X = 5       X = 9       X = 13
//	 /   \       /   \       /   \       /   \
//	0     2     4     6     8    10    12    14
type NodeIndex uint32

// MaxWidth is the most leaves a tree may have. A ratchet_tree extension takes at
// least a byte for each node and may not exceed 2^30-1 bytes, so no tree that is
// wider can be sent.
const MaxWidth = 1 << 29

// Node returns the node of a leaf.
func (i LeafIndex) Node() NodeIndex { return NodeIndex(i) << 1 }

// Leaf returns which leaf a node is, and whether it is one.
func (n NodeIndex) Leaf() (LeafIndex, bool) { return LeafIndex(n >> 1), n&1 == 0 }

// Level returns how far above the leaves a node is: the number of trailing ones.
func (n NodeIndex) Level() int { return bits.TrailingZeros32(^uint32(n)) }

// NodeWidth returns how many nodes a tree with n leaves has, n > 0.
func NodeWidth(n uint32) uint32 { return 2*n - 1 }

// Root returns the root of a tree with n leaves, n a power of two.
func Root(n uint32) NodeIndex { return NodeIndex(n - 1) }

// Left returns the left child of a node, and false for a leaf.
func (n NodeIndex) Left() (NodeIndex, bool) {
	k := n.Level()
	if k == 0 {
		return n, false
	}
	return n ^ 1<<(k-1), true
}

// Right returns the right child of a node, and false for a leaf.
func (n NodeIndex) Right() (NodeIndex, bool) {
	k := n.Level()
	if k == 0 {
		return n, false
	}
	return n ^ 3<<(k-1), true
}

// parentOf returns the parent of a node in an endless tree.
func parentOf(n NodeIndex) NodeIndex {
	k := n.Level()
	b := n >> (k + 1) & 1
	return (n | 1<<k) ^ b<<(k+1)
}

// Parent returns the parent of a node in a tree with width leaves, and false for
// the root.
func (n NodeIndex) Parent(width uint32) (NodeIndex, bool) {
	if n == Root(width) {
		return n, false
	}
	return parentOf(n), true
}

// Sibling returns the other child of a node's parent, and false for the root.
func (n NodeIndex) Sibling(width uint32) (NodeIndex, bool) {
	if n == Root(width) {
		return n, false
	}
	return n ^ 1<<(n.Level()+1), true
}

// In reports whether n lies in the subtree of p, p itself included.
func (n NodeIndex) In(p NodeIndex) bool {
	first, last := p.leaves()
	return first.Node() <= n && n <= last.Node()
}

// leaves returns the first and the last leaf under a node.
func (n NodeIndex) leaves() (first, last LeafIndex) {
	k := n.Level()
	first = LeafIndex(n >> (k + 1) << k)
	return first, first + 1<<k - 1
}

// CommonAncestor returns the lowest node that has both leaves under it.
func CommonAncestor(a, b LeafIndex) NodeIndex {
	k := bits.Len32(uint32(a ^ b))
	return NodeIndex(a>>k<<(k+1)) + 1<<k - 1
}
