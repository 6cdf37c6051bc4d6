package report

import (
	"fmt"
	"math"
)

// Replication records what one run of the simulator with one seed measured. It
// belongs to the goroutine of that run.
//
// Mistakes (a metric defined twice in different ways, a value that is not a
// number) don't disturb the run: the first one is kept and [Collect] returns it.
type Replication struct {
	point string
	index int
	seed  uint64

	metrics map[string]Metric
	scalars map[key]*Counter
	hists   map[key]*Histogram
	err     error
}

// key names one value within a replication.
type key struct {
	metric string
	labels Labels
}

// NewReplication starts the record of replication index (from 0) at one point
// of a sweep. point is in the form of [Labels], "opt_in=0.2,path=direct", and
// empty where nothing is swept.
func NewReplication(point string, index int, seed uint64) *Replication {
	r := &Replication{
		point: point, index: index, seed: seed,
		metrics: make(map[string]Metric),
		scalars: make(map[key]*Counter),
		hists:   make(map[key]*Histogram),
	}
	if _, err := ParseLabels(point); err != nil {
		r.fail(fmt.Errorf("point of the sweep: %w", err))
	}
	return r
}

// Point returns the point of the sweep.
func (r *Replication) Point() string { return r.point }

// Index returns the number of the replication within its point, from 0.
func (r *Replication) Index() int { return r.index }

// Seed returns the seed.
func (r *Replication) Seed() uint64 { return r.seed }

// Scalar records the one value that m has in this replication, in m's unit. A
// second value for the same metric and labels is an error.
func (r *Replication) Scalar(m Metric, l Labels, value float64) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		r.fail(fmt.Errorf("metric %s{%s}: value %v is not a finite number", m.Name, l, value))
		return
	}
	c := r.scalar(m, l)
	if c.set || c.counts {
		r.fail(fmt.Errorf("metric %s{%s}: second value %v after %v", m.Name, l, value, c.value))
		return
	}
	c.set, c.value = true, value
}

// Count adds n to a count that starts at 0.
func (r *Replication) Count(m Metric, l Labels, n int64) { r.Counter(m, l).Add(n) }

// Observe records one of many values: nanoseconds if m's unit is one of time,
// otherwise m's unit. Where it is called often, use [Replication.Histogram].
func (r *Replication) Observe(m Metric, l Labels, value int64) { r.Histogram(m, l).Record(value) }

// Keep asks for up to limit raw observations of m to be kept and written to
// samples.parquet, thinned as [Histogram] describes. It has to come before the
// first observation.
func (r *Replication) Keep(m Metric, l Labels, limit int) {
	h := r.Histogram(m, l)
	if h.Count() > 0 || limit < 1 {
		r.fail(fmt.Errorf("metric %s{%s}: keep %d after %d observations, want at least 1 before the first",
			m.Name, l, limit, h.Count()))
		return
	}
	h.kept = newThinned(max(limit, batchSample))
	h.limit = limit
}

// Counter returns the count of m, to add to without a look-up.
func (r *Replication) Counter(m Metric, l Labels) *Counter {
	c := r.scalar(m, l)
	if c.set {
		r.fail(fmt.Errorf("metric %s{%s}: both a scalar and a count", m.Name, l))
	}
	c.counts = true
	return c
}

// Counter is a pre-resolved count of one replication.
type Counter struct {
	value       float64
	set, counts bool
}

// Add adds n.
func (c *Counter) Add(n int64) { c.value += float64(n) }

func (r *Replication) scalar(m Metric, l Labels) *Counter {
	k := key{m.Name, l}
	c, ok := r.scalars[k]
	if !ok {
		r.define(m)
		if _, clash := r.hists[k]; clash {
			r.fail(fmt.Errorf("metric %s{%s}: both a scalar and a histogram", m.Name, l))
		}
		c = new(Counter)
		r.scalars[k] = c
	}
	return c
}

// Histogram returns the histogram of m, to record to without a look-up.
func (r *Replication) Histogram(m Metric, l Labels) *Histogram {
	k := key{m.Name, l}
	h, ok := r.hists[k]
	if !ok {
		r.define(m)
		if _, clash := r.scalars[k]; clash {
			r.fail(fmt.Errorf("metric %s{%s}: both a scalar and a histogram", m.Name, l))
		}
		h = newHistogram(m)
		r.hists[k] = h
	}
	return h
}

// Finish frees what only recording needs, some 300 kB for each histogram, which
// then takes 16 bytes for each of its cells in use. Histograms take no
// values afterwards. It is optional; [Collect] does without.
func (r *Replication) Finish() {
	for _, h := range r.hists {
		h.finish()
	}
}

func (r *Replication) define(m Metric) {
	if old, ok := r.metrics[m.Name]; ok && old != m {
		r.fail(fmt.Errorf("metric %s: defined as %+v and as %+v", m.Name, old, m))
		return
	}
	if m.Name == "" {
		r.fail(fmt.Errorf("metric without a name: %+v", m))
	}
	r.metrics[m.Name] = m
}

func (r *Replication) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("replication %d of point %q: %w", r.index, r.point, err)
	}
}
