package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// AckClass is the tag of the stanza that an ack answers.
type AckClass string

// The stanzas that are acknowledged.
const (
	AckMessage      AckClass = "message"
	AckReceipt      AckClass = "receipt"
	AckNotification AckClass = "notification"
	AckCall         AckClass = "call"
)

// Ack says that a stanza arrived at the next hop, or was refused there:
//
//	<ack class="message|receipt|notification|call" id to from participant type t error="404"
//	     phash v_id room seq reason epoch><accepted/></ack>
//
// A client of a provider of MIMI acknowledges events of a room, or of its mailbox if it
// names none, all at once up to the one with number Seq. The provider answers a
// message to a room with what the hub said (draft-ietf-mimi-protocol-06, Submit a
// Message): Accepted, or a Reason beside the Error.
type Ack struct {
	Class       AckClass      // required
	ID          string        // of the stanza; required
	To          ident.Address // whom the answered stanza came from
	From        ident.Address // whom it went to
	Participant ident.Address // as in the answered stanza
	Type        string        // of the answered stanza, if the ack repeats it
	Timestamp   int64         // when the server took it, Unix seconds; 0 if absent
	Error       Code          // 0 if the stanza was accepted
	PHash       string        // of a message to a group: the server's, if the sender's is another
	Version     uint64        // beside PHash: the group's version; 0 if absent
	Room        ident.URI     // of the acknowledged events, or of the message
	Seq         uint64        // of the last acknowledged event; 0 if absent
	Reason      string        // the draft's name of the hub's refusal; empty if absent
	Epoch       uint64        // the present one, if the message's was too old
	Accepted    *Accepted     // of a message to a room, or nil
}

// Node returns the ack as a tree.
func (a *Ack) Node() Node {
	b := make(builder, 0, most)
	a.attributes(&b)
	return Node{Tag: "ack", Attrs: b, Children: a.children()}
}

func (a *Ack) children() []Node {
	if a.Accepted == nil {
		return nil
	}
	return []Node{a.Accepted.node()}
}

func (a *Ack) attributes(b attributes) {
	b.text("class", string(a.Class))
	b.text("id", a.ID)
	b.address("to", a.To)
	b.address("from", a.From)
	b.address("participant", a.Participant)
	b.text("type", a.Type)
	b.number("t", a.Timestamp)
	b.number("error", int64(a.Error))
	b.text("phash", a.PHash)
	b.wide("v_id", a.Version)
	b.uri("room", a.Room)
	b.wide("seq", a.Seq)
	b.text("reason", a.Reason)
	b.wide("epoch", a.Epoch)
}

func parseAck(f *fields, n *Node) *Ack {
	r := f.attrs(n)
	k := readAck(&r)
	for i := range n.Children {
		if c := &n.Children[i]; c.Tag == "accepted" {
			f.once(n, k.Accepted == nil, c.Tag)
			k.Accepted = parseAccepted(f, c)
		}
	}
	return k
}

func readAck(r *attrReader) *Ack {
	k := r.newAck()
	for r.next() {
		switch r.name {
		case "class":
			k.Class = oneOf(r, AckMessage, AckReceipt, AckNotification, AckCall)
		case "id":
			k.ID = r.filled()
		case "to":
			k.To = r.address()
		case "from":
			k.From = r.address()
		case "participant":
			k.Participant = r.address()
		case "type":
			k.Type = r.value()
		case "t":
			k.Timestamp = r.time()
		case "error":
			k.Error = Code(r.number(1, 1<<16-1))
		case "phash":
			k.PHash = r.value()
		case "v_id":
			k.Version = r.wide(1)
		case "room":
			k.Room = r.uri()
		case "seq":
			k.Seq = r.wide(1)
		case "reason":
			k.Reason = r.filled()
		case "epoch":
			k.Epoch = r.wide(0)
		}
	}
	r.f.require(r.tag, k.Class != "", "@class")
	r.f.require(r.tag, k.ID != "", "@id")
	return k
}
