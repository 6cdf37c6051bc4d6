package conformance

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// listOptions are those of the command conformance list.
type listOptions struct {
	IO   *term.IO
	JSON bool
}

func newList(t *term.IO) *cobra.Command {
	o := &listOptions{IO: t}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List what can be checked",
		Example: "  mimi-lab conformance list",
		Args:    command.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runList(o) },
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON array")
	return c
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

func runList(o *listOptions) error {
	var all []listed
	for _, p := range protocols() {
		l := listed{Name: p.source.Name, About: p.source.About}
		for _, f := range p.files {
			l.Files = append(l.Files, listedFile{f.name, f.about})
		}
		all = append(all, l)
	}
	if o.JSON {
		return o.IO.JSON(all)
	}
	for _, l := range all {
		fmt.Fprintf(o.IO.Out, "%s  %s\n", o.IO.Paint(term.Name, l.Name), l.About)
		wide := 0
		for _, f := range l.Files {
			wide = max(wide, len(f.Name))
		}
		for _, f := range l.Files {
			fmt.Fprintf(o.IO.Out, "     %-*s  %s\n", wide, f.Name, f.About)
		}
	}
	return nil
}
