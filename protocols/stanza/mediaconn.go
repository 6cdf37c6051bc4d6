package stanza

// NamespaceMedia is that of media connections (read in public client sources). That the
// interoperability service has it is assumed.
const NamespaceMedia = "w:m"

// MediaConnQuery asks where media are hosted, and for what proves there who the client is:
//
//	<iq type="set" xmlns="w:m"><media_conn/></iq>
type MediaConnQuery struct{}

func (MediaConnQuery) namespace() string { return NamespaceMedia }
func (MediaConnQuery) nodes() []Node     { return []Node{{Tag: "media_conn"}} }

// MediaConn answers a [MediaConnQuery]:
//
//	<iq type="result" xmlns="w:m">
//	  <media_conn auth ttl auth_ttl max_buckets><host hostname/>...</media_conn>
//	</iq>
type MediaConn struct {
	Auth       string   // required; proves to the hosts whose request it is
	TTL        int64    // seconds for which the hosts are these
	AuthTTL    int64    // seconds for which Auth is good
	MaxBuckets int64    // carried as it is: its meaning is not public
	Hosts      []string // at least one; a name or an address, with a port if it is not that of HTTPS
}

func (*MediaConn) namespace() string { return NamespaceMedia }

func (m *MediaConn) nodes() []Node {
	hosts := make([]Node, len(m.Hosts))
	for i, h := range m.Hosts {
		hosts[i] = Node{Tag: "host", Attrs: []Attr{{"hostname", h}}}
	}
	return []Node{{Tag: "media_conn", Children: hosts, Attrs: []Attr{
		{"auth", m.Auth}, {"ttl", itoa(m.TTL)}, {"auth_ttl", itoa(m.AuthTTL)}, {"max_buckets", itoa(m.MaxBuckets)},
	}}}
}

// maxTTL is a year: no lifetime is longer.
const maxTTL = 365 * 24 * 3600

func parseMediaConn(f *fields, n *Node) Payload {
	c := n.Child("media_conn")
	m := &MediaConn{TTL: -1, AuthTTL: -1, MaxBuckets: -1}
	for i := range c.Attrs {
		switch a := &c.Attrs[i]; a.Name {
		case "auth":
			m.Auth = f.text(c, a)
		case "ttl":
			m.TTL = f.number(c, a, 0, maxTTL)
		case "auth_ttl":
			m.AuthTTL = f.number(c, a, 0, maxTTL)
		case "max_buckets":
			m.MaxBuckets = f.number(c, a, 0, 1<<31-1)
		}
	}
	f.require(c.Tag, m.Auth != "", "@auth")
	f.require(c.Tag, m.TTL >= 0, "@ttl")
	f.require(c.Tag, m.AuthTTL >= 0, "@auth_ttl")
	f.require(c.Tag, m.MaxBuckets >= 0, "@max_buckets")
	for i := range c.Children {
		if h := &c.Children[i]; h.Tag == "host" {
			m.Hosts = append(m.Hosts, parseHost(f, h))
		}
	}
	f.require(c.Tag, len(m.Hosts) > 0, "host")
	return m
}

func parseHost(f *fields, n *Node) (name string) {
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name == "hostname" {
			name = f.text(n, a)
		}
	}
	f.require(n.Tag, name != "", "@hostname")
	return name
}
