package client

import (
	"context"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// part is the records of a store whose keys begin with a prefix, without it.
type part struct {
	store.Store
	prefix string
}

// Load implements [store.Store].
func (p part) Load(ctx context.Context, prefix string, f func(protocols.Record) error) error {
	return p.Store.Load(ctx, p.prefix+prefix, func(r protocols.Record) error {
		r.Key = r.Key[len(p.prefix):]
		return f(r)
	})
}

// Commit implements [store.Store].
func (p part) Commit(ctx context.Context, records []protocols.Record) error {
	all := make([]protocols.Record, len(records))
	for i, r := range records {
		all[i] = protocols.Record{Key: p.prefix + r.Key, Value: r.Value}
	}
	return p.Store.Commit(ctx, all)
}

// Close does nothing: the store is another's to close.
func (p part) Close() error { return nil }

// Sent keeps the content of what a device has sent, of which its events have the ID
// alone.
type Sent struct{ records part }

// Put keeps a message that is about to be sent.
func (s Sent) Put(ctx context.Context, id content.MessageID, b []byte) error {
	return s.records.Commit(ctx, []protocols.Record{{Key: id.String(), Value: b}})
}

// All returns what was kept.
func (s Sent) All(ctx context.Context) (map[content.MessageID][]byte, error) {
	all := make(map[content.MessageID][]byte)
	err := s.records.Load(ctx, "", func(r protocols.Record) error {
		var id content.MessageID
		if err := id.UnmarshalText([]byte(r.Key)); err != nil {
			return err
		}
		all[id] = r.Value
		return nil
	})
	return all, err
}

// Said keeps what the user of a device has said of consent, of which nothing comes back:
// the last entry of each scope.
type Said struct{ records part }

// Put keeps an entry in place of the one before of the scope.
func (s Said) Put(ctx context.Context, scope string, b []byte) error {
	return s.records.Commit(ctx, []protocols.Record{{Key: scope, Value: b}})
}

// All calls f with all entries.
func (s Said) All(ctx context.Context, f func(b []byte) error) error {
	return s.records.Load(ctx, "", func(r protocols.Record) error { return f(r.Value) })
}
