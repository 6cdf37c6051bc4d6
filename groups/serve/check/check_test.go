package check_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// TestMutants checks providers with a fault each, and demands that one of the checks
// that are about its rule finds it. Each of them keeps the rest of the draft: a fault
// that no check found would be one that nobody sees.
func TestMutants(t *testing.T) {
	t.Parallel()
	list := mutants()
	if len(list) < 20 {
		t.Fatalf("%d mutants, want 20 at least", len(list))
	}
	reports := make([]*check.Report, len(list))
	errs := make([]error, len(list))
	slots := make(chan struct{}, 16) // runs at once: they mostly wait
	var running sync.WaitGroup
	for i := range list {
		m := &list[i]
		w := newWorld(t)
		m.stand(w)
		p := w.start(m.configure, m.handler(w))
		cfg := w.config()
		cfg.Timeout = 3 * time.Second
		if err := p.Has(&cfg); err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			reports[i], errs[i] = check.Run(t.Context(), cfg)
		})
	}
	running.Wait()
	found := 0
	var table strings.Builder
	for i, m := range list {
		if errs[i] != nil {
			t.Errorf("%s: %v", m.name, errs[i])
			continue
		}
		by, also := "-", 0
		for _, c := range reports[i].Checks {
			switch {
			case c.Verdict != check.Fail:
			case by == "-" && slices.Contains(m.trips, c.ID):
				by = c.ID
			default:
				also++
			}
		}
		if by != "-" {
			found++
		} else {
			t.Errorf("%s (%s) is not found by %v; what failed: %v", m.name, m.rule, m.trips, failures(reports[i]))
		}
		fmt.Fprintf(&table, "%-42s %-46s %-28s %2d\n", m.name, m.rule, by, also)
	}
	t.Logf("%d of %d mutants found\n%-42s %-46s %-28s also\n%s", found, len(list), "fault", "rule", "found by", &table)
}

// failures are the checks that failed.
func failures(r *check.Report) (ids []string) {
	for _, c := range r.Checks {
		if c.Verdict == check.Fail {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
