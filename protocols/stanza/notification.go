package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// NotificationType says what a notification is about.
type NotificationType string

// What servers notify of. "encrypt" is read in public client sources; the other
// two are assumed.
const (
	NotifyEncrypt   NotificationType = "encrypt"
	NotifyInterop   NotificationType = "interop"
	NotifyChatState NotificationType = "chatstate"
)

// Notification tells of an event that is no message:
//
//	<notification id type to from participant t offline room seq>event</notification>
type Notification struct {
	ID          string        // required
	To          ident.Address // the receiver, if a client sends it
	From        ident.Address // whom it is about, or the server
	Participant ident.Address // who types or changes members, in a group
	// Type is what Parse found. It may be left empty beside an Event, whose own
	// type Node prefers.
	Type      NotificationType
	Timestamp int64     // Unix seconds; 0 if absent
	Offline   int       // as in [Message]
	Event     Event     // nil if the type or the event is unknown
	Room      ident.URI // the MIMI room whose event it is; zero in a client's mailbox
	Seq       uint64    // its number among the events of the room or mailbox; 0 if absent
}

// Event is the content of a [Notification]: one of the event types of this
// package.
type Event interface {
	kind() NotificationType
	node() Node
}

// IdentityChange says that the identity key of the user in From is a new one:
//
//	<notification type="encrypt" from><identity/></notification>
type IdentityChange struct{}

func (IdentityChange) kind() NotificationType { return NotifyEncrypt }
func (IdentityChange) node() Node             { return Node{Tag: "identity"} }

// KeysLow says that few of the own one-time keys are left:
//
//	<notification type="encrypt" from="s.whatsapp.net"><count value="4"/></notification>
type KeysLow struct{ Count int }

func (KeysLow) kind() NotificationType { return NotifyEncrypt }
func (k KeysLow) node() Node           { return KeyCount{Value: k.Count}.nodes()[0] }

// PingReceived says that the user in From sent a [Ping]:
//
//	<notification type="interop" from><ping/></notification>
type PingReceived struct{}

func (PingReceived) kind() NotificationType { return NotifyInterop }
func (PingReceived) node() Node             { return Node{Tag: "ping"} }

// ConsentChanged says that the user in From can be reached now, or no longer:
//
//	<notification type="interop" from><consent given="true|false"/></notification>
type ConsentChanged struct{ Given bool }

func (ConsentChanged) kind() NotificationType { return NotifyInterop }

func (c ConsentChanged) node() Node {
	return Node{Tag: "consent", Attrs: []Attr{{"given", boolText(c.Given)}}}
}

// RevokedAgreement says that the agreement with a partner has ended:
//
//	<notification type="interop" from="interop"><revoked integrator="1"/></notification>
type RevokedAgreement struct{ Integrator uint16 }

func (RevokedAgreement) kind() NotificationType { return NotifyInterop }

func (r RevokedAgreement) node() Node {
	return Node{Tag: "revoked", Attrs: []Attr{{"integrator", itoa(int64(r.Integrator))}}}
}

// Typing says that the user in From began or stopped to type:
//
//	<notification type="chatstate" to from><composing/> or <paused/></notification>
type Typing struct{ Paused bool }

func (Typing) kind() NotificationType { return NotifyChatState }

func (t Typing) node() Node {
	if t.Paused {
		return Node{Tag: "paused"}
	}
	return Node{Tag: "composing"}
}

// Node returns the notification as a tree.
func (t *Notification) Node() Node {
	typ := t.Type
	if t.Event != nil {
		typ = t.Event.kind()
	}
	b := make(builder, 0, 9)
	b.text("id", t.ID)
	b.text("type", string(typ))
	b.address("to", t.To)
	b.address("from", t.From)
	b.address("participant", t.Participant)
	b.number("t", t.Timestamp)
	b.number("offline", int64(t.Offline))
	b.uri("room", t.Room)
	b.wide("seq", t.Seq)
	n := Node{Tag: "notification", Attrs: b}
	if t.Event != nil {
		n.Children = []Node{t.Event.node()}
	}
	return n
}

// events lists what is read into which type: the tag of the first child that is
// known in its type of notification decides.
var events = []struct {
	kind  NotificationType
	tag   string
	parse func(f *fields, n *Node) Event
}{
	{NotifyEncrypt, "identity", func(*fields, *Node) Event { return IdentityChange{} }},
	{NotifyEncrypt, "count", func(f *fields, n *Node) Event { return KeysLow{Count: parseCount(f, n, "value")} }},
	{NotifyInterop, "ping", func(*fields, *Node) Event { return PingReceived{} }},
	{NotifyInterop, "consent", parseConsentChanged},
	{NotifyInterop, "revoked", parseRevoked},
	{NotifyGroup, "add", func(f *fields, n *Node) Event { return parseGroupChange(f, n) }},
	{NotifyGroup, "remove", func(f *fields, n *Node) Event { return parseGroupChange(f, n) }},
	{NotifyMIMI, "update", func(f *fields, n *Node) Event { return parseUpdate(f, n) }},
	{NotifyMIMI, "consent", func(f *fields, n *Node) Event { return parseBody(f, n) }},
	{NotifyChatState, "composing", func(*fields, *Node) Event { return Typing{} }},
	{NotifyChatState, "paused", func(*fields, *Node) Event { return Typing{Paused: true} }},
}

func parseConsentChanged(f *fields, n *Node) Event {
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name == "given" {
			return ConsentChanged{Given: parseBool(f, n, a)}
		}
	}
	f.require(n.Tag, false, "@given")
	return nil
}

func parseRevoked(f *fields, n *Node) Event {
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name == "integrator" {
			return RevokedAgreement{Integrator: uint16(f.number(n, a, 1, 1<<16-1))}
		}
	}
	f.require(n.Tag, false, "@integrator")
	return nil
}

// parseNotification takes the node by value for the reason that parseIQ does.
func parseNotification(node Node) (*Notification, error) {
	f, n, t := new(fields), &node, new(Notification)
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "id":
			t.ID = f.text(n, a)
		case "type":
			t.Type = NotificationType(f.text(n, a))
		case "to":
			t.To = f.address(n, a)
		case "from":
			t.From = f.address(n, a)
		case "participant":
			t.Participant = f.address(n, a)
		case "t":
			t.Timestamp = f.time(n, a)
		case "offline":
			t.Offline = int(f.number(n, a, 1, maxCount))
		case "room", "seq":
			t.readPlace(f, n, a)
		}
	}
	f.require(n.Tag, t.ID != "", "@id")
	f.require(n.Tag, t.Type != "", "@type")
	for i := range n.Children {
		c := &n.Children[i]
		if parse := eventParser(t.Type, c.Tag); parse != nil {
			t.Event = parse(f, c)
			break
		}
	}
	return t, f.err
}

// readPlace reads which event of a room or mailbox it is.
func (t *Notification) readPlace(f *fields, n *Node, a *Attr) {
	r := attrReader{f: f, tag: n.Tag, name: a.Name, text: a.Value}
	if a.Name == "room" {
		t.Room = r.uri()
	} else {
		t.Seq = r.wide(1)
	}
}

func eventParser(kind NotificationType, tag string) func(*fields, *Node) Event {
	for i := range events {
		if e := &events[i]; e.kind == kind && e.tag == tag {
			return e.parse
		}
	}
	return nil
}
