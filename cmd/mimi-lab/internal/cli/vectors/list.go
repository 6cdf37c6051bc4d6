package vectors

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// listOptions are those of the command vectors list.
type listOptions struct {
	IO   *term.IO
	JSON bool
}

func newList(t *term.IO) *cobra.Command {
	o := &listOptions{IO: t}
	c := &cobra.Command{
		Use:   "list",
		Short: "List where the vectors come from, and at which commit",
		Long: `List where the vectors come from, and at which commit. With --json every file is
listed, with its URL, its size and its SHA-256.`,
		Example: `  mimi-lab vectors list
  mimi-lab vectors list --json`,
		Args: command.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runList(o) },
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON array with all files")
	return c
}

// listed is a source of the list, as JSON.
type listed struct {
	Name       string       `json:"name"`
	About      string       `json:"about"`
	Repository string       `json:"repository"`
	Commit     string       `json:"commit"`
	Files      []listedFile `json:"files"`
}

type listedFile struct {
	vectors.File
	URL string `json:"url"`
}

func runList(o *listOptions) error {
	var all []listed
	wide := 0
	for _, s := range vectors.Sources() {
		l := listed{Name: s.Name, About: s.About, Repository: "https://github.com/" + s.Repository, Commit: s.Commit}
		for _, f := range s.Files {
			l.Files = append(l.Files, listedFile{f, s.URL(f)})
		}
		all = append(all, l)
		wide = max(wide, len(s.Name))
	}
	if o.JSON {
		return o.IO.JSON(all)
	}
	for i, s := range vectors.Sources() {
		name := fmt.Sprintf("%-*s", wide, s.Name)
		fmt.Fprintf(o.IO.Out, "%s  %s\n", o.IO.Paint(term.Name, name), s.About)
		fmt.Fprintf(o.IO.Out, "%*s  %d files, %s\n", wide, "", len(s.Files), size(s.Size()))
		fmt.Fprintf(o.IO.Out, "%*s  %s\n", wide, "", all[i].Repository)
		fmt.Fprintf(o.IO.Out, "%*s  commit %s\n", wide, "", s.Commit)
	}
	return nil
}
