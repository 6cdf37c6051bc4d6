package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// meanGap is the mean time from an event of the hold model to the one that it
// schedules, in nanoseconds of virtual time. Only its size against the wheel's
// tick matters, and hardly.
const meanGap = 1e9

// holder is the one handler of a hold model. It checks the order and folds what
// it handles into a digest, which has to be the same for both queues.
type holder struct {
	r      *des.Rand
	last   des.Time
	seq    uint64 // of the last event
	next   uint64 // of the next to be scheduled
	back   uint64 // events that came out of order
	digest uint64
}

func newHolder(seed uint64, pending int) *holder {
	return &holder{r: des.NewStream(seed, fmt.Sprintf("bench/hold/%d", pending))}
}

// gap returns the time to the next event and its number.
func (h *holder) gap() (des.Time, uint64) {
	h.next++
	return des.Time(h.r.Exp(meanGap)), h.next
}

func (h *holder) note(now des.Time, seq uint64) {
	if now < h.last || now == h.last && seq < h.seq {
		h.back++
	}
	h.last, h.seq = now, seq
	h.digest = (h.digest ^ uint64(now) ^ seq<<1) * 0x100000001b3 // FNV-1a's prime
}

func (h *holder) Handle(k *des.Kernel, ev des.Event) {
	h.note(k.Now(), ev.A)
	gap, seq := h.gap()
	k.Schedule(k.Now()+gap, 0, h, des.Event{A: seq})
}

func (h *holder) handleHeap(k *heapKernel, ev des.Event) {
	h.note(k.now, ev.A)
	gap, seq := h.gap()
	k.schedule(k.now+gap, h, des.Event{A: seq})
}

// holdRun is a hold model on one of the two queues: n events pend, each one
// handled schedules another (Vaucher and Duval, "A comparison of simulation
// event list algorithms", CACM 18(4), 1975).
type holdRun struct {
	*holder
	step  func() bool
	spent time.Duration
}

func newHoldRuns(seed uint64, pending int) (wheel, heap *holdRun) {
	k, h := des.New(seed), newHolder(seed, pending)
	for range pending {
		gap, seq := h.gap()
		k.Schedule(gap, 0, h, des.Event{A: seq})
	}
	b, g := new(heapKernel), newHolder(seed, pending)
	for range pending {
		gap, seq := g.gap()
		b.schedule(gap, g, des.Event{A: seq})
	}
	return &holdRun{holder: h, step: k.Step}, &holdRun{holder: g, step: b.step}
}

// batch handles n events on the clock.
func (r *holdRun) batch(n int) time.Duration {
	start := time.Now()
	for range n {
		r.step()
	}
	spent := time.Since(start)
	r.spent += spent
	return spent
}

// HoldResult compares the two queues at one number of pending events.
type HoldResult struct {
	Pending   int     `json:"pending"`    // events waiting
	Events    int     `json:"events"`     // events handled by each queue on the clock
	WheelNS   float64 `json:"wheel_ns"`   // sim/des, nanoseconds per event, draw included
	HeapNS    float64 `json:"heap_ns"`    // container/heap, the same
	Speedup   float64 `json:"speedup"`    // HeapNS / WheelNS
	WheelRate float64 `json:"wheel_rate"` // events per second
}

// runHold runs both queues in turns of a batch each, so that what else the
// machine does meets both alike, and takes the median turn.
func runHold(ctx context.Context, o Options, pending int) (HoldResult, error) {
	wheel, heap := newHoldRuns(o.Seed, pending)
	batch := max(pending/2, 20_000)
	for range 2*pending/batch + 2 { // until the pending events' ages are the model's own
		wheel.batch(batch)
		heap.batch(batch)
	}
	var ws, hs []time.Duration
	for wheel.spent, heap.spent = 0, 0; len(ws) < 5 || wheel.spent+heap.spent < o.Time; {
		if err := ctx.Err(); err != nil {
			return HoldResult{}, err
		}
		ws, hs = append(ws, wheel.batch(batch)), append(hs, heap.batch(batch))
	}
	switch {
	case wheel.back > 0:
		return HoldResult{}, fmt.Errorf("bench: engine: %d events of the wheel out of order at %d pending", wheel.back, pending)
	case heap.back > 0:
		return HoldResult{}, fmt.Errorf("bench: engine: %d events of the heap out of order at %d pending", heap.back, pending)
	case wheel.digest != heap.digest:
		return HoldResult{}, fmt.Errorf("bench: engine: wheel and heap handled different events at %d pending: digest %#x and %#x", pending, wheel.digest, heap.digest)
	}
	w := float64(median(ws)) / float64(batch)
	h := float64(median(hs)) / float64(batch)
	return HoldResult{Pending: pending, Events: batch * len(ws), WheelNS: w, HeapNS: h, Speedup: h / w, WheelRate: 1e9 / w}, nil
}
