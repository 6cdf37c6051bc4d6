// Package sim runs scenarios and checks them over many seeds.
package sim

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/scenario"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	scenarios "github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

// New makes the noun sim.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "sim",
		Short: "Simulate scenarios, and check what must always hold",
		Long: `Simulate scenarios, and check what must always hold.

A simulation runs the protocol code of gatekeepers, partners and devices, or of
MIMI providers and clients, by virtual time over simulated networks. The same
scenario and seed give the same run.`,
		Example: `  mimi-lab sim check faulty-small --seeds 2
  mimi-lab sim rooms --seeds 2
  mimi-lab scenario list`,
	}, newRun(t), newCheck(t), newTrace(t), newRooms(t), newCrowd(t))
}

// source is what the commands have in common: a scenario with its overrides.
type source struct {
	IO      *term.IO
	Name    string
	Set     []string
	Seed    uint64
	SeedSet bool // Seed replaces the scenario's
	Workers int
	Quiet   bool
	JSON    bool
}

func (o *source) flags(c *cobra.Command) {
	o.inputFlags(c)
	c.Flags().IntVar(&o.Workers, "workers", runtime.GOMAXPROCS(0), "runs at the same time; results do not depend on it")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
}

// inputFlags are those that say what is simulated.
func (o *source) inputFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.Set, "set", nil, "replace a value, or sweep it: partners.*.users=${10,20}")
	c.Flags().Uint64Var(&o.Seed, "seed", 0, "seed of the first run (default: the scenario's)")
}

// load reads the scenario with the overrides, and sees whether its adapters are in
// this binary.
func (o *source) load(c *cobra.Command, name string) (*scenarios.File, error) {
	o.Name, o.SeedSet = name, c.Flags().Changed("seed")
	if o.Workers < 1 || o.Workers > 1024 {
		return nil, exit.Usagef("", "--workers %d: want 1 to 1024", o.Workers)
	}
	set := o.Set
	if o.SeedSet {
		set = append(set[:len(set):len(set)], fmt.Sprintf("seed=%d", o.Seed))
	}
	f, err := scenario.Load(o.IO, name, set)
	if err != nil {
		return nil, err
	}
	for _, p := range f.Points() {
		if _, err := adapters.ByName(p.Scenario.Adapter); err != nil {
			return nil, exit.Usagef(`"--set adapter=NAME" chooses another one.`, "scenario %s: %w", f.Name, err)
		}
	}
	return f, nil
}

// call is the command line that runs the same scenario with the same overrides, and
// with more words.
func (o *source) call(verb string, more ...string) []string {
	words := []string{"mimi-lab", "sim", verb, o.Name}
	for _, s := range o.Set {
		words = append(words, "--set", s)
	}
	return append(words, more...)
}

// shell writes words as one line for a shell.
func shell(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = command.Quote(w)
	}
	return strings.Join(quoted, " ")
}

// violation is a broken invariant, as printed.
type violation struct {
	Point  string `json:"point,omitempty"`
	Seed   uint64 `json:"seed"`
	Count  int    `json:"count"` // in this run
	First  string `json:"first"`
	Replay string `json:"replay"`
}

// violations collects the runs that broke an invariant. replay makes the command
// that repeats one.
func violations(outs []*world.Outcome, replay func(*world.Outcome) string) []violation {
	all := []violation{}
	for _, out := range outs {
		if out.Violated > 0 {
			all = append(all, violation{
				Point: out.Replication.Point(), Seed: out.Seed, Count: out.Violated,
				First: out.Violations[0].String(), Replay: replay(out),
			})
		}
	}
	return all
}

// maxShown is how many runs with violations are printed.
const maxShown = 5

// complain prints violations and returns the error that ends the command.
func complain(t *term.IO, all []violation) error {
	for i, v := range all {
		if i == maxShown {
			fmt.Fprintf(t.Err, "... and %d more runs\n", len(all)-i)
			break
		}
		fmt.Fprintf(t.Err, "%s seed %d: %s", t.Paint(term.Bad, "violation"), v.Seed, v.First)
		if v.Count > 1 {
			fmt.Fprintf(t.Err, ", and %d more", v.Count-1)
		}
		fmt.Fprintf(t.Err, "\n  replay: %s\n", v.Replay)
	}
	return exit.Violationf("The scenario's checks say what must hold; the replay repeats the run exactly.",
		"%d of the runs broke what must hold", len(all))
}
