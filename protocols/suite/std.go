package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// NewStd returns the real suite: Go's standard library, curve25519-voi and circl for
// Ed25519 and X25519, circl for X448 and Ed448, and the operating system's
// randomness.
func NewStd(id ID) (Suite, error) {
	if err := id.check(); err != nil {
		return nil, err
	}
	return &std{id: id, rand: rand.Reader, signRand: rand.Reader}, nil
}

// std implements Suite for all seven cipher suites. All it draws is read from
// rand, seed by seed, and never from a function that reads the operating system
// on its own.
type std struct {
	id       ID
	rand     io.Reader
	signRand io.Reader // hedges ECDSA's nonces; nil makes them a function of key and message (RFC 6979)
}

func (s *std) ID() ID          { return s.id }
func (s *std) Rand() io.Reader { return s.rand }

func (s *std) Hash(dst, data []byte) []byte {
	switch registry[s.id].hash {
	case sha256Alg:
		sum := sha256.Sum256(data)
		return append(dst, sum[:]...)
	case sha384Alg:
		sum := sha512.Sum384(data)
		return append(dst, sum[:]...)
	default:
		sum := sha512.Sum512(data)
		return append(dst, sum[:]...)
	}
}

func (s *std) HMAC(dst, key, data []byte) []byte {
	m := s.newMAC()
	defer s.putMAC(m)
	m.start(key)
	m.h.Write(data)
	return m.finish(dst)
}

func (s *std) Extract(salt, ikm []byte) []byte {
	return s.HMAC(make([]byte, 0, s.id.Sizes().Hash), salt, ikm)
}

func (s *std) Expand(prk, info []byte, n int) []byte {
	checkExpand(s.id, n)
	m := s.newMAC()
	defer s.putMAC(m)
	return m.expand(make([]byte, 0, n), prk, nil, info, n)
}

// checkExpand panics if n breaks the bound of HKDF-Expand.
func checkExpand(id ID, n int) {
	if limit := 255 * id.Sizes().Hash; n < 0 || n > limit {
		panic(fmt.Sprintf("suite: HKDF-Expand to %d bytes, want 0 to %d", n, limit))
	}
}

func (s *std) AEAD(key []byte) (cipher.AEAD, error) {
	if want := s.id.Sizes().AEADKey; len(key) != want {
		return nil, fmt.Errorf("%w: AEAD key of %d bytes, want %d", ErrKey, len(key), want)
	}
	if registry[s.id].aead == chacha20poly1305Alg {
		return chacha20poly1305.New(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// draw reads n random bytes.
func (s *std) draw(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		return nil, fmt.Errorf("suite: drawing %d random bytes: %w", n, err)
	}
	return b, nil
}
