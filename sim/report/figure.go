package report

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Figure is a chart with what a reader needs to know beside it.
type Figure struct {
	Name     string // of the file, without folder and extension: a-z, 0-9 and '-'
	Title    string // what it shows, in a few words
	Caption  string // what to see in it; n and the kind of intervals are added
	Modelled bool   // some of it was made without real cryptography
	Chart    Chart
}

// Chart is one of the charts of this package: [LineCI], [Bars], [StackedBars],
// [Percentiles], [CDF] and [Matrix].
type Chart interface {
	// check returns an error for what can't be drawn.
	check() error
	// height is what the chart needs at figureWidth.
	height() vg.Length
	// draw fills the canvas.
	draw(draw.Canvas)
	// estimates returns all that are drawn, in the units of the data.
	estimates() []Estimate
	// remark is what a reader has to know beyond the estimates' n and intervals.
	remark() string
}

// errNoData: there is nothing to draw, as happens when a run is interrupted.
var errNoData = errors.New("no data")

// figureWidth is the width of all figures in user units, at which their text has
// its nominal size. The gap is what they keep around themselves.
const (
	figureWidth = 720
	figureGap   = 12
)

var figureName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// SVG returns the figure as a file that stands by itself. It follows the
// reader's preference for light or dark.
func (f *Figure) SVG() ([]byte, error) { return f.render(true) }

// render draws the figure: to stand alone with title and notes, or for a page
// that says those itself.
func (f *Figure) render(alone bool) ([]byte, error) {
	if !figureName.MatchString(f.Name) {
		return nil, fmt.Errorf("figure %q: want a name of a-z, 0-9 and '-'", f.Name)
	}
	if f.Chart == nil {
		return nil, fmt.Errorf("figure %s: no chart", f.Name)
	}
	err := f.Chart.check()
	if err == nil {
		err = checkRange(f.Chart.estimates())
	}
	if err != nil {
		return nil, fmt.Errorf("figure %s: %w", f.Name, err)
	}
	var title, notes []string
	titleStyle, noteStyle := textStyle(ink, titleSize, true), textStyle(dim, noteSize, false)
	const inner = figureWidth - 2*figureGap
	if alone {
		title = wrapText(titleStyle, printable(f.Title), inner)
		notes = wrapText(noteStyle, printable(f.note()), inner)
	}
	top := figureGap + vg.Length(len(title))*titleSize*1.3
	if len(title) > 0 {
		top += 6
	}
	bottom := figureGap + vg.Length(len(notes))*noteSize*1.4
	if len(notes) > 0 {
		bottom += 12
	}
	svg := newSVGCanvas(figureWidth, top+f.Chart.height()+bottom)
	c := draw.New(svg)
	for i, line := range title {
		place(c, titleStyle, draw.XLeft, vg.Point{X: figureGap, Y: svg.h - figureGap - (vg.Length(i)+0.5)*titleSize*1.3}, line)
	}
	for i, line := range notes {
		place(c, noteStyle, draw.XLeft, vg.Point{X: figureGap, Y: figureGap + (vg.Length(len(notes)-i)-0.5)*noteSize*1.4}, line)
	}
	f.Chart.draw(draw.Crop(c, figureGap, -figureGap, bottom, -top))
	return svg.document(printable(f.Title), printable(f.note()), alone), nil
}

// note is what is added to the caption.
func (f *Figure) note() string {
	n := f.pageNote()
	if f.Modelled {
		n += " Modelled: made without real cryptography."
	}
	return n
}

// pageNote is the same for the page, which marks what is modelled by a tag.
func (f *Figure) pageNote() string {
	return strings.TrimSpace(intervalNote(f.Chart.estimates()) + " " + f.Chart.remark())
}

// checkRange refuses what no axis can show.
func checkRange(es []Estimate) error {
	for _, e := range es {
		if err := drawable(e.Mean, e.Half); err != nil {
			return err
		}
	}
	return nil
}

// drawable refuses values that are no numbers or that lose their digits.
func drawable(vs ...float64) error {
	for _, v := range vs {
		if !(math.Abs(v) <= 1e15) {
			return fmt.Errorf("value %v, want one within ±1e15", v)
		}
	}
	return nil
}

// intervalNote says how many values stand behind estimates and what their
// intervals are.
func intervalNote(es []Estimate) string {
	ns := map[Method][]int{}
	for _, e := range es {
		if e.N > 0 {
			ns[e.Method] = append(ns[e.Method], e.N)
		}
	}
	count := func(m Method) string {
		lo, hi := slices.Min(ns[m]), slices.Max(ns[m])
		if lo == hi {
			return fmt.Sprintf("n = %d", lo)
		}
		return fmt.Sprintf("n = %d to %d", lo, hi)
	}
	var parts []string
	if len(ns[Replications]) > 0 {
		parts = append(parts, fmt.Sprintf("Means with 95 %% intervals by Student's t over replications, %s.", count(Replications)))
	}
	if len(ns[BatchMeans]) > 0 {
		parts = append(parts, fmt.Sprintf("Values with 95 %% intervals by batch means within one replication, %s batches.", count(BatchMeans)))
	}
	if len(ns[NoInterval]) > 0 {
		parts = append(parts, "Values of a single replication without an interval, n = 1.")
	}
	return strings.Join(parts, " ")
}

// place writes one line whose capitals are centred on pt.Y: x from -1 (its right
// end at pt.X) over -0.5 (centred) to 0 (its left end).
func place(c draw.Canvas, s text.Style, x text.XAlignment, pt vg.Point, line string) {
	pt.X += vg.Length(x) * textWidth(s, line)
	pt.Y -= 0.36 * s.Font.Size
	c.SetColor(s.Color)
	c.FillString(textHandler.Fonts.Lookup(s.Font, s.Font.Size), pt, line)
}

// legend draws swatches with names in rows from the top of c downwards and
// returns what is left below.
func legend(c draw.Canvas, names []string, swatch func(c draw.Canvas, i int, at vg.Point)) draw.Canvas {
	rows := legendRows(names)
	style := textStyle(ink, labelSize, false)
	for r, row := range rows {
		x, y := c.Min.X, c.Max.Y-(vg.Length(r)+0.5)*legendRow
		for _, i := range row {
			swatch(c, i, vg.Point{X: x + 6, Y: y})
			name := legendName(names[i])
			place(c, style, draw.XLeft, vg.Point{X: x + 18, Y: y}, name)
			x += 18 + textWidth(style, name) + 20
		}
	}
	return draw.Crop(c, 0, 0, 0, -legendHeight(names))
}

const legendRow = 19

func legendName(s string) string {
	return fitText(textStyle(ink, labelSize, false), printable(s), figureWidth/2)
}

// legendRows distributes names over rows.
func legendRows(names []string) [][]int {
	style := textStyle(ink, labelSize, false)
	var rows [][]int
	var x vg.Length
	for i := range names {
		w := 18 + textWidth(style, legendName(names[i])) + 20
		if len(rows) == 0 || x+w > figureWidth-2*figureGap {
			rows, x = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], i)
		x += w
	}
	return rows
}

// legendHeight is what the legend takes, nothing for a single name.
func legendHeight(names []string) vg.Length {
	return vg.Length(len(legendRows(names)))*legendRow + 6
}

// mark draws the mark of the i-th series, set off from what is below it.
func mark(c draw.Canvas, i int, at vg.Point, hollow bool) {
	shapes := [...]draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, diamond{}}
	shape := shapes[i%len(shapes)]
	radius := vg.Length(4.2)
	if i%len(shapes) == 2 {
		radius = 5
	}
	draws := func(r role, radius vg.Length) {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: solid(r), Radius: radius, Shape: shape}, at)
	}
	draws(paper, radius+1.6)
	draws(seriesRole(i), radius)
	if hollow {
		draws(paper, radius-1.7)
	}
}

// diamond is a square on its corner.
type diamond struct{}

// DrawGlyph is part of [draw.GlyphDrawer].
func (diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	r := s.Radius * 1.15
	c.FillPolygon(s.Color, []vg.Point{
		{X: at.X, Y: at.Y + r}, {X: at.X + r, Y: at.Y}, {X: at.X, Y: at.Y - r}, {X: at.X - r, Y: at.Y},
	})
}

// stroke is a line style.
func stroke(p paint, width vg.Length) draw.LineStyle { return draw.LineStyle{Color: p, Width: width} }

// rectangle fills a rectangle.
func rectangle(c draw.Canvas, p paint, x0, y0, x1, y1 vg.Length) {
	c.FillPolygon(p, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}
