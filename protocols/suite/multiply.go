package suite

import (
	"encoding/binary"

	"filippo.io/edwards25519"
)

// The scalars of multiply, in bits.
const (
	longBits  = 253
	shortBits = 128
)

// straus is the number of pairs of terms up to which the library's algorithm, which
// is Straus's, takes less time than Pippenger's.
const straus = 96

// multiply returns the sum of all scalars times their points, in a time that
// depends on them. As many terms are long as short; their scalars have longBits and
// shortBits bits.
func multiply(long, short []term) *edwards25519.Point {
	if len(long) <= straus {
		return multiplyFew(long, short)
	}
	return multiplyMany(long, short, digitBits(len(long)))
}

// multiplyMany is Pippenger's algorithm (SIAM Journal on Computing 9(2), 1980):
// write the scalars with digits of w bits, and for each place sort the points into
// buckets by their digits there. Then Σ digit · point takes an addition per point
// and two per bucket. The places are independent of each other and done in
// parallel.
func multiplyMany(long, short []term, w int) *edwards25519.Point {
	places := make([]edwards25519.Point, longBits/w+1)
	parallel(len(places), func(i int) {
		b := buckets{make([]edwards25519.Point, 1<<(w-1)+1), make([]bool, 1<<(w-1)+1)}
		for t := range long {
			b.add(long[t].digit(i, w), &long[t].point)
		}
		if i*w <= shortBits {
			for t := range short {
				b.add(short[t].digit(i, w), &short[t].point)
			}
		}
		places[i] = b.sum()
	})
	sum := edwards25519.NewIdentityPoint()
	for i := len(places) - 1; i >= 0; i-- {
		for range w {
			sum.Add(sum, sum)
		}
		sum.Add(sum, &places[i])
	}
	return sum
}

// multiplyFew has a table per point.
func multiplyFew(long, short []term) *edwards25519.Point {
	var scalars []*edwards25519.Scalar
	var points []*edwards25519.Point
	for _, terms := range [][]term{long, short} {
		for i := range terms {
			scalars = append(scalars, terms[i].value())
			points = append(points, &terms[i].point)
		}
	}
	return new(edwards25519.Point).VarTimeMultiScalarMult(scalars, points)
}

// digitBits returns the length of digits for which n pairs of terms take the
// fewest additions.
func digitBits(n int) int {
	best, least := 0, 0
	for w := 4; w <= 14; w++ {
		additions := (longBits/w+1)*(n+1<<w) + (shortBits/w+1)*n
		if best == 0 || additions < least {
			best, least = w, additions
		}
	}
	return best
}

// digit returns digit i of the scalar in base 2^w, from -2^(w-1) to 2^(w-1): bits
// iw to iw+w-1, the highest of which counts negative and again in the next digit
// (Booth, Quarterly Journal of Mechanics and Applied Mathematics 4(2), 1951).
func (t *term) digit(i, w int) int {
	var bits uint64 // from bit iw-1 on
	if first := i*w - 1; first < 0 {
		bits = binary.LittleEndian.Uint64(t.scalar[:]) << 1
	} else {
		var b [8]byte
		copy(b[:], t.scalar[first/8:])
		bits = binary.LittleEndian.Uint64(b[:]) >> (first % 8)
	}
	bits &= 1<<(w+1) - 1
	return int((bits+1)>>1) - int(bits>>w)<<w
}

// buckets holds the sum of the points whose digit is the index or its negative.
type buckets struct {
	points []edwards25519.Point
	filled []bool
}

func (b *buckets) add(digit int, p *edwards25519.Point) {
	bucket := max(digit, -digit)
	switch q := &b.points[bucket]; {
	case digit == 0:
	case digit > 0 && b.filled[bucket]:
		q.Add(q, p)
	case digit > 0:
		q.Set(p)
	case b.filled[bucket]:
		q.Subtract(q, p)
	default:
		q.Negate(p)
	}
	b.filled[bucket] = true
}

// sum returns the sum of all points times their digits: each running sum from the
// last bucket down to one holds a bucket once more.
func (b *buckets) sum() edwards25519.Point {
	running, sum := edwards25519.NewIdentityPoint(), edwards25519.NewIdentityPoint()
	for i := len(b.points) - 1; i > 0; i-- {
		if b.filled[i] {
			running.Add(running, &b.points[i])
		}
		sum.Add(sum, running)
	}
	return *sum
}
