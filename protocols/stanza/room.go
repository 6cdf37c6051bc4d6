package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// The stanzas of MIMI rooms carry structs of draft-ietf-mimi-protocol-06
// (https://datatracker.ietf.org/doc/draft-ietf-mimi-protocol/) and of RFC 9420 between
// a provider and its own clients. The structs are bytes in TLS presentation language,
// as MIMI sends them between providers; this package does not look into them. The draft
// leaves this connection to each provider, so all of namespace "mimi" is this project's.

// Accepted says when a hub accepted an application message, and what it stamped on it:
//
//	<accepted t="1764547200123"><frank>Frank</frank></accepted>
type Accepted struct {
	Timestamp uint64 // milliseconds since 1970, as MIMI counts
	Frank     []byte // a Frank, or nil
}

func (a *Accepted) node() Node {
	n := Node{Tag: "accepted", Attrs: []Attr{{"t", utoa(a.Timestamp)}}}
	if len(a.Frank) > 0 {
		n.Children = []Node{{Tag: "frank", Data: a.Frank}}
	}
	return n
}

func parseAccepted(f *fields, n *Node) *Accepted {
	a, timed := new(Accepted), false
	r := f.attrs(n)
	for r.next() {
		if r.name == "t" {
			a.Timestamp, timed = r.wide(0), true
		}
	}
	for i := range n.Children {
		if c := &n.Children[i]; c.Tag == "frank" {
			f.once(n, a.Frank == nil, c.Tag)
			a.Frank = f.bytes(c, 0)
		}
	}
	f.require(n.Tag, timed, "@t")
	return a
}

// Update is a handshake of an MLS group: a Commit or proposals. A client asks for it,
// or creates its group with the room; a provider tells of it, and of a Welcome:
//
//	<update room accepted="1764547200123">
//	  <commit>MLSMessage</commit> <proposal>MLSMessage</proposal>...
//	  <welcome>MLSMessage</welcome>
//	  <group-info>GroupInfoOption</group-info> <ratchet-tree>RatchetTreeOption</ratchet-tree>
//	</update>
//
// It has a Commit, a Welcome or a proposal at least. As a [Payload] it is the
// HandshakeBundle of an UpdateRequest, without accepted; as an [Event] the
// FanoutMessage of what is no application message, with it. The proposals beside a
// Commit are those that the hub made in place of pending ones.
type Update struct {
	Room        ident.URI // zero in a notification whose own room says it
	Accepted    uint64    // milliseconds since 1970; 0 in a request
	Commit      []byte
	Proposals   [][]byte // the first one, and more of them
	Welcome     []byte
	GroupInfo   []byte // nil if there is none to give
	RatchetTree []byte // nil if there is none to give
}

func (*Update) namespace() string      { return NamespaceMIMI }
func (*Update) kind() NotificationType { return NotifyMIMI }
func (u *Update) nodes() []Node        { return []Node{u.node()} }

func (u *Update) node() Node {
	var b builder
	b.uri("room", u.Room)
	b.wide("accepted", u.Accepted)
	n := Node{Tag: "update", Attrs: b, Children: make([]Node, 0, 4+len(u.Proposals))}
	add := func(tag string, data []byte) {
		if len(data) > 0 {
			n.Children = append(n.Children, Node{Tag: tag, Data: data})
		}
	}
	add("commit", u.Commit)
	for _, p := range u.Proposals {
		add("proposal", p)
	}
	add("welcome", u.Welcome)
	add("group-info", u.GroupInfo)
	add("ratchet-tree", u.RatchetTree)
	return n
}

func parseUpdate(f *fields, n *Node) *Update {
	u := new(Update)
	r := f.attrs(n)
	for r.next() {
		switch r.name {
		case "room":
			u.Room = r.uri()
		case "accepted":
			u.Accepted = r.wide(1)
		}
	}
	once := map[string]*[]byte{
		"commit": &u.Commit, "welcome": &u.Welcome, "group-info": &u.GroupInfo, "ratchet-tree": &u.RatchetTree,
	}
	for i := range n.Children {
		c := &n.Children[i]
		if part := once[c.Tag]; part != nil {
			f.once(n, *part == nil, c.Tag)
			*part = f.bytes(c, 0)
		} else if c.Tag == "proposal" {
			u.Proposals = append(u.Proposals, f.bytes(c, 0))
		}
	}
	f.require(n.Tag, len(u.Commit)+len(u.Welcome)+len(u.Proposals) > 0, "commit")
	return u
}

// Create hands a room over to the provider's own hub, for which the client has made a
// group. From then on the client gets its events:
//
//	<iq type="set" xmlns="mimi">
//	  <create room><group-info>GroupInfo</group-info> <ratchet-tree>bytes</ratchet-tree></create>
//	</iq>
type Create struct {
	Room        ident.URI
	GroupInfo   []byte
	RatchetTree []byte // the data of a ratchet_tree extension, or nil if the GroupInfo has it
}

func (*Create) namespace() string { return NamespaceMIMI }

func (c *Create) nodes() []Node {
	n := Node{Tag: "create", Attrs: []Attr{{"room", c.Room.String()}}, Children: []Node{{Tag: "group-info", Data: c.GroupInfo}}}
	if len(c.RatchetTree) > 0 {
		n.Children = append(n.Children, Node{Tag: "ratchet-tree", Data: c.RatchetTree})
	}
	return []Node{n}
}

func parseCreate(f *fields, n *Node) Payload {
	n = n.Child("create")
	c := &Create{Room: parseRoom(f, n)}
	for i := range n.Children {
		switch k := &n.Children[i]; k.Tag {
		case "group-info":
			f.once(n, c.GroupInfo == nil, k.Tag)
			c.GroupInfo = f.bytes(k, 0)
		case "ratchet-tree":
			f.once(n, c.RatchetTree == nil, k.Tag)
			c.RatchetTree = f.bytes(k, 0)
		}
	}
	f.require(n.Tag, c.GroupInfo != nil, "group-info")
	return c
}

// parseRoom reads the room in a node's attribute.
func parseRoom(f *fields, n *Node) (room ident.URI) {
	r := f.attrs(n)
	for r.next() {
		if r.name == "room" {
			room = r.uri()
		}
	}
	f.require(n.Tag, !room.IsZero(), "@room")
	return room
}

// Leave tells the provider that the client is no member of a room any more and wants no
// more of its events. Seq is the last event that it has seen, 0 if it has seen none: one
// that was added again since then stays in the room.
//
//	<iq type="set" xmlns="mimi"><leave room seq/></iq>
type Leave struct {
	Room ident.URI
	Seq  uint64
}

func (*Leave) namespace() string { return NamespaceMIMI }

func (l *Leave) nodes() []Node {
	n := Node{Tag: "leave", Attrs: []Attr{{"room", l.Room.String()}}}
	if l.Seq != 0 {
		n.Attrs = append(n.Attrs, Attr{"seq", utoa(l.Seq)})
	}
	return []Node{n}
}

func parseLeave(f *fields, n *Node) Payload {
	c, l := n.Child("leave"), new(Leave)
	r := f.attrs(c)
	for r.next() {
		switch r.name {
		case "room":
			l.Room = r.uri()
		case "seq":
			l.Seq = r.wide(1)
		}
	}
	f.require(c.Tag, !l.Room.IsZero(), "@room")
	return l
}
