package bench

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/bench"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// engineOptions are those of the command bench engine.
type engineOptions struct {
	output
	Seed    uint64
	Pending []int
	Time    time.Duration
}

func newEngine(t *term.IO) *cobra.Command {
	o := &engineOptions{output: output{IO: t}}
	c := &cobra.Command{
		Use:   "engine",
		Short: "Measure the event kernel against a binary heap, and on a model",
		Long: `Measure the event kernel in two ways. The hold model takes out the earliest of
so many pending events and puts one in at an exponential time after it: the
kernel against Go's container/heap with the same events. The model is a set of
M/M/1 queues with random draws and statistics, whose mean is compared with
theory: more than 5 standard errors away, there is no number.

An interrupt prints the parts that are whole and exits with 130.`,
		Example: `  mimi-lab bench engine --pending 1000 --time 200ms
  mimi-lab bench engine --pending 1000 --time 200ms --json`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runEngine(c.Context(), o) },
	}
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of all random streams")
	c.Flags().IntSliceVar(&o.Pending, "pending", []int{1e3, 1e4, 1e5, 1e6}, "numbers of pending events")
	c.Flags().DurationVar(&o.Time, "time", time.Second, "time to measure each part for")
	o.flags(c)
	return c
}

func runEngine(ctx context.Context, o *engineOptions) error {
	for _, n := range o.Pending {
		if n < 1 || n > 1e8 {
			return exit.Usagef("", "--pending %d: want 1 to 100000000 events", n)
		}
	}
	if o.Time <= 0 {
		return exit.Usagef("", "--time %v: want more than 0", o.Time)
	}
	progress := o.progress()
	res, err := bench.Engine(ctx, bench.Options{
		Seed: o.Seed, Pending: o.Pending, Time: o.Time,
		Progress: func(done, total int, _ string) { progress.Set(float64(done), float64(total)) },
	})
	progress.Done()
	if err != nil && (ctx.Err() == nil || len(res.Hold) == 0) {
		return err
	}
	return cmp.Or(err, o.print(res))
}
