package device

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// newGroup makes the noun device group.
func newGroup(t *term.IO) *cobra.Command {
	return command.Noun(&cobra.Command{
		Use:   "group",
		Short: "Make groups, change who is in them, and write to them",
		Long: `Make groups at the gatekeeper, change who is in them, and write to them. Their
messages are sealed once for all members under a key of the sender's, which each
member gets from the sender alone. Users of the gatekeeper and of partners may
be in one. Who makes it is its admin.

The stanzas are those of public clients. That partners' users have them, and
what a gatekeeper allows whom, is assumed. GROUP is an address such as
120363000000000001@g.us, or the subject of one of the user's groups.

"device receive" prints what was written to groups, too.`,
		Example: `  mimi-lab device group create 4915112345678 Trip bob@partner.example
  mimi-lab device group send bob@partner.example Trip "I am in"
  mimi-lab device receive 4915112345678`,
		Annotations: groupTried(),
	}, newGroupCreate(t), newGroupChange(t, "add"), newGroupChange(t, "remove"), newGroupLeave(t), newGroupSend(t), newGroupList(t))
}

// groupTried says what the examples of commands about groups need.
func groupTried(before ...string) map[string]string {
	return tried(append([]string{"mimi-lab device enlist bob@partner.example", "mimi-lab device enlist 4915112345678"}, before...)...)
}

const groupMade = `mimi-lab device group create 4915112345678 Trip bob@partner.example`

// groupOptions are those of the commands of device group.
type groupOptions struct {
	options
	Group string
}

// group finds the group that the user means, after the device has asked which there are.
func (o *groupOptions) group(ctx context.Context, d *serve.Device) (dma.Group, error) {
	if err := o.fetch(ctx, d); err != nil {
		return dma.Group{}, err
	}
	var found []dma.Group
	for _, g := range d.Groups() {
		if g.Address.String() == o.Group || g.Subject == o.Group {
			found = append(found, g)
		}
	}
	hint := fmt.Sprintf(`"mimi-lab device group list %s --dev %s" shows which there are.`, o.Name, command.Quote(o.Dev))
	switch len(found) {
	case 0:
		return dma.Group{}, exit.Failuref(hint, "%s is in no group %q", o.Name, o.Group)
	case 1:
		return found[0], nil
	}
	return dma.Group{}, exit.Failuref(hint, "%s is in %d groups called %q: want an address", o.Name, len(found), o.Group)
}

// fetch has the device know which groups there are.
func (o *groupOptions) fetch(ctx context.Context, d *serve.Device) error {
	if _, err := d.Do(ctx, dma.FetchGroups{}); err != nil {
		return exit.Failuref("", "%w", err)
	}
	return o.settle(ctx, d)
}

// wish has the device want something of a group, and returns what is refused of it.
func (o *groupOptions) wish(ctx context.Context, d *serve.Device, events <-chan dma.Event, in dma.Input) (made ident.Address, refused []dma.Event, err error) {
	if _, err := d.Do(ctx, in); err != nil {
		return made, nil, exit.Failuref("", "%w", err)
	}
	if err := o.settle(ctx, d); err != nil {
		return made, nil, err
	}
	for {
		select {
		case e := <-events:
			switch {
			case e.Kind == dma.GroupCreated:
				made = e.Group
			case e.Peer.IsZero():
				return made, nil, exit.Failuref("", "the gatekeeper refuses it: %s", e.Reason)
			default:
				refused = append(refused, e)
			}
		default:
			return made, refused, nil
		}
	}
}

// runWishing runs f with a device and what it is told of wishes about groups.
func (o *groupOptions) runWishing(ctx context.Context, f func(context.Context, *dmadev.Dir, *serve.Device, <-chan dma.Event) error) error {
	events := make(chan dma.Event, 2*dma.MaxGroupLimit)
	return o.run(ctx, func(e dma.Event) {
		if e.Kind == dma.GroupCreated || e.Kind == dma.GroupRefused {
			select {
			case events <- e:
			default:
			}
		}
	}, func(ctx context.Context, dir *dmadev.Dir, d *serve.Device) error { return f(ctx, dir, d, events) })
}

// without says who of the named could not be added.
func (o *groupOptions) without(dir *dmadev.Dir, names []string, refused []dma.Event) error {
	if len(refused) == 0 {
		return nil
	}
	var list []string
	for _, e := range refused {
		name := e.Peer.String()
		for _, n := range names {
			if a, err := dir.Lookup(n); err == nil && a == e.Peer {
				name = n
			}
		}
		list = append(list, name+": "+e.Reason)
	}
	slices.Sort(list)
	return exit.Failuref("", "the gatekeeper did not add everybody: %s", strings.Join(list, "; "))
}

// lookup finds users.
func lookup(dir *dmadev.Dir, names []string) ([]ident.Address, error) {
	var out []ident.Address
	for _, name := range names {
		a, err := dir.Lookup(name)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func newGroupCreate(t *term.IO) *cobra.Command {
	o := &groupOptions{options: options{IO: t}}
	c := &cobra.Command{
		Use:   "create NAME SUBJECT USER...",
		Short: "Make a group",
		Long: `Make a group of a user and others, and print its address. SUBJECT is what it is
called, which the gatekeeper sees.`,
		Example:     `  mimi-lab device group create 4915112345678 Trip bob@partner.example`,
		Annotations: groupTried(),
		Args:        command.Args(3, 2+dma.MaxGroupLimit, "a name, a group or a user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return o.create(c.Context(), args[1], args[2:])
		},
	}
	o.flags(c.Flags())
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *groupOptions) create(ctx context.Context, subject string, names []string) error {
	return o.runWishing(ctx, func(ctx context.Context, dir *dmadev.Dir, d *serve.Device, events <-chan dma.Event) error {
		members, err := lookup(dir, names)
		if err != nil {
			return err
		}
		made, refused, err := o.wish(ctx, d, events, dma.CreateGroup{Subject: subject, Members: members})
		if err != nil {
			return err
		}
		if err := o.show(d, made); err != nil {
			return err
		}
		return o.without(dir, names, refused)
	})
}

// shownGroup is a group as it is printed with --json.
type shownGroup struct {
	Address ident.Address `json:"address"`
	Subject string        `json:"subject"`
	Version uint64        `json:"version"`
	Members []shownMember `json:"members"`
}

type shownMember struct {
	Address ident.Address `json:"address"`
	Admin   bool          `json:"admin,omitempty"`
}

// show prints the group at an address.
func (o *groupOptions) show(d *serve.Device, at ident.Address) error {
	groups := d.Groups()
	i := slices.IndexFunc(groups, func(g dma.Group) bool { return g.Address == at })
	if i < 0 {
		return nil // it was left meanwhile
	}
	g := groups[i]
	if o.JSON {
		s := shownGroup{Address: g.Address, Subject: g.Subject, Version: g.Version}
		for _, m := range g.Members {
			s.Members = append(s.Members, shownMember{m.Address, m.Admin})
		}
		return o.IO.JSON(s)
	}
	var members []string
	for _, m := range g.Members {
		s := m.Address.String()
		if m.Admin {
			s += " (admin)"
		}
		members = append(members, s)
	}
	_, err := fmt.Fprintf(o.IO.Out, "%s %s: %s\n", g.Address, shown(g.Subject), strings.Join(members, ", "))
	return err
}

// newGroupChange makes device group add or device group remove.
func newGroupChange(t *term.IO, verb string) *cobra.Command {
	o := &groupOptions{options: options{IO: t}}
	long := `Add users to a group, of which NAME must be an admin. They read what is written
from then on, and nothing from before.`
	before := []string{"mimi-lab device enlist carl@partner.example", groupMade}
	user := "carl@partner.example"
	if verb == "remove" {
		long = `Remove users from a group, of which NAME must be an admin. They get nothing of
it any more, and the others change their keys.`
		before, user = []string{groupMade}, "bob@partner.example"
	}
	c := &cobra.Command{
		Use:         verb + " NAME GROUP USER...",
		Short:       map[string]string{"add": "Add users to a group", "remove": "Remove users from a group"}[verb],
		Long:        long,
		Example:     "  mimi-lab device group " + verb + " 4915112345678 Trip " + user,
		Annotations: groupTried(before...),
		Args:        command.Args(3, 2+dma.MaxGroupLimit, "a name, a group or a user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name, o.Group = args[0], args[1]
			return o.change(c.Context(), verb, args[2:])
		},
	}
	o.flags(c.Flags())
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *groupOptions) change(ctx context.Context, verb string, names []string) error {
	return o.runWishing(ctx, func(ctx context.Context, dir *dmadev.Dir, d *serve.Device, events <-chan dma.Event) error {
		g, err := o.group(ctx, d)
		if err != nil {
			return err
		}
		members, err := lookup(dir, names)
		if err != nil {
			return err
		}
		var in dma.Input = dma.AddMembers{Group: g.Address, Members: members}
		if verb == "remove" {
			in = dma.RemoveMembers{Group: g.Address, Members: members}
		}
		_, refused, err := o.wish(ctx, d, events, in)
		if err != nil {
			return err
		}
		if err := o.fetch(ctx, d); err != nil { // which answers after what the wish did
			return err
		}
		if err := o.show(d, g.Address); err != nil {
			return err
		}
		return o.without(dir, names, refused)
	})
}

func newGroupLeave(t *term.IO) *cobra.Command {
	o := &groupOptions{options: options{IO: t}}
	c := &cobra.Command{
		Use:         "leave NAME GROUP",
		Short:       "Leave a group",
		Long:        `Leave a group. The others change their keys.`,
		Example:     `  mimi-lab device group leave bob@partner.example Trip`,
		Annotations: groupTried(groupMade),
		Args:        command.Args(2, 2, "a name or a group"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name, o.Group = args[0], args[1]
			return o.runWishing(c.Context(), func(ctx context.Context, _ *dmadev.Dir, d *serve.Device, events <-chan dma.Event) error {
				g, err := o.group(ctx, d)
				if err != nil {
					return err
				}
				if _, _, err := o.wish(ctx, d, events, dma.LeaveGroup{Group: g.Address}); err != nil {
					return err
				}
				_, err = fmt.Fprintf(o.IO.Out, "%s has left %s\n", o.Name, g.Address)
				return err
			})
		},
	}
	o.flags(c.Flags())
	return c
}

func newGroupSend(t *term.IO) *cobra.Command {
	o := &groupOptions{}
	s := &sendOptions{options: options{IO: t}}
	c := &cobra.Command{
		Use:   "send NAME GROUP TEXT",
		Short: "Send a text to a group",
		Long: `Send a text to a group and wait until the gatekeeper has accepted it, which
keeps it for each member from then on.`,
		Example:     `  mimi-lab device group send bob@partner.example Trip "I am in"`,
		Annotations: groupTried(groupMade),
		Args:        command.Args(3, 3, "a name, a group or a text (in quotes)"),
		RunE: func(c *cobra.Command, args []string) error {
			s.Name, o.Group, s.Text = args[0], args[1], args[2]
			o.options = s.options
			return s.sendTo(c.Context(), func(ctx context.Context, _ *dmadev.Dir, d *serve.Device) (ident.Address, error) {
				g, err := o.group(ctx, d)
				return g.Address, err
			})
		},
	}
	s.flags(c.Flags())
	c.Flags().BoolVar(&s.JSON, "json", false, "print a JSON object")
	return c
}

func newGroupList(t *term.IO) *cobra.Command {
	o := &groupOptions{options: options{IO: t}}
	c := &cobra.Command{
		Use:   "list NAME",
		Short: "Print the groups that a user is in",
		Long:  `Print the groups that a user is in, with their members.`,
		Example: `  mimi-lab device group list bob@partner.example
  mimi-lab device group list 4915112345678 --json`,
		Annotations: groupTried(groupMade),
		Args:        command.Args(1, 1, "a user's name"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			return o.run(c.Context(), nil, func(ctx context.Context, _ *dmadev.Dir, d *serve.Device) error {
				if err := o.fetch(ctx, d); err != nil {
					return err
				}
				for _, g := range d.Groups() {
					if err := o.show(d, g.Address); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	o.flags(c.Flags())
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object for each")
	return c
}
