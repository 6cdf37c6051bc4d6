package device

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

func newDelete(t *term.IO) *cobra.Command {
	o := &options{IO: t}
	c := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a user's account at the gatekeeper",
		Long: `Delete a user's account at the gatekeeper with all that waits for it. What the
user has sent to others stays theirs. "device enlist" gives the user another
account. (A partner's user who has not connected for 30 days loses the account
too.)`,
		Example:     `  mimi-lab device delete bob@partner.example`,
		Annotations: tried("mimi-lab device enlist bob@partner.example"),
		Args:        command.Args(1, 1, "a user's name"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return o.delete(c.Context())
		},
	}
	o.flags(c.Flags())
	return c
}

func (o *options) delete(ctx context.Context) error {
	err := o.run(ctx, nil, func(ctx context.Context, _ *dmadev.Dir, d *serve.Device) error {
		if _, err := d.Do(ctx, dma.Delete{}); err != nil {
			return exit.Failuref("", "%w", err)
		}
		return o.settle(ctx, d)
	})
	// The gatekeeper ends the connection, and there is no account to connect again.
	if err != nil && !errors.Is(err, stanza.NotEnlisted) {
		return err
	}
	fmt.Fprintf(o.IO.Out, "the account of %s is deleted\n", o.Name)
	return nil
}
