package report

import (
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a chart of groups of bars, one bar for each series, with their
// intervals.
type Bars struct {
	Y      Axis // linear and from 0
	Groups []string
	Series []BarSeries
}

// StackedBars is a chart of one bar for each group, made of one piece for each
// series. Its pieces are means; the interval at its top is that of the total.
type StackedBars struct {
	Y      Axis // linear and from 0
	Groups []string
	Series []BarSeries
	Totals []Estimate // for each group; nil leaves totals and intervals away
}

// BarSeries is the bars of one kind.
type BarSeries struct {
	Name   string
	Values []Estimate // for each group; N = 0 where there is none
}

func checkBars(y Axis, groups []string, series []BarSeries) error {
	if y.Log {
		return errors.New("bars on a logarithmic axis have no meaningful length")
	}
	if len(groups) == 0 || len(series) == 0 {
		return errNoData
	}
	for _, s := range series {
		if len(s.Values) != len(groups) {
			return fmt.Errorf("series %q: %d values for %d groups", s.Name, len(s.Values), len(groups))
		}
	}
	return nil
}

func barNames(series []BarSeries) []string {
	var names []string
	for _, s := range series {
		names = append(names, s.Name)
	}
	return names
}

func barEstimates(series []BarSeries) []Estimate {
	var es []Estimate
	for _, s := range series {
		es = append(es, s.Values...)
	}
	return es
}

func swatch(c draw.Canvas, i int, at vg.Point) {
	rectangle(c, solid(seriesRole(i)), at.X-5.5, at.Y-5.5, at.X+5.5, at.Y+5.5)
}

func (b *Bars) check() error { return checkBars(b.Y, b.Groups, b.Series) }

func (b *Bars) height() vg.Length { return barsHeight(b.Groups, b.Series) }

func (b *Bars) estimates() []Estimate {
	return barEstimates(b.Series)
}

func (b *Bars) remark() string {
	return ""
}

func (b *Bars) draw(c draw.Canvas) {
	f, _ := shown(b.Y.Unit)
	y := newScale()
	y.add(0)
	for _, s := range b.Series {
		for _, v := range s.Values {
			y.add(b.Y.possible(v.Low()*f, v.High()*f)...)
		}
	}
	drawBars(c, b.Y, b.Groups, b.Series, y, func(c draw.Canvas, p *plot.Plot, group int, x0, x1 vg.Length) {
		wide := (x1 - x0) / vg.Length(len(b.Series))
		for i, s := range b.Series {
			if v := s.Values[group].scaled(f); v.N > 0 {
				x := x0 + vg.Length(i)*wide
				drawBar(c, p, i, x+1, x+wide-1, 0, v.Mean)
				drawValue(c, p, v, x+1, x+wide-1, y.decimals())
			}
		}
	})
}

func (b *StackedBars) check() error {
	if b.Totals != nil && len(b.Totals) != len(b.Groups) {
		return fmt.Errorf("%d totals for %d groups", len(b.Totals), len(b.Groups))
	}
	return checkBars(b.Y, b.Groups, b.Series)
}

func (b *StackedBars) height() vg.Length { return barsHeight(b.Groups, b.Series) }

func (b *StackedBars) estimates() []Estimate {
	if b.Totals == nil {
		return barEstimates(b.Series)
	}
	return slices.Concat(b.Totals, barEstimates(b.Series))
}

func (b *StackedBars) remark() string {
	if b.Totals == nil {
		return "Intervals are not drawn."
	}
	return "The intervals drawn are those of the totals."
}

func (b *StackedBars) draw(c draw.Canvas) {
	f, _ := shown(b.Y.Unit)
	y := newScale()
	y.add(0)
	for g := range b.Groups {
		var sum float64
		for _, s := range b.Series {
			sum += s.Values[g].Mean * f
		}
		y.add(sum)
		if b.Totals != nil {
			y.add(b.Totals[g].High() * f)
		}
	}
	drawBars(c, b.Y, b.Groups, b.Series, y, func(c draw.Canvas, p *plot.Plot, group int, x0, x1 vg.Length) {
		var sum float64
		for i, s := range b.Series {
			if v := s.Values[group].Mean * f; v > 0 {
				drawBar(c, p, i, x0, x1, sum, sum+v)
				sum += v
			}
		}
		if b.Totals != nil && b.Totals[group].N > 0 {
			drawValue(c, p, b.Totals[group].scaled(f), x0, x1, y.decimals())
		}
	})
}

// groupStyle is that of the names below groups.
func groupStyle() draw.TextStyle { return textStyle(ink, tickSize, false) }

// groupLines wraps the names of groups to the room that each has.
func groupLines(groups []string) (lines [][]string, tallest int) {
	room := (figureWidth - 2*figureGap - 60) / vg.Length(len(groups))
	for _, g := range groups {
		l := wrapText(groupStyle(), printable(g), room-6)
		lines, tallest = append(lines, l), max(tallest, len(l))
	}
	return lines, tallest
}

func barsHeight(groups []string, series []BarSeries) vg.Length {
	_, tallest := groupLines(groups)
	h := planeHeight - 20 + vg.Length(tallest)*tickSize*1.25
	if len(series) > 1 {
		h += legendHeight(barNames(series))
	}
	return h
}

// drawBars draws legend, axes and the names of groups; group draws the bars of
// one group between x0 and x1.
func drawBars(c draw.Canvas, yAxis Axis, groups []string, series []BarSeries, y scale,
	group func(c draw.Canvas, p *plot.Plot, group int, x0, x1 vg.Length)) {
	if len(series) > 1 {
		c = legend(c, barNames(series), swatch)
	}
	lines, tallest := groupLines(groups)
	p := newPlane(true, false)
	yAxis.set(&p.Y, y, true, 5)
	p.X.Min, p.X.Max = 0, float64(len(groups))
	p.X.Tick.Marker = plot.ConstantTicks(nil)
	p.Y.Padding = 0
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		toX, _ := p.Transforms(&c)
		for g := range groups {
			x0, x1 := toX(float64(g)), toX(float64(g+1))
			room := (x1 - x0) * 0.72
			room = min(room, 110*vg.Length(len(series)))
			centre := (x0 + x1) / 2
			group(c, p, g, centre-room/2, centre+room/2)
		}
	}))
	below := vg.Length(tallest)*tickSize*1.25 + 8
	data := drawPlane(draw.Crop(c, 0, 0, below, 0), p, "", yAxis.title(), 0)
	toX, _ := p.Transforms(&data)
	for g, ls := range lines {
		for n, line := range ls {
			at := vg.Point{X: toX(float64(g) + 0.5), Y: data.Min.Y - 8 - (vg.Length(n)+0.5)*tickSize*1.25}
			place(c, groupStyle(), draw.XCenter, at, line)
		}
	}
}

// drawBar draws a piece of a bar, set off from the one below it.
func drawBar(c draw.Canvas, p *plot.Plot, i int, x0, x1 vg.Length, from, to float64) {
	_, toY := p.Transforms(&c)
	y0, y1 := toY(onAxis(&p.Y, from)), toY(onAxis(&p.Y, to))
	if from > 0 && y1-y0 > 2 {
		y0++
	}
	rectangle(c, solid(seriesRole(i)), x0, y0, x1, y1)
}

// drawValue draws an interval about the top of a bar, and the value above it if
// there is room.
func drawValue(c draw.Canvas, p *plot.Plot, v Estimate, x0, x1 vg.Length, decimals int) {
	_, toY := p.Transforms(&c)
	x, top := (x0+x1)/2, toY(onAxis(&p.Y, v.Mean))
	if v.HasInterval() {
		low, high := toY(onAxis(&p.Y, v.Low())), toY(onAxis(&p.Y, v.High()))
		top = max(top, high)
		whisker(c, stroke(solid(ink), 1.2), x, low, high, min(4, (x1-x0)/5))
	}
	style := textStyle(ink, noteSize, false)
	text := formatNumber(v.Mean, decimals)
	if textWidth(style, text) <= x1-x0+2 {
		place(c, style, draw.XCenter, vg.Point{X: x, Y: top + 8}, text)
	}
}
