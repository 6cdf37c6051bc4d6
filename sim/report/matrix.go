package report

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Matrix is a table of shares drawn as shades: who (rows) learns what (columns),
// in one panel or several to compare.
type Matrix struct {
	Rows, Columns []string
	Panels        []Panel
}

// Panel is one table of a [Matrix].
type Panel struct {
	Title string
	Cells [][]Estimate // by row and column, shares from 0 to 1; N = 0 where there is none
}

const (
	matrixRow   = 32
	matrixGap   = 18 // between panels
	matrixSmall = 9.5
)

func (m *Matrix) check() error {
	if len(m.Rows) == 0 || len(m.Columns) == 0 || len(m.Panels) == 0 {
		return errNoData
	}
	for _, p := range m.Panels {
		if len(p.Cells) != len(m.Rows) {
			return fmt.Errorf("panel %q: %d rows, want %d", p.Title, len(p.Cells), len(m.Rows))
		}
		for i, row := range p.Cells {
			if len(row) != len(m.Columns) {
				return fmt.Errorf("panel %q, row %q: %d cells, want %d", p.Title, m.Rows[i], len(row), len(m.Columns))
			}
			for j, e := range row {
				if e.N > 0 && (e.Mean < 0 || e.Mean > 1) {
					return fmt.Errorf("panel %q, row %q, column %q: share %v", p.Title, m.Rows[i], m.Columns[j], e.Mean)
				}
			}
		}
	}
	return nil
}

func (m *Matrix) estimates() []Estimate {
	var es []Estimate
	for _, p := range m.Panels {
		for _, row := range p.Cells {
			es = append(es, row...)
		}
	}
	return es
}

func (m *Matrix) remark() string {
	return "Shares in per cent; intervals are in the data."
}

// beside reports whether the panels fit side by side, with the longest word of
// the heads in small print.
func (m *Matrix) beside() bool {
	_, column := m.layout(true)
	return m.widestHead(matrixSmall) <= column-4
}

// widestHead is the width of the longest word of the heads.
func (m *Matrix) widestHead(size vg.Length) vg.Length {
	var w vg.Length
	for _, name := range m.Columns {
		for word := range strings.FieldsSeq(printable(name)) {
			w = max(w, textWidth(textStyle(dim, size, false), word))
		}
	}
	return w
}

// headStyle is as large as the longest word allows.
func (m *Matrix) headStyle() text.Style {
	_, column := m.layout(m.beside())
	size := vg.Length(noteSize)
	for size > matrixSmall && m.widestHead(size) > column-4 {
		size -= 0.25
	}
	return textStyle(dim, size, false)
}

// layout returns the width of the names of rows and of one column, with panels
// side by side or not.
func (m *Matrix) layout(beside bool) (names, column vg.Length) {
	for _, r := range m.Rows {
		names = max(names, textWidth(groupStyle(), fitText(groupStyle(), printable(r), 190)))
	}
	names += 10
	panels := vg.Length(1)
	if beside {
		panels = vg.Length(len(m.Panels))
	}
	room := figureWidth - 2*figureGap - names - (panels-1)*matrixGap
	return names, min(110, room/(panels*vg.Length(len(m.Columns))))
}

// heads wraps the names of columns.
func (m *Matrix) heads() (lines [][]string, tallest int) {
	_, column := m.layout(m.beside())
	style := m.headStyle()
	for _, name := range m.Columns {
		l := wrapText(style, printable(name), column-4)
		lines, tallest = append(lines, l), max(tallest, len(l))
	}
	return lines, tallest
}

func (m *Matrix) panelHeight() vg.Length {
	_, tallest := m.heads()
	h := vg.Length(tallest)*noteSize*1.25 + 8 + vg.Length(len(m.Rows))*matrixRow
	if len(m.Panels) > 1 {
		h += 20
	}
	return h
}

func (m *Matrix) height() vg.Length {
	if m.beside() {
		return m.panelHeight()
	}
	n := vg.Length(len(m.Panels))
	return n*m.panelHeight() + (n-1)*matrixGap
}

func (m *Matrix) draw(c draw.Canvas) {
	names, column := m.layout(m.beside())
	for i, p := range m.Panels {
		x, y := c.Min.X+names, c.Max.Y
		if m.beside() {
			x += vg.Length(i) * (vg.Length(len(m.Columns))*column + matrixGap)
		} else {
			y -= vg.Length(i) * (m.panelHeight() + matrixGap)
		}
		m.drawPanel(c, p, x, y, column, i == 0 || !m.beside())
	}
}

// drawPanel draws a panel whose cells begin at x and whose top is at y.
func (m *Matrix) drawPanel(c draw.Canvas, p Panel, x, y, column vg.Length, rowNames bool) {
	width := vg.Length(len(m.Columns)) * column
	if len(m.Panels) > 1 {
		style := textStyle(ink, labelSize, true)
		place(c, style, draw.XLeft, vg.Point{X: x, Y: y - 8}, fitText(style, printable(p.Title), width))
		y -= 20
	}
	lines, tallest := m.heads()
	for j, head := range lines {
		for n, line := range head {
			up := vg.Length(tallest-len(head)+n) + 0.5
			at := vg.Point{X: x + (vg.Length(j)+0.5)*column, Y: y - up*noteSize*1.25}
			place(c, m.headStyle(), draw.XCenter, at, line)
		}
	}
	y -= vg.Length(tallest)*noteSize*1.25 + 8
	for i, row := range p.Cells {
		top := y - vg.Length(i)*matrixRow
		if rowNames {
			name := fitText(groupStyle(), printable(m.Rows[i]), 190)
			place(c, groupStyle(), draw.XRight, vg.Point{X: x - 10, Y: top - matrixRow/2}, name)
		}
		for j, e := range row {
			left := x + vg.Length(j)*column
			drawCell(c, e, left+1, top-matrixRow+1, left+column-1, top-1)
		}
	}
}

// drawCell shades one cell by its share and writes the share into it.
func drawCell(c draw.Canvas, e Estimate, x0, y0, x1, y1 vg.Length) {
	centre := vg.Point{X: (x0 + x1) / 2, Y: (y0 + y1) / 2}
	if e.N == 0 {
		place(c, textStyle(dim, tickSize, false), draw.XCenter, centre, "–")
		return
	}
	rectangle(c, paint{rule, 0.45}, x0, y0, x1, y1)
	rectangle(c, paint{heat, e.Mean}, x0, y0, x1, y1)
	r := ink
	if e.Mean > 0.84 {
		r = onHeat // where its contrast becomes the better one on a light page
	}
	if e.Mean == 0 {
		r = dim
	}
	place(c, textStyle(r, tickSize, false), draw.XCenter, centre, formatShare(e.Mean))
}

// formatShare writes a share in per cent so that only nothing is "0" and only
// all is "100".
func formatShare(v float64) string {
	switch pc := v * 100; {
	case pc == 0 || pc == 100:
		return formatNumber(pc, 0)
	case pc < 0.1:
		return "<0.1"
	case pc > 99.9:
		return ">99.9"
	case pc < 10 || pc > 99:
		return formatNumber(pc, 1)
	default:
		return formatNumber(pc, 0)
	}
}
