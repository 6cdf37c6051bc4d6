package bench

import (
	"math"
	"testing"
)

// TestStandardError runs the model with many seeds: how far the means are from theory,
// in their standard errors, has a variance of 1 if the standard errors are right.
func TestStandardError(t *testing.T) {
	t.Parallel()
	const runs = 30
	var squares float64
	for seed := range uint64(runs) {
		m, err := runModel(t.Context(), Options{Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		squares += m.Deviation() * m.Deviation()
	}
	// Chi squared over its 30 degrees of freedom has the standard deviation 0.26. The
	// seeds are fixed, so that the run does not fail by chance.
	if within := 3 * math.Sqrt(2.0/runs); math.Abs(squares/runs-1) > within {
		t.Errorf("variance %.2f, want 1 within %.2f", squares/runs, within)
	}
}
