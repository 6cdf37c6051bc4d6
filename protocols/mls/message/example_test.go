package message_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// A proposal to remove the member at leaf 7, as the member at leaf 2 sends it
// unencrypted. What stands where signature and tag would is not verified here:
// to parse a message says nothing about who sent it.
func Example() {
	b, err := wire.Marshal(&message.Message{Public: &message.PublicMessage{
		Content: message.FramedContent{
			GroupID: []byte("room"),
			Epoch:   3,
			Sender:  message.Member(2),
			Content: message.Content{
				Type:     message.ContentProposal,
				Proposal: &message.Proposal{Type: message.ProposalRemove, Body: &message.Remove{Removed: 7}},
			},
		},
		Auth:          message.FramedContentAuthData{Signature: []byte("signature")},
		MembershipTag: []byte("tag"),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}

	m, err := message.Parse(b, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := &m.Public.Content
	fmt.Printf("%v in %s, epoch %d, from %v %d\n", m.WireFormat(), c.GroupID, c.Epoch, c.Sender.Type, c.Sender.Index)
	switch p := c.Proposal.Body.(type) {
	case *message.Remove:
		fmt.Printf("%v %d\n", c.Proposal.Type, p.Removed)
	}
	// Output:
	// mls_public_message in room, epoch 3, from member 2
	// remove 7
}
