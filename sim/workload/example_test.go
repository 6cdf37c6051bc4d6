package workload_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
	"github.com/mimi-lab/mimi-lab/sim/workload"
)

// Five users, the first of whom is far more popular than the others. The same stream
// gives the same friends.
func ExampleSampler() {
	weights := workload.Weights(scenario.Activity{Dist: scenario.Zipf, Exponent: 1}, 5)
	fmt.Printf("%.2f\n", weights)
	popular := workload.NewSampler(weights)
	fmt.Println(popular.DrawDistinct(des.NewStream(1, "contacts"), 2))
	// Output:
	// [2.19 1.09 0.73 0.55 0.44]
	// [0 2]
}
