package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// Sizes in bytes of Signal's key material on the wire, as the enlistment form
// of the Reference Offer 1.0.3 and public client sources show them.
const (
	identitySize  = 32
	signatureSize = 64
	signalIDSize  = 3
	opaqueIDSize  = 4 // assumed
	djbType       = 5 // the key type byte for Curve25519
)

// Keys is the key material of one client, as a server stores it and hands it
// out. It has one of two forms. Signal's:
//
//	<registration>4 bytes</registration> <type>05</type> <identity>32 bytes</identity>
//	<list><key><id>3 bytes</id><value>32 bytes</value></key>...</list>
//	<skey><id>3 bytes</id><value>32 bytes</value><signature>64 bytes</signature></skey>
//
// and, for adapters whose key material is opaque bytes (assumed):
//
//	<static>bytes</static> <list><key><id>4 bytes</id><value>bytes</value></key>...</list>
//
// In an upload the one-time keys are a list; where keys are handed out, there is
// at most one <key>, without a list.
type Keys struct {
	Static       []byte     // the opaque form's reusable part; if set, the next three are absent
	Registration uint32     // the registration ID; in a retry receipt it stands in the receipt instead
	Identity     []byte     // 32 bytes
	Signed       *SignedKey // the signed prekey
	OneTime      []OneTimeKey
}

// SignedKey is Signal's signed prekey.
type SignedKey struct {
	ID        uint32 // less than 1<<24, Node panics otherwise
	Value     []byte // 32 bytes
	Signature []byte // 64 bytes
}

// OneTimeKey is key material that serves once.
type OneTimeKey struct {
	ID    uint32 // less than 1<<24 in Signal's form, whose Node panics otherwise
	Value []byte // 32 bytes in Signal's form
}

// keyPlace says where key material stands.
type keyPlace int

const (
	upload keyPlace = iota // with a registration and a list of one-time keys
	handed                 // with a registration and at most one one-time key
	oneKey                 // within a retry receipt: as handed, without the registration
)

// bigEndianNode makes a child that holds a number of size bytes. A number that
// does not fit is a mistake of the caller's, which would otherwise publish
// another key's ID.
func bigEndianNode(tag string, v uint32, size int) Node {
	return Node{Tag: tag, Data: bigEndian(make([]byte, size), tag, v)}
}

// bigEndian fills data with v.
func bigEndian(data []byte, tag string, v uint32) []byte {
	size := len(data)
	if uint64(v)>>(8*size) != 0 {
		panic("stanza: invariant: <" + tag + "> " + itoa(int64(v)) + " fits " + itoa(int64(size)) + " bytes")
	}
	for i := size - 1; i >= 0; i-- {
		data[i] = byte(v)
		v >>= 8
	}
	return data
}

func (k *Keys) nodes(place keyPlace) []Node {
	out := make([]Node, 0, 5)
	idSize := signalIDSize
	if len(k.Static) > 0 {
		idSize = opaqueIDSize
		out = append(out, Node{Tag: "static", Data: k.Static})
	} else {
		if place != oneKey {
			out = append(out, bigEndianNode("registration", k.Registration, 4))
		}
		out = append(out, Node{Tag: "type", Data: []byte{djbType}}, Node{Tag: "identity", Data: k.Identity})
	}
	keys := make([]Node, len(k.OneTime))
	pairs := make([]Node, 2*len(k.OneTime)) // in one piece: an upload has many
	ids := make([]byte, idSize*len(k.OneTime))
	for i := range k.OneTime {
		o, pair, id := &k.OneTime[i], pairs[2*i:2*i+2:2*i+2], ids[idSize*i:idSize*(i+1):idSize*(i+1)]
		pair[0] = Node{Tag: "id", Data: bigEndian(id, "id", o.ID)}
		pair[1] = Node{Tag: "value", Data: o.Value}
		keys[i] = Node{Tag: "key", Children: pair}
	}
	if place == upload {
		out = append(out, Node{Tag: "list", Children: keys})
	} else {
		out = append(out, keys...)
	}
	if s := k.Signed; s != nil && len(k.Static) == 0 {
		out = append(out, Node{Tag: "skey", Children: []Node{
			bigEndianNode("id", s.ID, signalIDSize), {Tag: "value", Data: s.Value}, {Tag: "signature", Data: s.Signature},
		}})
	}
	return out
}

func parseKeys(f *fields, n *Node, place keyPlace) *Keys {
	k := new(Keys)
	var registered, typed, listed bool
	opaque := n.Child("static") != nil
	for i := range n.Children {
		switch c := &n.Children[i]; c.Tag {
		case "static":
			f.once(n, k.Static == nil, c.Tag)
			k.Static = f.bytes(c, 0)
		case "key":
			if place != upload {
				f.once(n, len(k.OneTime) == 0, c.Tag)
				k.OneTime = append(k.OneTime, parseOneTimeKey(f, c, opaque))
			}
		case "list":
			if place == upload {
				f.once(n, !listed, c.Tag)
				k.OneTime, listed = parseKeyList(f, c, opaque), true
			}
		}
		if opaque {
			continue // Signal's children are unknown to this form
		}
		switch c := &n.Children[i]; c.Tag {
		case "registration":
			f.once(n, !registered, c.Tag)
			k.Registration, registered = f.bigEndian(c, 4), true
		case "type":
			f.once(n, !typed, c.Tag)
			typed = true
			if f.bigEndian(c, 1) != djbType {
				f.fail(CheckField, n.Tag+"/type", "expected 05")
			}
		case "identity":
			f.once(n, k.Identity == nil, c.Tag)
			k.Identity = f.bytes(c, identitySize)
		case "skey":
			f.once(n, k.Signed == nil, c.Tag)
			k.Signed = parseSignedKey(f, c)
		}
	}
	if !opaque {
		f.require(n.Tag, registered || place == oneKey, "registration")
		f.require(n.Tag, typed, "type")
		f.require(n.Tag, k.Identity != nil, "identity")
		f.require(n.Tag, k.Signed != nil, "skey")
	}
	f.require(n.Tag, listed || place != upload, "list")
	return k
}

func parseKeyList(f *fields, n *Node, opaque bool) []OneTimeKey {
	keys := make([]OneTimeKey, 0, len(n.Children))
	for i := range n.Children {
		if c := &n.Children[i]; c.Tag == "key" {
			keys = append(keys, parseOneTimeKey(f, c, opaque))
		}
	}
	return keys
}

func parseOneTimeKey(f *fields, n *Node, opaque bool) OneTimeKey {
	idSize, valueSize := signalIDSize, identitySize
	if opaque {
		idSize, valueSize = opaqueIDSize, 0
	}
	var k OneTimeKey
	k.ID, k.Value = parseKeyPair(f, n, idSize, valueSize)
	return k
}

func parseKeyPair(f *fields, n *Node, idSize, valueSize int) (id uint32, value []byte) {
	identified := false
	for i := range n.Children {
		switch c := &n.Children[i]; c.Tag {
		case "id":
			f.once(n, !identified, c.Tag)
			id, identified = f.bigEndian(c, idSize), true
		case "value":
			f.once(n, value == nil, c.Tag)
			value = f.bytes(c, valueSize)
		}
	}
	f.require(n.Tag, identified, "id")
	f.require(n.Tag, value != nil, "value")
	return id, value
}

func parseSignedKey(f *fields, n *Node) *SignedKey {
	s := new(SignedKey)
	s.ID, s.Value = parseKeyPair(f, n, signalIDSize, identitySize)
	for i := range n.Children {
		if c := &n.Children[i]; c.Tag == "signature" {
			f.once(n, s.Signature == nil, c.Tag)
			s.Signature = f.bytes(c, signatureSize)
		}
	}
	f.require(n.Tag, s.Signature != nil, "signature")
	return s
}

// KeyUpload publishes key material, adding the one-time keys to those that the
// server has left and replacing the rest:
//
//	<iq type="set" xmlns="encrypt">keys, with a list</iq>
type KeyUpload struct{ Keys Keys }

func (*KeyUpload) namespace() string { return NamespaceEncrypt }
func (u *KeyUpload) nodes() []Node   { return u.Keys.nodes(upload) }

func parseKeyUpload(f *fields, n *Node) Payload {
	return &KeyUpload{Keys: *parseKeys(f, n, upload)}
}

// KeyFetch asks for the key material of some users:
//
//	<iq type="get" xmlns="encrypt"><key><user jid/>...</key></iq>
type KeyFetch struct{ Users []ident.Address }

func (*KeyFetch) namespace() string { return NamespaceEncrypt }

func (k *KeyFetch) nodes() []Node {
	users := make([]Node, len(k.Users))
	for i, u := range k.Users {
		users[i] = Node{Tag: "user", Attrs: []Attr{{"jid", u.String()}}}
	}
	return []Node{{Tag: "key", Children: users}}
}

func parseKeyFetch(f *fields, n *Node) Payload {
	list := n.Child("key")
	k := &KeyFetch{Users: make([]ident.Address, 0, len(list.Children))}
	for i := range list.Children {
		if c := &list.Children[i]; c.Tag == "user" {
			k.Users = append(k.Users, parseJID(f, c))
		}
	}
	f.require(list.Tag, len(k.Users) > 0, "user")
	return k
}

// parseJID reads the address in a node's jid attribute.
func parseJID(f *fields, n *Node) (addr ident.Address) {
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name == "jid" {
			addr = f.address(n, a)
		}
	}
	f.require(n.Tag, present(addr), "@jid")
	return addr
}

// KeyBundles answers a [KeyFetch]:
//
//	<iq type="result" xmlns="encrypt"><list><user jid>keys, or <error/></user>...</list></iq>
type KeyBundles struct{ Users []UserKeys }

// UserKeys is the key material of one user, or why there is none.
type UserKeys struct {
	Address ident.Address
	Keys    *Keys  // nil if and only if Error is set; at most one one-time key
	Error   *Error // [ItemNotFound] and others
}

func (*KeyBundles) namespace() string { return NamespaceEncrypt }

func (k *KeyBundles) nodes() []Node {
	users := make([]Node, len(k.Users))
	for i := range k.Users {
		u := &k.Users[i]
		users[i] = Node{Tag: "user", Attrs: []Attr{{"jid", u.Address.String()}}}
		if u.Error != nil {
			users[i].Children = []Node{u.Error.node()}
		} else if u.Keys != nil {
			users[i].Children = u.Keys.nodes(handed)
		}
	}
	return []Node{{Tag: "list", Children: users}}
}

func parseKeyBundles(f *fields, n *Node) Payload {
	list := n.Child("list")
	k := &KeyBundles{Users: make([]UserKeys, 0, len(list.Children))}
	for i := range list.Children {
		c := &list.Children[i]
		if c.Tag != "user" {
			continue
		}
		u := UserKeys{Address: parseJID(f, c)}
		if e := c.Child("error"); e != nil {
			u.Error = parseError(f, e)
		} else {
			u.Keys = parseKeys(f, c, handed)
		}
		k.Users = append(k.Users, u)
	}
	return k
}

// KeyCountQuery asks how many of the own one-time keys the server has left:
//
//	<iq type="get" xmlns="encrypt"><count/></iq>
type KeyCountQuery struct{}

func (KeyCountQuery) namespace() string { return NamespaceEncrypt }
func (KeyCountQuery) nodes() []Node     { return []Node{{Tag: "count"}} }

// KeyCount answers a [KeyCountQuery]:
//
//	<iq type="result" xmlns="encrypt"><count value="5"/></iq>
type KeyCount struct{ Value int }

func (KeyCount) namespace() string { return NamespaceEncrypt }

func (k KeyCount) nodes() []Node {
	return []Node{{Tag: "count", Attrs: []Attr{{"value", itoa(int64(k.Value))}}}}
}

func parseKeyCount(f *fields, n *Node) Payload {
	return KeyCount{Value: parseCount(f, n.Child("count"), "value")}
}
