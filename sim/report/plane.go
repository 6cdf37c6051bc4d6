package report

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// planeHeight is the height of charts with two axes, less their legend.
const planeHeight = 320

// plotterFunc draws data onto axes.
type plotterFunc func(draw.Canvas, *plot.Plot)

// Plot is part of [plot.Plotter].
func (f plotterFunc) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }

// newPlane returns a plot with quiet axes: labels without ticks, a line below,
// and grid lines across or along as asked.
func newPlane(across, along bool) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.TextHandler = textHandler
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		align := a.Tick.Label
		a.Tick.Label = textStyle(dim, tickSize, false)
		a.Tick.Label.XAlign, a.Tick.Label.YAlign = align.XAlign, align.YAlign
		a.Label.TextStyle = a.Tick.Label
		a.LineStyle = stroke(solid(rule), 0)
		a.Tick.LineStyle = stroke(solid(rule), 0)
		a.Tick.Length = 0
		a.Padding = 0
	}
	p.X.LineStyle = stroke(solid(dim), 1)
	p.X.Tick.LineStyle = stroke(solid(dim), 1)
	p.X.Tick.Length = 4
	p.Y.Padding = 6
	g := plotter.NewGrid()
	g.Horizontal, g.Vertical = stroke(solid(rule), 1), stroke(solid(rule), 1)
	if !across {
		g.Horizontal.Color = nil
	}
	if !along {
		g.Vertical.Color = nil
	}
	p.Add(g)
	return p
}

// drawPlane draws a plot into c with the title of the y axis above it and that of
// the x axis below, and returns where its data are.
func drawPlane(c draw.Canvas, p *plot.Plot, x, y string, right vg.Length) draw.Canvas {
	style := textStyle(dim, labelSize, false)
	inner := draw.Crop(c, 0, -right, 0, 0)
	if y != "" {
		place(c, style, draw.XLeft, vg.Point{X: c.Min.X, Y: c.Max.Y - 8}, printable(y))
		inner = draw.Crop(inner, 0, 0, 0, -24)
	}
	if x != "" {
		inner = draw.Crop(inner, 0, 0, 22, 0)
	}
	data := p.DataCanvas(inner)
	p.Draw(inner)
	if x != "" {
		place(c, style, draw.XCenter, vg.Point{X: data.Center().X, Y: c.Min.Y + 8}, printable(x))
	}
	return data
}

// whisker draws a vertical interval with its caps.
func whisker(c draw.Canvas, style draw.LineStyle, x, low, high, halfCap vg.Length) {
	c.StrokeLine2(style, x, low, x, high)
	c.StrokeLine2(style, x-halfCap, low, x+halfCap, low)
	c.StrokeLine2(style, x-halfCap, high, x+halfCap, high)
}
