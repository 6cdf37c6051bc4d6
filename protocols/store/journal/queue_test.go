package journal

import (
	"runtime"
	"sync"
	"testing"
)

// TestTakeMany holds that those who are ready to run add before something is taken, and
// that what there is does not wait for anything else.
func TestTakeMany(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that they are ready, and do not run yet
	const rounds, others = 100, 10
	q := NewQueue[int]()
	together := 0
	for range rounds {
		q.Add(0)
		var wg sync.WaitGroup
		for i := range others {
			wg.Go(func() { q.Add(1 + i) })
		}
		together += len(q.TakeMany())
		wg.Wait()
		q.take()
	}
	// The scheduler is free to let one that yields go on at once, now and then.
	if most := rounds * (1 + others); together < most/2 {
		t.Errorf("%d of %d were taken with the first, want at least half", together, most)
	}
	q.Add(1)
	if got := q.TakeMany(); len(got) != 1 {
		t.Errorf("took %d, want the only one", len(got))
	}
	q.End()
	if got := q.TakeMany(); got != nil {
		t.Errorf("took %v after the end, want nil", got)
	}
}
