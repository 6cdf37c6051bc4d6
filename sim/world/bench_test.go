package world

import (
	"runtime"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// benchmarkScenario runs a whole scenario once per iteration and reports the
// messages it simulates per second of wall-clock time, and its peak heap.
func benchmarkScenario(b *testing.B, name string, wantMessages int64) {
	f, err := scenario.Open(name) // with its own adapter
	if err != nil {
		b.Fatal(err)
	}
	sc := &f.Points()[0].Scenario
	if _, err := adapters.ByName(sc.Adapter); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		var peak uint64
		start := time.Now()
		out, err := Simulate(sc, "", 0, sc.Seed, Options{Progress: func(float64) bool {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			return true
		}})
		if err != nil {
			b.Fatal(err)
		}
		if out.Violated > 0 {
			b.Fatalf("%d violations, first %v", out.Violated, out.Violations[0])
		}
		if out.Messages < wantMessages*95/100 {
			b.Fatalf("%d messages, want about %d", out.Messages, wantMessages)
		}
		b.ReportMetric(float64(out.Messages)/time.Since(start).Seconds(), "messages/s")
		b.ReportMetric(float64(out.Messages), "messages")
		b.ReportMetric(float64(out.Events)/float64(out.Messages), "events/message")
		b.ReportMetric(float64(peak)/(1<<30), "peak-heap-GiB")
	}
}

// BenchmarkScaleDay is a day of 100 000 users with a million messages. To see it on
// one core and within 4 GB:
//
//	GOMAXPROCS=1 GOGC=off GOMEMLIMIT=3400MiB GODEBUG=gcstoptheworld=1 \
//	    go test ./sim/world -run '^$' -bench ScaleDay -benchtime 1x -timeout 20m
//
// On one core a collection that runs beside the simulation takes as long as one that
// stops it, and the barriers and what is allocated meanwhile come on top.
func BenchmarkScaleDay(b *testing.B) { benchmarkScenario(b, "scale-day", 1_000_000) }

// BenchmarkCrypto20k is twenty thousand messages with real Signal cryptography.
func BenchmarkCrypto20k(b *testing.B) { benchmarkScenario(b, "crypto-20k", 20_000) }
