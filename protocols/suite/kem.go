package suite

import (
	"crypto/ecdh"
	"fmt"

	"github.com/cloudflare/circl/dh/x25519"
	"github.com/cloudflare/circl/dh/x448"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/x25519"
)

// curve returns the NIST curve of the suite's KEM, nil for X25519 and X448.
func (s *std) curve() ecdh.Curve {
	switch registry[s.id].kem {
	case kemP256:
		return ecdh.P256()
	case kemP384:
		return ecdh.P384()
	case kemP521:
		return ecdh.P521()
	}
	return nil
}

func (s *std) GenerateKeyPair() (KeyPair, error) {
	ikm, err := s.draw(s.id.Sizes().KEMPrivate)
	if err != nil {
		return KeyPair{}, err
	}
	defer clear(ikm)
	return s.DeriveKeyPair(ikm)
}

// DeriveKeyPair takes ikm of any length: MLS gives it Nh bytes.
func (s *std) DeriveKeyPair(ikm []byte) (KeyPair, error) {
	m := s.newMAC()
	defer s.putMAC(m)
	key, err := s.deriveKey(m, ikm)
	return KeyPair{key.private, key.public}, err
}

func (s *std) PublicKey(private PrivateKey) ([]byte, error) {
	key, err := s.parsePrivate(private)
	if err != nil {
		return nil, err
	}
	return s.publicKey(key), nil
}

func (s *std) DH(private PrivateKey, public []byte) ([]byte, error) {
	key, err := s.parsePrivate(private)
	if err != nil {
		return nil, err
	}
	point, err := s.parsePublic(public)
	if err != nil {
		return nil, err
	}
	shared, err := s.dh(nil, key, point)
	if err != nil {
		return nil, err
	}
	return shared, nil
}

// dhKey is a private key of the right length.
type dhKey struct {
	private PrivateKey
	public  []byte           // nil where it would take a multiplication
	nist    *ecdh.PrivateKey // nil for X25519 and X448
}

// dhPoint is a public key of the right length; on a NIST curve it is a point of it.
type dhPoint struct {
	public []byte
	nist   *ecdh.PublicKey // nil for X25519 and X448
}

func (s *std) parsePrivate(private PrivateKey) (dhKey, error) {
	if want := s.id.Sizes().KEMPrivate; len(private) != want {
		return dhKey{}, fmt.Errorf("%w: private key of %d bytes, want %d", ErrKey, len(private), want)
	}
	curve := s.curve()
	if curve == nil {
		return dhKey{private: private}, nil
	}
	key, err := curve.NewPrivateKey(private)
	if err != nil {
		return dhKey{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return dhKey{private, key.PublicKey().Bytes(), key}, nil
}

func (s *std) parsePublic(public []byte) (dhPoint, error) {
	if want := s.id.Sizes().KEMPublic; len(public) != want {
		return dhPoint{}, fmt.Errorf("%w: public key of %d bytes, want %d", ErrKey, len(public), want)
	}
	curve := s.curve()
	if curve == nil {
		return dhPoint{public: public}, nil
	}
	point, err := curve.NewPublicKey(public)
	if err != nil {
		return dhPoint{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return dhPoint{public, point}, nil
}

// deriveKey is DeriveKeyPair (RFC 9180, Section 7.1.3).
func (s *std) deriveKey(m *mac, ikm []byte) (dhKey, error) {
	n, id := s.id.Sizes().KEMPrivate, hpkeTable[s.id].kem
	prk := m.labeledExtract(m.prk[:0], nil, id, "dkp_prk", ikm)
	private := PrivateKey(make([]byte, 0, n))
	if s.curve() == nil {
		key := dhKey{private: m.labeledExpand(private, prk, id, "sk", nil, n)}
		key.public = s.publicKey(key)
		return key, nil
	}
	for counter := range 256 {
		m.context[0] = byte(counter)
		candidate := m.labeledExpand(private, prk, id, "candidate", m.context[:1], n)
		if registry[s.id].kem == kemP521 {
			candidate[0] &= 0x01
		}
		if key, err := s.parsePrivate(candidate); err == nil {
			return key, nil
		}
	}
	return dhKey{}, fmt.Errorf("%w: no key pair derives from this input (RFC 9180, DeriveKeyPairError)", ErrKey)
}

// publicKey returns the public key of a private key.
func (s *std) publicKey(key dhKey) []byte {
	switch registry[s.id].kem {
	case kemX25519:
		// Half of circl's time: a multiplication of the base point of edwards25519 by
		// means of tables, and then a change of curve.
		public := new([32]byte)
		voi.ScalarBaseMult(public, (*[32]byte)(key.private))
		return public[:]
	case kemX448:
		var public, secret x448.Key
		copy(secret[:], key.private)
		x448.KeyGen(&public, &secret)
		return public[:]
	}
	return key.public
}

// dh appends the shared secret to dst.
func (s *std) dh(dst []byte, key dhKey, point dhPoint) ([]byte, error) {
	switch registry[s.id].kem {
	case kemX25519:
		var shared, secret, public x25519.Key
		copy(secret[:], key.private)
		copy(public[:], point.public)
		if !x25519.Shared(&shared, &secret, &public) {
			return nil, errLowOrder
		}
		return append(dst, shared[:]...), nil
	case kemX448:
		var shared, secret, public x448.Key
		copy(secret[:], key.private)
		copy(public[:], point.public)
		if !x448.Shared(&shared, &secret, &public) {
			return nil, errLowOrder
		}
		return append(dst, shared[:]...), nil
	}
	shared, err := key.nist.ECDH(point.nist)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return append(dst, shared...), nil
}

var errLowOrder = fmt.Errorf("%w: public key of low order", ErrKey)
