package rooms

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// TestRandomCuts plays the example while all links between clients and providers, and
// all between providers, are cut six times each, at random; every other seed with
// restarts. All promises are to hold. Seed 45 loses the answer to a new room.
func TestRandomCuts(t *testing.T) {
	t.Parallel()
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		policy := Policies()[seed%3]
		t.Run(fmt.Sprint(seed, " ", policy), func(t *testing.T) {
			t.Parallel()
			r := des.NewStream(seed, "cuts")
			play(t, Config{
				Seed: seed, Access: cut(DefaultAccess, r), Backbone: cut(DefaultBackbone, r), Restart: seed%2 == 0,
			}, policy).demand(t)
		})
	}
}

// cut returns a kind of link that breaks soon, and is down for up to 3 seconds after
// up to 3.5 seconds, again and again.
func cut(kind *link.Config, r *des.Rand) *link.Config {
	c := *kind
	c.BreakAfter = 300 * des.Millisecond
	at := des.Time(0)
	for range 6 {
		from := at + 500*des.Millisecond + des.FromSeconds(3*r.Float64())
		at = from + 1 + des.FromSeconds(3*r.Float64())
		c.Down = append(c.Down, link.Window{From: from, To: at})
	}
	return &c
}
