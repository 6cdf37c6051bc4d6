package tree

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// heapOf returns by how much the live heap is larger because of what build returns.
func heapOf(build func() any) (bytes int64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := build()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// TestHeapPerMember bounds what a tree takes for each member, encodings, tree hashes
// and indexes included. It does not run beside others: the heap is common to all.
func TestHeapPerMember(t *testing.T) {
	const members, bound = 10000, 600
	s := sized(t)
	size := 0
	p := full(t, s, members)
	got := heapOf(func() any {
		encoded := mustMarshal(t, p.tree)
		size = len(encoded)
		return mustParse(t, s, encoded)
	}) / members
	runtime.KeepAlive(p)
	t.Logf("%d B for each of %d members, %d B of them encoded", got, members, size/members)
	if got > bound {
		t.Errorf("%d B for each of %d members, want at most %d", got, members, bound)
	}
}

// TestHeapPerCommit bounds what the tree after a path takes beside the one before:
// it grows with the depth and not with the number of members.
func TestHeapPerCommit(t *testing.T) {
	const members, bound = 10000, 64 << 10
	s := sized(t)
	p := full(t, s, members)
	got := heapOf(func() any {
		e := p.tree.Edit()
		if _, err := e.NewPath(4711, p.clients[4711].leaf, p.clients[4711].signer.Private, groupID); err != nil {
			t.Fatal(err)
		}
		return mustTree(t, e)
	})
	runtime.KeepAlive(p)
	t.Logf("%d B", got)
	if got > bound {
		t.Errorf("%d B for one path, want at most %d", got, bound)
	}
}

// TestOperations counts the cryptography of a path in a full tree: it is the
// specification's and no more.
func TestOperations(t *testing.T) {
	t.Parallel()
	const members, depth = 1024, 10
	c := suite.NewCounting(sized(t))
	p := full(t, c, members)
	counted := func(f func()) suite.Counts {
		before := c.Counts()
		f()
		return c.Counts().Sub(before)
	}
	check := func(what string, got suite.Counts, op suite.Op, want int64) {
		t.Helper()
		if got[op].N != want {
			t.Errorf("%s: %d times %v, want %d", what, got[op].N, op, want)
		}
	}

	e := p.tree.Edit()
	var path *Path
	var after *Tree
	made := counted(func() {
		var err error
		if path, err = e.NewPath(0, p.clients[0].leaf, p.clients[0].signer.Private, groupID); err != nil {
			t.Fatal(err)
		}
		after = mustTree(t, e)
	})
	check("NewPath", made, suite.OpSign, 1)
	check("NewPath", made, suite.OpKeyGenerate, 1)
	check("NewPath", made, suite.OpKeyDerive, depth)
	check("NewPath", made, suite.OpExpand, 2*depth)
	check("NewPath", made, suite.OpRand, 1)
	check("NewPath", made, suite.OpHash, depth+(depth+1)) // parent hashes, tree hashes

	context := after.Hash()
	sent, err := path.Encrypt(after, context, nil)
	if err != nil {
		t.Fatal(err)
	}
	check("Encrypt", counted(func() { _, _ = path.Encrypt(after, context, nil) }), suite.OpHPKESeal, depth)

	e = p.tree.Edit()
	applied := counted(func() {
		if err := e.ApplyPath(0, sent, nil); err != nil {
			t.Fatal(err)
		}
		mustTree(t, e)
	})
	var want suite.Counts
	want[suite.OpHash] = applied[suite.OpHash]
	if applied != want {
		t.Errorf("ApplyPath: %v, want hashes alone", applied)
	}
	check("ApplyPath", applied, suite.OpHash, depth+(depth+1))

	for _, test := range []struct{ leaf, level int }{{1, 1}, {2, 2}, {511, 9}, {1023, 10}} {
		name := fmt.Sprintf("Open at leaf %d", test.leaf)
		above := int64(depth - test.level + 1) // nodes that the member shares with the sender
		got := counted(func() {
			if _, _, err := p.private[LeafIndex(test.leaf)].Open(after, 0, sent, context, nil); err != nil {
				t.Fatal(err)
			}
		})
		check(name, got, suite.OpHPKEOpenWith, 1)
		check(name, got, suite.OpKeyDerive, above)
		check(name, got, suite.OpExpand, 2*above)
		check(name, got, suite.OpHash, 0)
	}

	check("Parse", counted(func() { mustParse(t, c, mustMarshal(t, after)) }), suite.OpHash, int64(NodeWidth(members)))
	check("VerifyParentHashes", counted(func() {
		if err := after.VerifyParentHashes(); err != nil {
			t.Fatal(err)
		}
	}), suite.OpHash, 2*(members-1))
	check("VerifyLeaves", counted(func() {
		if _, err := after.VerifyLeaves(groupID, nil); err != nil {
			t.Fatal(err)
		}
	}), suite.OpVerifyBatched, members)

	memo := NewVerified(members)
	for k, want := range []int64{members, 0} {
		check(fmt.Sprintf("VerifyLeaves with a memory, time %d", k+1), counted(func() {
			if _, err := after.VerifyLeaves(groupID, memo); err != nil {
				t.Fatal(err)
			}
		}), suite.OpVerifyBatched, want)
	}
}
