// Package proxy runs a partner's proxy between its users' devices and a gatekeeper.
package proxy

import (
	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// New makes the noun proxy.
func New(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "proxy",
		Short: "Run or check a partner's proxy to a gatekeeper",
		Long: `Run or check the proxy that a partner may put between its users' devices and a
gatekeeper, under the four rules of WhatsApp's Reference Offer 1.0.3.`,
		Example: `  mimi-lab proxy serve --for 1s
  mimi-lab proxy check --self`,
	}, newServe(t), newCheck(t))
}
