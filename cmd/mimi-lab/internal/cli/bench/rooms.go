package bench

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/bench/rooms"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// roomsOptions are those of the command bench rooms.
type roomsOptions struct {
	loadOptions
	Followers, Clients        []int
	Stores                    []string
	Rooms, Messages, UnderWay int
}

func newRooms(t *term.IO) *cobra.Command {
	o := &roomsOptions{loadOptions: loadOptions{output: output{IO: t}}}
	c := &cobra.Command{
		Use:   "rooms",
		Short: "Measure a MIMI hub with followers under load",
		Long: `Measure what a MIMI hub takes: a hub and its followers on the loopback
interface, with mutual TLS 1.3 and HTTP/2, and stores on the disk where every
commit is synced before it counts. Senders submit messages that were sealed
before, so many at once; followers get them, together where they wait; all
clients take and acknowledge them.

In turns with the hub an empty handler on the same stack gets the same requests.
The ratio of the rates is what can be compared between machines:

  accepted   until the hub has answered the last message of a round
  delivered  until the last client of all followers has the last message
  empty      until the empty handler has answered the last request
  µs CPU     of the process for a message, and for a request to the empty
             handler; on a machine that does other things, trust these most
  batch      messages in a request to notify
  sync       how long a transaction of the hub's store takes

All parts are in one process and share its cores, so that the hub alone would
take more. Rates and ratios are medians of the rounds. Followers are swept with
the first number of clients, clients with 3 followers; each follower has one
client more, who sends.

There is no number unless every message was accepted, every client got each one
once and in order, all followers got the same bytes, and a member could open
them. An interrupt prints the rows that are whole and exits with 130.`,
		Example: `  mimi-lab bench rooms --followers 1,3 --clients 1 --messages 200 --time 1ms
  mimi-lab bench rooms --followers 1 --messages 50 --time 1ms --json --out figs`,
		Args: command.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runRooms(c.Context(), o) },
	}
	f := c.Flags()
	f.IntSliceVar(&o.Followers, "followers", []int{1, 2, 3, 5, 10, 20}, "numbers of followers")
	f.IntSliceVar(&o.Clients, "clients", []int{1, 10, 100}, "numbers of clients of each follower")
	f.StringSliceVar(&o.Stores, "stores", []string{"sqlite", "memory"}, "stores of hub and followers")
	f.IntVar(&o.Rooms, "rooms", 1, "rooms that the messages are sent in")
	f.IntVar(&o.Messages, "messages", 2000, "messages of a round")
	f.IntVar(&o.UnderWay, "under-way", 200, "requests under way at once")
	o.flags(c)
	return c
}

func runRooms(ctx context.Context, o *roomsOptions) error {
	opt := rooms.Options{
		Followers: o.Followers, Clients: o.Clients, Rooms: o.Rooms, Messages: o.Messages, UnderWay: o.UnderWay, Time: o.Time, Dir: o.Dir,
	}
	for _, s := range o.Stores {
		opt.Stores = append(opt.Stores, rooms.Store(s))
	}
	return o.run(ctx, "bench: rooms: ", opt.Check, func(l *load) (measured, int, error) {
		opt.Profile, opt.Progress = l.profile, l.progress
		res, err := rooms.Run(ctx, opt)
		return res, len(res.Rows), err
	})
}
