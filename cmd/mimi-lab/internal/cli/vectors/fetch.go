package vectors

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/fetch"
)

// fetchOptions are those of the command vectors fetch.
type fetchOptions struct {
	IO    *term.IO
	Dir   string
	From  string
	Quiet bool
	JSON  bool
}

func newFetch(t *term.IO) *cobra.Command {
	o := &fetchOptions{IO: t}
	c := &cobra.Command{
		Use:   "fetch",
		Short: "Get the vectors from where they were published",
		Long: `Get the vectors from where they were published: from GitHub, each at the pinned
commit. A file whose SHA-256 is not the pinned one is refused, and one that is
there and right is left alone, so that the command goes on where it ended.

--from takes them from a mirror instead: a folder or a URL below which the files
lie under the names that "vectors list --json" shows. What it holds is checked
as well.`,
		Example: `  mimi-lab vectors fetch
  mimi-lab vectors fetch --from ~/.cache/mimi-lab/vectors --dir vectors`,
		Annotations: map[string]string{"vectors": "fetches"},
		Args:        command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var origin fetch.Origin
			if c.Flags().Changed("from") {
				var err error
				if origin, err = fetch.ParseOrigin(o.From); err != nil {
					return exit.Usagef("", "--from %q: %w", o.From, err)
				}
			}
			return runFetch(c.Context(), o, origin)
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "`folder` for them (default: mimi-lab/vectors in your cache)")
	c.Flags().StringVar(&o.From, "from", "", "folder or URL of a `mirror`")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress, and print nothing if all went well")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// fetched is what the command did, as JSON.
type fetched struct {
	Dir      string `json:"dir"`
	Complete bool   `json:"complete"`
	Files    int    `json:"files"`
	Kept     int    `json:"kept"` // were there and right
	Fetched  int    `json:"fetched"`
	Bytes    int64  `json:"fetched_bytes"`
}

func runFetch(ctx context.Context, o *fetchOptions, origin fetch.Origin) error {
	own := o.Dir == ""
	if own {
		var err error
		if o.Dir, err = ownDir(); err != nil {
			return err
		}
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	progress := o.IO.Progress("fetching", o.Quiet)
	res, err := fetch.Fetch(ctx, dir, vectors.Sources(), fetch.Options{
		Origin:   origin,
		Progress: func(done, total int64) { progress.Set(float64(done), float64(total)) },
	})
	progress.Done()
	if o.JSON {
		if err := o.IO.JSON(fetched{dir, err == nil, res.Files, res.Kept, res.Fetched, res.Bytes}); err != nil {
			return err
		}
	} else {
		o.print(res, dir, own, err)
	}
	return advise(err)
}

// print says what was done, and how tests and commands find it.
func (o *fetchOptions) print(res fetch.Result, dir string, own bool, err error) {
	t := o.IO
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(t.Out, "Interrupted after %s of %d. The same command fetches the rest.\n", files(res.Kept+res.Fetched), res.Files)
		return
	case err != nil || o.Quiet:
		return
	case res.Fetched == 0:
		fmt.Fprint(t.Out, "Nothing to fetch: ")
	default:
		fmt.Fprintf(t.Out, "Fetched %s, %s: ", files(res.Fetched), size(res.Bytes))
	}
	fmt.Fprintf(t.Out, "%s in\n  %s\n\n", t.Paint(term.Good, fmt.Sprintf("all %d are as published", res.Files)), dir)
	switch env := t.Getenv(vectors.Env); {
	case env == dir:
		fmt.Fprint(t.Out, "Tests and commands look there, since the environment says:\n")
	case env != "":
		fmt.Fprintf(t.Out, "Tests and commands look elsewhere: %s names another folder.\nTo have them look there:\n", vectors.Env)
	case own:
		fmt.Fprint(t.Out, "Tests and commands find them there. To say so in the environment:\n")
	default:
		fmt.Fprint(t.Out, "To have tests and commands look there:\n")
	}
	fmt.Fprintf(t.Out, "  export %s=%s\n", vectors.Env, command.Quote(dir))
}

// files is "1 file" or "3 files".
func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// advise adds to an error what to do about it.
func advise(err error) error {
	var failed *fetch.Error
	var mismatch *vectors.MismatchError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &mismatch):
		return exit.Failuref("What is there is not what was published, and was not kept. --from names another place to take it from.", "%w", err)
	case errors.As(err, &failed):
		return exit.Failuref("What was fetched before stays; the same command fetches the rest. --from takes the files from a mirror.", "%w", err)
	}
	return exit.Failuref("--dir chooses another folder.", "%w", err)
}
