package store

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// Memory is a store that lasts as long as the process. It takes the place of a
// durable one in tests, simulations and demonstrations.
type Memory struct {
	mu     sync.Mutex // guards what follows
	values map[string][]byte
	closed bool
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{values: map[string][]byte{}} }

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, prefix string, f func(protocols.Record) error) error {
	records, err := m.snapshot(ctx, prefix)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// snapshot returns copies of the records under prefix, in order.
func (m *Memory) snapshot(ctx context.Context, prefix string) ([]protocols.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return nil, err
	}
	var records []protocols.Record
	for key, value := range m.values {
		if strings.HasPrefix(key, prefix) {
			records = append(records, protocols.Record{Key: key, Value: slices.Clone(value)})
		}
	}
	slices.SortFunc(records, func(a, b protocols.Record) int { return strings.Compare(a.Key, b.Key) })
	return records, nil
}

// Commit implements [Store].
func (m *Memory) Commit(ctx context.Context, records []protocols.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return err
	}
	for _, r := range records {
		if r.Value == nil {
			delete(m.values, r.Key)
			continue
		}
		m.values[r.Key] = append([]byte{}, r.Value...)
	}
	return nil
}

// Close implements [Store].
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// usable says why the store cannot be used, if so. The caller holds m.mu.
func (m *Memory) usable(ctx context.Context) error {
	if m.closed {
		return ErrClosed
	}
	return ctx.Err()
}
