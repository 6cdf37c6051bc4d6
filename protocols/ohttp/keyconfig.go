package ohttp

import (
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// KeyConfig is a key configuration (RFC 9458, Section 3.1):
//
//	HPKE Symmetric Algorithms {
//	  HPKE KDF ID (16),
//	  HPKE AEAD ID (16),
//	}
//	Key Config {
//	  Key Identifier (8),
//	  HPKE KEM ID (16),
//	  HPKE Public Key (Npk * 8),
//	  HPKE Symmetric Algorithms Length (16) = 4..65532,
//	  HPKE Symmetric Algorithms (32) ...,
//	}
type KeyConfig struct {
	ID        uint8
	KEM       uint16
	PublicKey []byte
	Symmetric []Symmetric // at least one
}

// Symmetric is a pair of a KDF and an AEAD, by their HPKE numbers.
type Symmetric struct {
	KDF, AEAD uint16
}

// NewKeyConfig returns the configuration of a public key for the algorithms of a
// suite.
func NewKeyConfig(id uint8, s suite.ID, public []byte) *KeyConfig {
	h := s.HPKE()
	return &KeyConfig{ID: id, KEM: h.KEM, PublicKey: public, Symmetric: []Symmetric{{h.KDF, h.AEAD}}}
}

// Fits reports whether the configuration lets a client use the suite's algorithms.
func (c *KeyConfig) Fits(s suite.ID) bool {
	h := s.HPKE()
	return c.KEM == h.KEM && slices.Contains(c.Symmetric, Symmetric{h.KDF, h.AEAD})
}

// MarshalKeys returns the configurations as application/ohttp-keys (RFC 9458,
// Section 3.2).
func MarshalKeys(configs []*KeyConfig) ([]byte, error) {
	var b cryptobyte.Builder
	for _, c := range configs {
		b.AddUint16LengthPrefixed(c.marshal)
	}
	out, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("ohttp: key configurations: %w", err)
	}
	return out, nil
}

func (c *KeyConfig) marshal(b *cryptobyte.Builder) {
	b.AddUint8(c.ID)
	b.AddUint16(c.KEM)
	b.AddBytes(c.PublicKey)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		for _, s := range c.Symmetric {
			b.AddUint16(s.KDF)
			b.AddUint16(s.AEAD)
		}
	})
}

// ParseKeys reads application/ohttp-keys. A collection with any error in it is
// refused whole, so that clients cannot be told apart by what they make of it (RFC
// 9458, Section 3.2). Configurations of KEMs that no suite has are left out: the
// size of their keys is not known here.
func ParseKeys(data []byte) ([]*KeyConfig, error) {
	s := cryptobyte.String(data)
	var out []*KeyConfig
	for i := 1; !s.Empty(); i++ {
		var one cryptobyte.String
		if !s.ReadUint16LengthPrefixed(&one) {
			return nil, fmt.Errorf("%w: key configuration %d is longer than the %d bytes that are left", ErrFormat, i, len(s))
		}
		c, err := parseKey(one)
		if err != nil {
			return nil, fmt.Errorf("%w: key configuration %d: %w", ErrFormat, i, err)
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

// parseKey reads one configuration; it returns nil if its KEM is not known.
func parseKey(s cryptobyte.String) (*KeyConfig, error) {
	var c KeyConfig
	if !s.ReadUint8(&c.ID) || !s.ReadUint16(&c.KEM) {
		return nil, fmt.Errorf("%d bytes end within the identifiers", len(s))
	}
	size, ok := publicSize(c.KEM)
	if !ok {
		return nil, nil
	}
	var symmetric cryptobyte.String
	if !s.ReadBytes(&c.PublicKey, size) || !s.ReadUint16LengthPrefixed(&symmetric) {
		return nil, fmt.Errorf("it ends within the public key or the algorithms")
	}
	if len(symmetric) == 0 || len(symmetric)%4 != 0 {
		return nil, fmt.Errorf("symmetric algorithms of %d bytes, want 4 to 65532 in steps of 4", len(symmetric))
	}
	if !s.Empty() {
		return nil, fmt.Errorf("%d bytes after its end", len(s))
	}
	for !symmetric.Empty() {
		var p Symmetric
		symmetric.ReadUint16(&p.KDF)
		symmetric.ReadUint16(&p.AEAD)
		c.Symmetric = append(c.Symmetric, p)
	}
	return &c, nil
}

// publicSize returns the size of a KEM's public keys, if a suite has it.
func publicSize(kem uint16) (int, bool) {
	for _, id := range suite.IDs() {
		if id.HPKE().KEM == kem {
			return id.Sizes().KEMPublic, true
		}
	}
	return 0, false
}
