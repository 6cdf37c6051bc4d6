package sim

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/rooms"
)

// roomsOptions are those of the command sim rooms.
type roomsOptions struct {
	IO        *term.IO
	Seed      uint64
	Seeds     int
	Members   int
	Providers int
	Steps     int
	Without   []int
	Faults    []string
	Plant     string
	Shrink    bool
	Workers   int
	Quiet     bool
	JSON      bool
}

// faults are what --faults can name.
var faults = []string{"crashes", "cuts", "loss"}

func newRooms(t *term.IO) *cobra.Command {
	o := &roomsOptions{IO: t}
	var plants strings.Builder
	names := make([]string, 0, len(rooms.Plants()))
	for _, p := range rooms.Plants() {
		fmt.Fprintf(&plants, "\n  %-18s %s", p.Name, p.What)
		names = append(names, p.Name)
	}
	c := &cobra.Command{
		Use:   "rooms",
		Short: "Play MIMI rooms under faults with many seeds, and check them",
		Long: `Play rooms of MIMI with many seeds and real cryptography. Users of up to 20
providers add and remove each other, join, leave, commit at the same time and
send messages, while links lose and are cut and providers and devices stop in
the middle of what they do and start again from what they have stored.

When all has come to rest: all clients and the hub agree; each message that the
hub has accepted was read once by each client that was in, in its order; who
was removed read nothing later; each Welcome arrived; no provider saw plaintext;
every intention has an outcome. The same seed gives the same run.

A violation is printed with the one command that replays it, and the exit code
is 3. --shrink looks for fewer steps and faults that show it as well. --plant
plants a bug, to see that it is found:
` + plants.String(),
		Example: `  mimi-lab sim rooms --seeds 5 --members 10 --providers 4
  mimi-lab sim rooms --seeds 2 --members 10 --faults crashes --json`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runRooms(c, o, names) },
	}
	c.Flags().Uint64Var(&o.Seed, "seed", 0, "the first seed")
	c.Flags().IntVar(&o.Seeds, "seeds", 100, "number of seeds")
	c.Flags().IntVar(&o.Members, "members", rooms.DefaultMembers, "devices at most, 2 to 200")
	c.Flags().IntVar(&o.Providers, "providers", rooms.DefaultProviders, "providers at most, 1 to 20")
	c.Flags().IntVar(&o.Steps, "steps", rooms.DefaultSteps, "how often somebody wants something")
	c.Flags().IntSliceVar(&o.Without, "without", nil, "steps to leave out, from 0")
	c.Flags().StringSliceVar(&o.Faults, "faults", faults, "of crashes, cuts and loss, or none")
	c.Flags().StringVar(&o.Plant, "plant", "", "a bug to plant")
	c.Flags().BoolVar(&o.Shrink, "shrink", false, "look for less that breaks the same")
	c.Flags().IntVar(&o.Workers, "workers", runtime.GOMAXPROCS(0), "runs at the same time; results do not depend on it")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// trial checks the options and returns what they say.
func (o *roomsOptions) trial(plants []string) (t rooms.Trial, err error) {
	for _, f := range []struct {
		name        string
		n, low, top int
	}{
		{"seeds", o.Seeds, 1, 10_000_000}, {"members", o.Members, 2, 200}, {"providers", o.Providers, 1, 20},
		{"steps", o.Steps, 1, 10_000}, {"workers", o.Workers, 1, 1024},
	} {
		if f.n < f.low || f.n > f.top {
			return t, exit.Usagef("", "--%s %d: want %d to %d", f.name, f.n, f.low, f.top)
		}
	}
	if o.Plant != "" && !slices.Contains(plants, o.Plant) {
		return t, command.Unknown("bug", o.Plant, plants, "There are "+strings.Join(plants, ", ")+".")
	}
	t = rooms.Trial{Seed: o.Seed, Members: o.Members, Providers: o.Providers, Steps: o.Steps, Without: o.Without, Plant: o.Plant}
	if len(o.Faults) == 1 && o.Faults[0] == "none" {
		t.Calm = true
		return t, nil
	}
	for _, f := range o.Faults {
		if !slices.Contains(faults, f) {
			return t, command.Unknown("kind of faults", f, append(faults, "none"), "There are "+strings.Join(faults, ", ")+" and none.")
		}
	}
	t.NoCrashes, t.NoCuts, t.NoLoss = !slices.Contains(o.Faults, "crashes"), !slices.Contains(o.Faults, "cuts"), !slices.Contains(o.Faults, "loss")
	return t, nil
}

// replayRooms is the command that repeats a trial.
func replayRooms(t rooms.Trial) string {
	words := []string{"mimi-lab", "sim", "rooms", "--seed", fmt.Sprint(t.Seed), "--seeds", "1"}
	for _, f := range []struct {
		name   string
		n, not int
	}{{"members", t.Members, rooms.DefaultMembers}, {"providers", t.Providers, rooms.DefaultProviders}, {"steps", t.Steps, rooms.DefaultSteps}} {
		if f.n != f.not {
			words = append(words, "--"+f.name, fmt.Sprint(f.n))
		}
	}
	if len(t.Without) > 0 {
		words = append(words, "--without", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(t.Without)), ","), "[]"))
	}
	switch {
	case t.Calm || t.NoCrashes && t.NoCuts && t.NoLoss:
		words = append(words, "--faults", "none")
	case t.NoCrashes || t.NoCuts || t.NoLoss:
		var left []string
		for i, no := range []bool{t.NoCrashes, t.NoCuts, t.NoLoss} {
			if !no {
				left = append(left, faults[i])
			}
		}
		words = append(words, "--faults", strings.Join(left, ","))
	}
	if t.Plant != "" {
		words = append(words, "--plant", t.Plant)
	}
	return shell(words)
}

// triedRooms is what the command found, as JSON.
type triedRooms struct {
	FirstSeed  uint64          `json:"first_seed"`
	Seeds      int             `json:"seeds"` // runs that came to their end
	Complete   bool            `json:"complete"`
	Members    int             `json:"members"`
	Providers  int             `json:"providers"`
	Steps      int             `json:"steps"`
	Checks     []rooms.Check   `json:"checks"`
	Wishes     int             `json:"wishes"`
	Failed     int             `json:"failed"`
	Counts     rooms.Counts    `json:"counts"`
	Runs       []*rooms.Result `json:"runs"`
	Violations []violation     `json:"violations"`
}

func runRooms(c *cobra.Command, o *roomsOptions, plants []string) error {
	trial, err := o.trial(plants)
	if err != nil {
		return err
	}
	progress := o.IO.Progress("playing", o.Quiet)
	results, err := rooms.Try(c.Context(), trial, o.Seeds, o.Workers, func(share float64) { progress.Set(share, 1) })
	progress.Done()
	if err != nil && c.Context().Err() == nil {
		return err
	}
	res := triedRooms{
		FirstSeed: o.Seed, Seeds: len(results), Complete: len(results) == o.Seeds, Members: o.Members, Providers: o.Providers, Steps: o.Steps,
		Checks: rooms.Checks, Runs: results, Violations: []violation{},
	}
	for _, r := range results {
		res.Wishes += r.Wishes
		res.Failed += r.Failed
		res.Counts.Add(&r.Counts)
		if r.Violated == 0 {
			continue
		}
		one := trial
		one.Seed = r.Seed
		if o.Shrink && len(res.Violations) < maxShown {
			if one, err = one.Shrink(); err != nil {
				return err
			}
		}
		res.Violations = append(res.Violations, violation{
			Seed: r.Seed, Count: r.Violated, First: r.Violations[0].String(), Replay: replayRooms(one),
		})
	}
	if o.JSON {
		if err := o.IO.JSON(res); err != nil {
			return err
		}
	} else {
		writeRooms(o.IO, &res)
	}
	if len(res.Violations) > 0 {
		return complain(o.IO, res.Violations)
	}
	return err
}

// writeRooms prints what happened, in all runs and in one on average.
func writeRooms(t *term.IO, res *triedRooms) {
	verdict := t.Paint(term.Good, "no violation")
	if n := len(res.Violations); n > 0 {
		verdict = t.Paint(term.Bad, fmt.Sprintf("violations in %d runs", n))
	}
	fmt.Fprintf(t.Out, "%d rooms: %s\n\n", res.Seeds, verdict)
	k := &res.Counts
	fmt.Fprintf(t.Out, "%-52s %12s %10s\n", "", "all", "per room")
	for _, row := range []struct {
		what string
		n    int
	}{
		{"what users wanted", res.Wishes},
		{"  and did not get", res.Failed},
		{"Commits accepted", k.Commits},
		{"  from outside", k.Joins},
		{"  or lost to another of the same epoch", k.LostRaces},
		{"clients added by a Welcome", k.Welcomes},
		{"clients removed", k.Removals},
		{"requests with proposals", k.Proposals},
		{"messages accepted", k.Messages},
		{"  of the epoch before", k.Late},
		{"refused by policy", k.Refusals},
		{"events delivered to clients", k.Deliveries},
		{"", -1},
		{"providers and devices that stopped", k.Crashes},
		{"  steps undone", k.LostSteps},
		{"  times that not all left which was to leave", k.CutSteps},
		{"connections of devices that broke", k.Breaks},
		{"requests lost between providers", k.LostRequests},
		{"answers lost between providers", k.LostAnswers},
		{"requests that came twice", k.Twice},
		{"requests given up", k.Timeouts},
		{"requests to notify made again", k.Repeated},
	} {
		if row.n < 0 {
			fmt.Fprintln(t.Out)
			continue
		}
		fmt.Fprintf(t.Out, "%-52s %12d %10.1f\n", row.what, row.n, float64(row.n)/float64(max(res.Seeds, 1)))
	}
}
