package conformance

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// maxShown is how many failures are printed.
const maxShown = 5

// print prints the result, 80 columns wide. planned is how many files were to be
// checked.
func (res *checked) print(t *term.IO, planned int) {
	row := func(name string, c tally) {
		fmt.Fprintf(t.Out, "%-30s %6d %7d %s %s %7.1f s\n", name, c.Cases, c.Passed,
			count(t, 7, c.Failed), count(t, 8, c.Skipped), c.Seconds)
	}
	fmt.Fprintln(t.Out, t.Paint(term.Bold, "file                            cases  passed  failed  skipped      time"))
	for _, f := range res.Files {
		row(f.Name, f.tally)
	}
	if planned > 1 {
		row("total", res.tally)
	}
	for _, f := range res.Files {
		for _, name := range f.changed {
			fmt.Fprintf(t.Out, "%s  %s is not as %s\n", t.Paint(term.Bad, "changed"), name, res.original)
		}
	}
	switch {
	case !res.Complete:
		fmt.Fprintf(t.Out, "Interrupted after %d of %d files.\n", len(res.Files), planned)
	case res.Passed == res.Cases:
		fmt.Fprintf(t.Out, "%s in\n  %s\n", t.Paint(term.Good, "all passed"), res.Dir)
	}
	for i, f := range res.Failures {
		if i == maxShown {
			fmt.Fprintf(t.Out, "... and %d more; --json names all\n", len(res.Failures)-i)
			break
		}
		f.print(t)
	}
}

// count is a number of cases of which there should be none.
func count(t *term.IO, wide, n int) string {
	s := fmt.Sprintf("%*d", wide, n)
	if n > 0 {
		return t.Paint(term.Bad, s)
	}
	return s
}

// print prints a failure so that lines fit 80 columns.
func (f failure) print(t *term.IO) {
	of := ""
	if f.Suite != 0 {
		of = fmt.Sprintf(", suite %d", f.Suite)
	}
	fmt.Fprintf(t.Out, "%s  %s, case %d%s\n", t.Paint(term.Bad, "failed"), f.File, f.Case, of)
	for _, line := range term.Wrap(f.What, 78) {
		fmt.Fprintf(t.Out, "  %s\n", line)
	}
}
