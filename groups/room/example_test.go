package room_test

import (
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/mimi-lab/mimi-lab/groups/room"
)

// Ada administers a room of the draft's policy "Strictly administered room". She adds
// Mia with a client; Mia may not add anybody.
func Example() {
	const hub, ada, mia = "mimi://hub.example", "mimi://a.example/u/ada", "mimi://b.example/u/mia"
	policy, _ := room.PolicyByName("administered")
	dictionary, err := policy.Dictionary(nil, &room.RoomMetaData{URI: "mimi://hub.example/r/clubhouse", Name: "Clubhouse"},
		[]room.UserRolePair{{User: hub, Role: policy.Role("policy_enforcer")}, {User: ada, Role: policy.Role("group_admin")}}, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	// The dictionary goes into a GroupContext; Ada has one client in the group.
	state, err := room.Decode(nil, dictionary, slices.Values([]string{ada}))
	if err != nil {
		log.Fatal(err)
	}
	if err := state.Check(); err != nil {
		log.Fatal(err)
	}

	state, err = room.Authorize(state, &room.Actor{User: ada},
		room.AddParticipant{User: mia, Role: policy.Role("ordinary_user")}, room.AddClient{User: mia})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(state.Outline())

	_, err = room.Authorize(state, &room.Actor{User: mia}, room.AddParticipant{User: "mimi://b.example/u/max", Role: 2})
	var denial *room.Denial
	fmt.Println(errors.As(err, &denial), denial.Capability, denial.Section)
	// Output:
	// mimi://hub.example/r/clubhouse "Clubhouse"
	// 3 participants, 2 clients
	// 2 ordinary_user: mimi://b.example/u/mia
	// 3 group_admin: mimi://a.example/u/ada
	// 5 policy_enforcer: mimi://hub.example*
	// true canAddParticipant draft-ietf-mimi-room-policy-04, Adding
}
