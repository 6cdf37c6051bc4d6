package des

import (
	"math"
	"time"
)

// Time is a point in virtual time, or a span of it, in nanoseconds since the
// start of the run. It is never negative for a point.
type Time int64

// Spans of virtual time.
const (
	Nanosecond  Time = 1
	Microsecond      = 1000 * Nanosecond
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
	Minute           = 60 * Second
	Hour             = 60 * Minute
	Day              = 24 * Hour

	// Never is the last point in virtual time, 292 years after the start.
	Never Time = math.MaxInt64
)

// FromSeconds returns s seconds as a Time, rounded to the nearest nanosecond.
// What lies outside the range of Time, and NaN, becomes the nearest end of it
// (0 for NaN).
func FromSeconds(s float64) Time {
	ns := math.Round(s * 1e9)
	switch {
	case ns != ns:
		return 0
	case ns >= math.MaxInt64:
		return Never
	case ns <= math.MinInt64:
		return math.MinInt64
	}
	return Time(ns)
}

// FromDuration returns d as a Time.
func FromDuration(d time.Duration) Time { return Time(d) }

// Seconds returns t in seconds.
func (t Time) Seconds() float64 { return float64(t) / 1e9 }

// Duration returns t as a time.Duration.
func (t Time) Duration() time.Duration { return time.Duration(t) }

// Add returns t+d, or [Never] if that lies beyond it. d must not be negative.
func (t Time) Add(d Time) Time {
	if d > Never-t {
		return Never
	}
	return t + d
}

// String formats t as a time.Duration does: "1m30.5s".
func (t Time) String() string { return time.Duration(t).String() }
