package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/rooms"
)

// crowdOptions are those of the command sim crowd.
type crowdOptions struct {
	IO        *term.IO
	Seed      uint64
	Members   int
	Providers int
	Devices   int
	Commits   int
	Quiet     bool
	JSON      bool
}

func newCrowd(t *term.IO) *cobra.Command {
	o := &crowdOptions{IO: t}
	c := &cobra.Command{
		Use:   "crowd",
		Short: "Fill one large MIMI room, change it, and check it",
		Long: `Fill one room of MIMI with many members, then add users, remove users and renew
keys at random, one Commit after the other, and send messages. Every member
follows every Commit with its own secrets; what all check alike, such as a
signature, is checked once. The checks are those of "mimi-lab sim rooms"; there
are no faults.

2000 members and 100 commits take some three minutes of one core.`,
		Example: `  mimi-lab sim crowd --members 40 --devices 4 --commits 5
  mimi-lab sim crowd --members 40 --devices 4 --commits 5 --json`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runCrowd(c.Context(), o) },
	}
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "what all keys and choices follow from")
	c.Flags().IntVar(&o.Members, "members", 2000, "clients to fill the room with, 2 to 10000")
	c.Flags().IntVar(&o.Providers, "providers", 20, "providers, 1 to 20")
	c.Flags().IntVar(&o.Devices, "devices", 10, "clients of each user, 1 to 100")
	c.Flags().IntVar(&o.Commits, "commits", 100, "commits when it is full")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func runCrowd(ctx context.Context, o *crowdOptions) error {
	for _, f := range []struct {
		name        string
		n, low, top int
	}{
		{"members", o.Members, 2, 10_000}, {"providers", o.Providers, 1, 20}, {"devices", o.Devices, 1, 100}, {"commits", o.Commits, 0, 100_000},
	} {
		if f.n < f.low || f.n > f.top {
			return exit.Usagef("", "--%s %d: want %d to %d", f.name, f.n, f.low, f.top)
		}
	}
	progress := o.IO.Progress("playing", o.Quiet)
	begin := o.IO.Now()
	res, err := rooms.Crowd{
		Seed: o.Seed, Members: o.Members, Providers: o.Providers, Devices: o.Devices, Commits: o.Commits,
		Progress: func(done, of int) { progress.Set(float64(done), float64(of)) },
	}.Run(ctx)
	progress.Done()
	if err != nil {
		return err
	}
	took := o.IO.Now().Sub(begin)
	if o.JSON {
		if err := o.IO.JSON(struct {
			*rooms.Result
			Seconds float64 `json:"seconds"` // on the clock
		}{res, took.Seconds()}); err != nil {
			return err
		}
	} else {
		o.write(res, took)
	}
	if res.Violated == 0 {
		return nil
	}
	return complain(o.IO, []violation{{Seed: res.Seed, Count: res.Violated, First: res.Violations[0].String(), Replay: o.replay()}})
}

func (o *crowdOptions) replay() string {
	return shell([]string{
		"mimi-lab", "sim", "crowd", "--seed", fmt.Sprint(o.Seed), "--members", fmt.Sprint(o.Members), "--providers", fmt.Sprint(o.Providers),
		"--devices", fmt.Sprint(o.Devices), "--commits", fmt.Sprint(o.Commits),
	})
}

func (o *crowdOptions) write(res *rooms.Result, took time.Duration) {
	verdict := o.IO.Paint(term.Good, "no violation")
	if res.Violated > 0 {
		verdict = o.IO.Paint(term.Bad, fmt.Sprintf("%d violations", res.Violated))
	}
	fmt.Fprintf(o.IO.Out, "%d members at %d providers in epoch %d, %.1f s: %s\n\n", res.Members, res.Providers, res.Epoch, took.Seconds(), verdict)
	for _, row := range []struct {
		what string
		n    int
	}{
		{"Commits accepted", res.Counts.Commits},
		{"  of these when the room was full", o.Commits},
		{"clients added by a Welcome", res.Counts.Welcomes},
		{"clients removed", res.Counts.Removals},
		{"messages accepted", res.Counts.Messages},
		{"events delivered to clients", res.Counts.Deliveries},
		{"bytes of requests between providers", res.Counts.RequestBytes},
		{"bytes of responses between providers", res.Counts.ResponseBytes},
	} {
		fmt.Fprintf(o.IO.Out, "%-40s %14d\n", row.what, row.n)
	}
}
