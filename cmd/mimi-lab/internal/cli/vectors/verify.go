package vectors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// verifyOptions are those of the command vectors verify.
type verifyOptions struct {
	IO    *term.IO
	Dir   string
	Quiet bool
	JSON  bool
}

func newVerify(t *term.IO) *cobra.Command {
	o := &verifyOptions{IO: t}
	c := &cobra.Command{
		Use:   "verify",
		Short: "Say whether all vectors are there as they were published",
		Long: `Say whether all vectors are there as they were published: in the folder that
--dir or else MIMI_LAB_VECTORS names, or else in the one that "vectors fetch"
fills. If a file is missing or changed, the exit code is 1.`,
		Example:     `  mimi-lab vectors verify`,
		Annotations: map[string]string{"vectors": "reads"},
		Args:        command.NoArgs,
		RunE:        func(*cobra.Command, []string) error { return runVerify(o) },
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "`folder` to look at")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "print nothing if all is as it was published")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object that names every file that differs")
	return c
}

// verified is what the command found, as JSON.
type verified struct {
	Dir string `json:"dir"`
	tally
	Sources  []verifiedSource `json:"sources"`
	Problems []problem        `json:"problems"`
	problems []vectors.Problem
}

// tally counts files.
type tally struct {
	Files   int `json:"files"`
	OK      int `json:"ok"`
	Missing int `json:"missing"`
	Changed int `json:"changed"`
}

// verifiedSource is what was found of one source.
type verifiedSource struct {
	Name   string `json:"name"`
	Commit string `json:"commit"`
	tally
}

// problem is a file that is missing or changed.
type problem struct {
	Name        string `json:"name"`
	State       string `json:"state"`        // "missing" or "changed"
	Why         string `json:"why"`          // a sentence
	Bytes       int64  `json:"want_bytes"`   // as published
	SHA256      string `json:"want_sha256"`  // as published
	FoundSHA256 string `json:"found_sha256"` // "" if missing, or if there are more bytes than published
}

func runVerify(o *verifyOptions) error {
	dir, fetch, err := Folder(o.IO, o.Dir)
	if err != nil {
		return err
	}
	v := verify(dir)
	good := v.OK == v.Files
	switch {
	case o.JSON:
		if err := o.IO.JSON(v); err != nil {
			return err
		}
	case !good || !o.Quiet:
		v.print(o.IO)
	}
	if !good {
		return exit.Failuref(fetch, "%s: of %d files, %d missing and %d changed", dir, v.Files, v.Missing, v.Changed)
	}
	return nil
}

// verify compares a folder with the list.
func verify(dir string) verified {
	v := verified{Dir: dir, Problems: []problem{}}
	for _, s := range vectors.Sources() {
		found := verifiedSource{Name: s.Name, Commit: s.Commit, tally: tally{Files: len(s.Files)}}
		for _, p := range vectors.Verify(os.DirFS(dir), []vectors.Source{s}) {
			v.problems = append(v.problems, p)
			v.Problems = append(v.Problems, newProblem(p))
			if p.Changed() {
				found.Changed++
			} else {
				found.Missing++
			}
		}
		found.OK = found.Files - found.Missing - found.Changed
		v.Sources = append(v.Sources, found)
		v.Files += found.Files
		v.OK += found.OK
		v.Missing += found.Missing
		v.Changed += found.Changed
	}
	return v
}

func newProblem(p vectors.Problem) problem {
	out := problem{Name: p.File.Name, State: "missing", Why: p.Err.Error(), Bytes: p.File.Size, SHA256: p.File.SHA256}
	var m *vectors.MismatchError
	if errors.As(p.Err, &m) {
		out.State, out.FoundSHA256 = "changed", m.SHA256
	}
	return out
}

// maxShown is how many problems are printed.
const maxShown = 5

func (v verified) print(t *term.IO) {
	const row = "%-14s %6d %6d %8d %8d\n"
	fmt.Fprintln(t.Out, t.Paint(term.Bold, "source          files     ok  missing  changed"))
	for _, s := range v.Sources {
		fmt.Fprintf(t.Out, row, s.Name, s.Files, s.OK, s.Missing, s.Changed)
	}
	if len(v.problems) == 0 {
		fmt.Fprintf(t.Out, "%s in\n  %s\n", t.Paint(term.Good, "all as published"), v.Dir)
	}
	all := slices.Clone(v.problems)
	slices.SortStableFunc(all, func(a, b vectors.Problem) int { return rank(a) - rank(b) })
	for i, p := range all {
		if i == maxShown {
			fmt.Fprintf(t.Out, "... and %d more; --json names all\n", len(all)-i)
			break
		}
		printProblem(t, p)
	}
}

// rank is where a problem is shown: a file that is changed surprises more than one
// that is missing.
func rank(p vectors.Problem) int {
	if p.Changed() {
		return 0
	}
	return 1
}

// printProblem prints a problem so that no line is longer than 80 columns.
func printProblem(t *term.IO, p vectors.Problem) {
	var m *vectors.MismatchError
	switch {
	case !errors.As(p.Err, &m) && errors.Is(p.Err, fs.ErrNotExist):
		fmt.Fprintf(t.Out, "%s  %s\n", t.Paint(term.Bad, "missing"), p.File.Name)
	case m == nil:
		fmt.Fprintf(t.Out, "%s  %v\n", t.Paint(term.Bad, "missing"), p.Err)
	case m.Size == p.File.Size:
		fmt.Fprintf(t.Out, "%s  %s\n  SHA-256 %s\n  pinned  %s\n", t.Paint(term.Bad, "changed"), p.File.Name, m.SHA256, p.File.SHA256)
	default:
		fmt.Fprintf(t.Out, "%s  %v\n", t.Paint(term.Bad, "changed"), p.Err)
	}
}
