package scenario

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// schemaOptions are those of the command scenario schema.
type schemaOptions struct {
	IO *term.IO
}

func newSchema(t *term.IO) *cobra.Command {
	o := &schemaOptions{IO: t}
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of scenario files",
		Long: `Print the JSON schema (draft 2020-12) of scenario files. An editor that knows it
completes keys and shows what they mean.`,
		Example: "  mimi-lab scenario schema > scenario.schema.json",
		Args:    command.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runSchema(o) },
	}
}

func runSchema(o *schemaOptions) error {
	_, err := o.IO.Out.Write(scenario.Schema())
	return err
}
