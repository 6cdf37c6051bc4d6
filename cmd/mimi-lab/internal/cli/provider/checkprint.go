package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/serve/check"
)

// styles are those of the verdicts.
var styles = map[check.Verdict]term.Style{check.Pass: term.Good, check.Warn: term.Bold, check.Fail: term.Bad, check.Skip: term.Faint}

// nameWidth is that of the longest name behind the dot.
func nameWidth() (wide int) {
	for _, c := range check.Checks() {
		wide = max(wide, len(c.ID)-len(c.Group())-1)
	}
	return wide
}

// columns are what a line has room for.
const columns = 80

// print prints a report, grouped by endpoint, its counts last.
func (o *checkOptions) print(r *check.Report) {
	t := o.IO
	fmt.Fprintf(t.Out, "%s, checked by %s\nagainst %s\n", t.Paint(term.Bold, r.Provider), strings.Join(r.As, " and "), r.Draft)
	for _, group := range groups(r.Checks) {
		if o.Quiet && !slices.ContainsFunc(group, func(c check.Result) bool { return c.Verdict != check.Pass }) {
			continue
		}
		fmt.Fprintf(t.Out, "\n%s\n", t.Paint(term.Bold, group[0].Group()))
		o.printGroup(group)
	}
	fmt.Fprintf(t.Out, "\n%s: %s, %s, %s, %s, in %.1f s\n", term.Plural(len(r.Checks), "check"),
		count(t, check.Pass, r.Pass, "passed"), count(t, check.Warn, r.Warn, "warned of"), count(t, check.Fail, r.Fail, "failed"),
		count(t, check.Skip, r.Skip, "skipped"), r.Seconds)
}

// groups cuts a list where a group ends.
func groups(list []check.Result) (all [][]check.Result) {
	for i := range list {
		if i == 0 || list[i].Group() != list[i-1].Group() {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], list[i])
	}
	return all
}

// printGroup prints the checks of a group: those that were skipped last, by the reason.
func (o *checkOptions) printGroup(list []check.Result) {
	wide := nameWidth()
	skipped := make(map[string][]string)
	var reasons []string
	for i := range list {
		c := &list[i]
		name := strings.TrimPrefix(c.ID, c.Group()+".")
		head := fmt.Sprintf("  %s  %-7s  %-*s  ", o.IO.Paint(styles[c.Verdict], string(c.Verdict)), c.Section, wide, name)
		switch {
		case c.Verdict == check.Skip:
			if skipped[c.Seen] == nil {
				reasons = append(reasons, c.Seen)
			}
			skipped[c.Seen] = append(skipped[c.Seen], name)
		case c.Verdict != check.Pass:
			fmt.Fprintln(o.IO.Out, strings.TrimRight(head, " "))
			o.wrapped("        sent: ", 14, c.Sent)
			o.wrapped("        want: ", 14, c.Want)
			o.wrapped("        seen: ", 14, c.Seen)
		case !o.Quiet:
			what := c.Sent
			if what == "-" { // it is about what came
				what = c.Want
			}
			o.wrapped(head, 2+4+2+7+2+wide+2, what)
		}
	}
	for _, reason := range reasons {
		head := "  " + o.IO.Paint(styles[check.Skip], string(check.Skip)) + "  "
		o.wrapped(head, 8, strings.Join(skipped[reason], ", ")+": "+reason)
	}
}

// count is a number of verdicts, in their style if there are some.
func count(t *term.IO, v check.Verdict, n int, what string) string {
	s := fmt.Sprintf("%d %s", n, what)
	if n == 0 {
		return s
	}
	return t.Paint(styles[v], s)
}

// wrapped prints a text behind a head, further lines below its beginning.
func (o *checkOptions) wrapped(head string, indent int, text string) {
	for _, line := range term.Wrap(text, columns-indent) {
		fmt.Fprintf(o.IO.Out, "%s%s\n", head, line)
		head = strings.Repeat(" ", indent)
	}
}

// printList prints what is checked.
func (o *checkOptions) printList() {
	group := ""
	for _, c := range check.Checks() {
		if c.Group() != group {
			if group != "" {
				fmt.Fprintln(o.IO.Out)
			}
			group = c.Group()
			fmt.Fprintln(o.IO.Out, o.IO.Paint(term.Bold, group))
		}
		fmt.Fprintf(o.IO.Out, "  %-7s  %s\n", c.Section, strings.TrimPrefix(c.ID, group+"."))
		o.wrapped("          sent: ", 16, c.Sent)
		o.wrapped("          want: ", 16, c.Want)
	}
}
