package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/bench"
)

func ExampleEngine() {
	res, err := bench.Engine(context.Background(), bench.Options{Seed: 1, Pending: []int{1000}, Time: time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(res.Hold), "sizes,", res.Model.Stations, "stations")
	// Output: 1 sizes, 1000 stations
}

func TestEngine(t *testing.T) {
	t.Parallel()
	var steps []string
	res, err := bench.Engine(t.Context(), bench.Options{
		Seed: 7, Pending: []int{1, 100, 5000}, Time: time.Millisecond,
		Progress: func(done, total int, what string) { steps = append(steps, fmt.Sprintf("%d/%d %s", done, total, what)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "0/4 hold model, 1 pending|1/4 hold model, 100 pending|2/4 hold model, 5000 pending|3/4 M/M/1 queues|4/4 done"
	if got := strings.Join(steps, "|"); got != want {
		t.Errorf("progress\n%s, want\n%s", got, want)
	}
	for _, h := range res.Hold {
		if h.WheelNS <= 0 || h.HeapNS <= 0 || h.Speedup <= 0 || h.Events < 100_000 {
			t.Errorf("%d pending: %+v", h.Pending, h)
		}
	}
	if res.Model.Rate <= 0 {
		t.Errorf("model: %+v", res.Model)
	}
	for line := range strings.Lines(res.Table()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if want := fmt.Sprintf(" %.1f standard errors away.\nMore than 5, one right run in 1 700 000, would have been refused.", res.Model.Deviation()); !strings.Contains(res.Table(), want) {
		t.Errorf("table without %q:\n%s", want, res.Table())
	}
	out, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	var back bench.EngineResult
	if err := json.Unmarshal(out, &back); err != nil || back.Model != res.Model || len(back.Hold) != len(res.Hold) {
		t.Errorf("JSON %s came back as %+v, %v", out, back, err)
	}
}

func TestEngineCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	res, err := bench.Engine(ctx, bench.Options{Pending: []int{10, 20, 30}, Time: time.Millisecond, Progress: func(done, _ int, _ string) {
		if done == 1 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || len(res.Hold) != 1 {
		t.Errorf("%d sizes and error %v, want 1 and %v", len(res.Hold), err, context.Canceled)
	}
}

func TestEngineOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]bench.Options{
		"no events":     {Pending: []int{0}},
		"too many":      {Pending: []int{1e9}},
		"negative time": {Time: -1},
	} {
		if _, err := bench.Engine(t.Context(), o); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// BenchmarkEngine is what "mimi-lab bench engine" measures, as metrics.
func BenchmarkEngine(b *testing.B) {
	for b.Loop() {
		res, err := bench.Engine(b.Context(), bench.Options{Seed: 1, Pending: []int{1e5}, Time: time.Second})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(res.Hold[0].Speedup, "x-heap")
		b.ReportMetric(res.Model.Rate, "model-events/s")
	}
}
