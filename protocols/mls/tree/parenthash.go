package tree

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// parentHash appends the parent hash of a parent with a copath child to dst (RFC
// 9420, Section 7.9):
//
//	struct {
//	    HPKEPublicKey encryption_key;
//	    opaque parent_hash<V>;
//	    opaque original_sibling_tree_hash<V>;
//	} ParentHashInput;
func (h *hasher) parentHash(dst, encryptionKey, parentHash, sibling []byte) []byte {
	w := wire.NewWriter(h.buf[:0])
	w.Opaque(encryptionKey)
	w.Opaque(parentHash)
	w.Opaque(sibling)
	return h.sum(dst, w)
}

// pathHashes returns the parent hashes that a path brings (RFC 9420, Section 7.9):
// for each of its nodes the parent_hash field, and that of the leaf. A node of a
// path has no unmerged leaves, so the siblings' tree hashes are those of now.
func (e *Edit) pathHashes(copath []NodeIndex, keys [][]byte) (fields [][]byte, leaf []byte) {
	h := newHasher(e.t.suite)
	fields = make([][]byte, len(keys))
	above := []byte{}
	for k := len(keys) - 1; k >= 0; k-- {
		fields[k] = above
		above = h.parentHash(nil, keys[k], above, h.fresh(&e.t, copath[k]))
	}
	return fields, above
}

// VerifyParentHashes checks that every parent that is not blank is parent-hash
// valid: exactly one node below vouches for it (RFC 9420, Section 7.9.2). It
// belongs after VerifyKeys.
func (t *Tree) VerifyParentHashes() error {
	v := parentHashes{t: t, h: newHasher(t.suite)}
	for n := range NodeWidth(t.width) {
		if p := t.parentAt(NodeIndex(n)); p != nil {
			if err := v.verify(NodeIndex(n), p); err != nil {
				return err
			}
		}
	}
	return nil
}

// parentHashes verifies parent hashes; it holds buffers from one to the next.
type parentHashes struct {
	t          *Tree
	h          *hasher
	resolution []NodeIndex
	hash       []byte
}

// verify checks one parent, "top down" in the words of Section 7.9.2.
func (v *parentHashes) verify(n NodeIndex, p *parent) error {
	left, _ := n.Left()
	right, _ := n.Right()
	valid := v.vouchers(p, left, right) + v.vouchers(p, right, left)
	if valid != 1 {
		return fmt.Errorf("%w: %d nodes vouch for node %d, want exactly 1", ErrParentHash, valid, n)
	}
	return nil
}

// vouchers counts, to 1 at most, the nodes D with a parent hash that is valid with respect to P,
// whose children are C, which has D under it, and S:
//
//   - D's parent_hash is the parent hash of P with copath child S;
//   - D is in the resolution of C, and P's unmerged leaves under C are that
//     resolution without D.
func (v *parentHashes) vouchers(p *parent, c, s NodeIndex) int {
	unmerged := under(p.unmerged, c)
	v.resolution = v.t.resolve(v.resolution[:0], c)
	if len(v.resolution) != len(unmerged)+1 {
		return 0
	}
	d, ok := v.unmergedBut(unmerged)
	if !ok {
		return 0
	}
	field := v.t.parentHashField(d)
	if len(field) == 0 {
		return 0
	}
	sibling := v.original(s, under(p.unmerged, s))
	v.hash = v.h.parentHash(v.hash[:0], p.encryptionKey(), p.parentHash(), sibling)
	if !bytes.Equal(field, v.hash) {
		return 0
	}
	return 1
}

// unmergedBut returns the one node of the resolution that is not unmerged, if the
// others are. No node is in either list twice, so it is where they differ first.
func (v *parentHashes) unmergedBut(unmerged []uint32) (d NodeIndex, ok bool) {
	k := 0
	for k < len(unmerged) && v.resolution[k] == LeafIndex(unmerged[k]).Node() {
		k++
	}
	for j := k; j < len(unmerged); j++ {
		if v.resolution[j+1] != LeafIndex(unmerged[j]).Node() {
			return 0, false
		}
	}
	return v.resolution[k], true
}

// under returns the part of a list of leaves that lies under a node.
func under(list []uint32, n NodeIndex) []uint32 {
	first, last := n.leaves()
	from, _ := slices.BinarySearch(list, uint32(first))
	to, _ := slices.BinarySearch(list, uint32(last)+1)
	return list[from:to]
}

// parentHashField returns the parent_hash of a node, empty if it has none.
func (t *Tree) parentHashField(n NodeIndex) []byte {
	if i, ok := n.Leaf(); ok {
		if l := t.leafAt(i); l != nil {
			return l.parentHash()
		}
		return nil
	}
	if p := t.parentAt(n); p != nil {
		return p.parentHash()
	}
	return nil
}

// original returns the original tree hash of a sibling: that which it has without
// some leaves, all of them under it.
func (v *parentHashes) original(n NodeIndex, blanked []uint32) []byte {
	if len(blanked) == 0 {
		return v.t.hashAt(n)
	}
	if i, ok := n.Leaf(); ok {
		return v.h.leaf(nil, i, nil)
	}
	left, _ := n.Left()
	right, _ := n.Right()
	l := v.original(left, under(blanked, left))
	r := v.original(right, under(blanked, right))
	var p parent
	if q := v.t.parentAt(n); q != nil {
		p.keys = q.keys
		p.unmerged = minus(q.unmerged, blanked)
	}
	return v.h.parent(nil, &p, l, r)
}

// minus returns the elements of a without those of b; both ascend.
func minus(a, b []uint32) []uint32 {
	out := make([]uint32, 0, len(a))
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			out = append(out, x)
		}
	}
	return out
}
