package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// That users choose partner apps one by one, that a partner's user may ping an
// eligible user, and that an account is deleted over the chat channel is in the
// Reference Offer 1.0.3. The form of the stanzas is not public: everything in
// namespace "interop" is assumed.

// BlocklistQuery asks for the own blocklist:
//
//	<iq type="get" xmlns="blocklist"/>
type BlocklistQuery struct{}

func (BlocklistQuery) namespace() string { return NamespaceBlocklist }
func (BlocklistQuery) nodes() []Node     { return nil }

// Block adds a user to the own blocklist or removes one:
//
//	<iq type="set" xmlns="blocklist"><item jid action="block|unblock"/></iq>
type Block struct {
	Address ident.Address
	Unblock bool
}

func (*Block) namespace() string { return NamespaceBlocklist }

func (b *Block) nodes() []Node {
	action := actionBlock
	if b.Unblock {
		action = actionUnblock
	}
	return []Node{{Tag: "item", Attrs: []Attr{{"jid", b.Address.String()}, {"action", string(action)}}}}
}

type blockAction string

const (
	actionBlock   blockAction = "block"
	actionUnblock blockAction = "unblock"
)

func parseBlock(f *fields, n *Node) Payload {
	item := n.Child("item")
	b := &Block{Address: parseJID(f, item)}
	found := false
	for i := range item.Attrs {
		if a := &item.Attrs[i]; a.Name == "action" {
			b.Unblock, found = one(f, item, a, actionBlock, actionUnblock) == actionUnblock, true
		}
	}
	f.require(item.Tag, found, "@action")
	return b
}

// Blocklist answers a [BlocklistQuery] or a [Block]:
//
//	<iq type="result" xmlns="blocklist"><list><item jid/>...</list></iq>
type Blocklist struct{ Addresses []ident.Address }

func (*Blocklist) namespace() string { return NamespaceBlocklist }

func (b *Blocklist) nodes() []Node {
	items := make([]Node, len(b.Addresses))
	for i, a := range b.Addresses {
		items[i] = Node{Tag: "item", Attrs: []Attr{{"jid", a.String()}}}
	}
	return []Node{{Tag: "list", Children: items}}
}

func parseBlocklist(f *fields, n *Node) Payload {
	list := n.Child("list")
	b := &Blocklist{Addresses: make([]ident.Address, 0, len(list.Children))}
	for i := range list.Children {
		if c := &list.Children[i]; c.Tag == "item" {
			b.Addresses = append(b.Addresses, parseJID(f, c))
		}
	}
	return b
}

// Inbox is where a user sees the chats with users of other apps.
type Inbox string

// The user's choice, changeable at any time.
const (
	CombinedInbox Inbox = "combined"
	SeparateInbox Inbox = "separate"
)

// Settings are a gatekeeper's user's choices about interoperability, set by the
// user and returned by a query:
//
//	<iq type="set|result" xmlns="interop">
//	  <settings inbox="combined|separate"><app integrator="1" enabled="true|false"/>...</settings>
//	</iq>
//
// In a set, what is absent stays as it is.
type Settings struct {
	Inbox Inbox // empty if absent
	Apps  []App
}

// App is the choice about one partner's app.
type App struct {
	Integrator uint16 // the partner, from 1
	Enabled    bool
}

func (*Settings) namespace() string { return NamespaceInterop }

func (s *Settings) nodes() []Node {
	var b builder
	b.text("inbox", string(s.Inbox))
	apps := make([]Node, len(s.Apps))
	for i, a := range s.Apps {
		apps[i] = Node{Tag: "app", Attrs: []Attr{{"integrator", itoa(int64(a.Integrator))}, {"enabled", boolText(a.Enabled)}}}
	}
	return []Node{{Tag: "settings", Attrs: b, Children: apps}}
}

func boolText(v bool) string {
	if v {
		return "true"
	}
	return "false"
}

func parseBool(f *fields, n *Node, a *Attr) bool { return one(f, n, a, "true", "false") == "true" }

func parseSettings(f *fields, n *Node) Payload {
	node := n.Child("settings")
	s := new(Settings)
	for i := range node.Attrs {
		if a := &node.Attrs[i]; a.Name == "inbox" {
			s.Inbox = one(f, node, a, CombinedInbox, SeparateInbox)
		}
	}
	for i := range node.Children {
		if c := &node.Children[i]; c.Tag == "app" {
			s.Apps = append(s.Apps, parseApp(f, c))
		}
	}
	return s
}

func parseApp(f *fields, n *Node) (app App) {
	enabled := false
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "integrator":
			app.Integrator = uint16(f.number(n, a, 1, 1<<16-1))
		case "enabled":
			app.Enabled, enabled = parseBool(f, n, a), true
		}
	}
	f.require(n.Tag, app.Integrator != 0, "@integrator")
	f.require(n.Tag, enabled, "@enabled")
	return app
}

// SettingsQuery asks for the own [Settings]:
//
//	<iq type="get" xmlns="interop"><settings/></iq>
type SettingsQuery struct{}

func (SettingsQuery) namespace() string { return NamespaceInterop }
func (SettingsQuery) nodes() []Node     { return []Node{{Tag: "settings"}} }

// Ping asks an eligible user to enable the sender's app:
//
//	<iq type="set" xmlns="interop"><ping jid/></iq>
type Ping struct{ User ident.Address }

func (*Ping) namespace() string { return NamespaceInterop }

func (p *Ping) nodes() []Node {
	return []Node{{Tag: "ping", Attrs: []Attr{{"jid", p.User.String()}}}}
}

func parsePing(f *fields, n *Node) Payload {
	return &Ping{User: parseJID(f, n.Child("ping"))}
}

// Consent answers a [Ping], or takes such an answer back:
//
//	<iq type="set" xmlns="interop"><consent jid given="true|false"/></iq>
type Consent struct {
	User  ident.Address // who pinged
	Given bool
}

func (*Consent) namespace() string { return NamespaceInterop }
func (c *Consent) nodes() []Node   { return []Node{c.node()} }

func (c *Consent) node() Node {
	return Node{Tag: "consent", Attrs: []Attr{{"jid", c.User.String()}, {"given", boolText(c.Given)}}}
}

func parseConsent(f *fields, n *Node) Payload { return readConsent(f, n.Child("consent")) }

func readConsent(f *fields, n *Node) *Consent {
	c := &Consent{User: parseJID(f, n)}
	given := false
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name == "given" {
			c.Given, given = parseBool(f, n, a), true
		}
	}
	f.require(n.Tag, given, "@given")
	return c
}

// Delete removes the own account and all that the gatekeeper keeps for it:
//
//	<iq type="set" xmlns="interop"><delete/></iq>
type Delete struct{}

func (Delete) namespace() string { return NamespaceInterop }
func (Delete) nodes() []Node     { return []Node{{Tag: "delete"}} }
