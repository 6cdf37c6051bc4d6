package schedule_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Two members who share an epoch's secrets: the one at leaf 0 sends, the one at
// leaf 1 receives. To each, the tree gives the key of a message once.
func Example() {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		fmt.Println(err)
		return
	}
	epoch := schedule.EpochOf(s, make([]byte, 32)) // a creator draws this secret
	ours := schedule.NewSecretTree(s, epoch.Encryption, 2, schedule.Limits{})
	theirs := schedule.NewSecretTree(s, epoch.Encryption, 2, schedule.Limits{})
	clear(epoch.Encryption)

	c := &message.AuthenticatedContent{
		WireFormat: message.WirePrivateMessage,
		Content: message.FramedContent{
			GroupID: []byte("room"), Sender: message.Member(0),
			Content: message.Content{Type: message.ContentApplication, Application: []byte("hello")},
		},
	} // and c.Sign, which the example leaves out
	p, err := schedule.Protect(s, ours, epoch.SenderData, c, 0)
	if err != nil {
		fmt.Println(err)
		return
	}

	got, from, err := schedule.Unprotect(s, theirs, epoch.SenderData, p, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("leaf %d, generation %d: %s\n", from.LeafIndex, from.Generation, got.Content.Application)
	// Here the receiver calls got.Verify; then the key can go.
	theirs.Consume(from.LeafIndex, schedule.RatchetFor(p.ContentType), from.Generation)
	_, _, err = schedule.Unprotect(s, theirs, epoch.SenderData, p, nil)
	fmt.Println(err)
	// Output:
	// leaf 0, generation 0: hello
	// schedule: application key of leaf 0, generation 0: secret was consumed
}
