package rooms_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/sim/rooms"
)

func Example() {
	w, err := rooms.New(rooms.Config{Seed: 1})
	if err != nil {
		panic(err)
	}
	a, err := w.AddProvider("a.example")
	if err != nil {
		panic(err)
	}
	alice, err := w.AddDevice("a.example", "alice", "ClientA1")
	if err != nil {
		panic(err)
	}
	if _, err := w.Do(alice, member.CreateRoom{Room: rooms.Clubhouse, Policy: "cooperative", Hub: a.ExternalSender()}); err != nil {
		panic(err)
	}
	if err := w.Settle(rooms.Patience); err != nil {
		panic(err)
	}
	for _, f := range w.Frames() {
		fmt.Println(rooms.Short(f.From), "to", rooms.Short(f.To), f.Summary())
	}
	joined, _ := rooms.Find[member.Joined](alice)
	fmt.Println("ClientA1", rooms.Tell(joined))
	// Output:
	// ClientA1 to a.example [[ store KeyPackages ]]
	// ClientA1 to a.example [[ new room: GroupInfo, tree ]]
	// a.example to ClientA1 [[ room made ]]
	// ClientA1 is in the room, epoch 0
}

func ExamplePlay() {
	s, err := rooms.Play(rooms.Config{Seed: 1}, "administered")
	if err != nil {
		panic(err)
	}
	for _, f := range s.Findings {
		fmt.Println(len(f.Broken) == 0, f.Promise)
	}
	// Output:
	// true the flow came to its end, and no client met an error
	// true ClientA1, ClientC1 and ClientC3 are in the room, and no others
	// true they agree on the epoch authenticator and the room state
	// true every message reached each client once that was in the room
	// true the hub's frank verifies at every recipient and sender
	// true Bob's proposals waited at the hub until Cathy committed them
	// true b.example and Bob's clients got nothing after he had left
	// true no provider saw a message's plaintext, sent or stored
}
