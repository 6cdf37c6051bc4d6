package scenario

import (
	"fmt"
	"strings"
)

const (
	maxValues = 1000    // values of one sweep
	maxPoints = 2000    // points of one file
	maxWork   = 500_000 // values to decode: points times values
)

// sweep reads a scalar of the form ${a,b,c}.
func (c *converter) sweep(n *node, path string) {
	inner := n.value[len("${") : len(n.value)-len("}")]
	parts := strings.Split(inner, ",")
	if len(parts) > maxValues {
		c.problems.add(n.at, path, fmt.Sprintf("a sweep of %d values", len(parts)), fmt.Sprintf("at most %d", maxValues))
		return
	}
	n.kind = sweep
	for _, part := range parts {
		item := c.fragment(part, n.at, path)
		if !item.scalar() || item.kind == sweep || item.kind == null {
			c.problems.add(n.at, path, "the sweep "+n.value, "single values with commas between them")
			return
		}
		n.items = append(n.items, item)
	}
}

// axis is one dimension of a sweep: nodes that take the same value at a time.
type axis struct {
	path  string
	nodes []*node
	items []*node
}

// axes finds the sweeps of a tree in document order.
func (n *node) axes(path string, found []axis) []axis {
	if n.kind == sweep {
		name := n.axis
		if name == "" {
			name = path
		}
		for i := range found {
			if found[i].path == name {
				found[i].nodes = append(found[i].nodes, n)
				return found
			}
		}
		return append(found, axis{name, []*node{n}, n.items})
	}
	for _, e := range n.entries {
		found = e.value.axes(join(path, e.key), found)
	}
	for i, item := range n.items {
		found = item.axes(join(path, element(i, item)), found)
	}
	return found
}

// Label is the value of one axis at a point.
type Label struct {
	Path  string // of the swept value, as the sweep names it
	Value string // as the sweep writes it
}

// expand calls visit once per point of the tree's sweeps, the last axis turning
// fastest, with the tree holding the point's values.
func (n *node) expand(axes []axis, labels []Label, visit func([]Label)) {
	if len(axes) == 0 {
		visit(append([]Label(nil), labels...))
		return
	}
	a := axes[0]
	for _, item := range a.items {
		for _, target := range a.nodes {
			*target = *item
		}
		n.expand(axes[1:], append(labels, Label{a.path, item.value}), visit)
	}
}

// size returns the number of nodes of a tree.
func (n *node) size() int {
	sum := 1
	for _, e := range n.entries {
		sum += e.value.size()
	}
	for _, item := range n.items {
		sum += item.size()
	}
	return sum
}

// count returns the number of points, or maxPoints+1 if there are more.
func count(axes []axis) int {
	points := 1
	for _, a := range axes {
		points = min(points*len(a.items), maxPoints+1)
	}
	return points
}
