package gateway

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

var update = flag.Bool("update", false, "write MAPPING.md")

// TestMappingFile compares MAPPING.md with the table.
func TestMappingFile(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.WriteFile("MAPPING.md", []byte(Markdown()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("MAPPING.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Markdown() {
		t.Error("MAPPING.md is not what mapping.go says: go test ./groups/gateway -run TestMappingFile -update")
	}
}

func mid(n byte) content.MessageID { return content.MessageID{content.HashSHA256, n} }

// marker is the text of samples; a translation that keeps anything keeps it.
const marker = "the very words"

// samples are a message of each kind that a room may send, by its row, and what it
// becomes: the texts, answers and kinds, as one line.
var samplesToSignal = map[string]struct {
	m    content.Message
	want string
}{
	"plain text":               {content.Message{Body: content.Text(marker)}, "text alice: the very words"},
	"text in GFM-MIMI":         {content.Message{Body: content.Markdown("*" + marker + "*")}, "text alice: *the very words*"},
	"text of more than 64 KiB": {content.Message{Body: content.Text(marker + strings.Repeat("é", 40000))}, "text alice: the very words… (cut off, 14550 bytes more)"},
	"other content in the message, such as HTML": {
		content.Message{Body: content.NestedPart{Disposition: content.DispositionRender, Part: content.SinglePart{ContentType: "text/html\x00", Content: []byte(marker)}}},
		"text alice: [text/html (render), 14 bytes, which this chat cannot show]"},
	"alternatives (chooseOne)": {
		content.Message{Body: content.NestedPart{Part: content.MultiPart{Semantics: content.ChooseOne, Parts: []content.NestedPart{
			{Part: content.SinglePart{ContentType: "text/html", Content: []byte("<b>" + marker)}}, content.Text(marker)}}}},
		"text alice: the very words"},
	"several parts (processAll)": {content.Message{Body: manyParts(3)}, "text alice: the very words; text alice: the very words; text alice: the very words"},
	"more parts than Limits.Parts": {content.Message{Body: manyParts(6)},
		"text alice: the very words; text alice: the very words; text alice: the very words (and 3 parts more)"},
	"reply":                                {content.Message{InReplyTo: mid(1), Body: content.Text(marker)}, "text alice: the very words ↩S1"},
	"reply to what the chat does not have": {content.Message{InReplyTo: mid(99), Body: content.Text(marker)}, "text alice: (about a message that is not in this chat) the very words"},
	"reaction, in a room of two":           {content.Message{InReplyTo: mid(1), Body: content.React(marker)}, "reaction the very words →S1"},
	"one more reaction to the same message": {content.Message{InReplyTo: mid(2), Body: content.React(marker)},
		"text alice: reacted with the very words ↩S2"},
	"reaction, in a larger room":                {content.Message{InReplyTo: mid(1), Body: content.React(marker)}, "text alice: reacted with the very words ↩S1"},
	"several emojis as one reaction":            {content.Message{InReplyTo: mid(1), Body: content.React(marker, "❤")}, "text alice: reacted with the very words ❤ ↩S1"},
	"reaction that is shown as one, changed":    {content.Message{Replaces: mid(3), InReplyTo: mid(2), Body: content.React(marker)}, "reaction the very words →S2"},
	"reaction that is shown as one, taken back": {content.Message{Replaces: mid(3), InReplyTo: mid(2), Body: content.Unlike()}, "reaction  →S2"},
	"other reaction, taken back":                {content.Message{Replaces: mid(4), InReplyTo: mid(1), Body: content.Unlike()}, "text alice: took a reaction back. ↩S1"},
	"edit":                                      {content.Message{Replaces: mid(1), Body: content.Text(marker)}, "text alice: changed this message: the very words ↩S1"},
	"deletion":                                  {content.Message{Replaces: mid(1), Body: content.Deletion()}, "text alice: took this message back; it stays in this chat. ↩S1"},
	"external part: picture, sound, video, file": {
		content.Message{Body: content.NestedPart{Disposition: content.DispositionAttachment, Part: content.ExternalPart{
			ContentType: "image/png", URL: "https://a.example/x", Size: 5, Description: marker}}},
		"image alice: the very words (carried)"},
	"external part too large to carry over": {
		content.Message{Body: content.NestedPart{Part: content.ExternalPart{ContentType: "video/mp4", URL: "https://a.example/x", Size: 1 << 40}}},
		"text alice: [video/mp4 of 1099511627776 bytes that could not be carried over] "},
	"message that expires": {content.Message{Body: content.Text(marker), Expires: content.Expiration{Kind: content.ExpiresAfter, Seconds: 60}},
		"text alice: the very words (to be deleted 1m0s after it was read, which this chat does not do)"},
	"message of a topic":              {content.Message{Body: content.Text(marker), TopicID: []byte("t")}, "text alice: the very words"},
	"language tag, unknown extension": {content.Message{Body: content.Text(marker), Extensions: content.Extensions{}.With(content.Key{Int: -7}, content.TextValue("x"))}, "text alice: the very words"},
}

func manyParts(n int) content.NestedPart {
	m := content.MultiPart{Semantics: content.ProcessAll}
	for range n {
		m.Parts = append(m.Parts, content.Text(marker))
	}
	return content.NestedPart{Part: m}
}

// chatRefs are those of a chat with three messages: one of a member, one of a member with
// a reaction that is shown, and one of the user's own.
func chatRefs() *refs {
	r := newRefs(16)
	r.add(ref{Signal: "S1", MIMI: mid(1), Last: mid(1)})
	r.add(ref{Signal: "S2", MIMI: mid(2), Last: mid(2), Shown: mid(3)})
	r.add(ref{Signal: "S5", MIMI: mid(5), Last: mid(6), Own: true, Reaction: mid(7)})
	return &r
}

// show writes a rendering as one line.
func (r *rendering) show() string {
	var out []string
	for _, it := range r.items {
		s := it.content.Kind.String() + " " + it.content.Text
		if before, after, ok := strings.Cut(s, "éé"); ok {
			s = before + "…" + strings.TrimLeft(after, "é")
		}
		if it.content.ReplyTo != "" {
			s += " ↩" + it.content.ReplyTo
		}
		if it.content.Target != "" {
			s += " →" + it.content.Target
		}
		if it.medium != nil {
			s += " (carried)"
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

// told are the rows of what no translation sees; sim/bridge plays them.
var told = []string{"status report", "what is no MIMI content", "medium too large to carry over", "read receipt", "typing", "what is no content"}

// TestMapping holds every row of the mapping against the translations: what arrives, what
// is counted, and whether the words of a message are there.
func TestMapping(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, row := range Mapping {
		t.Run(row.Direction.String()+"/"+row.What, func(t *testing.T) {
			if (row.Fate == Kept) != (len(row.Losses) == 0) {
				t.Errorf("fate %v with losses %v", row.Fate, row.Losses)
			}
			if slices.Contains(told, row.What) {
				return
			}
			var got, want, words string
			var losses []Loss
			if row.Direction == ToSignal {
				s, ok := samplesToSignal[row.What]
				if !ok {
					t.Fatal("no sample")
				}
				v := view{name: "alice", pair: row.What != "reaction, in a larger room", refs: chatRefs(), parts: 3}
				b, err := s.m.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				m, err := content.Parse(b)
				if err != nil {
					t.Fatal(err)
				}
				r := v.toSignal(mid(50), m)
				for _, it := range r.items {
					if _, err := dma.ParseContent(it.content.Append(nil)); err != nil {
						t.Error(err)
					}
				}
				got, want, losses, words = r.show(), s.want, r.losses, r.show()
				seen++
			} else {
				s, ok := samplesToRoom[row.What]
				if !ok {
					t.Fatal("no sample")
				}
				u := s.do()
				got, want, losses, words = u.show(), s.want, u.losses, u.show()
				if (row.Fate == Gone) != (len(u.remarks) > 0 && u.message == nil) {
					t.Errorf("fate %v, remarks %q", row.Fate, u.remarks)
				}
				for _, l := range losses {
					if !l.ByTerms() && len(u.remarks) == 0 {
						t.Errorf("%v is neither told nor in the terms", l)
					}
				}
				seen++
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if !slices.Equal(losses, row.Losses) {
				t.Errorf("losses %v, want %v", losses, row.Losses)
			}
			taken := strings.Contains(row.What, "taken back") || strings.Contains(row.What, "revoked") || strings.Contains(row.What, "delet")
			if !taken && (row.Fate == Gone) == strings.Contains(words, marker) {
				t.Errorf("fate %v: %q", row.Fate, words)
			}
		})
	}
	if n := len(samplesToSignal) + len(samplesToRoom); seen != n {
		t.Errorf("%d rows have a sample, and there are %d samples", seen, n)
	}
}

var samplesToRoom = map[string]struct {
	do   func() utterance
	want string
}{
	"text":                                 {say(dma.Content{Kind: dma.Text, Text: marker}), "message the very words"},
	"reply":                                {say(dma.Content{Kind: dma.Text, Text: marker, ReplyTo: "S5"}), "reply the very words ↩6"},
	"reply to what the room does not know": {say(dma.Content{Kind: dma.Text, Text: marker, ReplyTo: "S9"}), "message the very words"},
	"reaction":                             {say(dma.Content{Kind: dma.Reaction, Text: marker, Target: "S1"}), "reaction the very words ↩1"},
	"another reaction in its place":        {say(dma.Content{Kind: dma.Reaction, Text: marker, Target: "S5"}), "edit the very words ↩6 ⟲7"},
	"reaction revoked":                     {say(dma.Content{Kind: dma.Reaction, Target: "S5"}), "unlike  ↩6 ⟲7"},
	"reaction to what the room does not know":      {say(dma.Content{Kind: dma.Reaction, Text: marker, Target: "S9"}), ""},
	"/edit, in answer to an own message":           {func() utterance { return edit(marker, "S5", chatRefs()) }, "edit the very words ⟲5"},
	"/delete, in answer to an own message":         {func() utterance { return edit("", "S5", chatRefs()) }, "delete  ⟲5"},
	"/edit or /delete, in answer to anything else": {func() utterance { return edit(marker, "S1", chatRefs()) }, ""},
	"image, voice, video, file": {say(dma.Content{Kind: dma.Image, Text: marker, Media: dma.MediaRef{Ref: "x"}}),
		"message [image]\nthe very words"},
	"thumbnail of a medium": {say(dma.Content{Kind: dma.File, Text: marker, Media: dma.MediaRef{Ref: "x", Thumbnail: []byte{1}}}),
		"message [file]\nthe very words"},
}

func say(c dma.Content) func() utterance {
	return func() utterance {
		u := toRoom(&c, chatRefs())
		if u.medium {
			u.message.Body = mediumBody(c.Kind, content.ExternalPart{URL: "https://a.example/x"}, c.Text)
		}
		return u
	}
}

// show writes an utterance as one line.
func (u *utterance) show() string {
	if u.message == nil {
		return ""
	}
	if _, err := u.message.Marshal(); err != nil {
		return err.Error()
	}
	text, _ := u.message.Body.PlainText()
	s := u.message.Kind().String() + " " + text
	if id := u.message.InReplyTo; !id.IsZero() {
		s += fmt.Sprintf(" ↩%d", id[1])
	}
	if id := u.message.Replaces; !id.IsZero() {
		s += fmt.Sprintf(" ⟲%d", id[1])
	}
	return s
}

// TestNotice: what others write does not pass for a notice of the gateway's.
func TestNotice(t *testing.T) {
	t.Parallel()
	u := toRoom(&dma.Content{Kind: dma.Text, Text: notice + "all is encrypted"}, chatRefs())
	if got := u.show(); !strings.HasPrefix(got, "message > [gateway]") {
		t.Errorf("to the room: %q", got)
	}
	if got := edit(notice+"x", "S5", chatRefs()).message.Body; !bytes.HasPrefix(got.Part.(content.SinglePart).Content, []byte("> ")) {
		t.Errorf("edit: %q", got.Part)
	}
	v := view{name: "alice", refs: chatRefs(), parts: 3}
	r := v.toSignal(mid(50), &content.Message{Body: content.Text(notice + "x")})
	if got := r.items[0].content.Text; strings.HasPrefix(got, notice) {
		t.Errorf("to Signal: %q", got)
	}
}

// TestNames: what users choose to be called stays a word on one line.
func TestNames(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"alice": "alice", "": "unnamed", "a\nb\x00\u202e": "ab", strings.Repeat("é", 50): strings.Repeat("é", 32), "\xff": "\ufffd",
	} {
		if got := word(s); got != want {
			t.Errorf("word(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, name, arg, text string }{
		{"hello", "", "", "hello"},
		{"/who", "who", "", ""},
		{"/Edit  the new  text ", "edit", "the new  text", ""},
		{"/edit\nnew\nlines", "edit", "new\nlines", ""},
		{"//who", "", "", "/who"},
		{"/", "", "", ""},
		{"", "", "", ""},
	} {
		if name, arg, text := parseCommand(tt.in); name != tt.name || arg != tt.arg || text != tt.text {
			t.Errorf("parseCommand(%q) = %q, %q, %q, want %q, %q, %q", tt.in, name, arg, text, tt.name, tt.arg, tt.text)
		}
	}
	for name, want := range map[string]bool{"bob": true, "b-0": true, "": false, "-b": false, "b-": false, "B": false, "b/c": false, strings.Repeat("b", 33): false} {
		if validName(name) != want {
			t.Errorf("validName(%q) = %v", name, !want)
		}
	}
}

// TestRefs: the references are a ring that forgets the oldest under both names.
func TestRefs(t *testing.T) {
	t.Parallel()
	r := newRefs(3)
	for i := range byte(10) {
		x := r.add(ref{Signal: fmt.Sprint(i), MIMI: mid(i), Last: mid(i)})
		r.renew(x, mid(100+i))
		r.renew(x, mid(200+i))
	}
	if len(r.bySignal) != 3 || len(r.byMIMI) != 6 {
		t.Errorf("%d and %d names, want 3 and 6", len(r.bySignal), len(r.byMIMI))
	}
	if x := r.mimi(mid(208)); x == nil || x.Signal != "8" || r.mimi(mid(108)) != nil || r.signal("6") != nil {
		t.Errorf("the eighth is %+v", x)
	}
	r.forget(r.signal("8"))
	if r.signal("8") != nil || r.mimi(mid(8)) != nil || r.mimi(mid(208)) != nil {
		t.Error("it is still there")
	}
}
