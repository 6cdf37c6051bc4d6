// Package tree is the ratchet tree of MLS: RFC 9420
// (https://www.rfc-editor.org/rfc/rfc9420), Section 4 (concepts), Section 7
// (operations and TreeKEM) and Appendix C (the array).
//
//	Tree ──Edit()──► Edit ──Add, Update, Remove, NewPath, ApplyPath──► Tree()──► Tree
//	                                    │                                 │
//	                                  Path ◄── sender        Encrypt, Private.Open
//
// A [Tree] is a snapshot that never changes: all members of one epoch in a process
// share it, and any number of goroutines may read it. An [Edit] stages the next
// one and shares with it all that stays the same; a commit that is not merged is
// dropped by forgetting it. Private keys are apart, in a [Private] for each member.
//
// Start with [Parse] or [New]. A tree that was parsed is only known to be
// well-formed. What the specification asks of one that comes with a Welcome is in
// VerifyKeys, VerifyParentHashes and VerifyLeaves; whether leaves fit the group's
// parameters, in time and by credential, is for the caller to ask, with
// UnsupportedExtension and its like.
//
// The package knows nothing of proposals, epochs and key schedules.
package tree

import (
	"fmt"
	"iter"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/internal/persist"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Tree is a ratchet tree at one moment. It is full: where members are missing,
// nodes are blank.
type Tree struct {
	suite suite.Suite
	width uint32
	root  *page
	index index
}

// New returns the tree of a group of one (RFC 9420, Section 11).
func New(s suite.Suite, n *message.LeafNode) (*Tree, error) {
	e := newTree(s).edit()
	if _, err := e.Add(n); err != nil {
		return nil, err
	}
	return e.Tree()
}

// newTree returns a tree with one blank leaf, which no one else gets to see.
func newTree(s suite.Suite) *Tree {
	return &Tree{suite: s, width: 1, root: newPage(new(persist.Owner), 0, 1, s.ID().Sizes().Hash)}
}

// Suite returns the suite that the tree was made with.
func (t *Tree) Suite() suite.Suite { return t.suite }

// Width returns how many leaves the tree has, blank ones included: a power of two.
func (t *Tree) Width() uint32 { return t.width }

// Members returns how many leaves are not blank.
func (t *Tree) Members() int { return int(t.root.members) }

// Leaf returns a member's LeafNode, nil if the leaf is blank or out of range. It is
// read from its encoding at each call; its slices are not to be modified. Where one
// field will do, SignatureKey and its like are cheaper.
func (t *Tree) Leaf(i LeafIndex) *message.LeafNode {
	l := t.leafAt(i)
	if l == nil {
		return nil
	}
	return l.node()
}

// RawLeaf returns the encoding of a member's LeafNode, nil if there is none. It is
// not to be modified.
func (t *Tree) RawLeaf(i LeafIndex) []byte {
	if l := t.leafAt(i); l != nil {
		return slices.Clip(l.raw)
	}
	return nil
}

// EncryptionKey returns the encryption key of a node, nil if the node is blank or
// out of range. It is not to be modified.
func (t *Tree) EncryptionKey(n NodeIndex) []byte { return t.encryptionKeyOf(n) }

// SignatureKey returns a member's signature key, nil if there is no such member. It
// is not to be modified.
func (t *Tree) SignatureKey(i LeafIndex) []byte {
	if l := t.leafAt(i); l != nil {
		return l.signatureKey()
	}
	return nil
}

// Credential returns a member's credential, and whether there is such a member. Its
// slices are not to be modified.
func (t *Tree) Credential(i LeafIndex) (c message.Credential, ok bool) {
	l := t.leafAt(i)
	if l == nil {
		return c, false
	}
	r := wire.NewReader(l.credential())
	c.UnmarshalTLS(r)
	return c, r.Err() == nil
}

// Capabilities returns a member's capabilities, nil if there is no such member.
// Members share them; they are not to be modified.
func (t *Tree) Capabilities(i LeafIndex) *message.Capabilities {
	if l := t.leafAt(i); l != nil {
		return &l.set.caps
	}
	return nil
}

// Parent returns a parent node, nil if it is blank, a leaf or out of range. It is
// not to be modified.
func (t *Tree) Parent(n NodeIndex) *message.ParentNode {
	p := t.parentAt(n)
	if p == nil {
		return nil
	}
	return &message.ParentNode{
		EncryptionKey:  p.encryptionKey(),
		ParentHash:     p.parentHash(),
		UnmergedLeaves: slices.Clip(p.unmerged),
	}
}

// All iterates over the members, from left to right, as Leaf returns them.
func (t *Tree) All() iter.Seq2[LeafIndex, *message.LeafNode] {
	return func(yield func(LeafIndex, *message.LeafNode) bool) {
		for i := range t.leaves {
			if !yield(i, t.Leaf(i)) {
				return
			}
		}
	}
}

// leaves yields the leaves that are not blank, from left to right.
func (t *Tree) leaves(yield func(LeafIndex) bool) {
	t.root.eachLeaf(t.rootLevel(), 0, yield)
}

func (pg *page) eachLeaf(level int, number uint32, yield func(LeafIndex) bool) bool {
	if pg == nil || pg.members == 0 {
		return true
	}
	for k, kid := range pg.kids {
		if !kid.eachLeaf(level-1, number<<pageLevels|uint32(k), yield) {
			return false
		}
	}
	for k := range pg.leaves {
		if !pg.leaves[k].blank() && !yield(LeafIndex(number<<(pageLevels-1)|uint32(k))) {
			return false
		}
	}
	return true
}

// contains reports whether a list that ascends has a leaf.
func contains(list []LeafIndex, i LeafIndex) bool {
	_, ok := slices.BinarySearch(list, i)
	return ok
}

// member returns a leaf or an error that says which is missing.
func (t *Tree) member(i LeafIndex) (*leaf, error) {
	l := t.leafAt(i)
	if l == nil {
		return nil, fmt.Errorf("%w: leaf %d of %d is blank or out of range", ErrLeaf, i, t.width)
	}
	return l, nil
}
