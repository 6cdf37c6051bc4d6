package bench

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/bench/rooms"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
)

// roomsOptions are those of the command bench rooms.
type roomsOptions struct {
	output
	Followers, Clients        []int
	Stores                    []string
	Rooms, Messages, UnderWay int
	Time                      time.Duration
	Dir, Out, Profile         string
}

func newRooms(t *term.IO) *cobra.Command {
	o := &roomsOptions{output: output{IO: t}}
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
	f.DurationVar(&o.Time, "time", 5*time.Second, "time to measure each row for")
	f.StringVar(&o.Dir, "dir", "", "`folder` to keep the stores in meanwhile; its disk is measured")
	f.StringVar(&o.Out, "out", "", "`folder` to draw the figures into, as SVG")
	f.StringVar(&o.Profile, "profile", "", "`file` for a CPU profile, whose label \"part\" says\nwhose time it is")
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
	if err := opt.Check(); err != nil {
		return exit.Usagef("", "%s", strings.TrimPrefix(err.Error(), "bench: rooms: "))
	}
	if o.Out != "" { // before minutes are spent
		if err := os.MkdirAll(o.Out, 0o777); err != nil {
			return exit.Failuref("--out chooses another folder.", "%w", err)
		}
	}
	if o.Profile != "" {
		f, err := os.Create(o.Profile)
		if err != nil {
			return exit.Failuref("--profile chooses another file.", "%w", err)
		}
		defer f.Close()
		opt.Profile = f
	}
	progress := o.progress()
	opt.Progress = func(share float64) { progress.Set(share, 1) }
	res, err := rooms.Run(ctx, opt)
	progress.Done()
	if errors.Is(err, fs.ErrNotExist) && o.Dir != "" {
		return exit.Failuref("--dir chooses another folder.", "%w", err)
	}
	if err != nil && (ctx.Err() == nil || len(res.Rows) == 0) {
		return err
	}
	printErr := o.print(res)
	if printErr == nil && o.Out != "" {
		printErr = drawRooms(o.Out, res)
	}
	return cmp.Or(err, printErr)
}

// drawRooms draws the figures that the result has points for.
func drawRooms(dir string, res rooms.Result) error {
	for f := range slices.Values(res.Figures()) {
		svg, err := f.SVG()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name+".svg"), svg, 0o666); err != nil {
			return exit.Failuref("--out chooses another folder.", "%w", err)
		}
	}
	return nil
}
