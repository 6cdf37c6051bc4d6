package room

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
)

// removeOptions are those of the command room remove.
type removeOptions struct {
	client.Options
	Room, User string
	Ban        bool
}

func newRemove(t *term.IO) *cobra.Command {
	o := &removeOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "remove ROOM USER",
		Short: "Remove a user with all its devices",
		Long: `Remove a user from the participant list, and its devices from the group. With
--ban the user stays on the list in the role "banned", and so out of the room;
room policy --role gives it another one.`,
		Example: `  mimi-lab room remove clubhouse bob@b.example --ban --as alice@a.example`,

		Annotations: tried(joined),
		Args:        command.Args(2, 2, "a room or user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room, o.User = args[0], args[1]
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.BoolVar(&o.Ban, "ban", false, "keep the user out")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *removeOptions) run(ctx context.Context, s *client.Session) error {
	u, err := client.ParseUser(o.User)
	if err != nil {
		return err
	}
	if u == s.User && !o.Ban {
		return exit.Usagef("mimi-lab room leave "+o.Room+" --as "+o.As+" does.", "a user does not remove itself")
	}
	r, err := s.Enter(ctx, o.Room)
	if err != nil {
		return err
	}
	if _, ok := r.State.Find(u.String()); !ok && !o.Ban {
		return exit.Failuref("mimi-lab room policy "+o.Room+" shows who is.", "%s is no participant of %s", client.Short(u), client.Short(r.URI))
	}
	var in member.Input = member.RemoveUser{Room: r.URI, User: u}
	if o.Ban {
		in = member.Ban{Room: r.URI, User: u}
	}
	e, err := s.Act(ctx, "remove "+client.Short(u), in)
	if err != nil {
		return err
	}
	done := changeOf(s, r.URI, e.Event)
	if o.JSON {
		return o.IO.JSON(done)
	}
	if done.Epoch == 0 {
		return s.Say("%s was out of %s already", client.Short(u), client.Short(r.URI))
	}
	return s.Say("epoch %d of %s: %s", done.Epoch, client.Short(r.URI), describe(r.State, s.User.String(), done.Changes))
}
