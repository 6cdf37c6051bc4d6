package suite

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cloudflare/circl/dh/x25519"
	"github.com/cloudflare/circl/hpke"
	"pgregory.net/rapid"
)

// TestHPKEAgainstCircl exchanges messages and exported secrets with circl's HPKE,
// in both directions.
func TestHPKEAgainstCircl(t *testing.T) {
	t.Parallel()
	for _, id := range IDs() {
		t.Run(fmt.Sprint(id), func(t *testing.T) {
			t.Parallel()
			s, err := NewSeeded(id, testSeed, "hpke")
			if err != nil {
				t.Fatal(err)
			}
			exchanges := 5 // of the slow curves
			if registry[id].kem == kemX25519 {
				exchanges = 100
			}
			rng := rand.New(rand.NewPCG(1, uint64(id)))
			for range exchanges {
				exchangeWithCircl(t, s, rng)
			}
		})
	}
}

func exchangeWithCircl(t *testing.T, s Suite, rng *rand.Rand) {
	t.Helper()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	input := func() []byte {
		b := make([]byte, rng.IntN(200))
		_, err := s.Rand().Read(b)
		fatal(err)
		return b
	}
	info, aad, plaintext, context, n := input(), input(), input(), input(), rng.IntN(200)
	r := &registry[s.ID()]
	theirs, scheme := hpke.NewSuite(hpke.KEM(r.kem), hpke.KDF(r.hash), hpke.AEAD(r.aead)), hpke.KEM(r.kem).Scheme()
	pair := generate(t, s.GenerateKeyPair)
	public, err := scheme.UnmarshalBinaryPublicKey(pair.Public)
	fatal(err)
	private, err := scheme.UnmarshalBinaryPrivateKey(pair.Private)
	fatal(err)
	sender, err := theirs.NewSender(public, info)
	fatal(err)
	receiver, err := theirs.NewReceiver(private, info)
	fatal(err)

	enc, sealer, err := sender.Setup(s.Rand())
	fatal(err)
	ciphertext, err := sealer.Seal(plaintext, aad)
	fatal(err)
	if got, err := s.OpenBase(enc, pair.Private, info, aad, ciphertext); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("OpenBase = %x, %v, want %x", got, err, plaintext)
	}
	want := sealer.Export(context, uint(n))
	if got, err := s.ReceiveExportBase(enc, pair.Private, info, context, n); err != nil || !bytes.Equal(got, want) {
		t.Errorf("ReceiveExportBase = %x, %v, want %x", got, err, want)
	}

	enc, ciphertext, err = s.SealBase(pair.Public, info, aad, plaintext)
	fatal(err)
	opener, err := receiver.Setup(enc)
	fatal(err)
	if got, err := opener.Open(ciphertext, aad); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("circl opens what SealBase made as %x, %v, want %x", got, err, plaintext)
	}
	enc, secret, err := s.SendExportBase(pair.Public, info, context, n)
	fatal(err)
	opener, err = receiver.Setup(enc)
	fatal(err)
	if got := opener.Export(context, uint(n)); !bytes.Equal(got, secret) {
		t.Errorf("circl exports %x, SendExportBase %x", got, secret)
	}
}

// TestX25519Public compares with circl's multiplication.
func TestX25519Public(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	rapid.Check(t, func(t *rapid.T) {
		private := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "private")
		var want, key x25519.Key
		copy(key[:], private)
		x25519.KeyGen(&want, &key)
		if got, err := s.PublicKey(private); err != nil || !bytes.Equal(got, want[:]) {
			t.Errorf("public key of %x = %x, %v, want %x", private, got, err, want)
		}
	})
}

// TestHPKEAllocations is for the suites with X25519: the others allocate in their
// curves.
func TestHPKEAllocations(t *testing.T) {
	for _, id := range []ID{X25519AES128GCMSHA256Ed25519, X25519ChaCha20Poly1305SHA256Ed25519} {
		s, err := NewStd(id)
		if err != nil {
			t.Fatal(err)
		}
		pair := generate(t, s.GenerateKeyPair)
		info, aad, plaintext := make([]byte, 100), make([]byte, 50), make([]byte, 32)
		enc, ciphertext, err := s.SealBase(pair.Public, info, aad, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name string
			most float64
			run  func() error
		}{
			{"SealBase", 6, func() error { _, _, err := s.SealBase(pair.Public, info, aad, plaintext); return err }},
			{"OpenBase", 4, func() error { _, err := s.OpenBase(enc, pair.Private, info, aad, ciphertext); return err }},
			{"SendExportBase", 4, func() error { _, _, err := s.SendExportBase(pair.Public, info, aad, 32); return err }},
			{"ReceiveExportBase", 2, func() error { _, err := s.ReceiveExportBase(enc, pair.Private, info, aad, 32); return err }},
		} {
			got := testing.AllocsPerRun(100, func() {
				if err := c.run(); err != nil {
					t.Fatal(err)
				}
			})
			if got > c.most {
				t.Errorf("%v: %s allocates %v times, want at most %v", id, c.name, got, c.most)
			}
		}
	}
}
