package link_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

func ExampleLink_Send() {
	cfg := &link.Config{
		Mode:      link.Stream,
		Delay:     link.Constant(0.05),
		Bandwidth: 8000, // 1000 bytes a second
		Handshake: 2,
	}
	if err := cfg.Validate(); err != nil {
		fmt.Println(err)
	}
	l := link.New(cfg, des.NewStream(1, "link/alice/gatekeeper"))
	for range 2 {
		a := l.Send(0, 500)
		fmt.Println(a.N, a.At[0])
	}
	// Output:
	// 1 750ms
	// 1 1.05s
}

func TestLinkIsSmall(t *testing.T) {
	t.Parallel()
	if n := reflect.TypeFor[link.Link]().Size(); n > 64 {
		t.Errorf("a link takes %d bytes, want at most 64", n)
	}
}

func newLink(t testing.TB, cfg link.Config, name string) link.Link {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return link.New(&cfg, des.NewStream(1, name))
}

func TestDatagramRates(t *testing.T) {
	t.Parallel()
	const n = 100_000
	l := newLink(t, link.Config{
		Delay: link.Exponential(0.02), Loss: 0.1, Duplicate: 0.2, Reorder: 0.3, ReorderBy: link.Constant(10),
	}, "rates")
	var lost, twice, held, once int
	var delays []float64
	for i := range n {
		now := des.Time(i) * des.Minute
		a := l.Send(now, 100)
		switch a.N {
		case 0:
			lost++
			continue
		case 2:
			twice++
			if a.At[1] < a.At[0] {
				t.Fatalf("arrivals at %v and %v, want ascending", a.At[0], a.At[1])
			}
			continue
		}
		once++
		d := (a.At[0] - now).Seconds()
		if d >= 10 {
			held++
			d -= 10
		}
		delays = append(delays, d)
	}
	checkShare(t, "lost", lost, n, 0.1)
	checkShare(t, "twice", twice, n, 0.9*0.2)
	checkShare(t, "held up", held, once, 0.3)
	checkMean(t, "delay", delays, 0.02, 0.02)
}

func TestPerfectDatagramLink(t *testing.T) {
	t.Parallel()
	l := newLink(t, link.Config{}, "perfect")
	for i := range des.Time(100) {
		if a := l.Send(i, 1<<30); a != (link.Arrivals{N: 1, At: [2]des.Time{i}}) {
			t.Fatalf("sent at %d: %+v", i, a)
		}
	}
}

// TestBandwidth follows frames through the transmitter by hand.
func TestBandwidth(t *testing.T) {
	t.Parallel()
	for _, mode := range []link.Mode{link.Datagram, link.Stream} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			l := newLink(t, link.Config{Mode: mode, Bandwidth: 8000, Delay: link.Constant(2)}, "bandwidth")
			for i, c := range []struct {
				now  des.Time
				size int
				want des.Time
			}{
				{0, 1000, 3 * des.Second},               // 1 s to send, 2 s on the wire
				{0, 1000, 4 * des.Second},               // waits for the first
				{500 * des.Millisecond, 500, 4500e6},    // waits for both
				{10 * des.Second, 100, 12100e6},         // the transmitter was idle
				{10 * des.Second, 0, 12100e6},           // nothing to send but in line
				{10050 * des.Millisecond, 100, 12200e6}, // waits 50 ms
			} {
				if a := l.Send(c.now, c.size); a.N != 1 || a.At[0] != c.want {
					t.Errorf("frame %d arrives %+v, want at %v", i, a, c.want)
				}
			}
		})
	}
}

func TestQueueDrops(t *testing.T) {
	t.Parallel()
	l := newLink(t, link.Config{Bandwidth: 8000, Queue: 2500}, "queue")
	var got []int
	for range 4 {
		got = append(got, l.Send(0, 1000).N)
	}
	got = append(got, l.Send(des.Second, 1000).N, l.Send(des.Second, 1000).N)
	if want := "[1 1 0 0 1 0]"; fmt.Sprint(got) != want {
		t.Errorf("arrivals %v, want %s", got, want)
	}
}

// TestQueueingDelay compares the transmitter under Poisson arrivals with the
// M/D/1 queue: mean wait rho s / 2(1-rho) at service time s and load rho
// (Pollaczek and Khinchine; Kleinrock, "Queueing Systems", vol. 1, Section 5.6).
func TestQueueingDelay(t *testing.T) {
	t.Parallel()
	const batches, size, s, rho = 50, 10_000, 1.0, 0.5
	l := newLink(t, link.Config{Bandwidth: 8000}, "queueing")
	r := des.NewStream(1, "arrivals")
	now := des.Time(0)
	var means []float64
	for range batches {
		sum := 0.0
		for range size {
			now += des.FromSeconds(r.Exp(s / rho))
			sum += (l.Send(now, 1000).At[0] - now).Seconds() - s
		}
		means = append(means, sum/size)
	}
	mean, sd := meanAndSD(means)
	want := rho * s / (2 * (1 - rho))
	// The means of long batches are nearly independent and normal; 4 standard
	// errors.
	if se := sd / math.Sqrt(batches); math.Abs(mean-want) > 4*se || se > 0.02 {
		t.Errorf("mean wait %g s with standard error %g, want %g", mean, se, want)
	}
}

func meanAndSD(xs []float64) (mean, sd float64) {
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	for _, x := range xs {
		sd += (x - mean) * (x - mean) / float64(len(xs)-1)
	}
	return mean, math.Sqrt(sd)
}

// TestHigherLossKeepsTheLuck: the frames lost at a lower rate are lost at a
// higher one, and those that arrive in both arrive at the same time.
func TestHigherLossKeepsTheLuck(t *testing.T) {
	t.Parallel()
	cfg := link.Config{Delay: link.Normal{Mu: 0.05, SD: 0.03}, Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, ReorderBy: link.Exponential(1)}
	worse := cfg
	worse.Loss = 0.3
	a, b := newLink(t, cfg, "luck"), newLink(t, worse, "luck")
	for i := range 10_000 {
		now := des.Time(i) * des.Second
		x, y := a.Send(now, 100), b.Send(now, 100)
		if y.N > 0 && x != y {
			t.Fatalf("frame %d: %+v at loss 0.1, %+v at 0.3", i, x, y)
		}
	}
}

// TestLinksAreIndependent: what other links and streams do changes nothing, and
// links of other names fare differently.
func TestLinksAreIndependent(t *testing.T) {
	t.Parallel()
	cfg := link.Config{Delay: link.LogNormal{Median: 0.05, Sigma: 0.5}, Loss: 0.2}
	k := des.New(1)
	alone, beside, other := newLink(t, cfg, "a"), link.New(&cfg, k.Stream("a")), link.New(&cfg, k.Stream("b"))
	same := 0
	var xs, ys []float64
	for i := range 10_000 {
		now := des.Time(i) * des.Second
		want := alone.Send(now, 100)
		for range i % 3 {
			k.Stream("b").Uint64()
		}
		y := other.Send(now, 100)
		if got := beside.Send(now, 100); got != want {
			t.Fatalf("frame %d: %+v beside others, %+v alone", i, got, want)
		}
		if want == y {
			same += want.N
		}
		if want.N == 1 && y.N == 1 {
			xs = append(xs, math.Log((want.At[0] - now).Seconds()))
			ys = append(ys, math.Log((y.At[0] - now).Seconds()))
		}
	}
	if same > 0 {
		t.Errorf("%d frames arrive on both links at the same nanosecond", same)
	}
	mx, sx := meanAndSD(xs)
	my, sy := meanAndSD(ys)
	products := make([]float64, len(xs))
	for i := range xs {
		products[i] = (xs[i] - mx) / sx * (ys[i] - my) / sy
	}
	checkMean(t, "correlation", products, 0, 1)
}

func TestSendAllocatesNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  link.Config
	}{
		{"datagram", link.Config{Delay: link.Normal{Mu: 0.05, SD: 0.01}, Loss: 0.1, Duplicate: 0.1,
			Reorder: 0.1, ReorderBy: link.Exponential(1), Bandwidth: 1e6, Queue: 1 << 20}},
		{"stream", link.Config{Mode: link.Stream, Delay: link.Empirical{{0, 0.01}, {1, 0.1}}, Loss: 0.1, Bandwidth: 1e6}},
	} {
		l := newLink(t, c.cfg, c.name)
		now := des.Time(0)
		if n := testing.AllocsPerRun(1000, func() { now += des.Millisecond; l.Send(now, 100) }); n != 0 {
			t.Errorf("%s: %v allocations per frame, want 0", c.name, n)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  link.Config
		want string
	}{
		{"mode", link.Config{Mode: 7}, "link: mode: mode 7, want datagram or stream"},
		{"loss", link.Config{Loss: 1.5}, "link: loss: 1.5, want a probability from 0 to 1"},
		{"duplicate", link.Config{Duplicate: -0.1}, "link: duplicate: -0.1"},
		{"reorder", link.Config{Reorder: math.NaN()}, "link: reorder: NaN"},
		{"delay", link.Config{Delay: link.Constant(-1)}, "link: delay: constant: value is -1"},
		{"reorder by", link.Config{ReorderBy: link.LogNormal{}}, "link: reorder by: lognormal: median is 0"},
		{"no reorder by", link.Config{Reorder: 0.5}, "link: reorder by: missing, want a delay because reorder is 0.5"},
		{"bandwidth", link.Config{Bandwidth: -1}, "link: bandwidth is -1"},
		{"queue", link.Config{Queue: -1, Bandwidth: 1}, "link: queue: -1 bytes, want at least 0"},
		{"queue without bandwidth", link.Config{Queue: 1}, "link: queue: 1 bytes, want 0 unless"},
		{"queue of a stream", link.Config{Mode: link.Stream, Bandwidth: 1, Queue: 1}, "link: queue: 1 bytes, want 0 unless"},
		{"handshake", link.Config{Handshake: 11}, "link: handshake: 11 round trips, want 0 to 10"},
		{"break after", link.Config{BreakAfter: -1}, "link: break after: -1ns, want at least 0"},
		{"empty window", link.Config{Down: link.Windows{{1, 1}}}, "link: down: window 1: from 1ns to 1ns, want 0 <= from < to"},
		{"window before the start", link.Config{Down: link.Windows{{-1, 1}}}, "link: down: window 1: from -1ns"},
		{"touching windows", link.Config{Down: link.Windows{{1, 2}, {2, 3}}}, "link: down: window 2: from 2ns, want after 2ns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.cfg.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestSendOnAnyConfig holds what every link promises against random
// configurations.
func TestSendOnAnyConfig(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := &link.Config{
			Mode:      rapid.SampledFrom([]link.Mode{link.Datagram, link.Stream}).Draw(t, "mode"),
			Loss:      rapid.SampledFrom([]float64{0, 0.01, 0.5, 1}).Draw(t, "loss"),
			Duplicate: rapid.Float64Range(0, 1).Draw(t, "duplicate"),
			Reorder:   rapid.Float64Range(0, 1).Draw(t, "reorder"),
			ReorderBy: link.Exponential(3),
			Bandwidth: rapid.SampledFrom([]float64{0, 1e3, 1e6}).Draw(t, "bandwidth"),
			Handshake: rapid.IntRange(0, 2).Draw(t, "handshake"),
			Delay: rapid.SampledFrom([]link.Dist{
				nil, link.Constant(0.05), link.Exponential(1), link.LogNormal{Median: 0.1, Sigma: 3}, link.Constant(1e300),
			}).Draw(t, "delay"),
		}
		r := des.NewStream(rapid.Uint64().Draw(t, "seed"), "down")
		cfg.Down = link.Downtimes(link.Alternating{Up: link.Exponential(100), Down: link.Exponential(100)}, r, 10*des.Hour)
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		l := link.New(cfg, r)
		now, last, broken, conn := des.Time(0), des.Time(0), des.Time(0), uint32(0)
		for range rapid.IntRange(1, 200).Draw(t, "frames") {
			now += rapid.Custom(func(t *rapid.T) des.Time {
				return des.Time(rapid.Int64Range(0, 1<<rapid.IntRange(0, 38).Draw(t, "bits")).Draw(t, "gap"))
			}).Draw(t, "gap")
			a := l.Send(now, rapid.IntRange(0, 10_000).Draw(t, "size"))
			for i := range a.N {
				if a.At[i] < now || i > 0 && a.At[i] < a.At[i-1] {
					t.Fatalf("sent at %v, arrives at %v", now, a.At[:a.N])
				}
			}
			if cfg.Mode == link.Datagram {
				if a.Broken != 0 || a.Conn != 0 || a.N > 2 {
					t.Fatalf("datagram: %+v", a)
				}
				continue
			}
			if (a.N == 1) == (a.Broken != 0) {
				t.Fatalf("stream: %+v, want one arrival or a break", a)
			}
			if a.Conn != conn {
				if a.Conn != conn+1 || broken == 0 || now < broken {
					t.Fatalf("connection %d after %d, which breaks at %v", a.Conn, conn, broken)
				}
				conn, last, broken = a.Conn, 0, 0
			}
			switch {
			case broken != 0 && a.Broken != broken:
				t.Fatalf("%+v on a connection that breaks at %v", a, broken)
			case a.Broken != 0 && a.Broken <= now:
				t.Fatalf("%+v at %v: broken in the past", a, now)
			case a.N == 1 && a.At[0] < last:
				t.Fatalf("%+v before %v, the arrival of the frame before", a, last)
			}
			broken, last = a.Broken, max(last, a.At[0])
		}
	})
}
