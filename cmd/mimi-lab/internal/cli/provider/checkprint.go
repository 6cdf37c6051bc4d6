package provider

import (
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/verdicts"
	"github.com/mimi-lab/mimi-lab/groups/serve/check"
)

func (o *checkOptions) printer() *verdicts.Printer {
	return &verdicts.Printer{IO: o.IO, Checks: check.Checks(), Quiet: o.Quiet}
}

// print prints a report, grouped by endpoint, its counts last.
func (o *checkOptions) print(r *check.Report) {
	t := o.IO
	fmt.Fprintf(t.Out, "%s, checked by %s\nagainst %s\n", t.Paint(term.Bold, r.Provider), strings.Join(r.As, " and "), r.Draft)
	p := o.printer()
	p.Print(r.Checks)
	p.Total(len(r.Checks), r.Tally, r.Seconds)
}
