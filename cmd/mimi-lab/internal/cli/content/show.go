package content

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/encoded"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// showOptions are those of the command content show.
type showOptions struct {
	IO           *term.IO
	Args         []string
	Encoding     encoded.Encoding
	Sender, Room string
	Full         bool
	JSON         bool
}

func newShow(t *term.IO) *cobra.Command {
	o := &showOptions{IO: t, Encoding: encoded.Auto}
	c := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show what is in MIMI content, field by field",
		Long: `Show what is in MIMI content or in a message status report, in the field names
of the drafts. It comes from FILE, or from standard input if that is "-" or left
out: in hexadecimal, in base64 or as it is.

Lines with an arrow are not in the message but follow from it: its ID, which
takes the URIs of its sender and its room. They are those of --sender and
--room, or else those that the message itself names. If both are there and
differ, the exit code is 1.`,
		Example: `  echo 8750000102030405060708090a0b0c0d0e0ff640f6f6a08501600178187465 \
    78742f706c61696e3b636861727365743d7574662d384548656c6c6f \
    | mimi-lab content show --sender mimi://a.example/u/alice \
        --room mimi://a.example/r/clubhouse`,
		Args: command.Args(0, 1, "a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Args = args
			return runShow(o)
		},
	}
	o.Encoding.Flag(c.Flags())
	c.Flags().StringVar(&o.Sender, "sender", "", "`URI` of the user who sent it")
	c.Flags().StringVar(&o.Room, "room", "", "`URI` of the room it was sent to")
	c.Flags().BoolVar(&o.Full, "full", false, "shorten nothing")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object, bytes in hexadecimal")
	return c
}

// shown is what the command says, as JSON.
type shown struct {
	ReadAs   string           `json:"read_as"` // mimiContent or MessageStatusReport
	Encoding encoded.Encoding `json:"encoding"`
	Bytes    int              `json:"bytes"`
	Content  *outline.Node    `json:"content"`
	Problems []string         `json:"problems,omitempty"`
}

func runShow(o *showOptions) error {
	if o.Sender != "" {
		if err := checkSender(o.Sender); err != nil {
			return err
		}
	}
	if o.Room != "" {
		if err := checkRoom(o.Room); err != nil {
			return err
		}
	}
	b, e, err := encoded.Read(o.IO, o.Args, o.Encoding)
	if err != nil {
		return err
	}
	s := shown{Encoding: e, Bytes: len(b)}
	m, err := content.Parse(b)
	if err == nil {
		s.ReadAs, s.Content = "mimiContent", messageNode(m)
		s.Problems, err = o.derive(s.Content, m, b)
	} else if r, errStatus := content.ParseStatusReport(b); errStatus == nil {
		s.ReadAs, s.Content, err = "MessageStatusReport", statusNode(r), nil
	}
	if err != nil {
		return exit.Usagef(e.Hint(), "not MIMI content: %w", err)
	}
	if o.JSON {
		err = o.IO.JSON(s)
	} else {
		fmt.Fprintf(o.IO.Out, "%s, %s, read from %s\n\n", s.ReadAs, outline.Size(len(b)), e)
		err = s.Content.Write(o.IO.Out, outline.Style{Columns: inspect.Columns, Full: o.Full, Paint: inspect.Painter(o.IO)})
	}
	if err != nil {
		return err
	}
	if len(s.Problems) > 0 {
		return exit.Failuref("", "well-formed, but not by this sender in this room: %s", s.Problems[0])
	}
	return nil
}

// derive adds what follows from a message, and says in what it differs from the
// sender and the room that were given.
func (o *showOptions) derive(n *outline.Node, m *content.Message, b []byte) (problems []string, err error) {
	n.Derive("kind", outline.Text(m.Kind().String()))
	sender, _ := m.SenderURI()
	room, _ := m.RoomURI()
	for _, uri := range []struct{ name, given, own string }{{"senderUri", o.Sender, sender}, {"roomUri", o.Room, room}} {
		if uri.given != "" && uri.own != "" && uri.given != uri.own {
			problems = append(problems, fmt.Sprintf("it says %s %q", uri.name, uri.own))
		}
	}
	if o.Sender != "" {
		sender = o.Sender
	}
	if o.Room != "" {
		room = o.Room
	}
	if sender != "" && room != "" {
		id, err := content.IDOf(sender, room, b, m.Salt)
		if err != nil {
			return nil, err
		}
		n.Derive("messageId", outline.Text(id.String()))
	}
	if _, single := m.Body.Part.(content.SinglePart); single {
		return problems, nil // its text is there already
	}
	if text, ok := m.Body.PlainText(); ok {
		n.Derive("text", outline.Quoted(text))
	}
	return problems, nil
}
