package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
)

// connectOptions are those of the command device connect.
type connectOptions struct {
	options
	For time.Duration // 0 means without end
}

func newConnect(t *term.IO) *cobra.Command {
	o := &connectOptions{options: options{IO: t}}
	c := &cobra.Command{
		Use:   "connect NAME",
		Short: "Keep a device connected and print what comes",
		Long: `Keep the device of a user connected until it is interrupted. Messages are
printed, media saved; what else happens, such as receipts, goes to standard
error. When the connection breaks the device connects again.`,
		Example:     `  mimi-lab device connect 4915112345678 --for 1s`,
		Annotations: tried("mimi-lab device enlist 4915112345678"),
		Args:        command.Args(1, 1, "a user's name"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return o.connect(c.Context())
		},
	}
	o.flags(c.Flags())
	c.Flags().DurationVar(&o.For, "for", 0, "end after this time; 0 goes on without end")
	o.saveFlags(c.Flags())
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object for each message, on a line")
	return c
}

// errOver: the time of --for is over.
var errOver = errors.New("the time is over")

func (o *connectOptions) connect(ctx context.Context) error {
	if o.For < 0 {
		return exit.Usagef("", "--for %v: want 0 or more", o.For)
	}
	if err := o.checkMedia(); err != nil {
		return err
	}
	err := o.run(ctx, o.event, func(ctx context.Context, dir *dmadev.Dir, d *serve.Device) error {
		fmt.Fprintf(o.IO.Err, "%s is %s\n", o.Name, d.Account())
		if o.For > 0 {
			bounded, cancel := context.WithTimeoutCause(ctx, o.For, errOver)
			defer cancel()
			ctx = bounded
		}
		for {
			m, err := d.Receive(ctx)
			if err != nil {
				return err
			}
			if err := o.take(ctx, dir, d, m); err != nil {
				return err
			}
		}
	})
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// event prints what else happens.
func (o *connectOptions) event(e dma.Event) {
	if e.Kind == dma.MessageDelivered {
		return
	}
	s := e.Kind.String()
	if e.ID != "" {
		s += " " + shown(e.ID)
	}
	if !e.Peer.IsZero() {
		s += " " + e.Peer.String()
	}
	if !e.Group.IsZero() {
		s += " in " + e.Group.String()
	}
	if e.Reason != "" {
		s += ": " + shown(e.Reason)
	}
	fmt.Fprintln(o.IO.Err, s)
}
