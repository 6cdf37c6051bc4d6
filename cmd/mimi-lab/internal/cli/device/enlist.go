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
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

func newEnlist(t *term.IO) *cobra.Command {
	o := &options{IO: t}
	c := &cobra.Command{
		Use:   "enlist NAME",
		Short: "Make a device and enlist its user",
		Long: `Make a device and enlist its user: POST /3p/interop_reg with the keys of the
device and a token of the partner, as the Reference Offer has it. A device that
is there enlists again with the keys it has. Users of the gatekeeper register
with the same form at a path of this project's (assumed).`,
		Example: `  mimi-lab device enlist bob@partner.example
  mimi-lab device enlist 4915112345678 --json`,
		Annotations: tried(),
		Args:        command.Args(1, 1, "a user's name"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return o.enlist(c.Context())
		},
	}
	o.flags(c.Flags())
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// enlisted is what enlist prints with --json.
type enlisted struct {
	Name    string        `json:"name"`
	Address ident.Address `json:"address"`
}

func (o *options) enlist(ctx context.Context) (err error) {
	dir, st, err := o.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	at, err := dir.Find()
	if err != nil {
		return err
	}
	adapter, err := dmadev.Adapter(o.IO.Err)
	if err != nil {
		return err
	}
	s, err := dmadev.Suite()
	if err != nil {
		return err
	}
	cfg := serve.EnlistConfig{
		Base: "https://" + at.HTTPS, Roots: dir.Roots, Store: st, Adapter: adapter, Suite: s, Identifier: o.Name, Timeout: o.Timeout,
	}
	if dmadev.Native(o.Name) {
		cfg.Native = ident.User
	}
	if cfg.Token, err = o.token(ctx, dir); err != nil {
		return err
	}
	a, err := serve.Enlist(ctx, cfg)
	var reason enlist.Reason
	if errors.As(err, &reason) {
		return exit.Failuref("", "the gatekeeper does not enlist %s: %w", o.Name, reason)
	}
	if err != nil {
		return exit.Failuref(fmt.Sprintf(`Does "mimi-lab gatekeeper serve --dev %s" run?`, command.Quote(o.Dev)), "%w", err)
	}
	if err := dir.NoteAddress(o.Name, a); err != nil {
		return err
	}
	if o.JSON {
		return o.IO.JSON(enlisted{o.Name, a})
	}
	fmt.Fprintf(o.IO.Out, "%s is %s\n", o.Name, a)
	return nil
}
