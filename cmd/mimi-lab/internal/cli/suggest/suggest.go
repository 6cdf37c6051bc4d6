// Package suggest finds what somebody meant who mistyped a name.
package suggest

import "strings"

// Closest returns the candidate that name is most likely a mistyping of, or ""
// if none is close: at most a third of the letters may be wrong, or name must be
// the beginning of only one candidate. The first of several equally close ones
// wins.
func Closest(name string, candidates []string) string {
	best, bestCost := "", max(len(name)/3, 1)+1
	prefixed, n := "", 0
	for _, c := range candidates {
		if cost := distance(strings.ToLower(name), strings.ToLower(c)); cost < bestCost {
			best, bestCost = c, cost
		}
		if name != "" && strings.HasPrefix(c, name) {
			prefixed, n = c, n+1
		}
	}
	if best == "" && n == 1 {
		return prefixed
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour that turns a into b (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
