package des_test

import (
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

type hold struct {
	r    *des.Rand
	last des.Time
}

func (h *hold) Handle(k *des.Kernel, ev des.Event) {
	if k.Now() < h.last {
		panic("time went back")
	}
	h.last = k.Now()
	k.Schedule(k.Now()+des.Time(h.r.Exp(1e9)), 0, h, ev)
}

// BenchmarkHold is the hold model (Vaucher and Duval, "A comparison of
// simulation event list algorithms", CACM 18(4), 1975): n events pend, and each
// one handled schedules another after an exponential time. One operation is one
// event, draw included. Package bench compares this with container/heap.
func BenchmarkHold(b *testing.B) {
	for _, n := range []int{1e3, 1e4, 1e5, 1e6} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			k := des.New(1)
			h := &hold{r: k.Stream("gaps")}
			for range n {
				k.Schedule(des.Time(h.r.Exp(1e9)), 0, h, des.Event{})
			}
			for range 2 * n {
				k.Step()
			}
			for b.Loop() {
				k.Step()
			}
			if k.Pending() != n {
				b.Fatalf("%d events pend, want %d", k.Pending(), n)
			}
		})
	}
}

// BenchmarkScheduleCancel schedules a timer among 10^5 and cancels it. One
// operation is one timer.
func BenchmarkScheduleCancel(b *testing.B) {
	b.ReportAllocs()
	k := des.New(1)
	h := &hold{r: k.Stream("gaps")}
	for range 100_000 {
		k.Schedule(des.Time(h.r.Exp(1e9)), 0, h, des.Event{})
	}
	for b.Loop() {
		if !k.Cancel(k.Schedule(des.Time(h.r.Exp(1e9)), 0, h, des.Event{})) {
			b.Fatal("not cancelled")
		}
	}
}

// BenchmarkRand draws; one operation is one number.
func BenchmarkRand(b *testing.B) {
	r := des.NewStream(1, "bench")
	b.Run("Uint64", func(b *testing.B) {
		for b.Loop() {
			r.Uint64()
		}
	})
	b.Run("Exp", func(b *testing.B) {
		for b.Loop() {
			r.Exp(1)
		}
	})
	b.Run("Normal", func(b *testing.B) {
		for b.Loop() {
			r.Normal(0, 1)
		}
	})
}

// BenchmarkNewStream makes streams by name; one operation is one stream.
func BenchmarkNewStream(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		des.NewStream(1, "link/user-123456/gatekeeper-1")
	}
}
