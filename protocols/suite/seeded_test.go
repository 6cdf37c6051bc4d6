package suite

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"
)

// transcript is everything that a suite puts out in one course of operations that
// draws for every kind of output.
func transcript(t *testing.T, s Suite) []byte {
	t.Helper()
	var b bytes.Buffer
	random := make([]byte, 50)
	if _, err := io.ReadFull(s.Rand(), random); err != nil {
		t.Fatal(err)
	}
	pair, signer := generate(t, s.GenerateKeyPair), generate(t, s.GenerateSigner)
	enc, ct, err := s.SealBase(pair.Public, []byte("info"), []byte("aad"), []byte("plaintext"))
	if err != nil {
		t.Fatal(err)
	}
	exportEnc, secret, err := s.SendExportBase(pair.Public, nil, []byte("context"), 20)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign(signer.Private, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Sign(signer.Private, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range [][]byte{random, pair.Private, pair.Public, signer.Private, signer.Public, enc, ct, exportEnc, secret, sig, again} {
		fmt.Fprintf(&b, "%d:%x\n", len(out), out)
	}
	return b.Bytes()
}

// TestSeededReplays pins the outputs: a change of any of them makes recorded runs
// irreproducible and must be one on purpose.
func TestSeededReplays(t *testing.T) {
	t.Parallel()
	pinned := map[ID]string{
		1: "2defbfc36e6804bd4a56ddbd056a41bcb57dc56d62d88adf868ed7c37b03c288",
		2: "cd4026cde059e9d7270e4ead534fc133e9d3c661074f83047ba6a6e771dec7ff",
		3: "1fb831ecdf552bb4eb517968281cf43220ae5a44fa7c5cb7cac0c9a91c453dfc",
		4: "f75cffc7ab39a1af013e54a262d04a261aa31985acc6f043a921337df44f1d00",
		5: "1b3872a8172e78d141862037df4a2ee86257fed83d48e7b3c5755db5922cb8ef",
		6: "272d53766b0a47b385bafc3dde36df45f8ea50ec8c9db117e3807f60c6c4a8e9",
		7: "cf007f7edd2af089c927c9b225e1ebdc326eb1772ded0cd4bc920d1ea990e275",
	}
	for _, id := range IDs() {
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			make := func(seed byte, label string) []byte {
				s, err := NewSeeded(id, [32]byte{seed}, label)
				if err != nil {
					t.Fatal(err)
				}
				return transcript(t, s)
			}
			first := make(1, "a")
			if !bytes.Equal(first, make(1, "a")) {
				t.Error("the same seed and label give different outputs")
			}
			if bytes.Equal(first, make(2, "a")) {
				t.Error("different seeds give the same outputs")
			}
			if bytes.Equal(first, make(1, "b")) {
				t.Error("different labels give the same outputs")
			}
			if got := fmt.Sprintf("%x", sha256.Sum256(first)); got != pinned[id] {
				t.Errorf("SHA-256 of the outputs = %s, want %s", got, pinned[id])
			}
		})
	}
}

// TestSeededStream: the stream does not depend on how it is cut into reads.
func TestSeededStream(t *testing.T) {
	t.Parallel()
	whole, parts := make([]byte, 1000), make([]byte, 0, 1000)
	if _, err := io.ReadFull(newStream(testSeed, "x"), whole); err != nil {
		t.Fatal(err)
	}
	s := newStream(testSeed, "x")
	for n := 0; len(parts) < 1000; n++ {
		b := make([]byte, min(n%13, 1000-len(parts)))
		if _, err := s.Read(b); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, b...)
	}
	if !bytes.Equal(whole, parts) {
		t.Error("reads of other lengths give other bytes")
	}
}
