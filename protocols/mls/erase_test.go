package mls

import (
	"bytes"
	"testing"
)

// TestPrivateKeysAreErased: the private keys of an epoch that are not those of the next
// are overwritten (RFC 9420, Section 9.2), and nobody else's are.
func TestPrivateKeysAreErased(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, nil)
	k := w.keyPackage("1")
	w.commit("0", CommitOptions{}, k)
	zero := func(b []byte) bool { return bytes.Equal(b, make([]byte, len(b))) }
	for _, by := range []string{"1", "0", "1"} {
		old := map[string][]byte{}
		for name, g := range w.groups {
			old[name] = g.private.LeafKey().Private
		}
		w.commit(by, CommitOptions{Path: true})
		for name, b := range old {
			if zero(b) != (name == by) {
				t.Errorf("after a commit of %s: the leaf's key of %s is gone: %t", by, name, zero(b))
			}
		}
	}
	if zero(k.Leaf.Private) || zero(k.Init.Private) {
		t.Error("the keys of the KeyPackage, which may be used again, were overwritten")
	}
	last := w.groups["1"].private.LeafKey().Private
	leaf := w.groups["1"].OwnLeaf()
	p, err := w.groups["0"].Commit(now, CommitOptions{Proposals: append(CommitOptions{}.Proposals, RemoveProposal(leaf))})
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.groups["1"].Process(now, p.Message)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.groups["1"].Merge(e.(*Staged)); err != nil {
		t.Fatal(err)
	}
	if !zero(last) {
		t.Error("one who was removed keeps the leaf's key")
	}
}
