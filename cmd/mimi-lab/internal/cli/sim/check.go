package sim

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/scenario"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	scenarios "github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

// checkOptions are those of the command sim check.
type checkOptions struct {
	source
	Seeds int
}

func newCheck(t *term.IO) *cobra.Command {
	o := &checkOptions{source: source{IO: t}}
	c := &cobra.Command{
		Use:   "check NAME|FILE",
		Short: "Run a scenario with many seeds and look for violations",
		Long: `Run a scenario with many seeds and look for violations of its checks: nothing
accepted is lost, nothing is shown twice, conversations keep their order,
nobody but the two ends can read, nobody is reached without consent. After the
span of a run its faults end and everything under way may arrive.

A violation is printed with the one command that replays it, and the exit code
is 3.`,
		Example:           `  mimi-lab sim check faulty-small --seeds 5`,
		Args:              command.Args(1, 1, "the name of a scenario or a file"),
		ValidArgsFunction: scenario.Complete,
		RunE: func(c *cobra.Command, args []string) error {
			f, err := o.load(c, args[0])
			if err != nil {
				return err
			}
			return runCheck(c, o, f)
		},
	}
	o.flags(c)
	c.Flags().IntVar(&o.Seeds, "seeds", 100, "number of seeds, from --seed on")
	return c
}

// checked is what the command found, as JSON.
type checked struct {
	Scenario   string      `json:"scenario"`
	SHA256     string      `json:"sha256"` // of the scenario
	FirstSeed  uint64      `json:"first_seed"`
	Seeds      int         `json:"seeds"` // runs that came to their end
	Complete   bool        `json:"complete"`
	Messages   int64       `json:"messages"`
	Events     uint64      `json:"events"`
	Checks     []string    `json:"checks"`
	Violations []violation `json:"violations"`
}

func runCheck(c *cobra.Command, o *checkOptions, f *scenarios.File) error {
	points := f.Points()
	sc := points[0].Scenario
	switch {
	case o.Seeds < 1 || o.Seeds > 10_000_000:
		return exit.Usagef("", "--seeds %d: want 1 to 10000000", o.Seeds)
	case len(points) > 1:
		return exit.Usagef(`"mimi-lab sim run" runs all points, with their checks.`,
			"scenario %s has %d points, want one without sweeps and studies", f.Name, len(points))
	case len(sc.Checks) == 0:
		return exit.Usagef(`Add a section like "checks: [durability, duplicates]" to it.`, "scenario %s has no checks", f.Name)
	}
	progress := o.IO.Progress("checking", o.Quiet)
	outs, err := world.Check(c.Context(), f, sc.Seed, o.Seeds, world.RunOptions{
		Workers: o.Workers, Progress: func(share float64) { progress.Set(share, 1) },
	})
	progress.Done()
	if err != nil && c.Context().Err() == nil {
		return err
	}
	res := checked{
		Scenario: f.Name, SHA256: sc.Hash(), FirstSeed: sc.Seed, Seeds: len(outs), Complete: len(outs) == o.Seeds,
		Violations: violations(outs, func(out *world.Outcome) string {
			return shell(o.call("check", "--seed", fmt.Sprint(out.Seed), "--seeds", "1"))
		}),
	}
	for _, out := range outs {
		res.Messages += out.Messages
		res.Events += out.Events
	}
	for _, name := range sc.Checks {
		res.Checks = append(res.Checks, string(name))
	}
	if o.JSON {
		if err := o.IO.JSON(res); err != nil {
			return err
		}
	} else {
		verdict := o.IO.Paint(term.Good, "no violation")
		if n := len(res.Violations); n > 0 {
			verdict = o.IO.Paint(term.Bad, fmt.Sprintf("violations in %d runs", n))
		}
		fmt.Fprintf(o.IO.Out, "%s: %d runs, %d messages, %d events: %s\n", f.Name, res.Seeds, res.Messages, res.Events, verdict)
	}
	if len(res.Violations) > 0 {
		return complain(o.IO, res.Violations)
	}
	return err
}
