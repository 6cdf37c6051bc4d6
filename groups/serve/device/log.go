package device

import (
	"context"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols"
)

// Event is one of the log, which the application is told in the order of N: 1, 2, 3
// and so on.
type Event struct {
	N     uint64
	At    time.Time // when the device came to know it
	Event member.Event
}

// Events returns what was not confirmed and has a number greater than after, without
// waiting.
func (d *Device) Events(after uint64) []Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.since(after)
}

// since is Events. The caller holds the lock.
func (d *Device) since(after uint64) []Event {
	i, _ := slices.BinarySearchFunc(d.events, after+1, func(e Event, n uint64) int { return int(int64(e.N - n)) })
	return slices.Clone(d.events[i:])
}

// Next is Events, and waits until there is one.
func (d *Device) Next(ctx context.Context, after uint64) ([]Event, error) {
	for {
		d.mu.Lock()
		list, stopped, changed := d.since(after), d.stopped, d.changed
		d.mu.Unlock()
		if len(list) > 0 {
			return list, nil
		}
		if stopped != nil {
			return nil, stopped
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Confirm says that the application has dealt with all events up to the one with
// number n. They are not told any more.
func (d *Device) Confirm(ctx context.Context, n uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped != nil {
		return d.stopped
	}
	var gone []protocols.Record
	for _, e := range d.events {
		if e.N <= n {
			gone = append(gone, protocols.Record{Key: eventKey(e.N)})
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := d.cfg.Store.Commit(context.WithoutCancel(ctx), gone); err != nil {
		return d.stop(err)
	}
	d.events = slices.Clone(d.events[len(gone):])
	return nil
}

// Confirmed returns the number up to which events are confirmed.
func (d *Device) Confirmed() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.head.Event - uint64(len(d.events))
}

// maxOutcomes is how many outcomes are known for [Device.Wait].
const maxOutcomes = 4096

// ended notes an outcome. The caller holds the lock.
func (d *Device) ended(id uint64, e Event) {
	delete(d.open, id)
	d.outcomes[id] = e
	if d.ends = append(d.ends, id); len(d.ends) > maxOutcomes {
		delete(d.outcomes, d.ends[0])
		d.ends = d.ends[1:]
	}
}
