package mls

import (
	"runtime"
	"testing"
)

// liveHeap returns the live heap in bytes.
func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestCrowdInOneProcess: ten thousand members of one group, each with its own view,
// take less than 2 GB, also after commits. A commit to a blank tree has ten thousand
// ciphertexts, which every member reads, so that a sample of them does.
func TestCrowdInOneProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("makes ten thousand members")
	}
	const n, most = 10_000, 2_000_000_000
	before := liveHeap()
	c := newCrowd(t, n)
	cfg := *c.cfg
	cfg.Shared = &Shared{}
	c.cfg = &cfg
	c.creator.cfg = &cfg
	o := CommitOptions{Info: GroupInfoOptions{NoTree: true}}
	for _, k := range c.keys {
		o.Proposals = append(o.Proposals, AddProposal(k.Public))
	}
	p, err := c.creator.Commit(now, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.creator.Merge(&p.Staged); err != nil {
		t.Fatal(err)
	}
	c.pending = p
	w := c.welcome(t)
	members := []*Group{c.creator}
	for i := range c.keys {
		members = append(members, c.member(t, w, i, JoinOptions{Tree: c.creator.Tree()}))
		c.keys[i] = nil
	}
	c.keys, c.pending, w = nil, nil, nil
	joined := liveHeap()
	t.Logf("joined: %d MB, %d bytes a member", (joined-before)/1e6, (joined-before)/n)
	if joined-before > most {
		t.Errorf("%d members take %d bytes, want less than %d", n, joined-before, most)
	}
	var sample []*Group
	for i := 0; i < n; i += 16 {
		sample = append(sample, members[i])
	}
	for _, by := range []int{5, 600} {
		p, err := sample[by].Commit(now, CommitOptions{Info: GroupInfoOptions{NoTree: true}})
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range sample {
			if i == by {
				continue
			}
			e, err := m.Process(now, p.Message)
			if err != nil {
				t.Fatalf("member %d: %v", i, err)
			}
			if err := m.Merge(e.(*Staged)); err != nil {
				t.Fatal(err)
			}
		}
		if err := sample[by].Merge(&p.Staged); err != nil {
			t.Fatal(err)
		}
		for i, m := range sample {
			if string(m.EpochAuthenticator()) != string(sample[0].EpochAuthenticator()) {
				t.Fatalf("member %d disagrees", i)
			}
		}
	}
	after := liveHeap()
	t.Logf("after two commits to %d of them: %d MB", len(sample), (after-before)/1e6)
	if after-before > most {
		t.Errorf("%d members take %d bytes after two commits, want less than %d", n, after-before, most)
	}
	runtime.KeepAlive(members)
}

// TestMemberHeap: the state of one member of ten thousand takes at most 6 MB.
func TestMemberHeap(t *testing.T) {
	if testing.Short() {
		t.Skip("makes ten thousand KeyPackages")
	}
	const n, most = 10_000, 6_000_000
	c, w := joined(t, n)
	before := liveHeap()
	g := c.member(t, w, n-2, JoinOptions{})
	got := liveHeap() - before
	t.Logf("%d bytes", got)
	if got > most {
		t.Errorf("a member of %d takes %d bytes, want at most %d", n, got, most)
	}
	runtime.KeepAlive(g)
	runtime.KeepAlive(c)
	runtime.KeepAlive(w)
}
