package gateway

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// send puts a message into the member's outbox. It returns its ID.
func (g *Gateway) send(t *thread, m *content.Message, s sending) (content.MessageID, bool) {
	u := t.user
	c := *m
	salt, err := content.NewSalt(g.cfg.Groups.Suite)
	if err == nil {
		c.Salt = salt
		c.Extensions = c.Extensions.With(content.KeySenderURI, content.TextValue(u.uri.String())).
			With(content.KeyRoomURI, content.TextValue(t.Room.String())).
			With(KeyGateway, content.TextValue(g.cfg.Place.String()))
	}
	var mid content.MessageID
	var id uint64
	if err == nil {
		mid, err = c.ID(u.uri.String(), t.Room.String())
	}
	if err == nil {
		id, err = g.stepMember(u, member.Send{Room: t.Room, Message: &c})
	}
	if err != nil {
		g.unsent(t, s, err, false)
		return content.MessageID{}, false
	}
	t.sending[id] = s
	g.saveSending(t, id)
	return mid, true
}

// unsent says that a message did not get to the room, or may not have.
func (g *Gateway) unsent(t *thread, s sending, why error, unknown bool) {
	if s.Signal == "" {
		g.unwarned(t, why)
		return
	}
	g.lost(t, ToRoom, s.Signal, LossRefused)
	what := "The room did not take your message: "
	if unknown {
		what = "It is not known whether the room has your message: "
	}
	var code *member.Error
	switch {
	case errors.Is(why, member.ErrBusy), errors.Is(why, member.ErrRetries):
		what += "it is too busy. Try again later."
	case errors.Is(why, member.ErrNoRoom), errors.Is(why, member.ErrLeaving):
		what += "you are not in it any more."
	case errors.As(why, &code):
		what += "its hub answers " + code.Code.String() + "."
	default:
		g.trouble(t.user, t.Room, "message to the room", why)
		what += "it does not let you do that."
	}
	g.tell(t, s.Signal, what)
}

// unwarned leaves a room that cannot be told that it is read: no warning, no presence.
// Where it is only too busy it is warned later.
func (g *Gateway) unwarned(t *thread, why error) {
	g.trouble(t.user, t.Room, "warning of the room", why)
	if errors.Is(why, member.ErrBusy) {
		t.WarnAt = g.now.Add(g.limits.TellAgain).UnixMilli()
		g.saveThread(t)
		return
	}
	if t.State != open {
		return
	}
	g.tell(t, "", "You may not write in this room, so that its members could not be warned that they are read. The gateway leaves it.")
	g.leave(t)
}

// warn tells the members of a room that this participant is bridged, but not too
// often.
func (g *Gateway) warn(t *thread) {
	if t.State != open || t.user.State != on {
		return
	}
	if next := t.Warned + g.limits.TellAgain.Milliseconds(); t.Warned != 0 && g.now.UnixMilli() < next {
		t.WarnAt = next
		g.saveThread(t)
		return
	}
	t.Warned, t.WarnAt = g.now.UnixMilli(), 0
	g.saveThread(t)
	g.announce(t, g.cfg.warning(), sending{})
}

// announce has the gateway itself say something in the room.
func (g *Gateway) announce(t *thread, text string, s sending) {
	g.send(t, &content.Message{Body: content.Text(text)}, s)
}

// fromMember takes what a user's member tells.
func (g *Gateway) fromMember(u *user, e member.Event) {
	if u.member == nil {
		return // it was dropped within the Step
	}
	switch e := e.(type) {
	case member.Joined:
		g.joined(u, e)
	case member.Message:
		g.read(u, e)
	case member.Sent:
		g.landed(u, e.Room, e.ID)
	case member.Done:
		g.left(u, e.ID, ident.URI{})
	case member.Leaving:
		g.left(u, e.ID, e.Room)
	case member.Failed:
		g.failed(u, e)
	case member.RoomChanged:
		g.changed(u, e)
	case member.Removed:
		if t := u.threadOf(e.Room); t != nil {
			why := "You are not in this room any more."
			if !e.By.IsZero() && e.By != u.uri && t.State == open {
				why = "You were taken out of this room by " + nameOf(e.By) + "."
			}
			g.end(t, why)
		}
	case member.Refused:
		g.trouble(u, e.Room, "refused "+e.What, e.Why)
		if t := u.threadOf(e.Room); t != nil && e.What == "message" {
			g.lost(t, ToSignal, "", LossUnreadable)
			g.tell(t, "", "Somebody sent what cannot be opened.")
		}
	case member.Stalled:
		g.trouble(u, e.Room, "the hub does not answer to "+e.What, e.Why)
	case member.Gap:
		g.gap(u, e)
	case member.ConsentChanged:
		g.consent(u, e.Entry)
	}
}

// joined opens a chat for a room.
func (g *Gateway) joined(u *user, e member.Joined) {
	if u.State != on {
		return // its client is about to be removed
	}
	if _, err := g.stepMember(u, member.PublishKeyPackages{N: 1}); err != nil {
		g.trouble(u, e.Room, "KeyPackage", err)
	}
	g.dropInvites(u, e.Room)
	if t := u.threadOf(e.Room); t != nil { // lost and entered anew, or added again while leaving
		if t.State == goes {
			t.State, t.Leave = open, 0
			g.saveThread(t)
			g.tell(t, "", "You were added to this room again.")
			g.warn(t)
		}
		return
	}
	t := g.openThread(u, e.Room)
	if t == nil {
		g.tell(u.threads[0], "", fmt.Sprintf("There is no chat left for %s, so that the gateway leaves it.", g.roomName(u, e.Room)))
		if _, err := g.stepMember(u, member.Leave{Room: e.Room}); err != nil {
			g.trouble(u, e.Room, "leave", err)
		}
		return
	}
	g.event(RoomOpened{User: u.uri, Room: e.Room, Line: t.line})
	text := "This chat is the room " + g.roomName(u, e.Room) + " from now on"
	if !e.By.IsZero() && e.By != u.uri {
		text += "; " + nameOf(e.By) + " added you"
	}
	g.tell(t, "", text+". "+g.who(t)+"\n"+help(false))
	g.warn(t)
}

// roomName returns what a user calls a room.
func (g *Gateway) roomName(u *user, uri ident.URI) string {
	s := uri.String()
	if r, ok := u.member.Room(uri); ok && r.State != nil && r.State.Metadata() != nil && r.State.Metadata().Name != "" {
		return word(r.State.Metadata().Name) + " (" + cut(s, 3*maxWord) + ")"
	}
	return cut(s, 3*maxWord)
}

// maxNamed is how many participants are named at a time.
const maxNamed = 20

// who lists the participants of a room.
func (g *Gateway) who(t *thread) string {
	r, ok := t.user.member.Room(t.Room)
	if !ok || r.State == nil {
		return "Who is in is not known."
	}
	var names []string
	more := 0
	for p := range r.State.All() {
		uri, err := ident.ParseURI(p.User)
		switch {
		case err != nil || uri.Kind() != ident.KindUser: // the hub
			continue
		case p.Role == banned:
			continue
		case len(names) == maxNamed:
			more++
			continue
		}
		name := nameOf(uri)
		if uri == t.user.uri {
			name += ", you"
		} else if role := r.State.Role(p.User); role != nil {
			name += ", " + word(role.Name)
		}
		names = append(names, name)
	}
	s := "In the room: " + strings.Join(names, "; ")
	if more > 0 {
		s += fmt.Sprintf("; and %d more", more)
	}
	return s + "."
}

// pair reports whether nobody but two users is in a room.
func (g *Gateway) pair(t *thread) bool {
	r, ok := t.user.member.Room(t.Room)
	if !ok || r.State == nil {
		return false
	}
	n := 0
	for p := range r.State.All() {
		if uri, err := ident.ParseURI(p.User); err == nil && uri.Kind() == ident.KindUser && p.Role != banned {
			n++
		}
	}
	return n == 2
}

// read passes a message of a room on to the chat.
func (g *Gateway) read(u *user, e member.Message) {
	t := u.lastOf(e.Room)
	if t == nil {
		g.trouble(u, e.Room, "message", "of a room that has no chat")
		return
	}
	id := e.ID.String()
	g.held(t, ToSignal, id, sizeOf(e), false)
	if t.State != open || u.State != on {
		g.lost(t, ToSignal, id, LossRefused)
		return
	}
	if e.Content == nil {
		if _, err := content.ParseStatusReport(e.Data); err == nil {
			g.lost(t, ToSignal, id, LossReceipt)
			return
		}
		g.lost(t, ToSignal, id, LossUnreadable)
		g.tell(t, "", nameOf(e.Sender)+" sent what cannot be read here.")
		return
	}
	v := view{name: nameOf(e.Sender), pair: g.pair(t), refs: &t.refs, parts: g.limits.Parts}
	if e.Unfranked != nil && !errors.Is(e.Unfranked, member.ErrNoFrank) {
		v.name += " (the hub does not vouch for this)"
	}
	r := v.toSignal(e.ID, e.Content)
	g.lost(t, ToSignal, id, r.losses...)
	g.show(t, e.ID, r)
}

// sizeOf returns how long the plaintext of a message is.
func sizeOf(e member.Message) int {
	if e.Content == nil {
		return len(e.Data)
	}
	b, err := e.Content.Marshal()
	if err != nil {
		return 0
	}
	return len(b)
}

// show writes what a message of the room became into the chat.
func (g *Gateway) show(t *thread, id content.MessageID, r rendering) {
	g.event(Passed{User: t.user.uri, Room: t.Room, Direction: ToSignal, ID: id.String(), Count: len(r.items)})
	for _, it := range r.items {
		if it.medium != nil {
			g.carryToSignal(t, id, it)
			continue
		}
		signal := g.say(t, it.content)
		if signal == "" || it.content.Kind == dma.Reaction {
			continue
		}
		g.name(t, id, signal)
	}
	if r.reacts != nil {
		r.reacts.Shown = r.shown
		g.saveRef(t, r.reacts)
	}
}

// name notes which message of the chat a message of the room is: the first of those
// that it became.
func (g *Gateway) name(t *thread, id content.MessageID, signal string) {
	if t.refs.mimi(id) == nil {
		g.saveRef(t, t.refs.add(ref{Signal: signal, MIMI: id, Last: id}))
	}
}

// landed notes that a message has got to the room.
func (g *Gateway) landed(u *user, room ident.URI, id uint64) {
	if t := u.lastOf(room); t != nil {
		if _, ok := t.sending[id]; ok {
			delete(t.sending, id)
			g.dropSending(t, id)
		}
	}
}

// leave takes a user out of a room. From now on nothing passes.
func (g *Gateway) leave(t *thread) {
	id, err := g.stepMember(t.user, member.Leave{Room: t.Room})
	if err != nil && !errors.Is(err, member.ErrLeaving) {
		g.trouble(t.user, t.Room, "leave", err)
		if t.user.State == on && !errors.Is(err, member.ErrNoRoom) {
			g.tell(t, "", "You could not leave: the room does not let you, or is too busy.")
			return
		}
		g.end(t, "You are not in this room any more.")
		return
	}
	t.State, t.Leave, t.WarnAt = goes, id, 0
	g.saveThread(t)
}

// left notes that the hub knows that a user leaves.
func (g *Gateway) left(u *user, id uint64, room ident.URI) {
	for _, no := range sortedKeys(u.threads) {
		t := u.threads[no]
		if t.State == goes && (t.Leave == id && id != 0 || t.Room == room) {
			g.end(t, "You have left. Nothing passes any more.")
			return
		}
	}
}

// failed takes the end of an intention that could not be done.
func (g *Gateway) failed(u *user, e member.Failed) {
	t := u.lastOf(e.Room)
	if t == nil {
		g.trouble(u, e.Room, e.What, e.Why)
		return
	}
	if t.State == goes && t.Leave == e.ID {
		g.trouble(u, e.Room, "leave", e.Why)
		if u.State == leaving { // the client is removed whatever the room thinks
			g.end(t, "The room did not let you leave. You get nothing of it any more, and the gateway has no keys of it.")
			return
		}
		t.State, t.Leave = open, 0
		g.saveThread(t)
		g.tell(t, "", "You are still in the room: it did not let you leave.")
		return
	}
	s, ok := t.sending[e.ID]
	if !ok {
		g.trouble(u, e.Room, e.What, e.Why)
		return
	}
	delete(t.sending, e.ID)
	g.dropSending(t, e.ID)
	if !e.Unknown {
		g.takeBack(t, s)
	}
	g.unsent(t, s, e.Why, e.Unknown)
}

// takeBack forgets the room's name of what never got there.
func (g *Gateway) takeBack(t *thread, s sending) {
	if s.On == "" {
		if x := t.refs.signal(s.Signal); x != nil && x.Own {
			g.dropRef(t, x)
		}
		return
	}
	x := t.refs.signal(s.On)
	if x == nil {
		return
	}
	if s.Edit {
		t.refs.renew(x, x.MIMI)
	} else {
		x.Reaction = content.MessageID{}
	}
	g.saveRef(t, x)
}

// changed tells a user who has come and gone, and warns who has come.
func (g *Gateway) changed(u *user, e member.RoomChanged) {
	t := u.threadOf(e.Room)
	if t == nil || t.State != open {
		return
	}
	var list []string
	come := false
	for _, c := range e.Changes {
		if c.User == u.uri || c.User.IsZero() && c.Kind != member.MetadataChanged {
			continue
		}
		switch c.Kind {
		case member.UserAdded:
			list, come = append(list, nameOf(c.User)+" is in the room"), true
		case member.UserRemoved:
			list = append(list, nameOf(c.User)+" is not in the room any more")
		case member.MetadataChanged:
			list = append(list, "the room is called "+g.roomName(u, e.Room))
		}
	}
	if len(list) > maxNamed {
		list = append(list[:maxNamed], fmt.Sprintf("and %d more changes", len(list)-maxNamed))
	}
	if len(list) > 0 {
		g.tell(t, "", "Now "+strings.Join(list, "; ")+".")
	}
	if come {
		g.warn(t)
	}
}

// gap tells that messages are missing, and enters the room anew if it is lost.
func (g *Gateway) gap(u *user, e member.Gap) {
	g.trouble(u, e.Room, "gap", fmt.Sprintf("deliveries %d to %d, epoch %d", e.From, e.To, e.Epoch))
	t := u.threadOf(e.Room)
	if t == nil || t.State != open {
		return
	}
	if r, ok := u.member.Room(e.Room); ok && r.Lost {
		g.tell(t, "", "Messages of this room are missing. The gateway enters it anew.")
		if _, err := g.stepMember(u, member.Join{Room: e.Room}); err != nil {
			g.trouble(u, e.Room, "join", err)
		}
	}
}

// consent takes an invitation, or its end.
func (g *Gateway) consent(u *user, e *mimi.ConsentEntry) {
	by, ok := e.RequesterURI.Is(ident.KindUser)
	if target, is := e.TargetURI.Is(ident.KindUser); !ok || !is || target != u.uri || u.State != on {
		return
	}
	var room ident.URI
	if e.RoomID != nil {
		if room, ok = e.RoomID.Is(ident.KindRoom); !ok {
			return
		}
	}
	switch e.ConsentOperation {
	case mimi.ConsentRequest:
		for _, i := range u.Invites {
			if i.By == by && i.Room == room {
				return
			}
		}
		if len(u.Invites) >= g.limits.Invites {
			g.trouble(u, room, "invitation", "too many wait for an answer")
			return
		}
		u.Invited++
		u.Invites = append(u.Invites, invite{N: u.Invited, By: by, Room: room})
		g.saveUser(u)
		to := "any room"
		if !room.IsZero() {
			to = "the room " + cut(room.String(), 3*maxWord)
		}
		g.tell(u.threads[0], "", fmt.Sprintf("%s wants to add you to %s. /accept %d or /decline %d", nameOf(by), to, u.Invited, u.Invited))
	case mimi.ConsentCancel:
		for i, x := range u.Invites {
			if x.By == by && x.Room == room {
				u.Invites = append(u.Invites[:i:i], u.Invites[i+1:]...)
				g.saveUser(u)
				g.tell(u.threads[0], "", fmt.Sprintf("%s has taken invitation %d back.", nameOf(by), x.N))
				return
			}
		}
	}
}

// dropInvites forgets invitations to a room that the user is in by now.
func (g *Gateway) dropInvites(u *user, room ident.URI) {
	for i := len(u.Invites) - 1; i >= 0; i-- {
		if u.Invites[i].Room == room {
			u.Invites = append(u.Invites[:i:i], u.Invites[i+1:]...)
			g.saveUser(u)
		}
	}
}

// answerInvite answers an invitation.
func (g *Gateway) answerInvite(u *user, arg string, yes bool) {
	d := u.threads[0]
	n, err := strconv.Atoi(arg)
	at := -1
	for i, x := range u.Invites {
		if err == nil && x.N == n {
			at = i
		}
	}
	switch {
	case u.State != on:
		g.tell(d, "", "You are leaving.")
		return
	case at < 0:
		g.tell(d, "", "There is no such invitation. "+g.listRooms(u))
		return
	case yes && !g.hasLine(u):
		g.tell(d, "", "There is no chat left for another room. /leave one first; its chat can be used again after "+g.limits.Rest.Round(time.Second).String()+".")
		return
	}
	x := u.Invites[at]
	op := mimi.ConsentGrant
	if !yes {
		op = mimi.ConsentRevoke
	}
	if _, err := g.stepMember(u, member.Consent{Operation: op, User: x.By, Room: x.Room}); err != nil {
		g.trouble(u, x.Room, "consent", err)
		g.tell(d, "", "That did not work. Try again later.")
		return
	}
	u.Invites = append(u.Invites[:at:at], u.Invites[at+1:]...)
	g.saveUser(u)
	if yes {
		g.tell(d, "", nameOf(x.By)+" can add you now. The room will be a chat of its own.")
	} else {
		g.tell(d, "", "Declined.")
	}
}

// listRooms says which chat is which room, and which invitations wait.
func (g *Gateway) listRooms(u *user) string {
	var b strings.Builder
	for _, no := range sortedKeys(u.threads) {
		if t := u.threads[no]; t.State == open {
			fmt.Fprintf(&b, "The chat with %v is the room %s.\n", g.cfg.Lines[no], g.roomName(u, t.Room))
		}
	}
	for _, x := range u.Invites {
		to := "any room"
		if !x.Room.IsZero() {
			to = cut(x.Room.String(), 3*maxWord)
		}
		fmt.Fprintf(&b, "Invitation %d: by %s to %s\n", x.N, nameOf(x.By), to)
	}
	if b.Len() == 0 {
		return "You are in no room, and no invitation waits."
	}
	return strings.TrimSpace(b.String())
}
