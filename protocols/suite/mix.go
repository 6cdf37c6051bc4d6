package suite

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"sync"
)

// mix condenses bytes to 128 bits and stretches those to any length. It stands in
// for every hash and key schedule of the sized suite: equal inputs give equal
// outputs, different ones different outputs unless somebody looks for
// collisions. There is no security in it whatever.
type mix struct{ a, b uint64 }

// Odd numbers without structure: digits of the golden ratio and of pi.
const (
	mixA = 0x9e3779b97f4a7c15
	mixB = 0x243f6a8885a308d3
	mixC = 0x13198a2e03707345
)

// newMix begins a condensation for one purpose, so that those of different
// purposes differ.
func newMix(purpose Op) mix {
	return mix{mixA, mixB}.step(uint64(purpose)+1, mixC)
}

// step takes in two words. Their product keeps what both say; the additions keep
// the state where a product is 0.
func (m mix) step(x, y uint64) mix {
	hi, lo := bits.Mul64(m.a^x, m.b^y^mixC)
	return mix{m.b + lo + x, m.a ^ hi + bits.RotateLeft64(y, 29)}
}

// bytes takes in a byte string, apart from those before and after it. Long ones
// run in two lanes, because a step waits for the one before.
func (m mix) bytes(p []byte) mix {
	m = m.step(uint64(len(p)), mixA)
	if len(p) >= 64 {
		n := mix{m.b, m.a}
		for ; len(p) >= 32; p = p[32:] {
			m = m.step(binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:]))
			n = n.step(binary.LittleEndian.Uint64(p[16:]), binary.LittleEndian.Uint64(p[24:]))
		}
		m = m.step(n.a, n.b)
	}
	for ; len(p) >= 16; p = p[16:] {
		m = m.step(binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:]))
	}
	if len(p) > 0 {
		var tail [16]byte
		copy(tail[:], p)
		m = m.step(binary.LittleEndian.Uint64(tail[:]), binary.LittleEndian.Uint64(tail[8:]))
	}
	return m
}

// finish returns two uniform words that each depend on all that was taken in. The
// upper half of a product is not uniform, so the state itself is not either.
func (m mix) finish() (x, y uint64) {
	m = m.step(mixB, mixA).step(mixC, mixB)
	return word(m.a, 0), word(m.b, 1)
}

// fill appends n bytes that depend on all that was taken in. Shorter outputs are
// the beginnings of longer ones.
func (m mix) fill(dst []byte, n int) []byte {
	seed, _ := m.finish()
	return appendWords(dst, seed, n)
}

// appendWords appends the first n bytes of the words that seed begins.
func appendWords(dst []byte, seed uint64, n int) []byte {
	if dst == nil {
		dst = make([]byte, 0, n)
	}
	i := 0
	for ; n >= 8; n -= 8 {
		dst = binary.LittleEndian.AppendUint64(dst, word(seed, i))
		i++
	}
	last := word(seed, i)
	for ; n > 0; n-- {
		dst = append(dst, byte(last))
		last >>= 8
	}
	return dst
}

// word returns word i of those that seed begins (the output function of
// SplitMix64, Steele, Lea and Flood, OOPSLA 2014).
func word(seed uint64, i int) uint64 {
	z := seed + uint64(i+1)*mixA
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// padSize is longer than the window of the compressors that a ciphertext may
// meet, so that they find no repetition.
const padSize = 1 << 16

// pad is what hides plaintexts from a compressor, from the place on that a
// message's key and nonce determine. It is twice as long as its period, so that
// every place has a period's length behind it.
var pad = sync.OnceValue(func() []byte {
	b := appendWords(nil, mixB, padSize)
	return append(b, b...)
})

// xorPad adds the pad from a place on to p.
func xorPad(p []byte, place uint64) {
	from := pad()[place%padSize:]
	for len(p) > 0 {
		n := subtle.XORBytes(p, p, from[:min(len(from), padSize)])
		p = p[n:]
	}
}
