package serve

import (
	"maps"
	"sync"
)

// refusals counts what was refused, by the reason in the words of why, of which there are
// few.
type refusals struct {
	mu sync.Mutex // guards of
	of map[string]uint64
}

func (r *refusals) add(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = make(map[string]uint64)
	}
	r.of[reason]++
}

// counts returns a copy.
func (r *refusals) counts() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.of)
}
