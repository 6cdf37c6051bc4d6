package suite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

// provider is a way to make a suite.
type provider struct {
	name     string
	modelled bool // the right sizes, no security
	make     func(id ID, label string) (Suite, error)
}

var testSeed = [32]byte{1, 2, 3}

var providers = []provider{
	{"std", false, func(id ID, _ string) (Suite, error) { return NewStd(id) }},
	{"seeded", false, func(id ID, label string) (Suite, error) { return NewSeeded(id, testSeed, label) }},
	{"counting", false, func(id ID, label string) (Suite, error) {
		s, err := NewSeeded(id, testSeed, label)
		if err != nil {
			return nil, err
		}
		return NewCounting(s), nil
	}},
	{"sized", true, func(id ID, label string) (Suite, error) { return NewSized(id, testSeed, label, CostModel{}) }},
}

// TestConformance is what every provider owes its users, for every suite.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		for _, id := range IDs() {
			t.Run(fmt.Sprintf("%s/%d", p.name, id), func(t *testing.T) {
				t.Parallel()
				s, err := p.make(id, t.Name())
				if err != nil {
					t.Fatal(err)
				}
				if s.ID() != id {
					t.Fatalf("ID() = %v, want %v", s.ID(), id)
				}
				t.Run("rand", func(t *testing.T) { checkRand(t, s) })
				t.Run("hash", func(t *testing.T) { checkHash(t, s) })
				t.Run("aead", func(t *testing.T) { checkAEAD(t, s) })
				t.Run("keys", func(t *testing.T) { checkKeys(t, s) })
				t.Run("dh", func(t *testing.T) { checkDH(t, s) })
				t.Run("hpke", func(t *testing.T) { checkHPKE(t, s) })
				t.Run("sign", func(t *testing.T) { checkSign(t, s) })
			})
		}
		t.Run(p.name+"/unknown", func(t *testing.T) {
			t.Parallel()
			for _, id := range []ID{0, 8, 0xffff} {
				if s, err := p.make(id, ""); !errors.Is(err, ErrUnknown) {
					t.Errorf("suite %d: %v, %v, want ErrUnknown", id, s, err)
				}
			}
		})
	}
}

func checkRand(t *testing.T, s Suite) {
	t.Helper()
	a, b := make([]byte, 100), make([]byte, 100)
	if _, err := io.ReadFull(s.Rand(), a); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Rand().Read(b); n != len(b) || err != nil {
		t.Fatalf("Read of %d bytes = %d, %v", len(b), n, err)
	}
	if bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 100)) {
		t.Error("two reads of Rand are equal, or zero")
	}
}

func checkHash(t *testing.T, s Suite) {
	t.Helper()
	size := s.ID().Sizes().Hash
	prefix, data := []byte("dst"), []byte("data")
	prk := s.Extract(nil, data)
	outputs := map[string][]byte{
		"Hash":             s.Hash(nil, data),
		"Hash of nothing":  s.Hash(nil, nil),
		"HMAC":             s.HMAC(nil, []byte("key"), data),
		"HMAC, other key":  s.HMAC(nil, []byte("kez"), data),
		"HMAC, other data": s.HMAC(nil, []byte("key"), prefix),
		"Extract":          prk,
		"Extract, salted":  s.Extract([]byte("salt"), data),
		"Expand":           s.Expand(prk, data, size),
		"Expand, other":    s.Expand(prk, nil, size),
	}
	seen := map[string]string{}
	for name, out := range outputs {
		if len(out) != size {
			t.Errorf("%s has %d bytes, want %d", name, len(out), size)
		}
		if other, ok := seen[string(out)]; ok {
			t.Errorf("%s equals %s", name, other)
		}
		seen[string(out)] = name
	}
	if got := s.Hash(prefix, data); !bytes.Equal(got, append([]byte("dst"), outputs["Hash"]...)) {
		t.Errorf("Hash does not append to dst: %x", got)
	}
	if got := s.HMAC(prefix, []byte("key"), data); !bytes.Equal(got, append([]byte("dst"), outputs["HMAC"]...)) {
		t.Errorf("HMAC does not append to dst: %x", got)
	}
	long := s.Expand(prk, nil, 255*size)
	if len(long) != 255*size || !bytes.Equal(long[:7], s.Expand(prk, nil, 7)) || len(s.Expand(prk, nil, 0)) != 0 {
		t.Error("Expand: a shorter output is not the beginning of a longer one")
	}
	for _, n := range []int{-1, 255*size + 1} {
		if !panics(func() { s.Expand(prk, nil, n) }) {
			t.Errorf("Expand to %d bytes does not panic", n)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

func checkAEAD(t *testing.T, s Suite) {
	t.Helper()
	size := s.ID().Sizes()
	key, nonce := bytes.Repeat([]byte{7}, size.AEADKey), make([]byte, size.AEADNonce)
	aead, err := s.AEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	if aead.NonceSize() != size.AEADNonce || aead.Overhead() != size.AEADTag {
		t.Errorf("NonceSize, Overhead = %d, %d, want %d, %d", aead.NonceSize(), aead.Overhead(), size.AEADNonce, size.AEADTag)
	}
	for _, n := range []int{0, 1, 15, 16, 17, 1000} {
		plaintext, aad := bytes.Repeat([]byte("x"), n), []byte("aad")
		sealed := aead.Seal([]byte("dst"), nonce, plaintext, aad)
		if len(sealed) != 3+n+size.AEADTag || string(sealed[:3]) != "dst" {
			t.Fatalf("Seal of %d bytes gives %d, want %d behind dst", n, len(sealed), 3+n+size.AEADTag)
		}
		sealed = sealed[3:]
		if n >= 15 && bytes.Contains(sealed, plaintext) {
			t.Error("the ciphertext shows the plaintext")
		}
		opened, err := aead.Open([]byte("dst"), nonce, sealed, aad)
		if err != nil || !bytes.Equal(opened, append([]byte("dst"), plaintext...)) {
			t.Fatalf("Open = %q, %v", opened, err)
		}
		for i := range sealed {
			if _, err := aead.Open(nil, nonce, flip(sealed, i), aad); err == nil {
				t.Fatalf("Open accepts a ciphertext changed at byte %d of %d", i, len(sealed))
			}
		}
		other, err := s.AEAD(flip(key, 0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Open(nil, nonce, sealed, aad); err == nil {
			t.Error("Open accepts another key")
		}
		if _, err := aead.Open(nil, flip(nonce, 11), sealed, aad); err == nil {
			t.Error("Open accepts another nonce")
		}
		if _, err := aead.Open(nil, nonce, sealed, nil); err == nil {
			t.Error("Open accepts other associated data")
		}
		for _, cut := range []int{0, 15, len(sealed) - 1} {
			if _, err := aead.Open(nil, nonce, sealed[:cut], aad); err == nil {
				t.Errorf("Open accepts %d of %d bytes", cut, len(sealed))
			}
		}
		// In place, as crypto/cipher allows.
		inPlace := append(make([]byte, 0, n+size.AEADTag), plaintext...)
		inPlace = aead.Seal(inPlace[:0], nonce, inPlace, aad)
		if !bytes.Equal(inPlace, sealed) {
			t.Error("sealing in place gives another ciphertext")
		}
		if opened, err := aead.Open(inPlace[:0], nonce, inPlace, aad); err != nil || !bytes.Equal(opened, plaintext) {
			t.Errorf("opening in place = %q, %v", opened, err)
		}
	}
	for _, n := range []int{0, size.AEADKey - 1, size.AEADKey + 1} {
		if _, err := s.AEAD(make([]byte, n)); !errors.Is(err, ErrKey) {
			t.Errorf("AEAD with a key of %d bytes: %v, want ErrKey", n, err)
		}
	}
}

// flip returns b with one bit of byte i changed.
func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

func checkKeys(t *testing.T, s Suite) {
	t.Helper()
	size := s.ID().Sizes()
	families := []struct {
		name            string
		generate        func() (KeyPair, error)
		derive          func([]byte) (KeyPair, error)
		public          func(PrivateKey) ([]byte, error)
		privLen, pubLen int
	}{
		{"key pair", s.GenerateKeyPair, s.DeriveKeyPair, s.PublicKey, size.KEMPrivate, size.KEMPublic},
		{"signer", s.GenerateSigner, s.DeriveSigner, s.SignerPublicKey, size.SignPrivate, size.SignPublic},
	}
	for _, f := range families {
		a, err := f.generate()
		if err != nil {
			t.Fatal(err)
		}
		b, err := f.generate()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(a.Private, b.Private) || bytes.Equal(a.Public, b.Public) {
			t.Errorf("%s: two generated pairs are equal", f.name)
		}
		for _, ikm := range []int{size.KEMPrivate, size.Hash, 100} {
			c, err := f.derive(make([]byte, ikm))
			if err != nil {
				t.Fatal(err)
			}
			d, err := f.derive(make([]byte, ikm))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.Private, d.Private) || !bytes.Equal(c.Public, d.Public) {
				t.Errorf("%s: two pairs derived from the same %d bytes differ", f.name, ikm)
			}
			if e, err := f.derive(flip(make([]byte, ikm), 3)); err != nil || bytes.Equal(c.Public, e.Public) {
				t.Errorf("%s: pairs derived from different bytes are equal (%v)", f.name, err)
			}
			a = c
		}
		if len(b.Private) != f.privLen || len(b.Public) != f.pubLen {
			t.Errorf("%s: %d and %d bytes, want %d and %d", f.name, len(b.Private), len(b.Public), f.privLen, f.pubLen)
		}
		if public, err := f.public(b.Private); err != nil || !bytes.Equal(public, b.Public) {
			t.Errorf("%s: public key of the private key = %x, %v, want %x", f.name, public, err, b.Public)
		}
		for _, n := range []int{0, f.privLen - 1, f.privLen + 1} {
			if _, err := f.public(make([]byte, n)); !errors.Is(err, ErrKey) {
				t.Errorf("%s: private key of %d bytes: %v, want ErrKey", f.name, n, err)
			}
		}
	}
}

func generate(t *testing.T, f func() (KeyPair, error)) KeyPair {
	t.Helper()
	pair, err := f()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func checkDH(t *testing.T, s Suite) {
	t.Helper()
	size := s.ID().Sizes()
	a, b, c := generate(t, s.GenerateKeyPair), generate(t, s.GenerateKeyPair), generate(t, s.GenerateKeyPair)
	ab, err := s.DH(a.Private, b.Public)
	if err != nil || len(ab) != size.DH {
		t.Fatalf("DH = %d bytes, %v, want %d", len(ab), err, size.DH)
	}
	if ba, err := s.DH(b.Private, a.Public); err != nil || !bytes.Equal(ab, ba) {
		t.Errorf("DH differs between the two sides: %x, %x, %v", ab, ba, err)
	}
	if ac, err := s.DH(a.Private, c.Public); err != nil || bytes.Equal(ab, ac) {
		t.Errorf("DH with another key gives the same secret (%v)", err)
	}
	for _, n := range []int{0, size.KEMPublic - 1, size.KEMPublic, size.KEMPublic + 1} {
		if _, err := s.DH(a.Private, make([]byte, n)); !errors.Is(err, ErrKey) {
			t.Errorf("DH with %d zero bytes: %v, want ErrKey", n, err)
		}
	}
	if _, err := s.DH(a.Private[1:], b.Public); !errors.Is(err, ErrKey) {
		t.Errorf("DH with a short private key: %v, want ErrKey", err)
	}
}

func checkHPKE(t *testing.T, s Suite) {
	t.Helper()
	size := s.ID().Sizes()
	pair, other := generate(t, s.GenerateKeyPair), generate(t, s.GenerateKeyPair)
	info, aad, plaintext := []byte("info"), []byte("aad"), bytes.Repeat([]byte("plaintext"), 5)
	enc, ct, err := s.SealBase(pair.Public, info, aad, plaintext)
	if err != nil || len(enc) != size.KEMPublic || len(ct) != len(plaintext)+size.AEADTag {
		t.Fatalf("SealBase = %d, %d bytes, %v, want %d, %d", len(enc), len(ct), err, size.KEMPublic, len(plaintext)+size.AEADTag)
	}
	if enc2, ct2, err := s.SealBase(pair.Public, info, aad, plaintext); err != nil || bytes.Equal(enc, enc2) || bytes.Equal(ct, ct2) {
		t.Errorf("SealBase twice gives the same (%v)", err)
	}
	if got, err := s.OpenBase(enc, pair.Private, info, aad, ct); err != nil || !bytes.Equal(got, plaintext) {
		t.Fatalf("OpenBase = %q, %v, want %q", got, err, plaintext)
	}
	refused := []struct {
		name               string
		enc                []byte
		private            PrivateKey
		info, aad, ct      []byte
		exportRefused, key bool // whether ReceiveExportBase notices too; whether the error may be ErrKey
	}{
		{"other key", enc, other.Private, info, aad, ct, false, false},
		{"short key", enc, pair.Private[1:], info, aad, ct, true, true},
		{"other enc", flip(enc, size.KEMPublic-1), pair.Private, info, aad, ct, false, true},
		{"short enc", enc[1:], pair.Private, info, aad, ct, true, true},
		{"zero enc", make([]byte, len(enc)), pair.Private, info, aad, ct, true, true},
		{"other info", enc, pair.Private, aad, aad, ct, false, false},
		{"other aad", enc, pair.Private, info, info, ct, false, false},
		{"other ciphertext", enc, pair.Private, info, aad, flip(ct, 0), false, false},
		{"other tag", enc, pair.Private, info, aad, flip(ct, len(ct)-1), false, false},
		{"no ciphertext", enc, pair.Private, info, aad, nil, false, false},
	}
	for _, r := range refused {
		got, err := s.OpenBase(r.enc, r.private, r.info, r.aad, r.ct)
		if got != nil || !errors.Is(err, ErrOpen) && !(r.key && errors.Is(err, ErrKey)) {
			t.Errorf("%s: OpenBase = %x, %v, want an error", r.name, got, err)
		}
	}
	for _, n := range []int{0, size.KEMPublic - 1, size.KEMPublic} {
		if _, _, err := s.SealBase(make([]byte, n), info, aad, plaintext); !errors.Is(err, ErrKey) {
			t.Errorf("SealBase to %d zero bytes: %v, want ErrKey", n, err)
		}
	}

	enc, secret, err := s.SendExportBase(pair.Public, info, []byte("context"), size.Hash)
	if err != nil || len(enc) != size.KEMPublic || len(secret) != size.Hash {
		t.Fatalf("SendExportBase = %d, %d bytes, %v", len(enc), len(secret), err)
	}
	if got, err := s.ReceiveExportBase(enc, pair.Private, info, []byte("context"), size.Hash); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("ReceiveExportBase = %x, %v, want %x", got, err, secret)
	}
	if got, err := s.ReceiveExportBase(enc, pair.Private, info, []byte("other"), size.Hash); err != nil || bytes.Equal(got, secret) {
		t.Errorf("ReceiveExportBase in another context gives the same secret (%v)", err)
	}
	if got, err := s.ReceiveExportBase(enc, other.Private, info, []byte("context"), size.Hash); err == nil && bytes.Equal(got, secret) {
		t.Error("ReceiveExportBase with another key gives the same secret")
	}
	if !panics(func() { s.SendExportBase(pair.Public, nil, nil, 255*size.Hash+1) }) ||
		!panics(func() { s.ReceiveExportBase(enc, pair.Private, nil, nil, -1) }) {
		t.Error("an export of a forbidden length does not panic")
	}
}

func checkSign(t *testing.T, s Suite) {
	t.Helper()
	size := s.ID().Sizes()
	pair, other := generate(t, s.GenerateSigner), generate(t, s.GenerateSigner)
	message := []byte("message")
	sig, err := s.Sign(pair.Private, message)
	if err != nil || len(sig) > size.Signature || len(sig) < size.Signature-10 {
		t.Fatalf("Sign = %d bytes, %v, want about %d", len(sig), err, size.Signature)
	}
	if err := s.Verify(pair.Public, message, sig); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"other message":   s.Verify(pair.Public, message[1:], sig),
		"no message":      s.Verify(pair.Public, nil, sig),
		"other key":       s.Verify(other.Public, message, sig),
		"other signature": s.Verify(pair.Public, message, flip(sig, len(sig)/2)),
		"short signature": s.Verify(pair.Public, message, sig[:len(sig)-1]),
		"long signature":  s.Verify(pair.Public, message, append(bytes.Clone(sig), 0)),
		"no signature":    s.Verify(pair.Public, message, nil),
	} {
		if !errors.Is(err, ErrVerify) {
			t.Errorf("%s: Verify = %v, want ErrVerify", name, err)
		}
	}
	for _, n := range []int{0, size.SignPublic - 1, size.SignPublic + 1} {
		if err := s.Verify(make([]byte, n), message, sig); !errors.Is(err, ErrKey) {
			t.Errorf("Verify with a key of %d bytes: %v, want ErrKey", n, err)
		}
	}
	for _, n := range []int{0, size.SignPrivate - 1, size.SignPrivate + 1} {
		if _, err := s.Sign(make([]byte, n), message); !errors.Is(err, ErrKey) {
			t.Errorf("Sign with a key of %d bytes: %v, want ErrKey", n, err)
		}
	}
}

func TestPrivateKeyHides(t *testing.T) {
	t.Parallel()
	pair := KeyPair{Private: PrivateKey("secret")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		for _, x := range []any{pair, &pair, pair.Private} {
			got := fmt.Sprintf(verb, x)
			if !bytes.Contains([]byte(got), []byte("hidden")) {
				t.Errorf("Sprintf(%q, %T) = %q, want the key hidden", verb, x, got)
			}
		}
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	if got := P256AES128GCMSHA256P256.String(); got != "MLS_128_DHKEMP256_AES128GCM_SHA256_P256" {
		t.Errorf("String() = %q", got)
	}
	if got := ID(0x0a0a).String(); got != "cipher suite 0x0a0a" {
		t.Errorf("String() of an unknown suite = %q", got)
	}
	if got := ID(8).Sizes(); got != (Sizes{}) {
		t.Errorf("Sizes() of an unknown suite = %v", got)
	}
}
