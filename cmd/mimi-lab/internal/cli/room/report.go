package room

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// reportOptions are those of the command room report.
type reportOptions struct {
	client.Options
	Room, Note string
	IDs        []string
}

func newReport(t *term.IO) *cobra.Command {
	o := &reportOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "report ROOM ID|USER...",
		Short: "Report messages of a user to the hub as abuse",
		Long: `Report messages of a user to the hub (draft-ietf-mimi-protocol-06, Report
abuse): it learns what they say, and its franks prove who has sent them. A
message is named by its ID or the beginning of it, as room history shows it;
USER stands for the last one that this user has sent.`,
		Example: `  mimi-lab room report clubhouse bob@b.example --note advertising \
      --as alice@a.example`,

		Annotations: tried(joined + "\nmimi-lab room send clubhouse 'Buy my coins!' --as bob@b.example\nmimi-lab room history clubhouse --least 1 --as alice@a.example"),
		Args:        command.Args(2, 20, "a room or a message"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room, o.IDs = args[0], args[1:]
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.StringVar(&o.Note, "note", "", "`text` for the people who read the report")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func (o *reportOptions) run(ctx context.Context, s *client.Session) error {
	r, err := s.Enter(ctx, o.Room)
	if err != nil {
		return err
	}
	h, err := read(ctx, s, r.URI)
	if err != nil {
		return err
	}
	came := make(map[content.MessageID]member.Message)
	last := make(map[ident.URI]content.MessageID)
	for _, e := range s.Events(0) {
		if m, ok := e.Event.(member.Message); ok && m.Room == r.URI {
			came[m.ID] = m
			last[m.Sender] = m.ID
		}
	}
	in := member.Report{Room: r.URI, Note: o.Note}
	for _, name := range o.IDs {
		var id content.MessageID
		if u, err := client.ParseUser(name); err == nil {
			if id = last[u]; id.IsZero() {
				return exit.Failuref("", "%s has sent nothing that this device has", client.Short(u))
			}
		} else if id, err = h.named(name); err != nil {
			return err
		}
		m, ok := came[id]
		switch {
		case !ok:
			return exit.Failuref("Only what others have sent can be reported.", "%s is a message of %s", name, client.Short(s.User))
		case m.Evidence == nil:
			return exit.Failuref("", "%s has no frank, so that nothing proves who sent it", name)
		case !in.Abuser.IsZero() && in.Abuser != m.Sender:
			return exit.Usagef("Report each user alone.", "messages of %s and %s", client.Short(in.Abuser), client.Short(m.Sender))
		}
		in.Abuser = m.Sender
		in.Messages = append(in.Messages, *m.Evidence)
	}
	if _, err := s.Ask(ctx, r.URI, "report", in); err != nil {
		return err
	}
	if o.JSON {
		return o.IO.JSON(struct {
			Room     ident.URI `json:"room"`
			Abuser   ident.URI `json:"alleged_abuser"`
			Messages int       `json:"messages"`
		}{r.URI, in.Abuser, len(in.Messages)})
	}
	return s.Say("%s has the report of %s by %s", r.URI.Provider(), term.Plural(len(in.Messages), "message"), client.Short(in.Abuser))
}
