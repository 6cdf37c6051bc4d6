package rooms

import (
	"context"
	"slices"
	"sync"
)

// Try runs a trial with many seeds, from its own on, several at the same time, and
// returns the results in the order of the seeds. progress, if it is not nil, is told what
// share is done. When ctx ends, those that have begun come to their end.
func Try(ctx context.Context, t Trial, seeds, workers int, progress func(share float64)) ([]*Result, error) {
	results := make([]*Result, seeds)
	next := make(chan int)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex // guards done, and calls of progress
	done := 0
	var wg sync.WaitGroup
	for range max(1, workers) {
		wg.Go(func() {
			for i := range next {
				one := t
				one.Seed += uint64(i)
				res, err := one.Run()
				if err != nil {
					cancel(err)
					continue
				}
				results[i] = res
				mu.Lock()
				if done++; progress != nil {
					progress(float64(done) / float64(seeds))
				}
				mu.Unlock()
			}
		})
	}
feed:
	for i := range seeds {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return slices.DeleteFunc(results, func(r *Result) bool { return r == nil }), context.Cause(ctx)
}

// Shrink looks for less that still breaks a check which a trial breaks: it leaves out kinds
// of faults, and then steps, as many as it can. It runs the trial some hundred times at
// most. What it returns is the trial itself if that breaks nothing.
func (t Trial) Shrink() (Trial, error) {
	whole, err := t.Run()
	if err != nil || whole.Violated == 0 {
		return t, err
	}
	want := whole.Violations[0].Check
	try := func(u Trial) bool {
		res, err := u.Run()
		return err == nil && slices.ContainsFunc(res.Violations, func(v Violation) bool { return v.Check == want })
	}
	for _, less := range []func(*Trial){
		func(u *Trial) { u.Calm = true }, func(u *Trial) { u.NoCrashes = true }, func(u *Trial) { u.NoCuts = true }, func(u *Trial) { u.NoLoss = true },
	} {
		u := t
		if less(&u); try(u) {
			t = u
		}
	}
	for u := t; u.Steps > 1; { // the last steps
		if u.Steps = u.Steps * 3 / 4; !try(u) {
			break
		}
		t = u
	}
	// Then ever shorter runs of steps (Zeller and Hildebrandt, "Simplifying and isolating
	// failure-inducing input", IEEE TSE 28(2), 2002, without its complements).
	for n := t.Steps / 2; n > 0; n /= 2 {
		for from := 0; from < t.Steps; from += n {
			u := t
			u.Without = slices.Clone(t.Without)
			for i := from; i < min(from+n, t.Steps); i++ {
				if !slices.Contains(u.Without, i) {
					u.Without = append(u.Without, i)
				}
			}
			if len(u.Without) > len(t.Without) && try(u) {
				slices.Sort(u.Without)
				t = u
			}
		}
	}
	return t, nil
}
