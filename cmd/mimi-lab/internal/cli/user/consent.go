package user

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// consentOptions are those of the commands user consent and user block.
type consentOptions struct {
	client.Options
	User, Room  string
	Ask, Cancel bool
	Operation   mimi.ConsentOperation
}

func newConsent(t *term.IO) *cobra.Command {
	o := &consentOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "consent [USER]",
		Short: "Let a user add one to rooms, or ask for that",
		Long: `Let a user add oneself to rooms (draft-ietf-mimi-protocol-06, Convey explicit
consent): to any, or with --room to one. --ask asks a user for the same, and
--cancel takes that back. Without USER it lists what was said so far.

Providers differ in whether they want it: provider serve with --need-consent
gives out KeyPackages to nobody without, and else to all who are not blocked.`,
		Example: `  mimi-lab user consent bob@b.example --ask --as alice@a.example
  mimi-lab user consent --as bob@b.example
  mimi-lab user consent alice@a.example --as bob@b.example`,
		Annotations: tried(),
		Args:        command.Args(0, 1, "a user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.User = ""
			if len(args) > 0 {
				o.User = args[0]
			}
			return o.consent(c.Context())
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.StringVar(&o.Room, "room", "", "`room` that it is for (default: any)")
	f.BoolVar(&o.Ask, "ask", false, "ask USER for consent")
	f.BoolVar(&o.Cancel, "cancel", false, "do not ask USER any more")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object, without USER an array")
	return c
}

func newBlock(t *term.IO) *cobra.Command {
	o := &consentOptions{Options: client.Options{IO: t}, Operation: mimi.ConsentRevoke}
	c := &cobra.Command{
		Use:   "block USER",
		Short: "Let a user not add one to rooms any more",
		Long: `Refuse a user the consent to add oneself to rooms, or end it: for all rooms, or
with --room for one. The user's provider is told. Rooms that one is in already
stay as they are: room leave leaves them.`,
		Example: `  mimi-lab user block bob@b.example --as alice@a.example`,

		Annotations: tried(),
		Args:        command.Args(1, 1, "a user"),
		RunE: func(c *cobra.Command, args []string) error {
			o.User = args[0]
			return o.Run(c.Context(), o.say)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.StringVar(&o.Room, "room", "", "`room` that it is for (default: all)")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *consentOptions) consent(ctx context.Context) error {
	switch {
	case o.Ask && o.Cancel:
		return exit.Usagef("Leave one out.", "user consent: --ask and --cancel at once")
	case o.User == "" && (o.Ask || o.Cancel || o.Room != ""):
		return exit.Usagef("Name one, such as bob@b.example.", "user consent: a user is missing")
	case o.User == "":
		return o.Run(ctx, o.list)
	}
	o.Operation = mimi.ConsentGrant
	if o.Ask {
		o.Operation = mimi.ConsentRequest
	}
	if o.Cancel {
		o.Operation = mimi.ConsentCancel
	}
	return o.Run(ctx, o.say)
}

// say sends a ConsentEntry.
func (o *consentOptions) say(ctx context.Context, s *client.Session) error {
	u, err := client.ParseUser(o.User)
	if err != nil {
		return err
	}
	if u == s.User {
		return exit.Usagef("Name another user.", "%s is the user who says it", client.Short(u))
	}
	in := member.Consent{Operation: o.Operation, User: u}
	if o.Room != "" {
		if in.Room, err = s.RoomURI(o.Room); err != nil {
			return err
		}
	}
	if _, err := s.Ask(ctx, u, o.Operation.String()+" consent", in); err != nil {
		return err
	}
	e := own(s, in)
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := s.Said.Put(ctx, e.scope(), b); err != nil {
		return exit.Failuref("", "%w", err)
	}
	if o.JSON {
		return o.IO.JSON(e)
	}
	return s.Say("%s", e.sentence())
}

// entry is the last word on who may add whom to which room.
type entry struct {
	At        time.Time `json:"at"`
	Operation string    `json:"operation"`
	Requester string    `json:"requester"` // who adds
	Target    string    `json:"target"`    // who is added
	Room      string    `json:"room,omitempty"`
}

// own is what this device's user says.
func own(s *client.Session, in member.Consent) entry {
	e := entry{At: s.IO.Now(), Operation: in.Operation.String(), Requester: s.User.String(), Target: in.User.String(), Room: in.Room.String()}
	if in.Operation == mimi.ConsentGrant || in.Operation == mimi.ConsentRevoke {
		e.Requester, e.Target = e.Target, e.Requester
	}
	return e
}

// others is what another has said.
func others(at time.Time, c *mimi.ConsentEntry) entry {
	e := entry{At: at, Operation: c.ConsentOperation.String(), Requester: string(c.RequesterURI), Target: string(c.TargetURI)}
	if c.RoomID != nil {
		e.Room = string(*c.RoomID)
	}
	return e
}

// scope is a ConsentScope.
func (e *entry) scope() string { return e.Requester + " " + e.Target + " " + e.Room }

// sentence says what an entry means.
func (e *entry) sentence() string {
	requester, target, room := client.ShortName(e.Requester), client.ShortName(e.Target), "any room"
	if e.Room != "" {
		room = client.ShortName(e.Room)
	}
	switch e.Operation {
	case mimi.ConsentRequest.String():
		return requester + " asks to add " + target + " to " + room
	case mimi.ConsentCancel.String():
		return requester + " does not ask any more to add " + target + " to " + room
	case mimi.ConsentGrant.String():
		return requester + " may add " + target + " to " + room
	}
	return requester + " may not add " + target + " to " + room
}

// list lists the last word on each scope, by time.
func (o *consentOptions) list(ctx context.Context, s *client.Session) error {
	last := make(map[string]entry)
	add := func(e entry) {
		if old, ok := last[e.scope()]; !ok || !old.At.After(e.At) {
			last[e.scope()] = e
		}
	}
	for _, e := range s.Events(0) {
		if c, ok := e.Event.(member.ConsentChanged); ok {
			add(others(e.At, c.Entry))
		}
	}
	err := s.Said.All(ctx, func(b []byte) error {
		var e entry
		err := json.Unmarshal(b, &e)
		add(e)
		return err
	})
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	all := slices.SortedFunc(maps.Values(last), func(a, b entry) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.scope(), b.scope()))
	})
	if o.JSON {
		if all == nil {
			all = []entry{}
		}
		return o.IO.JSON(all)
	}
	if len(all) == 0 {
		return s.Say("Nobody has asked %s for consent or given it.", client.Short(s.User))
	}
	for _, e := range all {
		if err := s.Say("%s %s", e.At.Local().Format("2006-01-02 15:04"), e.sentence()); err != nil {
			return err
		}
	}
	return nil
}
