package scenario

import (
	"fmt"
	"math"

	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/link"
)

// Build returns the distribution for sampling: in seconds for durations, in
// bytes for sizes. An absent one is the constant 0.
func (d Dist[Q]) Build() link.Dist {
	switch d.Dist {
	case UniformDist:
		return link.Empirical{{P: 0, Value: float(d.Min)}, {P: 1, Value: float(d.Max)}}
	case Normal:
		return link.Normal{Mu: float(d.Mean), SD: float(d.SD)}
	case LogNormal:
		l := link.LogNormal{Median: float(d.Median), Sigma: d.Sigma}
		return d.clip(l, func(x float64) float64 { return logNormalBelow(l, x) })
	case Exponential:
		e := link.Exponential(float(d.Mean))
		return d.clip(e, func(x float64) float64 { return float(d.Mean) * -math.Expm1(-x/float(d.Mean)) })
	case Empirical:
		q := make(link.Empirical, len(d.Quantiles))
		for i, p := range d.Quantiles {
			q[i] = link.Quantile{P: float64(p.At), Value: float(p.Value)}
		}
		return q
	}
	return link.Constant(float(d.Value))
}

// float converts to the unit in which distributions are sampled.
func float[Q Quantity](v Q) float64 {
	if d, ok := any(v).(Duration); ok {
		return d.Seconds()
	}
	return float64(v)
}

// clip bounds a distribution to min and max, if there are any. below is the
// mean of the smaller of a draw and x.
func (d Dist[Q]) clip(of link.Dist, below func(x float64) float64) link.Dist {
	if d.Min == 0 && d.Max == 0 {
		return of
	}
	c := clipped{Dist: of, min: float(d.Min), max: math.Inf(1), mean: of.Mean()}
	if d.Max != 0 {
		c.max = float(d.Max)
		c.mean = below(c.max)
	}
	if c.min > 0 {
		// E max(min, Y) = min + E Y - E min(min, Y), for Y the draw bounded by max.
		c.mean += c.min - below(c.min)
	}
	return c
}

// clipped takes draws beyond a bound as the bound.
type clipped struct {
	link.Dist
	min, max, mean float64
}

func (c clipped) Sample(r *des.Rand) float64 { return min(max(c.Dist.Sample(r), c.min), c.max) }
func (c clipped) Mean() float64              { return c.mean }

// logNormalBelow is the mean of the smaller of a lognormal draw and x > 0: the
// limited expected value (Klugman, Panjer and Willmot, "Loss Models", Appendix
// A).
func logNormalBelow(d link.LogNormal, x float64) float64 {
	z := math.Log(x/d.Median) / d.Sigma
	return d.Mean()*phi(z-d.Sigma) + x*phi(-z)
}

// phi is the distribution function of the standard normal distribution.
func phi(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// Build returns the configuration of the class's links in a mode. What a
// scenario does not say is left at its zero value.
func (l Link) Build(m Mode) link.Config {
	c := link.Config{
		Delay:     l.Delay.Build(),
		Loss:      float64(l.Loss),
		Duplicate: float64(l.Duplicate),
		Reorder:   float64(l.Reorder),
		ReorderBy: l.ReorderDelay.Build(),
		Bandwidth: float64(l.Bandwidth),
	}
	if m == Stream {
		c.Mode = link.Stream
	}
	return c
}

// Class returns the links of a class.
func (l Links) Class(c LinkClass) Link {
	switch c {
	case DeviceGatekeeper:
		return l.DeviceGatekeeper
	case DeviceProxy:
		return l.DeviceProxy
	case ProxyGatekeeper:
		return l.ProxyGatekeeper
	case GatekeeperPartner:
		return l.GatekeeperPartner
	case DevicePartner:
		return l.DevicePartner
	}
	panic(fmt.Sprintf("scenario: no class of links %q", c))
}

// Presence returns when a device is online. It begins as it goes on in the long
// run.
func (d Devices) Presence() link.Schedule {
	if d.Offline.Build().Mean() == 0 {
		return link.Always{}
	}
	return link.Alternating{Up: d.Online.Build(), Down: d.Offline.Build(), Start: link.StartSteady}
}

// Schedule returns when a node is up. It begins up.
func (c Crash) Schedule() link.Schedule { return breaking(c.Every, c.Down) }

// Schedule returns when all links are whole. It begins with them whole.
func (p Partitions) Schedule() link.Schedule { return breaking(p.Every, p.For) }

func breaking(every, down Dist[Duration]) link.Schedule {
	if every.IsZero() {
		return link.Always{}
	}
	return link.Alternating{Up: every.Build(), Down: down.Build(), Start: link.StartUp}
}

// Time returns the duration as virtual time.
func (d Duration) Time() des.Time { return des.Time(d) }
