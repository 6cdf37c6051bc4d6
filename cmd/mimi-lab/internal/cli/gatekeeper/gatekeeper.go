// Package gatekeeper runs a gatekeeper: what a partner engineer develops against.
package gatekeeper

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun gatekeeper.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "gatekeeper",
		Short: "Run a stand-in for a gatekeeper's servers, and check partners",
		Long: `Run a stand-in for the servers of a gatekeeper under the Digital Markets Act:
enlistment and the chat channel, as far as WhatsApp's Reference Offer 1.0.3 and
public clients show them.`,
		Example: `  mimi-lab gatekeeper serve --for 1s
  mimi-lab gatekeeper check --self`,
	}, newServe(t), newConfig(t), newCheck(t))
}
