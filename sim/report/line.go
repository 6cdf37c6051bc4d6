package report

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// LineCI is a chart of estimates over a swept number: a line through the means
// of each series, and their intervals as a band.
type LineCI struct {
	X, Y   Axis
	Series []Series
	Remark string // what stands below it, such as how its values were measured
}

// Series is one line.
type Series struct {
	Name   string
	Points []Point
}

// Point is an estimate at one x.
type Point struct {
	X float64
	Estimate
}

func (l *LineCI) check() error {
	var points int
	for _, s := range l.Series {
		for _, p := range s.Points {
			points++
			if err := drawable(p.X); err != nil {
				return err
			}
		}
	}
	if points == 0 {
		return errNoData
	}
	return nil
}

func (l *LineCI) height() vg.Length { return planeHeight }

func (l *LineCI) estimates() []Estimate {
	var es []Estimate
	for _, s := range l.Series {
		for _, p := range s.Points {
			es = append(es, p.Estimate)
		}
	}
	return es
}

func (l *LineCI) remark() string {
	return l.Remark
}

// shownSeries returns the series sorted by x and in the units of the axes.
func (l *LineCI) shownSeries() []Series {
	fx, _ := shown(l.X.Unit)
	fy, _ := shown(l.Y.Unit)
	var out []Series
	for _, s := range l.Series {
		points := slices.Clone(s.Points)
		for i := range points {
			points[i].X *= fx
			points[i].Estimate = points[i].scaled(fy)
		}
		slices.SortStableFunc(points, func(a, b Point) int { return cmp.Compare(a.X, b.X) })
		out = append(out, Series{s.Name, points})
	}
	return out
}

// scaled returns the estimate in other units.
func (e Estimate) scaled(f float64) Estimate {
	e.Mean, e.SD, e.Half = e.Mean*f, e.SD*f, e.Half*f
	return e
}

func (l *LineCI) draw(c draw.Canvas) {
	series := l.shownSeries()
	p := newPlane(true, false)
	x, y := newScale(), newScale()
	for _, s := range series {
		for _, pt := range s.Points {
			x.add(pt.X)
			y.add(l.Y.possible(pt.Low(), pt.Mean, pt.High())...)
		}
	}
	l.X.set(&p.X, x, false, 8)
	l.Y.set(&p.Y, y, false, 5)
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		for i, s := range series {
			drawBand(c, p, i, s)
		}
		for i, s := range series {
			drawLine(c, p, i, s)
		}
	}))
	if len(series) == 1 {
		drawPlane(c, p, l.X.title(), l.Y.title(), figureGap)
		return
	}
	style := textStyle(ink, labelSize, false)
	var right vg.Length
	for _, s := range series {
		right = max(right, textWidth(style, lineName(s)))
	}
	data := drawPlane(c, p, l.X.title(), l.Y.title(), right+32)
	_, toY := p.Transforms(&data)
	var labels []endLabel
	for i, s := range series {
		if n := len(s.Points); n > 0 {
			labels = append(labels, endLabel{i, toY(onAxis(&p.Y, s.Points[n-1].Mean))})
		}
	}
	for _, e := range spread(labels, labelSize*1.4, data.Min.Y, data.Max.Y) {
		mark(c, e.series, vg.Point{X: data.Max.X + 20, Y: e.y}, false)
		place(c, style, draw.XLeft, vg.Point{X: data.Max.X + 30, Y: e.y}, lineName(series[e.series]))
	}
}

// lineName is the name of a series as it stands at the end of its line.
func lineName(s Series) string {
	return fitText(textStyle(ink, labelSize, false), printable(s.Name), 180)
}

// drawBand draws the intervals of one series: as a band if there are several
// points, else as a whisker.
func drawBand(c draw.Canvas, p *plot.Plot, i int, s Series) {
	toX, toY := p.Transforms(&c)
	var high, low []vg.Point
	for _, pt := range s.Points {
		x := toX(onAxis(&p.X, pt.X))
		high = append(high, vg.Point{X: x, Y: toY(onAxis(&p.Y, pt.High()))})
		low = append(low, vg.Point{X: x, Y: toY(onAxis(&p.Y, pt.Low()))})
	}
	if len(s.Points) == 1 {
		whisker(c, stroke(solid(seriesRole(i)), 1.3), high[0].X, low[0].Y, high[0].Y, 4)
		return
	}
	slices.Reverse(low)
	c.FillPolygon(paint{seriesRole(i), 0.2}, append(high, low...))
}

// drawLine draws the means of one series. Marks of points without an interval
// are hollow.
func drawLine(c draw.Canvas, p *plot.Plot, i int, s Series) {
	toX, toY := p.Transforms(&c)
	var line []vg.Point
	for _, pt := range s.Points {
		line = append(line, vg.Point{X: toX(onAxis(&p.X, pt.X)), Y: toY(onAxis(&p.Y, pt.Mean))})
	}
	c.StrokeLines(stroke(solid(seriesRole(i)), 2), line)
	for n, at := range line {
		mark(c, i, at, !s.Points[n].HasInterval())
	}
}

// endLabel is the place of a name at the end of its line.
type endLabel struct {
	series int
	y      vg.Length
}

// spread moves labels apart so that they are at least gap from each other, as
// little as that takes, and within [lo, hi] if they fit.
func spread(labels []endLabel, gap, lo, hi vg.Length) []endLabel {
	slices.SortStableFunc(labels, func(a, b endLabel) int {
		return cmp.Or(cmp.Compare(a.y, b.y), cmp.Compare(b.series, a.series))
	})
	for i := range labels { // upwards from the lowest
		floor := lo
		if i > 0 {
			floor = labels[i-1].y + gap
		}
		labels[i].y = max(labels[i].y, floor)
	}
	for i := len(labels) - 1; i >= 0; i-- { // and back from the top
		ceiling := hi
		if i < len(labels)-1 {
			ceiling = labels[i+1].y - gap
		}
		labels[i].y = min(labels[i].y, ceiling)
	}
	return labels
}
