//go:build !nogpl

package v3

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// store holds a client's records as bytes. A value in it is never written to
// again, so readers may alias it without the lock. Keeping bytes and no live
// objects is what makes an abandoned operation leave no trace.
type store struct {
	mu      sync.Mutex
	records map[string][]byte   // guarded by mu
	dirty   map[string]struct{} // keys changed since the last report; guarded by mu
}

func newStore() *store {
	return &store{records: make(map[string][]byte), dirty: make(map[string]struct{})}
}

// get returns the record's value, nil if there is none. It must not be modified.
func (s *store) get(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[key]
}

// batch is a set of changes that take effect together. It is made by begin.
type batch struct {
	store   *store
	changes []protocols.Record
	require []string
}

func (s *store) begin() *batch { return &batch{store: s} }

// get returns a record as the batch leaves it, nil if there is none. It must not
// be modified.
func (b *batch) get(key string) []byte {
	for i := len(b.changes) - 1; i >= 0; i-- {
		if b.changes[i].Key == key {
			return b.changes[i].Value
		}
	}
	return b.store.get(key)
}

// put sets a record. The batch takes value over.
func (b *batch) put(key string, value []byte) {
	b.changes = append(b.changes, protocols.Record{Key: key, Value: value})
}

func (b *batch) remove(key string) {
	b.changes = append(b.changes, protocols.Record{Key: key})
}

// consume removes a record that must still be there when the batch commits.
func (b *batch) consume(key string) {
	b.require = append(b.require, key)
	b.remove(key)
}

// commit applies all changes, or none if a required record is gone.
func (b *batch) commit() bool {
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range b.require {
		if s.records[key] == nil {
			return false
		}
	}
	for _, change := range b.changes {
		s.dirty[change.Key] = struct{}{}
		if change.Value == nil {
			delete(s.records, change.Key)
		} else {
			s.records[change.Key] = change.Value
		}
	}
	return true
}

// all returns copies of all records and forgets what changed.
func (s *store) all() []protocols.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.dirty)
	return s.copies(slices.Sorted(maps.Keys(s.records)))
}

// changed returns copies of the records that changed since the last report.
func (s *store) changed() []protocols.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
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
