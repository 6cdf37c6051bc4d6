package room

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/client"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/groups/serve/device"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// item is a line of a room's history: a message in its current version, or what
// happened to the room.
type item struct {
	At    time.Time `json:"at"` // when the hub accepted a message, else when the device knew
	Event string    `json:"event"`
	By    string    `json:"by,omitempty"` // a user's URI
	Epoch *uint64   `json:"epoch,omitempty"`
	// Changes are those of a Commit, or of proposals that wait for one.
	Changes []member.Change `json:"changes,omitempty"`
	Why     string          `json:"why,omitempty"`

	Message *said `json:"message,omitempty"`

	version content.MessageID // one of the message whose current version is shown
}

// said is a message.
type said struct {
	ID        content.MessageID `json:"message_id"`
	Text      string            `json:"text"`
	InReplyTo content.MessageID `json:"in_reply_to,omitzero"`
	Replaces  content.MessageID `json:"replaces,omitzero"` // only of --follow
	Versions  int               `json:"versions,omitempty"`
	Gone      string            `json:"gone,omitempty"` // deleted, expired
	Reactions []reaction        `json:"reactions,omitempty"`
	// Unfranked is why the hub does not vouch for it.
	Unfranked string `json:"unfranked,omitempty"`
}

// reaction is what somebody has to say of a message.
type reaction struct {
	By   string `json:"by"`
	Text string `json:"text"`
}

// history is what a device knows of a room.
type history struct {
	room     ident.URI
	state    *room.State // of now; nil if the device is not in it
	now      func() time.Time
	own      ident.URI
	sent     map[content.MessageID][]byte
	timeline content.Timeline
	placed   map[content.MessageID]bool   // entries that have an item
	weak     map[content.MessageID]string // why messages are not vouched for
	known    []content.MessageID          // all messages, for their short names
	items    []item
	last     uint64 // the number of the last event that is in it
}

// newHistoryOf returns a history without events.
func newHistoryOf(uri ident.URI, state *room.State, now func() time.Time, own ident.URI, sent map[content.MessageID][]byte) *history {
	return &history{
		room: uri, state: state, now: now, own: own, sent: sent, timeline: content.Timeline{Room: uri.String()},
		placed: make(map[content.MessageID]bool), weak: make(map[content.MessageID]string),
	}
}

// read reads the history of a room out of the device's events.
func read(ctx context.Context, s *client.Session, uri ident.URI) (*history, error) {
	sent, err := s.Sent.All(ctx)
	if err != nil {
		return nil, exit.Failuref("", "%w", err)
	}
	r, _ := s.Room(uri)
	h := newHistoryOf(uri, r.State, s.IO.Now, s.User, sent)
	for _, e := range s.Events(0) {
		h.take(e)
	}
	h.timeline.Expire(h.now())
	return h, nil
}

// take adds an event, and returns it as an item of its own if it is one of the room.
func (h *history) take(e device.Event) (live item, ok bool) {
	h.last = e.N
	at := item{At: e.At}
	switch e := e.Event.(type) {
	case member.Message:
		if e.Room != h.room {
			return item{}, false
		}
		if e.Accepted.IsZero() {
			e.Accepted = at.At
		}
		return h.message(e), true
	case member.Sent:
		b, known := h.sent[e.Message]
		if e.Room != h.room || !known {
			return item{}, false
		}
		m, err := content.Parse(b)
		if err != nil {
			return item{}, false
		}
		if e.Accepted.IsZero() {
			e.Accepted = at.At
		}
		return h.message(member.Message{Room: e.Room, Sender: h.own, ID: e.Message, Content: m, Accepted: e.Accepted}), true
	case member.Joined:
		at.Event, at.By, at.Epoch = "joined", e.By.String(), &e.Epoch
		return h.add(e.Room, at)
	case member.RoomChanged:
		at.Event, at.By, at.Epoch, at.Changes = "changed", e.By.String(), &e.Epoch, e.Changes
		return h.add(e.Room, at)
	case member.Proposed:
		at.Event, at.By, at.Changes = "proposed", e.By.String(), e.Changes
		return h.add(e.Room, at)
	case member.Leaving:
		at.Event, at.By = "leaving", h.own.String()
		return h.add(e.Room, at)
	case member.Removed:
		at.Event, at.By = "removed", e.By.String()
		return h.add(e.Room, at)
	case member.Stalled:
		at.Event, at.Why = "waiting", fmt.Sprintf("the hub does not answer to this device's %s: %v", e.What, e.Why)
		return h.add(e.Room, at)
	case member.Refused:
		at.Event, at.Why = "refused", fmt.Sprintf("%s: %v", e.What, e.Why)
		return h.add(e.Room, at)
	case member.Gap:
		at.Event, at.Why = "gap", "events are missing; mimi-lab room join enters the room anew"
		return h.add(e.Room, at)
	}
	return item{}, false
}

// add adds what happened to a room.
func (h *history) add(uri ident.URI, i item) (item, bool) {
	if uri != h.room {
		return item{}, false
	}
	h.items = append(h.items, i)
	return i, true
}

// message adds a message, at the place where it or the first version of it that came
// stands, and returns it by itself.
func (h *history) message(e member.Message) item {
	i := item{At: e.Accepted, Event: "message", By: e.Sender.String(), version: e.ID}
	if e.Content == nil {
		i.Event, i.Why = "unreadable", fmt.Sprint(e.Why)
		h.items = append(h.items, i)
		return i
	}
	h.known = append(h.known, e.ID)
	if e.Unfranked != nil {
		h.weak[e.ID] = e.Unfranked.Error()
	}
	if err := h.timeline.Add(h.now(), content.Received{ID: e.ID, Sender: i.By, Accepted: e.Accepted, Message: e.Content}); err != nil {
		i.Event, i.Why = "discarded", err.Error()
		h.items = append(h.items, i)
		return i
	}
	text, _ := e.Content.Body.PlainText()
	live := i
	live.Message = &said{ID: e.ID, Text: text, InReplyTo: e.Content.InReplyTo, Replaces: e.Content.Replaces, Unfranked: h.weak[e.ID]}
	if k := e.Content.Kind(); k == content.KindDelete || k == content.KindUnlike {
		live.Message.Gone = content.Deleted.String()
	}
	if e.Content.Kind() == content.KindReaction {
		live.Event = "reaction"
		return live
	}
	entry, ok := h.timeline.Entry(e.ID)
	if !ok || e.Content.Kind() == content.KindUnlike || h.placed[entry.ID] {
		return live
	}
	h.placed[entry.ID] = true
	h.items = append(h.items, i)
	return live
}

// all returns the items, messages as they are now.
func (h *history) all() []item {
	out := make([]item, len(h.items))
	for n, i := range h.items {
		if i.Event == "message" {
			if e, ok := h.timeline.Entry(i.version); ok {
				i.Message = h.said(e)
			}
		}
		out[n] = i
	}
	return out
}

// messages counts those that are or were there.
func (h *history) messages() (n int) {
	for _, i := range h.items {
		if i.Event == "message" {
			n++
		}
	}
	return n
}

// said writes the current version of an entry.
func (h *history) said(e content.Entry) *said {
	m := &said{ID: e.ID, InReplyTo: e.InReplyTo, Versions: len(e.Versions), Unfranked: h.weak[e.Current().ID]}
	if e.Gone != content.Present {
		m.Gone = e.Gone.String()
		return m
	}
	m.Text, _ = e.Current().Body.PlainText()
	for _, r := range e.Reactions {
		text, _ := r.Body.PlainText()
		m.Reactions = append(m.Reactions, reaction{r.Sender, text})
	}
	return m
}

// named returns the message of an ID, or of the beginning of one as shortID writes it.
func (h *history) named(name string) (content.MessageID, error) {
	if id, err := content.ParseMessageID(name); err == nil {
		return id, nil
	}
	var found content.MessageID
	n := 0
	for _, id := range h.known {
		if strings.HasPrefix(id.String()[2:], strings.ToLower(name)) {
			found = id
			n++
		}
	}
	switch {
	case n == 0 || name == "":
		return found, exit.Usagef("mimi-lab room history "+client.Short(h.room)+" shows the IDs.", "no message %q in %s", name, client.Short(h.room))
	case n > 1:
		return found, exit.Usagef("Write more of it; room history --json has all of it.", "%d messages begin with %q", n, name)
	}
	return found, nil
}
