package room

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// policyOptions are those of the command room policy.
type policyOptions struct {
	client.Options
	Room, Title       string
	Roles             []string
	NewCode, EndCodes bool
	Caps              bool
	given             func(string) bool
}

func newPolicy(t *term.IO) *cobra.Command {
	o := &policyOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "policy ROOM",
		Short: "Show the participants, roles and policy of a room, or change them",
		Long: `Show who is in a room in which role, and what the roles may do
(draft-ietf-mimi-room-policy-04). --role, --title, --new-code and --end-codes
change the room first, if the role of the device's user lets it.`,
		Example: `  mimi-lab room policy clubhouse --as alice@a.example
  mimi-lab room policy clubhouse --role bob@b.example=group_admin \
      --as alice@a.example
  mimi-lab room policy clubhouse --new-code --as alice@a.example`,
		Annotations: tried(joined),
		Args:        command.Args(1, 1, "a room"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room, o.given = args[0], c.Flags().Changed
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.StringArrayVar(&o.Roles, "role", nil, "give a user a role: `USER=ROLE`; may be repeated")
	f.StringVar(&o.Title, "title", "", "give the room this `name`")
	f.BoolVar(&o.NewCode, "new-code", false, "make a code that lets whoever has it join")
	f.BoolVar(&o.EndCodes, "end-codes", false, "let the codes that there are let nobody in any more")
	f.BoolVar(&o.Caps, "capabilities", false, "list what each role may do")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *policyOptions) run(ctx context.Context, s *client.Session) error {
	r, err := s.Enter(ctx, o.Room)
	if err != nil {
		return err
	}
	for _, role := range o.Roles {
		if err := giveRole(ctx, s, r, role); err != nil {
			return err
		}
	}
	if o.given("title") {
		m := room.RoomMetaData{Name: o.Title}
		if old := r.State.Metadata(); old != nil {
			m = *old
			m.Name = o.Title
		}
		if _, err := s.Act(ctx, "change the title", member.SetMetadata{Room: r.URI, Metadata: m}); err != nil {
			return err
		}
	}
	if o.EndCodes {
		if err := endCodes(ctx, s, r); err != nil {
			return err
		}
	}
	code := ""
	if o.NewCode {
		if code, err = newCode(ctx, s, r); err != nil {
			return err
		}
	}
	r, _ = s.Room(r.URI)
	if r.State == nil {
		return exit.Failuref("", "%s is not in %s any more", o.As, client.Short(r.URI))
	}
	if o.JSON {
		return o.IO.JSON(struct {
			Room  ident.URI   `json:"room"`
			Epoch uint64      `json:"epoch"`
			Code  string      `json:"code,omitempty"`
			State *room.State `json:"state"`
		}{r.URI, r.Epoch, code, r.State})
	}
	o.print(s, r)
	if l := r.State.JoinLinks(); l != nil && len(l.Links) > 0 {
		fmt.Fprintf(o.IO.Out, "\n%s can be used to join.\n", term.Plural(len(l.Links), "code"))
	}
	if code != "" {
		fmt.Fprintf(o.IO.Out, "The new one, for whoever has it:\n  mimi-lab room join %s --code %s --as USER@PROVIDER\n", client.Short(r.URI), code)
	}
	return nil
}

// giveRole gives a user another role: "bob@b.example=group_admin".
func giveRole(ctx context.Context, s *client.Session, r member.Room, given string) error {
	user, name, ok := strings.Cut(given, "=")
	if !ok {
		return exit.Usagef("It is such as bob@b.example=group_admin.", "--role %q: want USER=ROLE", given)
	}
	u, err := client.ParseUser(user)
	if err != nil {
		return err
	}
	role, err := roleByName(r.State, name)
	if err != nil {
		return err
	}
	p, ok := r.State.Find(u.String())
	if ok && p.Role == role.Index {
		return nil // which a policy would forbid to change into itself
	}
	if !ok {
		return exit.Failuref("mimi-lab room add adds a user in a role.", "%s is no participant of %s", client.Short(u), client.Short(r.URI))
	}
	_, err = s.Act(ctx, "give "+client.Short(u)+" the role "+name, member.ChangeRole{Room: r.URI, User: u, Role: role.Index})
	return err
}

// endCodes removes all join links.
func endCodes(ctx context.Context, s *client.Session, r member.Room) error {
	var u room.JoinLinksUpdate
	if links := r.State.JoinLinks(); links != nil {
		for i := range links.Links {
			u.Removed = append(u.Removed, uint32(i))
		}
	}
	if len(u.Removed) == 0 {
		return nil
	}
	b, err := wire.Marshal(&u)
	if err != nil {
		return err
	}
	_, err = s.Act(ctx, "end codes", member.SetComponent{Room: r.URI, Component: r.State.Points().JoinLinks, Update: b})
	return err
}

// newCode adds a join link to the room: what a draft calls so is opaque to all but the
// hub, which compares it with a joiner's code.
func newCode(ctx context.Context, s *client.Session, r member.Room) (string, error) {
	link := make([]byte, 18)
	if _, err := rand.Read(link); err != nil {
		return "", err
	}
	b, err := wire.Marshal(&room.JoinLinksUpdate{Added: []room.JoinLink{{Link: link}}})
	if err != nil {
		return "", err
	}
	_, err = s.Act(ctx, "make a code", member.SetComponent{Room: r.URI, Component: r.State.Points().JoinLinks, Update: b})
	return base64.RawURLEncoding.EncodeToString(link), err
}

// print writes a room's participants and roles for people.
func (o *policyOptions) print(s *client.Session, r member.Room) {
	title := ""
	if m := r.State.Metadata(); m != nil && m.Name != "" {
		title = fmt.Sprintf(" %q", printable(m.Name))
	}
	fmt.Fprintf(o.IO.Out, "%s%s, epoch %d\n\n", o.IO.Paint(term.Bold, client.Short(r.URI)), title, r.Epoch)
	t := table{{"PARTICIPANT", "ROLE", "DEVICES"}}
	for p := range r.State.All() {
		name := client.ShortName(p.User)
		if p.User == s.User.String() {
			name += " (oneself)"
		}
		t = append(t, []string{name, roleName(r.State, p.Role), fmt.Sprint(p.Clients)})
	}
	t.write(o.IO)
	fmt.Fprintln(o.IO.Out)
	t = table{{"", "ROLE", "USERS", "MAY", "GIVES ROLES"}}
	roles := r.State.Roles().Roles
	for i := range roles {
		role := &roles[i]
		n, _ := r.State.Counts(role.Index)
		count := fmt.Sprint(n)
		if role.Index == room.RoleNone {
			count = "-"
		}
		t = append(t, []string{fmt.Sprint(role.Index), role.Name, count, summary(role), targets(roles, role)})
	}
	t.write(o.IO)
	if !o.Caps {
		return
	}
	for i := range roles {
		role := &roles[i]
		fmt.Fprintf(o.IO.Out, "\n%s\n", o.IO.Paint(term.Bold, role.Name))
		names := make([]string, len(role.Capabilities))
		for j, c := range role.Capabilities {
			names[j] = c.String()
		}
		if len(names) == 0 {
			names = []string{"nothing"}
		}
		for _, line := range term.Wrap(strings.Join(names, ", "), inspect.Columns-2) {
			fmt.Fprintf(o.IO.Out, "  %s\n", line)
		}
	}
}

// summary says what of the most asked for a role may do.
func summary(r *room.Role) string {
	var can []string
	for _, c := range []struct {
		room.Capability
		short string
	}{
		{room.CanReceiveMessage, "read"}, {room.CanSendMessage, "send"}, {room.CanAddParticipant, "add"},
		{room.CanRemoveParticipant, "remove"}, {room.CanBan, "ban"}, {room.CanUseJoinCode, "use code"},
	} {
		if r.Can(c.Capability) {
			can = append(can, c.short)
		}
	}
	if len(can) == 0 {
		return "-"
	}
	return strings.Join(can, ", ")
}

// targets says into which roles a role may bring users, by their numbers.
func targets(roles []room.Role, r *room.Role) string {
	if !r.Can(room.CanChangeUserRole) {
		return "-"
	}
	seen := make(map[uint32]bool)
	var to []string
	for _, c := range r.Changes {
		for _, t := range c.Targets {
			seen[t] = true
		}
	}
	for i := range roles {
		if seen[roles[i].Index] {
			to = append(to, fmt.Sprint(roles[i].Index))
		}
	}
	return strings.Join(to, ", ")
}

// componentName is what the drafts call a component.
func componentName(id message.ComponentID) string { return room.DefaultPoints.Name(id) }
