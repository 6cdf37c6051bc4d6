package bench

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/bench"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// mlsOptions are those of the command bench mls.
type mlsOptions struct {
	output
	Seed  uint64
	Sizes []int
	Time  time.Duration
	Out   string
}

func newMLS(t *term.IO) *cobra.Command {
	o := &mlsOptions{output: output{IO: t}}
	c := &cobra.Command{
		Use:   "mls",
		Short: "Measure the MLS engine in groups of several sizes",
		Long: `Measure the MLS engine on one core, in suite 1
(MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519), from bytes to bytes:

  key_package           make a KeyPackage
  add_all               make the one Commit that adds everybody, and its Welcome
  join                  join by the Welcome, with the ratchet tree in it
  blank_commit_create   make a Commit that renews one's keys in the tree after
                        add_all, in which most parents are blank
  blank_commit_process  take that Commit as another member
  protect               make a message of 1 KiB
  unprotect             open it
  full_commit_create    as above, in a tree in which every parent has a key:
  full_commit_process   everybody has joined by an external Commit

Members have to agree, or there is no number. A median of fewer than 10
repetitions is marked.

Filling the tree of 10 000 members takes half a minute, that of 100 000 more
than five. An interrupt prints the rows that are whole and exits with 130.`,
		Example: `  mimi-lab bench mls --sizes 10,20 --time 10ms
  mimi-lab bench mls --sizes 10,20 --time 10ms --out mls-cost.svg --json`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runMLS(c.Context(), o) },
	}
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of all keys")
	c.Flags().IntSliceVar(&o.Sizes, "sizes", []int{10, 100, 1000}, "numbers of members, 2 to 100000")
	c.Flags().DurationVar(&o.Time, "time", time.Second/2, "time to measure each operation for")
	c.Flags().StringVar(&o.Out, "out", "", "`file` to draw the cost by members into, as SVG")
	o.flags(c)
	return c
}

func runMLS(ctx context.Context, o *mlsOptions) error {
	for _, n := range o.Sizes {
		if n < 2 || n > 100_000 {
			return exit.Usagef("", "--sizes %d: want 2 to 100000 members", n)
		}
	}
	if o.Time <= 0 {
		return exit.Usagef("", "--time %v: want more than 0", o.Time)
	}
	var out *figure
	if o.Out != "" {
		var err error
		if out, err = newFigure(o.Out); err != nil { // before minutes are spent
			return exit.Failuref("--out chooses another file.", "%w", err)
		}
		defer out.close()
	}
	progress := o.progress()
	res, err := bench.MLS(ctx, bench.MLSOptions{
		Seed: o.Seed, Sizes: o.Sizes, Time: o.Time, Progress: func(share float64) { progress.Set(share, 1) },
	})
	progress.Done()
	if err != nil && (ctx.Err() == nil || len(res.Rows) == 0) {
		return err
	}
	printErr := o.print(res)
	if printErr == nil && out != nil {
		printErr = out.draw(res)
	}
	return cmp.Or(err, printErr)
}

// figure is a file to draw into, which was opened before there is anything to draw.
type figure struct {
	file  *os.File
	empty bool // it was made for the figure, which is not in it
}

// newFigure opens a file, and leaves what is in it until it is drawn into.
func newFigure(path string) (*figure, error) {
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	return &figure{f, isNew}, nil
}

// draw replaces what the file holds.
func (f *figure) draw(res bench.MLSResult) error {
	svg, err := res.Figure().SVG()
	if err != nil {
		return err
	}
	if _, err = f.file.Write(svg); err == nil {
		f.empty = false
		if info, statErr := f.file.Stat(); statErr == nil && info.Mode().IsRegular() {
			err = f.file.Truncate(int64(len(svg))) // what was there may have been longer
		}
	}
	err = cmp.Or(err, f.file.Close())
	if err != nil {
		return exit.Failuref("--out chooses another file.", "%w", err)
	}
	return nil
}

// close closes the file, and removes it if it was made for nothing.
func (f *figure) close() {
	f.file.Close() // if it was not yet
	if f.empty {
		os.Remove(f.file.Name())
	}
}
