package ohttp

import (
	"crypto/cipher"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Gateway opens requests with its keys. The zero value has none.
type Gateway struct {
	keys map[uint8]gatewayKey
}

type gatewayKey struct {
	suite suite.Suite
	pair  suite.KeyPair
}

// AddKey lets the gateway use a key pair of the suite under an identifier, in place
// of one that had it before, and returns the configuration for clients.
func (g *Gateway) AddKey(id uint8, s suite.Suite, pair suite.KeyPair) *KeyConfig {
	if g.keys == nil {
		g.keys = map[uint8]gatewayKey{}
	}
	g.keys[id] = gatewayKey{s, pair}
	return NewKeyConfig(id, s.ID(), pair.Public)
}

// RemoveKey ends the use of a key. A gateway that rotates keys goes on to accept the
// one before for a while.
func (g *Gateway) RemoveKey(id uint8) { delete(g.keys, id) }

// Response is what a gateway keeps of a request, to seal the response.
type Response struct {
	suite  suite.Suite
	enc    []byte
	secret []byte
}

// Open decrypts an encapsulated request (RFC 9458, Section 4.3). What it returns is
// whatever the client sent: a request like any other from a stranger.
func (g *Gateway) Open(encapsulated []byte) (request []byte, _ *Response, err error) {
	s := cryptobyte.String(encapsulated)
	var h header
	if !s.ReadUint8(&h.key) || !s.ReadUint16(&h.hpke.KEM) || !s.ReadUint16(&h.hpke.KDF) || !s.ReadUint16(&h.hpke.AEAD) {
		return nil, nil, fmt.Errorf("%w: request of %d bytes ends within its header", ErrFormat, len(encapsulated))
	}
	k, ok := g.keys[h.key]
	if !ok {
		return nil, nil, fmt.Errorf("%w: no key %d", ErrKey, h.key)
	}
	if want := k.suite.ID().HPKE(); h.hpke != want {
		return nil, nil, fmt.Errorf("%w: key %d with %v, want %v", ErrKey, h.key, h.hpke, want)
	}
	var enc []byte
	if !s.ReadBytes(&enc, k.suite.ID().Sizes().KEMPublic) {
		return nil, nil, fmt.Errorf("%w: request of %d bytes ends within its encapsulated key", ErrFormat, len(encapsulated))
	}
	request, err = suite.OpenBaseWith(k.suite, enc, k.pair, h.info(), nil, s)
	if errors.Is(err, suite.ErrKey) || errors.Is(err, suite.ErrOpen) {
		return nil, nil, fmt.Errorf("%w: request: %w", ErrOpen, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ohttp: opening a request: %w", err)
	}
	secret, err := k.suite.ReceiveExportBase(enc, k.pair.Private, h.info(), []byte(responseLabel), secretSize(k.suite))
	if err != nil {
		return nil, nil, fmt.Errorf("ohttp: opening a request: %w", err)
	}
	return request, &Response{k.suite, enc, secret}, nil
}

// Seal encrypts the one binary HTTP response to the request (RFC 9458, Section 4.4).
func (r *Response) Seal(response []byte) (encapsulated []byte, err error) {
	nonce := make([]byte, secretSize(r.suite))
	if _, err := io.ReadFull(r.suite.Rand(), nonce); err != nil {
		return nil, fmt.Errorf("ohttp: drawing a nonce: %w", err)
	}
	aead, aeadNonce, err := responseKey(r.suite, r.enc, r.secret, nonce)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nonce, aeadNonce, response, nil), nil
}

// responseKey derives the key and nonce of a response (RFC 9458, Section 4.4):
//
//	prk = Extract(enc || response_nonce, secret)
//	aead_key = Expand(prk, "key", Nk)
//	aead_nonce = Expand(prk, "nonce", Nn)
func responseKey(s suite.Suite, enc, secret, responseNonce []byte) (_ cipher.AEAD, nonce []byte, err error) {
	salt := append(append(make([]byte, 0, len(enc)+len(responseNonce)), enc...), responseNonce...)
	prk := s.Extract(salt, secret)
	aead, err := s.AEAD(s.Expand(prk, []byte("key"), s.ID().Sizes().AEADKey))
	if err != nil {
		return nil, nil, fmt.Errorf("ohttp: key of a response: %w", err)
	}
	return aead, s.Expand(prk, []byte("nonce"), s.ID().Sizes().AEADNonce), nil
}
