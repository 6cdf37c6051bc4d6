package link

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/mimi-lab/mimi-lab/sim/des"
)

// Dist is a distribution of non-negative numbers, in the unit that its user
// names: seconds for a delay, bytes for a size. It is a value without state; the
// randomness comes in.
type Dist interface {
	// Sample draws one number.
	Sample(r *des.Rand) float64
	// Mean is the expected value.
	Mean() float64
	// Validate says what is wrong with the parameters, if anything.
	Validate() error
}

// Constant is always the same number, at least 0. It draws nothing.
type Constant float64

// Sample returns c.
func (c Constant) Sample(*des.Rand) float64 { return float64(c) }

// Mean returns c.
func (c Constant) Mean() float64 { return float64(c) }

// Validate refuses a negative or infinite value.
func (c Constant) Validate() error { return atLeast(0, "constant", "value", float64(c)) }

// Normal is the normal distribution cut off below 0: a negative draw is drawn
// again. Mu and SD are mean and standard deviation before the cut, with Mu >= 0
// so that a draw succeeds at least every other time.
type Normal struct{ Mu, SD float64 }

// Sample draws one number.
func (d Normal) Sample(r *des.Rand) float64 {
	for {
		if x := r.Normal(d.Mu, d.SD); x >= 0 {
			return x
		}
	}
}

// Mean is mu + sd phi(a) / (1 - Phi(a)) with a = -mu/sd (Johnson, Kotz and
// Balakrishnan, "Continuous Univariate Distributions", vol. 1, Section 13.10.1).
func (d Normal) Mean() float64 {
	if d.SD == 0 {
		return d.Mu
	}
	a := -d.Mu / d.SD
	phi := math.Exp(-a*a/2) / math.Sqrt(2*math.Pi)
	return d.Mu + d.SD*phi/(math.Erfc(a/math.Sqrt2)/2)
}

// Validate refuses a negative or infinite mean or standard deviation.
func (d Normal) Validate() error {
	if err := atLeast(0, "normal", "mean", d.Mu); err != nil {
		return err
	}
	return atLeast(0, "normal", "standard deviation", d.SD)
}

// LogNormal is exp(N(ln Median, Sigma)): half of the draws lie below Median, and
// Sigma is the standard deviation of the logarithm (Johnson, Kotz and
// Balakrishnan, vol. 1, Section 14.1).
type LogNormal struct{ Median, Sigma float64 }

// Sample draws one number.
func (d LogNormal) Sample(r *des.Rand) float64 {
	return d.Median * math.Exp(r.Normal(0, d.Sigma))
}

// Mean is Median exp(Sigma^2/2).
func (d LogNormal) Mean() float64 { return d.Median * math.Exp(d.Sigma*d.Sigma/2) }

// Validate refuses a median that is not above 0 and a Sigma outside [0, 10].
func (d LogNormal) Validate() error {
	if !(d.Median > 0) || math.IsInf(d.Median, 0) {
		return fmt.Errorf("lognormal: median is %g, want a finite number above 0", d.Median)
	}
	if !(d.Sigma >= 0 && d.Sigma <= 10) {
		return fmt.Errorf("lognormal: sigma is %g, want 0 to 10", d.Sigma)
	}
	return nil
}

// Exponential is the exponential distribution with the given mean, at least 0.
type Exponential float64

// Sample draws one number.
func (d Exponential) Sample(r *des.Rand) float64 { return r.Exp(float64(d)) }

// Mean returns the mean.
func (d Exponential) Mean() float64 { return float64(d) }

// Validate refuses a negative or infinite mean.
func (d Exponential) Validate() error { return atLeast(0, "exponential", "mean", float64(d)) }

// Quantile is a point of an empirical distribution: a share P of the values lies
// at or below Value.
type Quantile struct{ P, Value float64 }

// Empirical is a distribution known by some of its quantiles, linear in between:
// it samples the inverse of the distribution function at a uniform number
// (Devroye, "Non-Uniform Random Variate Generation", 1986, Section II.2). The
// quantiles go from P = 0 to P = 1 with P rising and Value not falling.
type Empirical []Quantile

// Sample draws one number.
func (d Empirical) Sample(r *des.Rand) float64 {
	u := r.Float64()
	i := sort.Search(len(d), func(i int) bool { return d[i].P > u })
	a, b := d[i-1], d[i]
	return a.Value + (b.Value-a.Value)*(u-a.P)/(b.P-a.P)
}

// Mean is the area below the inverse distribution function.
func (d Empirical) Mean() float64 {
	sum := 0.0
	for i := 1; i < len(d); i++ {
		sum += (d[i].P - d[i-1].P) * (d[i].Value + d[i-1].Value) / 2
	}
	return sum
}

// Validate refuses anything but rising quantiles from 0 to 1.
func (d Empirical) Validate() error {
	if len(d) < 2 {
		return fmt.Errorf("empirical: %d quantiles, want at least those of 0 and 1", len(d))
	}
	if d[0].P != 0 || d[len(d)-1].P != 1 {
		return fmt.Errorf("empirical: quantiles from %g to %g, want from 0 to 1", d[0].P, d[len(d)-1].P)
	}
	for i, q := range d {
		if err := atLeast(0, "empirical", fmt.Sprintf("quantile %g", q.P), q.Value); err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		if !(q.P > d[i-1].P) {
			return fmt.Errorf("empirical: quantile %d is that of %g, want above %g, the one before", i+1, q.P, d[i-1].P)
		}
		if q.Value < d[i-1].Value {
			return fmt.Errorf("empirical: quantile %g is %g, want at least %g, the one before", q.P, q.Value, d[i-1].Value)
		}
	}
	return nil
}

// FromSamples returns the empirical distribution of some measured values, of
// which there must be two or more; it is exact at each of them. The slice is not
// modified.
func FromSamples(values []float64) (Empirical, error) {
	if len(values) < 2 {
		return nil, fmt.Errorf("link: empirical: %d samples, want at least 2", len(values))
	}
	sorted := slices.Sorted(slices.Values(values))
	d := make(Empirical, len(sorted))
	for i, v := range sorted {
		d[i] = Quantile{float64(i) / float64(len(sorted)-1), v}
	}
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	return d, nil
}

// atLeast refuses x below low, infinite, or not a number.
func atLeast(low float64, where, what string, x float64) error {
	if !(x >= low) || math.IsInf(x, 0) {
		return fmt.Errorf("%s: %s is %g, want a finite number of at least %g", where, what, x, low)
	}
	return nil
}
