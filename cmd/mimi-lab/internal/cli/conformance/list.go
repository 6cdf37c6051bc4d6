package conformance

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

func newList(t *term.IO) *cobra.Command {
	return command.List(t, &cobra.Command{
		Use:     "list",
		Short:   "List what can be checked",
		Example: "  mimi-lab conformance list",
	}, listAll, showList)
}

// listed is a protocol of the list, as JSON.
type listed struct {
	Name  string       `json:"name"`
	About string       `json:"about"`
	Files []listedFile `json:"files"`
}

type listedFile struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

func listAll() []listed {
	var all []listed
	for _, p := range protocols() {
		l := listed{Name: p.source.Name, About: p.source.About}
		for _, f := range p.files {
			l.Files = append(l.Files, listedFile{f.name, f.about})
		}
		all = append(all, l)
	}
	return all
}

func showList(t *term.IO, all []listed) {
	for _, l := range all {
		fmt.Fprintf(t.Out, "%s  %s\n", t.Paint(term.Name, l.Name), l.About)
		wide := 0
		for _, f := range l.Files {
			wide = max(wide, len(f.Name))
		}
		for _, f := range l.Files {
			fmt.Fprintf(t.Out, "     %-*s  %s\n", wide, f.Name, f.About)
		}
	}
}
