package scenario

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

func newList(t *term.IO) *cobra.Command {
	return command.List(t, &cobra.Command{
		Use:     "list",
		Short:   "List the built-in scenarios",
		Example: "  mimi-lab scenario list",
	}, listAll, showList)
}

// listed is a scenario of the list, as JSON.
type listed struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Question string `json:"question,omitempty"`
}

func listAll() []listed {
	all := []listed{}
	for _, s := range scenario.Library() {
		all = append(all, listed(s))
	}
	return all
}

func showList(t *term.IO, all []listed) {
	wide := 0
	for _, s := range all {
		wide = max(wide, len(s.Name))
	}
	for _, s := range all {
		name := fmt.Sprintf("%-*s", wide, s.Name)
		for i, line := range term.Wrap(s.Title, 80-wide-2) {
			if i > 0 {
				name = fmt.Sprintf("%*s", wide, "")
			}
			fmt.Fprintf(t.Out, "%s  %s\n", t.Paint(term.Name, name), line)
		}
	}
}
