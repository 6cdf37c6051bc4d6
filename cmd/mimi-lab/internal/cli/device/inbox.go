package device

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

func newInbox(t *term.IO) *cobra.Command {
	o := &options{IO: t}
	c := &cobra.Command{
		Use:   "inbox NAME combined|separate",
		Short: "Choose where chats with users of other apps are shown",
		Long: `Choose where a user of the gatekeeper sees chats with users of other apps: among
all others, or apart. It may be changed at any time; no message is lost by it.`,
		Example:     `  mimi-lab device inbox 4915112345678 separate`,
		Annotations: tried("mimi-lab device enlist 4915112345678"),
		Args:        command.Args(2, 2, "a name or a choice"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			choice := stanza.Inbox(args[1])
			if choice != stanza.CombinedInbox && choice != stanza.SeparateInbox {
				return command.Unknown("inbox", args[1], []string{"combined", "separate"}, "It is combined or separate.")
			}
			return o.order(c.Context(), "", func(ident.Address) dma.Input { return dma.ChooseInbox{Inbox: choice} },
				fmt.Sprintf("%s has a %s inbox", o.Name, choice))
		},
	}
	o.flags(c.Flags())
	return c
}
