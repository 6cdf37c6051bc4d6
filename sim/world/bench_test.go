package world

import (
	"os"
	"runtime/pprof"

	"runtime"
	"testing"
	"time"
)

// benchmarkScenario runs a whole scenario once per iteration and reports the
// messages it simulates per second of wall-clock time, and its peak heap.
func benchmarkScenario(b *testing.B, name string, wantMessages int64) {
	sc := load(b, name)
	for b.Loop() {
		var peak uint64
		start := time.Now()
		out, err := Simulate(sc, "", 0, sc.Seed, Options{Progress: func(share float64) bool {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			dumpHeap(share)
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

func BenchmarkScaleDay(b *testing.B)  { benchmarkScenario(b, "scale-day", 1_000_000) }
func BenchmarkCrypto20k(b *testing.B) { benchmarkScenario(b, "crypto-20k", 20_000) }

func dumpHeap(share float64) {
	if share < 0.99 || os.Getenv("HEAP") == "" {
		return
	}
	f, _ := os.Create(os.Getenv("HEAP"))
	runtime.GC()
	pprof.WriteHeapProfile(f)
	f.Close()
	os.Setenv("HEAP", "")
}
