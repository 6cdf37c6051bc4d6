package tree

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestGrowAndShrink crosses the borders of pages in both directions: 64 leaves and
// more are more than one level of pages.
func TestGrowAndShrink(t *testing.T) {
	t.Parallel()
	s := sized(t)
	c := newClient(t, s, 0)
	tree, err := New(s, c.leaf)
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(s, c.leaf)
	made := 1
	for _, members := range []int{31, 33, 70, 20, 150, 300, 65, 64, 130, 1, 33} {
		e := tree.Edit()
		for e.Members() < members {
			c := newClient(t, s, made)
			made++
			i, err := e.Add(c.leaf)
			if err != nil {
				t.Fatal(err)
			}
			if want := m.add(c.leaf); i != want {
				t.Fatalf("Add: got leaf %d, want %d", i, want)
			}
		}
		for i := LeafIndex(e.Width() - 1); e.Members() > members; i-- {
			if e.Leaf(i) == nil {
				continue
			}
			if err := e.Remove(i); err != nil {
				t.Fatal(err)
			}
			m.remove(i)
		}
		before := tree
		tree = mustTree(t, e)
		m.compare(t, tree)

		// The pages of the one, changed by what differs, are those of the other.
		store := map[[2]uint32][]byte{}
		var pages []Page
		for _, pg := range append(before.Pages(nil), tree.Pages(before)...) {
			store[[2]uint32{uint32(pg.Level), pg.Number}] = pg.Data
		}
		for name, data := range store {
			if data != nil {
				pages = append(pages, Page{uint8(name[0]), name[1], data})
			}
		}
		stored, err := FromPages(s, pages)
		if err != nil {
			t.Fatal(err)
		}
		m.compare(t, stored)
	}
}

// TestUniqueKeys: keys must be unique in the tree after a Commit, and only there.
func TestUniqueKeys(t *testing.T) {
	t.Parallel()
	s := sized(t)
	a, b, c := newClient(t, s, 0), newClient(t, s, 1), newClient(t, s, 2)
	e := newTree(s).edit()
	for _, x := range []client{a, b} {
		if _, err := e.Add(x.leaf); err != nil {
			t.Fatal(err)
		}
	}
	base := mustTree(t, e)
	with := func(n *message.LeafNode, encryption, signature *message.LeafNode) *message.LeafNode {
		n2 := *n
		n2.EncryptionKey, n2.SignatureKey = encryption.EncryptionKey, signature.SignatureKey
		return &n2
	}
	tests := []struct {
		name string
		edit func(e *Edit) error
		want *DuplicateKeyError // nil if allowed
	}{
		{"another's encryption key", func(e *Edit) error { return add(e, with(c.leaf, a.leaf, c.leaf)) }, &DuplicateKeyError{EncryptionKey, 4, 0}},
		{"another's signature key", func(e *Edit) error { return add(e, with(c.leaf, c.leaf, b.leaf)) }, &DuplicateKeyError{SignatureKey, 4, 2}},
		{"one key twice in a Commit", func(e *Edit) error {
			return errors.Join(add(e, c.leaf), add(e, c.leaf))
		}, &DuplicateKeyError{EncryptionKey, 4, 6}},
		{"a removed member's keys", func(e *Edit) error { return errors.Join(e.Remove(1), add(e, b.leaf)) }, nil},
		{"two members swap keys", func(e *Edit) error { return errors.Join(e.Update(0, b.leaf), e.Update(1, a.leaf)) }, nil},
		{"added and removed", func(e *Edit) error { return errors.Join(add(e, a.leaf), e.Remove(2)) }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := base.Edit()
			if err := test.edit(e); err != nil {
				t.Fatal(err)
			}
			_, err := e.Tree()
			var got *DuplicateKeyError
			switch {
			case test.want == nil && err != nil:
				t.Errorf("got %v, want no error", err)
			case test.want != nil && (!errors.As(err, &got) || *got != *test.want || !errors.Is(err, ErrKey)):
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func add(e *Edit, n *message.LeafNode) error {
	_, err := e.Add(n)
	return err
}

// TestRemoveEveryone removes all members, from either end, and adds one: the tree is
// that of a group of one.
func TestRemoveEveryone(t *testing.T) {
	t.Parallel()
	s := sized(t)
	a := newClient(t, s, 0)
	one, err := New(s, a.leaf)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 2, 3, 64, 65, 200} {
		e := one.Edit()
		for n := 1; n < size; n++ {
			if err := add(e, newClient(t, s, n).leaf); err != nil {
				t.Fatal(err)
			}
		}
		full := mustTree(t, e)
		for _, backwards := range []bool{false, true} {
			e := full.Edit()
			for n := range size {
				if backwards {
					n = size - 1 - n
				}
				if err := e.Remove(LeafIndex(n)); err != nil {
					t.Fatalf("size %d: remove of leaf %d: %v", size, n, err)
				}
			}
			none := mustTree(t, e)
			if none.Members() != 0 || none.Width() != 1 {
				t.Fatalf("size %d: %d members in %d leaves, want 0 in 1", size, none.Members(), none.Width())
			}
			e = none.Edit()
			if err := add(e, a.leaf); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(mustTree(t, e).Hash(), one.Hash()) {
				t.Errorf("size %d, backwards %v: the tree of one that comes after is another", size, backwards)
			}
		}
	}
}

func TestEditRefuses(t *testing.T) {
	t.Parallel()
	s := sized(t)
	a := newClient(t, s, 0)
	tree, err := New(s, a.leaf)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		edit func(e *Edit) error
		want error
	}{
		{"remove beyond the tree", func(e *Edit) error { return e.Remove(7) }, ErrLeaf},
		{"update of a leaf far beyond", func(e *Edit) error { return e.Update(1<<32-1, a.leaf) }, ErrLeaf},
		{"path of a leaf beyond the tree", func(e *Edit) error { return e.ApplyPath(1, &message.UpdatePath{}, nil) }, ErrLeaf},
		{"new path of a leaf beyond the tree", func(e *Edit) error {
			_, err := e.NewPath(1, a.leaf, a.signer.Private, nil)
			return err
		}, ErrLeaf},
		{"leaf of no source", func(e *Edit) error { return add(e, &message.LeafNode{}) }, ErrFormat},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := tree.Edit()
			if err := test.edit(e); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if got := mustTree(t, e).Hash(); string(got) != string(tree.Hash()) {
				t.Errorf("the edit changed the tree in spite of the error")
			}
		})
	}
}

// TestNextLeafUnfilled: a leaf that was asked for and not filled leaves no trace.
func TestNextLeafUnfilled(t *testing.T) {
	t.Parallel()
	s := sized(t)
	tree, err := New(s, newClient(t, s, 0).leaf)
	if err != nil {
		t.Fatal(err)
	}
	e := tree.Edit()
	if i, err := e.NextLeaf(); i != 1 || err != nil {
		t.Fatalf("NextLeaf: got %d, %v, want 1", i, err)
	}
	if got := mustTree(t, e); got.Width() != 1 || string(got.Hash()) != string(tree.Hash()) {
		t.Errorf("got a tree of %d leaves, want that of before", got.Width())
	}
}

// TestConcurrentEdits: several Edits of one tree go on at once, and none writes to
// what they share. The race detector is what sees it.
func TestConcurrentEdits(t *testing.T) {
	t.Parallel()
	s := sized(t)
	p := full(t, s, 70)
	e := p.tree.Edit()
	for k := range 5 { // so that there are unmerged leaves
		if err := add(e, newClient(t, s, 100+k).leaf); err != nil {
			t.Fatal(err)
		}
	}
	base := mustTree(t, e)
	want := mustMarshal(t, base)
	var wg sync.WaitGroup
	for k := range 4 {
		// Made here: the suite's lock would put the goroutines in an order, and hide
		// races between them.
		var clients []client
		for j := range 70 {
			clients = append(clients, newClient(t, s, 200+100*k+j))
		}
		wg.Go(func() {
			e := base.Edit()
			for _, c := range clients {
				if err := add(e, c.leaf); err != nil {
					t.Error(err)
				}
			}
			if _, err := e.NewPath(LeafIndex(k), p.clients[k].leaf, p.clients[k].signer.Private, groupID); err != nil {
				t.Error(err)
			}
			if _, err := e.Tree(); err != nil {
				t.Error(err)
			}
			if err := errors.Join(base.VerifyKeys(), base.VerifyParentHashes()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := mustMarshal(t, base); !bytes.Equal(got, want) {
		t.Error("the tree changed")
	}
	root := base.parentAt(Root(base.width))
	if len(root.unmerged) != 5 || cap(root.unmerged) != 5 {
		t.Errorf("the root has %d unmerged leaves and room for %d, want 5 and 5", len(root.unmerged), cap(root.unmerged))
	}
}
