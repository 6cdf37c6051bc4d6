package world

import (
	"context"
	"errors"
	"testing"
)

// TestRunTakesPointsInTurns interrupts a sweep after the first run of its last point:
// by then each point has had one, and none two.
func TestRunTakesPointsInTurns(t *testing.T) {
	t.Parallel()
	f := openFile(t, "faulty-small", "replications=2", "duration=1m", "workload.reply_share=${10%,20%,30%}")
	points := len(f.Points())
	if points != 3 {
		t.Fatalf("%d points, want 3", points)
	}
	ctx, cancel := context.WithCancel(t.Context())
	outs, err := Run(ctx, f, RunOptions{Progress: func(share float64) {
		if share >= 0.5 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	runs := map[string]int{}
	for _, out := range outs {
		runs[out.Replication.Point()]++
	}
	for p, n := range runs {
		if n != 1 {
			t.Errorf("%d runs of %s, want 1", n, p)
		}
	}
	if len(runs) < points-1 { // the last one may have been stopped at its end
		t.Errorf("%d of %d points had a run", len(runs), points)
	}
}
