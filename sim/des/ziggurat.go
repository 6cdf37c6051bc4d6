package des

import "math"

// The ziggurat method (Marsaglia and Tsang, "The ziggurat method for generating
// random variables", J. Statistical Software 5(8), 2000) covers the area under a
// falling density by layers of the same area v. A draw picks a layer and a point
// in it; nearly always that lies below the density and is the result.
//
//	f |###                  layer i reaches from 0 to x[i], with x[256] = 0,
//	  |#####                x[1] = r, and the density's values y[i] = f(x[i]).
//	  |#######              Layer 0 is the part below f(r) with the tail beyond
//	  |###########....      r; x[0] = v/f(r) is how wide it were as a rectangle.
//	  +----------r-------
//
// The layer, the sign and the point come from different bits of one draw, as
// Doornik asks ("An improved ziggurat method to generate normal random samples",
// 2005).
type ziggurat struct {
	x, y [257]float64
}

const (
	// r for 256 layers, from the paper.
	normalR      = 3.6541528853610088
	exponentialR = 7.69711747013104972
)

var normalLayers = newZiggurat(normalR,
	// v = r f(r) + the integral of f from r on
	normalR*math.Exp(-normalR*normalR/2)+math.Sqrt(math.Pi/2)*math.Erfc(normalR/math.Sqrt2),
	func(x float64) float64 { return math.Exp(-x * x / 2) },
	func(y float64) float64 { return math.Sqrt(-2 * math.Log(y)) })

var exponentialLayers = newZiggurat(exponentialR,
	(exponentialR+1)*math.Exp(-exponentialR),
	func(x float64) float64 { return math.Exp(-x) },
	func(y float64) float64 { return -math.Log(y) })

func newZiggurat(r, v float64, f, inverse func(float64) float64) *ziggurat {
	var z ziggurat
	z.x[0], z.y[0] = v/f(r), 0
	z.x[1], z.y[1] = r, f(r)
	for i := 1; i < 255; i++ {
		y := z.y[i] + v/z.x[i]
		z.x[i+1], z.y[i+1] = inverse(y), y
	}
	z.x[256], z.y[256] = 0, 1
	return &z
}

// Exp returns a number of the exponential distribution with the given mean.
func (r *Rand) Exp(mean float64) float64 {
	z := exponentialLayers
	beyond := 0.0
	for {
		u := r.Uint64()
		i := u & 0xff
		x := float64(u>>11) * 0x1p-53 * z.x[i]
		if x < z.x[i+1] {
			return (beyond + x) * mean
		}
		if i == 0 {
			beyond += exponentialR // the tail is the distribution again
			continue
		}
		if z.y[i]+r.Float64()*(z.y[i+1]-z.y[i]) < math.Exp(-x) {
			return (beyond + x) * mean
		}
	}
}

// Normal returns a number of the normal distribution with the given mean and
// standard deviation.
func (r *Rand) Normal(mean, sd float64) float64 {
	z := normalLayers
	for {
		u := r.Uint64()
		i := u & 0xff
		if u&0x100 != 0 {
			sd = -sd
		}
		x := float64(u>>11) * 0x1p-53 * z.x[i]
		if x < z.x[i+1] {
			return mean + sd*x
		}
		if i == 0 {
			return mean + sd*r.normalTail()
		}
		if z.y[i]+r.Float64()*(z.y[i+1]-z.y[i]) < math.Exp(-x*x/2) {
			return mean + sd*x
		}
	}
}

// normalTail returns a number of the normal distribution beyond normalR
// (Marsaglia, "Generating a variable from the tail of the normal distribution",
// Technometrics 6(1), 1964).
func (r *Rand) normalTail() float64 {
	for {
		x := -math.Log(1-r.Float64()) / normalR
		y := -math.Log(1 - r.Float64())
		if 2*y > x*x {
			return normalR + x
		}
	}
}
