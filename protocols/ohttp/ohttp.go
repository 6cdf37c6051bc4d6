// Package ohttp is Oblivious HTTP: RFC 9458
// (https://www.rfc-editor.org/rfc/rfc9458). A client encrypts a request to a
// gateway and sends it through a relay: the relay learns who asks and not what, the
// gateway learns what and not who.
//
//	client                     relay                    gateway
//	  Encapsulate --message/ohttp-req--> forwards as it is --> Open, answers
//	  Response.Open <--message/ohttp-res-- as it is <------------ Seal
//
// What is encrypted is a binary HTTP message (package bhttp); this package does not
// look into it. A client gets the gateway's [KeyConfig] by a way that
// authenticates it, such as HTTPS (Section 3).
//
// The suite decides the algorithms: its KEM, and its KDF and AEAD as the one
// symmetric pair. The package has neither sockets nor the defence against replays
// that a gateway needs where requests are not safe to repeat (Section 6.5).
package ohttp

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Media types (RFC 9458, Section 9).
const (
	MediaTypeKeys     = "application/ohttp-keys"
	MediaTypeRequest  = "message/ohttp-req"
	MediaTypeResponse = "message/ohttp-res"
)

// Labels (RFC 9458, Sections 4.3 and 4.4).
const (
	requestLabel  = "message/bhttp request"
	responseLabel = "message/bhttp response"
)

// Errors that callers tell apart.
var (
	// ErrFormat: the bytes are no key configuration or encapsulated message.
	ErrFormat = errors.New("ohttp: malformed")
	// ErrKey: the gateway has no such key, or does not use it with these
	// algorithms. An HTTP answer is problem type ohttp-key (RFC 9458, Section 5.3).
	ErrKey = errors.New("ohttp: unknown key or algorithms")
	// ErrOpen: a message does not decrypt.
	ErrOpen = errors.New("ohttp: message does not open")
)

// header is what an encapsulated request begins with (RFC 9458, Section 4.1).
type header struct {
	key  uint8
	hpke suite.HPKE
}

func (h header) marshal(b *cryptobyte.Builder) {
	b.AddUint8(h.key)
	b.AddUint16(h.hpke.KEM)
	b.AddUint16(h.hpke.KDF)
	b.AddUint16(h.hpke.AEAD)
}

// info is the info of the HPKE context (RFC 9458, Section 4.3).
func (h header) info() []byte {
	b := cryptobyte.NewBuilder([]byte(requestLabel + "\x00"))
	h.marshal(b)
	return b.BytesOrPanic()
}

// Request is an encapsulated request as its client keeps it, to open the response.
type Request struct {
	suite  suite.Suite
	enc    []byte
	secret []byte
}

// Encapsulate encrypts a binary HTTP request to the gateway with the configuration,
// which has to be one for the suite's algorithms: see [KeyConfig.Fits].
func Encapsulate(s suite.Suite, c *KeyConfig, request []byte) (encapsulated []byte, _ *Request, err error) {
	if !c.Fits(s.ID()) {
		return nil, nil, fmt.Errorf("%w: key %d is not for those of suite %v", ErrKey, c.ID, s.ID())
	}
	h := header{c.ID, s.ID().HPKE()}
	enc, ct, secret, err := suite.SealExportBase(s, c.PublicKey, h.info(), nil, request, []byte(responseLabel), secretSize(s))
	if err != nil {
		return nil, nil, fmt.Errorf("ohttp: encapsulating a request: %w", err)
	}
	var b cryptobyte.Builder
	h.marshal(&b)
	b.AddBytes(enc)
	b.AddBytes(ct)
	return b.BytesOrPanic(), &Request{suite: s, enc: enc, secret: secret}, nil
}

// secretSize is max(Nn, Nk), the size of the exported secret and of the response's
// nonce (RFC 9458, Section 4.4).
func secretSize(s suite.Suite) int {
	size := s.ID().Sizes()
	return max(size.AEADNonce, size.AEADKey)
}

// Open decrypts the response to the request.
func (r *Request) Open(encapsulated []byte) (response []byte, err error) {
	n := secretSize(r.suite)
	if least := n + r.suite.ID().Sizes().AEADTag; len(encapsulated) < least {
		return nil, fmt.Errorf("%w: response of %d bytes, want at least %d", ErrFormat, len(encapsulated), least)
	}
	aead, nonce, err := responseKey(r.suite, r.enc, r.secret, encapsulated[:n])
	if err != nil {
		return nil, err
	}
	response, err = aead.Open(nil, nonce, encapsulated[n:], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: response", ErrOpen)
	}
	return response, nil
}
