package check

import (
	"context"
	"sync"
	"time"
)

// board is what several goroutines note and one waits for. Start with newBoard.
type board struct {
	mu      sync.Mutex    // guards what is noted, and changed
	changed chan struct{} // closed at the next note
}

func newBoard() *board { return &board{changed: make(chan struct{})} }

// note changes what is noted.
func (b *board) note(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	close(b.changed)
	b.changed = make(chan struct{})
}

// await waits until something is so, for a time at most. It is asked with the lock held.
func (b *board) await(ctx context.Context, most time.Duration, so func() bool) bool {
	over := time.NewTimer(most)
	defer over.Stop()
	for {
		b.mu.Lock()
		ok, changed := so(), b.changed
		b.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-over.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}
