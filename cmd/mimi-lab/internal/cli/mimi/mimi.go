// Package mimi looks at the bodies that MIMI providers send each other.
package mimi

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun mimi.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "mimi",
		Short: "Look at what MIMI providers send each other",
		Long: `Look at the bodies of requests and responses between MIMI providers
(draft-ietf-mimi-protocol-06).`,
		Example: `  echo 0101 | mimi-lab mimi show --endpoint submitMessage --response`,
	}, newShow(t))
}
