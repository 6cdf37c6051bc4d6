package suite

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"

	"github.com/cloudflare/circl/sign/ed448"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/cache"
)

// signCurve returns the curve of the suite's ECDSA, nil for EdDSA.
func (s *std) signCurve() elliptic.Curve {
	switch registry[s.id].sign {
	case p256Sign:
		return elliptic.P256()
	case p384Sign:
		return elliptic.P384()
	case p521Sign:
		return elliptic.P521()
	}
	return nil
}

func (s *std) GenerateSigner() (KeyPair, error) {
	ikm, err := s.draw(s.id.Sizes().Hash)
	if err != nil {
		return KeyPair{}, err
	}
	defer clear(ikm)
	return s.DeriveSigner(ikm)
}

func (s *std) DeriveSigner(ikm []byte) (KeyPair, error) {
	prk := s.Extract([]byte("mimi-lab signature key"), ikm)
	switch registry[s.id].sign {
	case ed25519Sign:
		private := ed25519.NewKeyFromSeed(s.Expand(prk, nil, ed25519.SeedSize))
		return eddsaPair(private, ed25519.SeedSize), nil
	case ed448Sign:
		private := ed448.NewKeyFromSeed(s.Expand(prk, nil, ed448.SeedSize))
		return eddsaPair(private, ed448.SeedSize), nil
	}
	for counter := range 256 {
		private := PrivateKey(s.Expand(prk, []byte{byte(counter)}, s.id.Sizes().SignPrivate))
		if registry[s.id].sign == p521Sign {
			private[0] &= 0x01
		}
		if public, err := s.SignerPublicKey(private); err == nil {
			return KeyPair{private, public}, nil
		}
	}
	return KeyPair{}, fmt.Errorf("%w: no signature key derives from this input", ErrKey)
}

// eddsaPair takes seed ‖ public key apart.
func eddsaPair(private []byte, seed int) KeyPair {
	return KeyPair{private, append([]byte(nil), private[seed:]...)}
}

func (s *std) SignerPublicKey(private PrivateKey) ([]byte, error) {
	switch registry[s.id].sign {
	case ed25519Sign:
		key, err := ed25519Key(private)
		if err != nil {
			return nil, err
		}
		return append([]byte(nil), key[ed25519.SeedSize:]...), nil
	case ed448Sign:
		key, err := ed448Key(private)
		if err != nil {
			return nil, err
		}
		return append([]byte(nil), key[ed448.SeedSize:]...), nil
	}
	key, err := s.ecdsaKey(private)
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return public, nil
}

func (s *std) Sign(private PrivateKey, message []byte) ([]byte, error) {
	switch registry[s.id].sign {
	case ed25519Sign:
		key, err := ed25519Key(private)
		if err != nil {
			return nil, err
		}
		return ed25519.Sign(key, message), nil
	case ed448Sign:
		key, err := ed448Key(private)
		if err != nil {
			return nil, err
		}
		return ed448.Sign(key, message, ""), nil
	}
	key, err := s.ecdsaKey(private)
	if err != nil {
		return nil, err
	}
	digest, hash := s.digest(message)
	signature, err := key.Sign(s.signRand, digest, hash)
	if err != nil {
		return nil, fmt.Errorf("suite: signing: %w", err)
	}
	return signature, nil
}

func (s *std) Verify(public, message, signature []byte) error {
	if want := s.id.Sizes().SignPublic; len(public) != want {
		return fmt.Errorf("%w: signature key of %d bytes, want %d", ErrKey, len(public), want)
	}
	ok := false
	switch registry[s.id].sign {
	case ed25519Sign:
		ok = verifier.VerifyWithOptions(public, message, signature, likeStdlib)
	case ed448Sign:
		ok = ed448.Verify(public, message, signature, "")
	default:
		key, err := ecdsa.ParseUncompressedPublicKey(s.signCurve(), public)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrKey, err)
		}
		digest, _ := s.digest(message)
		ok = ecdsa.VerifyASN1(key, digest, signature)
	}
	if !ok {
		return ErrVerify
	}
	return nil
}

// verifier keeps what it made of the keys that it saw last: points and a few of their
// multiples, 1.5 KiB for a key. Under a known key a signature takes an eighth less
// time, under another a thirteenth more, and members send many messages under one
// key. All is public and no result depends on it, so that one for the whole process
// is enough.
var verifier = cache.NewVerifier(cache.NewLRUCache(knownKeys))

// knownKeys bounds what verifier keeps to 1.5 MiB.
const knownKeys = 1024

// likeStdlib accepts what the standard library's crypto/ed25519 does: sB = R + kA
// without the cofactor, A in any encoding, R in its canonical one.
var likeStdlib = &ed25519.Options{Verify: ed25519.VerifyOptionsStdLib}

// digest returns what ECDSA signs, and the hash that made it.
func (s *std) digest(message []byte) ([]byte, crypto.Hash) {
	switch registry[s.id].hash {
	case sha256Alg:
		sum := sha256.Sum256(message)
		return sum[:], crypto.SHA256
	case sha384Alg:
		sum := sha512.Sum384(message)
		return sum[:], crypto.SHA384
	default:
		sum := sha512.Sum512(message)
		return sum[:], crypto.SHA512
	}
}

func ed25519Key(private PrivateKey) (ed25519.PrivateKey, error) {
	switch len(private) {
	case ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(private), nil
	case ed25519.PrivateKeySize:
		return ed25519.PrivateKey(private), nil
	}
	return nil, signKeySize(private, ed25519.PrivateKeySize)
}

func ed448Key(private PrivateKey) (ed448.PrivateKey, error) {
	switch len(private) {
	case ed448.SeedSize:
		return ed448.NewKeyFromSeed(private), nil
	case ed448.PrivateKeySize:
		return ed448.PrivateKey(private), nil
	}
	return nil, signKeySize(private, ed448.PrivateKeySize)
}

func (s *std) ecdsaKey(private PrivateKey) (*ecdsa.PrivateKey, error) {
	if want := s.id.Sizes().SignPrivate; len(private) != want {
		return nil, signKeySize(private, want)
	}
	key, err := ecdsa.ParseRawPrivateKey(s.signCurve(), private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}

func signKeySize(private PrivateKey, want int) error {
	return fmt.Errorf("%w: private signature key of %d bytes, want %d", ErrKey, len(private), want)
}
