package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// IQType is the direction of an [IQ].
type IQType string

// Every get and set is answered by one result or error with the same ID.
const (
	Get    IQType = "get"
	Set    IQType = "set"
	Result IQType = "result"
	Fail   IQType = "error"
)

// Namespaces of payloads. The first three are read in public client sources;
// that interoperability settings have one of their own is assumed.
const (
	NamespaceEncrypt   = "encrypt"   // key material
	NamespaceBlocklist = "blocklist" // blocking
	NamespacePing      = "w:p"       // keepalive
	NamespaceInterop   = "interop"   // settings, pings, consent, deletion
)

// IQ asks for or sets something, or answers:
//
//	<iq id type="get|set|result|error" xmlns to from>payload</iq>
//	<iq id type="error" xmlns="mimi">payload, of some <error code text after/></iq>
//
// That results repeat the namespace of their request is assumed; it lets a
// stanza be read without the request.
type IQ struct {
	ID   string        // required
	To   ident.Address // absent, or the server's own address, for the server
	From ident.Address // set by the server, or absent if it is the server
	Type IQType        // required
	// Namespace is what Parse found. It may be left empty beside a Payload that
	// has one of its own, which Node prefers.
	Namespace string
	Payload   Payload // nil if there is none; beside an Error, what MIMI answered
	Error     *Error  // if and only if Type is [Fail]
}

// Payload is the content of an [IQ]: one of the payload types of this package,
// or [Unknown].
type Payload interface {
	// namespace is the payload's own, "" if it has none.
	namespace() string
	// nodes are the children of <iq>.
	nodes() []Node
}

// Unknown is a payload in a namespace, or of a form, that this package does not
// know. A server answers it with [FeatureNotImplemented].
type Unknown struct{ Children []Node }

func (Unknown) namespace() string { return "" }
func (u Unknown) nodes() []Node   { return u.Children }

// Node returns the iq as a tree.
func (q *IQ) Node() Node {
	b := make(builder, 0, 5)
	q.attributes(&b)
	return Node{Tag: "iq", Attrs: b, Children: q.children()}
}

func (q *IQ) attributes(b attributes) {
	namespace := q.Namespace
	if q.Payload != nil {
		if own := q.Payload.namespace(); own != "" {
			namespace = own
		}
	}
	b.text("id", q.ID)
	b.text("type", string(q.Type))
	b.text("xmlns", namespace)
	b.address("to", q.To)
	b.address("from", q.From)
}

func (q *IQ) children() (children []Node) {
	if q.Payload != nil {
		children = q.Payload.nodes()
	}
	if q.Error != nil {
		children = append(children, q.Error.node())
	}
	return children
}

// payloads lists what is read into which type: the tag of the first child that is
// known in its namespace and direction decides. An empty tag stands for none.
var payloads = []struct {
	namespace string
	typ       IQType
	tag       string
	parse     func(f *fields, n *Node) Payload
}{
	{NamespaceEncrypt, Set, "registration", parseKeyUpload},
	{NamespaceEncrypt, Set, "static", parseKeyUpload},
	{NamespaceEncrypt, Get, "key", parseKeyFetch},
	{NamespaceEncrypt, Result, "list", parseKeyBundles},
	{NamespaceEncrypt, Get, "count", func(*fields, *Node) Payload { return KeyCountQuery{} }},
	{NamespaceEncrypt, Result, "count", parseKeyCount},
	{NamespaceBlocklist, Get, "", func(*fields, *Node) Payload { return BlocklistQuery{} }},
	{NamespaceBlocklist, Set, "item", parseBlock},
	{NamespaceBlocklist, Result, "list", parseBlocklist},
	{NamespaceInterop, Get, "settings", func(*fields, *Node) Payload { return SettingsQuery{} }},
	{NamespaceInterop, Set, "settings", parseSettings},
	{NamespaceInterop, Result, "settings", parseSettings},
	{NamespaceInterop, Set, "ping", parsePing},
	{NamespaceInterop, Set, "consent", parseConsent},
	{NamespaceInterop, Set, "delete", func(*fields, *Node) Payload { return Delete{} }},
	{NamespaceGroup, Set, "create", parseGroupCreate},
	{NamespaceGroup, Set, "add", parseGroupPayload},
	{NamespaceGroup, Set, "remove", parseGroupPayload},
	{NamespaceGroup, Result, "add", parseGroupPayload},
	{NamespaceGroup, Result, "remove", parseGroupPayload},
	{NamespaceGroup, Set, "leave", parseGroupLeave},
	{NamespaceGroup, Get, "query", func(*fields, *Node) Payload { return GroupQuery{} }},
	{NamespaceGroup, Get, "participating", func(*fields, *Node) Payload { return GroupsQuery{} }},
	{NamespaceGroup, Result, "group", parseGroupInfo},
	{NamespaceGroup, Result, "groups", parseGroupList},
	{NamespaceMedia, Set, "media_conn", func(*fields, *Node) Payload { return MediaConnQuery{} }},
	{NamespaceMedia, Result, "media_conn", parseMediaConn},
	{NamespacePing, Get, "ping", func(*fields, *Node) Payload { return KeepAlive{} }},
	{NamespacePing, Get, "", func(*fields, *Node) Payload { return KeepAlive{} }},
}

// parseIQ takes the node by value: calls through the table move it to the heap,
// which the other stanzas are spared.
func parseIQ(node Node) (*IQ, error) {
	f, n, q := new(fields), &node, new(IQ)
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "id":
			q.ID = f.text(n, a)
		case "type":
			q.Type = one(f, n, a, Get, Set, Result, Fail)
		case "xmlns":
			q.Namespace = a.Value
		case "to":
			q.To = f.address(n, a)
		case "from":
			q.From = f.address(n, a)
		}
	}
	f.require(n.Tag, q.ID != "", "@id")
	f.require(n.Tag, q.Type != "", "@type")
	if q.Type == Fail {
		c := n.Child("error")
		f.require(n.Tag, c != nil, "error")
		if c != nil {
			q.Error = parseError(f, c)
		}
		q.Payload = parsePayload(f, n, q)
		if _, unknown := q.Payload.(Unknown); unknown {
			q.Payload = nil
		}
		return q, f.err
	}
	q.Payload = parsePayload(f, n, q)
	return q, f.err
}

func parsePayload(f *fields, n *Node, q *IQ) Payload {
	for i := range n.Children {
		if parse := payloadParser(q, n.Children[i].Tag); parse != nil {
			return parse(f, n)
		}
	}
	if parse := payloadParser(q, ""); parse != nil {
		return parse(f, n)
	}
	if len(n.Children) == 0 {
		return nil
	}
	return Unknown{Children: n.Children}
}

func payloadParser(q *IQ, tag string) func(*fields, *Node) Payload {
	if q.Namespace == NamespaceMIMI {
		return mimiPayload(q.Type, tag)
	}
	for i := range payloads {
		if p := &payloads[i]; p.tag == tag && p.typ == q.Type && p.namespace == q.Namespace {
			return p.parse
		}
	}
	return nil
}

// KeepAlive asks whether the connection is alive, every 20 to 30 seconds:
//
//	<iq type="get" xmlns="w:p"><ping/></iq>
//
// The answer is an empty result.
type KeepAlive struct{}

func (KeepAlive) namespace() string { return NamespacePing }
func (KeepAlive) nodes() []Node     { return []Node{{Tag: "ping"}} }
