package gateway

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// view is what a translation to Signal needs to know of the chat.
type view struct {
	name  string // of the sender
	pair  bool   // nobody but the sender and the user is in the room
	refs  *refs
	parts int // messages that one may become
}

// item is one message for the chat.
type item struct {
	content dma.Content
	medium  *content.ExternalPart // what content.Media is to be made of, or nil
}

// rendering is what a message of a room becomes.
type rendering struct {
	items  []item
	losses []Loss
	// reacts is the message on which the chat shows another reaction from now on, shown;
	// nil if none does.
	reacts *ref
	shown  content.MessageID
}

func (r *rendering) lose(l Loss) { r.losses = append(r.losses, l) }

// say adds a message of text.
func (r *rendering) say(text string) {
	r.items = append(r.items, item{content: dma.Content{Kind: dma.Text, Text: text}})
}

// toSignal translates a message of a room. id is its ID.
func (v *view) toSignal(id content.MessageID, m *content.Message) rendering {
	var r rendering
	if len(m.TopicID) > 0 {
		r.lose(LossTopic)
	}
	if hasDetail(m) {
		r.lose(LossDetail)
	}
	switch m.Kind() {
	case content.KindReaction:
		v.reaction(&r, id, m, v.refs.mimi(m.InReplyTo))
	case content.KindUnlike:
		v.unlike(&r, m)
	case content.KindDelete:
		r.lose(LossDelete)
		r.say("took this message back; it stays in this chat.")
		v.answer(&r, m.Replaces)
	case content.KindEdit:
		if m.Body.Disposition == content.DispositionReaction {
			if on := v.refs.showing(m.Replaces); on != nil {
				v.reaction(&r, m.Replaces, m, on)
			} else {
				v.reaction(&r, id, m, v.refs.mimi(m.InReplyTo))
			}
			break
		}
		r.lose(LossEdit)
		v.body(&r, "changed this message: ", m.Body)
		v.answer(&r, m.Replaces)
	default:
		v.body(&r, "", m.Body)
		if !m.InReplyTo.IsZero() {
			v.answer(&r, m.InReplyTo)
		}
	}
	if r.reacts == nil {
		v.expiry(&r, m.Expires)
		v.sign(&r)
	}
	return r
}

// hasDetail reports whether a message has a language or an extension that the other
// side does not know.
func hasDetail(m *content.Message) bool {
	for _, e := range m.Extensions {
		if e.Key != content.KeySenderURI && e.Key != content.KeyRoomURI && e.Key != KeyGateway {
			return true
		}
	}
	for _, p := range m.Body.All() {
		if p.Language != "" {
			return true
		}
	}
	return false
}

// reaction shows a reaction as one if a chat can: one emoji, by the only other one in
// the room, on a message that shows no other. Else it is told in words.
func (v *view) reaction(r *rendering, id content.MessageID, m *content.Message, on *ref) {
	emoji, ok := emojiOf(m.Body)
	if ok && v.pair && on != nil && (on.Shown.IsZero() || on.Shown == id) {
		r.items = []item{{content: dma.Content{Kind: dma.Reaction, Target: on.Signal, Text: emoji}}}
		r.reacts, r.shown = on, id
		return
	}
	r.lose(LossReaction)
	text, _ := m.Body.PlainText()
	r.say("reacted with " + cmp.Or(cut(strings.ReplaceAll(text, "\n", " "), maxWord), "something that this chat cannot show"))
	if on != nil {
		r.items[0].content.ReplyTo = on.Signal
	} else {
		v.answer(r, m.InReplyTo)
	}
}

// emojiOf returns the only emoji of a reaction.
func emojiOf(p content.NestedPart) (string, bool) {
	s, ok := p.Part.(content.SinglePart)
	if !ok || !isType(s.ContentType, content.TypePlain) || len(s.Content) == 0 || len(s.Content) > dma.MaxID || !utf8.Valid(s.Content) {
		return "", false
	}
	return string(s.Content), true
}

// unlike takes a reaction off.
func (v *view) unlike(r *rendering, m *content.Message) {
	if on := v.refs.showing(m.Replaces); on != nil {
		r.items = []item{{content: dma.Content{Kind: dma.Reaction, Target: on.Signal}}}
		r.reacts = on
		return
	}
	r.lose(LossReaction)
	r.say("took a reaction back.")
	if on := v.refs.mimi(m.InReplyTo); on != nil {
		r.items[0].content.ReplyTo = on.Signal
	}
}

// answer has the first message refer to another one.
func (v *view) answer(r *rendering, to content.MessageID) {
	if x := v.refs.mimi(to); x != nil {
		r.items[0].content.ReplyTo = x.Signal
		return
	}
	r.lose(LossReply)
	c := &r.items[0].content
	c.Text = "(about a message that is not in this chat) " + c.Text
}

// body translates what is shown of a message. There is always something.
func (v *view) body(r *rendering, lead string, body content.NestedPart) {
	v.walk(r, body)
	if len(r.items) == 0 {
		r.lose(LossType)
		r.say("[an empty message]")
	}
	if len(r.items) > v.parts {
		more := len(r.items) - v.parts
		r.items = r.items[:v.parts]
		r.lose(LossParts)
		c := &r.items[v.parts-1].content
		c.Text += fmt.Sprintf(" (and %d parts more)", more)
	}
	c := &r.items[0].content
	c.Text = lead + c.Text
}

// readable are the media types that a chat shows as text.
var readable = []string{content.TypePlain, content.TypeMarkdown, "text/markdown"}

// walk takes the parts of a body one by one, and one of alternatives.
func (v *view) walk(r *rendering, p content.NestedPart) {
	switch part := p.Part.(type) {
	case content.SinglePart:
		v.single(r, p, part)
	case content.ExternalPart:
		external(r, part)
	case content.MultiPart:
		if part.Semantics == content.ProcessAll {
			for _, kid := range part.Parts {
				v.walk(r, kid)
			}
			return
		}
		chosen := p.Select(content.Preference{Types: readable, Links: true})
		if len(chosen) == 0 {
			r.lose(LossType)
			r.say(fmt.Sprintf("[%d parts that this chat cannot show]", len(part.Parts)))
		}
		for _, c := range chosen {
			v.walk(r, c.NestedPart)
		}
	}
}

// single is a part whose content is in the message.
func (v *view) single(r *rendering, p content.NestedPart, s content.SinglePart) {
	switch {
	case isType(s.ContentType, content.TypePlain) || s.ContentType == "":
	case isType(s.ContentType, "text/markdown"):
		r.lose(LossMarkup)
	default:
		r.lose(LossType)
		r.say(fmt.Sprintf("[%s (%s), %d bytes, which this chat cannot show]", word(s.ContentType), p.Disposition.Effective(), len(s.Content)))
		return
	}
	r.say(strings.ToValidUTF8(string(s.Content), "\ufffd"))
}

// external is a part whose content is to be fetched.
func external(r *rendering, e content.ExternalPart) {
	caption := cut(strings.ToValidUTF8(cmp.Or(e.Description, e.Filename), "\ufffd"), dma.MaxText/2)
	if e.URL == "" || e.Size > content.MaxAttachment {
		r.lose(LossMedium)
		r.say(fmt.Sprintf("[%s of %d bytes that could not be carried over] %s", word(e.ContentType), e.Size, caption))
		return
	}
	r.items = append(r.items, item{content: dma.Content{Kind: kindOf(e.ContentType), Text: caption}, medium: new(e)})
}

// kindOf returns what a medium is by its media type.
func kindOf(mediaType string) dma.ContentKind {
	t, _ := content.ParseMediaType(mediaType)
	kind, _, _ := strings.Cut(t.Type, "/")
	switch kind {
	case "image":
		return dma.Image
	case "audio":
		return dma.Voice
	case "video":
		return dma.Video
	}
	return dma.File
}

// expiry tells when a message should be deleted.
func (v *view) expiry(r *rendering, e content.Expiration) {
	var when string
	switch e.Kind {
	case content.ExpiresNever:
		return
	case content.ExpiresAt:
		when = "on " + time.Unix(int64(e.Seconds), 0).UTC().Format("2006-01-02 15:04 UTC")
	case content.ExpiresAfter:
		when = (time.Duration(e.Seconds) * time.Second).String() + " after it was read"
	}
	r.lose(LossExpiry)
	r.items[len(r.items)-1].content.Text += " (to be deleted " + when + ", which this chat does not do)"
}

// sign puts the sender's name before every message and cuts what is too long.
func (v *view) sign(r *rendering) {
	for i := range r.items {
		c := &r.items[i].content
		c.Text = v.name + ": " + c.Text
		if n := len(c.Text); n > dma.MaxText {
			const room = 64
			c.Text = cut(c.Text, dma.MaxText-room)
			c.Text += fmt.Sprintf(" (cut off, %d bytes more)", n-len(c.Text))
			r.lose(LossLength)
		}
	}
}

// nameOf returns how a chat calls a user: "alice (a.example)".
func nameOf(u ident.URI) string {
	name := u.String()
	if s := u.Segments(); len(s) > 0 {
		name = s[0]
	}
	return word(name) + " (" + cut(u.Provider(), maxWord) + ")"
}

// maxWord bounds a name that others choose, in bytes.
const maxWord = 64

// word makes a short word of what others choose: valid text on one line.
func word(s string) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || !unicode.IsGraphic(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, "\ufffd"))
	return cmp.Or(cut(s, maxWord), "unnamed")
}

// cut returns at most the first n bytes of a text, in whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// isType reports whether a media type is the one that is meant, whatever its parameters.
func isType(s, want string) bool {
	a, ok := content.ParseMediaType(s)
	b, _ := content.ParseMediaType(want)
	return ok && a.Type == b.Type
}
