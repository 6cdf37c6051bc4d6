package scenario_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// A scenario of the library, with one value changed and another swept.
func Example() {
	f, err := scenario.Open("faulty-small", "gatekeepers.whatsapp.users=5", "links.*.loss=${1%,5%}")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range f.Points() {
		s := p.Scenario
		fmt.Printf("%s: %d users, %v of frames lost, %d runs of %v\n",
			p, s.Gatekeepers[0].Users, s.Links.DeviceGatekeeper.Loss, s.Replications, s.Span())
	}
	// Output:
	// loss=1%: 5 users, 1% of frames lost, 1 runs of 4h0m0s
	// loss=5%: 5 users, 5% of frames lost, 1 runs of 4h0m0s
}

// Mistakes say where they are and what was expected.
func ExampleLoad() {
	data, err := scenario.Template("first-try")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = scenario.Load("first-try.yaml", data, "links.mode=udp", "gatekeepers.whatsapp.users=5k")
	fmt.Println(err)
	// Output:
	// --set gatekeepers.whatsapp.users=5k: gatekeepers.whatsapp.users: found "5k", expected a whole number from 1 to 10000000
	// --set links.mode=udp: links.mode: found "udp", expected stream or datagram
}
