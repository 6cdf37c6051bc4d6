// Package token is the proof by which a partner tells a gatekeeper who its user is: a
// JSON Web Token (RFC 7519, https://www.rfc-editor.org/rfc/rfc7519) that the partner's
// server signs, and the document with the keys to verify it by, a JWK Set (RFC 7517,
// https://www.rfc-editor.org/rfc/rfc7517). It is sans-IO: documents and the time come in
// as values.
//
// The technical specification in WhatsApp's Reference Offer 1.0.3 calls it OpenID with
// small changes: the gatekeeper fetches the keys from time to time from the partner
// ([WellKnown]; its sample has an RSA key for RS256 with a kid), and checks the token at
// enlistment and whenever the user's device connects. Which claims it has is not public;
// that the user-visible identifier is the subject is assumed, and so are issuer, audience
// and lifetime. The token that comes with a gatekeeper's push is of the same kind.
//
// A gatekeeper starts with [Peek], to learn whose token it may be, and [Policy.Verify]
// with that partner's [Keys]; a partner with [NewSigner].
//
// What is taken is narrow (RFC 8725, https://www.rfc-editor.org/rfc/rfc8725): compact
// tokens signed with RS256, ES256 or EdDSA, by the key that kid names, with the algorithm
// of that key. Keys within a token are not looked at.
//
// RSA and ECDSA are Go's, as no suite has them; go-jose puts the pieces together.
package token

import (
	"errors"
	"fmt"
)

// WellKnown is where a partner publishes its keys, below its base URL (Reference Offer).
const WellKnown = "/.well-known/oauth/openid/jwks"

// Bounds of this implementation, but for the token's, which is the Reference Offer's.
const (
	MaxToken      = 4 << 10  // bytes of a token
	MaxDocument   = 64 << 10 // bytes of a JWK Set
	MaxKeys       = 32       // in a JWK Set
	MaxKeyID      = 128      // bytes of a kid
	MaxIdentifier = 256      // bytes of an issuer, audience or subject
	minRSA        = 2048     // bits
	maxRSA        = 8192
)

// Why a token is refused.
var (
	// ErrMalformed: it is no compact JWT with the claims that it must have.
	ErrMalformed = errors.New("malformed token")
	// ErrAlgorithm: it is not signed, or with another algorithm than its key's.
	ErrAlgorithm = errors.New("algorithm not allowed")
	// ErrKey: no key has its kid. Newer keys may.
	ErrKey = errors.New("unknown key")
	// ErrSignature: it is not what the key's holder signed.
	ErrSignature = errors.New("signature does not verify")
	// ErrIssuer: it is from somebody else.
	ErrIssuer = errors.New("other issuer")
	// ErrAudience: it is for somebody else.
	ErrAudience = errors.New("other audience")
	// ErrExpired: its time is over.
	ErrExpired = errors.New("expired")
	// ErrEarly: its time has not come.
	ErrEarly = errors.New("not valid yet")
	// ErrLifetime: it is valid for longer than a token may be.
	ErrLifetime = errors.New("valid for too long")
	// ErrIdentifier: it is about another user.
	ErrIdentifier = errors.New("other identifier")

	// ErrKeys: a document is no JWK Set with keys of use.
	ErrKeys = errors.New("malformed keys")
)

// Error says why a token or a document with keys is refused. It never has the token.
type Error struct {
	Kind   error // one of the kinds above
	Detail string
	Err    error // what lies beneath, or nil
}

// Error implements error.
func (e *Error) Error() string {
	s := "token: " + e.Kind.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the kind and what lies beneath.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

func refuse(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// clip bounds what an error repeats of its input.
func clip(s string) string { return s[:min(len(s), 64)] }
