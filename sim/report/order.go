package report

import (
	"cmp"
	"strconv"
)

// compareNatural orders strings as a reader expects: numbers by value, all else
// by bytes. Different strings never compare equal.
func compareNatural(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	if (errX == nil) != (errY == nil) {
		if errX == nil {
			return -1 // numbers before words, so that the order is total
		}
		return 1
	}
	return cmp.Compare(a, b)
}

// compareLabels orders labels pair by pair, numbers by value.
func compareLabels(a, b Labels) int {
	x, y := a.Pairs(), b.Pairs()
	for i := range min(len(x), len(y)) {
		if c := cmp.Or(cmp.Compare(x[i][0], y[i][0]), compareNatural(x[i][1], y[i][1])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}

// comparePoints orders points of a sweep as compareLabels does.
func comparePoints(a, b string) int { return compareLabels(Labels{a}, Labels{b}) }
