package device

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// sendOptions are those of the command device send.
type sendOptions struct {
	options
	To        string
	Text      string
	Delivered bool
}

func newSend(t *term.IO) *cobra.Command {
	o := &sendOptions{options: options{IO: t}}
	c := &cobra.Command{
		Use:   "send NAME TO TEXT",
		Short: "Send a text",
		Long: `Send a text as a user and wait until the gatekeeper has accepted it, which
keeps it from then on; --delivered waits for the other device. TO is an address
such as 1-10000000000000@interop, or the name of a user with a device in --dev.

A message that was not accepted in time stays in the device and goes out when it
connects again.`,
		Example:     `  mimi-lab device send bob@partner.example 4915112345678 "Hello across"`,
		Annotations: tried("mimi-lab device enlist bob@partner.example", "mimi-lab device enlist 4915112345678"),
		Args:        command.Args(3, 3, "a name, a recipient or a text (in quotes)"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name, o.To, o.Text = args[0], args[1], args[2]
			return o.send(c.Context())
		},
	}
	o.flags(c.Flags())
	c.Flags().BoolVar(&o.Delivered, "delivered", false, "wait for the delivery receipt")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// sent is what send prints with --json.
type sent struct {
	ID    string        `json:"id"`
	To    ident.Address `json:"to"`
	State string        `json:"state"` // accepted or delivered
}

func (o *sendOptions) send(ctx context.Context) error {
	return o.sendTo(ctx, o.named)
}

// finder finds whom a message is for.
type finder func(context.Context, *dmadev.Dir, *serve.Device) (ident.Address, error)

// named finds the user of the command line.
func (o *sendOptions) named(_ context.Context, dir *dmadev.Dir, _ *serve.Device) (ident.Address, error) {
	return dir.Lookup(o.To)
}

// sendTo sends a text to whom find finds.
func (o *sendOptions) sendTo(ctx context.Context, find finder) error {
	s, err := o.submit(ctx, find, func(ctx context.Context, d *serve.Device, to ident.Address) (string, error) {
		id, err := d.Do(ctx, dma.Compose{To: to, Content: dma.Content{Kind: dma.Text, Text: o.Text}})
		if err != nil {
			return "", exit.Failuref("", "%w", err)
		}
		return id, nil
	})
	if err != nil {
		return err
	}
	if o.JSON {
		return o.IO.JSON(s)
	}
	fmt.Fprintf(o.IO.Out, "%s: %s is %s\n", s.To, s.ID, s.State)
	return nil
}

// submit runs the device, has write write a message to whom find finds, and waits for what
// becomes of it.
func (o *sendOptions) submit(ctx context.Context, find finder, write func(context.Context, *serve.Device, ident.Address) (id string, err error)) (s sent, err error) {
	events := make(chan dma.Event, 64)
	err = o.run(ctx, outcomes(events), func(ctx context.Context, dir *dmadev.Dir, d *serve.Device) (err error) {
		if s.To, err = find(ctx, dir, d); err != nil {
			return err
		}
		if s.ID, err = write(ctx, d, s.To); err != nil {
			return err
		}
		if s.State, err = o.await(ctx, events, s.ID); err != nil {
			return err
		}
		return o.settle(ctx, d)
	})
	return s, err
}

// outcomes passes on what becomes of messages.
func outcomes(events chan<- dma.Event) func(dma.Event) {
	return func(e dma.Event) {
		switch e.Kind {
		case dma.MessageAccepted, dma.MessageRefused, dma.DeliveryReceipt:
			select {
			case events <- e:
			default: // of very many older messages; this one's come with its own wait
			}
		}
	}
}

// await waits for what becomes of a message.
func (o *sendOptions) await(ctx context.Context, events <-chan dma.Event, id string) (state string, err error) {
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	for {
		select {
		case e := <-events:
			switch {
			case e.ID != id:
			case e.Kind == dma.MessageRefused:
				return "", exit.Failuref("", "the gatekeeper refuses the message: %s", e.Reason)
			case e.Kind == dma.DeliveryReceipt:
				return "delivered", nil
			case !o.Delivered:
				return "accepted", nil
			}
		case <-bounded.Done():
			what := "the gatekeeper's acknowledgement"
			if o.Delivered {
				what = "the delivery receipt"
			}
			return "", o.late(context.Cause(bounded), what)
		}
	}
}
