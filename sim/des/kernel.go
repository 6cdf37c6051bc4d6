package des

import "fmt"

// Event is what a [Handler] is given. The kernel does not look inside; the
// fields are there so that an event needs no allocation. Ref holds anything
// larger, best a pointer, which an interface carries without allocating.
type Event struct {
	Kind uint32
	A, B uint64
	Ref  any
}

// Handler takes an event when its time has come: k.Now() is the time it was
// scheduled for. It may schedule and cancel events.
type Handler interface {
	Handle(k *Kernel, ev Event)
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(k *Kernel, ev Event)

// Handle calls f.
func (f HandlerFunc) Handle(k *Kernel, ev Event) { f(k, ev) }

// ID names a scheduled event, to cancel it. The zero ID names none. IDs are
// reused only after 2^32 later events, so one may be kept past its event's end.
type ID uint64

// Kernel is a virtual clock with its event queue and random streams. The
// constructor [New] is the only way in.
type Kernel struct {
	now     Time
	order   uint64 // sequence number of the youngest event
	done    uint64
	queue   queue
	seed    uint64
	streams map[string]*Rand
}

// New returns a kernel at time 0 without events. All streams derive from seed.
func New(seed uint64) *Kernel {
	k := &Kernel{seed: seed, streams: make(map[string]*Rand)}
	k.queue.init()
	return k
}

// Now returns the virtual time: that of the event being handled, or where
// [Kernel.RunUntil] has left the clock.
func (k *Kernel) Now() Time { return k.now }

// Pending returns the number of scheduled events.
func (k *Kernel) Pending() int { return k.queue.live }

// Handled returns the number of events handled so far.
func (k *Kernel) Handled() uint64 { return k.done }

// Seed returns the seed given to [New].
func (k *Kernel) Seed() uint64 { return k.seed }

// Schedule has h handle ev at the time at. Of events at the same time those
// with the smaller prio go first, and of those the ones scheduled first.
// Scheduling at k.Now() is allowed, also for a priority before that of the
// event being handled: it is next. Scheduling in the past is a defect of the
// caller and panics.
func (k *Kernel) Schedule(at Time, prio int8, h Handler, ev Event) ID {
	if at < k.now {
		panic(fmt.Sprintf("des: causality: event of kind %d scheduled at %d ns, before now (%d ns)", ev.Kind, at, k.now))
	}
	if h == nil {
		panic("des: event scheduled without a handler")
	}
	k.order++
	// The order of events at one time, in one number: 8 bits of priority, 56 bits
	// of sequence. At 10^7 events a second, 56 bits last 228 years.
	order := uint64(uint8(prio)^0x80)<<56 | k.order
	i := k.queue.add(at, order, h, ev)
	return ID(uint64(uint32(order))<<32 | uint64(i+1))
}

// After is [Kernel.Schedule] with a time from now on and priority 0. d must not
// be negative; beyond [Never] it is Never.
func (k *Kernel) After(d Time, h Handler, ev Event) ID {
	return k.Schedule(k.now.Add(d), 0, h, ev)
}

// Cancel withdraws an event and reports whether there was something to
// withdraw: false if it was handled (or is being handled) or cancelled before.
func (k *Kernel) Cancel(id ID) bool {
	return k.queue.cancel(int32(uint32(id))-1, uint32(id>>32))
}

// Step handles the next event and reports whether there was one.
func (k *Kernel) Step() bool { return k.step(Never) }

// RunUntil handles all events up to and including time t and leaves the clock
// at t. A t in the past changes nothing.
func (k *Kernel) RunUntil(t Time) {
	for k.step(t) {
	}
	k.now = max(k.now, t)
}

// step handles the next event if it is due by until.
func (k *Kernel) step(until Time) bool {
	e, ok := k.queue.next(until)
	if !ok {
		return false
	}
	k.now = e.at
	k.done++
	h, ev := k.queue.take(e.node)
	h.Handle(k, ev)
	return true
}

// Stream returns the stream of that name, the same one for every call with that
// name. To hold very many streams, keep those of [NewStream] in the model
// instead: the kernel never forgets one.
func (k *Kernel) Stream(name string) *Rand {
	r := k.streams[name]
	if r == nil {
		r = NewStream(k.seed, name)
		k.streams[name] = r
	}
	return r
}
