package treeview

import (
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// paints are the colours by day and by night. Marks differ in more than colour.
var paints = []struct{ class, light, dark string }{
	{"bg", "#ffffff", "#0f1419"},
	{"ink", "#1c2128", "#e8edf3"},
	{"soft", "#656d76", "#98a3b0"},
	{"hair", "#c3cad2", "#414c59"},
	{"parent", "#57606a", "#9aa4b2"},
	{"leaf", "#0b7a75", "#3fc7bd"},
	{"path", "#3d5bd9", "#8aa4ff"},
	{"secret", "#b4540a", "#f2a65a"},
	{"late", "#8a3ab9", "#d19bf5"},
}

const (
	sans = `Inter, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif`
	mono = `ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace`
)

// canvas writes elements. Colours are attributes for the light scheme, which any
// viewer understands, and a style sheet's for the dark one.
type canvas struct{ strings.Builder }

func (c *canvas) put(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) text(x, y float64, class, style, t string) {
	c.put(`<text x="%s" y="%s" %s %s>%s</text>`, num(x), num(y), fill(class), style, escape(t))
}

func (c *canvas) style() {
	c.put(`<style>text{font-variant-numeric:tabular-nums}@media (prefers-color-scheme:dark){`)
	for _, p := range paints {
		c.put(`.f-%s{fill:%s}.s-%s{stroke:%s}`, p.class, p.dark, p.class, p.dark)
	}
	c.put(`}</style>`)
}

func light(class string) string {
	for _, p := range paints {
		if p.class == class {
			return p.light
		}
	}
	panic("treeview: invariant broken, every class has a colour: " + class)
}

func fill(class string) string   { return fmt.Sprintf(`class="f-%s" fill="%s"`, class, light(class)) }
func stroke(class string) string { return fmt.Sprintf(`class="s-%s" stroke="%s"`, class, light(class)) }

// num writes a coordinate with at most one decimal.
func num(x float64) string {
	return strconv.FormatFloat(math.Round(x*10)/10+0, 'f', -1, 64)
}

// escape makes s the content of an element. What is not printable becomes U+FFFD.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder has no errors
	return b.String()
}

// width estimates how wide a text is in pixels, in the widest of the sans-serif faces
// that a browser may choose.
func width(s string, px float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijlI.,:;|!'()[] ", r):
			w += 0.36
		case strings.ContainsRune("mw@%…", r):
			w += 1
		case r >= 'A' && r <= 'Z':
			w += 0.74
		case r >= 0x1100:
			w += 1.1
		default:
			w += 0.63
		}
	}
	return w * px
}

// Sizes in pixels.
const (
	margin   = 28.0
	nodeH    = 36.0
	parentW  = 58.0
	levelGap = 84.0
	slant    = 12.0 // size of names that are written at an angle
	foldedPx = 11.0 // of what stands under folded subtrees
)

// picture is a tree with places in it.
type picture struct {
	*View
	canvas
	root   *cell
	marks  map[tree.NodeIndex]mark
	late   map[tree.LeafIndex]bool
	column float64 // width
	left   float64 // where the first column begins
	top    float64 // of the root
	bottom float64 // of what hangs from the leaves
	w, h   float64
	names  bool // whether names stand upright under their leaves
}

// SVG draws the tree as an SVG document with the root on top. It has a colour
// scheme for light and one for dark surroundings.
func (v *View) SVG() []byte {
	root, columns := v.cells()
	p := &picture{View: v, root: root, marks: v.marks(), late: v.isUnmerged()}
	switch {
	case columns <= 8:
		p.column, p.names = 96, true
	case columns <= 16:
		p.column, p.names = 76, true
	case columns <= 32:
		p.column = 54
	default:
		p.column = 42
	}
	p.layOut(columns)
	p.put(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" role="img" font-family="%[3]s">`, num(p.w), num(p.h), sans)
	p.put(`<title>%s</title>`, escape(v.title()))
	p.put(`<desc>%s</desc>`, escape(strings.Join(v.lines(), ". ")))
	p.style()
	p.put(`<rect width="%s" height="%s" rx="12" %s/>`, num(p.w), num(p.h), fill("bg"))
	p.text(margin, margin+18, "ink", `font-size="20" font-weight="650" letter-spacing="-0.2"`, v.title())
	for i, l := range v.lines() {
		p.text(margin, margin+40+18*float64(i), "soft", `font-size="13"`, l)
	}
	for style := range lineStyles {
		p.root.each(func(c *cell) { p.edges(c, style) })
	}
	p.root.each(p.node)
	p.legend()
	p.put(`</svg>`)
	return []byte(p.String())
}

func (v *View) title() string {
	if v.Title == "" {
		return "Ratchet tree"
	}
	return v.Title
}

// lines are what stands below the title.
func (v *View) lines() []string {
	lines := []string{v.Summary()}
	if v.Sender != nil {
		lines = append(lines, v.CommitSummary())
	}
	if v.Note != "" {
		lines = append(lines, v.Note)
	}
	return lines
}

// layOut finds the size of the picture.
func (p *picture) layOut(columns int) {
	p.w = float64(columns)*p.column + 2*margin
	for _, l := range p.lines() {
		p.w = max(p.w, width(l, 13)+2*margin)
	}
	p.w = max(p.w, 420)
	p.top = margin + 40 + 18*float64(len(p.lines())-1) + 30
	under, long := 44.0, 0.0 // a name and a node's number
	p.root.each(func(c *cell) {
		switch i, leaf := c.node.Leaf(); {
		case c.folded:
			long = max(long, width(c.label(), foldedPx))
		case leaf && !p.names:
			long = max(long, width(p.slanted(i), slant))
		}
	})
	if long > 0 {
		under = max(under, 12+long*math.Sqrt2/2+8)
		p.w = max(p.w, margin+float64(columns)*p.column+under)
	}
	p.left = (p.w - float64(columns)*p.column) / 2
	if long > 0 {
		p.left = min(p.left, margin)
	}
	p.bottom = p.y(0) + nodeH/2 + under
	rows := p.legendRows()
	p.h = p.bottom + 16 + 24*float64(len(rows)) + margin
}

// x and y are the middle of a cell and of a level.
func (p *picture) x(c *cell) float64 { return p.left + c.x*p.column }

func (p *picture) y(level int) float64 {
	return p.top + nodeH/2 + float64(p.root.node.Level()-level)*levelGap
}

func (p *picture) leafW() float64 { return min(parentW, p.column-8) }

// line is how the line between two nodes is drawn.
type line struct {
	class string
	width float64
	dash  string
}

// lineStyles are those of no Commit, of its secrets and of its path, from the
// lowest on: where lines share a piece, that of the Commit shows.
var lineStyles = []line{
	{"hair", 1.5, ""},
	{"secret", 2, ""},
	{"path", 3, ` stroke-dasharray="2 5" stroke-linecap="round"`},
	{"path", 3, ""},
}

// lineStyle returns which of lineStyles a line from a node to a child has.
func (p *picture) lineStyle(up, down mark) int {
	onPath := down == renewed || down == filtered || down == committer
	switch {
	case up == renewed && onPath:
		return 3
	case up == filtered && onPath:
		return 2
	case (up == renewed || up == copath) && (down == recipient || down == copath):
		return 1
	}
	return 0
}

// edges draws the lines of one style from a cell to its children.
func (p *picture) edges(c *cell, style int) {
	if c.left == nil {
		return
	}
	for _, kid := range []*cell{c.left, c.right} {
		if p.lineStyle(p.marks[c.node], p.marks[kid.node]) != style {
			continue
		}
		l := lineStyles[style]
		x1, y1 := p.x(c), p.y(c.node.Level())+nodeH/2
		x2, y2 := p.x(kid), p.y(kid.node.Level())-nodeH/2
		mid := y2 - 13
		r := min(9, math.Abs(x2-x1)/2)
		s := math.Copysign(1, x2-x1)
		p.put(`<path d="M%s %sV%sQ%s %s %s %sH%sQ%s %s %s %sV%s" fill="none" %s stroke-width="%s"%s/>`,
			num(x1), num(y1), num(mid-r), num(x1), num(mid), num(x1+s*r), num(mid), num(x2-s*r),
			num(x2), num(mid), num(x2), num(mid+r), num(y2), stroke(l.class), num(l.width), l.dash)
	}
}

// look is how a box is drawn.
type look struct {
	class  string // of the border
	solid  bool   // filled with it
	dashed bool
	number string // class of its number
	round  float64
}

// look returns how a node is drawn.
func (p *picture) look(n tree.NodeIndex) look {
	_, leaf := n.Leaf()
	l := look{class: "parent", number: "ink", round: nodeH / 2}
	if leaf {
		l.class, l.round = "leaf", 7
	}
	if p.blank(n) {
		l.class, l.dashed, l.number = "hair", true, "soft"
	}
	switch p.marks[n] {
	case committer, renewed:
		l.class, l.solid, l.dashed, l.number = "path", true, false, "bg"
	case filtered:
		l.class, l.dashed, l.number = "path", true, "path"
	case recipient:
		l.class, l.solid, l.number = "secret", true, "bg"
	case copath:
		l.class, l.number = "secret", "secret"
	}
	return l
}

// box draws a node's outline.
func (p *picture) box(x, y, w, h float64, l look) {
	shape := fmt.Sprintf(`x="%s" y="%s" width="%s" height="%s" rx="%s"`, num(x-w/2), num(y-h/2), num(w), num(h), num(min(l.round, h/2)))
	p.put(`<rect %s %s/>`, shape, fill("bg"))
	switch {
	case l.solid:
		p.put(`<rect %s %s/>`, shape, fill(l.class))
	case l.dashed:
		p.put(`<g fill="none" stroke-width="1.5" stroke-dasharray="4 4"><rect %s %s/></g>`, shape, stroke(l.class))
	default:
		p.put(`<g fill-opacity="0.1" stroke-width="1.5"><g %s><rect %s %s/></g></g>`, stroke(l.class), shape, fill(l.class))
	}
}

// node draws a cell.
func (p *picture) node(c *cell) {
	if c.folded {
		p.triangle(c)
		return
	}
	x, y := p.x(c), p.y(c.node.Level())
	i, leaf := c.node.Leaf()
	w, number, px, digits := parentW, strconv.Itoa(int(c.node)), 14.0, 6
	if leaf {
		w = p.leafW()
		number, px = p.leafNumber(i, w)
		if w < 50 {
			digits = 4
		}
	}
	l := p.look(c.node)
	p.put(`<g><title>%s</title>`, escape(p.describe(c.node)))
	p.box(x, y, w, nodeH, l)
	if p.blank(c.node) {
		p.text(x, y+5, l.number, fmt.Sprintf(`font-size="%s" text-anchor="middle"`, num(min(px, 13))), number)
	} else {
		key := hex.EncodeToString(p.Tree.EncryptionKey(c.node))
		p.text(x, y-1, l.number, fmt.Sprintf(`font-size="%s" font-weight="650" text-anchor="middle"`, num(px)), number)
		class := "soft"
		if l.solid {
			class = "bg"
		}
		p.text(x, y+11, class, fmt.Sprintf(`font-size="10" font-family="%s" text-anchor="middle"`, mono), key[:min(digits, len(key))])
	}
	if leaf && !p.blank(c.node) {
		p.name(x, y+nodeH/2, i)
	}
	if list := p.unmerged(c.node); len(list) > 0 {
		p.chip(x, y+nodeH/2+13, list, 2*p.column*(c.right.x-c.left.x)-6)
	}
	p.put(`</g>`)
}

// leafNumber is what stands in a leaf's box of a width, and its size. Parents have their
// numbers as nodes, so that a leaf says that its number is another one, where there is
// room for that in all boxes; the legend says so in any case.
func (p *picture) leafNumber(i tree.LeafIndex, w float64) (string, float64) {
	const bold = 1.1 // times as wide
	longest := fmt.Sprintf("leaf %d", p.Tree.Width()-1)
	for px := 13.0; px >= 10; px-- {
		if bold*width(longest, px) <= w-3 {
			return fmt.Sprintf("leaf %d", i), px
		}
	}
	return strconv.Itoa(int(i)), 14
}

// describe tells a node in words, for those who point at it or cannot see it.
func (p *picture) describe(n tree.NodeIndex) string {
	s := fmt.Sprintf("node %d", n)
	if i, ok := n.Leaf(); ok {
		s = fmt.Sprintf("leaf %d, %s", i, s)
		if id := p.identity(i); id != "" {
			s += ": " + id
		}
	}
	if p.blank(n) {
		return s + ", blank"
	}
	return s + ", encryption_key " + hex.EncodeToString(p.Tree.EncryptionKey(n))
}

// name writes a member's identity under its leaf, and the node's number where there
// is room.
func (p *picture) name(x, y float64, i tree.LeafIndex) {
	class, weight := "ink", "500"
	if p.late[i] {
		class, weight = "late", "650"
	}
	if p.names {
		s := cut(p.identity(i), func(s string) bool { return width(s, 12.5) <= p.column-8 })
		p.text(x, y+18, class, `font-size="12.5" font-weight="`+weight+`" text-anchor="middle"`, s)
		p.text(x, y+34, "soft", `font-size="10.5" text-anchor="middle"`, fmt.Sprintf("node %d", i.Node()))
		return
	}
	p.put(`<text transform="translate(%s %s) rotate(45)" font-size="%s" font-weight="%s" %s>%s</text>`,
		num(x-3), num(y+14), num(slant), weight, fill(class), escape(p.slanted(i)))
}

// slanted is a member's identity where it is written at an angle.
func (p *picture) slanted(i tree.LeafIndex) string {
	return cut(p.identity(i), func(s string) bool { return width(s, slant) <= 130 })
}

// chip lists unmerged leaves under their parent.
func (p *picture) chip(x, y float64, list []uint32, room float64) {
	const px = 10.5
	s := ""
	for i, l := range list {
		more := fmt.Sprintf("+%d", l)
		if i > 0 {
			more = " " + more
		}
		if rest := len(list) - i; i > 0 && width(s+more, px)+34 > room {
			s += fmt.Sprintf(" … %d", rest)
			break
		}
		s += more
	}
	w := width(s, px) + 16
	p.box(x, y, w, 18, look{class: "late", round: 9})
	p.text(x, y+3.7, "late", fmt.Sprintf(`font-size="%s" font-weight="600" text-anchor="middle"`, num(px)), s)
}

// triangle draws a folded subtree.
func (p *picture) triangle(c *cell) {
	x, y, base := p.x(c), p.y(c.node.Level())-nodeH/2, p.y(0)+nodeH/2
	half := p.column/2 - 5
	l := look{class: "leaf"}
	if c.counts.empty() {
		l = look{class: "hair", dashed: true}
	}
	if m := p.marks[c.node]; m == recipient || m == copath {
		l.class = "secret"
	}
	first, last := c.leaves()
	shape := fmt.Sprintf(`d="M%s %sL%s %sH%sZ" stroke-linejoin="round"`, num(x), num(y), num(x+half), num(base), num(x-half))
	p.put(`<g><title>%s</title>`, escape(fmt.Sprintf("leaves %d to %d: %s", first, last, c.words())))
	if l.dashed {
		p.put(`<g stroke-width="1.5" stroke-dasharray="4 4"><g %s><path %s %s/></g></g>`, stroke(l.class), shape, fill("bg"))
	} else {
		p.put(`<g fill-opacity="0.14" stroke-width="1.5"><g %s><path %s %s/></g></g>`, stroke(l.class), shape, fill(l.class))
	}
	p.text(x, base-7, "ink", `font-size="11.5" font-weight="650" text-anchor="middle"`, strconv.Itoa(c.counts.members))
	p.put(`<text transform="translate(%s %s) rotate(45)" font-size="%s" %s>%s</text></g>`, num(x-3), num(base+14), num(foldedPx), fill("soft"), escape(c.label()))
}

// label stands under a folded subtree.
func (c *cell) label() string {
	first, last := c.leaves()
	return fmt.Sprintf("%d–%d: %s", first, last, c.words())
}

// entry is an entry of the legend.
type entry struct {
	look look
	text string
	tri  bool
}

// entries are those of what is in the picture.
func (p *picture) entries() []entry {
	var all []entry
	add := func(l look, text string) { all = append(all, entry{look: l, text: text}) }
	has := map[string]bool{}
	p.root.each(func(c *cell) {
		if c.folded {
			has["folded"] = true
			return
		}
		_, leaf := c.node.Leaf()
		switch {
		case p.blank(c.node):
			has["blank"] = true
		case leaf:
			has["leaf"] = true
		default:
			has["parent"] = true
		}
		has[fmt.Sprint("mark", p.marks[c.node])] = true
		if len(p.unmerged(c.node)) > 0 {
			has["unmerged"] = true
		}
	})
	if has["parent"] {
		add(look{class: "parent", round: 9}, "parent: node number, key")
	}
	if has["leaf"] {
		add(look{class: "leaf", round: 4}, "member: leaf number, key")
	}
	if has["blank"] {
		add(look{class: "hair", dashed: true, round: 9}, "blank")
	}
	if has["unmerged"] {
		add(look{class: "late", round: 9}, "unmerged leaves")
	}
	if v := p.Sender; v != nil {
		add(look{class: "path", solid: true, round: 9}, "gets a new key")
		if has[fmt.Sprint("mark", filtered)] {
			add(look{class: "path", dashed: true, round: 9}, "on the path, filtered out")
		}
		add(look{class: "secret", solid: true, round: 9}, "a path secret is encrypted to it")
		if has[fmt.Sprint("mark", copath)] {
			add(look{class: "secret", dashed: true, round: 9}, "blank, its resolution is below")
		}
	}
	if has["folded"] {
		all = append(all, entry{look{class: "leaf"}, "folded subtree: members", true})
	}
	return all
}

// legendRows breaks the legend into rows that fit.
func (p *picture) legendRows() [][]entry {
	var rows [][]entry
	used := p.w
	for _, e := range p.entries() {
		w := entryWidth(e)
		if used+w > p.w-2*margin {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += w
	}
	return rows
}

func entryWidth(e entry) float64 { return 36 + width(e.text, 12) + 18 }

func (p *picture) legend() {
	y := p.bottom + 24
	for _, row := range p.legendRows() {
		x := margin
		for _, e := range row {
			if e.tri {
				p.put(`<g fill-opacity="0.14" stroke-width="1.5" stroke-linejoin="round"><g %s><path d="M%s %sl9 18h-18z" %s/></g></g>`,
					stroke(e.look.class), num(x+14), num(y-9), fill(e.look.class))
			} else {
				p.box(x+14, y, 28, 18, e.look)
			}
			p.text(x+36, y+4.2, "soft", `font-size="12"`, e.text)
			x += entryWidth(e)
		}
		y += 24
	}
}
