package room

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// leaveOptions are those of the command room leave.
type leaveOptions struct {
	client.Options
	Room string
}

func newLeave(t *term.IO) *cobra.Command {
	o := &leaveOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "leave ROOM",
		Short: "Leave a room, with all of one's devices",
		Long: `Leave a room (draft-ietf-mimi-protocol-06, Bob Leaves the Room). Nobody can take
oneself out of an MLS group: the hub keeps the user's proposals, and the next
Commit of another member takes it out, whose device does that with its next
command.`,
		Example: `  mimi-lab room leave clubhouse --as bob@b.example`,

		Annotations: tried(joined),
		Args:        command.Args(1, 1, "a room"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room = args[0]
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *leaveOptions) run(ctx context.Context, s *client.Session) error {
	r, err := s.Enter(ctx, o.Room)
	if err != nil {
		return err
	}
	if _, err := s.Act(ctx, "leave", member.Leave{Room: r.URI}); err != nil {
		return err
	}
	if o.JSON {
		return o.IO.JSON(struct {
			Room    ident.URI `json:"room"`
			Leaving bool      `json:"leaving"`
		}{r.URI, true})
	}
	return s.Say("%s leaves %s with the next Commit of another", client.Short(s.User), client.Short(r.URI))
}
