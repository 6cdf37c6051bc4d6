// Package bench runs the measurements of package bench and prints them.
package bench

import (
	"fmt"

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
	}, newEngine(t), newMLS(t), newRooms(t), newChat(t))
}

// output is how a command shows what it does and has measured.
type output struct {
	IO    *term.IO
	JSON  bool
	Quiet bool
}

func (o *output) flags(c *cobra.Command) {
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	c.Flags().BoolVarP(&o.Quiet, "quiet", "q", false, "show no progress")
}

func (o *output) progress() *term.Progress { return o.IO.Progress("measuring", o.Quiet) }

// print prints a result, for people or as JSON.
func (o *output) print(result interface{ Table() string }) error {
	if o.JSON {
		return o.IO.JSON(result)
	}
	_, err := fmt.Fprint(o.IO.Out, result.Table())
	return err
}
