package link_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

func ExampleSchedule() {
	var s link.Schedule = link.Planned{Down: link.Windows{{des.Hour, 2 * des.Hour}}}
	r := des.NewStream(1, "partition")
	for c := s.First(r); c.At < des.Never; c = s.Next(r, c) {
		fmt.Println(c.At, c.Up)
	}
	// Output:
	// 0s true
	// 1h0m0s false
	// 2h0m0s true
}

func TestWindows(t *testing.T) {
	t.Parallel()
	w := link.Windows{{10, 20}, {30, 31}}
	for at, want := range map[des.Time]bool{0: false, 9: false, 10: true, 19: true, 20: false, 29: false, 30: true, 31: false, des.Never: false} {
		if got := w.Contains(at); got != want {
			t.Errorf("%v contains %d: %v", w, at, got)
		}
	}
	if (link.Windows(nil)).Contains(0) {
		t.Error("no windows contain 0")
	}
}

func TestPlannedGivesItsWindowsBack(t *testing.T) {
	t.Parallel()
	for _, w := range []link.Windows{nil, {{0, 5}}, {{3, 5}}, {{0, 1}, {2, 3}, {10, 20}}, {{5, des.Never}}} {
		if got := link.Downtimes(link.Planned{Down: w}, nil, des.Never); fmt.Sprint(got) != fmt.Sprint(w) {
			t.Errorf("%v became %v", w, got)
		}
	}
	if got := link.Downtimes(link.Planned{Down: link.Windows{{1, 5}, {7, 20}}}, nil, 10); fmt.Sprint(got) != "[{1ns 5ns} {7ns 10ns}]" {
		t.Errorf("cut off at 10: %v", got)
	}
	if got := link.Downtimes(link.Always{}, nil, des.Never); len(got) != 0 {
		t.Errorf("always up but for %v", got)
	}
}

// TestAlternating checks the changes' form, the mean times and the long-run
// share of the time up, E(Up) / (E(Up) + E(Down)).
func TestAlternating(t *testing.T) {
	t.Parallel()
	const n = 20_000
	s := link.Alternating{Up: link.LogNormal{Median: 600, Sigma: 0.5}, Down: link.Exponential(300)}
	r := des.NewStream(1, "alternating")
	c := s.First(r)
	if c != (link.Change{Up: true}) {
		t.Fatalf("first %+v, want up at 0", c)
	}
	var up, down []float64
	for range 2 * n {
		next := s.Next(r, c)
		if next.At <= c.At || next.Up == c.Up {
			t.Fatalf("%+v after %+v", next, c)
		}
		d := (next.At - c.At).Seconds()
		if c.Up {
			up = append(up, d)
		} else {
			down = append(down, d)
		}
		c = next
	}
	mean := 600 * math.Exp(0.125)
	checkMean(t, "up", up, mean, mean*math.Sqrt(math.Expm1(0.25)))
	checkMean(t, "down", down, 300, 300)
}

func TestStart(t *testing.T) {
	t.Parallel()
	const n = 10_000
	night := [24]float64{0: 0, 8: 1}
	evening := [24]float64{0: 0.5}
	for _, c := range []struct {
		name string
		s    link.Alternating
		p    float64
	}{
		{"up", link.Alternating{Start: link.StartUp}, 1},
		{"down", link.Alternating{Start: link.StartDown}, 0},
		{"steady", link.Alternating{Start: link.StartSteady}, 0.25},
		{"steady at night", link.Alternating{Start: link.StartSteady, Activity: &night}, 0},
		{"steady in the evening", link.Alternating{Start: link.StartSteady, Activity: &evening}, 1. / 7},
		{"steady at 8 o'clock", link.Alternating{Start: link.StartSteady, Activity: &night, Midnight: -8 * des.Hour}, 0.25},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.s.Up, c.s.Down = link.Constant(10), link.Constant(30)
			if err := c.s.Validate(); err != nil {
				t.Fatal(err)
			}
			r, up := des.NewStream(1, c.name), 0
			for range n {
				if c.s.First(r).Up {
					up++
				}
			}
			checkShare(t, "up at 0", up, n, c.p)
		})
	}
}

// TestActivity: a device comes up at the rate Activity/Down, so that the number
// of times it does in an hour of full activity and in one of a quarter are as 4
// to 1, and it never does in an hour of none.
func TestActivity(t *testing.T) {
	t.Parallel()
	const days = 3000
	var act [24]float64
	act[9], act[10], act[20] = 1, 0.25, 1
	s := link.Alternating{
		Up: link.Constant(1e-9), Down: link.Exponential(600), Start: link.StartDown,
		Activity: &act, Midnight: -6 * des.Hour,
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	r := des.NewStream(1, "activity")
	var count [24]int
	for c := s.First(r); c.At < days*des.Day; c = s.Next(r, c) {
		if c.Up {
			count[(c.At+6*des.Hour)%des.Day/des.Hour]++
		}
	}
	for h, n := range count {
		// A Poisson number with mean and variance 6 a day and unit of activity.
		want := act[h] * 6 * days
		if math.Abs(float64(n)-want) > 4*math.Sqrt(want) {
			t.Errorf("hour %d: %d times up, want %.0f within %.0f", h, n, want, 4*math.Sqrt(want))
		}
	}
}

func TestScheduleErrors(t *testing.T) {
	t.Parallel()
	sec := link.Constant(1)
	bad, zero := [24]float64{3: 2}, [24]float64{}
	for _, c := range []struct {
		name string
		s    link.Schedule
		want string
	}{
		{"no up", link.Alternating{Down: sec}, "up: missing, want a distribution of seconds"},
		{"no down", link.Alternating{Up: sec}, "down: missing"},
		{"bad up", link.Alternating{Up: link.Constant(-1), Down: sec}, "up: constant: value is -1"},
		{"empty down", link.Alternating{Up: sec, Down: link.Constant(0)}, "down: mean is 0 s, want above 0"},
		{"start", link.Alternating{Up: sec, Down: sec, Start: 3}, "start: 3, want StartUp"},
		{"midnight", link.Alternating{Up: sec, Down: sec, Midnight: 1}, "midnight: 1ns, want above -24h and at most 0"},
		{"activity above 1", link.Alternating{Up: sec, Down: sec, Activity: &bad}, "activity: hour 3: 2, want a probability"},
		{"no activity", link.Alternating{Up: sec, Down: sec, Activity: &zero}, "activity: 0 in all hours"},
		{"planned", link.Planned{Down: link.Windows{{2, 1}}}, "window 1: from 2ns to 1ns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.s.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	if err := (link.Always{}).Validate(); err != nil {
		t.Error(err)
	}
}
