package des_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

func ExampleKernel() {
	k := des.New(1)
	hello := des.HandlerFunc(func(k *des.Kernel, ev des.Event) {
		fmt.Println(k.Now(), ev.Ref)
	})
	k.Schedule(2*des.Second, 0, hello, des.Event{Ref: "second"})
	k.Schedule(des.Second, 0, hello, des.Event{Ref: "first"})
	late := k.After(des.Hour, hello, des.Event{Ref: "never"})
	k.Cancel(late)
	k.RunUntil(des.Day)
	fmt.Println(k.Now(), k.Pending())
	// Output:
	// 1s first
	// 2s second
	// 24h0m0s 0
}

// entry is an event in the model: a list that is sorted anew whenever it is
// asked.
type entry struct {
	at   des.Time
	prio int8
	seq  uint64
	id   des.ID
}

func first(list []entry) int {
	best := slices.MinFunc(list, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.prio, b.prio), cmp.Compare(a.seq, b.seq))
	})
	return slices.Index(list, best)
}

// gaps are distances to the next event: equal times, one slot, cascades, beyond
// the wheel, the end of time.
var gaps = rapid.OneOf(
	rapid.Just(des.Time(0)),
	rapid.Map(rapid.Int64Range(0, 3), func(n int64) des.Time { return des.Time(n) }),
	rapid.Map(rapid.Int64Range(0, 5000), func(n int64) des.Time { return des.Time(n) }),
	rapid.Map(rapid.Int64Range(0, int64(des.Hour)), func(n int64) des.Time { return des.Time(n) }),
	rapid.Map(rapid.Int64Range(0, 30), func(n int64) des.Time { return des.Time(n) * des.Day }),
	rapid.Map(rapid.Int64Range(0, 3*365*24), func(n int64) des.Time { return des.Time(n) * des.Hour }),
	rapid.Map(rapid.IntRange(0, 62), func(n int) des.Time { return 1 << n }),
	rapid.Just(des.Never),
)

// TestKernelMatchesSortedList runs random programs on a kernel and on a sorted
// list. Bursts make runs spill and slots cascade.
func TestKernelMatchesSortedList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := des.New(0)
		var (
			list  []entry
			spent []des.ID // of events handled or cancelled
			got   []uint64
			seq   uint64
		)
		h := des.HandlerFunc(func(_ *des.Kernel, ev des.Event) {
			if ev.B != uint64(k.Now()) || ev.Kind != uint32(ev.A) || ev.Ref != any(ev.A) {
				t.Fatalf("event %d: handled at %d with %+v", ev.A, k.Now(), ev)
			}
			got = append(got, ev.A)
		})
		schedule := func(at des.Time, prio int8) {
			seq++
			id := k.Schedule(at, prio, h, des.Event{Kind: uint32(seq), A: seq, B: uint64(at), Ref: seq})
			list = append(list, entry{at, prio, seq, id})
		}
		expect := func() {
			i := first(list)
			e := list[i]
			if len(got) == 0 || got[0] != e.seq {
				t.Fatalf("handled %v first, want %d at %d", got, e.seq, e.at)
			}
			got = got[1:]
			spent = append(spent, e.id)
			list = slices.Delete(list, i, i+1)
		}
		t.Repeat(map[string]func(*rapid.T){
			"schedule": func(t *rapid.T) {
				schedule(k.Now().Add(gaps.Draw(t, "gap")), rapid.Int8().Draw(t, "prio"))
			},
			"burst": func(t *rapid.T) {
				n := rapid.IntRange(1, 300).Draw(t, "n")
				gap := gaps.Draw(t, "gap")
				step := rapid.SampledFrom([]des.Time{0, 1, 63, 64, 4096, des.Second}).Draw(t, "step")
				for i := range n {
					schedule(k.Now().Add(gap).Add(des.Time(i*7919%n)*step), int8(i%2))
				}
			},
			"step": func(t *rapid.T) {
				n := rapid.IntRange(1, 100).Draw(t, "n")
				for range n {
					if k.Step() != (len(list) > 0) {
						t.Fatalf("step with %d events left", len(list))
					}
					if len(list) > 0 {
						expect()
					}
				}
			},
			"run": func(t *rapid.T) {
				until := k.Now().Add(gaps.Draw(t, "gap"))
				k.RunUntil(until)
				if k.Now() != until {
					t.Fatalf("now %d after a run until %d", k.Now(), until)
				}
				for len(list) > 0 && list[first(list)].at <= until {
					expect()
				}
				if len(got) > 0 {
					t.Fatalf("handled %v after %d", got, until)
				}
			},
			"cancel": func(t *rapid.T) {
				if len(list) == 0 {
					t.Skip("nothing to cancel")
				}
				i := rapid.IntRange(0, len(list)-1).Draw(t, "i")
				n := rapid.IntRange(1, 200).Draw(t, "n")
				for ; n > 0 && i < len(list); n-- {
					if !k.Cancel(list[i].id) {
						t.Fatalf("event %d not cancelled", list[i].seq)
					}
					spent = append(spent, list[i].id)
					list = slices.Delete(list, i, i+1)
				}
			},
			"cancel spent": func(t *rapid.T) {
				if len(spent) == 0 {
					t.Skip("nothing is spent")
				}
				if id := rapid.SampledFrom(spent).Draw(t, "id"); k.Cancel(id) {
					t.Fatalf("cancelled %x, which is spent", id)
				}
			},
			"": func(t *rapid.T) {
				if k.Pending() != len(list) {
					t.Fatalf("pending %d, want %d", k.Pending(), len(list))
				}
			},
		})
		for len(list) > 0 {
			k.Step()
			expect()
		}
		if k.Step() {
			t.Fatal("an event is left")
		}
	})
}

// TestHandlersSchedule has handlers schedule at the time they run, before and
// after their own priority.
func TestHandlersSchedule(t *testing.T) {
	t.Parallel()
	k := des.New(0)
	var got []string
	note := des.HandlerFunc(func(_ *des.Kernel, ev des.Event) { got = append(got, ev.Ref.(string)) })
	k.Schedule(5, 0, des.HandlerFunc(func(k *des.Kernel, ev des.Event) {
		note(k, des.Event{Ref: "parent"})
		k.Schedule(5, 1, note, des.Event{Ref: "same time, later"})
		k.Schedule(5, 0, note, des.Event{Ref: "same time, same priority"})
		k.Schedule(5, -1, note, des.Event{Ref: "same time, before"})
	}), des.Event{})
	k.Schedule(5, 0, note, des.Event{Ref: "sibling"})
	k.Schedule(6, -128, note, des.Event{Ref: "next tick"})
	k.RunUntil(10)
	want := "parent, same time, before, sibling, same time, same priority, same time, later, next tick"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if k.Handled() != 6 {
		t.Errorf("handled %d events, want 6", k.Handled())
	}
}

// TestSparseThenDense schedules many events into the span of a run that was made
// for few, from within it.
func TestSparseThenDense(t *testing.T) {
	t.Parallel()
	const n = 100_000
	k := des.New(1)
	r := k.Stream("times")
	var last des.Time
	handled := 0
	h := des.HandlerFunc(func(k *des.Kernel, ev des.Event) {
		if k.Now() < last || des.Time(ev.A) != k.Now() {
			t.Fatalf("event for %d at %d after %d", ev.A, k.Now(), last)
		}
		last = k.Now()
		handled++
	})
	k.Schedule(des.Hour, 0, des.HandlerFunc(func(k *des.Kernel, _ des.Event) {
		for range n {
			at := k.Now() + des.Time(r.IntN(int(des.Minute)))
			k.Schedule(at, 0, h, des.Event{A: uint64(at)})
		}
	}), des.Event{})
	k.RunUntil(des.Day)
	if handled != n {
		t.Errorf("handled %d, want %d", handled, n)
	}
}

func TestScheduleInThePastPanics(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   des.Time
		h    des.Handler
		want string
	}{
		{"past", 9, des.HandlerFunc(func(*des.Kernel, des.Event) {}), "causality: event of kind 7 scheduled at 9 ns, before now (10 ns)"},
		{"negative", -1, des.HandlerFunc(func(*des.Kernel, des.Event) {}), "causality"},
		{"no handler", 10, nil, "without a handler"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := des.New(0)
			k.RunUntil(10)
			defer func() {
				if msg := fmt.Sprint(recover()); !strings.Contains(msg, c.want) {
					t.Errorf("panic %q, want %q in it", msg, c.want)
				}
				if k.Pending() != 0 {
					t.Errorf("%d events pending after the panic", k.Pending())
				}
			}()
			k.Schedule(c.at, 0, c.h, des.Event{Kind: 7})
		})
	}
}

func TestRunUntilThePast(t *testing.T) {
	t.Parallel()
	k := des.New(0)
	k.RunUntil(des.Second)
	k.RunUntil(des.Millisecond)
	if k.Now() != des.Second {
		t.Errorf("now %v, want 1s", k.Now())
	}
}

func TestZeroIDAndForeignIDs(t *testing.T) {
	t.Parallel()
	k := des.New(0)
	k.Schedule(1, 0, des.HandlerFunc(func(*des.Kernel, des.Event) {}), des.Event{})
	for _, id := range []des.ID{0, 2, 1 << 32, 1<<64 - 1, 1<<32 | 2, 2<<32 | 1} {
		if k.Cancel(id) {
			t.Errorf("cancelled %#x, which no event has", id)
		}
	}
}

func TestCancelWhileHandled(t *testing.T) {
	t.Parallel()
	k := des.New(0)
	var id des.ID
	id = k.Schedule(1, 0, des.HandlerFunc(func(k *des.Kernel, _ des.Event) {
		if k.Cancel(id) {
			t.Error("an event cancelled itself while being handled")
		}
	}), des.Event{})
	k.RunUntil(2)
}

type ring struct{ r *des.Rand }

func (h *ring) Handle(k *des.Kernel, ev des.Event) {
	k.Schedule(k.Now()+des.FromSeconds(h.r.Exp(1)), 0, h, ev)
	id := k.Schedule(k.Now()+des.FromSeconds(h.r.Exp(1e8)), 0, h, ev) // some beyond the wheel
	k.Cancel(id)
	id = k.Schedule(k.Now(), 0, h, ev)
	k.Cancel(id)
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	k := des.New(3)
	h := &ring{k.Stream("gaps")}
	for range 10_000 {
		k.Schedule(des.FromSeconds(h.r.Exp(1)), 0, h, des.Event{Ref: h})
	}
	for range 200_000 {
		k.Step()
	}
	if n := testing.AllocsPerRun(200_000, func() { k.Step() }); n != 0 {
		t.Errorf("%v allocations per event, want 0", n)
	}
}
