// Package mls serves and plays MLS groups.
package mls

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun mls.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:     "mls",
		Short:   "Play MLS groups with other implementations",
		Long:    `Play MLS groups (RFC 9420) with other implementations.`,
		Example: `  mimi-lab mls interop --suite 1 --scenario welcome_join`,
	}, newServe(t), newInterop(t))
}
