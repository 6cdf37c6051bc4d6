package follower

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// logRecords counts the records of rooms' logs.
func (l *lab) logRecords() (n int) {
	for k := range l.records {
		if strings.HasPrefix(k, "log|") {
			n++
		}
	}
	return n
}

// TestOneRecord holds that what comes at once is one record, which is there until all have
// all of it, and that nobody gets again what it has acknowledged.
func TestOneRecord(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.bring(clientB1, clientB2)
	l.step(Connect{clientB1})
	want := func(records, events int) {
		t.Helper()
		if got, n := l.logRecords(), len(l.f.rooms[clubhouse].log); got != records || n != events {
			t.Errorf("%d events in %d records, want %d in %d", n, got, events, records)
		}
	}
	l.notify(l.application(1), l.application(2), l.application(3))
	want(1, 3)
	// The second and third have come before.
	wantDeliveries(t, l.notify(l.application(2), l.application(4), l.application(3), l.application(5)), "ClientB1 clubhouse 4, ClientB1 clubhouse 5")
	want(2, 5)
	l.step(Ack{clientB1, clubhouse, 5})
	l.step(Ack{clientB2, clubhouse, 2})
	want(2, 5) // the second client has only some of the first record
	l.restart()
	wantDeliveries(t, l.step(Connect{clientB2}), "ClientB2 clubhouse 3, ClientB2 clubhouse 4, ClientB2 clubhouse 5")
	l.step(Ack{clientB2, clubhouse, 4})
	want(1, 2)
	l.restart()
	wantDeliveries(t, l.step(Connect{clientB2}), "ClientB2 clubhouse 5")
	l.step(Ack{clientB2, clubhouse, 5})
	want(0, 0)
	wantDeliveries(t, l.notify(l.application(6)), "ClientB2 clubhouse 6") // the first is not connected since the restart
}

// TestLogOfManyAtOnce: the bounds of a log hold up to what the last request has brought,
// whatever comes at once and is acknowledged, and whenever the provider restarts.
func TestLogOfManyAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		const most = 4000
		l := newLab(t, func(c *Config) { c.Limits.RoomLog, c.Limits.HubLog = most, most+1000 })
		l.bring(clientB1, clientB2)
		sent := uint64(0)
		for range 60 {
			var list []mimi.FanoutMessage
			for range 1 + rnd.IntN(40) {
				sent++
				list = append(list, l.application(sent))
			}
			l.notify(list...)
			r := l.f.rooms[clubhouse]
			last := 0
			for i := range r.log {
				if r.log[i].from == r.log[len(r.log)-1].from {
					last += r.log[i].size()
				}
			}
			if r.size > max(most, last) || len(r.log) < len(list) {
				t.Fatalf("seed %d: %d bytes in the log, want at most %d and the last %d events, of %d bytes", seed, r.size, most, len(list), last)
			}
			if c := clientB1; rnd.IntN(2) == 0 {
				if rnd.IntN(2) == 0 {
					c = clientB2
				}
				l.step(Ack{c, clubhouse, r.last - uint64(rnd.IntN(int(min(r.last, 50))))})
			}
			if rnd.IntN(4) == 0 {
				l.restart()
			}
		}
	}
}
