package device

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

func newPing(t *term.IO) *cobra.Command {
	o := &options{IO: t}
	c := &cobra.Command{
		Use:   "ping NAME USER",
		Short: "Ask a gatekeeper's user to be allowed to write",
		Long: `Ask USER, of the gatekeeper, to be allowed to write, as a partner's user. It
needs a gatekeeper with --reach ping_then_consent, unless USER can be reached
already. "device connect" shows USER the question, "device allow" answers it.`,
		Example:     `  mimi-lab device ping bob@partner.example 4915112345678`,
		Annotations: tried("mimi-lab device enlist bob@partner.example", "mimi-lab device enlist 4915112345678"),
		Args:        command.Args(2, 2, "a name or a user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return o.order(c.Context(), args[1], func(a ident.Address) dma.Input { return dma.AskPing{To: a} },
				fmt.Sprintf("%s can be reached, or has been asked", args[1]))
		},
	}
	o.flags(c.Flags())
	return c
}
