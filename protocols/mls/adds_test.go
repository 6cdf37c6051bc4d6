package mls

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestAddsAreIndexed: as many clients are looked up as there are leaves and Adds, not
// their product.
func TestAddsAreIndexed(t *testing.T) {
	t.Parallel()
	calls := 0
	w := newWorld(t, 1, func(c *Config) {
		c.ClientOf = func(l *message.LeafNode) string {
			calls++
			return string(l.Credential.Identity)
		}
	})
	const n = 20
	for round := range 2 {
		var list []message.Proposal
		for i := range n {
			list = append(list, AddProposal(w.keyPackage(fmt.Sprint(round, " ", i)).Public))
		}
		calls = 0
		p, err := w.groups["0"].Commit(now, CommitOptions{Proposals: list})
		if err != nil {
			t.Fatal(err)
		}
		if most := 4 * (n + 1 + round*n); calls > most {
			t.Errorf("%d calls for %d adds beside %d members, want at most %d", calls, n, 1+round*n, most)
		}
		if err := w.groups["0"].Merge(&p.Staged); err != nil {
			t.Fatal(err)
		}
	}
}
