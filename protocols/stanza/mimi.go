package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// NamespaceMIMI is that of what a provider of MIMI and its own clients tell each other.
const NamespaceMIMI = "mimi"

// NotifyMIMI is what a provider of MIMI notifies its own clients of.
const NotifyMIMI NotificationType = "mimi"

// BodyTag says which struct of MIMI a [Body] is, by the draft's endpoint.
type BodyTag string

// The structs that go as they are. A response stands under the tag of its request.
const (
	KeyMaterialBody BodyTag = "key-material" // KeyMaterialRequest, KeyMaterialResponse
	GroupInfoBody   BodyTag = "group-info"   // GroupInfoRequest, GroupInfoResponse
	IdentifierBody  BodyTag = "identifiers"  // IdentifierRequest, IdentifierResponse
	ConsentBody     BodyTag = "consent"      // ConsentEntry; no response
	AbuseBody       BodyTag = "abuse"        // AbuseReport; no response
	UpdateBody      BodyTag = "update"       // UpdateRoomResponse; its request is an [Update]
)

// bodies lists which request has which direction.
var bodies = []struct {
	tag BodyTag
	typ IQType
}{
	{KeyMaterialBody, Get}, {GroupInfoBody, Get}, {IdentifierBody, Get}, {ConsentBody, Set}, {AbuseBody, Set},
}

// Body is a struct of MIMI in TLS presentation language, as it stands in the body of a
// request or response between providers:
//
//	<key-material>bytes</key-material> <group-info room>bytes</group-info>
//	<identifiers domain="b.example">bytes</identifiers>
//	<consent>bytes</consent> <abuse room>bytes</abuse> <update>bytes</update>
//
// As an [Event] it is a ConsentEntry that concerns the client's user.
type Body struct {
	Tag    BodyTag
	Room   ident.URI // whose hub is asked: of group-info and abuse
	Domain string    // the provider that is asked: of identifiers
	Data   []byte    // at least one byte
}

func (*Body) namespace() string      { return NamespaceMIMI }
func (*Body) kind() NotificationType { return NotifyMIMI }
func (b *Body) nodes() []Node        { return []Node{b.node()} }

func (b *Body) node() Node {
	var attrs builder
	attrs.uri("room", b.Room)
	attrs.text("domain", b.Domain)
	return Node{Tag: string(b.Tag), Attrs: attrs, Data: b.Data}
}

func parseBody(f *fields, n *Node) *Body {
	b := &Body{Tag: BodyTag(n.Tag)}
	r := f.attrs(n)
	for r.next() {
		switch r.name {
		case "room":
			b.Room = r.uri()
		case "domain":
			b.Domain = r.filled()
		}
	}
	b.Data = f.bytes(n, 0)
	return b
}

// bodyPayload reads the body in an iq under its tag.
func bodyPayload(tag BodyTag) func(*fields, *Node) Payload {
	return func(f *fields, n *Node) Payload { return parseBody(f, n.Child(string(tag))) }
}

// KeyPackages publishes KeyPackages of the client, all or none:
//
//	<iq type="set" xmlns="mimi"><key-packages><key-package>KeyPackage</key-package>...</key-packages></iq>
type KeyPackages struct{ List [][]byte }

func (*KeyPackages) namespace() string { return NamespaceMIMI }

func (k *KeyPackages) nodes() []Node {
	list := make([]Node, len(k.List))
	for i := range k.List {
		list[i] = Node{Tag: "key-package", Data: k.List[i]}
	}
	return []Node{{Tag: "key-packages", Children: list}}
}

func parseKeyPackages(f *fields, n *Node) Payload {
	list := n.Child("key-packages")
	k := &KeyPackages{List: make([][]byte, 0, len(list.Children))}
	for i := range list.Children {
		if c := &list.Children[i]; c.Tag == "key-package" {
			k.List = append(k.List, f.bytes(c, 0))
		}
	}
	f.require(list.Tag, len(k.List) > 0, "key-package")
	return k
}

// Login says whose a connection is. It is the first stanza on it:
//
//	<iq type="set" xmlns="mimi"><login client="mimi://a.example/d/alice/A1">token</login></iq>
type Login struct {
	Client ident.URI
	Token  []byte // nil if the certificate of the connection says it
}

func (*Login) namespace() string { return NamespaceMIMI }

func (l *Login) nodes() []Node {
	return []Node{{Tag: "login", Attrs: []Attr{{"client", l.Client.String()}}, Data: l.Token}}
}

// String leaves the token out.
func (l Login) String() string { return "login of " + l.Client.String() }

// GoString leaves the token out.
func (l Login) GoString() string { return l.String() }

func parseLogin(f *fields, n *Node) Payload {
	c := n.Child("login")
	l := &Login{Token: c.Data}
	r := f.attrs(c)
	for r.next() {
		if r.name == "client" {
			l.Client = r.uri()
		}
	}
	f.require(c.Tag, !l.Client.IsZero(), "@client")
	return l
}

// mimiPayload returns how a payload in namespace "mimi" is read, or nil. Results and
// errors carry the response's struct.
func mimiPayload(typ IQType, tag string) func(*fields, *Node) Payload {
	for _, b := range bodies {
		if string(b.tag) == tag && (typ == b.typ || typ == Result || typ == Fail) {
			return bodyPayload(b.tag)
		}
	}
	switch {
	case typ == Set && tag == "update":
		return func(f *fields, n *Node) Payload { return parseUpdate(f, n.Child("update")) }
	case tag == "update" && (typ == Result || typ == Fail):
		return bodyPayload(UpdateBody)
	case typ == Set && tag == "create":
		return parseCreate
	case typ == Set && tag == "leave":
		return parseLeave
	case typ == Set && tag == "key-packages":
		return parseKeyPackages
	case typ == Set && tag == "login":
		return parseLogin
	}
	return nil
}
