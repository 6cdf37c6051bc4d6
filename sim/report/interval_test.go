package report

import (
	"math"
	"math/rand/v2"
	"testing"
)

// NIST/SEMATECH e-Handbook of Statistical Methods, Section 1.3.6.7.2, critical
// values of Student's t, column 0.975.
func TestStudentT(t *testing.T) {
	t.Parallel()
	for freedom, want := range map[int]float64{
		1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 10: 2.228,
		15: 2.131, 19: 2.093, 29: 2.045, 30: 2.042, 60: 2.000, 100: 1.984,
	} {
		if got := studentT(0.95, freedom); math.Abs(got-want) > 0.0005 {
			t.Errorf("%d degrees of freedom: got %.4f, want %.3f", freedom, got, want)
		}
	}
}

func TestIntervalTextbook(t *testing.T) {
	t.Parallel()
	t.Run("Student 1908, sleep", func(t *testing.T) {
		// Student, The probable error of a mean, Biometrika 6, 1908: additional
		// hours of sleep, second less first drug. Limits as R's t.test gives them.
		e := Interval([]float64{1.2, 2.4, 1.3, 1.3, 0, 1.0, 1.8, 0.8, 4.6, 1.4})
		near(t, "mean", e.Mean, 1.58, 1e-9)
		near(t, "low", e.Low(), 0.7001142, 1e-6)
		near(t, "high", e.High(), 2.4598858, 1e-6)
		if e.N != 10 || e.Method != Replications {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("NIST, heat flow meter", func(t *testing.T) {
		// NIST/SEMATECH e-Handbook, Section 1.3.5.2, data set ZARR13.DAT: limits
		// 9.258242 and 9.264679 about 9.261460.
		near(t, "half width", halfWidth(0.95, 0.02278881, 195), 9.264679-9.261460, 1e-6)
	})
	t.Run("Law, ten replications at 90 %", func(t *testing.T) {
		// Law, Simulation Modeling and Analysis, Section 4.5: 1.34 +- 0.24.
		e := Interval([]float64{1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09})
		near(t, "mean", e.Mean, 1.34, 0.005)
		near(t, "half width", halfWidth(0.90, e.SD, e.N), 0.24, 0.005)
	})
}

func TestIntervalOfFew(t *testing.T) {
	t.Parallel()
	if e := Interval(nil); e.HasInterval() || e.N != 0 {
		t.Errorf("of none: %+v", e)
	}
	if e := Interval([]float64{3}); e.HasInterval() || e.Mean != 3 || e.N != 1 || e.Half != 0 {
		t.Errorf("of one: %+v", e)
	}
	if e := Interval([]float64{3, 3}); !e.HasInterval() || e.Half != 0 {
		t.Errorf("of two equal: %+v", e)
	}
}

// TestCoverage: of many intervals at a fixed seed, about 95 % hold the truth.
func TestCoverage(t *testing.T) {
	t.Parallel()
	const runs = 2000
	rng := rand.New(rand.NewPCG(1, 2))
	t.Run("replications", func(t *testing.T) {
		hits := 0
		for range runs {
			values := make([]float64, 10)
			for i := range values {
				values[i] = 7 + 3*rng.NormFloat64()
			}
			if e := Interval(values); math.Abs(e.Mean-7) <= e.Half {
				hits++
			}
		}
		between(t, hits, runs, 0.94, 0.96)
	})
	// Exponential values with mean 1 ms, independent and autocorrelated (each
	// value persists with probability 0.9), as one replication.
	for _, c := range []struct {
		name    string
		n       int
		persist float64
	}{{"independent", 10000, 0}, {"autocorrelated", 40000, 0.9}} {
		t.Run("batch means, "+c.name, func(t *testing.T) {
			const runs = 400
			var mean, p50, p90, p99 int
			for range runs {
				h := newHistogram(Metric{Name: "latency", Unit: Milliseconds})
				v := rng.ExpFloat64()
				for range c.n {
					if rng.Float64() >= c.persist {
						v = rng.ExpFloat64()
					}
					h.Record(int64(v * 1e6))
				}
				hit := func(n *int, e Estimate, truth float64) {
					if e.Method != BatchMeans {
						t.Fatalf("method %q", e.Method)
					}
					if math.Abs(e.Mean-truth) <= e.Half {
						*n++
					}
				}
				hit(&mean, h.batchMean(), 1)
				q := h.batchQuantiles()
				hit(&p50, q[0], math.Ln2)
				hit(&p90, q[1], math.Log(10))
				hit(&p99, q[2], math.Log(100))
			}
			t.Logf("mean %d, p50 %d, p90 %d, p99 %d of %d", mean, p50, p90, p99, runs)
			between(t, mean, runs, 0.92, 0.98)
			for _, hits := range []int{p50, p90, p99} {
				between(t, hits, runs, 0.93, 1) // thinning makes them a little wide
			}
		})
	}
}

func between(t *testing.T, hits, runs int, lo, hi float64) {
	t.Helper()
	if part := float64(hits) / float64(runs); part < lo || part > hi {
		t.Errorf("%d of %d intervals hold the truth, %.3f; want %.2f to %.2f", hits, runs, part, lo, hi)
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %v, want %v within %v", what, got, want, tolerance)
	}
}
