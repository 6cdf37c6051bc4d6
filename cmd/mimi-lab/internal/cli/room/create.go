package room

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/sim/rooms"
)

// createOptions are those of the command room create.
type createOptions struct {
	client.Options
	Room, Policy, Title string
}

func newCreate(t *term.IO) *cobra.Command {
	o := &createOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "create ROOM",
		Short: "Make a room at one's own provider",
		Long: `Make a room (draft-ietf-mimi-protocol-06, Alice Creates a Room): the device
makes the MLS group, and its provider becomes the hub. The policy says which
roles there are and what they may do; room policy shows it.`,
		Example: `  mimi-lab room create clubhouse --as alice@a.example
  mimi-lab room create lecture --policy moderated --title "The lecture" \
      --as alice@a.example --json`,
		Annotations: tried(""),
		Args:        command.Args(1, 1, "a room"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room = args[0]
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.StringVar(&o.Policy, "policy", "administered", "the room's: "+strings.Join(rooms.Policies(), ", "))
	f.StringVar(&o.Title, "title", "", "`name` of the room for people (default: that of ROOM)")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *createOptions) run(ctx context.Context, s *client.Session) error {
	p, ok := room.PolicyByName(o.Policy)
	if hint := "There are " + list(rooms.Policies()) + "."; !ok {
		return command.Unknown("policy", o.Policy, rooms.Policies(), hint)
	} else if !slices.Contains(rooms.Policies(), o.Policy) {
		return exit.Usagef(hint, "nobody can make a room with policy %s alone, since it wants active administrators of several organisations from the start", o.Policy)
	}
	uri, err := s.RoomURI(o.Room)
	if err != nil {
		return err
	}
	if uri.Provider() != s.User.Provider() {
		return exit.Usagef("The room would be "+client.Short(mustRoom(s.User.Provider(), uri.Segments()[0]))+".", "%s is not at %s, whose users make rooms there alone", o.Room, s.User.Provider())
	}
	if _, ok := s.Room(uri); ok {
		return exit.Failuref("Take another name.", "%s is in a room %s already", o.As, client.Short(uri))
	}
	title := o.Title
	if title == "" {
		title = uri.Segments()[0]
	}
	sender, agent, err := s.Hub()
	if err != nil {
		return err
	}
	e, err := s.Act(ctx, "create", member.CreateRoom{
		Room: uri, Policy: p.Name, Metadata: room.RoomMetaData{Name: title}, Hub: sender, FrankingAgent: agent,
	})
	if err != nil {
		return err
	}
	r, _ := s.Room(uri)
	role := ""
	if r.State != nil {
		own, _ := r.State.Find(s.User.String())
		role = roleName(r.State, own.Role)
	}
	if o.JSON {
		return o.IO.JSON(struct {
			Room   ident.URI `json:"room"`
			Policy string    `json:"policy"`
			Title  string    `json:"title"`
			Role   string    `json:"role"`
			Epoch  uint64    `json:"epoch"`
		}{uri, p.Name, title, role, e.Event.(member.Joined).Epoch})
	}
	return s.Say("%s is made, policy %s; %s is its %s", client.Short(uri), p.Name, client.Short(s.User), role)
}

func mustRoom(domain, name string) ident.URI {
	u, _ := ident.NewURI(ident.KindRoom, domain, name) // of parts of URIs
	return u
}
