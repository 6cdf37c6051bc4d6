package suite

import "fmt"

// PublicKeyChecker is a [Suite] that can tell at little cost whether a public key is
// one that can be used.
type PublicKeyChecker interface {
	// CheckPublicKey is the function [CheckPublicKey] of this suite.
	CheckPublicKey(public []byte) error
}

// CheckPublicKey checks a public key for DH and HPKE before anybody encrypts to it, as
// far as RFC 9180, Section 7.1.4, asks for it: a key on a NIST curve is a point of it,
// and one of X25519 or X448 does not make every DH all zero. It costs far less than a
// DH. A suite that is no [PublicKeyChecker] has keys of one length, and that is all that
// is checked. The error wraps [ErrKey].
func CheckPublicKey(s Suite, public []byte) error {
	if c, ok := s.(PublicKeyChecker); ok {
		return c.CheckPublicKey(public)
	}
	if want := s.ID().Sizes().KEMPublic; len(public) != want {
		return fmt.Errorf("%w: public key of %d bytes, want %d", ErrKey, len(public), want)
	}
	return nil
}

// CheckPublicKey implements [PublicKeyChecker]. It is not counted.
func (c *Counting) CheckPublicKey(public []byte) error { return CheckPublicKey(c.suite, public) }

// CheckPublicKey implements [PublicKeyChecker].
func (s *std) CheckPublicKey(public []byte) error {
	if _, err := s.parsePublic(public); err != nil {
		return err
	}
	switch registry[s.id].kem {
	case kemX25519:
		var u [32]byte
		copy(u[:], public)
		u[31] &= 0x7f // which X25519 does not look at (RFC 7748, Section 5)
		return refuse(u[:], x25519LowOrder[:])
	case kemX448:
		return refuse(public, x448LowOrder[:])
	}
	return nil
}

// refuse returns an error if a key is in a list.
func refuse(public []byte, list []string) error {
	for _, bad := range list {
		if string(public) == bad {
			return errLowOrder
		}
	}
	return nil
}

// The coordinates of points whose order divides the cofactor, on the curve or its
// twist: every private key is a multiple of the cofactor, so that their DH is zero.
// Coordinates are read modulo p and may be written as p and more (RFC 7748, Section 5).
var (
	x25519LowOrder = [...]string{
		little(32, 0x00, 0x00, 0x00), // 0: order 2
		little(32, 0x01, 0x00, 0x00), // 1: order 4
		little(32, 0xec, 0xff, 0x7f), // p-1: order 4 on the twist
		little(32, 0xed, 0xff, 0x7f), // p: 0
		little(32, 0xee, 0xff, 0x7f), // p+1: 1
		// Order 8.
		"\xe0\xeb\x7a\x7c\x3b\x41\xb8\xae\x16\x56\xe3\xfa\xf1\x9f\xc4\x6a\xda\x09\x8d\xeb\x9c\x32\xb1\xfd\x86\x62\x05\x16\x5f\x49\xb8\x00",
		"\x5f\x9c\x95\xbc\xa3\x50\x8c\x24\xb1\xd0\xb1\x55\x9c\x83\xef\x5b\x04\x44\x5c\xc4\x58\x1c\x8e\x86\xd8\x22\x4e\xdd\xd0\x9f\x11\x57",
	}
	x448LowOrder = [...]string{
		little(56, 0x00, 0x00, 0x00),
		little(56, 0x01, 0x00, 0x00),
		prime448(0xfe, 0xff), // p-1
		prime448(0xff, 0xff), // p
		prime448(0x00, 0x00), // p+1
	}
)

// little returns a number of n bytes, the lowest first: low, then middle ones, then high.
func little(n int, low, middle, high byte) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = middle
	}
	b[0], b[n-1] = low, high
	return string(b)
}

// prime448 returns 2^448 - 2^224 - 1 with other bytes below 2^224, of which only that
// of p+1 carries into the upper half.
func prime448(low, rest byte) string {
	b := make([]byte, 56)
	for i := range b {
		switch {
		case i < 28:
			b[i] = rest
		default:
			b[i] = 0xff
		}
	}
	b[0] = low
	if rest == 0xff {
		b[28] = 0xfe
	}
	return string(b)
}
