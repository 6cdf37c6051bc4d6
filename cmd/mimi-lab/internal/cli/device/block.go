package device

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

func newBlock(t *term.IO) *cobra.Command {
	o := &options{IO: t}
	off := false
	c := &cobra.Command{
		Use:   "block NAME USER",
		Short: "Put somebody on a user's blocklist, or take them off",
		Long: `Put USER on the blocklist of a user, or take them off. What USER has sent and
the device has not yet got is dropped; neither can write to the other.`,
		Example: `  mimi-lab device block 4915112345678 bob@partner.example
  mimi-lab device block 4915112345678 bob@partner.example --off`,
		Annotations: tried("mimi-lab device enlist bob@partner.example", "mimi-lab device enlist 4915112345678"),
		Args:        command.Args(2, 2, "a name or a user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			done := fmt.Sprintf("%s has blocked %s", o.Name, args[1])
			if off {
				done = fmt.Sprintf("%s has not blocked %s any more", o.Name, args[1])
			}
			return o.order(c.Context(), args[1], func(a ident.Address) dma.Input { return dma.Block{User: a, On: !off} }, done)
		},
	}
	o.flags(c.Flags())
	c.Flags().BoolVar(&off, "off", false, "take USER off the blocklist")
	return c
}
