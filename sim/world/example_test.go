package world_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/world"
)

// Ten users among whom everything breaks, with three seeds. What a run does depends
// on the scenario and the seed alone.
func ExampleCheck() {
	f, err := scenario.Open("faulty-small", "adapter=signal-v3-sized")
	if err != nil {
		log.Fatal(err)
	}
	outs, err := world.Check(context.Background(), f, 1, 3, world.RunOptions{Workers: 2})
	if err != nil {
		log.Fatal(err)
	}
	for _, out := range outs {
		fmt.Println("seed", out.Seed, "wrote something:", out.Messages > 0, "violations:", out.Violated)
	}
	// Output:
	// seed 1 wrote something: true violations: 0
	// seed 2 wrote something: true violations: 0
	// seed 3 wrote something: true violations: 0
}
