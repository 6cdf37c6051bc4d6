package chat

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// TestRun: every row is measured, with all stores, and drawn.
func TestRun(t *testing.T) {
	var profile bytes.Buffer
	res, err := Run(t.Context(), Options{Devices: []int{6, 20}, Stores: stores, Messages: 100, Time: 1, Dir: t.TempDir(), Profile: &profile})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rows) != 6 || res.Frame < 200 || profile.Len() == 0 {
		t.Errorf("%d rows with frames of %d bytes and %d of a profile, want 6 rows, and more than 200 bytes", len(res.Rows), res.Frame, profile.Len())
	}
	for _, r := range res.Rows {
		for _, v := range []float64{r.Rate, r.Echo, r.Ratio, r.AcceptedTimes.P50, r.DeliveredTimes.P50, r.EchoTimes.P50, r.Idle} {
			if v <= 0 {
				t.Errorf("row %+v, want more than 0 everywhere", r)
				break
			}
		}
		if (r.Records > 0) != (r.Store != None) || r.Rounds < minRounds || r.DeliveredTimes.P99 < r.DeliveredTimes.P50 {
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
	if want := []string{"chat-rate", "chat-ratio", "chat-time"}; !slices.Equal(names, want) {
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
		{"devices", Options{Devices: []int{1}}, "1 devices, want 2 to"},
		{"store", Options{Stores: []Store{"disk"}}, `store "disk", want one of ["none" "memory" "sqlite"]`},
		{"nothing", Options{Stores: []Store{}}, "nothing to measure"},
		{"under way", Options{UnderWay: 33}, "33 messages of a sender under way, want 1 to 32"},
		{"size", Options{Size: 8}, "8 bytes, want 16 to"},
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
		{"a message that never came", func(w *world) { w.pairs[1].delivered-- }, "want message 1 of 5"},
		{"a message that came twice", func(w *world) { w.pairs[0].delivered++ }, "want message 3 of 5"},
		{"another's messages", func(w *world) {
			a, b := w.pairs[0].receiver, w.pairs[1].receiver
			a.account, b.account = b.account, a.account
		}, "want message"},
		{"an acknowledgement twice", func(w *world) { w.pairs[2].acked++ }, "want the acknowledgement of message 3 of"},
		{"a receipt twice", func(w *world) { w.pairs[2].settled++ }, "want the receipt of message 3 of"},
		{"a message that nobody counts", func(w *world) {
			p := w.pairs[2]
			p.accepted = append(p.accepted, 0)
		}, "the gatekeeper counts 9 messages"},
		{"a frame that never came back", func(w *world) { w.echoers[0].back-- }, "want frame 0 of"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(t.Context())
			w := &world{ctx: ctx, stop: stop, dir: t.TempDir(), store: Memory, underWay: 4, size: 100}
			defer func() {
				if err := w.close(); err != nil {
					t.Error(err)
				}
			}()
			if err := w.build(3); err != nil {
				t.Fatal(err)
			}
			if _, err := w.round(2, 1); err != nil {
				t.Fatal(err)
			}
			w.still(t)
			tt.harm(w)
			_, err := w.round(3, 4)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

// still makes what the devices have done happen before what follows, and holds that they
// have written all they had to say.
func (w *world) still(t *testing.T) {
	t.Helper()
	var links []*link
	for _, p := range w.pairs {
		links = append(links, p.sender.link, p.receiver.link)
	}
	for _, e := range w.echoers {
		links = append(links, e.link)
	}
	for _, l := range links {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			l.mu.Lock()
			left := len(l.out)
			l.mu.Unlock()
			if left == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d bytes are not written", left)
			}
		}
	}
}

// TestUnexpected: what nobody has caused is found.
func TestUnexpected(t *testing.T) {
	for _, s := range []stanza.Stanza{&stanza.Notification{}, &stanza.IQ{}, &stanza.IB{Error: &stanza.Error{Code: stanza.Gone}}} {
		if unexpected(s) == nil {
			t.Errorf("%T is taken", s)
		}
	}
}

// TestCancelled: an interrupt ends a run in the middle.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	res, err := Run(ctx, Options{Devices: []int{4}, Stores: []Store{None}, Messages: 10, Time: 1, Progress: func(float64) { cancel() }})
	if err != context.Canceled || len(res.Rows) != 0 {
		t.Errorf("got %d rows and error %v, want none and %v", len(res.Rows), err, context.Canceled)
	}
}
