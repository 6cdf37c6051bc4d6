package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// svgCanvas is a gonum/plot canvas that writes SVG. gonum's own writes fixed
// colours and turns the picture upside down; this one writes roles as classes,
// upright, with coordinates in hundredths of a unit so that platforms with other
// floating-point rounding agree.
type svgCanvas struct {
	w, h  vg.Length
	body  bytes.Buffer
	state svgState
	stack []svgState
}

type svgState struct {
	// m is the affine transform from canvas to page, as SVG's matrix(a b c d e f).
	// Both have y upwards; the page is turned over when written.
	m      [6]float64
	width  float64
	dashes []vg.Length
	offset vg.Length
	paint  paint
}

func newSVGCanvas(w, h vg.Length) *svgCanvas {
	c := &svgCanvas{w: w, h: h}
	c.state.m = [6]float64{1, 0, 0, 1, 0, 0}
	vg.Initialize(c)
	return c
}

// Size returns the size of the page.
func (c *svgCanvas) Size() (w, h vg.Length) { return c.w, c.h }

// SetLineWidth is part of [vg.Canvas], as are all methods below.
func (c *svgCanvas) SetLineWidth(w vg.Length) { c.state.width = float64(w) }

func (c *svgCanvas) SetLineDash(pattern []vg.Length, offset vg.Length) {
	c.state.dashes, c.state.offset = pattern, offset
}

func (c *svgCanvas) SetColor(clr color.Color) {
	if p, ok := clr.(paint); ok {
		c.state.paint = p
		return
	}
	c.state.paint = solid(ink) // what gonum/plot draws by itself
}

func (c *svgCanvas) Push() { c.stack = append(c.stack, c.state) }

func (c *svgCanvas) Pop() {
	c.state = c.stack[len(c.stack)-1]
	c.stack = c.stack[:len(c.stack)-1]
}

func (c *svgCanvas) Rotate(rad float64) {
	sin, cos := math.Sincos(rad)
	c.concat([6]float64{cos, sin, -sin, cos, 0, 0})
}

func (c *svgCanvas) Translate(pt vg.Point) {
	c.concat([6]float64{1, 0, 0, 1, float64(pt.X), float64(pt.Y)})
}

func (c *svgCanvas) Scale(x, y float64) { c.concat([6]float64{x, 0, 0, y, 0, 0}) }

func (c *svgCanvas) concat(n [6]float64) {
	m := c.state.m
	c.state.m = [6]float64{
		m[0]*n[0] + m[2]*n[1], m[1]*n[0] + m[3]*n[1],
		m[0]*n[2] + m[2]*n[3], m[1]*n[2] + m[3]*n[3],
		m[0]*n[4] + m[2]*n[5] + m[4], m[1]*n[4] + m[3]*n[5] + m[5],
	}
}

// at returns where a point comes to lie in the file.
func (c *svgCanvas) at(p vg.Point) (x, y string) {
	m, px, py := c.state.m, float64(p.X), float64(p.Y)
	return coord(m[0]*px + m[2]*py + m[4]), coord(float64(c.h) - (m[1]*px + m[3]*py + m[5]))
}

// coord writes a coordinate in hundredths.
func coord(v float64) string {
	s := strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
	if s == "-0" {
		return "0"
	}
	return s
}

func (c *svgCanvas) Stroke(path vg.Path) {
	if c.state.width <= 0 || c.state.paint.opacity <= 0 {
		return
	}
	p := c.state.paint
	fmt.Fprintf(&c.body, `<path class="k-%s" d="%s" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"`,
		p.role.name(), c.pathData(path), hues[p.role].light, coord(c.state.width))
	if p.opacity < 1 {
		fmt.Fprintf(&c.body, ` stroke-opacity="%s"`, coord(p.opacity))
	}
	if len(c.state.dashes) > 0 {
		dashes := make([]string, len(c.state.dashes))
		for i, d := range c.state.dashes {
			dashes[i] = coord(float64(d))
		}
		fmt.Fprintf(&c.body, ` stroke-dasharray="%s" stroke-dashoffset="%s"`,
			strings.Join(dashes, " "), coord(float64(c.state.offset)))
	}
	c.body.WriteString("/>\n")
}

func (c *svgCanvas) Fill(path vg.Path) {
	p := c.state.paint
	if p.opacity <= 0 {
		return
	}
	fmt.Fprintf(&c.body, `<path class="f-%s" d="%s" fill="%s"`, p.role.name(), c.pathData(path), hues[p.role].light)
	if p.opacity < 1 {
		fmt.Fprintf(&c.body, ` fill-opacity="%s"`, coord(p.opacity))
	}
	c.body.WriteString("/>\n")
}

func (c *svgCanvas) pathData(path vg.Path) string {
	var b strings.Builder
	point := func(op string, ps ...vg.Point) {
		b.WriteString(op)
		for i, p := range ps {
			if i > 0 {
				b.WriteByte(' ')
			}
			x, y := c.at(p)
			b.WriteString(x + " " + y)
		}
	}
	for _, s := range path {
		switch s.Type {
		case vg.MoveComp:
			point("M", s.Pos)
		case vg.LineComp:
			point("L", s.Pos)
		case vg.CurveComp:
			if len(s.Control) == 1 {
				point("Q", s.Control[0], s.Pos)
			} else {
				point("C", s.Control[0], s.Control[1], s.Pos)
			}
		case vg.ArcComp:
			c.arc(&b, s, len(path) > 0 && path[0].Type == vg.MoveComp)
		case vg.CloseComp:
			b.WriteByte('Z')
		}
	}
	return b.String()
}

// arc writes an arc of a circle in two halves, since SVG has no full circle.
func (c *svgCanvas) arc(b *strings.Builder, s vg.PathComp, started bool) {
	on := func(angle float64) (x, y string) {
		sin, cos := math.Sincos(angle)
		return c.at(vg.Point{X: s.Pos.X + s.Radius*vg.Length(cos), Y: s.Pos.Y + s.Radius*vg.Length(sin)})
	}
	op := "M"
	if started {
		op = "L"
	}
	x, y := on(s.Start)
	fmt.Fprintf(b, "%s%s %s", op, x, y)
	r := coord(float64(s.Radius) * math.Hypot(c.state.m[0], c.state.m[1]))
	sweep := 0 // counter-clockwise on a page with y upwards
	if s.Angle < 0 {
		sweep = 1
	}
	for _, part := range []float64{0.5, 1} {
		x, y := on(s.Start + s.Angle*part)
		fmt.Fprintf(b, "A%s %s 0 0 %d %s %s", r, r, sweep, x, y)
	}
}

func (c *svgCanvas) FillString(f font.Face, pt vg.Point, line string) {
	if f.Font.Size == 0 || line == "" {
		return
	}
	x, y := c.at(pt)
	p := c.state.paint
	// The layout measured the line in Liberation Sans. Where the reader's system has
	// none of that width it is squeezed to it, so that nothing is cut off or runs into
	// its neighbour: DejaVu Sans, the one font of a plain Debian, is 13 % wider.
	fmt.Fprintf(&c.body, `<text class="f-%s" x="%s" y="%s" font-size="%s" textLength="%s" lengthAdjust="spacingAndGlyphs" fill="%s"`,
		p.role.name(), x, y, coord(float64(f.Font.Size)), coord(float64(f.Width(line))), hues[p.role].light)
	if f.Font.Weight > 0 {
		c.body.WriteString(` font-weight="bold"`)
	}
	if angle := math.Atan2(c.state.m[1], c.state.m[0]); angle != 0 {
		fmt.Fprintf(&c.body, ` transform="rotate(%s %s %s)"`, coord(-angle*180/math.Pi), x, y)
	}
	fmt.Fprintf(&c.body, ">%s</text>\n", escapeXML(line))
}

// DrawImage is not used by any chart.
func (c *svgCanvas) DrawImage(vg.Rectangle, image.Image) {
	panic("report: figures hold no images")
}

// document returns the whole SVG file; with style sheet and page if it is to
// stand alone, else the element for a page that has the style sheet.
func (c *svgCanvas) document(title, description string, alone bool) []byte {
	var b bytes.Buffer
	if alone {
		b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	}
	left, fit := vg.Length(0), ` style="max-width:100%;height:auto"`
	if !alone {
		left, fit = figureGap, "" // the page has its own margins and style
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="mimi-lab" viewBox="%[1]s 0 %[2]s %[3]s" width="%[2]s" height="%[3]s"%[7]s role="img" aria-label="%[4]s" font-family="%[5]s" fill="%[6]s">`+"\n",
		coord(float64(left)), coord(float64(c.w-2*left)), coord(float64(c.h)), escapeXML(title), escapeXML(fontFamily), hues[ink].light, fit)
	if alone {
		fmt.Fprintf(&b, "<title>%s</title>\n<desc>%s</desc>\n<style>\n%s%s</style>\n",
			escapeXML(title), escapeXML(description), figureStyle(), canvasStyle())
		fmt.Fprintf(&b, `<rect class="f-paper" width="100%%" height="100%%" fill="%s"/>`+"\n", hues[paper].light)
	}
	b.Write(c.body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// escapeXML returns text for content and attributes; what XML can't hold becomes
// U+FFFD.
func escapeXML(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a builder has no errors
	return b.String()
}
