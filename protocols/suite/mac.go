package suite

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding"
	"hash"
	"sync"
)

// mac computes HMAC (RFC 2104) and HKDF (RFC 5869). A group engine calls these
// thousands of times per operation on a few dozen bytes each, and so what counts
// is the allocations: a mac is taken from a pool, has all its room in itself and
// needs one hash, for the inner and then for the outer pass.
type mac struct {
	h     resumable
	block int // of the hash, in bytes

	key [sha512.BlockSize]byte // of the HMAC under way, padded to a block and XORed with ipad
	sum [sha512.Size]byte
	one [1]byte // a byte on its way into h, which takes slices

	// What h held after the two blocks of the key, while several HMACs have the same.
	afterIpad, afterOpad [maxState]byte

	hpkeRoom
}

// resumable is what the hashes of the standard library are.
type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// maxState is enough for the encoded state of any hash here, a block among it.
const maxState = 256

// macPools holds idle macs by hash.
var macPools = [...]sync.Pool{
	sha256Alg: {New: func() any { return &mac{h: sha256.New().(resumable), block: sha256.BlockSize} }},
	sha384Alg: {New: func() any { return &mac{h: sha512.New384().(resumable), block: sha512.BlockSize} }},
	sha512Alg: {New: func() any { return &mac{h: sha512.New().(resumable), block: sha512.BlockSize} }},
}

// newMAC takes a mac for the suite's hash from its pool.
func (s *std) newMAC() *mac { return macPools[registry[s.id].hash].Get().(*mac) }

// putMAC wipes m and gives it back.
func (s *std) putMAC(m *mac) {
	m.wipe()
	macPools[registry[s.id].hash].Put(m)
}

func (m *mac) wipe() {
	m.h.Reset()
	clear(m.key[:])
	clear(m.sum[:])
	m.one, m.hpkeRoom = [1]byte{}, hpkeRoom{}
}

// The pads of RFC 2104, Section 2, and what turns a key under the one into a key
// under the other.
var ipad, ipadToOpad = func() (i, o [sha512.BlockSize]byte) {
	for n := range i {
		i[n], o[n] = 0x36, 0x36^0x5c
	}
	return i, o
}()

// start begins an HMAC, whose data are then written to h.
func (m *mac) start(key []byte) {
	m.h.Reset()
	if len(key) > m.block {
		m.h.Write(key)
		key = m.h.Sum(m.sum[:0])
		m.h.Reset()
	}
	n := copy(m.key[:], key)
	clear(m.key[n:])
	subtle.XORBytes(m.key[:], m.key[:], ipad[:])
	m.h.Write(m.key[:m.block])
}

// finish appends the HMAC to dst.
func (m *mac) finish(dst []byte) []byte {
	sum := m.h.Sum(m.sum[:0])
	m.startOuter()
	m.h.Write(sum)
	return m.h.Sum(dst)
}

func (m *mac) startOuter() {
	subtle.XORBytes(m.key[:], m.key[:], ipadToOpad[:])
	m.h.Reset()
	m.h.Write(m.key[:m.block])
}

// expand appends n bytes of HKDF-Expand with the info head ‖ info to dst (RFC 5869,
// Section 2.3).
func (m *mac) expand(dst, prk, head, info []byte, n int) []byte {
	m.start(prk)
	size := m.h.Size()
	if n <= size { // as nearly always
		m.writeInfo(nil, head, info, 1)
		return append(dst, m.finish(m.sum[:0])[:n]...)
	}
	inner := m.state(m.afterIpad[:0])
	m.startOuter()
	outer := m.state(m.afterOpad[:0])
	var last []byte // T(i-1)
	for i := byte(1); n > 0; i++ {
		m.resume(inner)
		m.writeInfo(last, head, info, i)
		sum := m.h.Sum(m.sum[:0])
		m.resume(outer)
		m.h.Write(sum)
		last = m.h.Sum(m.sum[:0])
		dst = append(dst, last[:min(n, size)]...)
		n -= size
	}
	clear(inner)
	clear(outer)
	return dst
}

// writeInfo writes what T(i) is the HMAC of.
func (m *mac) writeInfo(last, head, info []byte, i byte) {
	m.h.Write(last)
	m.h.Write(head)
	m.h.Write(info)
	m.one[0] = i
	m.h.Write(m.one[:])
}

// state appends what h holds to dst, and resume makes h hold it.
func (m *mac) state(dst []byte) []byte {
	state, err := m.h.AppendBinary(dst)
	if err != nil {
		panic("suite: state of a hash: " + err.Error())
	}
	return state
}

func (m *mac) resume(state []byte) {
	if err := m.h.UnmarshalBinary(state); err != nil {
		panic("suite: state of a hash: " + err.Error())
	}
}
