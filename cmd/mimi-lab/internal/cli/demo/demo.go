// Package demo shows protocols at work, all parties in one process.
package demo

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/sim/trace"
)

// New makes the noun demo.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "demo",
		Short: "Show a protocol at work",
		Long: `Play a conversation between several parties in one process, with real
cryptography, and print who says what to whom: over sockets (dma), or under
virtual time.`,
		Example: `  mimi-lab demo rooms
  mimi-lab demo dma
  mimi-lab demo gateway`,
	}, newRooms(t), newDMA(t), newGateway(t))
}

// draw writes a demonstration's sequence diagram to a file, if one is wanted.
func draw(file string, d *trace.Diagram) error {
	if file == "" {
		return nil
	}
	svg, err := d.SVG()
	if err == nil {
		err = os.WriteFile(file, svg, 0o666)
	}
	if err != nil {
		return exit.Failuref("--out chooses another file.", "%w", err)
	}
	return nil
}
