package content

import (
	"fmt"
	"math"
	"time"
)

// Expiry says what the time of an [Expiration] counts.
type Expiry uint8

const (
	ExpiresNever Expiry = iota
	ExpiresAt           // absolute: seconds since 1970
	ExpiresAfter        // relative: seconds since the message was read
)

// maxExpiry is the year of General handling. It has 366 days, so that nothing is
// refused on account of a leap year.
const maxExpiry = 366 * 24 * time.Hour

// Expiration is when a message is to be deleted; a request, which nobody can
// enforce. The zero value is null: never.
//
//	Expiration = [ relative: bool, time: uint .size 4 ]
type Expiration struct {
	Kind    Expiry
	Seconds uint32
}

// At is the absolute expiration at t, in whole seconds.
func At(t time.Time) (Expiration, error) {
	s := t.Unix()
	if s < 0 || s > math.MaxUint32 {
		return Expiration{}, broken(CheckRange, "expires", fmt.Sprintf("%s, want a time from 1970 to 2106", t.UTC().Format(time.RFC3339)))
	}
	return Expiration{ExpiresAt, uint32(s)}, nil
}

// After is the expiration d after the message was read, in whole seconds.
func After(d time.Duration) (Expiration, error) {
	s := d / time.Second
	if s < 0 || s > math.MaxUint32 {
		return Expiration{}, broken(CheckRange, "expires", fmt.Sprintf("after %s, want up to 136 years", d))
	}
	return Expiration{ExpiresAfter, uint32(s)}, nil
}

// Check refuses what no honest sender would write: a message that expires, or
// expired, more than a year from now (General handling).
func (e Expiration) Check(now time.Time) error {
	switch e.Kind {
	case ExpiresAt:
		at := time.Unix(int64(e.Seconds), 0)
		if d := at.Sub(now); d.Abs() > maxExpiry {
			return broken(CheckExpiry, "expires", at.UTC().Format(time.DateTime)+" UTC")
		}
	case ExpiresAfter:
		if d := time.Duration(e.Seconds) * time.Second; d > maxExpiry {
			return broken(CheckExpiry, "expires", d.String()+" after it is read")
		}
	}
	return nil
}

// Deadline returns when a message is to be deleted that was read at read, the zero
// time if it was not; and whether there is such a time yet.
func (e Expiration) Deadline(read time.Time) (time.Time, bool) {
	switch {
	case e.Kind == ExpiresAt:
		return time.Unix(int64(e.Seconds), 0), true
	case e.Kind == ExpiresAfter && !read.IsZero():
		return read.Add(time.Duration(e.Seconds) * time.Second), true
	}
	return time.Time{}, false
}

func (r *reader) expiration() Expiration {
	if r.null() {
		return Expiration{}
	}
	r.arrayOf(2)
	kind := ExpiresAt
	if r.bool() {
		kind = ExpiresAfter
	}
	seconds := uint32(r.uint(math.MaxUint32))
	if r.err != nil {
		return Expiration{}
	}
	return Expiration{kind, seconds}
}

func (w *writer) expiration(e Expiration) {
	switch {
	case e.Kind == ExpiresNever && e.Seconds == 0:
		w.null()
	case e.Kind == ExpiresAt || e.Kind == ExpiresAfter:
		w.array(2)
		w.bool(e.Kind == ExpiresAfter)
		w.uint(uint64(e.Seconds))
	default:
		w.fail(CheckRange, "kind %d with %d seconds, want never, at or after", e.Kind, e.Seconds)
	}
}
