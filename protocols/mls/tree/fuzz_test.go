package tree

import (
	"bytes"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// FuzzParse: whatever is read is written again byte for byte, is read alike by
// package message, and can be asked for anything without a panic.
func FuzzParse(f *testing.F) {
	s := sized(f)
	f.Add(mustMarshal(f, blanks(f, s, 1).tree))
	f.Add(mustMarshal(f, full(f, s, 3).tree))
	p := full(f, s, 5)
	e := p.tree.Edit()
	if err := add(e, newClient(f, s, 9).leaf); err != nil {
		f.Fatal(err)
	}
	f.Add(mustMarshal(f, mustTree(f, e)))
	f.Add([]byte{0})
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := Parse(s, b)
		if err != nil {
			if tree != nil {
				t.Fatal("a tree beside an error")
			}
			return
		}
		if got := mustMarshal(t, tree); !bytes.Equal(got, b) {
			t.Fatalf("read %x, wrote %x", b, got)
		}
		for i, n := range tree.All() {
			if again, err := wire.Marshal(n); err != nil || !bytes.Equal(again, tree.RawLeaf(i)) {
				t.Fatalf("leaf %d: read %x, package message wrote %x, %v", i, tree.RawLeaf(i), again, err)
			}
		}
		for n := range NodeIndex(NodeWidth(tree.Width())) {
			tree.Resolution(n)
			tree.Parent(n)
		}
		keys := tree.VerifyKeys()
		_ = tree.VerifyParentHashes()
		_, _ = tree.VerifyLeaves(nil, nil)
		_, _ = tree.VerifyListed()
		if keys != nil {
			return
		}
		e := tree.Edit()
		last := LeafIndex(tree.Width() - 1)
		for e.Leaf(last) == nil {
			last--
		}
		if tree.Members() > 1 {
			if err := e.Remove(last); err != nil {
				t.Fatal(err)
			}
		}
		after := mustTree(t, e)
		if again := mustParse(t, s, mustMarshal(t, after)); !bytes.Equal(again.Hash(), after.Hash()) {
			t.Fatalf("tree hash after a removal: got %x, read again %x", after.Hash(), again.Hash())
		}
	})
}

// FuzzScanLeaf: a leaf is well-formed here exactly if it is for package message.
func FuzzScanLeaf(f *testing.F) {
	s := sized(f)
	for _, tree := range []*Tree{blanks(f, s, 1).tree, full(f, s, 2).tree} {
		f.Add(tree.RawLeaf(0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := newTree(s).readLeaf(b)
		var n message.LeafNode
		want := wire.Unmarshal(b, &n)
		if (err == nil) != (want == nil) {
			t.Fatalf("got %v, package message says %v", err, want)
		}
		if err != nil {
			return
		}
		content, signature := l.unsigned()
		if !bytes.Equal(l.encryptionKey(), n.EncryptionKey) || !bytes.Equal(l.signatureKey(), n.SignatureKey) ||
			!bytes.Equal(signature, n.Signature) || !bytes.HasPrefix(b, content) ||
			!bytes.Equal(l.parentHash(), n.ParentHash) || l.source() != n.Source || l.credentialType() != n.Credential.Type {
			t.Fatalf("fields of %x differ from those of package message: %+v", b, n)
		}
		tbs, err := n.TBS([]byte("g"), 7)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendSigned(nil, &l, []byte("g"), 7); !bytes.HasSuffix(got, tbs) {
			t.Fatalf("what is signed: got %x, want it to end in %x", got, tbs)
		}
		k := 0
		for e := range l.extensionTypes {
			if k >= len(n.Extensions) || n.Extensions[k].Type != e {
				t.Fatalf("extension %d: got %v, want those of %+v", k, e, n.Extensions)
			}
			k++
		}
		if k != len(n.Extensions) {
			t.Fatalf("got %d extensions, want %d", k, len(n.Extensions))
		}
	})
}

// FuzzPrivate: private keys that are read are written again byte for byte.
func FuzzPrivate(f *testing.F) {
	s := sized(f)
	for _, v := range full(f, s, 5).private {
		b, err := wire.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v Private
		if wire.Unmarshal(b, &v) != nil {
			return
		}
		if got, err := wire.Marshal(&v); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("read %x, wrote %x, %v", b, got, err)
		}
	})
}

// FuzzFromPages: a page that is read makes a tree that has that page.
func FuzzFromPages(f *testing.F) {
	s := sized(f)
	for _, pg := range full(f, s, 40).tree.Pages(nil) {
		f.Add(pg.Level, pg.Number, pg.Data)
	}
	f.Fuzz(func(t *testing.T, level uint8, number uint32, data []byte) {
		if number > 64 || level > 1 {
			return // far pages make wide trees, which take long to hash
		}
		tree, err := FromPages(s, []Page{{level, number, data}})
		if err != nil {
			return
		}
		again, err := FromPages(s, tree.Pages(nil))
		if err != nil || !bytes.Equal(again.Hash(), tree.Hash()) {
			t.Fatalf("tree from its pages: %v", err)
		}
	})
}
