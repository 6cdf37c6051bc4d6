package device

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// allowOptions are those of the command device allow.
type allowOptions struct {
	options
	App  uint16
	Deny bool
}

func newAllow(t *term.IO) *cobra.Command {
	o := &allowOptions{options: options{IO: t}}
	c := &cobra.Command{
		Use:   "allow NAME [USER]",
		Short: "Let a partner's user, or a whole app, write to a user",
		Long: `Let USER, of a partner, write to a user of the gatekeeper, or with --app all
users of a partner; --deny takes it back or refuses it. It may be said at any
time.`,
		Example: `  mimi-lab device allow 4915112345678 bob@partner.example
  mimi-lab device allow 4915112345678 --app 1 --deny`,
		Annotations: tried("mimi-lab device enlist bob@partner.example", "mimi-lab device enlist 4915112345678"),
		Args:        command.Args(1, 2, "a name or a user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			if (len(args) == 2) == c.Flags().Changed("app") {
				return exit.Usagef(`"mimi-lab device allow --help" shows both.`, "want either USER or --app")
			}
			verb := "allows"
			if o.Deny {
				verb = "does not allow"
			}
			if len(args) == 1 {
				return o.order(c.Context(), "", func(ident.Address) dma.Input { return dma.AllowApp{Integrator: o.App, Allow: !o.Deny} },
					fmt.Sprintf("%s %s the app of partner %d", o.Name, verb, o.App))
			}
			return o.order(c.Context(), args[1], func(a ident.Address) dma.Input { return dma.AnswerPing{To: a, Allow: !o.Deny} },
				fmt.Sprintf("%s %s %s", o.Name, verb, args[1]))
		},
	}
	o.flags(c.Flags())
	c.Flags().Uint16Var(&o.App, "app", 0, "`number` of a partner, all of whose users are meant")
	c.Flags().BoolVar(&o.Deny, "deny", false, "do not, or not any more")
	return c
}
