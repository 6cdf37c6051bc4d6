package scenario

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// showOptions are those of the command scenario show.
type showOptions struct {
	IO   *term.IO
	Name string
	Set  []string
	File bool
	JSON bool
}

func newShow(t *term.IO) *cobra.Command {
	o := &showOptions{IO: t}
	c := &cobra.Command{
		Use:   "show NAME|FILE",
		Short: "Say what a scenario simulates and what its numbers rest on",
		Long: `Say what a scenario asks, what it runs, and what its numbers rest on: a public
source, or an assumption.`,
		Example: `  mimi-lab scenario show dma-launch-2024
  mimi-lab scenario show dma-launch-2024 --file > my-own.yaml`,
		Args:              command.Args(1, 1, "the name of a scenario or a file"),
		ValidArgsFunction: Complete,
		RunE: func(_ *cobra.Command, args []string) error {
			o.Name = args[0]
			return runShow(o)
		},
	}
	c.Flags().StringArrayVar(&o.Set, "set", nil, "replace a value: partners.0.users=50")
	c.Flags().BoolVar(&o.File, "file", false, "print the file itself")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// shown is what the command says of a scenario, as JSON.
type shown struct {
	Name     string  `json:"name"`
	Title    string  `json:"title"`
	Question string  `json:"question,omitempty"`
	Studies  []study `json:"studies"`
	Basis    []basis `json:"basis"`
}

// basis is what a group of numbers rests on: a source, or why it is assumed.
type basis struct {
	Path    string            `json:"path"`
	Source  string            `json:"source,omitempty"`
	Assumed string            `json:"assumed,omitempty"`
	Numbers map[string]string `json:"numbers"` // by path, as written
}

// study is what is run to answer one question.
type study struct {
	Name     string        `json:"name"`
	Question string        `json:"question,omitempty"`
	Points   int           `json:"points"`
	Runs     int           `json:"runs"`            // points times replications
	Span     time.Duration `json:"virtual_time_ns"` // the longest of its runs
	Adapters []string      `json:"adapters"`
}

func runShow(o *showOptions) error {
	if o.File {
		_, text, err := Source(o.IO, o.Name)
		if err != nil {
			return err
		}
		_, err = o.IO.Out.Write(text)
		return err
	}
	f, err := Load(o.IO, o.Name, o.Set)
	if err != nil {
		return err
	}
	s := shown{Name: f.Name, Title: f.Title, Question: f.Question, Studies: studies(f)}
	for _, b := range f.Basis() {
		numbers := map[string]string{}
		for _, n := range b.Numbers {
			numbers[n.Path] = n.Value
		}
		s.Basis = append(s.Basis, basis{b.Path, b.Source, b.Assumed, numbers})
	}
	if o.JSON {
		return o.IO.JSON(s)
	}
	o.print(s)
	return nil
}

func studies(f *scenario.File) []study {
	var all []study
	for _, s := range f.Studies {
		one := study{Name: s.Name, Question: s.Question}
		seen := map[string]bool{}
		for _, p := range f.Points() {
			if p.Study != s.Name {
				continue
			}
			one.Points++
			one.Runs += p.Scenario.Replications
			one.Span = max(one.Span, p.Scenario.Span())
			if !seen[p.Scenario.Adapter] {
				one.Adapters = append(one.Adapters, p.Scenario.Adapter)
				seen[p.Scenario.Adapter] = true
			}
		}
		all = append(all, one)
	}
	return all
}

func (o *showOptions) print(s shown) {
	out := o.IO.Out
	paragraph := func(indent, text string) {
		for _, line := range term.Wrap(text, 80-len(indent)) {
			fmt.Fprintln(out, indent+line)
		}
	}
	fmt.Fprintln(out, o.IO.Paint(term.Bold, s.Name))
	paragraph("", s.Title)
	if s.Question != "" {
		fmt.Fprintln(out)
		paragraph("", s.Question)
	}
	for _, one := range s.Studies {
		fmt.Fprintf(out, "\n%s  %s, %s of %v virtual time\n", o.IO.Paint(term.Name, one.Name),
			term.Plural(one.Points, "point"), term.Plural(one.Runs, "run"), one.Span)
		paragraph("  ", one.Question)
	}
	for _, kind := range []struct{ title, of string }{{"Calibrated", "source"}, {"Assumed", "assumed"}} {
		fmt.Fprintf(out, "\n%s\n", o.IO.Paint(term.Bold, kind.title))
		none := true
		for _, b := range s.Basis {
			why := b.Source
			if kind.of == "assumed" {
				why = b.Assumed
			}
			if why == "" {
				continue
			}
			none = false
			fmt.Fprintf(out, "  %s  %s\n", o.IO.Paint(term.Name, b.Path), term.Plural(len(b.Numbers), "number"))
			paragraph("    ", why)
		}
		if none {
			fmt.Fprintln(out, "  nothing")
		}
	}
}
