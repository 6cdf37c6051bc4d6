package report

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// formatNumber writes v with so many decimals, and with commas between groups of
// three digits from five digits on.
func formatNumber(v float64, decimals int) string {
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	whole, fraction, _ := strings.Cut(s, ".")
	if len(whole) > 4 {
		var b strings.Builder
		for i, c := range whole {
			if i > 0 && (len(whole)-i)%3 == 0 {
				b.WriteByte(',')
			}
			b.WriteRune(c)
		}
		whole = b.String()
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && strings.Trim(s, "0.") != "" {
		return "-" + whole
	}
	return whole
}

// shown returns the factor from a unit to how it is printed, and what is printed:
// shares are printed in per cent.
func shown(unit string) (factor float64, name string) {
	if unit == Share {
		return 100, "%"
	}
	return 1, unit
}

// decimalsFor returns how many decimals an estimate deserves: two significant
// digits of its half-width, or three of its mean where there is no interval, but
// never more than three decimals and none for what is exact.
func decimalsFor(mean, half float64) int {
	basis, digits := half, 2
	if half == 0 {
		basis, digits = mean, 3
		if mean == math.Trunc(mean) {
			return 0
		}
	}
	basis = math.Abs(basis)
	if basis == 0 {
		return 0
	}
	return min(3, max(0, digits-1-int(math.Floor(math.Log10(basis)))))
}

// formatTime writes a time in seconds with three significant digits, in the unit
// in which it reads best.
func formatTime(seconds float64) string {
	units := [...]struct {
		seconds float64
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}}
	for _, u := range units {
		if v := seconds / u.seconds; v >= 1 || u.seconds == 1e-6 {
			return formatNumber(v, min(2, decimalsFor(v, 0))) + " " + u.name
		}
	}
	return "" // unreachable
}

// formatTick writes v with as few digits as it needs.
func formatTick(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	_, fraction, _ := strings.Cut(s, ".")
	return formatNumber(v, len(fraction))
}

// printable replaces what could steer a terminal, break a line or turn the
// direction of text: controls, line separators and bidirectional controls.
func printable(s string) string { return strings.Map(printableRune, s) }

func printableRune(r rune) rune {
	switch {
	case unicode.IsControl(r), r == '\u2028', r == '\u2029', unicode.Is(unicode.Bidi_Control, r):
		return '\ufffd'
	}
	return r
}
