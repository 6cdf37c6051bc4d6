// Package verdicts prints what checks of somebody else's implementation came to.
package verdicts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/verdict"
)

// Printer prints checks, grouped, in 80 columns.
type Printer struct {
	IO     *term.IO
	Checks []verdict.Check // all there are
	Quiet  bool            // leave out those that pass
	// Skipped is what one is called that could not be checked, "" being skip.
	Skipped string
	// Titles are what groups are called, if not by their name.
	Titles map[string]string
}

// styles are those of the verdicts.
var styles = map[verdict.Verdict]term.Style{verdict.Pass: term.Good, verdict.Warn: term.Bold, verdict.Fail: term.Bad, verdict.Skip: term.Faint}

// columns are what a line has room for.
const columns = 80

// widths are those of the longest section and the longest name behind the dot.
func (p *Printer) widths() (section, name int) {
	for _, c := range p.Checks {
		section = max(section, len(c.Section))
		name = max(name, len(c.ID)-len(c.Group())-1)
	}
	return section, name
}

func (p *Printer) title(group string) string {
	if t := p.Titles[group]; t != "" {
		return t
	}
	return group
}

// skip is what a check is called that could not be checked.
func (p *Printer) skip() string {
	if p.Skipped != "" {
		return p.Skipped
	}
	return string(verdict.Skip)
}

// Print prints results.
func (p *Printer) Print(list []verdict.Result) {
	for _, group := range groups(list) {
		if p.Quiet && !slices.ContainsFunc(group, func(c verdict.Result) bool { return c.Verdict != verdict.Pass }) {
			continue
		}
		fmt.Fprintf(p.IO.Out, "\n%s\n", p.IO.Paint(term.Bold, p.title(group[0].Group())))
		p.group(group)
	}
}

// groups cuts a list where a group ends.
func groups(list []verdict.Result) (all [][]verdict.Result) {
	for i := range list {
		if i == 0 || list[i].Group() != list[i-1].Group() {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], list[i])
	}
	return all
}

// group prints the checks of a group: those that were skipped last, by the reason.
func (p *Printer) group(list []verdict.Result) {
	section, wide := p.widths()
	skipped := make(map[string][]string)
	var reasons []string
	for i := range list {
		c := &list[i]
		name := strings.TrimPrefix(c.ID, c.Group()+".")
		head := fmt.Sprintf("  %s  %-*s  %-*s  ", p.IO.Paint(styles[c.Verdict], string(c.Verdict)), section, c.Section, wide, name)
		switch {
		case c.Verdict == verdict.Skip:
			if skipped[c.Seen] == nil {
				reasons = append(reasons, c.Seen)
			}
			skipped[c.Seen] = append(skipped[c.Seen], name)
		case c.Verdict != verdict.Pass:
			fmt.Fprintln(p.IO.Out, strings.TrimRight(head, " "))
			p.wrapped("        sent: ", 14, c.Sent)
			p.wrapped("        want: ", 14, c.Want)
			p.wrapped("        seen: ", 14, c.Seen)
		case !p.Quiet:
			what := c.Sent
			if what == "-" { // it is about what came
				what = c.Want
			}
			p.wrapped(head, 2+4+2+section+2+wide+2, what)
		}
	}
	for _, reason := range reasons {
		head := "  " + p.IO.Paint(styles[verdict.Skip], p.skip()) + "  "
		p.wrapped(head, 4+len(p.skip()), strings.Join(skipped[reason], ", ")+": "+reason)
	}
}

// Total prints the counts. What is not there and may not be is left out.
func (p *Printer) Total(n int, t verdict.Tally, seconds float64) {
	warned := ""
	if p.Skipped == "" {
		warned = p.count(verdict.Warn, t.Warn, "warned of") + ", "
	}
	skipped := "skipped"
	if p.Skipped != "" {
		skipped = p.Skipped
	}
	fmt.Fprintf(p.IO.Out, "\n%s: %s, %s%s, %s, in %.1f s\n", term.Plural(n, "check"),
		p.count(verdict.Pass, t.Pass, "passed"), warned, p.count(verdict.Fail, t.Fail, "failed"),
		p.count(verdict.Skip, t.Skip, skipped), seconds)
}

// End returns what a command ends with: err if the run was not finished, and a violation if
// checks have failed.
func End(checked string, t verdict.Tally, n int, err error) error {
	switch {
	case err != nil:
		return err
	case t.Fail > 0:
		return exit.Violationf("", "%s: %s of %d failed", checked, term.Plural(t.Fail, "check"), n)
	}
	return nil
}

// count is a number of verdicts, in their style if there are some.
func (p *Printer) count(v verdict.Verdict, n int, what string) string {
	s := fmt.Sprintf("%d %s", n, what)
	if n == 0 {
		return s
	}
	return p.IO.Paint(styles[v], s)
}

// wrapped prints a text behind a head, further lines below its beginning.
func (p *Printer) wrapped(head string, indent int, text string) {
	for _, line := range term.Wrap(text, columns-indent) {
		fmt.Fprintf(p.IO.Out, "%s%s\n", head, line)
		head = strings.Repeat(" ", indent)
	}
}

// List prints what is checked.
func (p *Printer) List() {
	section, _ := p.widths()
	group := ""
	for _, c := range p.Checks {
		if c.Group() != group {
			if group != "" {
				fmt.Fprintln(p.IO.Out)
			}
			group = c.Group()
			fmt.Fprintln(p.IO.Out, p.IO.Paint(term.Bold, p.title(group)))
		}
		fmt.Fprintf(p.IO.Out, "  %-*s  %s\n", section, c.Section, strings.TrimPrefix(c.ID, group+"."))
		p.wrapped("          sent: ", 16, c.Sent)
		p.wrapped("          want: ", 16, c.Want)
	}
}
