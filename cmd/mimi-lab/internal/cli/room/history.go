package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// historyOptions are those of the command room history.
type historyOptions struct {
	client.Options
	Room   string
	Least  int
	Follow bool
	For    time.Duration
}

func newHistory(t *term.IO) *cobra.Command {
	o := &historyOptions{Options: client.Options{IO: t}}
	c := &cobra.Command{
		Use:   "history ROOM",
		Short: "Show the messages of a room and what happened to it",
		Long: `Show the messages that the device has got and sent, each in its newest version
with the reactions to it (draft-ietf-mimi-content-09), and what happened to the
room: who came and went, and by whom.

--follow goes on with what comes, as it comes. The device then also commits what
others have proposed, such as to leave.`,
		Example: `  mimi-lab room history clubhouse --as alice@a.example
  mimi-lab room history clubhouse --as alice@a.example --follow --for 1s --json`,
		Annotations: tried(made + "\nmimi-lab room send clubhouse Hello --as alice@a.example"),
		Args:        command.Args(1, 1, "a room"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room = args[0]
			if o.For < 0 {
				return exit.Usagef("", "--for %v: want 0 or more", o.For)
			}
			if o.Least < 0 {
				return exit.Usagef("", "--least %d: want 0 or more", o.Least)
			}
			if o.For > 0 && !o.Follow {
				return exit.Usagef("Leave one out, or give both.", "--for without --follow")
			}
			if o.Follow {
				o.CommitDelay = inTurn
			}
			return o.Run(c.Context(), o.run)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.IntVar(&o.Least, "least", 0, "wait, up to --timeout, until there are so many `messages`")
	f.BoolVar(&o.Follow, "follow", false, "go on with what comes")
	f.DurationVar(&o.For, "for", 0, "end --follow after this time; 0 goes on without end")
	f.BoolVar(&o.JSON, "json", false, "print a JSON array, with --follow a JSON object a line")
	return c
}

// inTurn is how long a device that stays connected waits before it commits what others
// have proposed: by its place in the group, so that not all do at once.
func inTurn(leaf uint32) time.Duration { return time.Duration(leaf%20+1) * 200 * time.Millisecond }

func (o *historyOptions) run(ctx context.Context, s *client.Session) error {
	uri, err := s.PastRoomURI(o.Room)
	if err != nil {
		return err
	}
	h, err := read(ctx, s, uri)
	if err != nil {
		return err
	}
	// Who was in the room and is not any more may look back.
	if len(h.items) == 0 || o.inside(s, uri) {
		r, err := s.Enter(ctx, o.Room)
		if err != nil {
			return err
		}
		uri = r.URI
	}
	if h, err = o.wait(ctx, s, uri); err != nil {
		return err
	}
	p := &printer{out: o.IO, names: namesOf(h)}
	switch {
	case o.JSON && !o.Follow:
		return o.IO.JSON(h.all())
	case o.JSON:
		enc := json.NewEncoder(o.IO.Out)
		for _, i := range h.all() {
			if err := enc.Encode(i); err != nil {
				return err
			}
		}
	default:
		p.head(o.IO.Out, s, uri)
		for _, i := range h.all() {
			p.print(o.IO.Out, h, i)
		}
	}
	if !o.Follow {
		return nil
	}
	return o.follow(ctx, s, h, p)
}

// inside reports whether the device is in a room or about to be.
func (o *historyOptions) inside(s *client.Session, uri ident.URI) bool {
	_, ok := s.Room(uri)
	return ok
}

// wait waits until there are as many messages as are asked for.
func (o *historyOptions) wait(ctx context.Context, s *client.Session, uri ident.URI) (*history, error) {
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	for {
		last := s.Last()
		h, err := read(ctx, s, uri)
		if err != nil || h.messages() >= o.Least {
			return h, err
		}
		if _, err := s.Next(bounded, last); ctx.Err() != nil {
			return nil, ctx.Err()
		} else if errors.Is(err, context.DeadlineExceeded) {
			return nil, exit.Failuref("--timeout waits longer.", "%s has %s of %s after %v, want %d", o.As, term.Plural(h.messages(), "message"), client.Short(uri), o.Timeout, o.Least)
		} else if err != nil {
			return nil, err
		}
	}
}

// follow prints what comes.
func (o *historyOptions) follow(ctx context.Context, s *client.Session, h *history, p *printer) error {
	bounded := ctx
	if o.For > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	if !o.JSON {
		until := "until interrupted"
		if o.For > 0 {
			until = "for " + o.For.String()
		}
		s.Tell("following %s, %s", client.Short(h.room), until)
	}
	enc := json.NewEncoder(o.IO.Out)
	for after := h.last; ; {
		list, err := s.Next(bounded, after)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return nil
		case err != nil:
			return exit.Failuref("", "%w", err)
		}
		for _, e := range list {
			after = e.N
			i, ok := h.take(e)
			switch {
			case !ok:
			case o.JSON:
				if err := enc.Encode(i); err != nil {
					return err
				}
			default:
				p.names = namesOf(h)
				p.print(o.IO.Out, h, i)
			}
		}
	}
}

// printer writes a history for people.
type printer struct {
	out   *term.IO
	names map[string]string // of users, by their URIs
	day   string
}

// namesOf gives users the shortest names that tell them apart.
func namesOf(h *history) map[string]string {
	known := make(map[string]bool)
	for _, i := range h.items {
		known[i.By] = true
	}
	if h.state != nil {
		for u := range users(h.state) {
			known[u.User] = true
		}
	}
	same := make(map[string]int)
	first := func(u string) string {
		name, _, _ := strings.Cut(client.ShortName(u), "@")
		return name
	}
	for u := range known {
		same[first(u)]++
	}
	names := make(map[string]string)
	for u := range known {
		if names[u] = first(u); same[names[u]] > 1 {
			names[u] = client.ShortName(u)
		}
	}
	return names
}

// head says which room it is.
func (p *printer) head(w io.Writer, s *client.Session, uri ident.URI) {
	r, _ := s.Room(uri)
	if r.State == nil {
		fmt.Fprintf(w, "%s, where %s is not any more\n\n", p.out.Paint(term.Bold, client.Short(uri)), client.Short(s.Client()))
		return
	}
	title := ""
	if m := r.State.Metadata(); m != nil && m.Name != "" && m.Name != uri.Segments()[0] {
		title = fmt.Sprintf(" %q", m.Name)
	}
	fmt.Fprintf(w, "%s%s, epoch %d, %s\n\n", p.out.Paint(term.Bold, client.Short(uri)), title, r.Epoch, term.Plural(r.State.Clients(), "device"))
}

// columns of a line: time, ID, who, what.
const (
	timeColumns = 8
	mostName    = 20
)

// print writes an item.
func (p *printer) print(w io.Writer, h *history, i item) {
	at := i.At.Local()
	if day := at.Format("Monday, 2 January 2006"); day != p.day {
		if p.day != "" {
			fmt.Fprintln(w)
		}
		p.day = day
		fmt.Fprintln(w, p.out.Paint(term.Faint, day))
	}
	who := p.names[i.By]
	if who == "" {
		who = client.ShortName(i.By)
	}
	lead := at.Format("15:04:05") + "  "
	if i.Message == nil {
		p.paragraph(w, lead+strings.Repeat(" ", idDigits+2), p.happened(h, i, who), term.Faint)
		return
	}
	m := i.Message
	text := m.Text
	switch {
	case m.Gone != "":
		text = m.Gone
	case i.Event == "reaction":
		text = "reacts with " + text
	case text == "":
		text = "(nothing that is shown as text)"
	}
	var notes []string
	if !m.InReplyTo.IsZero() {
		notes = append(notes, "to "+shortID(m.InReplyTo))
	}
	if !m.Replaces.IsZero() {
		notes = append(notes, "in place of "+shortID(m.Replaces))
	}
	if m.Versions > 1 && m.Gone == "" {
		notes = append(notes, "edited")
	}
	if m.Unfranked != "" {
		notes = append(notes, "not franked: "+briefly(m.Unfranked))
	}
	if len(notes) > 0 {
		text += " (" + strings.Join(notes, ", ") + ")"
	}
	name := who + ":"
	width := min(max(utf8.RuneCountInString(name), p.widest()+1), mostName)
	style := term.Style("")
	if m.Gone != "" {
		style = term.Faint
	}
	p.paragraph(w, lead+shortID(m.ID)+"  "+fmt.Sprintf("%-*s ", width, name), text, style)
	var reactions []string
	for _, r := range m.Reactions {
		by := p.names[r.By]
		if by == "" {
			by = client.ShortName(r.By)
		}
		reactions = append(reactions, r.Text+" "+by)
	}
	if len(reactions) > 0 {
		p.paragraph(w, strings.Repeat(" ", timeColumns+2+idDigits+2+width+1), strings.Join(reactions, ", "), term.Faint)
	}
}

// widest is how long the longest name is.
func (p *printer) widest() (n int) {
	for _, name := range p.names {
		n = max(n, utf8.RuneCountInString(name))
	}
	return n
}

// paragraph writes a text after what leads it, below which it goes on. Lines of the
// text stay lines.
func (p *printer) paragraph(w io.Writer, lead, text string, style term.Style) {
	indent := utf8.RuneCountInString(lead)
	first := true
	for _, whole := range strings.Split(text, "\n") {
		for _, line := range term.Wrap(printable(whole), inspect.Columns-indent) {
			if !first {
				lead = strings.Repeat(" ", indent)
			}
			first = false
			if style != "" {
				line = p.out.Paint(style, line)
			}
			fmt.Fprintln(w, lead+line)
		}
	}
}

// printable takes control characters out of what others have written, and those that turn
// the direction of what follows (UAX #9): a terminal would do what they say, to what stands
// beside it as well.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// happened says what happened to the room.
func (p *printer) happened(h *history, i item, who string) string {
	switch i.Event {
	case "joined":
		if i.By == "" {
			return fmt.Sprintf("this device is in the room, from epoch %d on", *i.Epoch)
		}
		return fmt.Sprintf("this device is in the room, from epoch %d on, added by %s", *i.Epoch, who)
	case "changed":
		return who + " " + describe(h.state, i.By, i.Changes)
	case "proposed":
		if leaves(i) {
			return who + " leaves, with the next Commit of another"
		}
		return who + " proposes, for the next Commit: " + describe(h.state, i.By, i.Changes)
	case "leaving":
		return who + " leaves, with the next Commit of another"
	case "removed":
		return "this device is out of the room, by a Commit of " + who
	case "unreadable":
		return "a message of " + who + " that cannot be read: " + briefly(i.Why)
	case "discarded":
		return "a message of " + who + " that is not valid: " + briefly(i.Why)
	}
	return i.Event + ": " + briefly(i.Why)
}

var wholeID = regexp.MustCompile(`01([0-9a-f]{62})`)

// briefly writes the IDs of messages in a text as elsewhere in a history.
func briefly(s string) string {
	return wholeID.ReplaceAllStringFunc(s, func(id string) string { return id[2 : 2+idDigits] })
}

// leaves reports whether proposals are those of a user to leave.
func leaves(i item) bool {
	return slices.ContainsFunc(i.Changes, func(c member.Change) bool {
		return c.Kind == member.UserRemoved && c.User.String() == i.By
	})
}
