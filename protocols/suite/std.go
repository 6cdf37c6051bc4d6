package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// NewStd returns the real suite: Go's standard library, circl for X25519, X448,
// Ed448 and HPKE, and the operating system's randomness.
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

// newHash returns the constructor of the suite's hash.
func (s *std) newHash() func() hash.Hash {
	switch registry[s.id].hash {
	case sha256Alg:
		return sha256.New
	case sha384Alg:
		return sha512.New384
	default:
		return sha512.New
	}
}

func (s *std) HMAC(dst, key, data []byte) []byte {
	mac := hmac.New(s.newHash(), key)
	mac.Write(data)
	return mac.Sum(dst)
}

func (s *std) Extract(salt, ikm []byte) []byte {
	prk, err := hkdf.Extract(s.newHash(), ikm, salt)
	if err != nil { // only in FIPS 140 mode, for weak hashes
		panic("suite: HKDF-Extract: " + err.Error())
	}
	return prk
}

func (s *std) Expand(prk, info []byte, n int) []byte {
	checkExpand(s.id, n)
	out, err := hkdf.Expand(s.newHash(), prk, string(info), n)
	if err != nil {
		panic("suite: HKDF-Expand: " + err.Error())
	}
	return out
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
