package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options are those of [Engine].
type Options struct {
	Seed    uint64        // of all streams
	Pending []int         // sizes of the hold model; nil is 10^3, 10^4, 10^5, 10^6
	Time    time.Duration // on the clock for each size and for the model; 0 is a second

	// Progress, if not nil, is called before each of the parts of the run with
	// their number, and after the last with done == total.
	Progress func(done, total int, what string)
}

// EngineResult is what [Engine] measures.
type EngineResult struct {
	Seed  uint64       `json:"seed"`
	Go    string       `json:"go"`
	CPUs  int          `json:"cpus"`
	Arch  string       `json:"arch"`
	Hold  []HoldResult `json:"hold"`
	Model ModelResult  `json:"model"`
}

// Engine measures the event kernel: the hold model at several sizes against
// container/heap, and a model of M/M/1 queues. It runs on one core and checks
// that both queues handle the same events in order and that the model agrees
// with theory; if not, it returns an error. On a cancelled ctx it returns the
// parts that are whole, with ctx's error.
func Engine(ctx context.Context, o Options) (EngineResult, error) {
	if o.Pending == nil {
		o.Pending = []int{1e3, 1e4, 1e5, 1e6}
	}
	if o.Time == 0 {
		o.Time = time.Second
	}
	res := EngineResult{Seed: o.Seed, Go: runtime.Version(), CPUs: runtime.NumCPU(), Arch: runtime.GOOS + "/" + runtime.GOARCH}
	for _, n := range o.Pending {
		if n < 1 || n > 1e8 {
			return res, fmt.Errorf("bench: engine: %d pending events, want 1 to 10^8", n)
		}
	}
	if o.Time < 0 {
		return res, errors.New("bench: engine: negative time, want at least 0")
	}
	progress := o.Progress
	if progress == nil {
		progress = func(int, int, string) {}
	}
	total := len(o.Pending) + 1
	for i, n := range o.Pending {
		progress(i, total, fmt.Sprintf("hold model, %d pending", n))
		h, err := runHold(ctx, o, n)
		if err != nil {
			return res, err
		}
		res.Hold = append(res.Hold, h)
	}
	progress(total-1, total, "M/M/1 queues")
	m, err := runModel(ctx, o)
	if err != nil {
		return res, err
	}
	res.Model = m
	progress(total, total, "done")
	return res, nil
}

// Table renders the result for a terminal of 80 columns.
func (r EngineResult) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Event kernel, wall clock, one core of %d (%s, %s), seed %d\n\n", r.CPUs, r.Go, r.Arch, r.Seed)
	fmt.Fprintf(&b, "%14s  %12s  %14s  %8s  %14s\n", "hold model", "sim/des", "container/heap", "speed-up", "sim/des")
	fmt.Fprintf(&b, "%14s  %12s  %14s  %8s  %14s\n", "pending events", "ns per event", "ns per event", "", "events per s")
	for _, h := range r.Hold {
		fmt.Fprintf(&b, "%14s  %12.0f  %14.0f  %7.1fx  %14s\n", grouped(h.Pending), h.WheelNS, h.HeapNS, h.Speedup, grouped(int(h.WheelRate)))
	}
	if m := r.Model; m.Events > 0 {
		fmt.Fprintf(&b, "\n%s M/M/1 queues with draws and statistics: %.0f ns per event,\n", grouped(m.Stations), m.EventNS)
		fmt.Fprintf(&b, "%s events per second and core. Customers in the system: %.4f,\n", grouped(int(m.Rate)), m.MeanN)
		fmt.Fprintf(&b, "standard error %.4f; theory: %.4f, %.1f standard errors away.\n", m.MeanNSE, m.TheoryN, m.Deviation())
		fmt.Fprintf(&b, "More than %d, one right run in %s, would have been refused.\n", refused, grouped(refusedOnce))
	}
	return b.String()
}

// grouped writes n with its digits in groups of three.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

func median(xs []time.Duration) time.Duration {
	xs = slices.Sorted(slices.Values(xs))
	return (xs[len(xs)/2] + xs[(len(xs)-1)/2]) / 2
}
