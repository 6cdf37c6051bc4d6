package content

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/encoded"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// encodeOptions are those of the command content encode.
type encodeOptions struct {
	IO           *term.IO
	Args         []string
	Sender, Room string

	Text, Markdown string
	React          []string
	Delete, Unlike bool
	Attach         attachment

	ReplyTo, Replaces messageID
	Topic             string
	ExpiresAt         string
	ExpiresAfter      time.Duration
	Language          string

	Seed   uint64
	Seeded bool
	To     encoded.Encoding
	JSON   bool

	given func(flag string) bool
}

// attachment is a file that is encrypted to be uploaded.
type attachment struct {
	File, Ciphertext, URL, Type, Description string
}

// messageID is the value of a flag.
type messageID struct{ content.MessageID }

// Set takes the value of a flag; with String and Type it makes messageID one.
func (m *messageID) Set(s string) error { return m.UnmarshalText([]byte(s)) }

func (m *messageID) String() string {
	if m.IsZero() {
		return ""
	}
	return m.MessageID.String()
}

// Type is what the help calls a value of the flag.
func (m *messageID) Type() string { return "ID" }

func newEncode(t *term.IO) *cobra.Command {
	o := &encodeOptions{IO: t, To: encoded.Hex}
	c := &cobra.Command{
		Use:   "encode [FILE]",
		Short: "Make the content of a message",
		Long: `Make the content of a message and print it in hexadecimal, in base64 or as it
is. What it holds is one of --text, --markdown, --react, --delete, --unlike and
--attach, or what FILE describes, which is "-" for standard input:

  {"type": "text/html", "text": "<b>Hello</b>", "language": "en"}
  {"type": "image/png", "hex": "89504e47", "disposition": "inline"}
  {"type": "video/mp4", "url": "https://a.example/1", "description": "A cat"}
  {"semantics": "chooseOne", "parts": [PART, PART, ...]}

A reply has --reply-to, an edit or deletion --replaces with the ID of the first
version of what it replaces. --attach encrypts a file, to the file that
--ciphertext names; that is what to upload to --url.`,
		Example: `  mimi-lab content encode --sender mimi://a.example/u/alice \
      --room mimi://a.example/r/clubhouse --text Hello --json
  mimi-lab content encode --sender mimi://b.example/u/bob \
      --room mimi://a.example/r/clubhouse --react 👍 --reply-to \
      017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f4
  echo '{"semantics":"chooseOne","parts":[{"text":"Yes"},{"text":"Oui"}]}' \
    | mimi-lab content encode - --sender mimi://a.example/u/alice \
        --room mimi://a.example/r/clubhouse`,
		Args: command.Args(0, 1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Args, o.given = args, c.Flags().Changed
			return runEncode(o)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.Sender, "sender", "", "`URI` of the user who sends it")
	f.StringVar(&o.Room, "room", "", "`URI` of the room it is sent to")
	f.StringVar(&o.Text, "text", "", "plain text")
	f.StringVar(&o.Markdown, "markdown", "", "text in GFM-MIMI, which has no HTML")
	f.StringArrayVar(&o.React, "react", nil, "an `emoji`; may be given several times")
	f.BoolVar(&o.Delete, "delete", false, "delete the message that --replaces names")
	f.BoolVar(&o.Unlike, "unlike", false, "take back the reaction that --replaces names")
	f.StringVar(&o.Attach.File, "attach", "", "`file` to encrypt and to refer to")
	f.StringVar(&o.Attach.Ciphertext, "ciphertext", "", "`file` for what --attach encrypted")
	f.StringVar(&o.Attach.URL, "url", "", "`URL` where the attachment will be")
	f.StringVar(&o.Attach.Type, "type", "application/octet-stream", "media `type` of the attachment")
	f.StringVar(&o.Attach.Description, "description", "", "`text` about the attachment")
	f.Var(&o.ReplyTo, "reply-to", "message that this is a reply or reaction to")
	f.Var(&o.Replaces, "replaces", "first version of the message that this edits")
	f.StringVar(&o.Topic, "topic", "", "`name` of the topic it belongs to")
	f.StringVar(&o.ExpiresAt, "expires-at", "", "`time` when it expires: 2026-12-24T18:00:00Z")
	f.DurationVar(&o.ExpiresAfter, "expires-after", 0, "`time` after it is read when it expires: 1h30m")
	f.StringVar(&o.Language, "language", "", "language `tags`, with commas between them")
	f.Uint64Var(&o.Seed, "seed", 0, "draw salt and keys from this seed, not at random")
	f.Var(&o.To, "to", "print it in this encoding: hex, base64 or binary")
	f.BoolVar(&o.JSON, "json", false, "print a JSON object with its ID and its fields")
	return c
}

func runEncode(o *encodeOptions) error {
	if o.Sender == "" || o.Room == "" {
		return exit.Usagef(`"mimi-lab content encode --help" has examples.`, "content encode: --sender and --room are needed")
	}
	if err := cmp.Or(checkSender(o.Sender), checkRoom(o.Room), o.checkOutput()); err != nil {
		return err
	}
	s, err := o.suite()
	if err != nil {
		return err
	}
	body, ciphertext, err := o.body(s)
	if err != nil {
		return err
	}
	if o.given("language") {
		body.Language = o.Language
	}
	m, err := content.New(s, o.Sender, o.Room, body)
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	m.InReplyTo, m.Replaces, m.TopicID = o.ReplyTo.MessageID, o.Replaces.MessageID, []byte(o.Topic)
	if m.Expires, err = o.expires(); err != nil {
		return err
	}
	b, err := m.Marshal()
	if err != nil {
		return exit.Usagef("", "%w", err)
	}
	id, err := content.IDOf(o.Sender, o.Room, b, m.Salt)
	if err != nil {
		return exit.Usagef("", "%w", err)
	}
	if ciphertext != nil {
		if err := os.WriteFile(o.Attach.Ciphertext, ciphertext, 0o666); err != nil {
			return exit.Failuref("--ciphertext chooses another file.", "%w", err)
		}
	}
	return o.print(m, b, id)
}

// suite returns where salt and keys come from. Attachments are encrypted with
// AES-128-GCM whatever suite a room has.
func (o *encodeOptions) suite() (suite.Suite, error) {
	const id = suite.X25519AES128GCMSHA256Ed25519
	if !o.given("seed") {
		return suite.NewStd(id)
	}
	var seed [32]byte
	for i := range 8 {
		seed[i] = byte(o.Seed >> (8 * i))
	}
	return suite.NewSeeded(id, seed, "mimi-lab content encode")
}

// bodyFlags say what is in a message.
var bodyFlags = []string{"text", "markdown", "react", "delete", "unlike", "attach"}

// body makes the body, and what is to be uploaded if that is an attachment.
func (o *encodeOptions) body(s suite.Suite) (content.NestedPart, []byte, error) {
	var given []string
	for _, f := range bodyFlags {
		if o.given(f) {
			given = append(given, "--"+f)
		}
	}
	given = append(given, o.Args...)
	const hint = "A message is one of --text, --markdown, --react, --delete, --unlike, --attach and FILE."
	switch {
	case len(given) == 0:
		return content.NestedPart{}, nil, exit.Usagef(hint, "content encode: the message has nothing in it")
	case len(given) > 1:
		return content.NestedPart{}, nil, exit.Usagef(hint, "content encode: %s and %s at once", given[0], given[1])
	case (o.Delete || o.Unlike) && o.Replaces.IsZero():
		return content.NestedPart{}, nil, exit.Usagef("It names what to take back by its ID.", "content encode: %s needs --replaces", given[0])
	case len(o.React) > 0 && o.ReplyTo.IsZero() && o.Replaces.IsZero():
		return content.NestedPart{}, nil, exit.Usagef("It names what to react to by its ID.", "content encode: --react needs --reply-to")
	}
	switch {
	case len(o.Args) > 0:
		p, err := o.described()
		return p, nil, err
	case o.given("text"):
		return content.Text(o.Text), nil, nil
	case o.given("markdown"):
		return content.Markdown(o.Markdown), nil, nil
	case o.given("react"):
		return content.React(o.React[0], o.React[1:]...), nil, nil
	case o.given("attach"):
		return o.attach(s)
	case o.Unlike:
		return content.Unlike(), nil, nil
	}
	return content.Deletion(), nil, nil
}

// attach encrypts a file.
func (o *encodeOptions) attach(s suite.Suite) (content.NestedPart, []byte, error) {
	if o.Attach.URL == "" || o.Attach.Ciphertext == "" {
		return content.NestedPart{}, nil, exit.Usagef("--ciphertext is a file to write, --url where you will upload it.", "content encode: --attach needs --url and --ciphertext")
	}
	b, err := readBounded(o.Attach.File, content.MaxAttachment)
	if err != nil {
		return content.NestedPart{}, nil, err
	}
	p, ciphertext, err := content.SealExternal(s, b)
	if err != nil {
		return content.NestedPart{}, nil, exit.Failuref("", "%w", err)
	}
	p.ContentType, p.URL, p.Description, p.Filename = o.Attach.Type, o.Attach.URL, o.Attach.Description, base(o.Attach.File)
	return content.NestedPart{Disposition: content.DispositionAttachment, Part: p}, ciphertext, nil
}

// readBounded reads a file of at most so many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, exit.Failuref("Name a file that exists.", "%w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, exit.Failuref("", "%w", err)
	}
	if int64(len(b)) > most {
		return nil, exit.Usagef("", "%s is longer than %d MiB, want at most that", path, most>>20)
	}
	return b, nil
}

// expires is when the message expires.
func (o *encodeOptions) expires() (content.Expiration, error) {
	var e content.Expiration
	var err error
	switch {
	case o.given("expires-at") && o.given("expires-after"):
		err = errors.New("content encode: --expires-at and --expires-after at once")
	case o.given("expires-at"):
		var at time.Time
		if at, err = time.Parse(time.RFC3339, o.ExpiresAt); err == nil {
			e, err = content.At(at)
		}
	case o.given("expires-after"):
		e, err = content.After(o.ExpiresAfter)
	}
	if err == nil {
		err = e.Check(o.IO.Now())
	}
	if err != nil {
		return content.Expiration{}, exit.Usagef("Receivers discard what expires more than a year from now.", "%w", err)
	}
	return e, nil
}

// checkOutput refuses what can't be printed.
func (o *encodeOptions) checkOutput() error {
	switch {
	case o.To == encoded.Auto:
		return exit.Usagef("", "content encode: --to auto is no encoding: want hex, base64 or binary")
	case o.To == encoded.Binary && o.JSON:
		return exit.Usagef("Leave out --json, or ask for --to hex or --to base64.", "JSON cannot hold binary content as it is")
	case o.To == encoded.Binary && o.IO.OutTTY:
		return exit.Usagef("Send it to a file, or ask for --to hex.", "binary content would garble the terminal")
	}
	return nil
}

// print prints the message.
func (o *encodeOptions) print(m *content.Message, b []byte, id content.MessageID) error {
	data := string(b)
	switch o.To {
	case encoded.Hex:
		data = hex.EncodeToString(b)
	case encoded.Base64:
		data = base64.StdEncoding.EncodeToString(b)
	case encoded.Binary:
		_, err := o.IO.Out.Write(b)
		return err
	}
	if !o.JSON {
		_, err := fmt.Fprintln(o.IO.Out, data)
		return err
	}
	return o.IO.JSON(struct {
		Encoding encoded.Encoding  `json:"encoding"`
		Bytes    int               `json:"bytes"`
		Data     string            `json:"data"`
		Kind     string            `json:"kind"`
		ID       content.MessageID `json:"message_id"`
		Content  *outline.Node     `json:"content"`
	}{o.To, len(b), data, m.Kind().String(), id, messageNode(m)})
}
