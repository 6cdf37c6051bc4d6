// Package mls looks at MLS messages and ratchet trees, and serves and plays MLS
// groups.
package mls

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun mls.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "mls",
		Short: "Look at MLS messages, play groups with other implementations",
		Long: `Look at MLS messages and ratchet trees (RFC 9420, also with the extensions of
draft-ietf-mls-extensions-10), and play MLS groups with other implementations.`,
		Example: `  echo 000300000002 | mimi-lab mls show --type Proposal
  mimi-lab mls interop --suite 1 --scenario welcome_join`,
	}, newShow(t), newTree(t), newServe(t), newInterop(t))
}
