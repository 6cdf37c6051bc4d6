package sized

import (
	"encoding/binary"
	"math/bits"
)

// The functions of this file stand where the Signal Protocol has X25519, HKDF,
// HMAC and AES. They are not cryptography: whoever sees the traffic can compute
// them. They have the algebra that the state machine needs (both ends of an
// agreement compute the same value, and any change of an input changes the
// output) and cost nanoseconds.

// A key pair is a 64-bit core, from which the 32 bytes of the public key are
// drawn; a public key in use is the 64-bit fold of its 32 bytes.
const keySize = 32

// golden is 2^64 divided by the golden ratio, the increment of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// mix is the output function of SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, 2014), a permutation of 64-bit values.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mix2 depends on both values and their order. For either one fixed, it is a
// permutation of the other.
func mix2(a, b uint64) uint64 { return mix(a ^ mix(b+golden)) }

// agree stands for X25519 between two key pairs, given their public folds.
func agree(a, b uint64) uint64 { return mix((a ^ b) + mix(a+b)) }

// expand returns the public key of core: 32 bytes below the prime of X25519, as
// all but one in 2^250 with the top bit clear are.
func expand(core uint64) (key [keySize]byte) {
	for i := range keySize / 8 {
		core += golden
		binary.LittleEndian.PutUint64(key[8*i:], mix(core))
	}
	key[keySize-1] &= 0x7f
	return key
}

// fold returns the value by which a public key takes part in agreements.
func fold(key *[keySize]byte) uint64 {
	h := uint64(golden)
	for i := 0; i < keySize; i += 8 {
		h = mix2(h, binary.LittleEndian.Uint64(key[i:]))
	}
	return h
}

// public returns the fold of core's public key.
func public(core uint64) uint64 {
	key := expand(core)
	return fold(&key)
}

// mask writes src, combined with the key's stream, to dst, which has the same
// length.
func mask(dst, src []byte, key uint64) {
	dst = dst[:len(src)]
	for len(src) >= 8 {
		key += golden
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^mix(key))
		dst, src = dst[8:], src[8:]
	}
	word := mix(key + golden)
	for i := range src {
		dst[i] = src[i] ^ byte(word>>(8*i))
	}
}

// digest is a checksum of b in which no change within one aligned group of
// eight bytes goes unnoticed, and any other one with probability 2^-64.
func digest(b []byte) uint64 {
	h := uint64(len(b)) * golden
	for len(b) >= 8 {
		h = bits.RotateLeft64((h^binary.LittleEndian.Uint64(b))*0xbf58476d1ce4e5b9, 29)
		b = b[8:]
	}
	var word uint64
	for i := range b {
		word |= uint64(b[i]) << (8 * i)
	}
	return mix(h ^ word)
}
