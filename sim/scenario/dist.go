package scenario

import (
	"fmt"
	"slices"
)

// Quantity is what a distribution is over.
type Quantity interface {
	Duration | Bytes
}

// Dist is a distribution. A bare value stands for a constant. The zero Dist is
// absent, which is the constant 0.
//
//	constant     value
//	uniform      min, max
//	normal       mean, sd (the standard deviation)
//	lognormal    median, sigma (the standard deviation of the logarithm)
//	exponential  mean
//	empirical    quantiles, linear between them
//
// Lognormal and exponential may have min and max besides: a draw beyond one is
// taken as it. A draw of normal below 0 is drawn again.
type Dist[Q Quantity] struct {
	// Name of the family.
	Dist Family `yaml:"dist" enum:"constant|uniform|normal|lognormal|exponential|empirical"`
	// The value of constant.
	Value Q `yaml:"value,optional"`
	// The mean of exponential, and of normal before the cut at 0.
	Mean Q `yaml:"mean,optional"`
	// The standard deviation of normal.
	SD Q `yaml:"sd,optional"`
	// The median of lognormal.
	Median Q `yaml:"median,optional"`
	// The standard deviation of the logarithm of lognormal.
	Sigma float64 `yaml:"sigma,optional" min:"0" max:"10"`
	// Least value.
	Min Q `yaml:"min,optional"`
	// Greatest value; none means no bound.
	Max Q `yaml:"max,optional"`
	// The quantiles of empirical, from 0 to 100%.
	Quantiles []Quantile[Q] `yaml:"quantiles,optional"`
}

// Quantile is one point of an empirical distribution.
type Quantile[Q Quantity] struct {
	// Share of the values that are at most the value.
	At Share `yaml:"at"`
	// The value.
	Value Q `yaml:"value"`
}

// Family is the name of a family of distributions.
type Family string

// The families.
const (
	Constant    Family = "constant"
	UniformDist Family = "uniform"
	Normal      Family = "normal"
	LogNormal   Family = "lognormal"
	Exponential Family = "exponential"
	Empirical   Family = "empirical"
)

// IsZero reports whether the distribution is absent.
func (d Dist[Q]) IsZero() bool { return d.Dist == "" }

// parameters says which keys a family needs and which it may have besides.
var parameters = map[Family]struct{ needs, may []string }{
	Constant:    {needs: []string{"value"}},
	UniformDist: {needs: []string{"max"}, may: []string{"min"}},
	Normal:      {needs: []string{"mean", "sd"}},
	LogNormal:   {needs: []string{"median", "sigma"}, may: []string{"min", "max"}},
	Exponential: {needs: []string{"mean"}, may: []string{"min", "max"}},
	Empirical:   {needs: []string{"quantiles"}},
}

// check reports what is wrong with the parameters.
func (d Dist[Q]) check(path string, report func(path, found, expected string)) {
	family, ok := parameters[d.Dist]
	if !ok {
		return // the enumeration was complained about
	}
	given := []struct {
		key string
		set bool
	}{
		{"value", d.Value != 0}, {"mean", d.Mean != 0}, {"sd", d.SD != 0}, {"median", d.Median != 0}, {"sigma", d.Sigma != 0},
		{"min", d.Min != 0}, {"max", d.Max != 0}, {"quantiles", d.Quantiles != nil},
	}
	for _, g := range given {
		needed, allowed := slices.Contains(family.needs, g.key), slices.Contains(family.may, g.key)
		switch {
		case g.set && !needed && !allowed:
			report(path+"."+g.key, "a parameter that "+string(d.Dist)+" does not have", list(append(family.needs, family.may...)))
		case !g.set && needed && d.Dist != Constant:
			report(path, "a "+string(d.Dist)+" distribution without "+g.key, g.key+" greater than 0")
		}
	}
	if d.Max != 0 && d.Max < d.Min {
		report(path+".max", fmt.Sprint(d.Max), fmt.Sprintf("at least min, which is %v", d.Min))
	}
	if d.Dist == Empirical {
		d.checkQuantiles(path+".quantiles", report)
	}
}

func (d Dist[Q]) checkQuantiles(path string, report func(path, found, expected string)) {
	q := d.Quantiles
	if len(q) < 2 || q[0].At != 0 || q[len(q)-1].At != 1 {
		report(path, fmt.Sprintf("%d quantiles", len(q)), "at least two, the first at 0 and the last at 100%")
		return
	}
	for i := 1; i < len(q); i++ {
		if q[i].At <= q[i-1].At || q[i].Value < q[i-1].Value {
			report(fmt.Sprintf("%s.%d", path, i), fmt.Sprintf("%v at %v after %v at %v", q[i].Value, q[i].At, q[i-1].Value, q[i-1].At),
				"growing shares and values that do not fall")
		}
	}
}
