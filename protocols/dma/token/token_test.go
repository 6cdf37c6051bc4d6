package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var now = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// The keys of the tests, one of each kind, and another of RSA.
var (
	rsaKey = sync.OnceValue(func() crypto.Signer { return made(rsa.GenerateKey(rand.Reader, 2048)) })
	evil   = sync.OnceValue(func() crypto.Signer { return made(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(func() crypto.Signer { return made(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey  = sync.OnceValue(func() crypto.Signer {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return made(k, err)
	})
)

func made[K crypto.Signer](k K, err error) crypto.Signer {
	if err != nil {
		panic(err)
	}
	return k
}

func signer(t testing.TB, id string, k crypto.Signer) *Signer {
	t.Helper()
	s, err := NewSigner(id, k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// published are the keys of the partner in these tests.
func published(t testing.TB) *Keys {
	t.Helper()
	b, err := Document(signer(t, "r1", rsaKey()), signer(t, "e1", ecKey()), signer(t, "d1", edKey()))
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKeys(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var policy = Policy{Issuer: "https://partner.example", Audience: "https://gatekeeper.example"}

func right() Claims {
	return Claims{
		Issuer: policy.Issuer, Audience: []string{policy.Audience}, Subject: "bob@partner.example",
		IssuedAt: now, Expires: now.Add(time.Hour), ID: "1",
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	keys := published(t)
	for id, k := range map[string]crypto.Signer{"r1": rsaKey(), "e1": ecKey(), "d1": edKey()} {
		token, err := signer(t, id, k).Sign(right())
		if err != nil {
			t.Fatal(err)
		}
		got, err := policy.Verify(now, keys, token, "bob@partner.example")
		if err != nil || got.Subject != "bob@partner.example" || !got.Expires.Equal(now.Add(time.Hour)) || !got.IssuedAt.Equal(now) || got.ID != "1" {
			t.Errorf("%s: got %+v, %v", id, got, err)
		}
		h, err := Peek(token)
		if err != nil || h.Issuer != policy.Issuer || h.KeyID != id {
			t.Errorf("%s: peeked %+v, %v", id, h, err)
		}
	}
}

// TestTimes looks at both sides of each bound.
func TestTimes(t *testing.T) {
	t.Parallel()
	keys, s := published(t), signer(t, "d1", edKey())
	for _, tt := range []struct {
		name string
		set  func(*Claims)
		want error
	}{
		{"expires within the leeway", func(c *Claims) { c.Expires = now.Add(-59 * time.Second) }, nil},
		{"expired beyond it", func(c *Claims) { c.Expires = now.Add(-60 * time.Second) }, ErrExpired},
		{"longest", func(c *Claims) { c.Expires = now.Add(24*time.Hour + time.Minute) }, nil},
		{"too long", func(c *Claims) { c.Expires = now.Add(24*time.Hour + 61*time.Second) }, ErrLifetime},
		{"not before, within the leeway", func(c *Claims) { c.NotBefore = now.Add(time.Minute) }, nil},
		{"not before", func(c *Claims) { c.NotBefore = now.Add(61 * time.Second) }, ErrEarly},
		{"issued within the leeway", func(c *Claims) { c.IssuedAt = now.Add(time.Minute) }, nil},
		{"issued in the future", func(c *Claims) { c.IssuedAt = now.Add(61 * time.Second) }, ErrEarly},
		{"no iat", func(c *Claims) { c.IssuedAt = time.Time{} }, nil},
		{"no exp", func(c *Claims) { c.Expires = time.Time{} }, ErrMalformed},
	} {
		c := right()
		tt.set(&c)
		token, err := s.Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Verify(now, keys, token, c.Subject); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func b64(v any) string {
	if s, ok := v.(string); ok {
		return base64.RawURLEncoding.EncodeToString([]byte(s))
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// forge makes a token by hand, with the signature that sign makes.
func forge(header, payload any, sign func(input string) []byte) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + base64.RawURLEncoding.EncodeToString(sign(input))
}

func payload() map[string]any {
	return map[string]any{
		"iss": policy.Issuer, "aud": policy.Audience, "sub": "bob@partner.example", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

func byRSA(k crypto.Signer) func(string) []byte {
	return func(input string) []byte {
		sum := sha256.Sum256([]byte(input))
		b, err := k.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			panic(err)
		}
		return b
	}
}

func byHMAC(secret []byte) func(string) []byte {
	return func(input string) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(input))
		return m.Sum(nil)
	}
}

func nothing(string) []byte { return nil }

// TestRefused: each way in which a token is no proof, with its kind.
func TestRefused(t *testing.T) {
	t.Parallel()
	keys := published(t)
	pkix, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	document, err := Document(signer(t, "r1", rsaKey()))
	if err != nil {
		t.Fatal(err)
	}
	head := func(alg, kid string) map[string]any { return map[string]any{"alg": alg, "kid": kid, "typ": "JWT"} }
	with := func(m map[string]any, k string, v any) map[string]any {
		m = maps.Clone(m)
		if m[k] = v; v == nil {
			delete(m, k)
		}
		return m
	}
	own, err := json.Marshal(jose.JSONWebKey{Key: evil().Public(), KeyID: "r1", Algorithm: "RS256", Use: "sig"})
	if err != nil {
		t.Fatal(err)
	}
	good := forge(head("RS256", "r1"), payload(), byRSA(rsaKey()))
	if _, err := policy.Verify(now, keys, good, "bob@partner.example"); err != nil {
		t.Fatalf("the token that the others are made of: %v", err)
	}
	parts := strings.Split(good, ".")
	for _, tt := range []struct {
		name, token string
		want        error
	}{
		{"alg none", forge(head("none", "r1"), payload(), nothing), ErrAlgorithm},
		{"alg None", forge(head("None", "r1"), payload(), nothing), ErrAlgorithm},
		{"no alg", forge(with(head("", "r1"), "alg", nil), payload(), byRSA(rsaKey())), ErrAlgorithm},
		{"HS256 with the public key in DER", forge(head("HS256", "r1"), payload(), byHMAC(pkix)), ErrAlgorithm},
		{"HS256 with the published document", forge(head("HS256", "r1"), payload(), byHMAC(document)), ErrAlgorithm},
		{"RS512", forge(head("RS512", "r1"), payload(), byRSA(rsaKey())), ErrAlgorithm},
		{"PS256", forge(head("PS256", "r1"), payload(), byRSA(rsaKey())), ErrAlgorithm},
		{"ES256 for an RSA key", forge(head("ES256", "r1"), payload(), byRSA(rsaKey())), ErrAlgorithm},
		{"RS256 for an EC key", forge(head("RS256", "e1"), payload(), byRSA(rsaKey())), ErrAlgorithm},
		{"EdDSA for an RSA key", forge(head("EdDSA", "r1"), payload(), byRSA(rsaKey())), ErrAlgorithm},
		{"unknown kid", forge(head("RS256", "r2"), payload(), byRSA(rsaKey())), ErrKey},
		{"no kid", forge(with(head("RS256", ""), "kid", nil), payload(), byRSA(rsaKey())), ErrKey},
		{"kid as a path", forge(head("RS256", "../../r1"), payload(), byRSA(rsaKey())), ErrKey},
		{"another's key", forge(head("RS256", "r1"), payload(), byRSA(evil())), ErrSignature},
		{"another's key in the token", forge(with(head("RS256", "r1"), "jwk", json.RawMessage(own)), payload(), byRSA(evil())), ErrSignature},
		{"another's key by URL", forge(with(head("RS256", "r1"), "jku", "https://evil.example/keys"), payload(), byRSA(evil())), ErrSignature},
		{"no signature", parts[0] + "." + parts[1] + ".", ErrSignature},
		{"other payload", parts[0] + "." + b64(with(payload(), "sub", "eve@partner.example")) + "." + parts[2], ErrSignature},
		{"issuer", forge(head("RS256", "r1"), with(payload(), "iss", "https://other.example"), byRSA(rsaKey())), ErrIssuer},
		{"no issuer", forge(head("RS256", "r1"), with(payload(), "iss", nil), byRSA(rsaKey())), ErrIssuer},
		{"issuer with a slash", forge(head("RS256", "r1"), with(payload(), "iss", policy.Issuer+"/"), byRSA(rsaKey())), ErrIssuer},
		{"audience", forge(head("RS256", "r1"), with(payload(), "aud", "https://other.example"), byRSA(rsaKey())), ErrAudience},
		{"no audience", forge(head("RS256", "r1"), with(payload(), "aud", nil), byRSA(rsaKey())), ErrAudience},
		{"exp as text", forge(head("RS256", "r1"), with(payload(), "exp", "tomorrow"), byRSA(rsaKey())), ErrMalformed},
		{"exp beyond all times", forge(head("RS256", "r1"), with(payload(), "exp", json.RawMessage("1e300")), byRSA(rsaKey())), ErrMalformed},
		{"exp in 292 billion years", forge(head("RS256", "r1"), with(payload(), "exp", json.RawMessage("4e18")), byRSA(rsaKey())), ErrLifetime},
		{"negative exp", forge(head("RS256", "r1"), with(payload(), "exp", -1), byRSA(rsaKey())), ErrExpired},
		{"another user", forge(head("RS256", "r1"), with(payload(), "sub", "eve@partner.example"), byRSA(rsaKey())), ErrIdentifier},
		{"another user by case", forge(head("RS256", "r1"), with(payload(), "sub", "Bob@partner.example"), byRSA(rsaKey())), ErrIdentifier},
		{"no user", forge(head("RS256", "r1"), with(payload(), "sub", nil), byRSA(rsaKey())), ErrMalformed},
		{"a number for a user", forge(head("RS256", "r1"), with(payload(), "sub", 7), byRSA(rsaKey())), ErrMalformed},
		{"long claim", forge(head("RS256", "r1"), with(payload(), "jti", strings.Repeat("x", 257)), byRSA(rsaKey())), ErrMalformed},
		{"critical extension", forge(with(head("RS256", "r1"), "crit", []string{"exp"}), payload(), byRSA(rsaKey())), ErrMalformed},
		{"typ", forge(with(head("RS256", "r1"), "typ", "logout+jwt"), payload(), byRSA(rsaKey())), ErrMalformed},
		{"payload is no JSON", forge(head("RS256", "r1"), "hello", byRSA(rsaKey())), ErrMalformed},
		{"header is no JSON", forge("hello", payload(), byRSA(rsaKey())), ErrMalformed},
		{"empty", "", ErrMalformed},
		{"dots", "..", ErrAlgorithm},
		{"encrypted", good + ".x.y", ErrMalformed},
		{"JSON form", `{"payload":"` + parts[1] + `","signatures":[]}`, ErrMalformed},
		{"line break", parts[0] + "." + parts[1] + "\n." + parts[2], ErrMalformed},
		{"padding", good + "=", ErrMalformed},
		{"too long", forge(head("RS256", "r1"), with(payload(), "x", strings.Repeat("x", 4096)), byRSA(rsaKey())), ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := policy.Verify(now, keys, tt.token, "bob@partner.example")
			var typed *Error
			if !errors.Is(err, tt.want) || !errors.As(err, &typed) || c != nil {
				t.Fatalf("got %v, %v, want %v", c, err, tt.want)
			}
			if len(tt.token) > 20 && strings.Contains(err.Error(), tt.token) {
				t.Errorf("the error has the token: %v", err)
			}
			if len(err.Error()) > 400 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	keys := published(t)
	token, err := signer(t, "d1", edKey()).Sign(right())
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Policy{"no issuer": {Audience: "x"}, "no audience": {Issuer: "x"}} {
		if _, err := p.Verify(now, keys, token, "bob@partner.example"); err == nil {
			t.Errorf("%s: a token is good", name)
		}
	}
	if _, err := policy.Verify(now, nil, token, "bob@partner.example"); !errors.Is(err, ErrKey) {
		t.Errorf("no keys yet: got %v, want %v", err, ErrKey)
	}
	if c, err := policy.VerifyBearer(now, keys, token); err != nil || c.Subject != "bob@partner.example" {
		t.Errorf("whoever it is about: got %v, %v", c, err)
	}
	if _, err := policy.VerifyBearer(now.Add(2*time.Hour), keys, token); !errors.Is(err, ErrExpired) {
		t.Errorf("whoever it is about, expired: got %v, want %v", err, ErrExpired)
	}
	named := policy
	named.IdentifierClaim = "phone_number"
	p := payload()
	p["phone_number"] = "+4915112345678"
	token = forge(map[string]any{"alg": "RS256", "kid": "r1"}, p, byRSA(rsaKey()))
	if _, err := named.Verify(now, keys, token, "+4915112345678"); err != nil {
		t.Errorf("identifier in another claim: %v", err)
	}
	if _, err := named.Verify(now, keys, token, "bob@partner.example"); !errors.Is(err, ErrIdentifier) {
		t.Errorf("the subject where another claim counts: got %v", err)
	}
}

// TestRotation: while keys change both serve, and then only the new one.
func TestRotation(t *testing.T) {
	t.Parallel()
	before, after := signer(t, "1", edKey()), signer(t, "2", ecKey())
	tokens := map[*Signer]string{}
	for _, s := range []*Signer{before, after} {
		var err error
		if tokens[s], err = s.Sign(right()); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		published []*Signer
		old, new  error
	}{
		{[]*Signer{before}, nil, ErrKey},
		{[]*Signer{before, after}, nil, nil},
		{[]*Signer{after}, ErrKey, nil},
	} {
		b, err := Document(tt.published...)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := ParseKeys(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Verify(now, keys, tokens[before], "bob@partner.example"); !errors.Is(err, tt.old) {
			t.Errorf("%d keys: old token: got %v, want %v", len(tt.published), err, tt.old)
		}
		if _, err := policy.Verify(now, keys, tokens[after], "bob@partner.example"); !errors.Is(err, tt.new) {
			t.Errorf("%d keys: new token: got %v, want %v", len(tt.published), err, tt.new)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	key := func(k crypto.Signer, id string) map[string]any {
		raw, err := json.Marshal(jose.JSONWebKey{Key: k.Public(), KeyID: id, Use: "sig"})
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	with := func(m map[string]any, k string, v any) map[string]any {
		m = maps.Clone(m)
		if m[k] = v; v == nil {
			delete(m, k)
		}
		return m
	}
	set := func(keys ...any) string {
		b, err := json.Marshal(map[string]any{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	p384 := made(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	good := key(rsaKey(), "r1")
	many := make([]any, MaxKeys+1)
	for i := range many {
		many[i] = key(edKey(), fmt.Sprint(i))
	}
	for _, tt := range []struct{ name, document, ids, says string }{
		{"one", set(good), "r1", ""},
		{"with alg", set(with(good, "alg", "RS256")), "r1", ""},
		{"without use", set(with(good, "use", nil)), "r1", ""},
		{"unknown member", set(with(good, "ext", true)), "r1", ""},
		{"as many as may be", set(many[:MaxKeys]...), "", ""},
		{"unknown type beside", set(map[string]any{"kty": "PQ"}, good), "r1", ""},
		{"encryption key beside", set(with(key(ecKey(), "e1"), "use", "enc"), good), "r1", ""},
		{"other curve beside", set(key(p384, "e3"), good), "r1", ""},
		{"other algorithm beside", set(with(key(evil(), "ps"), "alg", "PS256"), good), "r1", ""},

		{"nothing of use", set(map[string]any{"kty": "PQ"}), "", "none of 1 keys"},
		{"none", set(), "", "none of 0 keys"},
		{"no set", `{}`, "", "none of 0 keys"},
		{"no JSON", `<html>`, "", "invalid character"},
		{"list", `[]`, "", "cannot unmarshal"},
		{"behind", set(good) + "x", "", "invalid character"},
		{"too many", set(many...), "", "33 keys, want at most 32"},
		{"too long", set(with(good, "x", strings.Repeat("x", MaxDocument))), "", "want at most 65536"},
		{"no kid", set(with(good, "kid", nil)), "", "kid of 0 bytes"},
		{"long kid", set(with(good, "kid", strings.Repeat("x", MaxKeyID+1))), "", "kid of 129 bytes"},
		{"twice", set(good, with(key(evil(), "r1"), "alg", "RS256")), "", `kid "r1" comes twice`},
		{"private", set(with(good, "d", "AQAB")), "", "private or secret key"},
		{"secret", set(good, map[string]any{"kty": "oct", "kid": "s", "k": "AQAB"}), "", "private or secret key"},
		{"short RSA", set(with(good, "n", good["n"].(string)[:170])), "", "bits, want 2048 to 8192"},
		{"huge RSA", set(with(good, "n", strings.Repeat("_", 1400))), "", "key 0"},
		{"exponent 3", set(with(good, "e", "Aw")), "", "exponent 3"},
		{"even exponent", set(with(good, "e", "AQAC")), "", "exponent 65538"},
		{"no modulus", set(with(good, "n", nil)), "", "key 0"},
		{"point off the curve", set(with(key(ecKey(), "e1"), "x", key(ecKey(), "e1")["y"])), "", "key 0"},
		{"short Ed25519", set(with(key(edKey(), "d1"), "x", "AQAB")), "", "key 0"},
		{"key as text", set("x"), "", "key 0"},
	} {
		k, err := ParseKeys([]byte(tt.document))
		if tt.says == "" {
			if err != nil || tt.ids != "" && strings.Join(k.IDs(), " ") != tt.ids {
				t.Errorf("%s: got %v, %v, want %s", tt.name, k.IDs(), err, tt.ids)
			}
			continue
		}
		if !errors.Is(err, ErrKeys) || k != nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, %v, want %v and %q", tt.name, k, err, ErrKeys, tt.says)
		}
	}
}

func TestSigner(t *testing.T) {
	t.Parallel()
	small := made(rsa.GenerateKey(rand.Reader, 1024))
	p384 := made(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	for _, tt := range []struct {
		name, id string
		key      crypto.Signer
	}{{"no kid", "", edKey()}, {"small", "1", small}, {"curve", "1", p384}} {
		if _, err := NewSigner(tt.id, tt.key); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
	c := right()
	c.Subject = strings.Repeat("x", 4096)
	if s, err := signer(t, "1", edKey()).Sign(c); err == nil {
		t.Errorf("a token of %d bytes", len(s))
	}
	if _, err := Document(signer(t, "1", edKey()), signer(t, "1", ecKey())); err == nil {
		t.Error("two keys of one kid: no error")
	}
}

func FuzzToken(f *testing.F) {
	keys := published(f)
	for id, k := range map[string]crypto.Signer{"r1": rsaKey(), "e1": ecKey(), "d1": edKey()} {
		c := right()
		c.Expires = now.Add(-time.Hour) // so that nothing is good unless it was forged
		token, err := signer(f, id, k).Sign(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		var typed *Error
		h, err := Peek(token)
		if err != nil && !errors.As(err, &typed) || (h == nil) == (err == nil) {
			t.Fatalf("peeked %v, %T %v", h, err, err)
		}
		c, err := policy.Verify(now, keys, token, "bob@partner.example")
		if err == nil || c != nil || !errors.As(err, &typed) {
			t.Fatalf("got %v, %T %v, want an *Error", c, err, err)
		}
	})
}

func FuzzKeys(f *testing.F) {
	b, err := Document(signer(f, "r1", rsaKey()), signer(f, "e1", ecKey()), signer(f, "d1", edKey()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeys(b)
		var typed *Error
		if err != nil && (!errors.As(err, &typed) || k != nil) {
			t.Fatalf("got %v, %T %v", k, err, err)
		}
		if err == nil && (len(k.IDs()) == 0 || len(k.IDs()) > MaxKeys) {
			t.Fatalf("%d keys", len(k.IDs()))
		}
	})
}
