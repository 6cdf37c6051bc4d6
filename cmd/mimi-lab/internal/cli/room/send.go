package room

import (
	"context"
	"encoding/hex"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/encoded"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// sendOptions are those of the command room send.
type sendOptions struct {
	client.Options
	Room     string
	Text     []string
	ReplyTo  string
	Replaces string
	React    string
	Delete   bool
	Content  string
	Encoding encoded.Encoding
	given    func(string) bool
}

func newSend(t *term.IO) *cobra.Command {
	o := &sendOptions{Options: client.Options{IO: t}, Encoding: encoded.Auto}
	c := &cobra.Command{
		Use:   "send ROOM [TEXT]",
		Short: "Send a message",
		Long: `Send a message (draft-ietf-mimi-protocol-06, Cathy Sends a Message): TEXT, or
what comes from standard input if that is "-". A message is named by its ID or
the beginning of it, as room history shows it.

--content takes a file of content as "content encode" makes it; the sender and
the room in it have to be this one.`,
		Example: `  mimi-lab room send clubhouse "Hello, everyone!" --as alice@a.example
  mimi-lab room send clubhouse --content hello.hex --as alice@a.example`,
		Annotations: tried(made + "\nmimi-lab content encode --sender mimi://a.example/u/alice --room mimi://a.example/r/clubhouse --text Hello > hello.hex"),
		Args:        command.Args(1, 2, "a room or text (in quotes)"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Room, o.Text, o.given = args[0], args[1:], c.Flags().Changed
			return o.send(c.Context())
		},
	}
	f := c.Flags()
	f.SortFlags = false
	o.Flags(f)
	f.StringVar(&o.ReplyTo, "reply-to", "", "`ID` of the message that this answers")
	f.StringVar(&o.React, "react", "", "`emoji` in place of TEXT, for the message of --reply-to")
	f.StringVar(&o.Replaces, "replaces", "", "`ID` of an own message, of which TEXT is a new version")
	f.BoolVar(&o.Delete, "delete", false, "take the message of --replaces back")
	f.StringVar(&o.Content, "content", "", "`file` with the content of a message")
	o.Encoding.Flag(f)
	f.BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// send reads what is to be sent before it opens the device, which it would keep from
// others meanwhile.
func (o *sendOptions) send(ctx context.Context) error {
	m, err := o.message()
	if err != nil {
		return err
	}
	return o.Run(ctx, func(ctx context.Context, s *client.Session) error { return o.run(ctx, s, m) })
}

// message makes the message, but for what it refers to.
func (o *sendOptions) message() (*content.Message, error) {
	const hint = "A message is one of TEXT, --react, --delete and --content."
	n := len(o.Text)
	for _, f := range []string{"react", "delete", "content"} {
		if o.given(f) {
			n++
		}
	}
	switch {
	case n == 0:
		return nil, exit.Usagef(hint, "room send: there is nothing to send")
	case n > 1:
		return nil, exit.Usagef(hint, "room send: two messages at once")
	case o.Delete && o.Replaces == "":
		return nil, exit.Usagef("It names the message to take back by its ID.", "room send: --delete needs --replaces")
	case o.given("react") && o.ReplyTo == "":
		return nil, exit.Usagef("It names the message to react to by its ID.", "room send: --react needs --reply-to")
	case o.given("content") && (o.ReplyTo != "" || o.Replaces != ""):
		return nil, exit.Usagef("content encode has these flags, too.", "room send: --content says itself what it replies to or replaces")
	case o.given("content"):
		b, _, err := encoded.Read(o.IO, []string{o.Content}, o.Encoding)
		if err != nil {
			return nil, err
		}
		m, err := content.Parse(b)
		if err != nil {
			return nil, exit.Usagef("mimi-lab content show "+command.Quote(o.Content)+" says more.", "%w", err)
		}
		return m, nil
	case o.Delete:
		return &content.Message{Body: content.Deletion()}, nil
	case o.given("react"):
		return &content.Message{Body: content.React(o.React)}, nil
	}
	text := o.Text[0]
	if text == "-" {
		b, err := io.ReadAll(io.LimitReader(o.IO.In, content.MaxSize+1))
		if err != nil {
			return nil, exit.Failuref("", "read standard input: %w", err)
		}
		text = strings.TrimSuffix(string(b), "\n")
	}
	if !utf8.ValidString(text) {
		return nil, exit.Usagef("--content sends what content encode --attach makes of any bytes.", "room send: the text is not UTF-8")
	}
	if strings.TrimSpace(text) == "" {
		return nil, exit.Usagef(hint, "room send: the text is empty")
	}
	return &content.Message{Body: content.Text(text)}, nil
}

func (o *sendOptions) run(ctx context.Context, s *client.Session, m *content.Message) error {
	r, err := s.Enter(ctx, o.Room)
	if err != nil {
		return err
	}
	if err := o.refer(ctx, s, r.URI, m); err != nil {
		return err
	}
	b, id, err := complete(s, r.URI, m)
	if err != nil {
		return err
	}
	// Before it is sent: the device's events have the ID alone.
	if err := s.Sent.Put(ctx, id, b); err != nil {
		return exit.Failuref("", "%w", err)
	}
	e, err := s.Act(ctx, "send", member.Send{Room: r.URI, Message: m})
	if err != nil {
		return err
	}
	sent := e.Event.(member.Sent)
	if o.JSON {
		return o.IO.JSON(struct {
			Room     ident.URI         `json:"room"`
			ID       content.MessageID `json:"message_id"`
			Accepted *time.Time        `json:"accepted,omitempty"`
			Franked  bool              `json:"franked"`
		}{r.URI, sent.Message, timeOrNil(sent.Accepted), sent.Frank != nil})
	}
	frank := ""
	if sent.Frank != nil {
		frank = ", franked by the hub"
	}
	return s.Say("%s is accepted in %s%s", shortID(sent.Message), client.Short(r.URI), frank)
}

// refer sets what a message replies to or replaces.
func (o *sendOptions) refer(ctx context.Context, s *client.Session, uri ident.URI, m *content.Message) error {
	if o.ReplyTo == "" && o.Replaces == "" {
		return nil
	}
	h, err := read(ctx, s, uri)
	if err != nil {
		return err
	}
	if o.ReplyTo != "" {
		if m.InReplyTo, err = h.named(o.ReplyTo); err != nil {
			return err
		}
	}
	if o.Replaces != "" {
		if m.Replaces, err = h.named(o.Replaces); err != nil {
			return err
		}
		if e, ok := h.timeline.Entry(m.Replaces); ok && e.Sender != s.User.String() {
			return exit.Usagef("Only who has sent a message edits it or takes it back; everybody else would refuse that.", "message %q is not one of %s", o.Replaces, client.Short(s.User))
		}
	}
	return nil
}

// complete draws the salt and says whose the message is, and returns its encoding and
// ID as they will be.
func complete(s *client.Session, uri ident.URI, m *content.Message) ([]byte, content.MessageID, error) {
	std, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		return nil, content.MessageID{}, err
	}
	sender, room := s.User.String(), uri.String()
	for _, f := range []struct {
		what, want string
		said       func() (string, bool)
	}{{"sender", sender, m.SenderURI}, {"room", room, m.RoomURI}} {
		if got, ok := f.said(); ok && got != f.want {
			return nil, content.MessageID{}, exit.Usagef("Make it with --sender "+sender+" --room "+room+".", "the content says that its %s is %s", f.what, got)
		}
	}
	if m.Salt == (content.Salt{}) {
		if m.Salt, err = content.NewSalt(std); err != nil {
			return nil, content.MessageID{}, err
		}
	}
	m.Extensions = m.Extensions.With(content.KeySenderURI, content.TextValue(sender)).With(content.KeyRoomURI, content.TextValue(room))
	b, err := m.Marshal()
	if err != nil {
		return nil, content.MessageID{}, exit.Usagef("", "%w", err)
	}
	id, err := content.IDOf(sender, room, b, m.Salt)
	return b, id, err
}

// idDigits is how much of a message's ID people are shown, after the octet that says
// how it is made.
const idDigits = 8

// shortID writes a message's ID for people.
func shortID(id content.MessageID) string { return hex.EncodeToString(id[1:])[:idDigits] }

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
