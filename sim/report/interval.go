package report

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Level is the confidence level of every interval.
const Level = 0.95

// Method says how an interval came about.
type Method string

const (
	// Replications: Student's t over independent replications (Law, Simulation
	// Modeling and Analysis, 5th ed., Section 9.4.1).
	Replications Method = "replications"
	// BatchMeans: one replication, cut into 16 to 31 consecutive batches of
	// equal length; Student's t over the batches (Schmeiser, Batch size effects
	// in the analysis of simulation output, Operations Research 30, 1982, which
	// finds 10 to 30 batches enough). For a quantile the deviations are taken
	// from the quantile of the whole run, which is called sectioning (Nakayama,
	// Confidence intervals for quantiles using sectioning when applying
	// variance-reduction techniques, ACM TOMACS 24, 2014). It works on the thinned
	// values, which makes the intervals of quantiles wide rather than narrow.
	BatchMeans Method = "batch means"
	// NoInterval: a single value says nothing about its own spread.
	NoInterval Method = "n=1, no interval"
)

// Estimate is a mean with its confidence interval, which reaches from Mean-Half
// to Mean+Half. With method [NoInterval], Half and SD are 0 and mean nothing.
type Estimate struct {
	N      int     // independent values: replications, or batches
	Mean   float64 // for a quantile by batches: that of the whole run
	SD     float64 // sample standard deviation of the N values
	Half   float64 // half the width of the interval
	Method Method
}

// HasInterval reports whether there is an interval.
func (e Estimate) HasInterval() bool { return e.Method == Replications || e.Method == BatchMeans }

// Low returns the lower end of the interval.
func (e Estimate) Low() float64 { return e.Mean - e.Half }

// High returns the upper end of the interval.
func (e Estimate) High() float64 { return e.Mean + e.Half }

// Interval returns the mean of values, one for each independent replication,
// with its confidence interval by Student's t. For the exact level the values
// have to be normally distributed; for means over many events they nearly are.
// The interval isn't clipped to what values are possible: a share may have a
// lower end below 0.
func Interval(values []float64) Estimate {
	switch len(values) {
	case 0:
		return Estimate{Method: NoInterval}
	case 1:
		return Estimate{N: 1, Mean: values[0], Method: NoInterval}
	}
	mean, sd := stat.MeanStdDev(values, nil)
	return Estimate{
		N: len(values), Mean: mean, SD: sd,
		Half: halfWidth(Level, sd, len(values)), Method: Replications,
	}
}

// halfWidth is t(level, n-1) * sd / sqrt(n).
func halfWidth(level, sd float64, n int) float64 {
	return studentT(level, n-1) * sd / math.Sqrt(float64(n))
}

// studentT returns the value that a t-distributed variable with so many degrees
// of freedom keeps within, on both sides of 0, with probability level.
func studentT(level float64, freedom int) float64 {
	return distuv.StudentsT{Sigma: 1, Nu: float64(freedom)}.Quantile(1 - (1-level)/2)
}

// The batches of one replication.
const (
	maxBatches  = 32
	minBatches  = maxBatches / 2
	minBatch    = 16   // observations
	batchSample = 8192 // raw values held for batch quantiles
	minBeyond   = 2    // values on the thinner side of a quantile within each batch
)

// batches holds the sums of consecutive batches. When all are full, neighbours
// are joined, so that their number stays between 16 and 31.
type batches struct {
	sums   [maxBatches]float64
	full   int   // full batches
	length int64 // of a full batch; 0 means 1
	inLast int64 // values in sums[full]
}

func (b *batches) add(v float64) {
	b.sums[b.full] += v
	if b.inLast++; b.inLast < max(1, b.length) {
		return
	}
	b.inLast = 0
	if b.full++; b.full < maxBatches {
		return
	}
	for i := range minBatches {
		b.sums[i] = b.sums[2*i] + b.sums[2*i+1]
	}
	clear(b.sums[minBatches:])
	b.full, b.length = minBatches, 2*max(1, b.length)
}

// batchMean returns the mean with an interval by batch means.
func (h *Histogram) batchMean() Estimate {
	e := Estimate{N: 1, Mean: h.mean(), Method: NoInterval}
	b := &h.batches
	if b.full < minBatches || b.length < minBatch {
		return e
	}
	means := make([]float64, b.full)
	for i := range means {
		means[i] = b.sums[i] / float64(b.length) * h.scale()
	}
	e.N, e.SD, e.Method = b.full, stat.StdDev(means, nil), BatchMeans
	e.Half = halfWidth(Level, e.SD, e.N)
	return e
}

// batchQuantiles returns the quantiles with intervals by sectioning.
func (h *Histogram) batchQuantiles() [len(quantiles)]Estimate {
	if h.hdr == nil {
		return h.short
	}
	var out [len(quantiles)]Estimate
	for i, whole := range h.quantiles() {
		out[i] = h.sectioned(quantiles[i], whole)
	}
	return out
}

// sectioned puts an interval about the p-quantile of the whole run.
func (h *Histogram) sectioned(p, whole float64) Estimate {
	e := Estimate{N: 1, Mean: whole, Method: NoInterval}
	length := len(h.kept.values) / minBatches
	if length < minBatch || float64(length)*min(p, 1-p) < minBeyond {
		return e
	}
	var squares float64
	section := make([]int64, length)
	for i := range minBatches {
		copy(section, h.kept.values[i*length:])
		slices.Sort(section)
		d := float64(section[rankOf(p, int64(length))-1])*h.scale() - whole
		squares += d * d
	}
	e.N, e.Method = minBatches, BatchMeans
	e.SD = math.Sqrt(squares / (minBatches - 1))
	e.Half = halfWidth(Level, e.SD, e.N)
	return e
}
