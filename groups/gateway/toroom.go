package gateway

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// KeyGateway is the extension that every message has which a gateway sends, so that a
// client can show that it came through one: a text, the Place in words. It is private to
// this house.
var KeyGateway = content.Key{Text: "mimi-lab/gateway"}

// utterance is what a message of the chat becomes in the room.
type utterance struct {
	message *content.Message // nil if there is nothing to send; without its salt and sender
	medium  bool             // its body is that of a medium that is carried over first
	losses  []Loss
	remarks []string // for the user, in words
	// on is the message that the user's reaction changes on; nil if it is none.
	on *ref
	// edits is the message of which this is another version; nil if it is none.
	edits *ref
}

func (u *utterance) lose(l Loss, remark string) {
	u.losses = append(u.losses, l)
	if remark != "" {
		u.remarks = append(u.remarks, remark)
	}
}

// toRoom translates a message of the chat that is no command.
func toRoom(c *dma.Content, r *refs) (u utterance) {
	switch {
	case c.Kind == dma.Reaction:
		u.reaction(c, r)
		return u
	case c.Kind.Media():
		u.medium = true
		if len(c.Media.Thumbnail) > 0 {
			u.lose(LossThumbnail, "")
		}
		u.message = new(content.Message) // whose body is made when the medium is there
	default:
		u.message = &content.Message{Body: content.Text(plain(c.Text))}
	}
	if c.ReplyTo == "" {
		return u
	}
	if x := r.signal(c.ReplyTo); x != nil {
		u.message.InReplyTo = x.Last
	} else {
		u.lose(LossReply, "Your message went to the room without its reference, since the message that it answers is not known there.")
	}
	return u
}

// plain is a user's text for a room: it does not pass for one of the gateway's.
func plain(text string) string {
	if strings.HasPrefix(text, notice) {
		return "> " + text
	}
	return text
}

// reaction translates a reaction, another one in its place, or none any more.
func (u *utterance) reaction(c *dma.Content, r *refs) {
	x := r.signal(c.Target)
	switch {
	case x == nil:
		u.lose(LossReaction, "Your reaction did not go to the room, since the message is not known there.")
		return
	case c.Text == "" && x.Reaction.IsZero():
		u.lose(LossReaction, "Your reaction is not known in the room, and so could not be taken back.")
		return
	}
	u.on = x
	u.message = &content.Message{InReplyTo: x.Last, Replaces: x.Reaction, Body: content.Unlike()}
	if c.Text != "" {
		u.message.Body = content.React(c.Text)
	}
}

// edit is a user's command to change a message of its own, or to take it back if there
// is no text. to is what the command answers.
func edit(text, to string, r *refs) (u utterance) {
	x := r.signal(to)
	if x == nil || !x.Own {
		u.lose(LossEdit, "To change a message or take it back, answer it with the command. It must be one of your own that is known in the room.")
		return u
	}
	u.edits = x
	u.message = &content.Message{Replaces: x.MIMI, Body: content.Deletion()}
	if text != "" {
		u.message.Body = content.Text(plain(text))
	}
	return u
}

// mediumBody is the body of a message with a medium that was carried over.
func mediumBody(kind dma.ContentKind, part content.ExternalPart, caption string) content.NestedPart {
	part.ContentType = cmp.Or(part.ContentType, "application/octet-stream")
	if part.Filename == "" {
		part.Description = cmp.Or(part.Description, kind.String())
	}
	disposition := content.DispositionAttachment
	if kind == dma.Image || kind == dma.Video || kind == dma.Voice {
		disposition = content.DispositionInline
	}
	body := content.NestedPart{Disposition: disposition, Part: part}
	if caption == "" {
		return body
	}
	return content.NestedPart{Disposition: content.DispositionRender, Part: content.MultiPart{
		Semantics: content.ProcessAll, Parts: []content.NestedPart{body, content.Text(plain(caption))},
	}}
}

// checkPart refuses an external part that no room would take.
func checkPart(p *content.ExternalPart) error {
	if p == nil || p.URL == "" {
		return fmt.Errorf("gateway: transferred medium without a URL")
	}
	_, err := (&content.Message{Body: content.NestedPart{Disposition: content.DispositionInline, Part: *p}}).Marshal()
	return err
}
