package world

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/sim/report"
	"github.com/mimi-lab/mimi-lab/sim/scenario"
)

// RunOptions says how [Run] and [Check] go about their runs.
type RunOptions struct {
	// Workers is how many runs go on at the same time; 0 is 1. Results do not depend
	// on it.
	Workers int
	// Ledger says whether to count what each party learns.
	Ledger bool
	// Digest says whether to compute [Outcome.Digest].
	Digest bool
	// Progress is called now and then, from one goroutine at a time, with how much of
	// the work is done, 0 to 1; nil for none.
	Progress func(share float64)
}

// Run simulates every point of a file as often as it has replications. Replication i
// of every point runs with the scenario's seed plus i, so that points are compared
// under the same luck (common random numbers).
//
// Every point gets its first replication before any gets its second. So the dear
// points and the cheap ones are done in turns, and the share that Progress is told
// grows evenly; and if ctx ends, no point is much behind another. Run then returns
// the runs that came to their end, in order, with ctx's error.
func Run(ctx context.Context, f *scenario.File, o RunOptions) ([]*Outcome, error) {
	var jobs []job
	for _, p := range f.Points() {
		sc := p.Scenario
		for i := range sc.Replications {
			jobs = append(jobs, job{&sc, PointLabels(p).String(), i, sc.Seed + uint64(i)})
		}
	}
	return work(ctx, jobs, o)
}

// Check simulates the first point of a file with n seeds, from first on. It is meant
// for scenarios with checks; the outcomes carry the violations.
func Check(ctx context.Context, f *scenario.File, first uint64, n int, o RunOptions) ([]*Outcome, error) {
	sc := f.Points()[0].Scenario
	jobs := make([]job, n)
	for i := range jobs {
		jobs[i] = job{&sc, "", i, first + uint64(i)}
	}
	return work(ctx, jobs, o)
}

// PointLabels names a point for results: its study, and its place on each axis. An
// axis goes by the last part of its path if that is unique, and a percentage by its
// share of 1.
func PointLabels(p scenario.Point) report.Labels {
	l := report.NewLabels("study", p.Study)
	for _, a := range p.Labels {
		name := a.Path[strings.LastIndexByte(a.Path, '.')+1:]
		if _, taken := l.Get(name); taken {
			name = a.Path
		}
		value := a.Value
		if number, ok := strings.CutSuffix(value, "%"); ok {
			if x, err := strconv.ParseFloat(number, 64); err == nil {
				value = strconv.FormatFloat(x/100, 'g', 12, 64)
			}
		}
		l = l.With(name, value)
	}
	return l
}

// Modelled reports whether a scenario's adapter has true sizes but no cryptography.
func Modelled(sc *scenario.Scenario) bool {
	a, err := adapters.ByName(sc.Adapter)
	return err == nil && a.Claims().Modelled
}

// job is one run to do.
type job struct {
	sc    *scenario.Scenario
	point string
	index int
	seed  uint64
}

// work does the jobs and returns the outcomes of those that came to their end, in
// the order of the jobs.
func work(ctx context.Context, jobs []job, o RunOptions) ([]*Outcome, error) {
	outcomes := make([]*Outcome, len(jobs))
	errs := make([]error, len(jobs))
	next := make(chan int)
	p := &progress{report: o.Progress, share: make([]float64, len(jobs))}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	var wg sync.WaitGroup
	for range max(1, o.Workers) {
		wg.Go(func() {
			for i := range next {
				outcomes[i], errs[i] = jobs[i].do(ctx, o, func(share float64) { p.set(i, share) })
				if errs[i] != nil {
					cancel(errs[i]) // the others can't save the run
				}
			}
		})
	}
feed:
	for _, i := range turns(jobs) {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()

	var done []*Outcome
	for i, out := range outcomes {
		if err := errs[i]; err != nil && !errors.Is(err, ErrStopped) {
			return nil, err
		}
		if out != nil {
			done = append(done, out)
		}
	}
	if len(done) < len(jobs) {
		return done, ctx.Err()
	}
	return done, nil
}

// turns is the order in which jobs begin: by their index, so by replication.
func turns(jobs []job) []int {
	order := make([]int, len(jobs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(jobs[a].index, jobs[b].index) })
	return order
}

func (j job) do(ctx context.Context, o RunOptions, progress func(float64)) (*Outcome, error) {
	return Simulate(j.sc, j.point, j.index, j.seed, Options{
		Ledger: o.Ledger, Digest: o.Digest,
		Progress: func(share float64) bool {
			progress(share)
			return ctx.Err() == nil
		},
	})
}

// progress adds the shares of all jobs up.
type progress struct {
	report func(float64)

	mu    sync.Mutex // guards what follows, and calls of report
	share []float64
	sum   float64
}

func (p *progress) set(i int, share float64) {
	if p.report == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum += share - p.share[i]
	p.share[i] = share
	p.report(p.sum / float64(len(p.share)))
}
