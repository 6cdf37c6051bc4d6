package conformance

import (
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// treeCase is one of tree-validation.json.
type treeCase struct {
	suited
	Tree        octets             `json:"tree"`
	GroupID     octets             `json:"group_id"`
	Resolutions [][]tree.NodeIndex `json:"resolutions"`
	Hashes      []octets           `json:"tree_hashes"`
}

func checkTree(c *checker, s suite.Suite, v *treeCase) {
	t, err := tree.Parse(s, v.Tree)
	if !c.ok("tree", err) {
		return
	}
	nodes := int(tree.NodeWidth(t.Width()))
	same(c, "resolutions (nodes)", len(v.Resolutions), nodes)
	for n, want := range v.Resolutions {
		if got := t.Resolution(tree.NodeIndex(n)); !slices.Equal(got, want) {
			c.fail(fmt.Sprintf("resolutions[%d]", n), "got %v, want %v", got, want)
		}
	}
	same(c, "tree_hashes (nodes)", len(v.Hashes), nodes)
	for n, want := range v.Hashes {
		c.equal(fmt.Sprintf("tree_hashes[%d]", n), t.NodeHash(tree.NodeIndex(n)), want)
	}
	c.ok("tree", t.VerifyKeys()) // which VerifyParentHashes builds on
	c.ok("tree", t.VerifyParentHashes())
	_, err = t.VerifyLeaves(v.GroupID, nil)
	c.ok("tree", err)
	if b, err := t.Marshal(); c.ok("tree", err) {
		c.equal("tree", b, v.Tree)
	}
}
