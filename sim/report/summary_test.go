package report

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

var (
	latency = Metric{Name: "latency", Unit: Milliseconds, Better: Lower}
	reach   = Metric{Name: "reachability", Unit: Share, Better: Higher}
	drops   = Metric{Name: "drops", Unit: "messages", Better: Lower}
)

func TestCollect(t *testing.T) {
	t.Parallel()
	direct := NewLabels("path", "direct")
	var reps []*Replication
	for i, share := range []float64{0.2, 0.4, 0.3} {
		r := NewReplication("opt_in=0.5", i, uint64(i))
		r.Scalar(reach, direct, share)
		if i == 1 {
			r.Count(drops, Labels{}, 2)
			r.Count(drops, Labels{}, 1)
		}
		for v := range int64(1000) {
			r.Observe(latency, direct, (v+1)*1e6*int64(i+1))
		}
		reps = append(reps, r)
	}
	reps[2].Finish()
	s, err := Collect(reps[2], reps[0], reps[1])
	if err != nil {
		t.Fatal(err)
	}
	point := NewLabels("opt_in", "0.5")
	e, ok := s.Find(point, "reachability", direct)
	if !ok || e.N != 3 || e.Method != Replications {
		t.Fatalf("reachability: %+v, %v", e, ok)
	}
	near(t, "reachability", e.Mean, 0.3, 1e-12)
	near(t, "half width", e.Half, 4.3027*0.1/math.Sqrt(3), 1e-5)
	e, _ = s.Find(point, "drops", Labels{})
	if near(t, "drops", e.Mean, 1, 1e-12); e.N != 3 {
		t.Errorf("drops: a count that was not made is 0: %+v", e)
	}
	e, _ = s.Find(point, "latency", direct)
	near(t, "mean latency", e.Mean, 1001, 1e-9)
	d := e.Distribution
	if d.Count != 3000 || d.Min != 1 || d.Max != 3000 {
		t.Errorf("latency: %+v", d)
	}
	q, _ := d.Quantile(0.9)
	near(t, "p90", q.Mean, 1800, 2)
	near(t, "p90 of all", q.Merged, 2100, 3) // 900 + 2700/2 + ...: values k, 2k, 3k
	near(t, "p100 of all", d.At(1), 3000, 3)
	if _, ok := d.Quantile(0.75); ok {
		t.Error("there is no estimate of p75")
	}
	if got := s.Select("latency", Labels{}); len(got) != 1 {
		t.Errorf("selected %d entries", len(got))
	}
}

func TestCollectOne(t *testing.T) {
	t.Parallel()
	r := NewReplication("", 0, 1)
	r.Scalar(reach, Labels{}, 0.5)
	r.Observe(latency, Labels{}, 5e6)
	for range 10000 {
		r.Observe(latency, NewLabels("many", "yes"), 5e6)
	}
	s, err := Collect(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Entries {
		want := NoInterval
		if e.Labels != (Labels{}) {
			want = BatchMeans
		}
		if e.Method != want {
			t.Errorf("%s{%s}: method %q, want %q", e.Metric.Name, e.Labels, e.Method, want)
		}
	}
}

func TestCollectRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		want string
		fill func(a, b *Replication)
	}{
		{"second scalar", "second value", func(a, b *Replication) { a.Scalar(reach, Labels{}, 1); a.Scalar(reach, Labels{}, 1) }},
		{"not a number", "not a finite number", func(a, b *Replication) { a.Scalar(reach, Labels{}, math.NaN()) }},
		{"other unit", "defined as", func(a, b *Replication) {
			a.Scalar(reach, Labels{}, 1)
			b.Scalar(Metric{Name: "reachability", Unit: "B"}, Labels{}, 1)
		}},
		{"scalar and count", "both a scalar and a count", func(a, b *Replication) { a.Scalar(drops, Labels{}, 1); a.Count(drops, Labels{}, 1) }},
		{"count and scalar", "second value", func(a, b *Replication) { a.Count(drops, Labels{}, 1); a.Scalar(drops, Labels{}, 1) }},
		{"scalar and histogram", "both a scalar and a histogram", func(a, b *Replication) { a.Scalar(drops, Labels{}, 1); b.Observe(drops, Labels{}, 1) }},
		{"late keep", "keep 10 after 1", func(a, b *Replication) { a.Observe(latency, Labels{}, 1); a.Keep(latency, Labels{}, 10) }},
		{"no name", "without a name", func(a, b *Replication) { a.Count(Metric{}, Labels{}, 1) }},
	} {
		a, b := NewReplication("", 0, 1), NewReplication("", 1, 2)
		c.fill(a, b)
		if _, err := Collect(a, b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q in it", c.name, err, c.want)
		}
	}
	if _, err := Collect(NewReplication("", 0, 1), NewReplication("", 0, 2)); err == nil {
		t.Error("the same replication twice was accepted")
	}
	if _, err := Collect(NewReplication("x", 0, 1)); err == nil {
		t.Error("a point that is not key=value was accepted")
	}
}

// TestHistogram checks quantiles against exact ones and against HdrHistogram's.
func TestHistogram(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	h := newHistogram(Metric{Name: "size", Unit: Bytes})
	hdr := hdrhistogram.New(1, histogramMax, histogramDigits)
	for range 50000 {
		v := int64(math.Exp(8 + 3*rng.NormFloat64()))
		h.Record(v)
		hdr.RecordValue(v)
	}
	for _, p := range []float64{0.001, 0.5, 0.9, 0.99, 1} {
		if got, want := quantileOf(h.content(), h.count, p), hdr.ValueAtQuantile(p*100); got != want {
			t.Errorf("p%v: got %v, HdrHistogram says %v", p*100, got, want)
		}
	}
	before := h.quantiles()
	if h.finish(); h.quantiles() != before {
		t.Error("finish changed the quantiles")
	}
}

func TestHistogramEnds(t *testing.T) {
	t.Parallel()
	h := newHistogram(latency)
	for _, ns := range []int64{0, 499, 500, 1499, math.MaxInt64 / 2} {
		h.Record(ns)
	}
	if got := h.content(); len(got) != 3 || got[0] != (cell{0, 2}) || got[1] != (cell{1, 2}) || got[2].n != 1 {
		t.Errorf("cells %v, want two at 0 µs, two at 1 µs, one at the end", got)
	}
	mustPanic(t, "negative value", func() { h.Record(-1) })
	h.finish()
	mustPanic(t, "after Finish", func() { h.Record(1) })
}

func TestThinned(t *testing.T) {
	t.Parallel()
	for n := int64(1); n < 300; n++ {
		s := newThinned(16)
		for v := range n {
			s.add(v)
		}
		for i, v := range s.values {
			if v != int64(i)*s.stride {
				t.Fatalf("after %d values: %v with stride %d", n, s.values, s.stride)
			}
		}
		if want := (n + s.stride - 1) / s.stride; int64(len(s.values)) != want || len(s.values) > 16 || (s.stride > 1 && len(s.values) < 8) {
			t.Fatalf("after %d values: holds %d with stride %d, want %d", n, len(s.values), s.stride, want)
		}
	}
}

func TestRecordingDoesNotAllocate(t *testing.T) {
	r := NewReplication("", 0, 1)
	l := NewLabels("path", "direct")
	h := r.Histogram(latency, l)
	for range batchSample {
		h.Record(1e6)
	}
	for name, f := range map[string]func(){
		"handle":  func() { h.Record(1e6) },
		"observe": func() { r.Observe(latency, l, 1e6) },
		"count":   func() { r.Count(drops, l, 1) },
	} {
		if n := testing.AllocsPerRun(1000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	r := NewReplication("", 0, 1)
	l := NewLabels("path", "direct")
	h := r.Histogram(latency, l)
	b.Run("handle", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			h.Record(int64(i) & 0xfffffff)
		}
	})
	b.Run("observe", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			r.Observe(latency, l, int64(i)&0xfffffff)
		}
	})
	b.Run("count", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Count(drops, l, 1)
		}
	})
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

func TestSelect(t *testing.T) {
	t.Parallel()
	s, err := Collect(replications(false)...)
	if err != nil {
		t.Fatal(err)
	}
	lines := s.Lines("reachability", "opt_in", "path", Labels{})
	if len(lines) != 2 || lines[0].Name != "direct" || len(lines[1].Points) != 3 || lines[1].Points[2].X != 20 {
		t.Errorf("lines %+v", lines)
	}
	if got := s.Lines("reachability", "path", "opt_in", Labels{}); len(got) != 0 {
		t.Errorf("a line over something that is no number: %+v", got)
	}
	at := NewLabels("opt_in", "10")
	if got := s.Select("latency", at.With("path", "direct")); len(got) != 1 || got[0].Point != at {
		t.Errorf("selected %+v", got)
	}
	grid := s.Grid("reachability", at, "path", []string{"proxied", "none", "direct"}, "opt_in", []string{"10", "20"})
	for i, want := range []int{3, 0, 3} {
		if grid[i][0].N != want || grid[i][1].N != 0 {
			t.Errorf("row %d of the grid: %+v", i, grid[i])
		}
	}
}

// BenchmarkCollect summarises 20 replications with 10 histograms each.
func BenchmarkCollect(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	var reps []*Replication
	for i := range 20 {
		r := NewReplication("", i, uint64(i))
		for k := range 10 {
			h := r.Histogram(latency, NewLabels("kind", string(rune('a'+k))))
			for range 10000 {
				h.Record(int64(1e8 * rng.ExpFloat64()))
			}
		}
		r.Finish()
		reps = append(reps, r)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Collect(reps...); err != nil {
			b.Fatal(err)
		}
	}
}

// A sweep over adapters has modelled points and others.
func TestCollectModelled(t *testing.T) {
	t.Parallel()
	a, b := NewReplication("adapter=real", 0, 1), NewReplication("adapter=sized", 0, 1)
	sized := reach
	sized.Modelled = true
	a.Scalar(reach, Labels{}, 1)
	b.Scalar(sized, Labels{}, 1)
	s, err := Collect(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Metrics[0].Modelled || s.Entries[0].Metric.Modelled || !s.Entries[1].Metric.Modelled {
		t.Errorf("got %+v", s)
	}
}
