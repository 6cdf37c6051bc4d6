package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"pgregory.net/rapid"
)

const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;]]>'` + "\x1b[2J\u202e"

// inspect reads an SVG and fails if it isn't well-formed, holds anything but the
// elements that a canvas writes, or a number that isn't one.
func inspect(t interface{ Fatalf(string, ...any) }, svg []byte) {
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if e, ok := token.(xml.StartElement); ok {
			switch e.Name.Local {
			case "svg", "title", "desc", "style", "rect", "path", "text":
			default:
				t.Fatalf("element %s in\n%s", e.Name.Local, svg)
			}
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "d", "x", "y", "width", "height", "viewBox":
					if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
						t.Fatalf("%s=%q in\n%s", a.Name.Local, a.Value, svg)
					}
				}
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Fatalf("attribute %s in\n%s", a.Name.Local, svg)
				}
			}
		}
	}
}

func someDistribution(values ...int64) *Distribution {
	r := NewReplication("", 0, 1)
	for _, v := range values {
		r.Observe(latency, Labels{}, v)
	}
	s, err := Collect(r)
	if err != nil {
		panic(err)
	}
	return s.Entries[0].Distribution
}

func TestFigureEscapes(t *testing.T) {
	t.Parallel()
	one := []Estimate{est(1, 0.1)}
	series := []BarSeries{{attack, one}, {attack, one}}
	axis := Axis{Label: attack, Unit: attack}
	for _, c := range []Chart{
		&LineCI{axis, axis, []Series{{attack, []Point{{1, one[0]}, {2, one[0]}}}, {attack, []Point{{1, one[0]}}}}, attack},
		&Bars{axis, []string{attack}, series},
		&StackedBars{axis, []string{attack}, series, one},
		&Percentiles{axis, []PercentileRow{{attack, 0, someDistribution(1e6)}}},
		&CDF{axis, []CDFSeries{{attack, someDistribution(1e6)}, {attack, someDistribution(0)}}},
		&Matrix{[]string{attack}, []string{attack}, []Panel{{attack, [][]Estimate{{est(0.5, 0.1)}}}, {attack, [][]Estimate{{{}}}}}},
	} {
		f := Figure{Name: "attack", Title: attack, Caption: attack, Chart: c}
		svg, err := f.SVG()
		if err != nil {
			t.Errorf("%T: %v", c, err)
			continue
		}
		inspect(t, svg)
	}
}

func TestPageEscapes(t *testing.T) {
	t.Parallel()
	table := &Table{Title: attack, Columns: []Column{{attack, attack}}, Notes: []string{attack}}
	table.Add(Text(attack))
	r := Report{
		Manifest: Manifest{
			Question: attack, Replay: attack, Command: []string{attack},
			Scenario: Scenario{attack, attack, attack}, Adapters: []AdapterUsed{{Name: attack}},
			Drafts: []Revision{{attack, attack}}, Assumptions: []Assumption{{attack, attack, attack}},
		},
		Sections: []Section{{Title: attack, Text: attack, Table: table, Figure: &Figure{
			Name: "attack", Title: attack, Caption: attack,
			Chart: &Bars{Groups: []string{attack}, Series: []BarSeries{{attack, []Estimate{est(1, 1)}}}},
		}}},
	}
	html, err := r.page(r.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "onerror=alert(1)>", "\x1b", "\u202e"} {
		if bytes.Contains(html, []byte(bad)) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !bytes.Contains(html, []byte("Incomplete.")) {
		t.Error("an interrupted run is not marked")
	}
}

func TestFigureRefuses(t *testing.T) {
	t.Parallel()
	good := &Bars{Groups: []string{"a"}, Series: []BarSeries{{"x", []Estimate{est(1, 0.1)}}}}
	for _, c := range []struct {
		name, want string
		figure     Figure
	}{
		{"bad name", "want a name", Figure{Name: "../x", Chart: good}},
		{"no chart", "no chart", Figure{Name: "x"}},
		{"no points", "no data", Figure{Name: "x", Chart: &LineCI{}}},
		{"not a number", "value NaN", Figure{Name: "x", Chart: &LineCI{Series: []Series{{"", []Point{{0, est(math.NaN(), 0)}}}}}}},
		{"infinite x", "value +Inf", Figure{Name: "x", Chart: &LineCI{Series: []Series{{"", []Point{{math.Inf(1), est(1, 0)}}}}}}},
		{"log bars", "logarithmic", Figure{Name: "x", Chart: &Bars{Y: Axis{Log: true}, Groups: good.Groups, Series: good.Series}}},
		{"few values", "1 values for 2 groups", Figure{Name: "x", Chart: &Bars{Groups: []string{"a", "b"}, Series: good.Series}}},
		{"few totals", "2 totals for 1 groups", Figure{Name: "x", Chart: &StackedBars{Groups: good.Groups, Series: good.Series, Totals: make([]Estimate, 2)}}},
		{"empty distribution", "no data", Figure{Name: "x", Chart: &CDF{Series: []CDFSeries{{Name: "a"}}}}},
		{"empty percentiles", "no data", Figure{Name: "x", Chart: &Percentiles{Rows: []PercentileRow{{Name: "a"}}}}},
		{"few rows", "0 rows, want 1", Figure{Name: "x", Chart: &Matrix{[]string{"a"}, []string{"b"}, []Panel{{}}}}},
		{"no share", "share 1.5", Figure{Name: "x", Chart: &Matrix{[]string{"a"}, []string{"b"}, []Panel{{"", [][]Estimate{{est(1.5, 0)}}}}}}},
	} {
		if _, err := c.figure.SVG(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q in it", c.name, err, c.want)
		}
	}
}

// TestFigureAny draws whatever comes: every chart of finite values can be drawn.
func TestFigureAny(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Float64Range(-1e15, 1e15), rapid.Float64Range(0, 1), rapid.Float64Range(-1e-12, 1e-12), rapid.Just(0.0))
		axis := rapid.Custom(func(t *rapid.T) Axis {
			return Axis{
				Label: rapid.String().Draw(t, "label"), Log: rapid.Bool().Draw(t, "log"),
				Unit: rapid.SampledFrom([]string{One, Share, Bytes, Seconds, Milliseconds, Microseconds}).Draw(t, "unit"),
			}
		})
		estimate := rapid.Custom(func(t *rapid.T) Estimate {
			return Estimate{
				N: rapid.IntRange(0, 3).Draw(t, "n"), Mean: value.Draw(t, "mean"), Half: math.Abs(value.Draw(t, "half")),
				Method: rapid.SampledFrom([]Method{Replications, BatchMeans, NoInterval}).Draw(t, "method"),
			}
		})
		line := &LineCI{X: axis.Draw(t, "x"), Y: axis.Draw(t, "y")}
		var points int
		for i := range rapid.IntRange(1, 9).Draw(t, "series") {
			s := Series{Name: rapid.String().Draw(t, "name")}
			for range rapid.IntRange(0, 4).Draw(t, fmt.Sprint("points ", i)) {
				s.Points = append(s.Points, Point{value.Draw(t, "x"), estimate.Draw(t, "y")})
				points++
			}
			line.Series = append(line.Series, s)
		}
		bars := &Bars{Y: axis.Draw(t, "bars")}
		bars.Y.Log = false
		for i := range rapid.IntRange(1, 4).Draw(t, "bar series") {
			s := BarSeries{Name: rapid.String().Draw(t, "name")}
			for g := range 3 {
				if i == 0 {
					bars.Groups = append(bars.Groups, rapid.String().Draw(t, "group"))
				}
				s.Values = append(s.Values, estimate.Draw(t, fmt.Sprint("value ", g)))
			}
			bars.Series = append(bars.Series, s)
		}
		d := someDistribution(rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64), 1, 20).Draw(t, "values")...)
		charts := []Chart{
			bars, &StackedBars{bars.Y, bars.Groups, bars.Series, nil},
			&Percentiles{Axis{Unit: Milliseconds}, []PercentileRow{{"a", 9, d}}},
			&CDF{axis.Draw(t, "cdf"), []CDFSeries{{"a", d}}},
		}
		if points > 0 {
			charts = append(charts, line)
		}
		for _, c := range charts {
			f := Figure{Name: "any", Title: rapid.String().Draw(t, "title"), Chart: c}
			svg, err := f.SVG()
			if err != nil {
				t.Fatalf("%T: %v", c, err)
			}
			inspect(t, svg)
		}
	})
}

func TestNiceTicks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{
		{0, 100, "0 20 40 60 80 100"},
		{0, 0.93, "0 0.2 0.4 0.6 0.8 1"},
		{-3, 4, "−4 −2 0 2 4"},
		{0, 12345, "0 5000 10,000 15,000"},
		{101, 104, "101 102 103 104"},
	} {
		_, _, ticks := niceTicks(c.lo, c.hi, 5)
		var got []string
		for _, tick := range ticks {
			got = append(got, tick.Label)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%v to %v: %q, want %q", c.lo, c.hi, got, c.want)
		}
	}
}

func TestLogTicks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, unit string
		lo, hi     float64
		want       string
	}{
		{"times", Milliseconds, 84, 7e6, "10 ms 100 ms 1 s 10 s 1 min 10 min 1 h 10 h"},
		{"close times", Milliseconds, 84, 300, "50 ms 100 ms 200 ms 500 ms"},
		{"times beyond all", Seconds, 1, 1e9, "1 s 10 s 1 min 10 min 1 h 10 h 1 d 10 d 30 d 300 d"},
		{"numbers", Bytes, 90, 4000, "50 100 200 500 1000 2000 5000"},
		{"many decades", One, 1, 1e12, "1 100 10,000 1,000,000 100,000,000 10,000,000,000 1,000,000,000,000"},
	} {
		s := newScale()
		s.add(c.lo, c.hi)
		from, to, ticks := Axis{Unit: c.unit, Log: true}.logTicks(s)
		var got []string
		for _, tick := range ticks {
			if tick.Label != "" {
				got = append(got, tick.Label)
			}
		}
		if strings.Join(got, " ") != c.want || from > c.lo || to < c.hi {
			t.Errorf("%s: %v to %v with %q, want %q", c.name, from, to, got, c.want)
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	got := spread([]endLabel{{0, 50}, {1, 52}, {2, 10}, {3, 100}, {4, 99}}, 10, 0, 100)
	for i, e := range got {
		if e.y < 0 || e.y > 100 || i > 0 && e.y-got[i-1].y < 10 {
			t.Errorf("labels at %v", got)
		}
	}
	if got[0] != (endLabel{2, 10}) || got[1].series != 0 || got[3].series != 4 {
		t.Errorf("order %v", got)
	}
}

func TestFormatTime(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[float64]string{
		0: "0 µs", 0.0000042: "4.20 µs", 0.0844: "84.4 ms", 1: "1 s", 59.94: "59.9 s", 90: "1.50 min", 6955: "1.93 h", 3e6: "34.7 d",
	} {
		if got := formatTime(seconds); got != want {
			t.Errorf("formatTime(%v) = %q, want %q", seconds, got, want)
		}
	}
}

func TestFormatShare(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{0: "0", 1: "100", 0.0002: "<0.1", 0.9999: ">99.9", 0.995: "99.5", 0.034: "3.4", 0.12: "12"} {
		if got := formatShare(share); got != want {
			t.Errorf("formatShare(%v) = %q, want %q", share, got, want)
		}
	}
}

// TestCanvas checks that transforms come out as they went in.
func TestCanvas(t *testing.T) {
	t.Parallel()
	c := newSVGCanvas(100, 50)
	c.Push()
	c.Translate(vg.Point{X: 10, Y: 20})
	c.Rotate(math.Pi / 2)
	if x, y := c.at(vg.Point{X: 5}); x != "10" || y != "25" {
		t.Errorf("a point 5 along the turned x axis lies at %s, %s; want 10, 25", x, y)
	}
	c.Scale(2, 2)
	if x, y := c.at(vg.Point{X: 5}); x != "10" || y != "20" {
		t.Errorf("scaled: %s, %s; want 10, 20", x, y)
	}
	c.Pop()
	if x, y := c.at(vg.Point{}); x != "0" || y != "50" {
		t.Errorf("after Pop the origin lies at %s, %s; want 0, 50", x, y)
	}
	var p vg.Path
	p.Move(vg.Point{X: 15, Y: 10})
	p.Arc(vg.Point{X: 10, Y: 10}, 5, 0, 2*math.Pi)
	c.Fill(p)
	if want := "M15 40L15 40A5 5 0 0 0 5 40A5 5 0 0 0 15 40"; !strings.Contains(c.body.String(), want) {
		t.Errorf("circle %q, want %q", c.body.String(), want)
	}
}
