package trace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// span formats a length of time with three digits or so: "850 µs", "52.3 ms",
// "1.25 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
func span(d des.Time) string {
	switch {
	case d < des.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < des.Millisecond:
		return digits(float64(d)/1e3) + " µs"
	case d < des.Second:
		return digits(float64(d)/1e6) + " ms"
	case d < des.Minute:
		return digits(d.Seconds()) + " s"
	case d < des.Hour:
		return two(d, des.Minute, "min", des.Second, "s")
	case d < des.Day:
		return two(d, des.Hour, "h", des.Minute, "min")
	}
	return two(d, des.Day, "d", des.Hour, "h")
}

// stamps formats the times of entries since the first, with "" for one that is the
// same as that of the entry before. All have three decimals, so that one can be taken
// from another and agrees with the span at an arrow; and three more each as long as
// that does not tell it from the one above: "+1.073 s", "+1.073900 s", "+2:00:00.000",
// "+2:00:00.040". They are cut off, not rounded, so that they never run backwards.
func stamps(entries []Entry) []string {
	out := make([]string, len(entries))
	var shown des.Time // the time above, as it is written
	for i, e := range entries {
		d := e.At - entries[0].At
		switch {
		case i == 0:
			out[i] = "0"
		case e.At > entries[i-1].At:
			whole, _ := stampUnit(d)
			last := max(whole/1000, 1) // the unit of the last decimal
			for last > 1 && d-d%last <= shown {
				last /= 1000
			}
			shown = d - d%last
			out[i] = "+" + stamp(shown, last)
		}
	}
	return out
}

// stampUnit returns the unit that stands before the decimals of a time, and its name;
// a clock, from a minute on, has seconds and no name.
func stampUnit(d des.Time) (unit des.Time, name string) {
	switch {
	case d >= des.Minute:
		return des.Second, ""
	case d >= des.Second:
		return des.Second, " s"
	case d >= des.Millisecond:
		return des.Millisecond, " ms"
	case d >= des.Microsecond:
		return des.Microsecond, " µs"
	}
	return 1, " ns"
}

// stamp formats a time with decimals down to the unit last: "52.300 ms", or as a
// clock "0:03:20.050" and "3 d 2:03:20.000".
func stamp(d, last des.Time) string {
	unit, name := stampUnit(d)
	s := strconv.FormatInt(int64(d/unit), 10)
	if d >= des.Minute {
		s = fmt.Sprintf("%d:%02d:%02d", d%des.Day/des.Hour, d%des.Hour/des.Minute, d%des.Minute/des.Second)
		if days := d / des.Day; days > 0 {
			s = fmt.Sprintf("%d d %s", days, s)
		}
	}
	if parts := strconv.FormatInt(int64(unit/last), 10); unit > last { // 1000, 1000000, ...
		s += fmt.Sprintf(".%0*d", len(parts)-1, d%unit/last)
	}
	return s + name
}

func two(d, major des.Time, a string, minor des.Time, b string) string {
	s := fmt.Sprintf("%d %s", d/major, a)
	if rest := d % major / minor; rest > 0 {
		s += fmt.Sprintf(" %d %s", rest, b)
	}
	return s
}

// size formats a number of bytes: "412 B", "1.2 kB".
func size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return digits(float64(n)/1e3) + " kB"
	}
	return digits(float64(n)/1e6) + " MB"
}

// digits formats x, of 1 to 1000, with up to three digits.
func digits(x float64) string {
	prec := 2
	if x >= 100 {
		prec = 0
	} else if x >= 10 {
		prec = 1
	}
	s := strconv.FormatFloat(x, 'f', prec, 64)
	if prec > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// width estimates how wide a text is, in pixels, in a sans-serif face of the
// given size. The classes are those of DejaVu Sans, the widest of those that systems
// fall back on.
func width(s string, px float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijlI.,:;|!'()[]", r):
			w += 0.36
		case strings.ContainsRune("ftr- /·", r):
			w += 0.39
		case strings.ContainsRune("mwMW@%…→—", r):
			w += 0.96
		case r >= 'A' && r <= 'Z':
			w += 0.76
		case r >= 0x1100:
			w += 1.1
		default:
			w += 0.63
		}
	}
	return w * px
}

// boldWidth is the same for letters of any weight above the normal one, which DejaVu
// Sans knows only as bold.
func boldWidth(s string, px float64) float64 { return 1.11 * width(s, px) }
