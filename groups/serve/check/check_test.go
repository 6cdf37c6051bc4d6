package check_test

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/serve/check"
)

// TestOwnProvider checks a provider of this project over real sockets, with all that a
// check can use: everything passes, and nothing is skipped.
func TestOwnProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(w.start(nil, nil), nil)
	for _, c := range r.Checks {
		if c.Verdict != check.Pass {
			t.Errorf("%s %s: %s", c.Verdict, c.ID, c.Seen)
		}
		if testing.Verbose() {
			t.Logf("%s %s: %s", c.Verdict, c.ID, c.Seen)
		}
	}
	if n := len(check.Checks()); r.Pass != n || len(r.Checks) != n {
		t.Errorf("%d of %d checks passed, there are %d", r.Pass, len(r.Checks), n)
	}
}
