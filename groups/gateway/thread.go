package gateway

import (
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// threadState says what a line stands for to a user.
type threadState string

const (
	desk  threadState = "desk"
	open  threadState = "open"
	goes  threadState = "leaving" // the user leaves; the hub has not said that it knows
	ended threadState = "ended"
)

// thread is a user's chat with a line.
type thread struct {
	threadRecord
	user    *user
	line    int
	refs    refs
	sending map[uint64]sending // by the member's number of the intention
}

// threadRecord is what is kept of a thread.
type threadRecord struct {
	State threadState `json:"state"`
	Room  ident.URI   `json:"room,omitzero"`
	Ended int64       `json:"ended,omitempty"` // in ms since 1970
	// Queue are the messages to the user that the gatekeeper has not taken yet; Untold is
	// how many notices there was no room for.
	Queue  []string `json:"queue,omitempty"`
	Untold int      `json:"untold,omitempty"`
	// WarnAt is when the room is to be warned again, 0 if not; Warned is when it was.
	WarnAt int64 `json:"warn_at,omitempty"`
	Warned int64 `json:"warned,omitempty"`
	// Leave is the member's number of the intention to leave.
	Leave uint64 `json:"leave,omitempty"`
}

// sending is what of the user's is on its way to the room.
type sending struct {
	Signal string `json:"signal,omitempty"` // the ID of the user's message; empty for a warning
	On     string `json:"on,omitempty"`     // what a reaction or an edit is about, in the chat
	Edit   bool   `json:"edit,omitempty"`
}

func (g *Gateway) newThread(u *user, no int, room ident.URI) *thread {
	t := &thread{user: u, line: no, threadRecord: threadRecord{State: desk, Room: room}, sending: make(map[uint64]sending)}
	if no > 0 {
		t.State, t.refs = open, newRefs(g.limits.Refs)
	} else {
		t.refs = newRefs(1)
	}
	return t
}

// threadOf returns a user's thread of a room, or nil.
func (u *user) threadOf(room ident.URI) *thread {
	for _, t := range u.threads {
		if t.line > 0 && t.Room == room && (t.State != ended) {
			return t
		}
	}
	return nil
}

// lastOf is threadOf for one that has ended as well.
func (u *user) lastOf(room ident.URI) *thread {
	if t := u.threadOf(room); t != nil {
		return t
	}
	var last *thread
	for _, no := range sortedKeys(u.threads) {
		if t := u.threads[no]; t.line > 0 && t.Room == room && (last == nil || t.Ended > last.Ended) {
			last = t
		}
	}
	return last
}

// openThread gives a room a line: the next one that is free and has rested.
func (g *Gateway) openThread(u *user, room ident.URI) *thread {
	rooms := len(g.lines) - 1
	for i := range rooms {
		no := 1 + (u.LastLine+i)%rooms
		old := u.threads[no]
		if old != nil {
			if old.State != ended || g.now.UnixMilli() < old.Ended+g.limits.Rest.Milliseconds() {
				continue
			}
			g.dropThread(old)
		}
		t := g.newThread(u, no, room)
		if old != nil {
			t.Queue = old.Queue
		}
		u.threads[no], u.LastLine = t, no
		g.saveThread(t)
		g.saveUser(u)
		return t
	}
	return nil
}

// hasLine reports whether openThread would find one.
func (g *Gateway) hasLine(u *user) bool {
	for no := 1; no < len(g.lines); no++ {
		t := u.threads[no]
		if t == nil || t.State == ended && g.now.UnixMilli() >= t.Ended+g.limits.Rest.Milliseconds() {
			return true
		}
	}
	return false
}

// end says that a thread stands for no room any more.
func (g *Gateway) end(t *thread, why string) {
	if t.State == ended {
		return
	}
	g.event(RoomClosed{User: t.user.uri, Room: t.Room, Line: t.line})
	g.tell(t, "", why)
	t.State, t.Ended, t.WarnAt, t.Leave = ended, g.now.UnixMilli(), 0, 0
	g.saveThread(t)
	g.settleLeaving(t.user)
}

// say writes a message into a chat. It returns its ID, or "" if it could not be
// written.
func (g *Gateway) say(t *thread, c dma.Content) string { return g.sayOn(t, t.line, c) }

// sayOn is say on another line.
func (g *Gateway) sayOn(t *thread, no int, c dma.Content) string {
	id, err := g.stepLine(g.lines[no], dma.Compose{To: t.user.addr, Content: c})
	if err != nil {
		g.trouble(t.user, t.Room, "message to the user", err)
		return ""
	}
	t.Queue = append(t.Queue, id)
	g.saveThread(t)
	return id
}

// tell has the gateway itself say something, unless as much waits already as may:
// then it says how much it did not, later.
func (g *Gateway) tell(t *thread, answers, text string) {
	if len(t.Queue) >= g.limits.Queue {
		t.Untold++
		g.saveThread(t)
		return
	}
	g.say(t, dma.Content{Kind: dma.Text, Text: cut(notice+text, dma.MaxText), ReplyTo: answers})
}

// taken notes that the gatekeeper has taken a message, or will not.
func (g *Gateway) taken(u *user, no int, id string) {
	for _, t := range []*thread{u.threads[no], u.threads[0]} {
		if t == nil {
			continue
		}
		i := slices.Index(t.Queue, id)
		if i < 0 {
			continue
		}
		t.Queue = slices.Delete(t.Queue, i, i+1)
		if t.Untold > 0 {
			n := t.Untold
			t.Untold = 0
			g.tell(t, "", fmt.Sprintf("There was no room to tell you %d more things.", n))
		}
		g.saveThread(t)
		return
	}
}

// fromSignal takes what a line's device tells.
func (g *Gateway) fromSignal(l *line, e dma.Event) {
	u := g.users[e.Peer]
	if slices.Contains(g.cfg.Lines, e.Peer) { // nobody but a gatekeeper that lies has them talk to each other
		g.trouble(nil, ident.URI{}, fmt.Sprintf("line %d", l.no), "heard of another line")
		return
	}
	switch e.Kind {
	case dma.MessageDelivered:
		if l.no == 0 || u == nil || u.State == off {
			g.desk(l, u, e)
			return
		}
		g.heard(l, u, e)
	case dma.MessageAccepted:
		if u != nil {
			g.taken(u, l.no, e.ID)
		}
	case dma.MessageRefused:
		if u == nil {
			return
		}
		if t := u.threads[l.no]; t != nil {
			g.lost(t, ToSignal, e.ID, LossRefused)
		}
		g.trouble(u, ident.URI{}, "message refused by the gatekeeper", e.Reason)
		g.taken(u, l.no, e.ID)
	case dma.GivenUp:
		if u == nil || u.threads[l.no] == nil {
			g.trouble(u, ident.URI{}, "message that cannot be read", e.Reason)
			return
		}
		t := u.threads[l.no]
		g.lost(t, ToRoom, e.ID, LossUnreadable)
		g.tell(t, e.ID, "A message of yours could not be read, and went nowhere.")
	case dma.ReadReceipt:
		if u != nil && u.threads[l.no] != nil {
			g.lost(u.threads[l.no], ToRoom, e.ID, LossReceipt)
		}
	case dma.TypingStarted:
		if u != nil && u.threads[l.no] != nil {
			g.lost(u.threads[l.no], ToRoom, "", LossTyping)
		}
	case dma.IdentityChanged:
		if u != nil {
			g.identityChanged(l, u)
		}
	case dma.PingReceived: // to a line that is a native user's account: that is what it is for
		if g.cfg.Place == AtServer || e.Peer == g.cfg.Owner {
			g.must(g.stepLine(l, dma.AnswerPing{To: e.Peer, Allow: true}))
		}
	case dma.AgreementRevoked:
		g.trouble(nil, ident.URI{}, fmt.Sprintf("agreement of line %d", l.no), "revoked")
	}
}

// identityChanged tells a user and its rooms that its Signal keys are others than
// before: a gatekeeper could have put somebody else there, and for the rooms nothing but
// the gateway stands for who it is.
func (g *Gateway) identityChanged(l *line, u *user) {
	g.trouble(u, ident.URI{}, "identity key", "changed")
	t := u.threads[l.no]
	if t == nil {
		t = u.threads[0]
	}
	g.tell(t, "", "Your Signal keys are others than before. If you did not change your device, somebody else may be reading this.")
	if t.State == open {
		g.announce(t, notice+"My Signal keys have changed. If you expected that from nobody, ask me another way.", sending{})
	}
}

// heard takes a message of a user in a room's chat.
func (g *Gateway) heard(l *line, u *user, e dma.Event) {
	t := u.threads[l.no]
	if t == nil || t.State != open || u.State != on {
		d := u.threads[0]
		if len(d.Queue) < g.limits.Queue {
			g.sayOn(d, l.no, dma.Content{Kind: dma.Text, Text: notice + "This chat is no room. Your message went nowhere.", ReplyTo: e.ID})
		} else {
			d.Untold++
			g.saveThread(d)
		}
		if t != nil {
			g.lost(t, ToRoom, e.ID, LossRefused)
		}
		return
	}
	c := e.Content
	name, arg, text := "", "", c.Text
	if c.Kind == dma.Text {
		name, arg, text = parseCommand(c.Text)
	}
	if c.Kind == dma.Text && text == "" && c.Text != "" {
		g.command(t, e, name, arg)
		return
	}
	said := *c
	said.Text = text
	g.held(t, ToRoom, e.ID, len(c.Append(nil)), false)
	g.utter(t, e.ID, &said, toRoom(&said, &t.refs))
}

// held tells that the plaintext of a message was held.
func (g *Gateway) held(t *thread, d Direction, id string, size int, medium bool) {
	g.event(Held{Place: g.cfg.Place, User: t.user.uri, Room: t.Room, Direction: d, ID: id, Size: size, Medium: medium})
}

// command does what a user asks in a room's chat.
func (g *Gateway) command(t *thread, e dma.Event, name, arg string) {
	switch name {
	case "who":
		g.tell(t, e.ID, g.who(t))
	case "leave":
		g.leave(t)
	case "edit", "delete":
		if name == "edit" && arg == "" {
			g.tell(t, e.ID, "To what? As an answer to a message of yours: /edit TEXT")
			return
		}
		if name == "delete" {
			arg = ""
		}
		g.held(t, ToRoom, e.ID, len(arg), false)
		g.utter(t, e.ID, e.Content, edit(arg, e.Content.ReplyTo, &t.refs))
	default:
		g.tell(t, e.ID, help(false))
	}
}

// utter sends what a user has said to the room, and tells the user what of it could not
// be.
func (g *Gateway) utter(t *thread, id string, c *dma.Content, u utterance) {
	g.lost(t, ToRoom, id, u.losses...)
	for _, r := range u.remarks {
		g.tell(t, id, r)
	}
	switch {
	case u.message == nil:
	case u.medium:
		g.carryToRoom(t, id, c, u.message.InReplyTo)
	default:
		g.toHub(t, id, u)
	}
}

// toHub puts a message into the member's outbox, and notes its name on both sides.
func (g *Gateway) toHub(t *thread, id string, u utterance) {
	s := sending{Signal: id}
	switch {
	case u.on != nil:
		s.On = u.on.Signal
	case u.edits != nil:
		s.On, s.Edit = u.edits.Signal, true
	}
	mid, ok := g.send(t, u.message, s)
	if !ok {
		return
	}
	g.event(Passed{User: t.user.uri, Room: t.Room, Direction: ToRoom, ID: id, Count: 1})
	switch {
	case u.on != nil:
		switch {
		case u.message.Kind() == content.KindUnlike:
			u.on.Reaction = content.MessageID{}
		case u.on.Reaction.IsZero():
			u.on.Reaction = mid
		}
		g.saveRef(t, u.on)
	case u.edits != nil && u.message.Kind() == content.KindDelete:
		g.dropRef(t, u.edits)
	case u.edits != nil:
		t.refs.renew(u.edits, mid)
		g.saveRef(t, u.edits)
	default:
		g.saveRef(t, t.refs.add(ref{Signal: id, MIMI: mid, Last: mid, Own: true}))
	}
}
