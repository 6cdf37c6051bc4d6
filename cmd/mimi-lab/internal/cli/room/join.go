package room

import (
	"context"
	"encoding/base64"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// joinOptions are those of the command room join.
type joinOptions struct {
	client.Options
	Room, Code string
}

func newJoin(t *term.IO) *cobra.Command {
	o := &joinOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "join ROOM",
		Short: "Enter a room as another device, or with a code",
		Long: `Enter a room from outside, by an external Commit (draft-ietf-mimi-protocol-06,
Cathy adds a new device): another device of a participant, or, if the room's
policy lets it, a user with a code that room policy --new-code has made.

A device sees what is sent from then on.`,
		Example: `  mimi-lab room join clubhouse --as alice@a.example/phone`,

		Annotations: tried(made),
		Args:        command.Args(1, 1, "a room"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room = args[0]
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.StringVar(&o.Code, "code", "", "`code` that lets one in")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *joinOptions) run(ctx context.Context, s *client.Session) error {
	code, err := base64.RawURLEncoding.DecodeString(o.Code)
	if err != nil {
		return exit.Usagef("Copy it whole, as room policy --new-code has printed it.", "--code %q is no code", o.Code)
	}
	uri, err := s.RoomURI(o.Room)
	if err != nil {
		return err
	}
	if r, ok := s.Room(uri); ok && r.State != nil && !r.Lost {
		return exit.Failuref("", "%s is in %s already", o.As, client.Short(uri))
	}
	e, err := s.Ask(ctx, uri, "join "+client.Short(uri), member.Join{Room: uri, Code: code})
	if err != nil {
		return err
	}
	r, _ := s.Room(uri)
	if r.State == nil {
		return exit.Failuref("", "%s was removed from %s at once", o.As, client.Short(uri))
	}
	own, _ := r.State.Find(s.User.String())
	if o.JSON {
		return o.IO.JSON(struct {
			Room  ident.URI `json:"room"`
			Epoch uint64    `json:"epoch"`
			Role  string    `json:"role"`
		}{uri, e.Event.(member.Joined).Epoch, roleName(r.State, own.Role)})
	}
	return s.Say("%s is in %s from epoch %d on, as %s", client.Short(s.Client()), client.Short(uri), e.Event.(member.Joined).Epoch, roleName(r.State, own.Role))
}
