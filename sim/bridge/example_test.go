package bridge_test

import (
	"fmt"
	"log"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/sim/bridge"
	"github.com/mimi-lab/mimi-lab/sim/ledger"
)

// Who learns what messages say depends on where the gateway runs.
func Example() {
	for _, place := range []gateway.Place{gateway.AtServer, gateway.OnDevice} {
		s, err := bridge.Play(bridge.Config{Seed: 1, Place: place, Adapter: sized.Adapter{}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(place, s.Holds())
		for _, r := range s.Trust() {
			for i, f := range ledger.RoomFacts {
				if f == ledger.Content {
					fmt.Printf("\t%s: %d of %d %v\n", r.Party, r.Shares[i].Known, r.Shares[i].Truth, f)
				}
			}
		}
	}
	// Output:
	// at a server true
	// 	gatekeeper: 0 of 11 contents
	// 	g.example, gateway: 11 of 11 contents
	// 	g.example, follower: 0 of 11 contents
	// 	a.example, hub: 0 of 11 contents
	// on the user's device true
	// 	gatekeeper: 0 of 11 contents
	// 	g.example, proxy: 0 of 11 contents
	// 	g.example, follower: 0 of 11 contents
	// 	a.example, hub: 0 of 11 contents
}
