package rooms

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
)

// TestRun: every row is measured, in both stores and two rooms, and drawn.
func TestRun(t *testing.T) {
	var profile bytes.Buffer
	res, err := Run(t.Context(), Options{
		Followers: []int{1, 3}, Clients: []int{1, 2}, Rooms: 2, Messages: 41, UnderWay: 10, Time: 1, Dir: t.TempDir(), Profile: &profile,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rows) != 6 || res.Body < 200 || profile.Len() == 0 {
		t.Errorf("%d rows with bodies of %d bytes and %d of a profile, want 6 rows, and more than 200 bytes", len(res.Rows), res.Body, profile.Len())
	}
	for _, r := range res.Rows {
		for _, v := range []float64{
			r.Accepted, r.Delivered, r.Empty, r.RatioAccepted, r.RatioDelivered, r.AcceptedTimes.P50, r.DeliveredTimes.P50, r.EmptyTimes.P50,
			r.Commits, r.Records, r.Followed, r.CommitMS,
		} {
			if v <= 0 {
				t.Errorf("row %+v, want more than 0 everywhere", r)
				break
			}
		}
		// Nothing reaches the clients before it is accepted, and followers acknowledge
		// what they have.
		if r.Delivered > r.Accepted || r.Batch < 1 || r.Rounds < minRounds || r.AcceptedTimes.P99 < r.AcceptedTimes.P50 {
			t.Errorf("row %+v", r)
		}
	}
	for line := range strings.Lines(res.Table()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
	var names []string
	for _, f := range res.Figures() {
		names = append(names, f.Name)
		if _, err := f.SVG(); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	want := []string{
		"rooms-rate-by-followers", "rooms-ratio-by-followers", "rooms-time-by-followers",
		"rooms-rate-by-clients", "rooms-ratio-by-clients", "rooms-time-by-clients",
	}
	if !slices.Equal(names, want) {
		t.Errorf("figures %q, want %q", names, want)
	}
}

// TestCheck: what is out of bounds is refused before anything starts.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"default", Options{}, ""},
		{"followers", Options{Followers: []int{0}}, "0 followers, want 1 to"},
		{"clients", Options{Clients: []int{1, 1001}}, "1001 clients of a follower, want 1 to"},
		{"members", Options{Followers: []int{20}, Clients: []int{100}}, "are 2020, want at most"},
		{"store", Options{Stores: []Store{"disk"}}, `store "disk", want sqlite or memory`},
		{"under way", Options{UnderWay: 251}, "251 requests under way, want 1 to 250"},
		{"time", Options{Time: -1}, "negative time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.o.Check()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestVerdict: what must not happen is found.
func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name string
		harm func(*world)
		want string
	}{
		{"nothing", func(*world) {}, ""},
		{"another order", func(w *world) { w.receivers[1].feeds[w.rooms[0].uri].order++ }, "in the order in which they were accepted"},
		{"one more", func(w *world) { w.receivers[2].feeds[w.rooms[0].uri].count++ }, "and only 25 were sent"},
		{"a gap", func(w *world) { w.receivers[1].feeds[w.rooms[0].uri].seq-- }, "follows"},
		{"not the same bytes", func(w *world) {
			f := w.receivers[1].feeds[w.rooms[0].uri]
			f.bodies = append(f.bodies, make([]byte, 20))
		}, "different messages"},
		{"not a member", func(w *world) { w.reader = w.senders[0].device }, "opens"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			w := &world{ctx: ctx, stop: stop, dir: t.TempDir(), point: point{Memory, 2, 1}}
			defer func() {
				if err := w.close(); err != nil {
					t.Error(err)
				}
			}()
			if err := w.build(1); err != nil {
				t.Fatal(err)
			}
			if _, err := w.round(5, 5); err != nil {
				t.Fatal(err)
			}
			tt.harm(w)
			_, err := w.round(20, 5)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestCancelled: an interrupt ends a run in the middle.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	res, err := Run(ctx, Options{
		Followers: []int{1}, Clients: []int{1}, Stores: []Store{Memory}, Messages: 10, Time: 1,
		Progress: func(float64) { cancel() },
	})
	if err != context.Canceled || len(res.Rows) != 0 {
		t.Errorf("got %d rows and error %v, want none and %v", len(res.Rows), err, context.Canceled)
	}
}
