package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// Groups on a gatekeeper. The namespace, the tags and where a query is addressed to are
// read in public client sources (whatsmeow), which talk to WhatsApp's own service; that
// partners' users get the same is assumed.

// NamespaceGroup is the namespace of groups.
const NamespaceGroup = "w:g2"

// NotifyGroup is the type of what a server tells of a group.
const NotifyGroup NotificationType = "w:gp2"

// Participant is one member of a group, or what became of one in a change:
//
//	<participant jid type="admin" v_id error="403"/>
type Participant struct {
	Address ident.Address
	Admin   bool
	Since   uint64 // in a [GroupInfo]: the version since which it is one; 0 if absent
	Error   Code   // in an answer: why nothing became of it; 0 if it did
}

func (p *Participant) node() Node {
	b := make(builder, 0, 4)
	b.address("jid", p.Address)
	if p.Admin {
		b.text("type", adminType)
	}
	b.wide("v_id", p.Since)
	b.number("error", int64(p.Error))
	return Node{Tag: "participant", Attrs: b}
}

const adminType = "admin"

func participantNodes(list []Participant) []Node {
	out := make([]Node, len(list))
	for i := range list {
		out[i] = list[i].node()
	}
	return out
}

func parseGroupParticipants(f *fields, n *Node) []Participant {
	var out []Participant
	for i := range n.Children {
		c := &n.Children[i]
		if c.Tag != "participant" {
			continue
		}
		var p Participant
		for j := range c.Attrs {
			switch a := &c.Attrs[j]; a.Name {
			case "jid":
				p.Address = f.address(c, a)
			case "type":
				p.Admin = a.Value == adminType || a.Value == "superadmin" // other types are members
			case "v_id":
				p.Since = f.wide(c, a)
			case "error":
				p.Error = Code(f.number(c, a, 1, 1<<16-1))
			}
		}
		f.require(c.Tag, present(p.Address), "@jid")
		out = append(out, p)
	}
	return out
}

// GroupCreate makes a group of the sender and others:
//
//	<iq type="set" xmlns="w:g2" to="g.us">
//	  <create subject key><participant jid/>...</create>
//	</iq>
//
// The answer is a [GroupInfo]. Who could not be added has an error in it. Key makes a
// repetition known.
type GroupCreate struct {
	Subject      string
	Key          string // required
	Participants []Participant
}

func (*GroupCreate) namespace() string { return NamespaceGroup }

func (g *GroupCreate) nodes() []Node {
	b := make(builder, 0, 2)
	b.text("subject", g.Subject)
	b.text("key", g.Key)
	return []Node{{Tag: "create", Attrs: b, Children: participantNodes(g.Participants)}}
}

func parseGroupCreate(f *fields, n *Node) Payload {
	c := n.Child("create")
	g := &GroupCreate{Participants: parseGroupParticipants(f, c)}
	for i := range c.Attrs {
		switch a := &c.Attrs[i]; a.Name {
		case "subject":
			g.Subject = a.Value
		case "key":
			g.Key = f.text(c, a)
		}
	}
	f.require(c.Tag, g.Key != "", "@key")
	return g
}

// GroupAction is what is done to members of a group.
type GroupAction string

// The actions.
const (
	GroupAdd    GroupAction = "add"
	GroupRemove GroupAction = "remove"
)

// GroupChange adds members to the group that the query is addressed to, or removes some;
// the answer says what became of each:
//
//	<iq type="set" xmlns="w:g2" to="1203@g.us"><add><participant jid/>...</add></iq>
//
// As an event it says what the user in the notification's participant did. The group has
// version Version from then on, which counts the changes of its members. A list of very
// many is left out, and a client asks for the group:
//
//	<notification type="w:gp2" from="1203@g.us" participant>
//	  <remove v_id="7"><participant jid/>...</remove>
//	</notification>
type GroupChange struct {
	Action       GroupAction
	Version      uint64 // in an event and an answer; 0 if absent
	Participants []Participant
}

func (*GroupChange) namespace() string      { return NamespaceGroup }
func (*GroupChange) kind() NotificationType { return NotifyGroup }
func (g *GroupChange) nodes() []Node        { return []Node{g.node()} }

func (g *GroupChange) node() Node {
	b := make(builder, 0, 1)
	b.wide("v_id", g.Version)
	return Node{Tag: string(g.Action), Attrs: b, Children: participantNodes(g.Participants)}
}

func parseGroupChange(f *fields, c *Node) *GroupChange {
	g := &GroupChange{Action: GroupAction(c.Tag), Participants: parseGroupParticipants(f, c)}
	for i := range c.Attrs {
		if a := &c.Attrs[i]; a.Name == "v_id" {
			g.Version = f.wide(c, a)
		}
	}
	return g
}

// parseGroupPayload reads a change, whose tag says what it does.
func parseGroupPayload(f *fields, n *Node) Payload {
	c := n.Child(string(GroupAdd))
	if c == nil {
		c = n.Child(string(GroupRemove))
	}
	return parseGroupChange(f, c)
}

// GroupLeave has the sender leave a group; the answer is an empty result:
//
//	<iq type="set" xmlns="w:g2" to="g.us"><leave><group id="1203@g.us"/></leave></iq>
type GroupLeave struct{ Group ident.Address }

func (*GroupLeave) namespace() string { return NamespaceGroup }

func (g *GroupLeave) nodes() []Node {
	return []Node{{Tag: "leave", Children: []Node{{Tag: "group", Attrs: []Attr{{"id", g.Group.String()}}}}}}
}

func parseGroupLeave(f *fields, n *Node) Payload {
	c := n.Child("leave")
	g := new(GroupLeave)
	if c = c.Child("group"); c != nil {
		for i := range c.Attrs {
			if a := &c.Attrs[i]; a.Name == "id" {
				g.Group = f.address(c, a)
			}
		}
	}
	f.require("leave", present(g.Group), "group/@id")
	return g
}

// GroupQuery asks for the group that it is addressed to; the answer is a [GroupInfo]:
//
//	<iq type="get" xmlns="w:g2" to="1203@g.us"><query request="interactive"/></iq>
type GroupQuery struct{}

func (GroupQuery) namespace() string { return NamespaceGroup }

func (GroupQuery) nodes() []Node {
	return []Node{{Tag: "query", Attrs: []Attr{{"request", "interactive"}}}}
}

// GroupsQuery asks which groups the sender is in; the answer is a [GroupList]:
//
//	<iq type="get" xmlns="w:g2" to="g.us"><participating/></iq>
type GroupsQuery struct{}

func (GroupsQuery) namespace() string { return NamespaceGroup }
func (GroupsQuery) nodes() []Node     { return []Node{{Tag: "participating"}} }

// GroupInfo is a group and its members:
//
//	<iq type="result" xmlns="w:g2">
//	  <group id="1203@g.us" subject creation creator p_v_id key><participant jid type/>...</group>
//	</iq>
type GroupInfo struct {
	Group        ident.Address // required
	Subject      string
	Creation     int64 // Unix seconds; 0 if absent
	Creator      ident.Address
	Version      uint64 // counts the changes of its members, from 1; required
	Key          string // in the answer to a [GroupCreate]: its own
	Participants []Participant
}

func (*GroupInfo) namespace() string { return NamespaceGroup }
func (g *GroupInfo) nodes() []Node   { return []Node{g.node()} }

func (g *GroupInfo) node() Node {
	b := make(builder, 0, 6)
	b.address("id", g.Group)
	b.text("subject", g.Subject)
	b.number("creation", g.Creation)
	b.address("creator", g.Creator)
	b.wide("p_v_id", g.Version)
	b.text("key", g.Key)
	return Node{Tag: "group", Attrs: b, Children: participantNodes(g.Participants)}
}

func parseGroupInfo(f *fields, n *Node) Payload { return readGroupInfo(f, n.Child("group")) }

func readGroupInfo(f *fields, c *Node) *GroupInfo {
	g := &GroupInfo{Participants: parseGroupParticipants(f, c)}
	for i := range c.Attrs {
		switch a := &c.Attrs[i]; a.Name {
		case "id":
			g.Group = f.address(c, a)
		case "subject":
			g.Subject = a.Value
		case "creation":
			g.Creation = f.time(c, a)
		case "creator":
			g.Creator = f.address(c, a)
		case "p_v_id":
			g.Version = f.wide(c, a)
		case "key":
			g.Key = a.Value
		}
	}
	f.require(c.Tag, present(g.Group), "@id")
	f.require(c.Tag, g.Version != 0, "@p_v_id")
	return g
}

// GroupList answers a [GroupsQuery]. The groups come without their members, which a
// [GroupQuery] asks for:
//
//	<iq type="result" xmlns="w:g2"><groups><group id subject p_v_id/>...</groups></iq>
type GroupList struct{ Groups []GroupInfo }

func (*GroupList) namespace() string { return NamespaceGroup }

func (g *GroupList) nodes() []Node {
	list := make([]Node, len(g.Groups))
	for i := range g.Groups {
		list[i] = g.Groups[i].node()
	}
	return []Node{{Tag: "groups", Children: list}}
}

func parseGroupList(f *fields, n *Node) Payload {
	c := n.Child("groups")
	g := new(GroupList)
	for i := range c.Children {
		if x := &c.Children[i]; x.Tag == "group" {
			g.Groups = append(g.Groups, *readGroupInfo(f, x))
		}
	}
	return g
}
