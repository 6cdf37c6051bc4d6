// Package bench runs the measurements of package bench and prints them.
package bench

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun bench.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "bench",
		Short: "Measure on the clock of this machine",
		Long: `Measure on the clock of this machine. Every measurement checks that what it
measured was right; if not, there is no number.`,
		Example: "  mimi-lab bench engine --pending 1000 --time 200ms",
	}, newEngine(t), newMLS(t))
}
