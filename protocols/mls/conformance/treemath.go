package conformance

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// treeMathCase is one of tree-math.json. The specification's trees are full, so
// that n_leaves is a power of two.
type treeMathCase struct {
	Leaves  uint32            `json:"n_leaves"`
	Nodes   uint32            `json:"n_nodes"`
	Root    tree.NodeIndex    `json:"root"`
	Left    []*tree.NodeIndex `json:"left"`
	Right   []*tree.NodeIndex `json:"right"`
	Parent  []*tree.NodeIndex `json:"parent"`
	Sibling []*tree.NodeIndex `json:"sibling"`
}

func checkTreeMath(c *checker, v *treeMathCase) {
	if v.Leaves == 0 || v.Leaves&(v.Leaves-1) != 0 {
		c.fail("n_leaves", "got %d, want a power of two", v.Leaves)
		return
	}
	same(c, "n_nodes", tree.NodeWidth(v.Leaves), v.Nodes)
	same(c, "root", tree.Root(v.Leaves), v.Root)
	for _, x := range []struct {
		name string
		want []*tree.NodeIndex
		of   func(tree.NodeIndex) (tree.NodeIndex, bool)
	}{
		{"left", v.Left, tree.NodeIndex.Left},
		{"right", v.Right, tree.NodeIndex.Right},
		{"parent", v.Parent, func(n tree.NodeIndex) (tree.NodeIndex, bool) { return n.Parent(v.Leaves) }},
		{"sibling", v.Sibling, func(n tree.NodeIndex) (tree.NodeIndex, bool) { return n.Sibling(v.Leaves) }},
	} {
		same(c, x.name+" (nodes)", len(x.want), int(v.Nodes))
		for i, want := range x.want {
			got, ok := x.of(tree.NodeIndex(i))
			switch at := fmt.Sprintf("%s[%d]", x.name, i); {
			case ok && want == nil:
				c.fail(at, "got %d, want none", got)
			case !ok && want != nil:
				c.fail(at, "got none, want %d", *want)
			case ok:
				same(c, at, got, *want)
			}
		}
	}
}
