package command

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// List makes a verb that lists what all returns: as a JSON array if --json is given,
// else as show prints it. c says what it is called and what its help says.
func List[T any](t *term.IO, c *cobra.Command, all func() []T, show func(*term.IO, []T)) *cobra.Command {
	var json bool
	c.Args = NoArgs
	c.RunE = func(*cobra.Command, []string) error {
		if json {
			return t.JSON(all())
		}
		show(t, all())
		return nil
	}
	c.Flags().BoolVar(&json, "json", false, "print a JSON array")
	return c
}
