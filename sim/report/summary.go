package report

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// quantiles are those that every summary has.
var quantiles = [...]float64{0.5, 0.9, 0.99}

// Summary is what a set of replications says, sorted by point, metric and
// labels.
type Summary struct {
	Metrics []Metric // sorted by name; modelled if any replication's is
	Entries []Entry
}

// Entry is one metric with one set of labels at one point of the sweep.
type Entry struct {
	Point        Labels
	Metric       Metric // modelled if that of any replication at this point is
	Labels       Labels
	Replications int // run at this point; at least the N of each estimate
	// Estimate is the value of a scalar or count, or the mean of a histogram.
	Estimate
	Distribution *Distribution // nil for scalars and counts
}

// Distribution is what the histograms of all replications say together. All
// values are in the metric's unit.
type Distribution struct {
	Count     int64 // values, over all replications
	Min, Max  float64
	Quantiles []Quantile // p50, p90, p99
	cells     []cell     // merged
	unit      float64    // metric's units per histogram unit
}

// Quantile is one quantile of a distribution.
type Quantile struct {
	P        float64 // 0 to 1
	Estimate         // over the replications' quantiles
	Merged   float64 // of all values together
}

// At returns the p-quantile of all values together, 0 <= p <= 1.
func (d *Distribution) At(p float64) float64 {
	return float64(quantileOf(d.cells, d.Count, p)) * d.unit
}

// Quantile returns the estimate of the p-quantile, which is one of 0.5, 0.9 and
// 0.99.
func (d *Distribution) Quantile(p float64) (Quantile, bool) {
	for _, q := range d.Quantiles {
		if q.P == p {
			return q, true
		}
	}
	return Quantile{}, false
}

// Collect summarises replications, which may come in any order. With two or
// more at a point the intervals come from the replications; with one, from batch
// means if the metric is a histogram with enough values, and there is none
// otherwise. A scalar or histogram that some replications lack is estimated from
// those that have it (Estimate.N says how many); a count that some lack is 0
// there.
//
// An error means that the replications contradict each other or were recorded
// wrongly.
func Collect(reps ...*Replication) (*Summary, error) {
	points, metrics, err := arrange(reps)
	if err != nil {
		return nil, err
	}
	s := &Summary{}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		s.Metrics = append(s.Metrics, metrics[name])
	}
	for _, point := range slices.SortedFunc(maps.Keys(points), comparePoints) {
		s.Entries = append(s.Entries, summarise(Labels{point}, points[point], metrics)...)
	}
	return s, nil
}

// arrange groups replications by point, each sorted by index, and checks them.
func arrange(reps []*Replication) (map[string][]*Replication, map[string]Metric, error) {
	points := make(map[string][]*Replication)
	metrics := make(map[string]Metric)
	var errs []error
	for _, r := range reps {
		errs = append(errs, r.err)
		points[r.point] = append(points[r.point], r)
		for name, m := range r.metrics {
			old, ok := metrics[name]
			if !ok {
				old = m
			}
			modelled := old.Modelled || m.Modelled
			if old.Modelled, m.Modelled = modelled, modelled; old != m {
				errs = append(errs, fmt.Errorf("metric %s: defined as %+v and as %+v", name, old, m))
			}
			metrics[name] = m
		}
	}
	hist := make(map[key]bool)
	mixed := func(k key, isHist bool) {
		if was, ok := hist[k]; ok && was != isHist {
			errs = append(errs, fmt.Errorf("metric %s{%s}: both a scalar and a histogram", k.metric, k.labels))
		}
		hist[k] = isHist
	}
	for _, r := range reps {
		for k := range r.scalars {
			mixed(k, false)
		}
		for k := range r.hists {
			mixed(k, true)
		}
	}
	for point, at := range points {
		slices.SortFunc(at, func(a, b *Replication) int { return cmp.Compare(a.index, b.index) })
		for i := 1; i < len(at); i++ {
			if at[i].index == at[i-1].index {
				errs = append(errs, fmt.Errorf("point %q: replication %d is there twice", point, at[i].index))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, fmt.Errorf("report: %w", err)
	}
	return points, metrics, nil
}

func summarise(point Labels, reps []*Replication, metrics map[string]Metric) []Entry {
	hist := make(map[key]bool)
	for _, r := range reps {
		for k := range r.scalars {
			hist[k] = false
		}
		for k := range r.hists {
			hist[k] = true
		}
	}
	var out []Entry
	for _, k := range slices.SortedFunc(maps.Keys(hist), compareKeys) {
		e := Entry{Point: point, Metric: metrics[k.metric], Labels: k.labels, Replications: len(reps)}
		e.Metric.Modelled = slices.ContainsFunc(reps, func(r *Replication) bool { return r.metrics[k.metric].Modelled })
		if hist[k] {
			var recorded []*Histogram
			for _, r := range reps {
				if h := r.hists[k]; h != nil && h.count > 0 {
					recorded = append(recorded, h)
				}
			}
			if len(recorded) == 0 {
				continue
			}
			e.Estimate, e.Distribution = distribution(recorded)
		} else {
			e.Estimate = Interval(scalarValues(reps, k))
		}
		out = append(out, e)
	}
	return out
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.metric, b.metric), compareLabels(a.labels, b.labels))
}

func scalarValues(reps []*Replication, k key) []float64 {
	var counts bool
	for _, r := range reps {
		if c := r.scalars[k]; c != nil && c.counts {
			counts = true
		}
	}
	var values []float64
	for _, r := range reps {
		if c := r.scalars[k]; c != nil {
			values = append(values, c.value)
		} else if counts {
			values = append(values, 0)
		}
	}
	return values
}

func distribution(hs []*Histogram) (Estimate, *Distribution) {
	first := hs[0]
	d := &Distribution{unit: float64(first.cell) * first.scale()}
	lo, hi := first.min, first.max
	for _, h := range hs {
		d.Count += h.count
		lo, hi = min(lo, h.min), max(hi, h.max)
		d.cells = mergeCells(d.cells, h.content())
	}
	d.Min, d.Max = float64(lo)*first.scale(), float64(hi)*first.scale()
	if len(hs) == 1 {
		for i, e := range first.batchQuantiles() {
			d.Quantiles = append(d.Quantiles, Quantile{quantiles[i], e, d.At(quantiles[i])})
		}
		return first.batchMean(), d
	}
	means := make([]float64, len(hs))
	var each [len(quantiles)][]float64
	for n, h := range hs {
		means[n] = h.mean()
		for i, v := range h.quantiles() {
			each[i] = append(each[i], v)
		}
	}
	for i, p := range quantiles {
		d.Quantiles = append(d.Quantiles, Quantile{p, Interval(each[i]), d.At(p)})
	}
	return Interval(means), d
}

// Find returns the entry of a metric at one point with exactly these labels.
func (s *Summary) Find(point Labels, metric string, l Labels) (Entry, bool) {
	for _, e := range s.Entries {
		if e.Point == point && e.Metric.Name == metric && e.Labels == l {
			return e, true
		}
	}
	return Entry{}, false
}

// Get returns the value that key has among the entry's labels or else in its
// point.
func (e Entry) Get(key string) (string, bool) {
	if v, ok := e.Labels.Get(key); ok {
		return v, true
	}
	return e.Point.Get(key)
}

// has reports whether every key of want has the same value.
func (e Entry) has(want Labels) bool {
	for _, p := range want.Pairs() {
		if v, ok := e.Get(p[0]); !ok || v != p[1] {
			return false
		}
	}
	return true
}

// Select returns the entries of a metric, in order, that have at least the given
// labels, be it as labels or in their point.
func (s *Summary) Select(metric string, with Labels) []Entry {
	var out []Entry
	for _, e := range s.Entries {
		if e.Metric.Name == metric && e.has(with) {
			out = append(out, e)
		}
	}
	return out
}
