package rooms

import (
	"testing"
)

// TestPlanted plants bugs. The checks find each, and the right one is among those that do.
func TestPlanted(t *testing.T) {
	t.Parallel()
	// The first seeds that find them are not far from these.
	from := map[string]uint64{"no-outbox": 1, "early-answer": 8, "removed-provider": 15, "lost-welcome": 50, "lost-events": 4}
	for _, p := range Plants() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			const most = 20
			others := make(map[Check]int)
			for seed := range uint64(most) {
				res, err := Trial{Seed: from[p.Name] + seed, Members: 12, Providers: 4, Steps: DefaultSteps, Plant: p.Name}.Run()
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range res.Violations {
					if v.Check == p.Check {
						t.Logf("found in seed %d: %v", res.Seed, v)
						return
					}
					others[v.Check]++
				}
			}
			t.Errorf("%s: not found by the check of %s in %d seeds; found %v", p.What, p.Check, most, others)
		})
	}
	if _, err := (Trial{Members: 3, Plant: "a tree"}).Run(); err == nil {
		t.Error("a bug was planted that there is not")
	}
}

// TestShrink: of a trial that breaks a check, less is found that does. A planted bug that
// one message shows needs no faults and few steps.
func TestShrink(t *testing.T) {
	t.Parallel()
	got, err := Trial{Seed: 3, Members: 6, Providers: 2, Steps: 30, Plant: "plaintext"}.Shrink()
	if err != nil {
		t.Fatal(err)
	}
	if left := got.Steps - len(got.Without); !got.Calm || left > 2 {
		t.Errorf("shrunk to %+v: %d steps, want 2 at most and no faults", got, left)
	}
	if res, err := got.Run(); err != nil || res.Violated == 0 {
		t.Errorf("what is left breaks nothing: %v", err)
	}
	whole := Trial{Seed: 3, Members: 6, Providers: 2, Steps: 10}
	if got, err := whole.Shrink(); err != nil || got.Steps != whole.Steps || got.Without != nil {
		t.Errorf("a trial that breaks nothing became %+v: %v", got, err)
	}
}
