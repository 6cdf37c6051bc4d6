package link

import (
	"errors"
	"fmt"
	"sort"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Window is a span of time from From up to, but not including, To.
type Window struct{ From, To des.Time }

// Windows are spans of time, ascending and apart from each other.
type Windows []Window

// Contains reports whether t lies in one of the windows.
func (w Windows) Contains(t des.Time) bool {
	i := w.after(t)
	return i < len(w) && w[i].From <= t
}

// after returns the index of the first window that ends after t.
func (w Windows) after(t des.Time) int {
	if len(w) == 0 {
		return 0
	}
	return sort.Search(len(w), func(i int) bool { return t < w[i].To })
}

// Validate refuses windows that are empty, overlap, touch or are out of order.
func (w Windows) Validate() error {
	for i, x := range w {
		if x.From < 0 || x.To <= x.From {
			return fmt.Errorf("window %d: from %v to %v, want 0 <= from < to", i+1, x.From, x.To)
		}
		if i > 0 && x.From <= w[i-1].To {
			return fmt.Errorf("window %d: from %v, want after %v, the end of the one before", i+1, x.From, w[i-1].To)
		}
	}
	return nil
}

// Change is a point in time at which something comes up or goes down.
type Change struct {
	At des.Time
	Up bool
}

// Schedule generates the changes of a node, device or link. It has no state: the
// last change is all that the next one depends on, so that all devices of a kind
// share one Schedule.
//
//	c := s.First(r)
//	for c.At < end { ...; c = s.Next(r, c) }
type Schedule interface {
	// First is the state at time 0.
	First(r *des.Rand) Change
	// Next is the change after last, in the other direction and later. If there
	// is none, At is [des.Never].
	Next(r *des.Rand, last Change) Change
	// Validate says what is wrong with the parameters, if anything.
	Validate() error
}

// Always is up all the time.
type Always struct{}

// First is up.
func (Always) First(*des.Rand) Change { return Change{Up: true} }

// Next is never.
func (Always) Next(_ *des.Rand, last Change) Change { return Change{des.Never, !last.Up} }

// Validate has nothing to refuse.
func (Always) Validate() error { return nil }

// Planned is down in the given windows and up otherwise: a maintenance, a
// partition.
type Planned struct{ Down Windows }

// First is the state at time 0.
func (p Planned) First(*des.Rand) Change { return Change{Up: !p.Down.Contains(0)} }

// Next is the next end or beginning of a window.
func (p Planned) Next(_ *des.Rand, last Change) Change {
	i := p.Down.after(last.At)
	switch {
	case i == len(p.Down):
		return Change{des.Never, !last.Up}
	case last.Up:
		return Change{p.Down[i].From, false}
	}
	return Change{p.Down[i].To, true}
}

// Validate refuses windows out of order.
func (p Planned) Validate() error { return p.Down.Validate() }

// Start is how an [Alternating] schedule begins.
type Start uint8

const (
	// StartUp begins with a time up.
	StartUp Start = iota
	// StartDown begins with a time down.
	StartDown
	// StartSteady begins up with the probability of being up in the long run,
	// E(Up) / (E(Up) + E(Down)) (Ross, "Introduction to Probability Models",
	// Section 7.5.1). The first time is drawn like any other, which is exact for
	// [Exponential] times.
	StartSteady
)

// Alternating is the alternating renewal process: up for a time drawn from Up,
// down for one drawn from Down, and so on, all independent; both in seconds. With
// mean times to failure and to repair it is a node that crashes and restarts.
//
// With an Activity it is a device that its owner uses by the time of day: when a
// time down ends in hour h of the day, the device comes up with probability
// Activity[h] only, and otherwise stays down for another time. For [Exponential]
// times that is the thinning of Lewis and Shedler ("Simulation of nonhomogeneous
// Poisson processes by thinning", Naval Research Logistics Quarterly 26(3),
// 1979): it comes up at the rate Activity[h]/Down. StartSteady then takes Down
// longer by 1/Activity[0].
type Alternating struct {
	Up, Down Dist
	Start    Start
	Activity *[24]float64 // by hour of the day, 0 to 1 and not all 0; nil is all 1
	Midnight des.Time     // when the first day begins: -6h if time 0 is 6 o'clock in the morning
}

// First is the state at time 0.
func (a Alternating) First(r *des.Rand) Change {
	switch a.Start {
	case StartDown:
		return Change{Up: false}
	case StartSteady:
		up, down := a.Up.Mean(), a.Down.Mean()
		// u < up / (up + down/activity), without dividing by an activity of 0
		act := a.activity(0)
		return Change{Up: r.Float64()*(up*act+down) < up*act}
	}
	return Change{Up: true}
}

// Next is the end of the time up or down that began with last.
func (a Alternating) Next(r *des.Rand, last Change) Change {
	if last.Up {
		return Change{after(last.At, a.Up.Sample(r)), false}
	}
	at := last.At
	for {
		at = after(at, a.Down.Sample(r))
		if at == des.Never || a.Activity == nil || r.Bool(a.activity(at)) {
			return Change{at, true}
		}
	}
}

// after returns t + s seconds, and at least a nanosecond after t so that
// schedules always move on.
func after(t des.Time, s float64) des.Time {
	return t.Add(max(1, des.FromSeconds(s)))
}

// activity is the probability of coming up at t.
func (a Alternating) activity(t des.Time) float64 {
	if a.Activity == nil {
		return 1
	}
	h := (t - a.Midnight) % des.Day / des.Hour
	return a.Activity[(h+24)%24]
}

// Validate refuses missing or empty times and an activity that isn't one.
func (a Alternating) Validate() error {
	for _, f := range []struct {
		name string
		d    Dist
	}{{"up", a.Up}, {"down", a.Down}} {
		if f.d == nil {
			return fmt.Errorf("%s: missing, want a distribution of seconds", f.name)
		}
		if err := f.d.Validate(); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if !(f.d.Mean() > 0) {
			return fmt.Errorf("%s: mean is %g s, want above 0", f.name, f.d.Mean())
		}
	}
	if a.Start > StartSteady {
		return fmt.Errorf("start: %d, want StartUp, StartDown or StartSteady", a.Start)
	}
	if a.Midnight > 0 || a.Midnight <= -des.Day {
		return fmt.Errorf("midnight: %v, want above -24h and at most 0", a.Midnight)
	}
	if a.Activity == nil {
		return nil
	}
	sum := 0.0
	for h, p := range a.Activity {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("activity: hour %d: %g, want a probability from 0 to 1", h, p)
		}
		sum += p
	}
	if sum == 0 {
		return errors.New("activity: 0 in all hours, want above 0 in one at least")
	}
	return nil
}

// Downtimes returns the windows until a time in which s is down, for
// [Config.Down]. One that lasts longer is cut off there.
func Downtimes(s Schedule, r *des.Rand, until des.Time) Windows {
	var w Windows
	for c := s.First(r); c.At < until; {
		next := s.Next(r, c)
		if !c.Up {
			w = append(w, Window{c.At, min(next.At, until)})
		}
		c = next
	}
	return w
}
