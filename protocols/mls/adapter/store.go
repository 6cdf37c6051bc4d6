package adapter

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
)

// store holds a client's records. They are what counts: a group in memory is what
// was read from them, and one that an abandoned operation has changed is read from
// them again.
type store struct {
	records map[string][]byte
	dirty   map[string]struct{} // changed since the last report
}

func newStore() *store {
	return &store{records: make(map[string][]byte), dirty: make(map[string]struct{})}
}

// put sets a record, or deletes it if value is nil. The store takes value over; the
// old one is overwritten, since it may hold secrets.
func (s *store) put(key string, value []byte) {
	if old, ok := s.records[key]; ok {
		clear(old)
	} else if value == nil {
		return
	}
	s.dirty[key] = struct{}{}
	if value == nil {
		delete(s.records, key)
	} else {
		s.records[key] = value
	}
}

// sync puts what changed of a group.
func (s *store) sync(prefix string, g *mls.Group) {
	for _, r := range g.Changes() {
		s.put(prefix+r.Key, r.Value)
	}
}

// under returns the engine's records of a group.
func (s *store) under(prefix string) []mls.Record {
	var out []mls.Record
	for key, value := range s.records {
		if name, ok := strings.CutPrefix(key, prefix); ok && !ours[name] {
			out = append(out, mls.Record{Key: name, Value: value})
		}
	}
	return out
}

// drop deletes all records that begin with a prefix.
func (s *store) drop(prefix string) {
	for key := range s.records {
		if strings.HasPrefix(key, prefix) {
			s.put(key, nil)
		}
	}
}

// all returns copies of all records and forgets what changed.
func (s *store) all() []protocols.Record {
	clear(s.dirty)
	return s.copies(slices.Sorted(maps.Keys(s.records)))
}

// changed returns copies of the records that changed since the last report.
func (s *store) changed() []protocols.Record {
	keys := slices.Sorted(maps.Keys(s.dirty))
	clear(s.dirty)
	return s.copies(keys)
}

func (s *store) copies(keys []string) []protocols.Record {
	out := make([]protocols.Record, len(keys))
	for i, key := range keys {
		out[i] = protocols.Record{Key: key, Value: bytes.Clone(s.records[key])}
	}
	return out
}
