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
//	<ack class="message|receipt|notification|call" id to from participant type t error="404"/>
type Ack struct {
	Class       AckClass      // required
	ID          string        // of the stanza; required
	To          ident.Address // whom the answered stanza came from
	From        ident.Address // whom it went to
	Participant ident.Address // as in the answered stanza
	Type        string        // of the answered stanza, if the ack repeats it
	Timestamp   int64         // when the server took it, Unix seconds; 0 if absent
	Error       Code          // 0 if the stanza was accepted
}

// Node returns the ack as a tree.
func (a *Ack) Node() Node {
	b := make(builder, 0, 8)
	a.attributes(&b)
	return Node{Tag: "ack", Attrs: b}
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
}

func parseAck(f *fields, n *Node) *Ack {
	k := new(Ack)
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "class":
			k.Class = one(f, n, a, AckMessage, AckReceipt, AckNotification, AckCall)
		case "id":
			k.ID = f.text(n, a)
		case "to":
			k.To = f.address(n, a)
		case "from":
			k.From = f.address(n, a)
		case "participant":
			k.Participant = f.address(n, a)
		case "type":
			k.Type = a.Value
		case "t":
			k.Timestamp = f.time(n, a)
		case "error":
			k.Error = Code(f.number(n, a, 1, 1<<16-1))
		}
	}
	f.require(n, k.Class != "", "@class")
	f.require(n, k.ID != "", "@id")
	return k
}
