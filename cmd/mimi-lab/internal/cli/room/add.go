package room

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// addOptions are those of the command room add.
type addOptions struct {
	client.Options
	Room  string
	Users []string
	Role  string
}

func newAdd(t *term.IO) *cobra.Command {
	o := &addOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "add ROOM USER...",
		Short: "Add users with all their devices",
		Long: `Add users to the participant list, and their devices to the group
(draft-ietf-mimi-protocol-06, Alice adds Bob to the Room): the hub fetches
KeyPackages from each user's provider, and the Welcome goes the same way back.
Of a participant it adds the devices that are not in the group yet.

Without --role it is the first role that the device's user may give and that may
send messages.`,
		Example: `  mimi-lab room add clubhouse bob@b.example --as alice@a.example
  mimi-lab room add clubhouse bob@b.example --role ordinary_user \
      --as alice@a.example --json`,
		Annotations: tried(made + "\n" + met),
		Args:        command.Args(2, 20, "a room or user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room, o.Users = args[0], args[1:]
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.StringVar(&o.Role, "role", "", "`name` of the role, as room policy shows it")
	f.BoolVar(&o.JSON, "json", false, "print a JSON array of what changed")
	return c
}

func (o *addOptions) run(ctx context.Context, s *client.Session) error {
	users := make([]ident.URI, len(o.Users))
	for i, name := range o.Users {
		var err error
		if users[i], err = client.ParseUser(name); err != nil {
			return err
		}
	}
	r, err := s.Enter(ctx, o.Room)
	if err != nil {
		return err
	}
	var done []change
	for _, u := range users {
		var role uint32
		if o.Role != "" {
			named, err := roleByName(r.State, o.Role)
			if err != nil {
				return err
			}
			role = named.Index
		} else if p, listed := r.State.Find(u.String()); listed {
			if p.Role == room.RoleBanned {
				return exit.Failuref("mimi-lab room policy "+o.Room+" --role "+client.Short(u)+"=ROLE --as "+o.As+" lets it in again.", "%s is banned", client.Short(u))
			}
			role = p.Role
		} else if role, err = firstRole(r.State, s.User.String(), u.String()); err != nil {
			return err
		}
		e, err := s.Ask(ctx, u, "add "+client.Short(u), member.AddUser{Room: r.URI, User: u, Role: role})
		if err != nil {
			return err
		}
		done = append(done, changeOf(s, r.URI, e.Event))
		r, _ = s.Room(r.URI)
	}
	if o.JSON {
		return o.IO.JSON(done)
	}
	for i, c := range done {
		if c.Epoch == 0 {
			err = s.Say("%s is in %s already, with all devices", client.Short(users[i]), client.Short(r.URI))
		} else {
			err = s.Say("epoch %d of %s: %s", c.Epoch, client.Short(r.URI), describe(r.State, s.User.String(), c.Changes))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
