package rooms

import (
	"context"
	"errors"
	"flag"
	"testing"
)

var commits = flag.Int("commits", 12, "commits in it")
var perUser = flag.Int("devices", 5, "devices of each of their users")
var members = flag.Int("members", 60, "members of the large room")

// TestCrowd fills a room, changes it and holds it to all checks.
func TestCrowd(t *testing.T) {
	res, err := Crowd{Seed: 1, Members: *members, Providers: 20, Devices: *perUser, Commits: *commits}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range res.Violations {
		t.Error(v)
	}
	t.Logf("%+v", *res)
}

// TestCrowdEnds holds that a run ends with its context, wherever it is.
func TestCrowdEnds(t *testing.T) {
	t.Parallel()
	for _, at := range []int{0, 1, 5} {
		ctx, cancel := context.WithCancel(t.Context())
		if at == 0 {
			cancel()
		}
		last := 0
		_, err := Crowd{Seed: 1, Members: 6, Providers: 2, Devices: 2, Commits: 1000, Progress: func(done, _ int) {
			if last = done; done == at {
				cancel()
			}
		}}.Run(ctx)
		cancel()
		if !errors.Is(err, context.Canceled) || last != at {
			t.Errorf("cancelled at Commit %d: ended at %d with %v", at, last, err)
		}
	}
}
