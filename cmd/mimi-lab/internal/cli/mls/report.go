package mls

import (
	"fmt"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/bench/peers/mlsrun"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// shownFailures is how many failed games are printed in full.
const shownFailures = 10

// tally counts the games of a scenario.
type tally struct {
	name                    string
	passed, failed, skipped int
	seconds                 float64
}

// printReport prints games by scenario, calls by implementation, and what failed.
func printReport(t *term.IO, r *mlsrun.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s %8s %8s %8s %9s\n", "scenario", "passed", "failed", "skipped", "seconds")
	var all []*tally
	total := &tally{name: "all"}
	for _, g := range r.Games {
		if len(all) == 0 || all[len(all)-1].name != g.Scenario {
			all = append(all, &tally{name: g.Scenario})
		}
		for _, c := range []*tally{all[len(all)-1], total} {
			c.seconds += g.Seconds
			switch g.Outcome {
			case mlsrun.Passed:
				c.passed++
			case mlsrun.Failed:
				c.failed++
			case mlsrun.Skipped:
				c.skipped++
			}
		}
	}
	for _, c := range append(all, total) {
		fmt.Fprintf(&b, "%-20s %8d %8d %8d %9.2f\n", c.name, c.passed, c.failed, c.skipped, c.seconds)
	}
	fmt.Fprintf(&b, "\n%-30s %-14s %7s %11s %9s\n", "call", "implementation", "calls", "median ms", "bytes")
	for _, c := range r.Calls {
		size := "-"
		if c.Bytes > 0 {
			size = fmt.Sprint(c.Bytes)
		}
		fmt.Fprintf(&b, "%-30s %-14s %7d %11.3f %9s\n", c.Call, short(printable(c.Peer), 14), c.Count, float64(c.Median)/float64(time.Millisecond), size)
	}
	shown := 0
	for _, g := range r.Games {
		if g.Outcome != mlsrun.Failed {
			continue
		}
		if shown++; shown > shownFailures {
			fmt.Fprintf(&b, "\nand %d more; --json has them all\n", r.Count(mlsrun.Failed)-shownFailures)
			break
		}
		head := fmt.Sprintf("%s, %s, suite %d, %s handshakes, among %s", g.Scenario, g.Part, g.Suite, g.Mode, printable(strings.Join(g.Peers, ", ")))
		fmt.Fprintf(&b, "\n%s\n", t.Paint(term.Bad, "failed: ")+strings.Join(term.Wrap(head, t.Width-8), "\n        "))
		for _, line := range term.Wrap(printable(g.Error), t.Width-2) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	_, err := fmt.Fprint(t.Out, b.String())
	return err
}

// printable replaces what could move a terminal's cursor or colours: names and errors
// come from other programs.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// short cuts a text to n characters.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
