// Package journal makes what machines ask to be persisted durable, in the order of their
// steps, and lets go of what depends on it only then. It is between a shell and its store
// (package store): every step adds an entry, one goroutine runs the journal, and what
// waits while a transaction is being made durable shares the next one (group commit). So
// does what others have ready to add, whom it lets run first: where a disk is fast and
// the processors are busy, hardly anything would wait. Machines go on meanwhile.
//
// A shell starts with [New] and a goroutine for [Journal.Run], calls [Journal.Add] while
// it holds the lock of its machine, and ends with [Journal.End].
package journal

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// Journal makes the records of steps durable, in the order of the steps, and then lets go
// of what depends on them.
type Journal struct {
	store   store.Store
	stopped error       // what an entry gets that is not durable, or nobody knows
	fail    func(error) // is told, once, why the store failed

	queue *Queue[Entry]

	commits, records atomic.Uint64
}

// Entry is a step that waits to be durable.
type Entry struct {
	Records []protocols.Record
	// Then is called once everything up to here is durable, or with an error if it is
	// not or nobody knows. It must not block.
	Then func(error)
}

// New returns an empty journal of a store. If the store fails, fail is called with the
// reason, and that entry and all that follow get the error stopped. So do those that are
// added after the end.
func New(s store.Store, stopped error, fail func(error)) *Journal {
	return &Journal{store: s, stopped: stopped, fail: fail, queue: NewQueue[Entry]()}
}

// Counts returns how many transactions were made and how many records are in them.
func (j *Journal) Counts() (commits, records uint64) { return j.commits.Load(), j.records.Load() }

// Add appends a step. The caller holds the lock of the machine that made it, so that
// the steps of a machine are in order.
func (j *Journal) Add(e Entry) {
	if !j.queue.Add(e) {
		e.Then(j.stopped)
	}
}

// Run writes what is added until the journal is closed and empty, or the store fails.
// It is the only one to write.
func (j *Journal) Run() {
	var records []protocols.Record
	for {
		batch := j.queue.TakeMany()
		if batch == nil {
			return
		}
		records = records[:0]
		for _, e := range batch {
			records = append(records, e.Records...)
		}
		err := j.write(records)
		for _, e := range batch {
			e.Then(err)
		}
		if err != nil {
			return
		}
		clear(records)
	}
}

// write makes records durable. After an error nothing is written any more.
func (j *Journal) write(records []protocols.Record) error {
	if len(records) == 0 {
		return nil
	}
	// Steps that wait together have mostly written the same few keys, such as a room's
	// head.
	records = store.Latest(records)
	// There is no way back from a step, so that nothing may end its commit early.
	err := j.store.Commit(context.Background(), records)
	if err == nil {
		j.commits.Add(1)
		j.records.Add(uint64(len(records)))
		return nil
	}
	j.fail(fmt.Errorf("store: %w", err))
	for _, e := range j.queue.Close() {
		e.Then(j.stopped)
	}
	return j.stopped
}

// End lets nothing be added any more, and Run return when it has written the rest.
func (j *Journal) End() { j.queue.End() }
