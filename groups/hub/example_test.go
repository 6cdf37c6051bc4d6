package hub_test

import (
	"fmt"
	"log"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// must ends the example at an error.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// Alice has made a group for a room, and her provider takes the room over. Then she
// says something, which nobody hears yet.
func Example() {
	now := time.Now()
	s := must(suite.NewStd(suite.X25519AES128GCMSHA256Ed25519))
	self := must(mls.NewIdentity(s, []byte("mimi://a.example")))
	h := must(hub.New(hub.Config{Domain: "a.example", Groups: &mls.Config{Suite: s}, Identity: self}))

	const alice = "mimi://a.example/u/alice"
	participants := room.ParticipantListData{Participants: []room.UserRolePair{{User: alice, Role: 2}}}
	roles := room.RoleData{Roles: []room.Role{{Index: 2, Name: "user", Capabilities: []room.Capability{room.CanSendMessage}}}}
	state := message.AppDataDictionary{
		{Component: room.DefaultPoints.ParticipantList, Data: must(wire.Marshal(&participants))},
		{Component: room.DefaultPoints.RolesList, Data: must(wire.Marshal(&roles))},
	}
	senders := message.ExternalSenders{{SignatureKey: self.Signer.Public, Credential: self.Credential}}
	client := &mls.Config{Suite: s, Components: map[message.ComponentID]mls.Component{}}
	group := must(mls.New(client, now, must(mls.NewIdentity(s, []byte(alice))), []byte("mimi://a.example/g/clubhouse"), mls.GroupOptions{
		Extensions: message.Extensions{
			{Type: message.ExtensionExternalSenders, Data: must(wire.Marshal(senders))},
			{Type: message.DefaultCodePoints.AppDataDictionary, Data: must(wire.Marshal(state))},
		},
	}))
	clubhouse := must(ident.NewURI(ident.KindRoom, "a.example", "clubhouse"))
	out := must(h.Step(now, hub.CreateRoom{
		Room:        clubhouse,
		GroupInfo:   must(group.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true})),
		RatchetTree: must(group.Tree().Marshal()),
	}))
	fmt.Println(len(out.Persist), "records to keep")

	private := must(message.Parse(must(group.Protect([]byte("hello"), mls.SendOptions{})), nil)).Private
	out = must(h.Step(now, hub.SubmitMessageRequest{
		From: "a.example", Room: clubhouse,
		Body: must(wire.Marshal(&mimi.SubmitMessageRequest{AppMessage: private, SendingURI: alice})),
	}))
	fmt.Println(out.Response.(*mimi.SubmitMessageResponse).StatusCode, "and sent to", len(out.Sends))
	// Output:
	// 4 records to keep
	// accepted and sent to 0
}
