package rooms

import (
	"flag"
	"fmt"
	"reflect"
	"sync"
	"testing"
)

var (
	seeds = flag.Int("seeds", 0, "how many trials to run (default: a share)")
	first = flag.Uint64("seed", 0, "the first seed")
)

// TestTrials: whatever goes wrong, all that is checked holds. What goes wrong does: each
// kind of it is counted, and none is 0 over all seeds.
func TestTrials(t *testing.T) {
	t.Parallel()
	n := 30
	if testing.Short() {
		n = 8
	}
	if *seeds > 0 {
		n = *seeds
	}
	var mu sync.Mutex
	var sum Counts
	t.Run("seeds", func(t *testing.T) {
		for i := range n {
			seed := *first + uint64(i)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				res, err := Trial{Seed: seed, Members: DefaultMembers, Providers: DefaultProviders, Steps: DefaultSteps}.Run()
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range res.Violations {
					t.Error(v)
				}
				mu.Lock()
				defer mu.Unlock()
				sum.Add(&res.Counts)
			})
		}
	})
	t.Logf("%+v", sum)
	if n < 8 {
		return
	}
	v := reflect.ValueOf(sum)
	for i := range v.NumField() {
		if v.Field(i).Int() == 0 {
			t.Errorf("%s never happened", v.Type().Field(i).Name)
		}
	}
}

// TestTrialRepeats: a seed gives the same, to the last byte.
func TestTrialRepeats(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		res, err := Trial{Seed: seed, Members: 12, Providers: 4, Steps: 20}.Run()
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%+v", *res)
	}
	a := run(7)
	if b := run(7); a != b {
		t.Errorf("seed 7 gives\n%s, and then\n%s", a, b)
	}
	if a == run(8) {
		t.Error("seeds 7 and 8 give the same")
	}
}
