package mls

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// ops are the operations that cost most.
type ops struct {
	sign, verify  int64
	seal, open    int64 // HPKE
	draw, derive  int64 // key pairs
	send, receive int64 // HPKE exports, of an external Commit
}

// meter counts the operations of a world.
type meter struct {
	*world
	counting *suite.Counting
}

func newMeter(t *testing.T) *meter {
	s, err := suite.NewSeeded(1, sha256.Sum256([]byte(t.Name())), "")
	if err != nil {
		t.Fatal(err)
	}
	c := suite.NewCounting(s)
	cfg := &Config{Suite: c, PublicHandshake: true}
	w := &world{t: t, cfg: cfg, ids: map[string]*Identity{}, groups: map[string]*Group{}}
	g, err := New(cfg, now, w.identity("0"), []byte("group"), GroupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.put("0", g)
	return &meter{w, c}
}

// count compares what f does with what it should.
func (m *meter) count(what string, want ops, f func() error) {
	m.t.Helper()
	before := m.counting.Counts()
	if err := f(); err != nil {
		m.t.Fatalf("%s: %v", what, err)
	}
	d := m.counting.Counts().Sub(before)
	n := func(list ...suite.Op) (sum int64) {
		for _, op := range list {
			sum += d[op].N
		}
		return sum
	}
	got := ops{
		sign: n(suite.OpSign), verify: n(suite.OpVerify, suite.OpVerifyBatched),
		seal: n(suite.OpHPKESeal), open: n(suite.OpHPKEOpen, suite.OpHPKEOpenWith),
		draw: n(suite.OpKeyGenerate), derive: n(suite.OpKeyDerive),
		send: n(suite.OpHPKESend), receive: n(suite.OpHPKEReceive),
	}
	if got != want {
		m.t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// TestCounts counts what the verbs cost in groups of several sizes. A change of
// these numbers is a change of how the engine scales.
func TestCounts(t *testing.T) {
	t.Parallel()
	for _, members := range []int64{2, 4, 16, 64} {
		t.Run(fmt.Sprint(members), func(t *testing.T) {
			t.Parallel()
			newMeter(t).life(members)
		})
	}
}

// life takes a group to n members, a power of two, and on.
func (m *meter) life(n int64) {
	height := int64(bits.Len64(uint64(n)) - 1)
	first := m.groups["0"]

	keys := make([]*KeyPackage, n-1)
	for i := range keys {
		name := fmt.Sprint(i + 1)
		m.identity(name)
		m.count("KeyPackage", ops{sign: 2, draw: 2}, func() error {
			keys[i] = m.keyPackage(name)
			return nil
		})
	}
	var o CommitOptions
	for _, k := range keys {
		o.Proposals = append(o.Proposals, AddProposal(k.Public))
	}
	var p *Pending
	m.count("add all", ops{verify: 2 * (n - 1), sign: 2, seal: n - 1}, func() (err error) {
		p, err = first.Commit(now, o)
		return err
	})
	m.count("merge", ops{}, func() error { return first.Merge(&p.Staged) })
	welcome, err := message.Parse(p.Welcome, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, k := range keys {
		m.count("join", ops{verify: n + 1, open: 1}, func() error {
			w, err := OpenWelcome(m.cfg, now, welcome.Welcome, []*KeyPackage{k}, JoinOptions{})
			if err == nil {
				m.put(string(k.Public.LeafNode.Credential.Identity), w.Join())
			}
			return err
		})
	}

	// No parent has a key yet: the first path is sealed to every leaf.
	m.path("first path", "0", ops{sign: 2, draw: 1, derive: height, seal: n - 1})
	for i := range n {
		m.commit(fmt.Sprint(i), CommitOptions{})
	}
	m.path("path in a full tree", "1", ops{sign: 2, draw: 1, derive: height, seal: height})
	m.chats()
	m.outside(n, height)
}

// path lets a member commit without proposals, and a far one follow.
func (m *meter) path(what, by string, want ops) {
	m.t.Helper()
	var p *Pending
	m.count(what, want, func() (err error) {
		p, err = m.groups[by].Commit(now, CommitOptions{})
		return err
	})
	if err := m.groups[by].Merge(&p.Staged); err != nil {
		m.t.Fatal(err)
	}
	for _, name := range m.order {
		if name == by {
			continue
		}
		// A member derives the keys from where its path meets the sender's.
		g, sender := m.groups[name], m.groups[by].OwnLeaf()
		met := int64(bits.Len32(uint32(sender ^ g.OwnLeaf())))
		height := int64(bits.Len32(uint32(g.Tree().Width())) - 1)
		m.count("process", ops{verify: 2, open: 1, derive: height - met + 1}, func() error {
			e, err := g.Process(now, p.Message)
			if err == nil {
				err = g.Merge(e.(*Staged))
			}
			return err
		})
	}
	m.agree()
}

// chats sends one application message.
func (m *meter) chats() {
	m.t.Helper()
	var b []byte
	m.count("protect", ops{sign: 1}, func() (err error) {
		b, err = m.groups["0"].Protect([]byte("hello"), SendOptions{})
		return err
	})
	m.count("unprotect", ops{verify: 1}, func() error {
		_, err := m.groups["1"].Process(now, b)
		return err
	})
}

// outside lets a client join a full tree by itself.
func (m *meter) outside(n, height int64) {
	m.t.Helper()
	var info *message.GroupInfo
	m.count("GroupInfo", ops{sign: 1, derive: 1}, func() (err error) {
		info, err = m.groups["0"].GroupInfo(GroupInfoOptions{External: true})
		return err
	})
	id := m.identity("outsider")
	var e *ExternalCommit
	// The tree grows by one level, of which the new leaf's half is empty: the path is
	// the root alone, sealed to the old root.
	m.count("external commit", ops{verify: n + 1, sign: 2, draw: 1, derive: 1, seal: 1, send: 1}, func() (err error) {
		e, err = JoinExternal(m.cfg, now, id, info, ExternalOptions{})
		return err
	})
	m.count("process an external commit", ops{verify: 2, open: 1, derive: 2, receive: 1}, func() error {
		_, err := m.groups["0"].Process(now, e.Message)
		return err
	})
}
