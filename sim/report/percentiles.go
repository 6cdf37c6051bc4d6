package report

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Percentiles is a chart with one row for each distribution: its p50, p90 and
// p99 with their intervals on a common logarithmic axis.
type Percentiles struct {
	X    Axis // Log is implied
	Rows []PercentileRow
}

// PercentileRow is one row. Rows with the same Series have the same colour.
type PercentileRow struct {
	Name   string
	Series int // 0 for the first colour
	*Distribution
}

const percentileRow = 38

func (f *Percentiles) check() error {
	if len(f.Rows) == 0 {
		return errNoData
	}
	for _, r := range f.Rows {
		if r.Distribution == nil || r.Count == 0 || len(r.Quantiles) == 0 {
			return fmt.Errorf("distribution %q: %w", r.Name, errNoData)
		}
		if r.Series < 0 {
			return fmt.Errorf("distribution %q: series %d", r.Name, r.Series)
		}
	}
	return nil
}

func (f *Percentiles) height() vg.Length { return 70 + percentileRow*vg.Length(len(f.Rows)) }

func (f *Percentiles) estimates() []Estimate {
	var es []Estimate
	for _, r := range f.Rows {
		for _, q := range r.Quantiles {
			es = append(es, q.Estimate)
		}
	}
	return es
}

func (f *Percentiles) remark() string {
	return ""
}

func (f *Percentiles) draw(c draw.Canvas) {
	axis := f.X
	axis.Log = true
	p := newPlane(false, true)
	x := newScale()
	for _, r := range f.Rows {
		for _, q := range r.Quantiles {
			x.add(q.Mean)
			if q.Low() > 0.3*q.Mean {
				x.add(q.Low())
			}
			x.add(q.High())
		}
	}
	axis.set(&p.X, x, false, 0)
	rows := len(f.Rows)
	p.Y.Min, p.Y.Max = -0.2, float64(rows)
	style := textStyle(ink, labelSize, false)
	var ticks plot.ConstantTicks
	for i, r := range f.Rows {
		ticks = append(ticks, plot.Tick{Value: float64(rows-i) - 0.5, Label: fitText(style, printable(r.Name), 230)})
	}
	p.Y.Tick.Marker = ticks
	p.Y.Tick.Label.Color, p.Y.Tick.Label.Font = style.Color, style.Font
	p.Y.Padding = 12
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		_, toY := p.Transforms(&c)
		for i, r := range f.Rows {
			f.drawRow(c, p, r, toY(float64(rows-i)-0.5))
		}
	}))
	data := drawPlane(draw.Crop(c, 0, 0, 0, -18), p, axis.title(), "", 30)
	toX, _ := p.Transforms(&data)
	// The first row says which mark is which.
	head := textStyle(dim, noteSize, false)
	last := vg.Length(-1000)
	for _, q := range f.Rows[0].Quantiles {
		name := fmt.Sprintf("p%g", q.P*100)
		at := max(toX(onAxis(&p.X, q.Mean)), last+textWidth(head, name)+4)
		place(c, head, draw.XCenter, vg.Point{X: at, Y: c.Max.Y - 8}, name)
		last = at
	}
}

// drawRow draws one row at height y.
func (f *Percentiles) drawRow(c draw.Canvas, p *plot.Plot, r PercentileRow, y vg.Length) {
	toX, _ := p.Transforms(&c)
	at := func(v float64) vg.Length { return toX(onAxis(&p.X, v)) }
	first, last := r.Quantiles[0], r.Quantiles[len(r.Quantiles)-1]
	c.StrokeLine2(stroke(paint{seriesRole(r.Series), 0.35}, 5), at(first.Mean), y, at(last.Mean), y)
	style := textStyle(dim, noteSize, false)
	free := vg.Length(-1000) // up to where numbers are written
	for i, q := range r.Quantiles {
		x := at(q.Mean)
		if q.HasInterval() {
			s := stroke(solid(ink), 1.2)
			low, high := at(q.Low()), at(q.High())
			c.StrokeLine2(s, low, y, high, y)
			c.StrokeLine2(s, low, y-4, low, y+4)
			c.StrokeLine2(s, high, y-4, high, y+4)
		}
		percentileMark(c, i, seriesRole(r.Series), vg.Point{X: x, Y: y})
		value := f.value(q.Estimate)
		if half := textWidth(style, value) / 2; x-half >= free {
			place(c, style, draw.XCenter, vg.Point{X: x, Y: y - 12}, value)
			free = x + half + 6
		}
	}
}

// percentileMark is full for the median and lighter for those above it.
func percentileMark(c draw.Canvas, i int, r role, at vg.Point) {
	circle := func(r role, radius vg.Length) {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: solid(r), Radius: radius, Shape: draw.CircleGlyph{}}, at)
	}
	circle(paper, 6.5)
	circle(r, 5)
	if i > 0 {
		circle(paper, [...]vg.Length{0, 2.2, 3.4}[min(i, 2)])
	}
}

// value writes a mean; a time in the unit in which it reads best.
func (f *Percentiles) value(e Estimate) string {
	if perUnit, isTime := timeScale(f.X.Unit); isTime {
		return formatTime(e.Mean * perUnit / 1e9)
	}
	return formatNumber(e.Mean, min(2, decimalsFor(e.Mean, e.Half)))
}
