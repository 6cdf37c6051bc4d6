package mls

import (
	"fmt"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/bench/peers/mlsrun"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// shownFailures is how many failed games are printed in full.
const shownFailures = 10

// tally counts the games of a scenario.
type tally struct {
	name    string
	games   map[mlsrun.Outcome]int
	seconds float64
}

// printReport prints who played, games by scenario, calls by implementation, what is
// known to fail and what failed.
func printReport(t *term.IO, roster string, r *mlsrun.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", term.WrapLines("peers: "+printable(roster), inspect.Columns))
	printTallies(&b, r)
	printCalls(&b, r)
	printKnown(&b, t, r)
	printFailures(&b, t, r)
	_, err := fmt.Fprint(t.Out, b.String())
	return err
}

func printTallies(b *strings.Builder, r *mlsrun.Report) {
	total := &tally{name: "all", games: map[mlsrun.Outcome]int{}}
	var all []*tally
	for _, g := range r.Games {
		if len(all) == 0 || all[len(all)-1].name != g.Scenario {
			all = append(all, &tally{name: g.Scenario, games: map[mlsrun.Outcome]int{}})
		}
		for _, c := range []*tally{all[len(all)-1], total} {
			c.games[g.Outcome]++
			c.seconds += g.Seconds
		}
	}
	fmt.Fprintf(b, "%-20s %8s %8s %8s %8s %9s\n", "scenario", "passed", "known", "failed", "skipped", "seconds")
	for _, c := range append(all, total) {
		fmt.Fprintf(b, "%-20s %8d %8d %8d %8d %9.2f\n", c.name,
			c.games[mlsrun.Passed], c.games[mlsrun.Known], c.games[mlsrun.Failed], c.games[mlsrun.Skipped], c.seconds)
	}
}

func printCalls(b *strings.Builder, r *mlsrun.Report) {
	fmt.Fprintf(b, "\n%-30s %-14s %7s %11s %9s\n", "call", "implementation", "calls", "median ms", "bytes")
	for _, c := range r.Calls {
		size := "-"
		if c.Bytes > 0 {
			size = fmt.Sprint(c.Bytes)
		}
		fmt.Fprintf(b, "%-30s %-14s %7d %11.3f %9s\n", c.Call, shortPeer(printable(c.Peer), 14), c.Count, float64(c.Median)/float64(time.Millisecond), size)
	}
}

// printKnown prints the deviations that were seen, with how often, and those that
// were not though they should have been.
func printKnown(b *strings.Builder, t *term.IO, r *mlsrun.Report) {
	type key struct{ scenario, part, reason string }
	var order []key
	games := map[key]int{}
	for _, g := range r.Games {
		if g.Outcome != mlsrun.Known {
			continue
		}
		k := key{g.Scenario, g.Part, g.Reason}
		if games[k] == 0 {
			order = append(order, k)
		}
		games[k]++
	}
	for _, k := range order {
		head := fmt.Sprintf("%s, %s (%s)", k.scenario, k.part, term.Plural(games[k], "game"))
		printItem(b, t.Paint(term.Bold, "known: "), len("known: "), head, k.reason)
	}
	for _, d := range r.Stale {
		head := d.Scenario + ", " + d.Part
		printItem(b, t.Paint(term.Bad, "no longer: "), len("no longer: "), head, d.Peer+" "+d.Reason)
	}
}

// printFailures prints the first games that failed.
func printFailures(b *strings.Builder, t *term.IO, r *mlsrun.Report) {
	shown := 0
	for _, g := range r.Games {
		if g.Outcome != mlsrun.Failed {
			continue
		}
		if shown++; shown > shownFailures {
			fmt.Fprintf(b, "\nand %d more; --json has them all\n", r.Count(mlsrun.Failed)-shownFailures)
			break
		}
		head := fmt.Sprintf("%s, %s, suite %d, %s handshakes, among %s", g.Scenario, g.Part, g.Suite, g.Mode, strings.Join(g.Peers, ", "))
		printItem(b, t.Paint(term.Bad, "failed: "), len("failed: "), head, g.Error)
	}
}

// printItem prints a paragraph: a label that takes so many columns, a headline and
// below it a text.
func printItem(b *strings.Builder, label string, wide int, head, text string) {
	lines := term.Wrap(printable(head), inspect.Columns-wide)
	fmt.Fprintf(b, "\n%s%s\n", label, strings.Join(lines, "\n"+strings.Repeat(" ", wide)))
	for _, line := range term.Wrap(printable(text), inspect.Columns-2) {
		fmt.Fprintf(b, "  %s\n", line)
	}
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

// shortPeer cuts a peer's name to n characters, but not the number after it that tells
// it from others of the name.
func shortPeer(name string, n int) string {
	number := ""
	if i := strings.LastIndex(name, " #"); i >= 0 && len(name)-i < n {
		name, number = name[:i], name[i:]
	}
	return short(name, n-len(number)) + number
}

// short cuts a text to n characters.
func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
