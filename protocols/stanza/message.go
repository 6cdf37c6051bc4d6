package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// MessageType says what kind of content a message carries.
type MessageType string

// The kinds of content.
const (
	TextMessage     MessageType = "text"
	MediaMessage    MessageType = "media"
	ReactionMessage MessageType = "reaction"
	PollMessage     MessageType = "poll"
	RoomMessage     MessageType = "room" // what it is, only the members of the room know
)

// Message carries end-to-end encrypted content:
//
//	<message id to type="text|media|reaction|poll|room" from participant notify t offline phash
//	         v_id room sender seq>
//	  <participants><to jid><enc/></to>...</participants>
//	  <enc/>
//	  <accepted/>
//	</message>
//
// One to one, a sender with several ciphertexts (one per device) puts them into
// participants; in a group, participants hold what sets members up (sender-key
// distributions, MLS Welcomes) and enc what all can read. At least one of the
// two is there.
//
// A message of a MIMI room names the room in place of addresses and has one enc of type
// "mls", which is an MLSMessage (RFC 9420, Section 6).
type Message struct {
	ID           string        // required
	To           ident.Address // the peer or group; from the server, the receiver
	From         ident.Address // set by the server
	Participant  ident.Address // the sender, if To or From is a group
	Type         MessageType   // required
	Notify       string        // the sender's display name, in the clear
	Timestamp    int64         // Unix seconds, set by the server; 0 if absent
	Offline      int           // position in the offline mailbox's delivery from 1; 0 if live (assumed)
	PHash        string        // hash over the recipients' addresses that the sender knew
	Version      uint64        // of the group, as the sender knew it; 0 if absent
	Participants []To
	Enc          []Enc
	Room         ident.URI // the MIMI room that it is of, or zero
	Sender       ident.URI // to a room: the user or pseudonym that it is sent as
	Seq          uint64    // from a room: its number among the room's events; 0 if absent
	Accepted     *Accepted // from a room, or nil
}

// To is the ciphertext for one address of a fan-out:
//
//	<to jid="1-10853634039893@interop"><enc/></to>
type To struct {
	Address ident.Address
	Enc     Enc
}

// Node returns the message as a tree.
func (m *Message) Node() Node {
	b := make(builder, 0, most)
	m.attributes(&b)
	return Node{Tag: "message", Attrs: b, Children: m.children()}
}

func (m *Message) attributes(b attributes) {
	b.text("id", m.ID)
	b.address("to", m.To)
	b.text("type", string(m.Type))
	b.address("from", m.From)
	b.address("participant", m.Participant)
	b.text("notify", m.Notify)
	b.number("t", m.Timestamp)
	b.number("offline", int64(m.Offline))
	b.text("phash", m.PHash)
	b.wide("v_id", m.Version)
	b.uri("room", m.Room)
	b.uri("sender", m.Sender)
	b.wide("seq", m.Seq)
}

func (m *Message) children() []Node {
	children := make([]Node, 0, len(m.Enc)+2)
	if len(m.Participants) > 0 {
		to := make([]Node, len(m.Participants))
		for i := range m.Participants {
			p := &m.Participants[i]
			to[i] = Node{Tag: "to", Attrs: []Attr{{"jid", p.Address.String()}}, Children: []Node{p.Enc.node()}}
		}
		children = append(children, Node{Tag: "participants", Children: to})
	}
	for i := range m.Enc {
		children = append(children, m.Enc[i].node())
	}
	if m.Accepted != nil {
		children = append(children, m.Accepted.node())
	}
	return children
}

func parseMessage(f *fields, n *Node) *Message {
	m, r := new(Message), f.attrs(n)
	readMessage(&r, m)
	for i := range n.Children {
		switch c := &n.Children[i]; c.Tag {
		case "enc":
			if m.Enc == nil {
				m.Enc = make([]Enc, 0, len(n.Children)-i)
			}
			m.Enc = append(m.Enc, parseEnc(f, c))
		case "participants":
			f.once(n, m.Participants == nil, c.Tag)
			m.Participants = parseParticipants(f, c)
		case "accepted":
			f.once(n, m.Accepted == nil, c.Tag)
			m.Accepted = parseAccepted(f, c)
		}
	}
	m.check(f)
	return m
}

// readMessage reads the attributes of m.
func readMessage(r *attrReader, m *Message) {
	for r.next() {
		switch r.name {
		case "id":
			m.ID = r.filled()
		case "to":
			m.To = r.address()
		case "from":
			m.From = r.address()
		case "participant":
			m.Participant = r.address()
		case "type":
			m.Type = oneOf(r, TextMessage, MediaMessage, ReactionMessage, PollMessage, RoomMessage)
		case "notify":
			m.Notify = r.value()
		case "t":
			m.Timestamp = r.time()
		case "offline":
			m.Offline = int(r.number(1, maxCount))
		case "phash":
			m.PHash = r.value()
		case "v_id":
			m.Version = r.wide(1)
		case "room":
			m.Room = r.uri()
		case "sender":
			m.Sender = r.uri()
		case "seq":
			m.Seq = r.wide(1)
		}
	}
}

func (m *Message) check(f *fields) {
	f.require("message", m.ID != "", "@id")
	f.require("message", m.Type != "", "@type")
	f.require("message", present(m.To) || present(m.From) || !m.Room.IsZero(), "@to")
	f.require("message", len(m.Enc)+len(m.Participants) > 0, "enc")
}

func parseParticipants(f *fields, n *Node) []To {
	to := make([]To, 0, len(n.Children))
	for i := range n.Children {
		if c := &n.Children[i]; c.Tag == "to" {
			to = append(to, parseTo(f, c))
		}
	}
	f.require(n.Tag, len(to) > 0, "to")
	return to
}

func parseTo(f *fields, n *Node) (to To) {
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name == "jid" {
			to.Address = f.address(n, a)
		}
	}
	encs := 0
	for i := range n.Children {
		if c := &n.Children[i]; c.Tag == "enc" {
			f.once(n, encs == 0, "enc")
			to.Enc = parseEnc(f, c)
			encs++
		}
	}
	f.require(n.Tag, present(to.Address), "@jid")
	f.require(n.Tag, encs == 1, "enc")
	return to
}
