package link_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// checkMean fails if the mean of xs lies more than 4 standard errors from want,
// which a true sample does in one case of 16 000. sd is the distribution's.
func checkMean(t *testing.T, what string, xs []float64, want, sd float64) {
	t.Helper()
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	got := sum / float64(len(xs))
	if se := sd / math.Sqrt(float64(len(xs))); math.Abs(got-want) > 4*se+1e-12 {
		t.Errorf("%s: mean %g of %d draws, want %g within %g", what, got, len(xs), want, 4*se)
	}
}

// checkShare fails if hits of n, each with probability p, lie more than 4
// standard deviations from n*p.
func checkShare(t *testing.T, what string, hits, n int, p float64) {
	t.Helper()
	want := float64(n) * p
	if sd := math.Sqrt(want * (1 - p)); math.Abs(float64(hits)-want) > 4*sd {
		t.Errorf("%s: %d of %d, want %.0f within %.0f", what, hits, n, want, 4*sd)
	}
}

func TestDistributions(t *testing.T) {
	t.Parallel()
	const n = 100_000
	sq := func(x float64) float64 { return x * x }
	for _, c := range []struct {
		name     string
		d        link.Dist
		mean, sd float64 // from the formulas of the literature
		at, p    float64 // a share p lies at or below at
	}{
		{"constant", link.Constant(0.05), 0.05, 0, 0.05, 1},
		{"exponential", link.Exponential(2), 2, 2, 2 * math.Ln2, 0.5},
		{"lognormal", link.LogNormal{Median: 0.05, Sigma: 0.5}, 0.05 * math.Exp(0.125),
			0.05 * math.Exp(0.125) * math.Sqrt(math.Expm1(0.25)), 0.05, 0.5},
		{"lognormal, upper share", link.LogNormal{Median: 3, Sigma: 1}, 3 * math.Exp(0.5),
			3 * math.Exp(0.5) * math.Sqrt(math.Expm1(1)), 3 * math.E, 0.841344746068543},
		{"normal far from 0", link.Normal{Mu: 10, SD: 1}, 10, 1, 11, 0.841344746068543},
		// The half normal distribution: mean sqrt(2/pi), variance 1 - 2/pi.
		{"normal cut in half", link.Normal{Mu: 0, SD: 1}, math.Sqrt(2 / math.Pi), math.Sqrt(1 - 2/math.Pi), 1, 0.682689492137086},
		{"normal without spread", link.Normal{Mu: 4}, 4, 0, 4, 1},
		// Uniform: variance 1/12.
		{"empirical uniform", link.Empirical{{0, 0}, {1, 1}}, 0.5, math.Sqrt(1. / 12), 0.25, 0.25},
		// A half at 0 to 1, a half at 1 to 3: E x = 0.25 + 1, E x^2 = (1/3 + 13/3) / 2.
		{"empirical bent", link.Empirical{{0, 0}, {0.5, 1}, {1, 3}}, 1.25, math.Sqrt(14./6 - sq(1.25)), 2, 0.75},
		{"empirical step", link.Empirical{{0, 1}, {0.9, 1}, {1, 1}}, 1, 0, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.d.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := c.d.Mean(); math.Abs(got-c.mean) > 1e-9*c.mean {
				t.Errorf("Mean() = %g, want %g", got, c.mean)
			}
			r := des.NewStream(1, c.name)
			xs, below := make([]float64, n), 0
			for i := range xs {
				xs[i] = c.d.Sample(r)
				if xs[i] < 0 {
					t.Fatalf("draw %g, want at least 0", xs[i])
				}
				if xs[i] <= c.at {
					below++
				}
			}
			checkMean(t, "sample", xs, c.mean, c.sd)
			checkShare(t, "below", below, n, c.p)
		})
	}
}

func TestFromSamples(t *testing.T) {
	t.Parallel()
	values := []float64{3, 1, 2}
	d, err := link.FromSamples(values)
	if err != nil {
		t.Fatal(err)
	}
	if values[0] != 3 {
		t.Error("the samples were sorted in place")
	}
	if d.Mean() != 2 {
		t.Errorf("mean %g, want 2", d.Mean())
	}
	r := des.NewStream(1, "samples")
	below := 0
	for range 10_000 {
		x := d.Sample(r)
		if x < 1 || x > 3 {
			t.Fatalf("draw %g, want 1 to 3", x)
		}
		if x < 2 {
			below++
		}
	}
	checkShare(t, "below the median", below, 10_000, 0.5)
	if _, err := link.FromSamples([]float64{1}); err == nil {
		t.Error("one sample makes a distribution")
	}
	if _, err := link.FromSamples([]float64{1, -1}); err == nil {
		t.Error("a negative sample makes a distribution")
	}
}

func TestDistErrors(t *testing.T) {
	t.Parallel()
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		name string
		d    link.Dist
		want string
	}{
		{"negative constant", link.Constant(-1), "constant: value is -1, want a finite number of at least 0"},
		{"infinite constant", link.Constant(inf), "constant: value is +Inf"},
		{"NaN constant", link.Constant(nan), "constant: value is NaN"},
		{"negative exponential", link.Exponential(-2), "exponential: mean is -2"},
		{"negative normal", link.Normal{Mu: -1, SD: 1}, "normal: mean is -1"},
		{"normal of negative spread", link.Normal{Mu: 1, SD: -1}, "normal: standard deviation is -1"},
		{"lognormal at 0", link.LogNormal{}, "lognormal: median is 0, want a finite number above 0"},
		{"lognormal of NaN", link.LogNormal{Median: nan}, "lognormal: median is NaN"},
		{"lognormal of negative spread", link.LogNormal{Median: 1, Sigma: -1}, "lognormal: sigma is -1, want 0 to 10"},
		{"lognormal too wide", link.LogNormal{Median: 1, Sigma: 11}, "lognormal: sigma is 11"},
		{"no quantiles", link.Empirical{}, "empirical: 0 quantiles, want at least those of 0 and 1"},
		{"quantiles from above 0", link.Empirical{{0.1, 1}, {1, 2}}, "empirical: quantiles from 0.1 to 1, want from 0 to 1"},
		{"quantiles to below 1", link.Empirical{{0, 1}, {0.9, 2}}, "empirical: quantiles from 0 to 0.9"},
		{"equal quantiles", link.Empirical{{0, 1}, {0.5, 1}, {0.5, 2}, {1, 2}}, "empirical: quantile 3 is that of 0.5, want above 0.5"},
		{"NaN quantile", link.Empirical{{0, 1}, {nan, 1}, {1, 2}}, "empirical: quantile 2 is that of NaN"},
		{"falling values", link.Empirical{{0, 1}, {0.5, 3}, {1, 2}}, "empirical: quantile 1 is 2, want at least 3"},
		{"negative value", link.Empirical{{0, -1}, {1, 2}}, "empirical: quantile 0 is -1, want a finite number of at least 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.d.Validate()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
