// Package demo shows protocols at work, all parties in one process.
package demo

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun demo.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "demo",
		Short: "Show a protocol at work",
		Long: `Play a conversation between several parties in one process, with real
cryptography under virtual time, and print who says what to whom.`,
		Example: `  mimi-lab demo rooms
  mimi-lab demo gateway`,
	}, newRooms(t), newGateway(t))
}
