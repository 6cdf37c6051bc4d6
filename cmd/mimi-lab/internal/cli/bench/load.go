package bench

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/sim/report"
)

// loadOptions are those of commands that put servers under load.
type loadOptions struct {
	output
	Time              time.Duration
	Dir, Out, Profile string
}

func (o *loadOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.DurationVar(&o.Time, "time", 5*time.Second, "time to measure each row for")
	f.StringVar(&o.Dir, "dir", "", "`folder` to keep the stores in meanwhile; its disk is measured")
	f.StringVar(&o.Out, "out", "", "`folder` to draw the figures into, as SVG")
	f.StringVar(&o.Profile, "profile", "", "`file` for a CPU profile, whose label \"part\" says\nwhose time it is")
	o.output.flags(c)
}

// load is what a measurement gets.
type load struct {
	profile  io.Writer // nil means none is wanted
	progress func(share float64)
}

// measured is what it returns.
type measured interface {
	Table() string
	Figures() []*report.Figure
}

// run measures and shows the result, of which so many rows are whole. What check says of
// the options is without the prefix.
func (o *loadOptions) run(ctx context.Context, prefix string, check func() error, measure func(*load) (measured, int, error)) error {
	if err := check(); err != nil {
		return exit.Usagef("", "%s", strings.TrimPrefix(err.Error(), prefix))
	}
	if o.Out != "" { // before minutes are spent
		if err := os.MkdirAll(o.Out, 0o777); err != nil {
			return exit.Failuref("--out chooses another folder.", "%w", err)
		}
	}
	progress := o.progress()
	l := &load{progress: func(share float64) { progress.Set(share, 1) }}
	if o.Profile != "" {
		f, err := os.Create(o.Profile)
		if err != nil {
			return exit.Failuref("--profile chooses another file.", "%w", err)
		}
		defer f.Close()
		l.profile = f
	}
	res, whole, err := measure(l)
	progress.Done()
	if errors.Is(err, fs.ErrNotExist) && o.Dir != "" {
		return exit.Failuref("--dir chooses another folder.", "%w", err)
	}
	if err != nil && (ctx.Err() == nil || whole == 0) {
		return err
	}
	printErr := o.print(res)
	if printErr == nil && o.Out != "" {
		printErr = draw(o.Out, res.Figures())
	}
	return cmp.Or(err, printErr)
}

// draw draws figures into a folder.
func draw(dir string, figures []*report.Figure) error {
	for _, f := range figures {
		svg, err := f.SVG()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name+".svg"), svg, 0o666); err != nil {
			return exit.Failuref("--out chooses another folder.", "%w", err)
		}
	}
	return nil
}
