package treeview

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// Part is what a piece of the text is, for those who colour it.
type Part uint8

const (
	PartNode   Part = iota // the number of a node
	PartBlank              // a blank node
	PartPath               // a node on the sender's path
	PartSecret             // a node that a path secret is encrypted to
	PartRest               // lines and headings
)

// narrow is how many columns a leaf takes at least in a drawing.
const narrow = 5

// Text writes the tree for a terminal: drawn if its leaves fit the columns, else as
// an outline. paint colours pieces; nil leaves all as it is.
func (v *View) Text(w io.Writer, columns int, paint func(Part, string) string) error {
	if paint == nil {
		paint = func(_ Part, s string) string { return s }
	}
	p := &printer{View: v, Writer: bufio.NewWriter(w), columns: columns, paint: paint, marks: v.marks()}
	for _, l := range v.lines() {
		p.wrapped(l)
	}
	p.WriteByte('\n')
	if n := int(v.Tree.Width()); n*narrow <= columns {
		p.drawing(min(columns/n, 10))
		p.WriteByte('\n')
		p.table()
	} else {
		root, _ := v.cells()
		p.outline(root, "", "")
	}
	p.key()
	return p.Flush()
}

type printer struct {
	*View
	*bufio.Writer
	columns int
	paint   func(Part, string) string
	marks   map[tree.NodeIndex]mark
}

func (p *printer) wrapped(s string) {
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case outline.Width(line)+1+outline.Width(word) <= p.columns:
			line += " " + word
		default:
			fmt.Fprintln(p, line)
			line = "  " + word
		}
	}
	fmt.Fprintln(p, line)
}

// label is a node's number with what a Commit does to it in brackets.
func (p *printer) label(n tree.NodeIndex) (string, Part) {
	s, part := strconv.Itoa(int(n)), PartNode
	if p.blank(n) {
		s, part = "_", PartBlank
	}
	switch p.marks[n] {
	case committer, renewed:
		return "[" + strconv.Itoa(int(n)) + "]", PartPath
	case filtered:
		return "-" + s + "-", PartPath
	case recipient:
		return "(" + s + ")", PartSecret
	}
	return s, part
}

// drawing draws the tree with the root on top, each leaf some columns wide.
func (p *printer) drawing(wide int) {
	root := tree.Root(p.Tree.Width())
	for level := root.Level(); level >= 0; level-- {
		p.row(level, wide, func(line *row, n tree.NodeIndex, at int) {
			s, part := p.label(n)
			line.put(at-(len(s)-1)/2, s, part)
		})
		if level == 0 {
			break
		}
		p.row(level, wide, func(line *row, n tree.NodeIndex, at int) {
			left, _ := n.Left()
			right, _ := n.Right()
			l, r := middle(left, wide), middle(right, wide)
			s := []rune("┌" + strings.Repeat("─", r-l-1) + "┐")
			s[at-l] = '┴'
			line.put(l, string(s), PartRest)
		})
	}
	if wide > narrow {
		p.row(0, wide, func(line *row, n tree.NodeIndex, at int) {
			i, _ := n.Leaf()
			s := p.printed(i, wide-1)
			line.put(at-(outline.Width(s)-1)/2, s, PartRest)
		})
	}
}

// middle is the column of a node's number.
func middle(n tree.NodeIndex, wide int) int { return (int(n) + 1) * wide / 2 }

// row draws what put draws for the nodes of a level.
func (p *printer) row(level, wide int, put func(*row, tree.NodeIndex, int)) {
	line := &row{paint: p.paint}
	for n := tree.NodeIndex(1<<level - 1); uint32(n) < tree.NodeWidth(p.Tree.Width()); n += 2 << level {
		put(line, n, middle(n, wide))
	}
	fmt.Fprintln(p, strings.TrimRight(line.String(), " "))
}

// row is a line that is written from left to right.
type row struct {
	strings.Builder
	used  int
	paint func(Part, string) string
}

func (r *row) put(at int, s string, part Part) {
	if at > r.used {
		r.WriteString(strings.Repeat(" ", at-r.used))
		r.used = at
	}
	r.WriteString(r.paint(part, s))
	r.used += outline.Width(s)
}

// printed is a member's identity within some columns.
func (p *printer) printed(i tree.LeafIndex, room int) string {
	return cut(p.identity(i), func(s string) bool { return outline.Width(s) <= room })
}

// table lists the nodes that are not blank.
func (p *printer) table() {
	const keyDigits = 16
	name := 8
	for i := range p.Tree.Width() {
		name = max(name, outline.Width(p.printed(tree.LeafIndex(i), 36)))
	}
	fmt.Fprintln(p, p.paint(PartRest, fmt.Sprintf("leaf  node  %-*s  encryption_key", name, "identity")))
	for i := range tree.LeafIndex(p.Tree.Width()) {
		if p.blank(i.Node()) {
			continue
		}
		s := p.printed(i, 36)
		fmt.Fprintf(p, "%4d  %4d  %s%s  %s\n", i, i.Node(), s, strings.Repeat(" ", name-outline.Width(s)), p.View.key(i.Node(), keyDigits))
	}
	head := true
	for n := tree.NodeIndex(1); uint32(n) < tree.NodeWidth(p.Tree.Width()); n += 2 {
		if p.blank(n) {
			continue
		}
		if head {
			fmt.Fprintln(p, p.paint(PartRest, "\nparent      encryption_key     unmerged_leaves"))
			head = false
		}
		fmt.Fprintf(p, "%6d      %-17s  %s\n", n, p.View.key(n, keyDigits), p.list(n, p.columns-31))
	}
}

// list lists a node's unmerged leaves.
func (p *printer) list(n tree.NodeIndex, room int) string {
	list := p.unmerged(n)
	if len(list) == 0 {
		return "none"
	}
	s := ""
	for i, l := range list {
		more := strconv.Itoa(int(l))
		if i > 0 {
			more = ", " + more
		}
		if len(s)+len(more)+12 > room {
			return s + fmt.Sprintf(", … %d more", len(list)-i)
		}
		s += more
	}
	return s
}

// outline writes a cell and below it its children.
func (p *printer) outline(c *cell, first, rest string) {
	line := p.paint(PartRest, first)
	used := outline.Width(first)
	switch i, leaf := c.node.Leaf(); {
	case c.folded:
		from, to := c.leaves()
		line += p.paint(PartRest, fmt.Sprintf("leaves %d to %d: %s", from, to, c.words()))
	default:
		s, part := p.label(c.node)
		line += p.paint(part, s)
		used += len(s)
		switch {
		case p.blank(c.node):
		case leaf:
			at := fmt.Sprintf("  leaf %d  ", i)
			key := "  " + p.View.key(c.node, 8)
			line += at + p.printed(i, max(p.columns-used-len(at)-11, 8)) + key
		default:
			line += "  " + p.View.key(c.node, 8)
			if len(p.unmerged(c.node)) > 0 {
				line += "  unmerged_leaves: " + p.list(c.node, max(p.columns-used-30, 20))
			}
		}
	}
	fmt.Fprintln(p, line)
	if c.left != nil {
		p.outline(c.left, rest+"├─ ", rest+"│  ")
		p.outline(c.right, rest+"└─ ", rest+"   ")
	}
}

// key explains the signs.
func (p *printer) key() {
	signs := "Numbers are those of nodes, _ is blank."
	if len(p.isUnmerged()) > 0 {
		signs = "Numbers are those of nodes, _ is blank; unmerged_leaves lists leaves."
	}
	if p.Sender != nil {
		signs += " [n] gets a new key, (n) is a node that a path secret is encrypted to, -n- is on the path and filtered out."
	}
	p.WriteByte('\n')
	p.wrapped(signs)
}
