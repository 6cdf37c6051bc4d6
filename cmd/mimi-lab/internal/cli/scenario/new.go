package scenario

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// newOptions are those of the command scenario new.
type newOptions struct {
	IO   *term.IO
	Name string
	Out  string
}

func newNew(t *term.IO) *cobra.Command {
	o := &newOptions{IO: t}
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "Begin a scenario file",
		Long: `Print a small but complete scenario file with a word on every value, to be
changed into what is wanted.`,
		Example: `  mimi-lab scenario new mine > mine.yaml
  mimi-lab scenario new mine --out my-own.yaml`,
		Args: command.Args(1, 1, "the name of the new scenario"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Name = args[0]
			return runNew(o)
		},
	}
	c.Flags().StringVar(&o.Out, "out", "", "write this file, which must not exist yet")
	return c
}

func runNew(o *newOptions) error {
	text, err := scenario.Template(o.Name)
	if err != nil {
		return exit.Usagef("", "%w", err)
	}
	if o.Out == "" {
		_, err := o.IO.Out.Write(text)
		return err
	}
	f, err := os.OpenFile(o.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return exit.Failuref("Choose another file with --out; nothing was written.", "%w", err)
	}
	if _, err := f.Write(text); err != nil {
		f.Close()
		return exit.Failuref("", "%w", err)
	}
	if err := f.Close(); err != nil {
		return exit.Failuref("", "%w", err)
	}
	_, err = fmt.Fprintf(o.IO.Out, "wrote %s; \"mimi-lab sim run %s\" runs it\n", o.Out, o.Out)
	return err
}
