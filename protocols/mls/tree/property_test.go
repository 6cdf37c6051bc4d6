package tree

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// group is a group with all its members' secrets, a model beside it, a store, and
// every tree that it had.
type group struct {
	t       *rapid.T
	s       suite.Suite
	tree    *Tree
	model   *model
	members map[LeafIndex]*member
	store   map[[2]uint32][]byte
	past    []snapshot
	clients int

	again []func(*Edit) error // the proposals of the Commit at hand, for receivers
}

type member struct {
	client
	private *Private
}

type snapshot struct {
	tree    *Tree
	hash    []byte
	encoded []byte
}

var groupID = []byte("a group")

func newGroup(t *rapid.T, s suite.Suite) *group {
	g := &group{t: t, s: s, members: map[LeafIndex]*member{}, store: map[[2]uint32][]byte{}}
	c := g.client()
	tree, err := New(s, c.leaf)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	g.model = newModel(s, c.leaf)
	g.members[0] = &member{c, NewPrivate(0, c.pair)}
	g.adopt(tree)
	return g
}

func (g *group) client() client {
	g.clients++
	return newClient(g.t, g.s, g.clients)
}

func (g *group) pick(label string, not ...LeafIndex) (LeafIndex, bool) {
	list := slices.Sorted(maps.Keys(g.members))
	list = slices.DeleteFunc(list, func(i LeafIndex) bool { return slices.Contains(not, i) })
	if len(list) == 0 {
		return 0, false
	}
	return rapid.SampledFrom(list).Draw(g.t, label), true
}

// adopt makes a tree the group's, after comparing it with the model and checking it
// as one who joins would.
func (g *group) adopt(tree *Tree) {
	g.t.Helper()
	g.model.compare(g.t, tree)
	for _, pg := range tree.Pages(g.tree) {
		name := [2]uint32{uint32(pg.Level), pg.Number}
		if pg.Data == nil {
			delete(g.store, name)
		} else {
			g.store[name] = pg.Data
		}
	}
	encoded, _ := tree.Marshal()
	parsed, err := Parse(g.s, encoded)
	if err != nil {
		g.t.Fatalf("Parse: %v", err)
	}
	var pages []Page
	for name, data := range g.store {
		pages = append(pages, Page{uint8(name[0]), name[1], data})
	}
	stored, err := FromPages(g.s, pages)
	if err != nil {
		g.t.Fatalf("FromPages: %v", err)
	}
	for what, other := range map[string]*Tree{"parsed": parsed, "stored": stored} {
		if !bytes.Equal(other.Hash(), tree.Hash()) {
			g.t.Fatalf("%s tree has hash %x, want %x", what, other.Hash(), tree.Hash())
		}
		if err := other.VerifyKeys(); err != nil {
			g.t.Fatalf("%s tree: %v", what, err)
		}
		if err := other.VerifyParentHashes(); err != nil {
			g.t.Fatalf("%s tree: %v", what, err)
		}
		if _, err := other.VerifyLeaves(groupID, nil); err != nil {
			g.t.Fatalf("%s tree: %v", what, err)
		}
	}
	g.tree = tree
	g.past = append(g.past, snapshot{tree, tree.Hash(), encoded})
}

// propose applies random proposals of one Commit to the edit and the model and
// returns who was added.
func (g *group) propose(e *Edit, committer LeafIndex) (added map[LeafIndex]client) {
	busy := []LeafIndex{committer}
	g.again = nil
	for range rapid.IntRange(0, 3).Draw(g.t, "updates") {
		i, ok := g.pick("update", busy...)
		if !ok {
			break
		}
		busy = append(busy, i)
		m := g.members[i]
		pair, _ := g.s.GenerateKeyPair()
		n := *m.leaf
		n.EncryptionKey, n.Source = pair.Public, message.SourceUpdate
		n.Lifetime, n.ParentHash = message.Lifetime{}, nil
		if err := n.Sign(g.s, m.signer.Private, groupID, uint32(i)); err != nil {
			g.t.Fatalf("Sign: %v", err)
		}
		if err := e.Update(i, &n); err != nil {
			g.t.Fatalf("Update: %v", err)
		}
		g.again = append(g.again, func(e *Edit) error { return e.Update(i, &n) })
		g.model.update(i, &n)
		m.leaf, m.private = &n, m.private.WithLeaf(pair)
	}
	for range rapid.IntRange(0, 4).Draw(g.t, "removes") {
		i, ok := g.pick("remove", busy...)
		if !ok {
			break
		}
		busy = append(busy, i)
		if err := e.Remove(i); err != nil {
			g.t.Fatalf("Remove: %v", err)
		}
		g.again = append(g.again, func(e *Edit) error { return e.Remove(i) })
		g.model.remove(i)
		delete(g.members, i)
	}
	added = map[LeafIndex]client{}
	for range rapid.SampledFrom([]int{0, 0, 1, 2, 5, 40}).Draw(g.t, "adds") {
		c := g.client()
		i, err := e.Add(c.leaf)
		if err != nil {
			g.t.Fatalf("Add: %v", err)
		}
		if want := g.model.add(c.leaf); i != want {
			g.t.Fatalf("Add: got leaf %d, want %d", i, want)
		}
		added[i] = c
		g.again = append(g.again, func(e *Edit) error { _, err := e.Add(c.leaf); return err })
	}
	return added
}

// commitWithoutPath applies proposals only.
func (g *group) commitWithoutPath(*rapid.T) {
	committer, _ := g.pick("committer")
	e := g.tree.Edit()
	added := g.propose(e, committer)
	tree, err := e.Tree()
	if err != nil {
		g.t.Fatalf("Tree: %v", err)
	}
	g.adopt(tree)
	for _, m := range g.members {
		if m.private, err = m.private.Rebase(tree); err != nil {
			g.t.Fatalf("Rebase: %v", err)
		}
	}
	for i, c := range added {
		g.members[i] = &member{c, NewPrivate(i, c.pair)}
	}
}

// commitWithPath applies proposals and a path, of a member or of one from outside.
func (g *group) commitWithPath(*rapid.T) {
	e := g.tree.Edit()
	var committer LeafIndex
	var c client
	var added map[LeafIndex]client
	if rapid.IntRange(0, 4).Draw(g.t, "external") == 0 {
		var err error
		if committer, err = e.NextLeaf(); err != nil {
			g.t.Fatalf("NextLeaf: %v", err)
		}
		c = g.client()
		g.again = []func(*Edit) error{func(e *Edit) error { _, err := e.NextLeaf(); return err }}
	} else {
		committer, _ = g.pick("committer")
		c = g.members[committer].client
		added = g.propose(e, committer)
	}
	exclude := slices.Sorted(maps.Keys(added))
	path, err := e.NewPath(committer, c.leaf, c.signer.Private, groupID)
	if err != nil {
		g.t.Fatalf("NewPath: %v", err)
	}
	tree, err := e.Tree()
	if err != nil {
		g.t.Fatalf("Tree: %v", err)
	}
	context := tree.Hash() // stands for a GroupContext, which has it
	sent, err := path.Encrypt(tree, context, exclude)
	if err != nil {
		g.t.Fatalf("Encrypt: %v", err)
	}
	b, err := wire.Marshal(sent)
	if err != nil {
		g.t.Fatalf("Marshal: %v", err)
	}
	var p message.UpdatePath
	if err := wire.Unmarshal(b, &p); err != nil {
		g.t.Fatalf("Unmarshal: %v", err)
	}
	if want := g.model.path(committer, &p); !bytes.Equal(p.LeafNode.ParentHash, want) {
		g.t.Fatalf("parent hash of the leaf: got %x, want %x", p.LeafNode.ParentHash, want)
	}
	g.receive(tree, committer, &p, path, added)
	c.leaf, c.pair = path.Leaf(), path.Private().LeafKey()
	g.members[committer] = &member{c, path.Private()}
	g.adopt(tree)
	for i, m := range g.members {
		if err := m.private.Check(tree); err != nil {
			g.t.Fatalf("keys of leaf %d: %v", i, err)
		}
	}
}

// receive has all members process a path, and those who are new join.
func (g *group) receive(tree *Tree, committer LeafIndex, p *message.UpdatePath, path *Path, added map[LeafIndex]client) {
	exclude := slices.Sorted(maps.Keys(added))
	e := g.tree.Edit()
	for _, propose := range g.again {
		if err := propose(e); err != nil {
			g.t.Fatalf("proposal at a receiver: %v", err)
		}
	}
	if err := e.ApplyPath(committer, p, exclude); err != nil {
		g.t.Fatalf("ApplyPath: %v", err)
	}
	received, err := e.Tree()
	if err != nil {
		g.t.Fatalf("Tree at a receiver: %v", err)
	}
	if !bytes.Equal(received.Hash(), tree.Hash()) {
		g.t.Fatalf("tree hash at a receiver: got %x, want %x", received.Hash(), tree.Hash())
	}
	for i, m := range g.members {
		if i == committer {
			continue
		}
		next, commit, err := m.private.Open(tree, committer, p, tree.Hash(), exclude)
		if err != nil {
			g.t.Fatalf("Open at leaf %d: %v", i, err)
		}
		if !bytes.Equal(commit, path.CommitSecret()) {
			g.t.Fatalf("commit secret at leaf %d: got %x, want %x", i, commit, path.CommitSecret())
		}
		m.private = next
	}
	for i, c := range added {
		secret, ok := path.SecretFor(i)
		if !ok {
			g.t.Fatalf("no path secret for leaf %d, which is new", i)
		}
		joined, err := NewPrivate(i, c.pair).Join(tree, committer, secret)
		if err != nil {
			g.t.Fatalf("Join at leaf %d: %v", i, err)
		}
		g.members[i] = &member{c, joined}
	}
}

// dropped stages a Commit and forgets it.
func (g *group) dropped(*rapid.T) {
	e := g.tree.Edit()
	i, _ := g.pick("dropped")
	m := g.members[i]
	if _, err := e.NewPath(i, m.leaf, m.signer.Private, groupID); err != nil {
		g.t.Fatalf("NewPath: %v", err)
	}
	if _, err := e.Add(g.client().leaf); err != nil {
		g.t.Fatalf("Add: %v", err)
	}
}

// TestAgainstModel runs random groups beside a model, with every member's keys.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	s := sized(t)
	rapid.Check(t, func(rt *rapid.T) {
		g := newGroup(rt, s)
		actions := map[string]func(*rapid.T){
			"commit without path": g.commitWithoutPath,
			"commit with path":    g.commitWithPath,
			"dropped":             g.dropped,
		}
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			name := rapid.SampledFrom([]string{"commit with path", "commit without path", "commit with path", "dropped"}).Draw(rt, "action")
			actions[name](rt)
		}
		for k, past := range g.past {
			b, _ := past.tree.Marshal()
			if !bytes.Equal(b, past.encoded) || !bytes.Equal(past.tree.Hash(), past.hash) {
				rt.Fatalf("tree %d of %d changed afterwards", k, len(g.past))
			}
		}
	})
}
