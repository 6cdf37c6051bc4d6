// Package provider runs MIMI providers, and checks those of others.
package provider

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun provider.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "provider",
		Short: "Run a MIMI provider, or check one",
		Long: `Run a provider that speaks MIMI (draft-ietf-mimi-protocol-06) to others: the hub
of its own rooms, and a follower of theirs; or check somebody else's.`,
		Example: `  mimi-lab provider serve --dev lab --domain a.example --for 1s
  mimi-lab provider check --self`,
	}, newServe(t), newCheck(t))
}
