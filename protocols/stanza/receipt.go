package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// ReceiptType says what a receipt acknowledges.
type ReceiptType string

// The kinds of receipt.
const (
	Delivered ReceiptType = ""       // the device has the message
	Read      ReceiptType = "read"   // the user has seen it
	RetryAsk  ReceiptType = "retry"  // it could not be decrypted: encrypt it again
	Sender    ReceiptType = "sender" // aggregated by sender: Reference Offer 1.0.3; the form is assumed
)

// MaxRetry is how often a receiver asks for one message again before it gives
// up.
const MaxRetry = 5

// Receipt acknowledges one or more messages:
//
//	<receipt id to type="read|retry|sender" from participant t offline>
//	  <list><item id/>...</list>
//	  <retry count id t v/> <registration>4 bytes</registration> <keys/>
//	</receipt>
//
// Retry and Registration are there if and only if the type is "retry"; Keys may
// be there then, and are from the second time on.
type Receipt struct {
	ID           string        // the first message; required
	To           ident.Address // who sent the message, or the group
	From         ident.Address // set by the server
	Participant  ident.Address // who sent the message, if To is a group
	Type         ReceiptType
	Timestamp    int64    // Unix seconds; 0 if absent
	Offline      int      // as in [Message]
	IDs          []string // further messages that the receipt covers
	Retry        *Retry
	Registration uint32 // the receiver's registration ID
	Keys         *Keys  // to start a new session from: at most one one-time key
}

// Retry is what a retry receipt asks for.
type Retry struct {
	Count     int    // which attempt: 1 to [MaxRetry]
	ID        string // the message, again
	Timestamp int64  // the message's, Unix seconds; 0 if absent
	Version   int    // of the retry's form: 1 to 255
}

// Node returns the receipt as a tree.
func (r *Receipt) Node() Node {
	b := make(builder, 0, 7)
	r.attributes(&b)
	return Node{Tag: "receipt", Attrs: b, Children: r.children()}
}

func (r *Receipt) attributes(b attributes) {
	b.text("id", r.ID)
	b.address("to", r.To)
	b.text("type", string(r.Type))
	b.address("from", r.From)
	b.address("participant", r.Participant)
	b.number("t", r.Timestamp)
	b.number("offline", int64(r.Offline))
}

func (r *Receipt) children() (children []Node) {
	if len(r.IDs) > 0 {
		items := make([]Node, len(r.IDs))
		for i, id := range r.IDs {
			items[i] = Node{Tag: "item", Attrs: []Attr{{"id", id}}}
		}
		children = append(children, Node{Tag: "list", Children: items})
	}
	if r.Retry != nil {
		children = append(children, r.Retry.node(), bigEndianNode("registration", r.Registration, 4))
		if r.Keys != nil {
			children = append(children, Node{Tag: "keys", Children: r.Keys.nodes(oneKey)})
		}
	}
	return children
}

func (r *Retry) node() Node {
	b := make(builder, 0, 4)
	b.number("count", int64(r.Count))
	b.text("id", r.ID)
	b.number("t", r.Timestamp)
	b.number("v", int64(r.Version))
	return Node{Tag: "retry", Attrs: b}
}

func parseReceipt(f *fields, n *Node) *Receipt {
	a := f.attrs(n)
	r := readReceipt(&a)
	if len(n.Children) > 0 {
		r.parseChildren(f, n)
	}
	r.check(f)
	return r
}

func readReceipt(a *attrReader) *Receipt {
	r := a.newReceipt()
	for a.next() {
		switch a.name {
		case "id":
			r.ID = a.filled()
		case "to":
			r.To = a.address()
		case "from":
			r.From = a.address()
		case "participant":
			r.Participant = a.address()
		case "type":
			r.Type = oneOf(a, Read, RetryAsk, Sender)
		case "t":
			r.Timestamp = a.time()
		case "offline":
			r.Offline = int(a.number(1, maxCount))
		}
	}
	a.f.require(a.tag, r.ID != "", "@id")
	a.f.require(a.tag, present(r.To) || present(r.From), "@to")
	return r
}

func (r *Receipt) check(f *fields) {
	f.require("receipt", r.Type != RetryAsk || r.Retry != nil, "retry")
}

func (r *Receipt) parseChildren(f *fields, n *Node) {
	registered := false
	for i := range n.Children {
		c := &n.Children[i]
		if r.Type != RetryAsk && c.Tag != "list" {
			continue // of a retry, which this is not
		}
		switch c.Tag {
		case "list":
			f.once(n, r.IDs == nil, c.Tag)
			r.IDs = parseItems(f, c)
		case "retry":
			f.once(n, r.Retry == nil, c.Tag)
			r.Retry = parseRetry(f, c)
		case "registration":
			f.once(n, !registered, c.Tag)
			r.Registration, registered = f.bigEndian(c, 4), true
		case "keys":
			f.once(n, r.Keys == nil, c.Tag)
			r.Keys = parseKeys(f, c, oneKey)
		}
	}
	f.require(n.Tag, r.Type != RetryAsk || registered, "registration")
}

func parseItems(f *fields, n *Node) []string {
	ids := make([]string, 0, len(n.Children))
	for i := range n.Children {
		c := &n.Children[i]
		if c.Tag != "item" {
			continue
		}
		id, _ := c.Attr("id")
		f.require(c.Tag, id != "", "@id")
		ids = append(ids, id)
	}
	f.require(n.Tag, len(ids) > 0, "item")
	return ids
}

func parseRetry(f *fields, n *Node) *Retry {
	r := new(Retry)
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "count":
			r.Count = int(f.number(n, a, 1, MaxRetry))
		case "id":
			r.ID = f.text(n, a)
		case "t":
			r.Timestamp = f.time(n, a)
		case "v":
			r.Version = int(f.number(n, a, 1, 255))
		}
	}
	f.require(n.Tag, r.Count != 0, "@count")
	f.require(n.Tag, r.ID != "", "@id")
	f.require(n.Tag, r.Version != 0, "@v")
	return r
}
