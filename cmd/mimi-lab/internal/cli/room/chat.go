package room

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve/device"
	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// chatOptions are those of the command room chat.
type chatOptions struct {
	client.Options
	Room string
}

func newChat(t *term.IO) *cobra.Command {
	o := &chatOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "chat ROOM",
		Short: "Send each line that is typed, and show what comes",
		Long: `Show the history of a room and what comes, and send each line of standard input
as a message, until that ends and all is accepted.`,
		Example: `  echo "Hello, everyone!" | mimi-lab room chat clubhouse --as alice@a.example`,

		Annotations: tried(made),
		Args:        command.Args(1, 1, "a room"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room = args[0]
			o.CommitDelay = inTurn
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	return c
}

func (o *chatOptions) run(ctx context.Context, s *client.Session) error {
	r, err := s.Enter(ctx, o.Room)
	if err != nil {
		return err
	}
	h, err := read(ctx, s, r.URI)
	if err != nil {
		return err
	}
	p := &printer{out: o.IO, names: namesOf(h)}
	p.head(o.IO.Out, s, r.URI)
	for _, i := range h.all() {
		p.print(o.IO.Out, h, i)
	}
	if o.IO.InTTY {
		s.Tell("Each line is sent; Ctrl-D ends.")
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lines := linesOf(ctx, o.IO)
	open := make(map[uint64]bool) // messages without an outcome
	events, failed := follow(ctx, s, h.last)
	for lines != nil || len(open) > 0 {
		var late <-chan time.Time // how long to wait after the last line
		if lines == nil {
			late = time.After(o.Timeout)
		}
		select {
		case text, ok := <-lines:
			if !ok {
				lines = nil
				break
			}
			id, err := o.send(ctx, s, h, text)
			if err != nil {
				return err
			}
			if id != 0 {
				open[id] = true
			}
		case e := <-events:
			switch e := e.Event.(type) {
			case member.Sent:
				delete(open, e.ID)
			case member.Failed:
				if open[e.ID] {
					delete(open, e.ID)
					s.Tell("not sent: %v", e.Why)
				}
			}
			if i, ok := h.take(e); ok {
				p.names = namesOf(h)
				p.print(o.IO.Out, h, i)
			}
		case err := <-failed:
			return err
		case <-late:
			return exit.Failuref("They are not forgotten: the device goes on with them in its next command.", "%s not accepted within %v", term.Plural(len(open), "message"), o.Timeout)
		}
	}
	return nil
}

// send sends a line, and returns the number of the intention; 0 for one without text.
func (o *chatOptions) send(ctx context.Context, s *client.Session, h *history, text string) (uint64, error) {
	if strings.TrimSpace(text) == "" {
		return 0, nil
	}
	m := &content.Message{Body: content.Text(text)}
	b, id, err := complete(s, h.room, m)
	if err != nil {
		return 0, err
	}
	if err := s.Sent.Put(ctx, id, b); err != nil {
		return 0, exit.Failuref("", "%w", err)
	}
	h.sent[id] = b
	n, err := s.Do(ctx, member.Send{Room: h.room, Message: m})
	if err != nil {
		return 0, exit.Failuref("", "send: %w", err)
	}
	return n, nil
}

// linesOf returns the lines of standard input, until that or ctx ends.
func linesOf(ctx context.Context, t *term.IO) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		in := bufio.NewScanner(t.In)
		for in.Scan() {
			select {
			case lines <- in.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// follow returns the events that come, until ctx ends, and then why there are no more.
func follow(ctx context.Context, s *client.Session, after uint64) (<-chan device.Event, <-chan error) {
	events, failed := make(chan device.Event), make(chan error, 1)
	go func() {
		for {
			list, err := s.Next(ctx, after)
			if err != nil {
				if !errors.Is(err, ctx.Err()) {
					err = exit.Failuref("", "%w", err)
				}
				failed <- err
				return
			}
			for _, e := range list {
				after = e.N
				select {
				case events <- e:
				case <-ctx.Done():
					failed <- ctx.Err()
					return
				}
			}
		}
	}()
	return events, failed
}
