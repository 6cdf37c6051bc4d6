package vectors

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

func newList(t *term.IO) *cobra.Command {
	return command.List(t, &cobra.Command{
		Use:   "list",
		Short: "List where the vectors come from, and at which commit",
		Long: `List where the vectors come from, and at which commit. With --json every file is
listed, with its URL, its size and its SHA-256.`,
		Example: `  mimi-lab vectors list
  mimi-lab vectors list --json`,
	}, listAll, showList)
}

// listed is a source of the list, as JSON.
type listed struct {
	Name       string       `json:"name"`
	About      string       `json:"about"`
	Repository string       `json:"repository"`
	Commit     string       `json:"commit"`
	Files      []listedFile `json:"files"`
	bytes      int64        // of all files
}

type listedFile struct {
	vectors.File
	URL string `json:"url"`
}

func listAll() []listed {
	var all []listed
	for _, s := range vectors.Sources() {
		l := listed{Name: s.Name, About: s.About, Repository: "https://github.com/" + s.Repository, Commit: s.Commit, bytes: s.Size()}
		for _, f := range s.Files {
			l.Files = append(l.Files, listedFile{f, s.URL(f)})
		}
		all = append(all, l)
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
		fmt.Fprintf(t.Out, "%s  %s\n", t.Paint(term.Name, name), s.About)
		fmt.Fprintf(t.Out, "%*s  %d files, %s\n", wide, "", len(s.Files), size(s.bytes))
		fmt.Fprintf(t.Out, "%*s  %s\n", wide, "", s.Repository)
		fmt.Fprintf(t.Out, "%*s  commit %s\n", wide, "", s.Commit)
	}
}
