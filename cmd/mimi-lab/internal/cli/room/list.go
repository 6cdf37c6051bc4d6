package room

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// listOptions are those of the command room list.
type listOptions struct{ client.Options }

func newList(t *term.IO) *cobra.Command {
	o := &listOptions{client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "list",
		Short: "List the rooms that the device is in",
		Long: `List the rooms that the device is in. As with every command, a device that is
not there yet is made, and publishes KeyPackages, by which others can add it.`,
		Example: `  mimi-lab room list --as bob@b.example`,

		Annotations: tried(""),
		Args:        command.NoArgs,
		RunE:        func(c *cobra.Command, _ []string) error { return o.Run(c.Context(), o.run) },
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.BoolVar(&o.JSON, "json", false, "print a JSON array")
	return c
}

// listed is a room, as JSON.
type listed struct {
	Room         ident.URI `json:"room"`
	Title        string    `json:"title"`
	Status       string    `json:"status"`
	Role         string    `json:"role"`
	Epoch        uint64    `json:"epoch"`
	Participants int       `json:"participants"`
	Devices      int       `json:"devices"`
}

func (o *listOptions) run(_ context.Context, s *client.Session) error {
	all := []listed{}
	for _, uri := range s.Rooms() {
		r, _ := s.Room(uri)
		l := listed{Room: uri, Status: r.Status, Epoch: r.Epoch}
		if r.State != nil {
			own, _ := r.State.Find(s.User.String())
			l.Role, l.Participants, l.Devices = roleName(r.State, own.Role), people(r.State), r.State.Clients()
			if m := r.State.Metadata(); m != nil {
				l.Title = m.Name
			}
		}
		all = append(all, l)
	}
	if o.JSON {
		return o.IO.JSON(all)
	}
	if len(all) == 0 {
		fmt.Fprintf(o.IO.Out, "%s is in no room\n", client.Short(s.Client()))
		return nil
	}
	t := table{{"ROOM", "ROLE", "EPOCH", "USERS", "DEVICES", "STATUS"}}
	for _, l := range all {
		t = append(t, []string{client.Short(l.Room), l.Role, fmt.Sprint(l.Epoch), fmt.Sprint(l.Participants), fmt.Sprint(l.Devices), l.Status})
	}
	t.write(o.IO)
	return nil
}
