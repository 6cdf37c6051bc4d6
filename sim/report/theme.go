package report

import (
	"fmt"
	"image/color"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	gonumfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A role is what a colour is for. What colour that is depends on whether the
// reader has a light or a dark page, so figures carry roles and a style sheet.
type role uint8

const (
	ink     role = iota // text and what has to be seen
	dim                 // text of less weight: axes, notes
	rule                // grid and axis lines
	paper               // the page itself
	heat                // a heat table's full shade
	onHeat              // text on it
	series0             // the first of the series
)

// seriesRoles is how many series can be told apart in one chart.
const seriesRoles = 7

// hue is a colour on a light and on a dark page.
type hue struct{ light, dark string }

// hues are those of the roles. The series are the palette of Okabe and Ito
// (Color Universal Design, 2008), which people with any kind of colour vision can
// tell apart, without its yellow, which vanishes on white; on dark pages its
// darker colours are lightened. Series also differ in their marks.
var hues = [...]hue{
	ink:         {"#1c2127", "#e8eaed"},
	dim:         {"#5b6570", "#a3abb5"},
	rule:        {"#dde1e6", "#343a42"},
	paper:       {"#ffffff", "#14171b"},
	heat:        {"#0072b2", "#1f6ca3"},
	onHeat:      {"#ffffff", "#ffffff"},
	series0:     {"#0072b2", "#56a9e0"}, // blue
	series0 + 1: {"#d55e00", "#f08345"}, // vermillion
	series0 + 2: {"#009e73", "#2fbe94"}, // bluish green
	series0 + 3: {"#cc79a7", "#dd9bc0"}, // reddish purple
	series0 + 4: {"#e69f00", "#e9ab2b"}, // orange
	series0 + 5: {"#56b4e9", "#9bd7f7"}, // sky blue
	series0 + 6: {"#5b6570", "#a3abb5"}, // grey, for the palette's black
}

// seriesRole is the colour of the i-th series; more series than colours start
// over.
func seriesRole(i int) role { return series0 + role(i%seriesRoles) }

// paint is a role, more or less opaque, as the colour that gonum/plot hands
// through to the canvas.
type paint struct {
	role    role
	opacity float64 // 0 to 1
}

// solid returns a role as an opaque colour.
func solid(r role) paint { return paint{r, 1} }

// RGBA is what a canvas that knows no roles would draw: the colour on a light
// page.
func (p paint) RGBA() (r, g, b, a uint32) {
	v, _ := strconv.ParseUint(hues[p.role].light[1:], 16, 32)
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), uint8(p.opacity * 255)}.RGBA()
}

// name is that of the role in class names.
func (r role) name() string {
	if r >= series0 {
		return "s" + strconv.Itoa(int(r-series0))
	}
	return [...]string{"ink", "dim", "rule", "paper", "heat", "on"}[r]
}

// fontFamily begins with the fonts that have the widths of Liberation Sans, in
// which figures are measured, and goes on with one that is hardly wider.
const fontFamily = `Arial,"Liberation Sans",Arimo,Helvetica,"Helvetica Neue","DejaVu Sans Condensed",sans-serif`

// figureStyle is the style sheet of a figure. Its rules hold below class
// "mimi-lab" only, so that it can stand in a page with others.
func figureStyle() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".mimi-lab{color:%s;font-family:%s}\n", hues[ink].light, fontFamily)
	b.WriteString(".mimi-lab text{font-variant-numeric:tabular-nums}\n")
	rules := func(of func(hue) string) {
		for i, h := range hues {
			r := role(i)
			c := of(h)
			if r == ink {
				c = "currentColor"
			}
			fmt.Fprintf(&b, ".mimi-lab .f-%[1]s{fill:%[2]s}.mimi-lab .k-%[1]s{stroke:%[2]s}\n", r.name(), c)
		}
	}
	rules(func(h hue) string { return h.light })
	b.WriteString("@media screen and (prefers-color-scheme:dark){\n")
	fmt.Fprintf(&b, ".mimi-lab{color:%s}\n", hues[ink].dark)
	rules(func(h hue) string { return h.dark })
	b.WriteString("}\n")
	return b.String()
}

// canvasStyle colours what is around a figure that stands alone.
func canvasStyle() string {
	return fmt.Sprintf("svg:root{background:%s}\n@media screen and (prefers-color-scheme:dark){svg:root{background:%s}}\n",
		hues[paper].light, hues[paper].dark)
}

// Sizes of text in figures, in user units, of which a figure is 720 wide.
const (
	titleSize = 15
	labelSize = 12.5
	tickSize  = 12
	noteSize  = 11
)

var textHandler = text.Plain{Fonts: gonumfont.DefaultCache}

// textStyle is a style of text in Liberation Sans.
func textStyle(c role, size vg.Length, bold bool) text.Style {
	s := text.Style{
		Color:   solid(c),
		Font:    gonumfont.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		Handler: textHandler,
		YAlign:  draw.YCenter,
	}
	if bold {
		s.Font.Weight = font.WeightBold
	}
	return s
}

// textWidth is the width of one line.
func textWidth(s text.Style, line string) vg.Length {
	w, _, _ := s.Handler.Box(line, s.Font)
	return w
}

// fitText shortens a line to at most w, with an ellipsis.
func fitText(s text.Style, line string, w vg.Length) string {
	if textWidth(s, line) <= w {
		return line
	}
	r := []rune(line)
	for len(r) > 0 && textWidth(s, string(r)+"…") > w {
		r = r[:len(r)-1]
	}
	return strings.TrimRight(string(r), " ") + "…"
}

// wrapText breaks a line at spaces into lines of at most w, and shortens words
// that are longer.
func wrapText(s text.Style, line string, w vg.Length) []string {
	var lines []string
	for word := range strings.FieldsSeq(line) {
		word = fitText(s, word, w)
		if n := len(lines); n > 0 && textWidth(s, lines[n-1]+" "+word) <= w {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
