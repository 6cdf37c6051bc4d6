package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// ErrStopped: the provider does not serve any more. What was asked may have been done
// or not.
var ErrStopped = errors.New("serve: the provider has stopped")

// journal makes the records of steps durable, in the order of the steps, and then lets
// go of what depends on them. What waits while a transaction is being made durable
// shares the next one (group commit).
type journal struct {
	store store.Store
	fail  func(error) // is told, once, why the store failed

	mu     sync.Mutex // guards queue and closed
	queue  []entry
	closed bool
	more   chan struct{} // holds a token if the queue may not be empty

	commits, records atomic.Uint64
}

// entry is a step that waits to be durable.
type entry struct {
	records []protocols.Record
	// then is called once everything up to here is durable, or with an error if it is
	// not or nobody knows. It must not block.
	then func(error)
}

func newJournal(s store.Store, fail func(error)) *journal {
	return &journal{store: s, fail: fail, more: make(chan struct{}, 1)}
}

// add appends a step. The caller holds the lock of the machine that made it, so that
// the steps of a machine are in order.
func (j *journal) add(e entry) {
	j.mu.Lock()
	closed := j.closed
	if !closed {
		j.queue = append(j.queue, e)
	}
	j.mu.Unlock()
	if closed {
		e.then(ErrStopped)
		return
	}
	select {
	case j.more <- struct{}{}:
	default:
	}
}

// run writes what is added until the journal is closed and empty, or the store fails.
// It is the only one to write.
func (j *journal) run() {
	var records []protocols.Record
	for {
		batch := j.take()
		if batch == nil {
			return
		}
		records = records[:0]
		for _, e := range batch {
			records = append(records, e.records...)
		}
		err := j.write(records)
		for _, e := range batch {
			e.then(err)
		}
		if err != nil {
			return
		}
		clear(records)
	}
}

// take waits for the next batch. It returns nil if there won't be any.
func (j *journal) take() []entry {
	for {
		j.mu.Lock()
		batch, closed := j.queue, j.closed
		j.queue = nil
		j.mu.Unlock()
		if len(batch) > 0 || closed {
			return batch
		}
		<-j.more
	}
}

// write makes records durable. After an error nothing is written any more.
func (j *journal) write(records []protocols.Record) error {
	if len(records) == 0 {
		return nil
	}
	// There is no way back from a step, so that nothing may end its commit early.
	err := j.store.Commit(context.Background(), records)
	if err == nil {
		j.commits.Add(1)
		j.records.Add(uint64(len(records)))
		return nil
	}
	j.fail(fmt.Errorf("serve: store: %w", err))
	for _, e := range j.close() {
		e.then(ErrStopped)
	}
	return ErrStopped
}

// close lets nothing be added any more, and returns what was not written and won't be.
func (j *journal) close() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	rest := j.queue
	j.queue = nil
	return rest
}

// end lets nothing be added any more, and run return when it has written the rest.
func (j *journal) end() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	select {
	case j.more <- struct{}{}:
	default:
	}
}
