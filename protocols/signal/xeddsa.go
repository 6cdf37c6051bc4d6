package signal

import (
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"io"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// hash1Prefix makes hash_1 of SHA-512: 2^256 - 1 - 1, little-endian (XEdDSA,
// Section 2.5).
var hash1Prefix = [32]byte{
	0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
}

// Sign makes an XEdDSA signature with an X25519 private key. It draws 64 bytes
// from random, Z in the specification (https://signal.org/docs/specifications/xeddsa/,
// Section 3.2).
func Sign(random io.Reader, private *[32]byte, message []byte) (signature [SignatureSize]byte, err error) {
	var z [64]byte
	if _, err := io.ReadFull(random, z[:]); err != nil {
		return signature, fmt.Errorf("signal: sign: %w", err)
	}
	a, public := signingPair(private)
	r := hashToScalar(hash1Prefix[:], a.Bytes(), message, z[:])
	R := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	h := hashToScalar(R, public, message)
	s := new(edwards25519.Scalar).MultiplyAdd(h, a, r)
	copy(signature[:32], R)
	copy(signature[32:], s.Bytes())
	return signature, nil
}

// signingPair is calculate_key_pair (XEdDSA, Section 2.3): the Edwards key pair
// of a Montgomery private key whose public key has the sign bit zero.
func signingPair(private *[32]byte) (a *edwards25519.Scalar, public []byte) {
	a, err := new(edwards25519.Scalar).SetBytesWithClamping(private[:])
	if err != nil {
		panic("signal: " + err.Error()) // the key has 32 bytes
	}
	public = new(edwards25519.Point).ScalarBaseMult(a).Bytes()
	if public[31]&0x80 != 0 {
		a.Negate(a)
		public[31] &= 0x7f
	}
	return a, public
}

// hashToScalar is SHA-512 of the parts, modulo the group's order.
func hashToScalar(parts ...[]byte) *edwards25519.Scalar {
	h := sha512.New()
	for _, part := range parts {
		h.Write(part)
	}
	s, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
	if err != nil {
		panic("signal: " + err.Error()) // the hash has 64 bytes
	}
	return s
}

// Verify reports whether a signature is one of message under an X25519 public key.
//
// It departs from XEdDSA, Section 3.3, as signalapp/libsignal does: the top bit
// of the signature is the sign of the Edwards public key, since older signers do
// not negate their key but write its sign there. Signatures of [Sign] leave the
// bit zero.
func Verify(public *[32]byte, message []byte, signature *[SignatureSize]byte) bool {
	if !canonical(public) {
		return false
	}
	u, err := new(field.Element).SetBytes(public[:])
	if err != nil {
		return false
	}
	one := new(field.Element).One()
	y := new(field.Element).Add(u, one)
	y.Multiply(new(field.Element).Subtract(u, one), y.Invert(y)) // (u - 1) / (u + 1)
	key := y.Bytes()
	key[31] |= signature[63] & 0x80
	s := *signature
	s[63] &= 0x7f
	return ed25519.Verify(key, message, s[:])
}
