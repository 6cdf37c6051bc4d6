package stanza

import "github.com/mimi-lab/mimi-lab/protocols/ident"

// CallAction is one step of call signalling.
type CallAction string

// The steps of a call.
const (
	CallOffer        CallAction = "offer"
	CallOfferNotice  CallAction = "offer_notice"
	CallRelayLatency CallAction = "relaylatency"
	CallPreaccept    CallAction = "preaccept"
	CallAccept       CallAction = "accept"
	CallTransport    CallAction = "transport"
	CallTerminate    CallAction = "terminate"
	CallReject       CallAction = "reject"
)

// Call carries one step of call signalling:
//
//	<call id to from t offline><offer call-id call-creator reason><enc/></offer></call>
//
// What an action carries besides is not public; its unknown children stay in
// the [Node].
type Call struct {
	ID        string        // of the stanza; required
	To        ident.Address // the peer
	From      ident.Address // set by the server
	Timestamp int64         // Unix seconds; 0 if absent
	Offline   int           // as in [Message]
	Action    CallAction    // required, exactly one
	CallID    string        // of the call; required
	Creator   ident.Address // who started the call; required
	Reason    string        // why, in terminate and reject
	Enc       []Enc         // the call's key, encrypted per device
}

// Node returns the call as a tree.
func (c *Call) Node() Node {
	b := make(builder, 0, 5)
	b.text("id", c.ID)
	b.address("to", c.To)
	b.address("from", c.From)
	b.number("t", c.Timestamp)
	b.number("offline", int64(c.Offline))
	ab := make(builder, 0, 3)
	ab.text("call-id", c.CallID)
	ab.address("call-creator", c.Creator)
	ab.text("reason", c.Reason)
	return Node{Tag: "call", Attrs: b, Children: []Node{
		{Tag: string(c.Action), Attrs: ab, Children: encNodes(c.Enc)},
	}}
}

func parseCall(f *fields, n *Node) *Call {
	k := new(Call)
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "id":
			k.ID = f.text(n, a)
		case "to":
			k.To = f.address(n, a)
		case "from":
			k.From = f.address(n, a)
		case "t":
			k.Timestamp = f.time(n, a)
		case "offline":
			k.Offline = int(f.number(n, a, 1, maxCount))
		}
	}
	for i := range n.Children {
		c := &n.Children[i]
		switch action := CallAction(c.Tag); action {
		case CallOffer, CallOfferNotice, CallRelayLatency, CallPreaccept, CallAccept, CallTransport, CallTerminate, CallReject:
			f.once(n, k.Action == "", "action")
			k.Action = action
			k.parseAction(f, c)
		}
	}
	f.require(n.Tag, k.ID != "", "@id")
	f.require(n.Tag, present(k.To) || present(k.From), "@to")
	f.require(n.Tag, k.Action != "", "action")
	return k
}

func (k *Call) parseAction(f *fields, n *Node) {
	for i := range n.Attrs {
		switch a := &n.Attrs[i]; a.Name {
		case "call-id":
			k.CallID = f.text(n, a)
		case "call-creator":
			k.Creator = f.address(n, a)
		case "reason":
			k.Reason = a.Value
		}
	}
	for i := range n.Children {
		if c := &n.Children[i]; c.Tag == "enc" {
			k.Enc = append(k.Enc, parseEnc(f, c))
		}
	}
	f.require(n.Tag, k.CallID != "", "@call-id")
	f.require(n.Tag, present(k.Creator), "@call-creator")
}
