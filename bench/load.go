package bench

import (
	"context"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// Part has what f does, and what it starts, be counted in profiles as some part's, by the
// label "part".
func Part(name string, f func()) {
	pprof.Do(context.Background(), pprof.Labels("part", name), func(context.Context) { f() })
}

// Times are quantiles of how long something takes, in milliseconds.
type Times struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Quantiles sorts the list, which has at least one time.
func Quantiles(list []time.Duration) Times {
	slices.Sort(list)
	return Times{P50: Milliseconds(list[len(list)/2]), P99: Milliseconds(list[len(list)*99/100])}
}

// Milliseconds returns a time in milliseconds.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Median sorts the list, which has at least one number, and returns its median.
func Median(list []float64) float64 {
	slices.Sort(list)
	return (list[len(list)/2] + list[(len(list)-1)/2]) / 2
}

// TimedStore is a store that notes how much time commits take.
type TimedStore struct {
	store.Store
	spent atomic.Int64 // nanoseconds
}

// Commit implements [store.Store].
func (t *TimedStore) Commit(ctx context.Context, records []protocols.Record) error {
	start := time.Now()
	err := t.Store.Commit(ctx, records)
	t.spent.Add(int64(time.Since(start)))
	return err
}

// Spent returns how much time commits have taken.
func (t *TimedStore) Spent() time.Duration { return time.Duration(t.spent.Load()) }
