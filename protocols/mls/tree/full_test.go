package tree

import (
	"slices"
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
	for k := range n {
		i := LeafIndex(k)
		path, err := e.NewPath(i, p.clients[k].leaf, p.clients[k].signer.Private, groupID)
		if err != nil {
			t.Fatal(err)
		}
		p.clients[k].leaf = path.Leaf()
		p.clients[k].pair = path.pair
		for _, v := range path.Private().nodes {
			first, last := v.node.leaves()
			for j := first; j <= last && int(j) < n; j++ {
				p.private[j] = p.private[j].with(v)
			}
		}
		p.private[i].pair = path.pair
	}
	p.tree = mustTree(t, e)
	return p
}

// with returns the keys with those of one node set.
func (v *Private) with(k nodeKey) *Private {
	for j := range v.nodes {
		if v.nodes[j].node == k.node {
			v.nodes[j] = k
			return v
		}
	}
	v.nodes = append(v.nodes, k)
	slices.SortFunc(v.nodes, func(a, b nodeKey) int { return a.node.Level() - b.node.Level() })
	return v
}
