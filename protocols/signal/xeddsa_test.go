package signal

import (
	"crypto/ecdh"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"filippo.io/edwards25519"
)

func TestSignVerify(t *testing.T) {
	t.Parallel()
	source := rand.NewChaCha8([32]byte{1})
	negated := 0
	for i := range 32 {
		var private [32]byte
		source.Read(private[:])
		k, err := ecdh.X25519().NewPrivateKey(private[:])
		if err != nil {
			t.Fatal(err)
		}
		public := [32]byte(k.PublicKey().Bytes())
		message := make([]byte, i)
		source.Read(message)
		signature, err := Sign(source, &private, message)
		if err != nil {
			t.Fatal(err)
		}
		if !Verify(&public, message, &signature) {
			t.Fatalf("key %x: signature %x does not verify", private, signature)
		}
		if signature[63]&0x80 != 0 {
			t.Errorf("key %x: the signature's top bit is set", private)
		}
		plain, err := new(edwards25519.Scalar).SetBytesWithClamping(private[:])
		if err != nil {
			t.Fatal(err)
		}
		if a, _ := signingPair(&private); a.Equal(plain) == 0 {
			negated++
		}
		if i > 1 {
			continue
		}
		for bit := range 8 * SignatureSize {
			forged := signature
			forged[bit/8] ^= 1 << (bit % 8)
			if Verify(&public, message, &forged) {
				t.Errorf("signature with bit %d flipped verifies", bit)
			}
		}
		if Verify(&public, append(message, 0), &signature) {
			t.Error("signature of another message verifies")
		}
		public[0] ^= 1
		if Verify(&public, message, &signature) {
			t.Error("signature under another key verifies")
		}
	}
	if negated == 0 || negated == 32 {
		t.Errorf("%d of 32 keys had to be negated", negated)
	}
}

// TestVerifyRefusesOtherSpellings: a key with the top bit set means the same to
// X25519, but it is not the key that was signed with.
func TestVerifyRefusesOtherSpellings(t *testing.T) {
	t.Parallel()
	source := rand.NewChaCha8([32]byte{2})
	private := [32]byte{1}
	k, err := ecdh.X25519().NewPrivateKey(private[:])
	if err != nil {
		t.Fatal(err)
	}
	public := [32]byte(k.PublicKey().Bytes())
	signature, err := Sign(source, &private, nil)
	if err != nil || !Verify(&public, nil, &signature) {
		t.Fatal("does not verify", err)
	}
	public[31] |= 0x80
	if Verify(&public, nil, &signature) {
		t.Error("verifies under a key with the top bit set")
	}
}

func TestSignWithoutRandomness(t *testing.T) {
	t.Parallel()
	var private [32]byte
	if _, err := Sign(iotest.ErrReader(io.ErrUnexpectedEOF), &private, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
}

func BenchmarkSign(b *testing.B) {
	source := rand.NewChaCha8([32]byte{1})
	private, message := [32]byte{1}, make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Sign(source, &private, message); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	source := rand.NewChaCha8([32]byte{1})
	private, message := [32]byte{1}, make([]byte, 1024)
	k, err := ecdh.X25519().NewPrivateKey(private[:])
	if err != nil {
		b.Fatal(err)
	}
	public := [32]byte(k.PublicKey().Bytes())
	signature, err := Sign(source, &private, message)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !Verify(&public, message, &signature) {
			b.Fatal("does not verify")
		}
	}
}
