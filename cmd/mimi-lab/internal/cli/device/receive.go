package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// receiveOptions are those of the command device receive.
type receiveOptions struct {
	options
	Count  int
	Pushed bool
}

func newReceive(t *term.IO) *cobra.Command {
	o := &receiveOptions{options: options{IO: t}}
	c := &cobra.Command{
		Use:   "receive NAME",
		Short: "Print messages that have come for a user",
		Long: `Connect the device of a user, print messages that have come for it, and
acknowledge them. Each is printed once; one that was about to be printed when
the device crashed is printed again. Images, voice messages, videos and files
are saved; the name of the file says the kind and the hash, and nothing that the
sender says.

--pushed connects once the partner's server was told by a push that something
waits for the user, as an app does that was not running.`,
		Example: `  mimi-lab device receive 4915112345678
  mimi-lab device receive 4915112345678 --json`,
		Annotations: tried("mimi-lab device enlist bob@partner.example", "mimi-lab device enlist 4915112345678",
			"mimi-lab device send bob@partner.example 4915112345678 one", "mimi-lab device send bob@partner.example 4915112345678 two"),
		Args: command.Args(1, 1, "a user's name"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return o.receive(c.Context())
		},
	}
	o.flags(c.Flags())
	c.Flags().IntVar(&o.Count, "count", 1, "how many messages to wait for")
	c.Flags().BoolVar(&o.Pushed, "pushed", false, "wait for a push before connecting (a partner's user)")
	o.saveFlags(c.Flags())
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object for each, on a line")
	return c
}

func (o *receiveOptions) receive(ctx context.Context) error {
	if o.Count < 1 {
		return exit.Usagef("", "--count %d: want 1 or more", o.Count)
	}
	if o.Pushed {
		if err := o.pushed(ctx); err != nil {
			return err
		}
	}
	if err := o.checkMedia(); err != nil {
		return err
	}
	return o.run(ctx, nil, func(ctx context.Context, dir *dmadev.Dir, d *serve.Device) error {
		for n := range o.Count {
			bounded, cancel := context.WithTimeout(ctx, o.Timeout)
			m, err := d.Receive(bounded)
			cancel()
			if err != nil {
				return o.late(err, fmt.Sprintf("message %d of %d", n+1, o.Count))
			}
			if err := o.take(ctx, dir, d, m); err != nil {
				return err
			}
		}
		return errors.Join(o.settle(ctx, d), o.notSaved) // senders get their receipts
	})
}

// pushed waits until the partner's server wakes the device.
func (o *receiveOptions) pushed(ctx context.Context) error {
	if dmadev.Native(o.Name) {
		return exit.Usagef("A gatekeeper wakes its own users by means that are not public.", "--pushed is for a partner's user, and %s is the gatekeeper's", o.Name)
	}
	dir, err := dmadev.Open(o.Dev)
	if err != nil {
		return err
	}
	c, err := o.partner(ctx, dir)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if err := c.Wait(bounded); err != nil {
		return o.late(err, "a push")
	}
	fmt.Fprintf(o.IO.Err, "a push: something waits for %s\n", o.Name)
	return nil
}

// received is what is printed of a message with --json.
type received struct {
	ID   string        `json:"id"`
	From ident.Address `json:"from"`
	// Group is where it was written, if it was in one.
	Group *ident.Address `json:"group,omitempty"`
	Sent  time.Time      `json:"sent"`
	Kind  string         `json:"kind"`
	Text  string         `json:"text"`
	// Inbox is where a user of the gatekeeper who has chosen sees a partner's user's.
	Inbox stanza.Inbox `json:"inbox,omitempty"`
	Media *saved       `json:"media,omitempty"`
}

// saved is what is printed of a medium. What the sender says of it is the sender's word.
type saved struct {
	File string `json:"file,omitempty"`
	Why  string `json:"not_saved,omitempty"` // why there is none
	Size uint64 `json:"size"`
	Type string `json:"type,omitempty"` // as the sender says, and the name
	Name string `json:"name,omitempty"`
}

// saveMedium saves the medium of a message, if it has one. One that never can be saved is told
// of, and the command fails in the end; another error leaves the message for the next time.
func (o *options) saveMedium(ctx context.Context, dir *dmadev.Dir, d *serve.Device, m *serve.Received) (*saved, error) {
	c := &m.Content
	if !c.Kind.Media() {
		return nil, nil
	}
	s := &saved{Size: c.Media.Length, Type: c.Media.MIME, Name: c.Media.Name}
	var err error
	if s.File, err = o.save(ctx, dir, d, c); err == nil {
		return s, nil
	}
	if !lost(err) {
		return nil, o.mediaFailed(err)
	}
	s.Why = err.Error()
	o.notSaved = exit.Failuref("", "%v %s of %s was not saved: %w", c.Kind, shown(m.ID), m.From, err)
	return s, nil
}

// String is how a medium stands in a line.
func (s *saved) String() string {
	if s.Why != "" {
		return fmt.Sprintf("[not saved: %s]", shown(s.Why))
	}
	return fmt.Sprintf("[%d bytes in %s]", s.Size, shown(s.File))
}

// take prints a message and says that it was.
func (o *options) take(ctx context.Context, dir *dmadev.Dir, d *serve.Device, m *serve.Received) error {
	medium, err := o.saveMedium(ctx, dir, d, m)
	if err != nil {
		return err
	}
	group, from := (*ident.Address)(nil), m.From.String()
	if !m.Group.IsZero() {
		group, from = &m.Group, m.Group.String()+" "+from
	}
	switch {
	case o.JSON:
		err = json.NewEncoder(o.IO.Out).Encode(received{m.ID, m.From, group, m.Sent.UTC(), m.Content.Kind.String(), m.Content.Text, m.Inbox, medium})
	case medium != nil:
		_, err = fmt.Fprintln(o.IO.Out, strings.TrimSpace(fmt.Sprintf("%s: %v %v %s", from, m.Content.Kind, medium, shown(m.Content.Text))))
	default:
		_, err = fmt.Fprintf(o.IO.Out, "%s: %s\n", from, shown(m.Content.Text))
	}
	if err != nil {
		return exit.Failuref("", "printing: %w", err)
	}
	if err := d.Taken(ctx, m); err != nil {
		return exit.Failuref("", "%w", err)
	}
	return nil
}

// shown is a text as a terminal may show it: control characters are somebody else's.
func shown(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != ' ' }) {
		return strconv.Quote(s)
	}
	return s
}
