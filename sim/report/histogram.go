package report

import (
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a histogram. Times are held in microseconds and so reach from
// 1 µs to 30 d; other values from 1 to the same number. Zero is held exactly,
// what lies above counts as the largest value.
const (
	histogramMax    = 30 * 24 * 3600 * 1_000_000
	histogramDigits = 3 // quantiles are exact to one part in a thousand
)

// Histogram is the record of many values of one metric in one replication. It
// holds
//
//   - an HdrHistogram with 3 significant digits, for quantiles;
//   - the exact sum, and the sums of up to 31 consecutive batches of equal
//     length, for batch means;
//   - a thinned sequence of raw values, in order: when it is full, every second
//     one is dropped, and from then on only every second of those that would
//     have been kept before is. So it always holds the observations number
//     0, k, 2k, ... for some power of two k. Nothing is random in it; a process
//     whose period divides k is seen at one phase only.
//
// [Histogram.Record] doesn't allocate once the sequence is full.
type Histogram struct {
	metric  Metric
	cell    int64 // raw units (nanoseconds, or the metric's unit) per histogram unit
	hdr     *hdrhistogram.Histogram
	cells   []cell // non-empty, of the first cellsOf values
	cellsOf int64
	sum     float64
	min     int64
	max     int64
	count   int64
	batches batches
	kept    thinned
	limit   int                      // raw values for samples.parquet
	short   [len(quantiles)]Estimate // of the finished histogram
}

// cell is one non-empty cell of a histogram: n values that all are about to.
type cell struct{ to, n int64 }

func newHistogram(m Metric) *Histogram {
	h := &Histogram{
		metric: m, cell: 1, min: math.MaxInt64,
		hdr:  hdrhistogram.New(1, histogramMax, histogramDigits),
		kept: newThinned(batchSample),
	}
	if _, isTime := timeScale(m.Unit); isTime {
		h.cell = 1000
	}
	return h
}

// Record takes one value: nanoseconds if the metric's unit is one of time,
// otherwise in the metric's unit. No metric has values below zero; one is a
// broken invariant of the caller and panics, as does recording after
// [Replication.Finish].
func (h *Histogram) Record(value int64) {
	if value < 0 {
		panic("report: negative value of metric " + h.metric.Name)
	}
	if h.hdr == nil {
		panic("report: value of metric " + h.metric.Name + " after Finish")
	}
	cell := value
	if h.cell > 1 {
		cell = (value + h.cell/2) / h.cell
	}
	_ = h.hdr.RecordValue(min(cell, histogramMax)) // in range: no error
	h.count++
	h.sum += float64(value)
	h.min = min(h.min, value)
	h.max = max(h.max, value)
	h.batches.add(float64(value))
	h.kept.add(value)
}

// Count returns how many values were recorded.
func (h *Histogram) Count() int64 { return h.count }

// scale returns the factor from raw values to the metric's unit.
func (h *Histogram) scale() float64 {
	ns, _ := timeScale(h.metric.Unit)
	return 1 / ns
}

// mean returns the exact mean in the metric's unit.
func (h *Histogram) mean() float64 { return h.sum / float64(h.count) * h.scale() }

// quantiles returns the quantiles that every summary has, in the metric's unit.
func (h *Histogram) quantiles() [len(quantiles)]float64 {
	var out [len(quantiles)]float64
	cells := h.content()
	for i, p := range quantiles {
		out[i] = float64(quantileOf(cells, h.count, p)) * float64(h.cell) * h.scale()
	}
	return out
}

// content returns the non-empty cells, ascending.
func (h *Histogram) content() []cell {
	if h.hdr == nil || h.cellsOf == h.count {
		return h.cells
	}
	h.cells, h.cellsOf = nil, h.count
	for _, b := range h.hdr.Distribution() {
		if b.Count > 0 {
			h.cells = append(h.cells, cell{to: b.To, n: b.Count})
		}
	}
	return h.cells
}

func (h *Histogram) finish() {
	if h.hdr == nil {
		return
	}
	h.cells = slices.Clip(h.content())
	h.short = h.batchQuantiles()
	h.hdr = nil
	if h.limit == 0 {
		h.kept.values = nil
	}
}

// quantileOf returns the smallest value that at least a part p of n values does
// not exceed.
func quantileOf(cells []cell, n int64, p float64) int64 {
	rank := rankOf(p, n)
	for _, c := range cells {
		if rank -= c.n; rank <= 0 {
			return c.to
		}
	}
	return 0
}

// rankOf is the smallest r with r >= p*n, at least 1, with p*n forgiven its
// rounding error.
func rankOf(p float64, n int64) int64 {
	x := p * float64(n)
	return max(1, int64(math.Ceil(x-x*1e-12)))
}

// mergeCells returns a and b together; both are ascending.
func mergeCells(a, b []cell) []cell {
	out := make([]cell, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].to < b[0].to:
			out, a = append(out, a[0]), a[1:]
		case a[0].to > b[0].to:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, cell{a[0].to, a[0].n + b[0].n})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// thinned is a sequence of raw values that never grows beyond its limit.
type thinned struct {
	values []int64
	limit  int
	stride int64 // a power of two
	seen   int64
}

func newThinned(limit int) thinned {
	return thinned{values: make([]int64, 0, min(limit, 1024)), limit: limit, stride: 1}
}

func (t *thinned) add(v int64) {
	if t.seen&(t.stride-1) == 0 {
		if len(t.values) == t.limit {
			t.values = everySecond(t.values)
			t.stride *= 2
		}
		if t.seen&(t.stride-1) == 0 {
			t.values = append(t.values, v)
		}
	}
	t.seen++
}

// atMost returns the values thinned further to at most n.
func (t *thinned) atMost(n int) (values []int64, stride int64) {
	values, stride = slices.Clone(t.values), t.stride
	for len(values) > n {
		values = everySecond(values)
		stride *= 2
	}
	return values, stride
}

func everySecond(values []int64) []int64 {
	n := 0
	for i := 0; i < len(values); i += 2 {
		values[n] = values[i]
		n++
	}
	return values[:n]
}
