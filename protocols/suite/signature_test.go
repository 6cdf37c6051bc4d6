package suite

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestEd25519LikeStdlib: what Verify accepts is what the standard library accepts,
// signature by signature, where implementations of RFC 8032 are known to differ:
// keys and R with a part of small order or of small order altogether, in all their
// encodings, and s beyond the group's order.
func TestEd25519LikeStdlib(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	accepted, refused := 0, 0
	check := func(what string, sig Signature) {
		t.Helper()
		want := ed25519.Verify(sig.Public, sig.Message, sig.Signature)
		for _, seen := range []string{"", " under a known key"} {
			if err := s.Verify(sig.Public, sig.Message, sig.Signature); (err == nil) != want {
				t.Errorf("%s%s: Verify = %v, want acceptance %v: %x", what, seen, err, want, sig)
			}
		}
		if want {
			accepted++
		} else {
			refused++
		}
	}
	torsion := smallOrder(t)
	for i, moveA := range torsion {
		for j, moveR := range torsion {
			check(fmt.Sprintf("A + %dT, R + %dT", i, j), forge(t, fmt.Append(nil, i, j), moveA, moveR))
		}
	}
	for R := range smallEncodings(t) {
		for A := range smallEncodings(t) {
			for message := range 8 { // k mod 8 decides about half of them
				sig := Signature{[]byte(A), []byte{byte(message)}, append([]byte(R), make([]byte, 32)...)}
				check(fmt.Sprintf("A = %x, R = %x", A, R), sig)
			}
		}
	}
	if accepted < 100 || refused < 100 {
		t.Errorf("%d accepted and %d refused, want many of both", accepted, refused)
	}
}

// TestEd25519Stdlib: keys and signatures are those of the standard library, byte for
// byte, and so are verdicts on signatures with a changed bit anywhere.
func TestEd25519Stdlib(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
		message := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "message")
		key := ed25519.NewKeyFromSeed(seed)
		want := ed25519.Sign(key, message)
		for name, private := range map[string]PrivateKey{"seed": seed, "seed and public key": PrivateKey(key)} {
			public, err := s.SignerPublicKey(private)
			if err != nil || !bytes.Equal(public, key[32:]) {
				t.Fatalf("%s: SignerPublicKey = %x, %v, want %x", name, public, err, key[32:])
			}
			if got, err := s.Sign(private, message); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: Sign = %x, %v, want %x", name, got, err, want)
			}
		}
		all := slices.Concat([]byte(key[32:]), want, message)
		bit := rapid.IntRange(-1, 8*len(all)-1).Draw(t, "bit")
		if bit >= 0 {
			all[bit/8] ^= 1 << (bit % 8)
		}
		public, signature, message := all[:32], all[32:96], all[96:]
		ok := ed25519.Verify(public, message, signature)
		if err := s.Verify(public, message, signature); (err == nil) != ok || ok != (bit < 0) {
			t.Fatalf("bit %d changed: Verify = %v, the standard library's says %v", bit, err, ok)
		}
	})
}
