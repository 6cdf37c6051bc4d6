package token

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Claims are what a token says. Those that [Policy.Verify] returns are true as far as the
// issuer is to be trusted.
type Claims struct {
	Issuer    string
	Audience  []string
	Subject   string
	IssuedAt  time.Time // zero if absent
	NotBefore time.Time // zero if absent
	Expires   time.Time
	ID        string
}

// Header is what a token says before anything of it is verified. Nothing follows from it
// but which keys to try.
type Header struct {
	KeyID     string
	Algorithm string
	Issuer    string
}

// Peek reads who claims to have signed a token, and with which key.
func Peek(token string) (*Header, error) {
	t, err := parse(token)
	if err != nil {
		return nil, err
	}
	var c jwt.Claims
	if err := t.UnsafeClaimsWithoutVerification(&c); err != nil {
		return nil, &Error{Kind: ErrMalformed, Err: err}
	}
	h := t.Headers[0]
	if len(c.Issuer) > MaxIdentifier || len(h.KeyID) > MaxKeyID {
		return nil, refuse(ErrMalformed, "issuer of %d and kid of %d bytes, want at most %d and %d", len(c.Issuer), len(h.KeyID), MaxIdentifier, MaxKeyID)
	}
	return &Header{KeyID: h.KeyID, Algorithm: h.Algorithm, Issuer: c.Issuer}, nil
}

// parse takes a token apart.
func parse(token string) (*jwt.JSONWebToken, error) {
	if token == "" || len(token) > MaxToken {
		return nil, refuse(ErrMalformed, "%d bytes, want 1 to %d", len(token), MaxToken)
	}
	// Base64 decoders skip line breaks; there would be many tokens for one.
	if n := strings.Count(token, "."); n != 2 || strings.ContainsAny(token, "\r\n \t=") {
		return nil, refuse(ErrMalformed, "%d dots, white space or padding, want two dots alone: a signed token in compact form", n)
	}
	t, err := jwt.ParseSigned(token, algorithms)
	var other *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &other):
		return nil, refuse(ErrAlgorithm, "%q, want RS256, ES256 or EdDSA", clip(string(other.Got)))
	case err != nil:
		return nil, &Error{Kind: ErrMalformed, Err: err}
	case len(t.Headers) != 1:
		return nil, refuse(ErrMalformed, "%d signatures, want 1", len(t.Headers))
	}
	if typ, ok := t.Headers[0].ExtraHeaders[jose.HeaderType]; ok {
		if s, _ := typ.(string); !strings.EqualFold(s, "JWT") {
			return nil, refuse(ErrMalformed, "typ %q, want JWT", clip(s))
		}
	}
	return t, nil
}

// Policy is what a token must be like. It is not modified.
type Policy struct {
	// Issuer and Audience are what iss must be and aud contain; both are required.
	Issuer, Audience string
	// Leeway is by how much clocks may differ; default 1 min.
	Leeway time.Duration
	// MaxLifetime is how long a token may be valid from now on; default 24 h. Assumed.
	MaxLifetime time.Duration
	// IdentifierClaim has the identifier of the user; default "sub". Assumed.
	IdentifierClaim string
}

func (p Policy) orDefault() Policy {
	if p.Leeway == 0 {
		p.Leeway = time.Minute
	}
	if p.MaxLifetime == 0 {
		p.MaxLifetime = 24 * time.Hour
	}
	if p.IdentifierClaim == "" {
		p.IdentifierClaim = "sub"
	}
	return p
}

// Verify checks a token by the keys of the issuer: who signed it, for whom, for how long,
// and that it is about the user with the identifier. An error that is ErrKey may be due to
// keys that are old.
func (p Policy) Verify(now time.Time, keys *Keys, token, identifier string) (*Claims, error) {
	p = p.orDefault()
	c, all, err := p.verify(now, keys, token)
	if err != nil {
		return nil, err
	}
	var got string
	if err := json.Unmarshal(all[p.IdentifierClaim], &got); err != nil || got == "" {
		return nil, refuse(ErrMalformed, "claim %s is no text, want the identifier", p.IdentifierClaim)
	}
	if got != identifier {
		return nil, refuse(ErrIdentifier, "%q, want %q", clip(got), clip(identifier))
	}
	return c, nil
}

// VerifyBearer checks a token that is about no user, such as that of a push, as Verify does.
func (p Policy) VerifyBearer(now time.Time, keys *Keys, token string) (*Claims, error) {
	c, _, err := p.orDefault().verify(now, keys, token)
	return c, err
}

// verify returns what a token says, all of it by name too, if it is good.
func (p Policy) verify(now time.Time, keys *Keys, token string) (*Claims, map[string]json.RawMessage, error) {
	if p.Issuer == "" || p.Audience == "" {
		return nil, nil, errors.New("token: policy without issuer or audience, want both")
	}
	t, err := parse(token)
	if err != nil {
		return nil, nil, err
	}
	h := t.Headers[0]
	if !keys.Known(h.KeyID) {
		return nil, nil, refuse(ErrKey, "kid %q, known are %q", clip(h.KeyID), keys.IDs())
	}
	k := keys.byID[h.KeyID]
	if h.Algorithm != string(k.algorithm) {
		return nil, nil, refuse(ErrAlgorithm, "%s, want %s, which key %q is for", clip(h.Algorithm), k.algorithm, h.KeyID)
	}
	var c jwt.Claims
	var all map[string]json.RawMessage
	if err := t.Claims(k.public, &c, &all); err != nil {
		if errors.Is(err, jose.ErrCryptoFailure) {
			return nil, nil, refuse(ErrSignature, "by key %q", h.KeyID)
		}
		return nil, nil, &Error{Kind: ErrMalformed, Err: err}
	}
	if err := p.check(now, &c); err != nil {
		return nil, nil, err
	}
	return claims(&c), all, nil
}

// check looks at the registered claims (RFC 7519, Section 4.1).
func (p *Policy) check(now time.Time, c *jwt.Claims) error {
	for _, s := range append([]string{c.Issuer, c.Subject, c.ID}, c.Audience...) {
		if len(s) > MaxIdentifier {
			return refuse(ErrMalformed, "a claim of %d bytes, want at most %d", len(s), MaxIdentifier)
		}
	}
	switch {
	case c.Issuer != p.Issuer:
		return refuse(ErrIssuer, "%q, want %q", clip(c.Issuer), p.Issuer)
	case !slices.Contains(c.Audience, p.Audience):
		return refuse(ErrAudience, "%d others, want %q", len(c.Audience), p.Audience)
	case c.Expiry == nil:
		return refuse(ErrMalformed, "no exp, want a token that expires")
	}
	expires := c.Expiry.Time()
	switch {
	case !now.Add(-p.Leeway).Before(expires):
		return refuse(ErrExpired, "at %s, and it is %s", stamp(expires), stamp(now))
	case c.NotBefore != nil && now.Add(p.Leeway).Before(c.NotBefore.Time()):
		return refuse(ErrEarly, "before %s, and it is %s", stamp(c.NotBefore.Time()), stamp(now))
	case c.IssuedAt != nil && now.Add(p.Leeway).Before(c.IssuedAt.Time()):
		return refuse(ErrEarly, "issued at %s, and it is %s", stamp(c.IssuedAt.Time()), stamp(now))
	case expires.After(now.Add(p.MaxLifetime + p.Leeway)):
		return refuse(ErrLifetime, "until %s, want at most %s from now", stamp(expires), p.MaxLifetime)
	}
	return nil
}

func claims(c *jwt.Claims) *Claims {
	out := &Claims{Issuer: c.Issuer, Audience: c.Audience, Subject: c.Subject, Expires: c.Expiry.Time(), ID: c.ID}
	if c.IssuedAt != nil {
		out.IssuedAt = c.IssuedAt.Time()
	}
	if c.NotBefore != nil {
		out.NotBefore = c.NotBefore.Time()
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
