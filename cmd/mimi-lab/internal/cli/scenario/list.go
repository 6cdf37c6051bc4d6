package scenario

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// listOptions are those of the command scenario list.
type listOptions struct {
	IO   *term.IO
	JSON bool
}

func newList(t *term.IO) *cobra.Command {
	o := &listOptions{IO: t}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the built-in scenarios",
		Example: "  mimi-lab scenario list",
		Args:    command.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runList(o) },
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON array")
	return c
}

// listed is a scenario of the list, as JSON.
type listed struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Question string `json:"question,omitempty"`
}

func runList(o *listOptions) error {
	all := []listed{}
	wide := 0
	for _, s := range scenario.Library() {
		all = append(all, listed(s))
		wide = max(wide, len(s.Name))
	}
	if o.JSON {
		return o.IO.JSON(all)
	}
	for _, s := range all {
		name := fmt.Sprintf("%-*s", wide, s.Name)
		for i, line := range term.Wrap(s.Title, 80-wide-2) {
			if i > 0 {
				name = fmt.Sprintf("%*s", wide, "")
			}
			fmt.Fprintf(o.IO.Out, "%s  %s\n", o.IO.Paint(term.Name, name), line)
		}
	}
	return nil
}
