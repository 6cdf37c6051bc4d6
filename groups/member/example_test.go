package member_test

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Alice makes a room and sends a message, as far as her client goes: what it wants
// of her provider is in the outputs.
func Example() {
	now := time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)
	s, _ := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, sha256.Sum256([]byte("example")), "alice")
	client, _ := ident.ParseURI("mimi://a.example/d/alice/ClientA1")
	clubhouse, _ := ident.ParseURI("mimi://a.example/r/clubhouse")
	id, _ := mls.NewIdentity(s, []byte(client.String()))
	hub, _ := mls.NewIdentity(s, []byte("mimi://a.example")) // the hub's, whose public part Alice knows

	alice, err := member.New(member.Config{Client: client, Identity: id, Groups: &mls.Config{Suite: s}})
	if err != nil {
		fmt.Println(err)
		return
	}
	step := func(in member.Input) {
		out, err := alice.Step(now, in)
		if err != nil {
			fmt.Println(err)
			return
		}
		// Here a shell writes out.Persist. Then it may go on.
		for _, c := range out.Creations {
			fmt.Println("hub, take over", c.Room)
		}
		for _, e := range out.Events {
			fmt.Printf("%T\n", e)
		}
		for _, c := range out.Calls {
			fmt.Println("provider, call", c.Endpoint, "of", c.Room)
		}
	}
	step(member.CreateRoom{
		Room: clubhouse, Policy: "cooperative", Metadata: room.RoomMetaData{Name: "Clubhouse"},
		Hub: message.ExternalSender{SignatureKey: hub.Signer.Public, Credential: hub.Credential},
	})
	step(member.RoomCreated{Room: clubhouse}) // the hub has it
	step(member.Send{Room: clubhouse, Message: &content.Message{Body: content.Text("hello")}})
	// Output:
	// hub, take over mimi://a.example/r/clubhouse
	// member.Joined
	// provider, call submitMessage of mimi://a.example/r/clubhouse
}
