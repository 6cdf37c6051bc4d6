package report

import (
	"math"
	"strings"

	"gonum.org/v1/plot"
)

// Axis is one axis of a chart.
type Axis struct {
	Label string // what it shows, without the unit
	Unit  string // of the values; Share is drawn in per cent
	Log   bool   // logarithmic; values at or below 0 are drawn at its lower end
}

// title is the label with its unit. A logarithmic axis of time has units at its
// ticks.
func (a Axis) title() string {
	_, unit := shown(a.Unit)
	if _, isTime := timeScale(a.Unit); isTime && a.Log || unit == "" {
		return a.Label
	}
	return a.Label + " (" + unit + ")"
}

// scale holds the values that an axis has to show.
type scale struct{ min, max, least float64 } // least: above 0

func newScale() scale { return scale{math.Inf(1), math.Inf(-1), math.Inf(1)} }

func (s *scale) add(vs ...float64) {
	for _, v := range vs {
		s.min, s.max = math.Min(s.min, v), math.Max(s.max, v)
		if v > 0 {
			s.least = math.Min(s.least, v)
		}
	}
}

// decimals is how many give the largest value three significant digits.
func (s *scale) decimals() int {
	if s.max <= 0 {
		return 0
	}
	return min(3, max(0, 2-int(math.Floor(math.Log10(s.max)))))
}

// possible moves values that can't be, such as the end of an interval about a
// share, to the nearest that can. Values are in the unit that is drawn.
func (a Axis) possible(vs ...float64) []float64 {
	if a.Unit == Share {
		for i, v := range vs {
			vs[i] = min(100, max(0, v))
		}
	}
	return vs
}

// onAxis moves a value that an axis doesn't reach to its end.
func onAxis(a *plot.Axis, v float64) float64 { return min(a.Max, max(a.Min, v)) }

// set gives a gonum axis its range and ticks, for values that the scale holds.
// With zero, a linear axis begins at 0 whatever the values.
func (a Axis) set(to *plot.Axis, s scale, zero bool, want int) {
	if a.Log {
		to.Scale = plot.LogScale{}
		to.Min, to.Max, to.Tick.Marker = a.logTicks(s)
		return
	}
	lo, hi := s.min, s.max
	if zero || lo > 0 && lo < 0.5*hi {
		lo = min(0, lo)
	}
	if hi-lo <= 1e-9*max(1, math.Abs(lo)) {
		hi = lo + max(1, math.Abs(lo)) // all values are the same
	}
	to.Min, to.Max, to.Tick.Marker = niceTicks(lo, hi, want)
}

// niceTicks widens [lo, hi] to multiples of a step of 1, 2 or 5 times a power of
// ten, and puts ticks at those.
func niceTicks(lo, hi float64, want int) (from, to float64, ticks plot.ConstantTicks) {
	step := niceStep((hi - lo) / float64(want))
	first, last := math.Floor(lo/step+1e-9), math.Ceil(hi/step-1e-9)
	for i := first; i <= last; i++ {
		v := tidy(i * step)
		ticks = append(ticks, plot.Tick{Value: v, Label: tickLabel(v)})
	}
	return tidy(first * step), tidy(last * step), ticks
}

func niceStep(rough float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= rough*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// tidy removes the dust of floating-point multiplication.
func tidy(v float64) float64 {
	if v == 0 {
		return 0
	}
	unit := math.Pow(10, 12-math.Ceil(math.Log10(math.Abs(v))))
	return math.Round(v*unit) / unit
}

func tickLabel(v float64) string {
	return strings.Replace(formatTick(v), "-", "\u2212", 1)
}

// durations are the ticks of a logarithmic axis of time, in seconds.
var durations = []struct {
	seconds float64
	label   string
}{
	{1e-6, "1 µs"}, {1e-5, "10 µs"}, {1e-4, "100 µs"}, {1e-3, "1 ms"}, {1e-2, "10 ms"}, {1e-1, "100 ms"},
	{1, "1 s"}, {10, "10 s"}, {60, "1 min"}, {600, "10 min"}, {3600, "1 h"}, {36000, "10 h"},
	{86400, "1 d"}, {864000, "10 d"}, {2592000, "30 d"}, {25920000, "300 d"},
}

// logTicks returns a range of whole steps about the values, and its ticks:
// powers of ten, with 2 and 5 times them where there are few, or usual durations.
func (a Axis) logTicks(s scale) (from, to float64, ticks plot.ConstantTicks) {
	lo, hi := s.least, s.max
	if math.IsInf(lo, 0) {
		lo, hi = 1, 10 // nothing is above 0
	}
	lo = max(lo, 1e-9)
	hi = max(hi, lo)
	if lo == hi {
		lo, hi = lo/2, hi*2
	}
	if perUnit, isTime := timeScale(a.Unit); isTime {
		return timeTicks(lo, hi, perUnit/1e9)
	}
	first, last := math.Floor(math.Log10(lo)+1e-9), math.Ceil(math.Log10(hi)-1e-9)
	few := hi/lo <= 300
	every := math.Ceil((last - first) / 7)
	for e := first; e <= last; e++ {
		p := math.Pow(10, e)
		major := plot.Tick{Value: tidy(p)}
		if math.Mod(e-first, every) == 0 {
			major.Label = tickLabel(tidy(p))
		}
		ticks = append(ticks, major)
		for _, m := range []float64{2, 5} {
			if few && e < last {
				ticks = append(ticks, plot.Tick{Value: tidy(m * p), Label: tickLabel(tidy(m * p))})
			}
		}
	}
	return trim(ticks, lo, hi)
}

// timeTicks does so for values of which each is so many seconds.
func timeTicks(lo, hi, seconds float64) (from, to float64, ticks plot.ConstantTicks) {
	for _, d := range durations {
		v := tidy(d.seconds / seconds)
		ticks = append(ticks, plot.Tick{Value: v, Label: d.label})
		for _, m := range []float64{2, 5} {
			if hi/lo < 30 && d.seconds <= 1 {
				label := strings.Replace(d.label, "1", tickLabel(m), 1)
				ticks = append(ticks, plot.Tick{Value: tidy(m * v), Label: label})
			}
		}
	}
	return trim(ticks, lo, hi)
}

// trim keeps the ticks from the last at or below lo to the first at or above hi,
// and returns the range that holds them and the values. ticks are ascending and
// not empty.
func trim(ticks plot.ConstantTicks, lo, hi float64) (from, to float64, trimmed plot.ConstantTicks) {
	first, last := 0, len(ticks)-1
	for first < last && ticks[first+1].Value <= lo {
		first++
	}
	for last > first && ticks[last-1].Value >= hi {
		last--
	}
	if first == last { // one tick is no range
		first, last = max(0, first-1), min(len(ticks)-1, last+1)
	}
	ticks = ticks[first : last+1]
	return min(lo, ticks[0].Value), max(hi, ticks[len(ticks)-1].Value), ticks
}
