package tree

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// forged returns a valid tree of 8 leaves with 5 members, one of them unmerged, after
// a change of its nodes that leaves indexes and hashes right.
func forged(t *testing.T, s suite.Suite, change func(e *Edit)) *Tree {
	t.Helper()
	p := full(t, s, 8)
	e := p.tree.Edit()
	if err := e.Remove(1); err != nil {
		t.Fatal(err)
	}
	for _, i := range []LeafIndex{0, 2} { // so that the path of leaf 0 has keys again
		if _, err := e.NewPath(i, p.clients[i].leaf, p.clients[i].signer.Private, groupID); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(e, newClient(t, s, 50).leaf); err != nil { // leaf 1, unmerged at 3 and 7
		t.Fatal(err)
	}
	change(e)
	b, err := e.t.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, s, b)
}

// reset sets a parent's fields that a test changes.
func reset(e *Edit, n NodeIndex, change func(p *parent)) {
	p := *e.t.parentAt(n)
	change(&p)
	e.setParent(n, p)
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s := std(t, suite.X25519AES128GCMSHA256Ed25519)
	all := func(tree *Tree) error {
		if err := tree.VerifyKeys(); err != nil {
			return err
		}
		if err := tree.VerifyParentHashes(); err != nil {
			return err
		}
		_, err := tree.VerifyLeaves(groupID, nil)
		return err
	}
	setUnmerged := func(n NodeIndex, list ...uint32) func(e *Edit) {
		return func(e *Edit) { reset(e, n, func(p *parent) { p.unmerged = list }) }
	}
	tests := []struct {
		name   string
		change func(e *Edit)
		want   error
	}{
		{"nothing", func(*Edit) {}, nil},
		{"unmerged above and not below", setUnmerged(3), ErrUnmerged},
		{"unmerged leaf elsewhere", setUnmerged(11, 1), ErrUnmerged},
		{"unmerged leaf beyond the tree", setUnmerged(7, 1, 100), ErrUnmerged},
		{"unmerged blank leaf", func(e *Edit) { e.setLeaf(1, leaf{}) }, ErrUnmerged},
		{"unmerged leaf left out", func(e *Edit) { setUnmerged(3)(e); setUnmerged(7)(e) }, ErrParentHash},
		{"unmerged leaf that is not", setUnmerged(13, 6), ErrParentHash},
		{"another parent hash", func(e *Edit) {
			reset(e, 3, func(p *parent) { *p = newParent(p.encryptionKey(), e.t.parentAt(11).parentHash()[1:], p.unmerged) })
		}, ErrParentHash},
		{"another key", func(e *Edit) {
			reset(e, 7, func(p *parent) { *p = newParent(newClient(t, s, 51).pair.Public, p.parentHash(), p.unmerged) })
		}, ErrParentHash},
		{"key of another parent", func(e *Edit) {
			reset(e, 7, func(p *parent) { *p = newParent(e.t.encryptionKeyOf(13), p.parentHash(), p.unmerged) })
		}, ErrKey},
		{"key of a leaf", func(e *Edit) {
			reset(e, 7, func(p *parent) { *p = newParent(e.t.encryptionKeyOf(4), p.parentHash(), p.unmerged) })
		}, ErrKey},
		{"short key", func(e *Edit) {
			reset(e, 7, func(p *parent) { *p = newParent([]byte{1}, p.parentHash(), p.unmerged) })
		}, ErrKey},
		{"a leaf twice", func(e *Edit) { e.setLeaf(1, *e.t.leafAt(2)) }, ErrKey},
		{"leaf changed after it was signed", func(e *Edit) {
			n := e.Leaf(1)
			n.Lifetime.NotAfter++
			l, _ := e.newLeaf(n)
			e.setLeaf(1, l)
		}, ErrSignature},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := all(forged(t, s, test.change)); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// TestVerifyLeavesNames: the leaf whose signature is bad is named, with a memory and
// without, and is not remembered.
func TestVerifyLeavesNames(t *testing.T) {
	t.Parallel()
	s := std(t, suite.X25519AES128GCMSHA256Ed25519)
	p := full(t, s, 5)
	memo := NewVerified(100)
	if _, err := p.tree.VerifyLeaves(groupID, memo); err != nil {
		t.Fatal(err)
	}
	e := p.tree.Edit()
	n := p.tree.Leaf(3)
	n.Signature = append([]byte(nil), n.Signature...)
	n.Signature[5] ^= 1
	l, err := e.newLeaf(n)
	if err != nil {
		t.Fatal(err)
	}
	e.setLeaf(3, l)
	tree := mustTree(t, e)
	for _, memo := range []*Verified{nil, memo, memo} {
		if bad, err := tree.VerifyLeaves(groupID, memo); bad != 3 || !errors.Is(err, ErrSignature) {
			t.Errorf("got leaf %d, %v, want leaf 3, %v", bad, err, ErrSignature)
		}
	}
	if _, err := p.tree.VerifyLeaves([]byte("another group"), memo); !errors.Is(err, ErrSignature) {
		t.Errorf("another group: got %v, want %v", err, ErrSignature)
	}
}

func TestUnmergedBut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		resolution []NodeIndex
		unmerged   []uint32
		want       NodeIndex
		ok         bool
	}{
		{"alone", []NodeIndex{4}, nil, 4, true},
		{"a parent first", []NodeIndex{3, 2, 6}, []uint32{1, 3}, 3, true},
		{"a leaf in between", []NodeIndex{0, 2, 6}, []uint32{0, 3}, 2, true},
		{"a leaf at the end", []NodeIndex{0, 2, 6}, []uint32{0, 1}, 6, true},
		{"two others", []NodeIndex{0, 2, 6}, []uint32{0, 5}, 0, false},
		{"none of them", []NodeIndex{3, 11}, []uint32{2}, 0, false},
	} {
		v := parentHashes{resolution: c.resolution}
		if got, ok := v.unmergedBut(c.unmerged); ok != c.ok || got != c.want {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

// BenchmarkVerifyParentHashesHostile is a tree whose only parent, the root, has all
// leaves under its left child unmerged but for the last, and all of them claim a
// parent hash: the time grows with their number and not with its square.
func BenchmarkVerifyParentHashesHostile(b *testing.B) {
	s := sized(b)
	for _, width := range []int{1 << 10, 1 << 14} {
		b.Run(fmt.Sprint(width), func(b *testing.B) {
			one := newClient(b, s, 0)
			one.leaf.Source, one.leaf.ParentHash = message.SourceCommit, []byte{1}
			e := newTree(s).edit()
			for i := range width {
				l, err := e.newLeaf(one.leaf)
				if err != nil {
					b.Fatal(err)
				}
				e.grow(LeafIndex(i).Node())
				e.fillLeaf(LeafIndex(i), l)
			}
			list := make([]uint32, width/2-1)
			for i := range list {
				list[i] = uint32(i)
			}
			e.fillParent(Root(uint32(width)), newParent(one.pair.Public, nil, list))
			t := e.t
			t.rehash()
			for b.Loop() {
				if err := t.VerifyParentHashes(); !errors.Is(err, ErrParentHash) {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestVerifyListed(t *testing.T) {
	t.Parallel()
	s := sized(t)
	c := newClient(t, s, 0)
	c.leaf.Extensions = c.leaf.Extensions.With(0xff77, nil)
	tree, err := New(s, c.leaf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.VerifyListed(); !errors.Is(err, ErrListed) {
		t.Errorf("an extension that is not listed: got %v, want %v", err, ErrListed)
	}
	c.leaf.Extensions, c.leaf.Credential.Type = nil, 0xff88
	if tree, err = New(s, c.leaf); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.VerifyListed(); !errors.Is(err, ErrListed) {
		t.Errorf("a credential type that is not listed: got %v, want %v", err, ErrListed)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	s := sized(t)
	one := blanks(t, s, 1).tree.RawLeaf(0)
	node := func(kind byte, body []byte) []byte { return append([]byte{1, kind}, body...) }
	parent := node(2, []byte{1, 9, 0, 0})
	vector := func(parts ...[]byte) []byte {
		w := wire.NewWriter(nil)
		w.Vector(func() {
			for _, p := range parts {
				w.Fixed(p)
			}
		})
		b, err := w.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	leaf := node(1, one)
	if _, err := Parse(s, vector(leaf, parent, leaf)); err != nil {
		t.Fatalf("the tree that the others are made from: %v", err)
	}
	for name, b := range map[string][]byte{
		"nothing":                    nil,
		"no nodes":                   vector(),
		"only a blank":               vector([]byte{0}),
		"a blank at the end":         vector(leaf, []byte{0}),
		"a parent at the end":        vector(leaf, parent),
		"a parent in a leaf's place": vector(parent),
		"a leaf in a parent's place": vector(leaf, leaf, leaf),
		"no such node type":          vector(node(3, one)),
		"presence octet 2":           vector([]byte{2}),
		"bytes behind":               append(vector(leaf), 0),
		"a leaf that ends early":     vector(leaf[:len(leaf)-1]),
		"unmerged leaves descend":    vector(leaf, node(2, []byte{1, 9, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0}), leaf),
		"half an unmerged leaf":      vector(leaf, node(2, []byte{1, 9, 0, 2, 0, 0}), leaf),
	} {
		if tree, err := Parse(s, b); !errors.Is(err, ErrFormat) || tree != nil {
			t.Errorf("%s: got %v, want %v", name, err, ErrFormat)
		}
	}
}
