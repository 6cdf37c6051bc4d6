package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Keys are the keys of one issuer, by their kid. They do not change once they are read.
type Keys struct{ byID map[string]key }

// key is a public key with the one algorithm that it serves.
type key struct {
	public    crypto.PublicKey
	algorithm jose.SignatureAlgorithm
}

// algorithms are those that tokens may have.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA}

// Known reports whether there is a key of that kid.
func (k *Keys) Known(id string) bool {
	if k == nil {
		return false
	}
	_, ok := k.byID[id]
	return ok
}

// IDs returns the kids, sorted.
func (k *Keys) IDs() []string {
	if k == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(k.byID))
}

// member is what is looked at of a key before anything else.
type member struct {
	Type      string  `json:"kty"`
	Use       string  `json:"use"`
	ID        string  `json:"kid"`
	Algorithm string  `json:"alg"`
	Curve     string  `json:"crv"`
	Private   *string `json:"d"`
}

// ParseKeys reads a JWK Set. Keys of types, curves, uses and algorithms that do not serve
// here are skipped (RFC 7517, Section 5). A malformed key that does, a secret or private
// one, and a kid that comes twice spoil the document: whoever has published it should
// hear of it. At least one key must be left.
func ParseKeys(document []byte) (*Keys, error) {
	if len(document) > MaxDocument {
		return nil, refuse(ErrKeys, "%d bytes, want at most %d", len(document), MaxDocument)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, &Error{Kind: ErrKeys, Err: err}
	}
	if len(set.Keys) > MaxKeys {
		return nil, refuse(ErrKeys, "%d keys, want at most %d", len(set.Keys), MaxKeys)
	}
	keys := &Keys{byID: make(map[string]key, len(set.Keys))}
	for i, raw := range set.Keys {
		if err := keys.add(raw); err != nil {
			return nil, &Error{Kind: ErrKeys, Detail: fmt.Sprintf("key %d", i), Err: err}
		}
	}
	if len(keys.byID) == 0 {
		return nil, refuse(ErrKeys, "none of %d keys is for RS256, ES256 or EdDSA signatures", len(set.Keys))
	}
	return keys, nil
}

func (k *Keys) add(raw json.RawMessage) error {
	var m member
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	if m.Private != nil || m.Type == "oct" {
		return errors.New("a private or secret key, want public ones: it is in everybody's hands now")
	}
	algorithm := m.serves()
	if algorithm == "" {
		return nil
	}
	if m.ID == "" || len(m.ID) > MaxKeyID {
		return fmt.Errorf("kid of %d bytes, want 1 to %d", len(m.ID), MaxKeyID)
	}
	if k.Known(m.ID) {
		return fmt.Errorf("kid %q comes twice", m.ID)
	}
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON(raw); err != nil {
		return err
	}
	if err := check(parsed.Key, algorithm); err != nil {
		return err
	}
	k.byID[m.ID] = key{parsed.Key, algorithm}
	return nil
}

// serves returns the algorithm that a key serves, or "".
func (m *member) serves() jose.SignatureAlgorithm {
	var a jose.SignatureAlgorithm
	switch {
	case m.Type == "RSA":
		a = jose.RS256
	case m.Type == "EC" && m.Curve == "P-256":
		a = jose.ES256
	case m.Type == "OKP" && m.Curve == "Ed25519":
		a = jose.EdDSA
	}
	if m.Use != "" && m.Use != "sig" || m.Algorithm != "" && m.Algorithm != string(a) {
		return ""
	}
	return a
}

// check looks at a public key.
func check(public crypto.PublicKey, want jose.SignatureAlgorithm) error {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if n := p.N.BitLen(); n < minRSA || n > maxRSA {
			return fmt.Errorf("RSA key of %d bits, want %d to %d", n, minRSA, maxRSA)
		}
		if p.E < 65537 || p.E%2 == 0 {
			return fmt.Errorf("RSA exponent %d, want an odd one from 65537 on", p.E)
		}
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return errors.New("EC key on another curve, want P-256")
		}
	case ed25519.PublicKey:
		if len(p) != ed25519.PublicKeySize {
			return fmt.Errorf("Ed25519 key of %d bytes, want %d", len(p), ed25519.PublicKeySize)
		}
	default:
		return fmt.Errorf("a %T, want a key for %s", public, want)
	}
	return nil
}
