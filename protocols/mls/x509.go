package mls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// maxChain is how many certificates a chain may have.
const maxChain = 16

// X509 accepts X.509 credentials (RFC 9420, Section 5.3): a chain whose first
// certificate is for the leaf's signature key, and each of whose others has issued
// the one before it. Whether the chain is to be trusted, at what time and for whom,
// is for policy to say, which gets it parsed; it must not be nil. Other kinds of
// credentials go to others, or are refused if that is nil.
//
// Keys are Ed25519 and ECDSA; crypto/x509 knows no Ed448, which suites 4 and 6 sign
// with.
func X509(policy func(chain []*x509.Certificate, w Where) error, others Authenticate) Authenticate {
	return func(c *message.Credential, signatureKey []byte, w Where) error {
		if c.Type != message.CredentialX509 {
			if others == nil {
				return fmt.Errorf("credential of type %v, want x509", c.Type)
			}
			return others(c, signatureKey, w)
		}
		chain, err := parseChain(c.Chain)
		if err != nil {
			return err
		}
		key, err := certificateKey(chain[0])
		if err != nil {
			return err
		}
		if !bytes.Equal(key, signatureKey) {
			return fmt.Errorf("the certificate is for another key than the leaf's signature_key")
		}
		return policy(chain, w)
	}
}

// parseChain parses a chain and checks that each certificate has issued the one
// before it.
func parseChain(list []message.Certificate) ([]*x509.Certificate, error) {
	if len(list) == 0 || len(list) > maxChain {
		return nil, fmt.Errorf("chain of %d certificates, want 1 to %d", len(list), maxChain)
	}
	chain := make([]*x509.Certificate, len(list))
	for i, der := range list {
		var err error
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i, err)
		}
		if i > 0 {
			if err := chain[i-1].CheckSignatureFrom(chain[i]); err != nil {
				return nil, fmt.Errorf("certificate %d is not issued by the next: %w", i-1, err)
			}
		}
	}
	return chain, nil
}

// certificateKey returns a certificate's public key as MLS encodes it (RFC 9420,
// Section 5.1.2).
func certificateKey(c *x509.Certificate) ([]byte, error) {
	switch key := c.PublicKey.(type) {
	case ed25519.PublicKey:
		return key, nil
	case *ecdsa.PublicKey:
		b, err := key.Bytes() // uncompressed point
		if err != nil {
			return nil, fmt.Errorf("certificate key: %w", err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("certificate with a key of type %T, want Ed25519 or ECDSA", c.PublicKey)
}
