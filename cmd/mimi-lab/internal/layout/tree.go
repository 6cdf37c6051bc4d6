package layout

import (
	"fmt"
	"math/bits"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
)

// treeSummary counts the nodes of a ratchet tree as they are read.
type treeSummary struct {
	nodes     int
	members   int
	parents   int
	lastBlank bool
}

func (s *treeSummary) add(blank bool) {
	switch {
	case blank:
	case s.nodes%2 == 0:
		s.members++
	default:
		s.parents++
	}
	s.lastBlank = blank
	s.nodes++
}

// ends reports whether the tree ends as one must: with a leaf that is not blank.
func (s *treeSummary) ends() bool { return s.nodes%2 == 1 && !s.lastBlank }

// problem says why it does not.
func (s *treeSummary) problem() string {
	switch {
	case s.nodes == 0:
		return "no nodes"
	case s.lastBlank:
		return fmt.Sprintf("node %d, the last, is blank", s.nodes-1)
	}
	return fmt.Sprintf("node %d, the last, is a parent", s.nodes-1)
}

// String describes the tree that the nodes make with the blank ones that are left
// out at its end (RFC 9420, Section 12.4.3.3).
func (s *treeSummary) String() string {
	leaves := (s.nodes + 1) / 2
	depth := bits.Len(uint(leaves - 1))
	width := 1 << depth
	return fmt.Sprintf("%s, depth %d; blank: %d of %s, %d of %s", count(s.members, "member"), depth,
		width-s.members, count(width, "leaf"), width-1-s.parents, count(width-1, "parent"))
}

func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case what == "leaf":
		return fmt.Sprintf("%d leaves", n)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// keepCode adds an enum that was read before.
func (d *decoder) keepCode(name, word string, number uint64) {
	if d.r.Err() == nil {
		d.keep(&outline.Node{Name: name, Value: outline.Code{Name: word, Number: number}})
	}
}
