package link_test

import (
	"math"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

const ms = des.Millisecond

// TestStreamTimes follows single frames through loss of the link by the RFCs'
// rules. The link is down in [1s, 10s).
func TestStreamTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  link.Config
		warm bool // a frame went before
		now  des.Time
		size int
		want link.Arrivals
	}{
		{"undisturbed", link.Config{}, true, 500 * ms, 100, link.Arrivals{N: 1, At: [2]des.Time{550 * ms}}},
		{"handshake", link.Config{Handshake: 2}, false, 500 * ms, 100, link.Arrivals{N: 1, At: [2]des.Time{750 * ms}}},
		{"handshake done", link.Config{Handshake: 2}, true, 500 * ms, 100, link.Arrivals{N: 1, At: [2]des.Time{550 * ms}}},
		// RTO 300 ms (RTT 100 ms + 4 x 50 ms): sent again at 5.3, 5.9, 7.1, 9.5, 14.3.
		{"partition stalls", link.Config{}, true, 5 * des.Second, 100, link.Arrivals{N: 1, At: [2]des.Time{14350 * ms}}},
		// RTO 1 s without a measurement: sent again at 6, 8, 12.
		{"partition stalls a new connection", link.Config{}, false, 5 * des.Second, 100, link.Arrivals{N: 1, At: [2]des.Time{12050 * ms}}},
		{"partition breaks", link.Config{BreakAfter: 2 * des.Second}, true, 5 * des.Second, 100, link.Arrivals{Broken: 7 * des.Second}},
		{"on the wire when cut", link.Config{}, true, 999 * ms, 100, link.Arrivals{N: 1, At: [2]des.Time{1049 * ms}}},
		{"after the partition", link.Config{}, true, 10 * des.Second, 100, link.Arrivals{N: 1, At: [2]des.Time{10050 * ms}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Mode, c.cfg.Delay, c.cfg.Down = link.Stream, link.Constant(0.05), link.Windows{{des.Second, 10 * des.Second}}
			l := newLink(t, c.cfg, c.name)
			if c.warm {
				l.Send(0, 100)
			}
			if got := l.Send(c.now, c.size); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// TestStreamLossCostsTime compares the mean cost of loss with its expectation:
// with loss p and n segments, q = 1 - (1-p)^n; a lone segment waits RTO (1 + 2 +
// 4 ...), which is RTO q / (1-2p) on average; a long frame one RTT first.
func TestStreamLossCostsTime(t *testing.T) {
	t.Parallel()
	const n, p, rtt, rto = 200_000, 0.05, 0.1, 0.3
	for _, c := range []struct {
		name     string
		size     int
		segments float64
		cost     func(q float64) float64
	}{
		{"one segment", 1000, 1, func(q float64) float64 { return q * rto / (1 - 2*p) }},
		{"three segments", 3 * link.SegmentSize, 3, func(q float64) float64 { return q * rto / (1 - 2*p) }},
		{"four segments", 3*link.SegmentSize + 1, 4, func(q float64) float64 { return q * (rtt + p*rto/(1-2*p)) }},
		{"empty frame", 0, 1, func(q float64) float64 { return q * rto / (1 - 2*p) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLink(t, link.Config{Mode: link.Stream, Delay: link.Constant(0.05), Loss: p}, c.name)
			l.Send(0, 100)
			var costs []float64
			for i := range n {
				now := des.Time(i+1) * des.Hour
				costs = append(costs, (l.Send(now, c.size).At[0]-now).Seconds()-0.05)
			}
			_, sd := meanAndSD(costs)
			checkMean(t, "cost", costs, c.cost(1-math.Pow(1-p, c.segments)), sd)
		})
	}
}

// TestStreamBreaksAndReconnects: what is sent before the break shares it; what is
// sent after it opens a new connection, with a handshake.
func TestStreamBreaksAndReconnects(t *testing.T) {
	t.Parallel()
	l := newLink(t, link.Config{
		Mode: link.Stream, Delay: link.Constant(0.05), Handshake: 1, BreakAfter: 10 * des.Second,
		Down: link.Windows{{des.Second, 5 * des.Minute}},
	}, "break")
	for i, c := range []struct {
		now  des.Time
		want link.Arrivals
	}{
		{0, link.Arrivals{N: 1, At: [2]des.Time{150 * ms}}},
		{2 * des.Second, link.Arrivals{Broken: 12 * des.Second}},
		{11 * des.Second, link.Arrivals{Broken: 12 * des.Second}},
		{12 * des.Second, link.Arrivals{Broken: 22 * des.Second, Conn: 1}},
		{6 * des.Minute, link.Arrivals{N: 1, At: [2]des.Time{6*des.Minute + 150*ms}, Conn: 2}},
	} {
		if got := l.Send(c.now, 10); got != c.want {
			t.Errorf("frame %d at %v:\ngot  %+v\nwant %+v", i, c.now, got, c.want)
		}
	}
	l.Reset(7 * des.Minute)
	want := link.Arrivals{N: 1, At: [2]des.Time{7*des.Minute + 150*ms}, Conn: 3}
	if got := l.Send(7*des.Minute, 10); got != want || l.Conn() != 3 {
		t.Errorf("after a reset: %+v on connection %d, want %+v", got, l.Conn(), want)
	}
}

// TestStreamThatLosesEverything ends, if only by the break.
func TestStreamThatLosesEverything(t *testing.T) {
	t.Parallel()
	l := newLink(t, link.Config{Mode: link.Stream, Loss: 1}, "all")
	if got, want := l.Send(0, 10), (link.Arrivals{Broken: link.DefaultBreakAfter}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	l = newLink(t, link.Config{Mode: link.Stream, Loss: 1, BreakAfter: des.Day}, "all")
	if got, want := l.Send(0, 10), (link.Arrivals{Broken: des.Day}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestResetEmptiesTheTransmitter(t *testing.T) {
	t.Parallel()
	l := newLink(t, link.Config{Bandwidth: 8}, "reset")
	l.Send(0, 1000)
	l.Reset(des.Second)
	if a := l.Send(des.Second, 1); a.At[0] != 2*des.Second {
		t.Errorf("arrives at %v, want 2s", a.At[0])
	}
}
