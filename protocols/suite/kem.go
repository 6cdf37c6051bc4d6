package suite

import (
	"crypto/ecdh"
	"fmt"

	"github.com/cloudflare/circl/dh/x25519"
	"github.com/cloudflare/circl/dh/x448"
	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
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
	return s.DeriveKeyPair(ikm)
}

// DeriveKeyPair is not circl's, which takes ikm of length Nsk only; MLS gives it
// Nh bytes.
func (s *std) DeriveKeyPair(ikm []byte) (KeyPair, error) {
	n := s.id.Sizes().KEMPrivate
	prk := s.kemExtract("dkp_prk", ikm)
	if s.curve() == nil {
		private := PrivateKey(s.kemExpand(prk, "sk", nil, n))
		public, err := s.PublicKey(private)
		return KeyPair{private, public}, err
	}
	for counter := range 256 {
		private := PrivateKey(s.kemExpand(prk, "candidate", []byte{byte(counter)}, n))
		if registry[s.id].kem == kemP521 {
			private[0] &= 0x01
		}
		if public, err := s.PublicKey(private); err == nil {
			return KeyPair{private, public}, nil
		}
	}
	return KeyPair{}, fmt.Errorf("%w: no key pair derives from this input (RFC 9180, DeriveKeyPairError)", ErrKey)
}

// kemExtract is LabeledExtract with an empty salt and the KEM's suite_id (RFC
// 9180, Section 4).
func (s *std) kemExtract(label string, ikm []byte) []byte {
	kem := registry[s.id].kem
	b := append([]byte("HPKE-v1KEM"), byte(kem>>8), byte(kem))
	return s.Extract(nil, append(append(b, label...), ikm...))
}

// kemExpand is LabeledExpand with the KEM's suite_id (RFC 9180, Section 4).
func (s *std) kemExpand(prk []byte, label string, info []byte, n int) []byte {
	kem := registry[s.id].kem
	b := append([]byte{byte(n >> 8), byte(n)}, "HPKE-v1KEM"...)
	b = append(b, byte(kem>>8), byte(kem))
	return s.Expand(prk, append(append(b, label...), info...), n)
}

func (s *std) PublicKey(private PrivateKey) ([]byte, error) {
	if err := s.checkPrivate(private); err != nil {
		return nil, err
	}
	switch registry[s.id].kem {
	case kemX25519:
		var public, secret x25519.Key
		copy(secret[:], private)
		x25519.KeyGen(&public, &secret)
		return public[:], nil
	case kemX448:
		var public, secret x448.Key
		copy(secret[:], private)
		x448.KeyGen(&public, &secret)
		return public[:], nil
	}
	key, err := s.curve().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key.PublicKey().Bytes(), nil
}

func (s *std) DH(private PrivateKey, public []byte) ([]byte, error) {
	if err := s.checkPrivate(private); err != nil {
		return nil, err
	}
	if want := s.id.Sizes().KEMPublic; len(public) != want {
		return nil, fmt.Errorf("%w: public key of %d bytes, want %d", ErrKey, len(public), want)
	}
	switch registry[s.id].kem {
	case kemX25519:
		var shared, secret, point x25519.Key
		copy(secret[:], private)
		copy(point[:], public)
		if !x25519.Shared(&shared, &secret, &point) {
			return nil, errLowOrder
		}
		return shared[:], nil
	case kemX448:
		var shared, secret, point x448.Key
		copy(secret[:], private)
		copy(point[:], public)
		if !x448.Shared(&shared, &secret, &point) {
			return nil, errLowOrder
		}
		return shared[:], nil
	}
	secret, err := s.curve().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	point, err := s.curve().NewPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	shared, err := secret.ECDH(point)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return shared, nil
}

var errLowOrder = fmt.Errorf("%w: public key of low order", ErrKey)

func (s *std) checkPrivate(private PrivateKey) error {
	if want := s.id.Sizes().KEMPrivate; len(private) != want {
		return fmt.Errorf("%w: private key of %d bytes, want %d", ErrKey, len(private), want)
	}
	return nil
}

// hpke returns circl's suite with the same algorithms. Its numbers are IANA's,
// and so are ours.
func (s *std) hpke() hpke.Suite {
	r := &registry[s.id]
	return hpke.NewSuite(hpke.KEM(r.kem), hpke.KDF(r.hash), hpke.AEAD(r.aead))
}

func (s *std) kemScheme() kem.Scheme { return hpke.KEM(registry[s.id].kem).Scheme() }

func (s *std) SealBase(public, info, aad, plaintext []byte) (enc, ciphertext []byte, err error) {
	enc, sealer, err := s.setupBaseS(public, info)
	if err != nil {
		return nil, nil, err
	}
	ciphertext, err = sealer.Seal(plaintext, aad)
	if err != nil {
		return nil, nil, fmt.Errorf("suite: sealing: %w", err)
	}
	return enc, ciphertext, nil
}

func (s *std) OpenBase(enc []byte, private PrivateKey, info, aad, ciphertext []byte) ([]byte, error) {
	opener, err := s.setupBaseR(enc, private, info)
	if err != nil {
		return nil, err
	}
	plaintext, err := opener.Open(ciphertext, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func (s *std) SendExportBase(public, info, exporterContext []byte, n int) (enc, secret []byte, err error) {
	checkExpand(s.id, n)
	enc, sealer, err := s.setupBaseS(public, info)
	if err != nil {
		return nil, nil, err
	}
	return enc, sealer.Export(exporterContext, uint(n)), nil
}

func (s *std) ReceiveExportBase(enc []byte, private PrivateKey, info, exporterContext []byte, n int) ([]byte, error) {
	checkExpand(s.id, n)
	opener, err := s.setupBaseR(enc, private, info)
	if err != nil {
		return nil, err
	}
	return opener.Export(exporterContext, uint(n)), nil
}

// setupBaseS is SetupBaseS of RFC 9180, Section 5.1.1.
func (s *std) setupBaseS(public, info []byte) (enc []byte, _ hpke.Sealer, err error) {
	pkR, err := s.kemScheme().UnmarshalBinaryPublicKey(public)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	sender, err := s.hpke().NewSender(pkR, info)
	if err != nil {
		return nil, nil, fmt.Errorf("suite: setting up: %w", err)
	}
	enc, sealer, err := sender.Setup(s.rand)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return enc, sealer, nil
}

// setupBaseR is SetupBaseR of RFC 9180, Section 5.1.1.
func (s *std) setupBaseR(enc []byte, private PrivateKey, info []byte) (hpke.Opener, error) {
	skR, err := s.kemScheme().UnmarshalBinaryPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	receiver, err := s.hpke().NewReceiver(skR, info)
	if err != nil {
		return nil, fmt.Errorf("suite: setting up: %w", err)
	}
	opener, err := receiver.Setup(enc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return opener, nil
}
