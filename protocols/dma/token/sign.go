package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Signer signs tokens with one key.
type Signer struct {
	signer jose.Signer
	public jose.JSONWebKey
}

// NewSigner returns a signer with a key for RS256 (*rsa.PrivateKey), ES256
// (*ecdsa.PrivateKey on P-256) or EdDSA (ed25519.PrivateKey), whose kid is id.
func NewSigner(id string, private crypto.Signer) (*Signer, error) {
	if id == "" || len(id) > MaxKeyID {
		return nil, fmt.Errorf("token: signer: kid of %d bytes, want 1 to %d", len(id), MaxKeyID)
	}
	var a jose.SignatureAlgorithm
	switch private.(type) {
	case *rsa.PrivateKey:
		a = jose.RS256
	case *ecdsa.PrivateKey:
		a = jose.ES256
	case ed25519.PrivateKey:
		a = jose.EdDSA
	default:
		return nil, fmt.Errorf("token: signer: a %T, want a key of RSA, ECDSA or Ed25519", private)
	}
	if err := check(private.Public(), a); err != nil {
		return nil, fmt.Errorf("token: signer: %w", err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: a, Key: jose.JSONWebKey{Key: private, KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("token: signer: %w", err)
	}
	return &Signer{s, jose.JSONWebKey{Key: private.Public(), KeyID: id, Algorithm: string(a), Use: "sig"}}, nil
}

// Sign returns a token with the claims. Zero times are left out.
func (s *Signer) Sign(c Claims) (string, error) {
	t, err := jwt.Signed(s.signer).Claims(jwt.Claims{
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience, ID: c.ID,
		Expiry: jwt.NewNumericDate(c.Expires), NotBefore: jwt.NewNumericDate(c.NotBefore), IssuedAt: jwt.NewNumericDate(c.IssuedAt),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("token: signing: %w", err)
	}
	if len(t) > MaxToken {
		return "", fmt.Errorf("token: signing: %d bytes, want at most %d", len(t), MaxToken)
	}
	return t, nil
}

// Document returns the JWK Set by which the tokens of the signers are verified. While keys
// change, it has the one before beside the new one.
func Document(signers ...*Signer) ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, s := range signers {
		set.Keys = append(set.Keys, s.public)
	}
	b, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("token: keys: %w", err)
	}
	if _, err := ParseKeys(b); err != nil { // nobody else could read it either
		return nil, err
	}
	return b, nil
}
