package bench

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/bench/chat"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// chatOptions are those of the command bench chat.
type chatOptions struct {
	loadOptions
	Devices                  []int
	Stores                   []string
	UnderWay, Size, Messages int
}

func newChat(t *term.IO) *cobra.Command {
	o := &chatOptions{loadOptions: loadOptions{output: output{IO: t}}}
	c := &cobra.Command{
		Use:   "chat",
		Short: "Measure a gatekeeper with thousands of devices",
		Long: `Measure what a gatekeeper's chat channel takes: devices that are enlisted and
connected over Noise on the loopback interface, half of them partner's users who
write to the other half. Each message is acknowledged, delivered and confirmed
by a receipt: seven frames.

In turns with the gatekeeper an echo returns frames of the same size, each by
itself, over as many connections with the same Noise code. The ratio of the
rates is what can be compared between machines:

  messages   until the last receipt is with its sender
  echo       frames that came back
  ratio      of the two, and of the CPU time that each takes; on a machine that
             does other things, trust the latter most
  KB         of memory for a connection, both ends of it, before its first
             message and when all is quiet after the last one
  accepted   from the sender until its acknowledgement
  delivered  from the sender to the recipient
  messages a commit, sync
             how many share a transaction of the store, and how long one takes

Stores: none keeps nothing, memory makes all records and keeps them in memory,
sqlite has every message synced to the disk before it is acknowledged. Rates and
ratios are medians of the rounds. All parts are in one process and share its
cores, so that the gatekeeper alone would take more.

There is no number unless every message came once, in order and with its
content. An interrupt prints the rows that are whole and exits with 130.`,
		Example: `  mimi-lab bench chat --devices 20,40 --messages 400 --time 1ms
  mimi-lab bench chat --devices 20 --stores none --messages 200 --time 1ms`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runChat(c.Context(), o) },
	}
	f := c.Flags()
	f.IntSliceVar(&o.Devices, "devices", []int{250, 500, 1000, 2000}, "numbers of connected devices")
	f.StringSliceVar(&o.Stores, "stores", []string{"none", "sqlite"}, "stores: none, memory, sqlite")
	f.IntVar(&o.UnderWay, "under-way", 4, "messages of a sender under way at once")
	f.IntVar(&o.Size, "size", 200, "bytes of the ciphertext in a message")
	f.IntVar(&o.Messages, "messages", 20000, "messages of a round")
	o.flags(c)
	return c
}

func runChat(ctx context.Context, o *chatOptions) error {
	opt := chat.Options{Devices: o.Devices, UnderWay: o.UnderWay, Size: o.Size, Messages: o.Messages, Time: o.Time, Dir: o.Dir}
	for _, s := range o.Stores {
		opt.Stores = append(opt.Stores, chat.Store(s))
	}
	return o.run(ctx, "bench: chat: ", opt.Check, func(l *load) (measured, int, error) {
		opt.Profile, opt.Progress = l.profile, l.progress
		res, err := chat.Run(ctx, opt)
		return res, len(res.Rows), err
	})
}
