package tree

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// population is a tree with the clients in it and their private keys, where they
// are known.
type population struct {
	tree    *Tree
	clients []client
	private map[LeafIndex]*Private
}

// blanks returns a tree of n members without a parent that is not blank, as after
// one Commit that adds all.
func blanks(t testing.TB, s suite.Suite, n int) population {
	t.Helper()
	p := population{private: map[LeafIndex]*Private{}}
	e := newTree(s).edit()
	for k := range n {
		c := newClient(t, s, k)
		i, err := e.Add(c.leaf)
		if err != nil {
			t.Fatal(err)
		}
		p.clients = append(p.clients, c)
		p.private[i] = NewPrivate(i, c.pair)
	}
	p.tree = mustTree(t, e)
	return p
}

// full returns a tree of n members in which all parents have keys, as after a path
// of each member. Members know all keys above them.
func full(t testing.TB, s suite.Suite, n int) population {
	t.Helper()
	p := blanks(t, s, n)
	e := p.tree.Edit()
	pairs := map[NodeIndex]suite.KeyPair{}
	for k := range n {
		path, err := e.NewPath(LeafIndex(k), p.clients[k].leaf, p.clients[k].signer.Private, groupID)
		if err != nil {
			t.Fatal(err)
		}
		p.clients[k].leaf, p.clients[k].pair = path.Leaf(), path.pair
		for j, node := range path.nodes {
			pairs[node] = path.pairs[j]
		}
	}
	p.tree = mustTree(t, e)
	for k := range n {
		v := NewPrivate(LeafIndex(k), p.clients[k].pair)
		path, _ := p.tree.FilteredDirectPath(v.leaf)
		for _, node := range path {
			v.nodes = append(v.nodes, nodeKey{node, pairs[node]})
		}
		p.private[v.leaf] = v
	}
	return p
}
