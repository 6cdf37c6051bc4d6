package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/scenario"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/findings"
	"github.com/mimi-lab/mimi-lab/sim/report"
	scenarios "github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

// runOptions are those of the command sim run.
type runOptions struct {
	source
	Out string
}

func newRun(t *term.IO) *cobra.Command {
	o := &runOptions{source: source{IO: t}}
	c := &cobra.Command{
		Use:   "run NAME|FILE",
		Short: "Run a scenario and leave tables, figures, data and a page",
		Long: `Run a scenario: every point of its sweeps, as often as it has replications. The
answers are printed; the folder gets a page to read (report.html), the figures,
all samples (samples.parquet), the estimates with their intervals
(summary.json) and what is needed to run it again (manifest.json).

An interrupt leaves the runs that were finished, marked as incomplete.`,
		Example: `  mimi-lab sim run faulty-small --set replications=2
  mimi-lab sim run dma-launch-2024 --out direct --set replications=2 \
    --set 'partners.*.route=direct'`,
		Args:              command.Args(1, 1, "the name of a scenario or a file"),
		ValidArgsFunction: scenario.Complete,
		Annotations:       map[string]string{"slow": "simulates"},
		RunE: func(c *cobra.Command, args []string) error {
			f, err := o.load(c, args[0])
			if err != nil {
				return err
			}
			return runRun(c, o, f)
		},
	}
	o.flags(c)
	c.Flags().StringVarP(&o.Out, "out", "o", "", "folder for the results (default: results/NAME/RUN)")
	return c
}

// ran is what the command did, as JSON.
type ran struct {
	Scenario   string          `json:"scenario"`
	Out        string          `json:"out"`
	Complete   bool            `json:"complete"`
	Runs       report.Progress `json:"runs"`
	Violations []violation     `json:"violations"`
	Tables     []*report.Table `json:"tables"`
	Summary    *report.Summary `json:"summary"`
}

func runRun(c *cobra.Command, o *runOptions, f *scenarios.File) error {
	start := o.IO.Now()
	if o.Out == "" {
		o.Out = filepath.Join("results", f.Name, runName(f))
	}
	if err := os.MkdirAll(o.Out, 0o777); err != nil { // before the work, not after it
		return exit.Failuref("--out chooses another folder.", "%w", err)
	}
	progress := o.IO.Progress("simulating", o.Quiet)
	outs, err := world.Run(c.Context(), f, world.RunOptions{
		Workers: o.Workers, Ledger: true, Progress: func(share float64) { progress.Set(share, 1) },
	})
	progress.Done()
	interrupted := c.Context().Err() != nil
	if err != nil && !interrupted {
		return err
	}
	r, err := o.report(f, outs)
	if err != nil {
		return err
	}
	r.Manifest.Took = o.IO.Now().Sub(start)
	if err := r.Write(o.Out); err != nil {
		return exit.Failuref("--out chooses another folder.", "%w", err)
	}
	broken := violations(outs, func(out *world.Outcome) string {
		return shell(o.call("run", "--seed", fmt.Sprint(out.Seed), "--set", "replications=1"))
	})
	if err := o.print(f, r, broken); err != nil {
		return err
	}
	switch {
	case len(broken) > 0:
		return complain(o.IO, broken)
	case interrupted:
		return c.Context().Err()
	}
	return nil
}

// runName names a run by what determines it, so that the same run goes to the same
// folder.
func runName(f *scenarios.File) string {
	sc := f.Points()[0].Scenario
	name := fmt.Sprintf("seed-%d", sc.Seed)
	if len(f.Overrides) > 0 {
		name += "-" + sc.Hash()[:8]
	}
	return name
}

// report makes a report of the runs.
func (o *runOptions) report(f *scenarios.File, outs []*world.Outcome) (*report.Report, error) {
	points := f.Points()
	r := &report.Report{Manifest: report.NewManifest(o.call("run", o.seedFlag()...))}
	m := &r.Manifest
	m.Question = f.Question
	m.Replay = shell(m.Command)
	m.Scenario = report.Scenario{Name: f.Name, Title: f.Title, SHA256: points[0].Scenario.Hash()}
	for _, p := range points {
		m.Replications.Planned += p.Scenario.Replications
		used := report.AdapterUsed{Name: p.Scenario.Adapter, Modelled: world.Modelled(&p.Scenario)}
		if !slices.Contains(m.Adapters, used) {
			m.Adapters = append(m.Adapters, used)
		}
	}
	for _, out := range outs {
		r.Replications = append(r.Replications, out.Replication)
		if !slices.Contains(m.Seeds, out.Seed) {
			m.Seeds = append(m.Seeds, out.Seed)
		}
	}
	m.Replications.Done = len(outs)
	m.Complete = m.Replications.Done == m.Replications.Planned
	m.Drafts = []report.Revision{
		{Name: "WhatsApp Reference Offer, technical specification", Revision: "1.0.3 of 26 September 2025"},
		{Name: "Signal: X3DH, Double Ratchet", Revision: "1"},
	}
	for _, b := range f.Assumptions() {
		var values []string
		for _, n := range b.Numbers {
			values = append(values, n.Value)
		}
		m.Assumptions = append(m.Assumptions, report.Assumption{Name: b.Path, Value: strings.Join(slices.Compact(values), ", "), Why: b.Assumed})
	}
	var err error
	if r.Summary, err = report.Collect(r.Replications...); err != nil {
		return nil, fmt.Errorf("the runs contradict each other: %w", err)
	}
	r.Sections = findings.Sections(r.Summary)
	return r, nil
}

// seedFlag is the flag that repeats the seed, if one was given.
func (o *source) seedFlag() []string {
	if !o.SeedSet {
		return nil
	}
	return []string{"--seed", fmt.Sprint(o.Seed)}
}

// print prints the tables and where the rest is.
func (o *runOptions) print(f *scenarios.File, r *report.Report, broken []violation) error {
	var tables []*report.Table
	for _, s := range r.Sections {
		if s.Table != nil {
			tables = append(tables, s.Table)
		}
	}
	if o.JSON {
		return o.IO.JSON(ran{
			Scenario: f.Name, Out: o.Out, Complete: r.Manifest.Complete, Runs: r.Manifest.Replications,
			Violations: broken, Tables: tables, Summary: r.Summary,
		})
	}
	var err error
	line := func(format string, args ...any) {
		_, e := fmt.Fprintf(o.IO.Out, format, args...)
		err = errors.Join(err, e)
	}
	for _, t := range tables {
		title, rest, _ := strings.Cut(t.String(), "\n")
		line("%s\n%s\n", o.IO.Paint(term.Bold, title), rest)
	}
	if len(r.Replications) > 0 {
		line("%s\n", intervals(r))
	}
	if !r.Manifest.Complete {
		line("Interrupted: %d of %d runs were finished.\n", r.Manifest.Replications.Done, r.Manifest.Replications.Planned)
	}
	line("Report: %s\n", filepath.Join(o.Out, report.PageFile))
	return err
}

// intervals says what stands behind the sign ±.
func intervals(r *report.Report) string {
	n := len(r.Manifest.Seeds)
	if n < 2 {
		return "One run: what it says of its own spread is little. Try --set replications=5."
	}
	return fmt.Sprintf("Means ± half of the 95 %% interval over %d replications.", n)
}
