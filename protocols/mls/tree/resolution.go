package tree

// Resolution returns the nodes that are not blank and cover all that are not
// blank under n, from left to right (RFC 9420, Section 4.1.1). It is nil for nodes
// out of range.
func (t *Tree) Resolution(n NodeIndex) []NodeIndex {
	if uint32(n) >= NodeWidth(t.width) {
		return nil
	}
	return t.resolve(nil, n)
}

// resolve appends the resolution of a node in the tree.
func (t *Tree) resolve(dst []NodeIndex, n NodeIndex) []NodeIndex {
	if i, ok := n.Leaf(); ok {
		if t.leafAt(i) != nil {
			dst = append(dst, n)
		}
		return dst
	}
	if p := t.parentAt(n); p != nil {
		dst = append(dst, n)
		for _, v := range p.unmerged {
			dst = append(dst, LeafIndex(v).Node())
		}
		return dst
	}
	if t.empty(n) {
		return dst
	}
	left, _ := n.Left()
	right, _ := n.Right()
	return t.resolve(t.resolve(dst, left), right)
}

// DirectPath returns the nodes above a leaf, the root last (RFC 9420, Section
// 4.1.2). It is nil for leaves out of range.
func (t *Tree) DirectPath(i LeafIndex) []NodeIndex {
	path, _ := t.paths(i, false)
	return path
}

// Copath returns the siblings of a leaf and of the nodes on its direct path but
// the root: each is the other child of the node at the same position in DirectPath.
func (t *Tree) Copath(i LeafIndex) []NodeIndex {
	_, copath := t.paths(i, false)
	return copath
}

// FilteredDirectPath returns the direct path without nodes whose child on the
// copath has an empty resolution (RFC 9420, Section 4.1.2), and these children.
func (t *Tree) FilteredDirectPath(i LeafIndex) (path, copath []NodeIndex) {
	return t.paths(i, true)
}

func (t *Tree) paths(i LeafIndex, filter bool) (path, copath []NodeIndex) {
	if uint32(i) >= t.width {
		return nil, nil
	}
	for n := i.Node(); n != Root(t.width); n = parentOf(n) {
		sibling, _ := n.Sibling(t.width)
		if filter && t.empty(sibling) {
			continue
		}
		path = append(path, parentOf(n))
		copath = append(copath, sibling)
	}
	return path, copath
}

// without returns a resolution without some leaves, which ascend.
func without(resolution []NodeIndex, exclude []LeafIndex) []NodeIndex {
	if len(exclude) == 0 {
		return resolution
	}
	out := resolution[:0]
	for _, n := range resolution {
		if i, ok := n.Leaf(); !ok || !contains(exclude, i) {
			out = append(out, n)
		}
	}
	return out
}
