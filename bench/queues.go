package bench

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

const (
	stations = 1000
	arrival  = 0.7 // per second of virtual time and station
	service  = 1.0
)

// A run is refused whose mean is so many standard errors from theory, which befalls
// one right run in so many: 2 (1 - Phi(5)) = 5.7e-7. More than 3 befall one in 370.
const (
	refused     = 5
	refusedOnce = 1_700_000
)

// Kinds of events of a station.
const (
	arrives uint32 = iota
	leaves
)

// station is an M/M/1 queue with its statistics: the time-weighted number of
// customers.
type station struct {
	r       *des.Rand
	n       int
	changed des.Time
	area    float64 // sum of n dt, in seconds
	served  int
}

func (s *station) Handle(k *des.Kernel, ev des.Event) {
	now := k.Now()
	s.area += float64(s.n) * (now - s.changed).Seconds()
	s.changed = now
	switch ev.Kind {
	case arrives:
		k.Schedule(now+des.Time(s.r.Exp(1e9/arrival)), 0, s, des.Event{Kind: arrives})
		if s.n++; s.n == 1 {
			k.Schedule(now+des.Time(s.r.Exp(1e9/service)), 0, s, des.Event{Kind: leaves})
		}
	case leaves:
		s.served++
		if s.n--; s.n > 0 {
			k.Schedule(now+des.Time(s.r.Exp(1e9/service)), 0, s, des.Event{Kind: leaves})
		}
	}
}

// ModelResult is the speed of a model with random draws and statistics.
type ModelResult struct {
	Stations int     `json:"stations"`  // independent M/M/1 queues
	Events   int     `json:"events"`    // handled on the clock
	EventNS  float64 `json:"event_ns"`  // nanoseconds per event
	Rate     float64 `json:"rate"`      // events per second and core
	MeanN    float64 `json:"mean_n"`    // customers per station, measured
	MeanNSE  float64 `json:"mean_n_se"` // its standard error over the stations
	TheoryN  float64 `json:"theory_n"`  // rho / (1 - rho)
}

// Deviation is how far the mean is from theory, in standard errors.
func (m ModelResult) Deviation() float64 { return math.Abs(m.MeanN-m.TheoryN) / m.MeanNSE }

// runModel runs M/M/1 queues with the load rho = arrival/service and compares
// the mean number in the system with rho/(1-rho) (Kleinrock, "Queueing Systems",
// vol. 1, Section 3.2). The stations are independent replications; each starts
// in the steady state, with a geometric number of customers.
func runModel(ctx context.Context, o Options) (ModelResult, error) {
	k := des.New(o.Seed)
	all := make([]station, stations)
	rho := arrival / service
	for i := range all {
		s := &all[i]
		s.r = des.NewStream(o.Seed, fmt.Sprintf("bench/station/%d", i))
		k.Schedule(des.Time(s.r.Exp(1e9/arrival)), 0, s, des.Event{Kind: arrives})
		for s.r.Bool(rho) {
			s.n++
		}
		if s.n > 0 {
			k.Schedule(des.Time(s.r.Exp(1e9/service)), 0, s, des.Event{Kind: leaves})
		}
	}
	const batch = 100_000
	var turns []time.Duration
	// At least 1400 events a station, so that their means are nearly normal.
	for spent := time.Duration(0); len(turns) < 14 || spent < o.Time; {
		if err := ctx.Err(); err != nil {
			return ModelResult{}, err
		}
		start := time.Now()
		for range batch {
			k.Step()
		}
		turns = append(turns, time.Since(start))
		spent += turns[len(turns)-1]
	}
	res := ModelResult{Stations: stations, Events: batch * len(turns), TheoryN: rho / (1 - rho)}
	res.EventNS = float64(median(turns)) / batch
	res.Rate = 1e9 / res.EventNS
	for i := range all {
		all[i].area += float64(all[i].n) * (k.Now() - all[i].changed).Seconds()
	}
	res.MeanN, res.MeanNSE = meanN(all, k.Now().Seconds())
	if !(res.Deviation() < refused) {
		return ModelResult{}, fmt.Errorf("bench: engine: %g customers per station, want %g within %g", res.MeanN, res.TheoryN, refused*res.MeanNSE)
	}
	return res, nil
}

func meanN(all []station, seconds float64) (mean, se float64) {
	n := float64(len(all))
	for i := range all {
		mean += all[i].area / seconds / n
	}
	for i := range all {
		d := all[i].area/seconds - mean
		se += d * d / (n - 1)
	}
	return mean, math.Sqrt(se / n)
}
