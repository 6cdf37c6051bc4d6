package suite

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// Signature is a signature with what it is said to be one of.
type Signature struct{ Public, Message, Signature []byte }

// BatchVerifier is the ability to verify many signatures in less time than one by
// one.
type BatchVerifier interface {
	// VerifyBatch verifies as the function of that name does.
	VerifyBatch(batch []Signature) (bad int, err error)
}

// VerifyBatch verifies all signatures, on several cores. If some are not
// acceptable it returns the index of the first of them with the error that
// s.Verify has for it; else -1 and nil.
//
// All that s.Verify accepts is acceptable. With Ed25519 a suite of this package
// accepts more, whatever the size of the batch: RFC 8032, Section 5.1.7, lets a
// verifier check 8sB = 8R + 8kA, as this function does, or sB = R + kA, as Verify
// does. The two differ where R or the public key A has a part of small order, which
// no honest signer makes and nobody but the holder of the private key can. Where
// all parties must agree on what is valid, let all use the same of the two; a batch
// may have one signature.
func VerifyBatch(s Suite, batch []Signature) (bad int, err error) {
	if b, ok := s.(BatchVerifier); ok {
		return b.VerifyBatch(batch)
	}
	for i, sig := range batch {
		if err := s.Verify(sig.Public, sig.Message, sig.Signature); err != nil {
			return i, batchError(batch, i, err)
		}
	}
	return -1, nil
}

func batchError(batch []Signature, bad int, err error) error {
	return fmt.Errorf("signature %d of %d: %w", bad+1, len(batch), err)
}

const (
	batchMin   = 3    // fewer signatures take no more time one by one
	batchMax   = 8192 // more take hardly less time per signature, but more memory: 1 KiB each
	batchBlock = 64   // as many are decoded at a time on one core, and multiplied at least
)

// together reports whether a suite of this package verifies n signatures together
// and not one by one.
func together(id ID, n int) bool { return registry[id].sign == ed25519Sign && n >= batchMin }

// VerifyBatch implements [BatchVerifier].
func (s *std) VerifyBatch(batch []Signature) (bad int, err error) {
	for start := 0; start < len(batch); start += batchMax {
		part := batch[start:min(start+batchMax, len(batch))]
		if together(s.id, len(part)) {
			bad = newEd25519Batch(part).firstBad()
		} else {
			bad = s.firstBad(part)
		}
		if bad >= 0 {
			b := part[bad]
			return start + bad, batchError(batch, start+bad, s.Verify(b.Public, b.Message, b.Signature))
		}
	}
	return -1, nil
}

// firstBad verifies one by one and returns the index of the first signature that
// is not acceptable, or -1.
func (s *std) firstBad(batch []Signature) int {
	bad := make([]bool, len(batch))
	parallel(len(batch), func(i int) {
		b := &batch[i]
		bad[i] = s.Verify(b.Public, b.Message, b.Signature) != nil &&
			(registry[s.id].sign != ed25519Sign || newEd25519Batch(batch[i:i+1]).firstBad() == 0)
	})
	for i := range bad {
		if bad[i] {
			return i
		}
	}
	return -1
}

// ed25519Batch is a batch of signatures with a coefficient z for each. A part of it
// is acceptable if
//
//	8 (Σ zs B - Σ zR - Σ zk A) = 0
//
// where k is the hash of R, A and the message (RFC 8032, Section 5.1.7). Where one
// signature has an error sB - R - kA that is not of small order, at most one of the
// 2^128 values of its z makes this 0.
//
// The coefficients come from a hash of all that was signed, by whom and how.
// Whoever makes a batch learns them only once nothing of it can be changed any more,
// and has a chance of 2^-128 for every hash. So nothing needs to be drawn, and the
// same batch has the same result everywhere.
type ed25519Batch struct {
	zs   []scalar.Scalar
	a, r []term // zk A and zR
	bad  []bool // what is no signature by its form
}

// term is a point and its scalar, little-endian.
type term struct {
	point  curve.EdwardsPoint
	scalar [32]byte
}

func newEd25519Batch(batch []Signature) *ed25519Batch {
	n := len(batch)
	b := &ed25519Batch{make([]scalar.Scalar, n), make([]term, n), make([]term, n), make([]bool, n)}
	hashes := make([][sha512.Size]byte, n) // k before its reduction
	parallel((n+batchBlock-1)/batchBlock, func(block int) {
		h := sha512.New()
		for i := block * batchBlock; i < min(block*batchBlock+batchBlock, n); i++ {
			b.bad[i] = !b.decode(i, &batch[i])
			h.Reset()
			if !b.bad[i] {
				h.Write(batch[i].Signature[:32])
				h.Write(batch[i].Public)
				h.Write(batch[i].Message)
				h.Sum(hashes[i][:0])
			}
		}
	})
	b.multiply(hashes)
	return b
}

// decode takes in R, A and s. It reports whether they are what [ed25519.Verify]
// could accept: s is below the order of the group, A is a point in any encoding,
// and R is one in its only canonical encoding.
func (b *ed25519Batch) decode(i int, sig *Signature) bool {
	if len(sig.Public) != ed25519.PublicKeySize || len(sig.Signature) != ed25519.SignatureSize || !canonical([32]byte(sig.Signature)) {
		return false
	}
	_, errS := b.zs[i].SetCanonicalBytes(sig.Signature[32:])
	return errS == nil && b.a[i].decode(sig.Public) && b.r[i].decode(sig.Signature[:32])
}

// decode sets the point, from any encoding of it.
func (t *term) decode(b []byte) bool {
	_, err := t.point.SetCompressedY((*curve.CompressedEdwardsY)(b))
	return err == nil
}

// canonical reports whether no other 32 bytes stand for the same point: y is below
// 2^255-19, and the sign is 0 where x is.
func canonical(point [32]byte) bool {
	var y [4]uint64
	for i := range y {
		y[i] = binary.LittleEndian.Uint64(point[8*i:])
	}
	const ones = 1<<64 - 1
	negative := y[3]>>63 == 1
	y[3] &^= 1 << 63
	high := y[1] == ones && y[2] == ones && y[3] == ones>>1
	switch {
	case high && y[0] > ones-19: // not below
		return false
	case high && y[0] == ones-19, y == [4]uint64{1}: // y = -1 or 1, x = 0
		return !negative
	}
	return true
}

// multiply brings the coefficients into what decode took in.
func (b *ed25519Batch) multiply(hashes [][sha512.Size]byte) {
	all := sha256.New()
	all.Write([]byte("mimi-lab Ed25519 batch v1"))
	for i := range hashes {
		all.Write(hashes[i][:])
		s := scalarBytes(&b.zs[i])
		all.Write(s[:])
	}
	var seed [sha256.Size + 8]byte // and a counter
	all.Sum(seed[:0])
	var two [sha256.Size]byte // coefficients
	for i := range hashes {
		if i%2 == 0 {
			binary.LittleEndian.PutUint64(seed[sha256.Size:], uint64(i))
			two = sha256.Sum256(seed[:])
		}
		if b.bad[i] {
			continue
		}
		copy(b.r[i].scalar[:16], two[i%2*16:])
		z, zk := b.r[i].value(), scalar.New()
		if _, err := zk.SetBytesModOrderWide(hashes[i][:]); err != nil {
			panic("suite: " + err.Error()) // it is of the right length
		}
		b.a[i].scalar = scalarBytes(zk.Mul(zk, z))
		b.zs[i].Mul(&b.zs[i], z)
	}
}

func scalarBytes(s *scalar.Scalar) (b [32]byte) {
	if err := s.ToBytes(b[:]); err != nil {
		panic("suite: " + err.Error()) // b is of the right length
	}
	return b
}

// value returns the scalar, which is below the order of the group.
func (t *term) value() *scalar.Scalar {
	s, err := scalar.NewFromCanonicalBytes(t.scalar[:])
	if err != nil {
		panic("suite: " + err.Error())
	}
	return s
}

// firstBad returns the index of the first signature that is not acceptable, or -1.
func (b *ed25519Batch) firstBad() int {
	formed := slices.Index(b.bad, true)
	hi := formed
	if formed < 0 {
		hi = len(b.bad)
	}
	if b.acceptable(0, hi) {
		return formed
	}
	lo := 0
	for hi-lo > 1 { // the first bad one is from lo on, before hi
		if mid := (lo + hi) / 2; b.acceptable(lo, mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// acceptable checks the equation for the signatures from lo on, before hi.
func (b *ed25519Batch) acceptable(lo, hi int) bool {
	zs := scalar.New()
	for i := lo; i < hi; i++ {
		zs.Add(zs, &b.zs[i])
	}
	var sum curve.EdwardsPoint
	sum.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, zs)
	return sum.Sub(&sum, multiply(b.a[lo:hi], b.r[lo:hi])).IsSmallOrder()
}

// multiply returns the sum of all scalars times their points, in a time that depends
// on them. Each core has a part.
func multiply(a, r []term) *curve.EdwardsPoint {
	n := len(a)
	sums := make([]curve.EdwardsPoint, min(runtime.GOMAXPROCS(0), n/batchBlock+1))
	parallel(len(sums), func(i int) {
		lo, hi := i*n/len(sums), (i+1)*n/len(sums)
		var scalars []*scalar.Scalar
		var points []*curve.EdwardsPoint
		for _, terms := range [][]term{a[lo:hi], r[lo:hi]} {
			for j := range terms {
				scalars = append(scalars, terms[j].value())
				points = append(points, &terms[j].point)
			}
		}
		sums[i].MultiscalarMulVartime(scalars, points)
	})
	total := &sums[0]
	for i := range sums[1:] {
		total.Add(total, &sums[i+1])
	}
	return total
}
