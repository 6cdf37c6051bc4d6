package world

import (
	"maps"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// store is a node's disk. A nil store, of a node that never crashes, keeps
// nothing.
type store map[string][]byte

func newStore(c scenario.Crash) store {
	if c.Every.IsZero() {
		return nil
	}
	return make(store)
}

func (s store) write(r protocols.Record) {
	switch {
	case s == nil:
	case r.Value == nil:
		delete(s, r.Key)
	default:
		s[r.Key] = r.Value
	}
}

func (s store) writeAll(records []protocols.Record) {
	for _, r := range records {
		s.write(r)
	}
}

// records returns what the disk holds, sorted by key.
func (s store) records() []protocols.Record {
	out := make([]protocols.Record, 0, len(s))
	for _, k := range slices.Sorted(maps.Keys(s)) {
		out = append(out, protocols.Record{Key: k, Value: s[k]})
	}
	return out
}
