package device

import (
	"context"
	"fmt"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// order has the device of a user tell the gatekeeper something that is about a peer, or
// about nobody if that is "", and prints done when the gatekeeper has it.
func (o *options) order(ctx context.Context, peer string, input func(ident.Address) dma.Input, done string) error {
	refused := make(chan dma.Event, 64)
	return o.run(ctx, func(e dma.Event) {
		if e.Kind == dma.ConsentRefused && e.Reason != "" {
			select {
			case refused <- e:
			default:
			}
		}
	}, func(ctx context.Context, dir *dmadev.Dir, d *serve.Device) error {
		var addr ident.Address
		if peer != "" {
			var err error
			if addr, err = dir.Lookup(peer); err != nil {
				return err
			}
		}
		if _, err := d.Do(ctx, input(addr)); err != nil {
			return exit.Failuref("", "%w", err)
		}
		if err := o.settle(ctx, d); err != nil {
			return err
		}
		for {
			select {
			case e := <-refused:
				if e.Peer == addr {
					return exit.Failuref("", "the gatekeeper refuses it: %s", e.Reason)
				}
			default:
				fmt.Fprintln(o.IO.Out, done)
				return nil
			}
		}
	})
}
