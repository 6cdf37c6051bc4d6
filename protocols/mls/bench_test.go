package mls

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// The benchmarks are of suite 1 with basic credentials, on one core unless GOMAXPROCS
// says otherwise. A "blank" tree is one right after all members were added by one
// Commit; in a "full" tree every parent has a key.

// sizes are the numbers of members; -short leaves the large ones out.
func sizes(b *testing.B) []int {
	if testing.Short() {
		return []int{10, 100}
	}
	return []int{10, 100, 1000, 10_000}
}

// crowd is a group of n members of whom only a few have their own state: the
// creator, who committed, and the first and last who joined.
type crowd struct {
	cfg     *Config
	ids     []*Identity
	keys    []*KeyPackage
	creator *Group
	pending *Pending
}

func newCrowd(tb testing.TB, n int) *crowd {
	tb.Helper()
	s, err := suite.NewSeeded(1, sha256.Sum256([]byte("bench")), "")
	if err != nil {
		tb.Fatal(err)
	}
	c := &crowd{cfg: &Config{Suite: s, PublicHandshake: true}}
	for i := range n {
		id, err := NewIdentity(s, fmt.Appendf(nil, "member %d", i))
		if err != nil {
			tb.Fatal(err)
		}
		c.ids = append(c.ids, id)
		if i == 0 {
			continue
		}
		k, err := c.cfg.NewKeyPackage(now, id, LeafOptions{})
		if err != nil {
			tb.Fatal(err)
		}
		c.keys = append(c.keys, k)
	}
	if c.creator, err = New(c.cfg, now, c.ids[0], []byte("crowd"), GroupOptions{}); err != nil {
		tb.Fatal(err)
	}
	return c
}

// addAll commits the adds of all others.
func (c *crowd) addAll(tb testing.TB) *Pending {
	tb.Helper()
	o := CommitOptions{}
	for _, k := range c.keys {
		o.Proposals = append(o.Proposals, AddProposal(k.Public))
	}
	p, err := c.creator.Commit(now, o)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// joined returns a crowd of n whose creator has merged, and the Welcome.
func joined(tb testing.TB, n int) (*crowd, *message.Welcome) {
	tb.Helper()
	c := newCrowd(tb, n)
	c.pending = c.addAll(tb)
	if err := c.creator.Merge(&c.pending.Staged); err != nil {
		tb.Fatal(err)
	}
	return c, c.welcome(tb)
}

func (c *crowd) welcome(tb testing.TB) *message.Welcome {
	tb.Helper()
	m, err := message.Parse(c.pending.Welcome, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return m.Welcome
}

// member joins with KeyPackage i.
func (c *crowd) member(tb testing.TB, w *message.Welcome, i int, o JoinOptions) *Group {
	tb.Helper()
	sw, err := OpenWelcome(c.cfg, now, w, c.keys[i:i+1], o)
	if err != nil {
		tb.Fatal(err)
	}
	return sw.Join()
}

func BenchmarkKeyPackage(b *testing.B) {
	c := newCrowd(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.cfg.NewKeyPackage(now, c.ids[0], LeafOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddAll(b *testing.B) {
	for _, n := range sizes(b) {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := newCrowd(b, n)
			b.ReportAllocs()
			for b.Loop() {
				c.pending = c.addAll(b)
			}
			b.ReportMetric(float64(len(c.pending.Message)), "commit-B")
			b.ReportMetric(float64(len(c.pending.Welcome)), "welcome-B")
		})
	}
}

func BenchmarkJoin(b *testing.B) {
	for _, n := range sizes(b) {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, w := joined(b, n)
			b.ReportAllocs()
			for b.Loop() {
				g := c.member(b, w, n-2, JoinOptions{})
				if string(g.EpochAuthenticator()) != string(c.creator.EpochAuthenticator()) {
					b.Fatal("members disagree")
				}
			}
		})
	}
}

func BenchmarkBlankCommit(b *testing.B) {
	for _, n := range sizes(b) {
		c, w := joined(b, n)
		benchCommit(b, n, c.creator, c.member(b, w, n-2, JoinOptions{}))
	}
}

// BenchmarkFullCommit goes to 100 000 members, to show that the cost grows with
// their logarithm; making that group takes most of a minute.
func BenchmarkFullCommit(b *testing.B) {
	all := sizes(b)
	if !testing.Short() {
		all = append(all, 100_000)
	}
	for _, n := range all {
		a, z := fullGroup(b, n)
		benchCommit(b, n, a, z)
	}
}

// benchCommit measures making and processing an empty Commit with a path.
func benchCommit(b *testing.B, n int, from, to *Group) {
	var p *Pending
	b.Run(fmt.Sprintf("create/%d", n), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if p, err = from.Commit(now, CommitOptions{Info: GroupInfoOptions{NoTree: true}}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(p.Message)), "commit-B")
	})
	b.Run(fmt.Sprintf("process/%d", n), func(b *testing.B) {
		if p == nil {
			b.Skip("no commit was made")
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := to.Process(now, p.Message); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// fullGroup returns the first and the last member of a group of n with a full tree,
// n even. The tree is filled with one path per pair of leaves, which no one else has
// to process: the last member's is the last, so that it knows all keys of its path,
// and the first one's commits are for it to open.
func fullGroup(tb testing.TB, n int) (first, last *Group) {
	tb.Helper()
	c := newCrowd(tb, n)
	groupID := []byte("full")
	t := c.creator.Tree()
	e := t.Edit()
	for _, k := range c.keys {
		if _, err := e.Add(&k.Public.LeafNode); err != nil {
			tb.Fatal(err)
		}
	}
	t, err := e.Tree()
	if err != nil {
		tb.Fatal(err)
	}
	var own *tree.Private
	for i := n - 1; i >= -1; i -= 2 {
		leaf := tree.LeafIndex(i) // n-1, n-3, ... 1
		if i == -1 {
			leaf = tree.LeafIndex(n - 1) // and the last once more
		}
		e := t.Edit()
		p, err := e.NewPath(leaf, t.Leaf(leaf), c.ids[leaf].Signer.Private, groupID)
		if err != nil {
			tb.Fatal(err)
		}
		if t, err = e.Tree(); err != nil {
			tb.Fatal(err)
		}
		own = p.Private()
	}
	s := c.cfg.Suite
	context := message.GroupContext{Suite: s.ID(), GroupID: groupID, Epoch: 1, TreeHash: t.Hash(), ConfirmedTranscriptHash: []byte("filled")}
	secret := make([]byte, s.ID().Sizes().Hash)
	tag := schedule.ConfirmationTag(s, schedule.EpochOf(s, secret).Confirmation, context.ConfirmedTranscriptHash)
	snap, err := newSnapshot(c.cfg, context, t, tag)
	if err != nil {
		tb.Fatal(err)
	}
	member := func(leaf int, p *tree.Private) *Group {
		g := newGroup(c.cfg, snap)
		g.enter(&secrets{own: tree.LeafIndex(leaf), signer: c.ids[leaf].Signer.Private, private: p, epoch: schedule.EpochOf(s, secret)})
		return g
	}
	return member(0, tree.NewPrivate(0, c.creator.private.LeafKey())), member(n-1, own)
}

func BenchmarkApplication(b *testing.B) {
	c, w := joined(b, 100)
	last := c.member(b, w, 98, JoinOptions{})
	data := make([]byte, 1024)
	b.Run("protect", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := c.creator.Protect(data, SendOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unprotect", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		var sent [][]byte
		for b.Loop() {
			if len(sent) == 0 {
				b.StopTimer()
				for range 256 {
					m, err := last.Protect(data, SendOptions{})
					if err != nil {
						b.Fatal(err)
					}
					sent = append(sent, m)
				}
				b.StartTimer()
			}
			if _, err := c.creator.Process(now, sent[0]); err != nil {
				b.Fatal(err)
			}
			sent = sent[1:]
		}
	})
}
