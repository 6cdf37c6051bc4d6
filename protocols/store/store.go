// Package store keeps the records of machines durably: [protocols.Record], a key
// and its value, as a machine's step returns them to be persisted.
//
// A [Store] writes any number of records at once, all or none, and says so only
// when they would survive the loss of power. Open of package byurl opens one by
// URL: an SQLite file (package sqlite), a PostgreSQL schema (package postgres), or
// one in memory for tests and demonstrations. The three pass one suite of tests
// (package storetest).
//
// A commit of many records costs little more than one of a single record, so that a
// shell writes together what its machines ask for while a transaction is being made
// durable (group commit: package journal).
//
// The package interprets neither keys nor values and knows no protocol.
package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// Errors that callers tell apart.
var (
	// ErrClosed: the store was closed before.
	ErrClosed = errors.New("store: closed")
	// ErrInUse: another process has the store open. Two would overwrite each
	// other's state.
	ErrInUse = errors.New("store: in use by another process")
	// ErrDamaged: what is there is no store, or not one any more.
	ErrDamaged = errors.New("store: damaged, or no store")
	// ErrVersion: the store was written by a later version of this program.
	ErrVersion = errors.New("store: written by a later version")
)

// Store keeps records. Its methods may be called by several goroutines at once.
type Store interface {
	// Load calls f with every record whose key begins with prefix, in the order of
	// their keys' bytes, as of one moment. It ends at the first error of f and
	// returns it. f may keep the value, and must not call the store.
	Load(ctx context.Context, prefix string, f func(protocols.Record) error) error

	// Commit writes all records or, on an error, none, and returns when they are
	// durable. A record with a nil value deletes its key, whether or not it exists.
	// Of several records with one key the last counts. A caller whose context ends
	// meanwhile gets its error and does not know whether the records were written.
	Commit(ctx context.Context, records []protocols.Record) error

	// Close releases what the store holds. Commits that have returned stay.
	Close() error
}

// Latest returns the records without those that a later one of the same key
// overrules, in their order. Implementations that cannot write a key twice at once
// need it.
func Latest(records []protocols.Record) []protocols.Record {
	last := make(map[string]int, len(records))
	for i, r := range records {
		last[r.Key] = i
	}
	if len(last) == len(records) {
		return records
	}
	out := make([]protocols.Record, 0, len(last))
	for i, r := range records {
		if last[r.Key] == i {
			out = append(out, r)
		}
	}
	return out
}

// Under returns records with a prefix before their keys: those of one machine of several
// that share a store.
func Under(prefix string, records []protocols.Record) []protocols.Record {
	out := make([]protocols.Record, len(records))
	for i, r := range records {
		out[i] = protocols.Record{Key: prefix + r.Key, Value: r.Value}
	}
	return out
}

// LoadUnder returns the records whose keys begin with a prefix, without it.
func LoadUnder(ctx context.Context, s Store, prefix string) (list []protocols.Record, err error) {
	err = s.Load(ctx, prefix, func(r protocols.Record) error {
		list = append(list, protocols.Record{Key: r.Key[len(prefix):], Value: r.Value})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: loading %s: %w", prefix, err)
	}
	return list, nil
}
