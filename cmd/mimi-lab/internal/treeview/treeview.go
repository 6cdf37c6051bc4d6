// Package treeview draws ratchet trees of MLS (RFC 9420, Section 4,
// https://www.rfc-editor.org/rfc/rfc9420), as text for terminals and as SVG for
// pages: nodes by their numbers (Appendix C), blank ones, unmerged leaves, and
// which nodes a Commit of one member reaches.
//
// It opens no files and has no randomness: the same tree gives the same bytes. Wide
// trees are folded: see [View].
package treeview

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// View is a tree to be drawn, by one goroutine at a time. In trees wider than 64
// leaves, subtrees with all nodes blank or none are folded into one, and then the
// lowest subtrees, until about 64 columns are left.
type View struct {
	Tree *tree.Tree
	// Sender is the leaf of a member whose Commit is shown, nil for none.
	Sender *tree.LeafIndex
	Title  string // "" is none
	Note   string // what else is known of the tree, such as its hash

	counted map[tree.NodeIndex]counts // of subtrees that take long to count
}

// mark is what a Commit of the sender does to a node.
type mark uint8

const (
	untouched mark = iota
	committer      // the sender's leaf, which gets new keys
	renewed        // on the filtered direct path: it gets a new key
	filtered       // on the direct path, but filtered out of it
	recipient      // in the resolution of a copath node: a path secret is encrypted to it
	copath         // blank, on the copath or below it: its resolution lies below
)

// marks returns the marks of all nodes that a Commit concerns (RFC 9420, Sections
// 4.1.2 and 7.5).
func (v *View) marks() map[tree.NodeIndex]mark {
	m := make(map[tree.NodeIndex]mark)
	if v.Sender == nil {
		return m
	}
	for _, n := range v.Tree.DirectPath(*v.Sender) {
		m[n] = filtered
	}
	path, siblings := v.Tree.FilteredDirectPath(*v.Sender)
	for i, n := range path {
		m[n] = renewed
		v.resolve(m, siblings[i])
	}
	m[v.Sender.Node()] = committer
	return m
}

// resolve marks the resolution of n and the blank nodes that lead to it.
func (v *View) resolve(m map[tree.NodeIndex]mark, n tree.NodeIndex) {
	list := v.Tree.Resolution(n)
	for _, r := range list {
		m[r] = recipient
	}
	if !v.blank(n) {
		return
	}
	for _, r := range list {
		for up, _ := r.Parent(v.Tree.Width()); up.In(n) && m[up] == untouched && v.blank(up); up, _ = up.Parent(v.Tree.Width()) {
			m[up] = copath
			if up == n {
				break
			}
		}
	}
}

// Summary counts members and blank nodes.
func (v *View) Summary() string {
	root := tree.Root(v.Tree.Width())
	s := v.count(root)
	return fmt.Sprintf("%s, depth %d; blank: %d of %s, %d of %s", plural(s.members, "member", "members"), root.Level(),
		s.leaves-s.members, plural(s.leaves, "leaf", "leaves"), s.leaves-1-s.parents, plural(s.leaves-1, "parent", "parents"))
}

// CommitSummary says what a Commit of the sender does, "" without one.
func (v *View) CommitSummary() string {
	if v.Sender == nil {
		return ""
	}
	path, siblings := v.Tree.FilteredDirectPath(*v.Sender)
	n := 0
	for _, s := range siblings {
		n += len(v.Tree.Resolution(s))
	}
	return fmt.Sprintf("commit from leaf %d: new keys at %d of the %s on its path, %s", *v.Sender,
		len(path), plural(len(v.Tree.DirectPath(*v.Sender)), "node", "nodes"),
		plural(n, "ciphertext", "ciphertexts"))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// counts are of the nodes of a subtree.
type counts struct {
	leaves, members, parents int // members and parents that are not blank
	unmerged                 bool
}

func (c counts) full() bool  { return c.members == c.leaves && c.parents == c.leaves-1 && !c.unmerged }
func (c counts) empty() bool { return c.members == 0 && c.parents == 0 }

// countedLevel is the lowest level whose counts are kept.
const countedLevel = 5

// count counts the nodes under n.
func (v *View) count(n tree.NodeIndex) counts {
	if c, ok := v.counted[n]; ok {
		return c
	}
	c := counts{leaves: 1}
	if n.Level() == countedLevel && len(v.Tree.Resolution(n)) == 0 {
		c.leaves = 1 << countedLevel // most of a wide tree may be blank
	} else if left, ok := n.Left(); ok {
		right, _ := n.Right()
		a, b := v.count(left), v.count(right)
		c = counts{a.leaves + b.leaves, a.members + b.members, a.parents + b.parents, a.unmerged || b.unmerged}
		if !v.blank(n) {
			c.parents++
			c.unmerged = c.unmerged || len(v.Tree.Parent(n).UnmergedLeaves) > 0
		}
	} else if !v.blank(n) {
		c.members = 1
	}
	if n.Level() >= countedLevel {
		if v.counted == nil {
			v.counted = make(map[tree.NodeIndex]counts)
		}
		v.counted[n] = c
	}
	return c
}

func (v *View) blank(n tree.NodeIndex) bool { return v.Tree.EncryptionKey(n) == nil }

// cell is a node as it is drawn, or a subtree folded into one.
type cell struct {
	node        tree.NodeIndex
	left, right *cell // nil for leaves and folded subtrees
	folded      bool
	counts      counts // of folded ones
	x           float64
}

// Bounds of what is drawn without folding and of what folding leaves.
const (
	maxColumns = 64
	topLevels  = 4 // that are never folded
	keptLevels = 9 // at most, but for the sender's path
)

// cells returns the root's cell and how many columns its leaves and folded subtrees
// take.
func (v *View) cells() (*cell, int) {
	root := tree.Root(v.Tree.Width())
	if v.Tree.Width() <= maxColumns {
		c := v.cell(root, -1, -1)
		return c, c.place(0)
	}
	whole := root.Level() - topLevels
	for floor := max(0, root.Level()-keptLevels); ; floor++ {
		c := v.cell(root, floor, whole)
		n := c.place(0)
		if n <= maxColumns || floor >= whole {
			return c, n
		}
	}
}

// cell makes the cell of n. Subtrees up to the level floor are folded, and those up
// to the level whole if their nodes are alike; but never one with the sender.
func (v *View) cell(n tree.NodeIndex, floor, whole int) *cell {
	c := &cell{node: n}
	level := n.Level()
	if level > 0 && level <= max(floor, whole) && !(v.Sender != nil && v.Sender.Node().In(n)) {
		c.counts = v.count(n)
		if level <= floor || c.counts.full() || c.counts.empty() {
			c.folded = true
			return c
		}
	}
	if level > 0 {
		left, _ := n.Left()
		right, _ := n.Right()
		c.left, c.right = v.cell(left, floor, whole), v.cell(right, floor, whole)
	}
	return c
}

// place puts the cells under c into columns from at on, and returns the next one.
func (c *cell) place(at int) int {
	if c.left == nil {
		c.x = float64(at) + 0.5
		return at + 1
	}
	at = c.right.place(c.left.place(at))
	c.x = (c.left.x + c.right.x) / 2
	return at
}

// each visits c and all cells below it, parents first.
func (c *cell) each(visit func(*cell)) {
	visit(c)
	if c.left != nil {
		c.left.each(visit)
		c.right.each(visit)
	}
}

// leaves returns the first and the last leaf under the node.
func (c *cell) leaves() (first, last tree.LeafIndex) {
	n := 1 << c.node.Level()
	first = tree.LeafIndex(int(c.node)+1-n) / 2
	return first, first + tree.LeafIndex(n) - 1
}

// words describe a folded subtree.
func (c *cell) words() string {
	s := c.counts
	switch {
	case s.empty():
		return fmt.Sprintf("%d blank", s.leaves)
	case s.full():
		return plural(s.members, "member", "members")
	}
	return fmt.Sprintf("%d of %d", s.members, s.leaves)
}

// identity is what a member is called: the text of a basic credential, the common
// name of an X.509 certificate, else some hexadecimal digits.
func (v *View) identity(i tree.LeafIndex) string {
	c, ok := v.Tree.Credential(i)
	switch {
	case !ok:
		return ""
	case c.Type == message.CredentialX509 && len(c.Chain) > 0:
		cert, err := x509.ParseCertificate(c.Chain[0])
		if err == nil && outline.Printable([]byte(cert.Subject.CommonName)) {
			return cert.Subject.CommonName
		}
		return "x509"
	case outline.Printable(c.Identity):
		return string(c.Identity)
	case len(c.Identity) > 16:
		return hex.EncodeToString(c.Identity[:16]) + "…"
	}
	return hex.EncodeToString(c.Identity)
}

// cut shortens s to the letters that fit, by a measure of width. Of a URI the end
// is kept, which tells users of one server apart.
func cut(s string, fits func(string) bool) string {
	if fits(s) {
		return s
	}
	r := []rune(s)
	if strings.Contains(s, "://") {
		for len(r) > 1 && !fits("…"+string(r)) {
			r = r[1:]
		}
		return "…" + string(r)
	}
	for len(r) > 1 && !fits(string(r)+"…") {
		r = r[:len(r)-1]
	}
	return strings.TrimRight(string(r), " ") + "…"
}

// key is the beginning of a node's encryption key.
func (v *View) key(n tree.NodeIndex, digits int) string {
	s := hex.EncodeToString(v.Tree.EncryptionKey(n))
	if len(s) > digits {
		return s[:digits] + "…"
	}
	return s
}

// unmerged returns a node's unmerged leaves.
func (v *View) unmerged(n tree.NodeIndex) []uint32 {
	if p := v.Tree.Parent(n); p != nil {
		return p.UnmergedLeaves
	}
	return nil
}

// isUnmerged returns the leaves that some node above has as unmerged.
func (v *View) isUnmerged() map[tree.LeafIndex]bool {
	m := make(map[tree.LeafIndex]bool)
	root, _ := v.cells()
	root.each(func(c *cell) {
		for _, l := range v.unmerged(c.node) {
			m[tree.LeafIndex(l)] = true
		}
	})
	return m
}
