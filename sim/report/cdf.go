package report

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// CDF is a chart of distributions: for each value on a logarithmic axis the
// share of values that are at most as large.
type CDF struct {
	X      Axis // Log is implied
	Series []CDFSeries
}

// CDFSeries is one curve.
type CDFSeries struct {
	Name string
	*Distribution
}

func (f *CDF) check() error {
	if len(f.Series) == 0 {
		return errNoData
	}
	for _, s := range f.Series {
		if s.Distribution == nil || s.Count == 0 {
			return fmt.Errorf("distribution %q: %w", s.Name, errNoData)
		}
	}
	return nil
}

func (f *CDF) names() []string {
	var names []string
	for _, s := range f.Series {
		names = append(names, s.Name)
	}
	return names
}

func (f *CDF) height() vg.Length {
	if len(f.Series) == 1 {
		return planeHeight
	}
	return planeHeight + legendHeight(f.names())
}

func (f *CDF) estimates() []Estimate {
	return nil
}

func (f *CDF) remark() string {
	var n int64
	for _, s := range f.Series {
		n += s.Count
	}
	return fmt.Sprintf("All values of all replications together, %s in all: what was seen, without intervals.",
		formatNumber(float64(n), 0))
}

func (f *CDF) draw(c draw.Canvas) {
	if len(f.Series) > 1 {
		c = legend(c, f.names(), func(c draw.Canvas, i int, at vg.Point) {
			c.StrokeLine2(curve(i), at.X-7, at.Y, at.X+7, at.Y)
		})
	}
	axis := f.X
	axis.Log = true
	p := newPlane(true, true)
	x := newScale()
	for _, s := range f.Series {
		x.add(s.Min, s.At(0.001), s.Max)
	}
	axis.set(&p.X, x, false, 0)
	p.Y.Min, p.Y.Max = 0, 1
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 0.9, 1} {
		p.Y.Tick.Marker = append(ticksOf(p.Y.Tick.Marker), plot.Tick{Value: share, Label: tickLabel(100 * share)})
	}
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		for i, s := range f.Series {
			c.StrokeLines(curve(i), s.steps(c, p))
		}
	}))
	drawPlane(c, p, axis.title(), "share of values (%)", figureGap)
}

func ticksOf(t plot.Ticker) plot.ConstantTicks {
	ticks, _ := t.(plot.ConstantTicks)
	return ticks
}

// curve is the line of the i-th distribution: in its colour, and dashed from the
// second on so that colour isn't all that tells them apart.
func curve(i int) draw.LineStyle {
	s := stroke(solid(seriesRole(i)), 2)
	s.Dashes = [...][]vg.Length{nil, {7, 3}, {2, 3}, {9, 3, 2, 3}}[i%4]
	return s
}

// steps returns the curve. Steps that a reader could not see are joined.
func (s CDFSeries) steps(c draw.Canvas, p *plot.Plot) []vg.Point {
	toX, toY := p.Transforms(&c)
	y := toY(0)
	line := []vg.Point{{X: c.Min.X, Y: y}}
	var below int64
	for i, cell := range s.cells {
		x := toX(onAxis(&p.X, float64(cell.to)*s.unit))
		below += cell.n
		last := line[len(line)-1]
		next := toY(float64(below) / float64(s.Count))
		if i+1 < len(s.cells) && x-last.X < 1.5 && next-last.Y < 1.5 {
			continue
		}
		line = append(line, vg.Point{X: x, Y: last.Y}, vg.Point{X: x, Y: next})
	}
	return append(line, vg.Point{X: c.Max.X, Y: toY(1)})
}
