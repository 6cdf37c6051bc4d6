package tree

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// The vectors of the working group for trees and TreeKEM are run by package
// conformance.

// std returns a suite with real algorithms that repeats itself.
func std(t testing.TB, id suite.ID) suite.Suite {
	t.Helper()
	s, err := suite.NewSeeded(id, [32]byte{1}, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustParse(t testing.TB, s suite.Suite, b []byte) *Tree {
	t.Helper()
	tree, err := Parse(s, b)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return tree
}

func mustMarshal(t testing.TB, tree *Tree) []byte {
	t.Helper()
	b, err := tree.Marshal()
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	return b
}

func mustTree(t testing.TB, e *Edit) *Tree {
	t.Helper()
	tree, err := e.Tree()
	if err != nil {
		t.Fatalf("Edit.Tree: %v", err)
	}
	return tree
}
