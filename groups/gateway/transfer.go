package gateway

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// job is a medium that is being carried over, as it is kept.
type job struct {
	ID      uint64                `json:"id"`
	User    ident.Address         `json:"user"`
	Line    int                   `json:"line"`
	Room    ident.URI             `json:"room"`
	Kind    dma.ContentKind       `json:"kind"`
	Caption string                `json:"caption,omitempty"`
	Part    *content.ExternalPart `json:"part,omitempty"` // from the room
	MIMI    content.MessageID     `json:"mimi,omitzero"`  // the message it is of
	ReplyTo string                `json:"reply_to,omitempty"`
	Ref     *dma.MediaRef         `json:"ref,omitempty"` // from Signal
	Signal  string                `json:"signal,omitempty"`
	Answers content.MessageID     `json:"answers,omitzero"`
}

func (j *job) transfer() Transfer { return Transfer{ID: j.ID, Kind: j.Kind, MIMI: j.Part, Ref: j.Ref} }

// begin asks for a medium to be carried over. It reports false if too many of the
// user's are being carried already.
func (g *Gateway) begin(t *thread, j job) bool {
	n := 0
	for _, o := range g.jobs {
		if o.User == t.user.addr {
			n++
		}
	}
	if n >= g.limits.Transfers {
		return false
	}
	g.nextJob++
	j.ID, j.User, j.Line, j.Room = g.nextJob, t.user.addr, t.line, t.Room
	g.jobs[j.ID] = &j
	g.saveHead()
	g.put(jobKey(j.ID), mustJSON(j))
	d, id, size := ToRoom, j.Signal, uint64(0)
	if j.Part != nil {
		d, id, size = ToSignal, j.MIMI.String(), j.Part.Size
	} else {
		size = j.Ref.Size
	}
	g.held(t, d, id, int(min(size, 1<<40)), true)
	g.out.Transfers = append(g.out.Transfers, j.transfer())
	return true
}

func (g *Gateway) carryToSignal(t *thread, id content.MessageID, it item) {
	if !g.begin(t, job{Kind: it.content.Kind, Caption: it.content.Text, Part: it.medium, MIMI: id, ReplyTo: it.content.ReplyTo}) {
		g.mediumToSignal(t, &job{Kind: it.content.Kind, Caption: it.content.Text, MIMI: id, ReplyTo: it.content.ReplyTo}, nil)
	}
}

func (g *Gateway) carryToRoom(t *thread, id string, c *dma.Content, answers content.MessageID) {
	if c.Media.Size > content.MaxAttachment {
		g.lost(t, ToRoom, id, LossMedium)
		g.tell(t, id, fmt.Sprintf("Your %v did not go to the room: it has %d bytes, of which at most %d can be carried over.", c.Kind, c.Media.Size, content.MaxAttachment))
		return
	}
	ref := c.Media
	ref.Thumbnail = nil
	if !g.begin(t, job{Kind: c.Kind, Caption: c.Text, Ref: &ref, Signal: id, Answers: answers}) {
		g.lost(t, ToRoom, id, LossMedium)
		g.tell(t, id, fmt.Sprintf("Your %v did not go to the room: too many are being carried over already. Send it again later.", c.Kind))
	}
}

// transferred takes the answer to a Transfer.
func (g *Gateway) transferred(in Transferred) error {
	j := g.jobs[in.ID]
	if j == nil {
		return nil // asked twice, answered twice
	}
	if in.Err == nil {
		if err := checkTransferred(j, in); err != nil {
			return err
		}
	}
	delete(g.jobs, j.ID)
	g.put(jobKey(j.ID), nil)
	u := g.users[j.User]
	if u == nil {
		return nil
	}
	t := u.threads[j.Line]
	if t == nil || t.Room != j.Room || t.State != open || u.State != on {
		return nil // the user has left meanwhile
	}
	if in.Err != nil {
		g.trouble(u, j.Room, "medium", in.Err)
		in.Ref = nil
	}
	switch {
	case j.Part != nil:
		g.mediumToSignal(t, j, in.Ref)
	case in.Err != nil:
		g.lost(t, ToRoom, j.Signal, LossMedium)
		g.tell(t, j.Signal, fmt.Sprintf("Your %v could not be carried over, and did not go to the room.", j.Kind))
	default:
		g.toHub(t, j.Signal, utterance{message: &content.Message{InReplyTo: j.Answers, Body: mediumBody(j.Kind, *in.MIMI, j.Caption)}})
	}
	return nil
}

// mediumToSignal writes a message with a medium into the chat, or in place of the medium
// that it could not be carried over.
func (g *Gateway) mediumToSignal(t *thread, j *job, ref *dma.MediaRef) {
	c := dma.Content{Kind: j.Kind, Text: j.Caption, ReplyTo: j.ReplyTo}
	if ref == nil {
		g.lost(t, ToSignal, j.MIMI.String(), LossMedium)
		c.Kind, c.Text = dma.Text, cut(j.Caption, dma.MaxText/2)+fmt.Sprintf(" [%v that could not be carried over]", j.Kind)
	} else {
		c.Media = *ref
	}
	if signal := g.say(t, c); signal != "" {
		g.name(t, j.MIMI, signal)
	}
}

// checkTransferred refuses what neither side could take.
func checkTransferred(j *job, in Transferred) error {
	if j.Part == nil {
		return checkPart(in.MIMI)
	}
	switch r := in.Ref; {
	case r == nil:
		return errors.New("gateway: transferred medium without a Ref")
	case r.Ref == "" || len(r.Ref) > dma.MaxMediaRef || !utf8.ValidString(r.Ref) || len(r.Thumbnail) > dma.MaxThumbnail:
		return fmt.Errorf("gateway: transferred medium with a reference of %d bytes, want 1 to %d in UTF-8", len(r.Ref), dma.MaxMediaRef)
	}
	return nil
}
