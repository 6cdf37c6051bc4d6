package des

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// Rand is a stream of random numbers: xoshiro256++ (Blackman and Vigna,
// "Scrambled linear pseudorandom number generators", ACM TOMS 47(4), 2021), 32
// bytes of state and a period of 2^256-1. It is a math/rand/v2 Source and an
// io.Reader. It is not safe for concurrent use and not for cryptography.
//
// A Rand may be copied to be embedded in a larger struct; of the two copies only
// one should be drawn from. The zero Rand yields only zeros: [NewStream] is the
// way in.
type Rand struct {
	s0, s1, s2, s3 uint64
}

// NewStream returns the stream of a name under a seed. The state is
//
//	SHA-256("mimi-lab/des/stream/1" || seed as 8 bytes, big-endian || name)
//
// read as four little-endian numbers, so that streams are as good as
// independent whatever the seeds and names.
func NewStream(seed uint64, name string) *Rand {
	buf := make([]byte, 0, 128)
	buf = append(buf, "mimi-lab/des/stream/1"...)
	buf = binary.BigEndian.AppendUint64(buf, seed)
	buf = append(buf, name...)
	h := sha256.Sum256(buf)
	return &Rand{
		binary.LittleEndian.Uint64(h[0:]), binary.LittleEndian.Uint64(h[8:]),
		binary.LittleEndian.Uint64(h[16:]), binary.LittleEndian.Uint64(h[24:]),
	}
}

// Uint64 returns 64 random bits.
func (r *Rand) Uint64() uint64 {
	s0, s1, s2, s3 := r.s0, r.s1, r.s2, r.s3
	out := bits.RotateLeft64(s0+s3, 23) + s0
	s2 ^= s0
	s3 ^= s1
	r.s0 = s0 ^ s3
	r.s1 = s1 ^ s2
	r.s2 = s2 ^ s1<<17
	r.s3 = bits.RotateLeft64(s3, 45)
	return out
}

// Float64 returns a number in [0, 1), a multiple of 2^-53.
func (r *Rand) Float64() float64 { return float64(r.Uint64()>>11) * 0x1p-53 }

// Bool returns true with probability p; never for p <= 0, always for p >= 1. It
// draws exactly once, whatever p.
func (r *Rand) Bool(p float64) bool { return r.Float64() < p }

// IntN returns a number in [0, n), each with the same probability (Lemire, "Fast
// random integer generation in an interval", ACM TOMACS 29(1), 2019). It panics
// if n <= 0.
func (r *Rand) IntN(n int) int {
	if n <= 0 {
		panic("des: IntN of a number below 1")
	}
	m := uint64(n)
	hi, lo := bits.Mul64(r.Uint64(), m)
	if lo < m {
		for t := -m % m; lo < t; {
			hi, lo = bits.Mul64(r.Uint64(), m)
		}
	}
	return int(hi)
}

// Shuffle puts n elements in a random order, each of the n! with the same
// probability (Fisher and Yates). It panics if n < 0.
func (r *Rand) Shuffle(n int, swap func(i, j int)) {
	if n < 0 {
		panic("des: Shuffle of fewer than 0 elements")
	}
	for i := n - 1; i > 0; i-- {
		swap(i, r.IntN(i+1))
	}
}

// Read fills p with random bytes. It never fails. Every 8 bytes, and the rest if
// there is one, cost one draw.
func (r *Rand) Read(p []byte) (int, error) {
	n := len(p)
	for ; len(p) >= 8; p = p[8:] {
		binary.LittleEndian.PutUint64(p, r.Uint64())
	}
	if len(p) > 0 {
		for i, x := 0, r.Uint64(); i < len(p); i++ {
			p[i] = byte(x >> (8 * i))
		}
	}
	return n, nil
}

// Fork returns a stream of its own, made of the next four draws. It always costs
// four, so that a model may give each of its steps as many draws as it likes and
// still begin the next step at the same place.
func (r *Rand) Fork() Rand {
	return Rand{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
}
