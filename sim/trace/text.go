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
// same as that of the entry before. Each has as many digits as tell it from the one
// above: "+1.073 s", "+1.0739 s", "+2:00:00", "+2:00:00.040". They are cut off, not
// rounded, so that they never run backwards.
func stamps(entries []Entry) []string {
	out := make([]string, len(entries))
	var shown des.Time // the time above, as it is written
	for i, e := range entries {
		d := e.At - entries[0].At
		switch {
		case i == 0:
			out[i] = "0"
		case e.At > entries[i-1].At:
			unit, finer := coarse(d)
			for unit > 1 && d-d%unit <= shown {
				unit /= finer
			}
			shown = d - d%unit
			out[i] = "+" + stamp(shown, d >= des.Minute)
		}
	}
	return out
}

// coarse returns the unit of a time's fourth digit, and what divides it to get the
// next finer one. A clock begins with seconds and goes on by thousandths.
func coarse(d des.Time) (unit, finer des.Time) {
	if d >= des.Minute {
		return des.Second, 1000
	}
	unit = 1
	for d/unit >= 10_000 {
		unit *= 10
	}
	return unit, 10
}

// stamp formats a time exactly: "52.3 ms", or with a clock "0:03:20.050" and
// "3 d 2:03:20".
func stamp(d des.Time, clock bool) string {
	if !clock {
		unit, name := des.Time(1), " ns"
		switch {
		case d >= des.Second:
			unit, name = des.Second, " s"
		case d >= des.Millisecond:
			unit, name = des.Millisecond, " ms"
		case d >= des.Microsecond:
			unit, name = des.Microsecond, " µs"
		}
		return strconv.FormatFloat(float64(d)/float64(unit), 'f', -1, 64) + name
	}
	s := fmt.Sprintf("%d:%02d:%02d", d%des.Day/des.Hour, d%des.Hour/des.Minute, d%des.Minute/des.Second)
	if days := d / des.Day; days > 0 {
		s = fmt.Sprintf("%d d %s", days, s)
	}
	fraction := fmt.Sprintf("%09d", d%des.Second)
	for strings.HasSuffix(fraction, "000") { // thousandths, millionths or billionths
		fraction = fraction[:len(fraction)-3]
	}
	if fraction != "" {
		s += "." + fraction
	}
	return s
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
// given size. The classes are those of Helvetica's metrics, rounded up.
func width(s string, px float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("ijlI.,:;|!'()[]", r):
			w += 0.32
		case strings.ContainsRune("ftr- /·", r):
			w += 0.38
		case r >= 'A' && r <= 'Z', strings.ContainsRune("mw@%…→—", r):
			w += 0.78
		case r >= 0x1100:
			w += 1.1
		default:
			w += 0.58
		}
	}
	return w * px
}
