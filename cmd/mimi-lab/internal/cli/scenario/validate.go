package scenario

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// validateOptions are those of the command scenario validate.
type validateOptions struct {
	IO    *term.IO
	Name  string
	Set   []string
	JSON  bool
	Quiet bool
}

func newValidate(t *term.IO) *cobra.Command {
	o := &validateOptions{IO: t}
	c := &cobra.Command{
		Use:   "validate NAME|FILE",
		Short: "Say whether a scenario file is right, and if not, where",
		Long: `Say whether a scenario file is right, and if not, what is wrong in which line
and column. "-" stands for standard input. A file that is wrong exits with 2.`,
		Example: `  mimi-lab scenario validate dma-launch-2024
  mimi-lab scenario new mine | mimi-lab scenario validate -`,
		Args:              command.Args(1, 1, "the name of a scenario or a file"),
		ValidArgsFunction: Complete,
		RunE: func(_ *cobra.Command, args []string) error {
			o.Name = args[0]
			return runValidate(o)
		},
	}
	c.Flags().StringArrayVar(&o.Set, "set", nil, "replace a value first: partners.0.users=50")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object with the problems")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "print nothing if the file is right")
	return c
}

// verdict is what the command says of a file, as JSON.
type verdict struct {
	Valid    bool      `json:"valid"`
	Points   int       `json:"points"`
	Problems []problem `json:"problems"`
}

// problem is one thing that is wrong with a file.
type problem struct {
	Line     int    `json:"line,omitempty"` // from 1; absent if it does not stand in the file
	Column   int    `json:"column,omitempty"`
	Override string `json:"override,omitempty"`
	Path     string `json:"path"`
	Found    string `json:"found"`
	Expected string `json:"expected,omitempty"`
	Hint     string `json:"hint,omitempty"` // what may have been meant
}

func runValidate(o *validateOptions) error {
	f, err := Load(o.IO, o.Name, o.Set)
	if o.JSON {
		return o.json(f, err)
	}
	if err != nil {
		return err
	}
	if !o.Quiet {
		fmt.Fprintf(o.IO.Out, "%s is valid: %s\n", o.Name, term.Plural(len(f.Points()), "point"))
	}
	return nil
}

// json prints the verdict. Without a file to judge it returns err.
func (o *validateOptions) json(f *scenario.File, err error) error {
	if err == nil {
		return o.IO.JSON(verdict{Valid: true, Points: len(f.Points()), Problems: []problem{}})
	}
	var all scenario.Errors
	if !errors.As(err, &all) {
		return err
	}
	var v verdict
	for _, e := range all {
		v.Problems = append(v.Problems, problem{e.Line, e.Column, e.Override, e.Path, e.Found, e.Expected, e.Hint})
	}
	if err := o.IO.JSON(v); err != nil {
		return err
	}
	return exit.Usagef("", "%s is not a valid scenario", o.Name)
}
