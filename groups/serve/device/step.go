package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols"
)

// maxBatch bounds the deliveries that are made durable in one transaction.
const maxBatch = 64

// batch is what steps ask for.
type batch struct {
	records   []protocols.Record
	events    []Event
	errands   []errand
	creations []member.Creation
	calls     []follower.Call
	acks      []follower.Ack
	used      bool // a KeyPackage was used
}

// step steps the machine and makes what comes of all inputs durable at once. Then it
// does what they ask for, and tells of them. It returns the number of the last
// intention that they began, and the errors of inputs that were refused; err says that
// the device has stopped.
func (d *Device) step(inputs ...member.Input) (id uint64, refused []error, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stepLocked(inputs...)
}

// stepLocked is step for a caller that holds the lock.
func (d *Device) stepLocked(inputs ...member.Input) (id uint64, refused []error, err error) {
	if d.stopped != nil {
		return 0, nil, d.stopped
	}
	now := d.cfg.Now()
	before := d.head
	b := &batch{}
	for _, in := range inputs {
		out, err := d.member.Step(now, in)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		if out.ID != 0 {
			id = out.ID
			d.open[id] = true
			b.records = append(b.records, protocols.Record{Key: openKey(id), Value: []byte{1}})
		}
		if err := d.take(b, now, &out); err != nil {
			return 0, nil, d.stop(err)
		}
		d.wakeAt = out.WakeAt
		b.used = b.used || d.used(&out)
	}
	if d.head != before {
		b.records = append(b.records, protocols.Record{Key: headKey, Value: mustJSON(d.head)})
	}
	if len(b.records) > 0 {
		// There is no way back from a step, so that nothing may end its commit early.
		if err := d.cfg.Store.Commit(context.Background(), b.records); err != nil {
			return 0, nil, d.stop(err)
		}
	}
	d.events = append(d.events, b.events...)
	d.errands = append(d.errands, b.errands...)
	d.uncount = d.uncount || b.used
	for _, e := range b.events {
		if id := member.Outcome(e.Event); id != 0 {
			d.ended(id, e)
		}
	}
	d.signal()
	if d.conn != nil {
		d.conn.perform(b)
	}
	return id, refused, nil
}

// take adds what a step asks for. The slices of an output are the machine's until its
// next step.
func (d *Device) take(b *batch, now time.Time, out *member.Output) error {
	for _, r := range out.Persist {
		b.records = append(b.records, protocols.Record{Key: memberPrefix + r.Key, Value: r.Value})
	}
	for _, e := range out.Events {
		d.head.Event++
		value, err := marshalEvent(now, e)
		if err != nil {
			return err
		}
		// What the application is told is what it would be told after a restart.
		told, err := parseEvent(d.head.Event, value)
		if err != nil {
			return err
		}
		b.events = append(b.events, told)
		b.records = append(b.records, protocols.Record{Key: eventKey(told.N), Value: value})
		if id := member.Outcome(e); id != 0 {
			b.records = append(b.records, protocols.Record{Key: openKey(id)})
		}
	}
	for _, p := range out.Publish {
		d.errand(b, errand{Publish: p.KeyPackages})
	}
	for _, l := range out.Leaves {
		d.errand(b, errand{Leave: &l})
	}
	b.creations = append(b.creations, out.Creations...)
	b.calls = append(b.calls, out.Calls...)
	b.acks = append(b.acks, out.Acks...)
	return nil
}

// used reports whether a step has used a KeyPackage up, in place of which there is to be
// another.
func (d *Device) used(out *member.Output) bool {
	return d.cfg.KeyPackages > 0 && slices.ContainsFunc(out.Events, func(e member.Event) bool {
		j, ok := e.(member.Joined)
		return ok && !j.By.IsZero()
	})
}

// stop ends the device, whose machine is ahead of its store. The caller holds the lock.
func (d *Device) stop(why error) error {
	if d.stopped == nil {
		d.stopped = fmt.Errorf("%w: %w", ErrStopped, why)
		d.log.Error("stopped", "error", why)
		d.signal()
	}
	return d.stopped
}

// deliver takes deliveries in their order.
func (d *Device) deliver(list []follower.Delivery) error {
	inputs := make([]member.Input, len(list))
	for i, in := range list {
		inputs[i] = member.Delivered{Room: in.Room, Seq: in.Seq, About: in.About, Body: in.Body}
	}
	_, refused, err := d.step(inputs...)
	if len(refused) > 0 {
		d.log.Warn("deliveries that are none", "error", errors.Join(refused...))
	}
	return err
}
