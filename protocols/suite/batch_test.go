package suite

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"pgregory.net/rapid"
)

// straus is about how many signatures curve25519-voi verifies with one algorithm; for
// more it has another.
const straus = 95

// signatures makes n signatures with keys and messages of their own.
func signatures(t testing.TB, s Suite, n int) []Signature {
	t.Helper()
	batch := make([]Signature, n)
	for i := range batch {
		pair, err := s.DeriveSigner(fmt.Appendf(nil, "signer %d, whose key is of no importance", i))
		if err != nil {
			t.Fatal(err)
		}
		message := fmt.Append(nil, "message ", i)
		sig, err := s.Sign(pair.Private, message)
		if err != nil {
			t.Fatal(err)
		}
		batch[i] = Signature{pair.Public, message, sig}
	}
	return batch
}

// TestVerifyBatch: every provider and suite accepts a good batch and names the
// first bad signature of another, with Verify's error.
func TestVerifyBatch(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		for _, id := range IDs() {
			t.Run(fmt.Sprintf("%s/%d", p.name, id), func(t *testing.T) {
				t.Parallel()
				able, err := p.make(id, t.Name())
				if err != nil {
					t.Fatal(err)
				}
				good := signatures(t, able, batchMin+1)
				for _, s := range []Suite{able, plain{able}} {
					for _, n := range []int{0, 1, batchMin, batchMin + 1} {
						if bad, err := VerifyBatch(s, good[:n]); bad != -1 || err != nil {
							t.Errorf("%T: %d good signatures: %d, %v, want -1, nil", s, n, bad, err)
						}
						for i := 0; i < n; i += 3 {
							batch := slices.Clone(good[:n])
							batch[i].Message = []byte("other")
							batch[n-1].Message = []byte("other")
							want := fmt.Sprintf("signature %d of %d", i+1, n)
							if bad, err := VerifyBatch(s, batch); bad != i || !errors.Is(err, ErrVerify) || !strings.Contains(err.Error(), want) {
								t.Errorf("%T: with bad message %d: %d, %v, want %d, ErrVerify for %s", s, i, bad, err, i, want)
							}
							batch[i].Public = batch[i].Public[1:]
							if bad, err := VerifyBatch(s, batch); bad != i || !errors.Is(err, ErrKey) {
								t.Errorf("%T: with short key %d: %d, %v, want %d, ErrKey", s, i, bad, err, i)
							}
						}
					}
				}
			})
		}
	}
}

// TestVerifyBatchLarge: whichever way the sum is made, and over the bounds of
// parts, the first bad signature is found.
func TestVerifyBatchLarge(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	for _, n := range []int{batchMin - 1, batchMin, batchBlock + 1, straus, straus + 1, 3 * straus, batchMax + batchMin} {
		if n > batchMax && testing.Short() {
			continue
		}
		good := signatures(t, s, min(n, 300))
		batch := make([]Signature, n)
		for i := range batch {
			batch[i] = good[i%len(good)]
		}
		if bad, err := VerifyBatch(s, batch); bad != -1 || err != nil {
			t.Errorf("%d good signatures: %d, %v, want -1, nil", n, bad, err)
		}
		for _, first := range []int{0, n / 3, n - 1} {
			if n > batchMax && first < batchMax {
				continue
			}
			other := slices.Clone(batch)
			for _, i := range []int{first, n - 1} {
				other[i].Signature = flip(batch[i].Signature, 32) // s stays below the order
			}
			if bad, err := VerifyBatch(s, other); bad != first || !errors.Is(err, ErrVerify) {
				t.Errorf("%d signatures, %d bad: %d, %v, want %d, ErrVerify", n, first, bad, err, first)
			}
		}
	}
}

func newStdSuite(t testing.TB, id ID) *std {
	t.Helper()
	if err := id.check(); err != nil {
		t.Fatal(err)
	}
	return &std{id: id, rand: newStream(testSeed, t.Name())}
}

// TestVerifyBatchRandom compares with crypto/ed25519 on changed signatures. That a
// change meets the few that only one of the two accepts is not to be expected.
func TestVerifyBatchRandom(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	good := signatures(t, s, 120)
	rapid.Check(t, func(t *rapid.T) {
		batch := slices.Clone(good[:rapid.IntRange(0, len(good)).Draw(t, "n")])
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			if len(batch) == 0 {
				break
			}
			sig := &batch[rapid.IntRange(0, len(batch)-1).Draw(t, "which")]
			field := rapid.SampledFrom([]*[]byte{&sig.Public, &sig.Message, &sig.Signature}).Draw(t, "field")
			*field = bytes.Clone(*field)
			if n := len(*field); n > 0 && rapid.Bool().Draw(t, "flip") {
				(*field)[rapid.IntRange(0, n-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			} else {
				*field = (*field)[:rapid.IntRange(0, n).Draw(t, "length")]
			}
		}
		want := slices.IndexFunc(batch, func(b Signature) bool {
			return len(b.Public) != ed25519.PublicKeySize || !ed25519.Verify(b.Public, b.Message, b.Signature)
		})
		if got, err := VerifyBatch(s, batch); got != want || (err == nil) != (want < 0) {
			t.Errorf("VerifyBatch = %d, %v, want %d", got, err, want)
		}
	})
}

// TestVerifyBatchVectors holds RFC 8032, Section 7.1, TEST 1 to 3.
func TestVerifyBatchVectors(t *testing.T) {
	t.Parallel()
	var batch []Signature
	for _, v := range [][3]string{
		{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	} {
		batch = append(batch, Signature{unhexString(t, v[0]), unhexString(t, v[1]), unhexString(t, v[2])})
	}
	if got := newEd25519Batch(batch).firstBad(); got != -1 {
		t.Errorf("vector %d is refused", got)
	}
	for i := range batch {
		batch[i].Message = append(batch[i].Message, 0)
		if got := newEd25519Batch(batch).firstBad(); got != i {
			t.Errorf("first bad vector = %d, want %d", got, i)
		}
		batch[i].Message = batch[i].Message[:len(batch[i].Message)-1]
	}
}

// smallOrder returns the eight points of small order, in the order of a generator's
// multiples.
func smallOrder(t *testing.T) []*edwards25519.Point {
	t.Helper()
	// A point of order 8: L times some point, where L-1 is the largest scalar.
	p, err := new(edwards25519.Point).SetBytes(unhexString(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
	if err != nil {
		t.Fatal(err)
	}
	points := []*edwards25519.Point{edwards25519.NewIdentityPoint()}
	for range 7 {
		points = append(points, new(edwards25519.Point).Add(points[len(points)-1], p))
	}
	for i, q := range points[1:] {
		if q.Equal(points[0]) == 1 {
			t.Fatalf("multiple %d of the generator is 0", i+1)
		}
	}
	if new(edwards25519.Point).Add(points[7], p).Equal(points[0]) != 1 {
		t.Fatal("the generator is not of order 8")
	}
	return points
}

// smallEncodings returns every encoding of every point of small order, and whether it
// is the canonical one.
func smallEncodings(t *testing.T) map[string]bool {
	t.Helper()
	encodings := map[string]bool{}
	for _, p := range smallOrder(t) {
		encodings[string(p.Bytes())] = true
	}
	// y or y + p, with either sign.
	for _, y := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		for _, sign := range []byte{0, 0x80} {
			b := unhexString(t, y)
			b[31] |= sign
			encodings[string(b)] = encodings[string(b)]
		}
	}
	if len(encodings) != 14 {
		t.Fatalf("%d encodings, want the 8 canonical ones and 6 others", len(encodings))
	}
	return encodings
}

// forge makes a signature whose key and R have been moved by points of small
// order, as only the holder of the private key can.
func forge(t *testing.T, message []byte, moveA, moveR *edwards25519.Point) Signature {
	t.Helper()
	scalar := func(label string) *edwards25519.Scalar {
		h := sha512.Sum512(append([]byte(label), message...))
		s, err := new(edwards25519.Scalar).SetUniformBytes(h[:])
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, r := scalar("a"), scalar("r")
	public := new(edwards25519.Point).ScalarBaseMult(a)
	R := new(edwards25519.Point).ScalarBaseMult(r)
	A, Rb := public.Add(public, moveA).Bytes(), R.Add(R, moveR).Bytes()
	s := new(edwards25519.Scalar).MultiplyAdd(challenge(t, Rb, A, message), a, r)
	return Signature{A, message, append(Rb, s.Bytes()...)}
}

// challenge is k of RFC 8032, Section 5.1.7.
func challenge(t *testing.T, R, A, message []byte) *edwards25519.Scalar {
	t.Helper()
	h := sha512.Sum512(slices.Concat(R, A, message))
	k, err := new(edwards25519.Scalar).SetUniformBytes(h[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestVerifyBatchCofactor shows what a batch accepts and Verify refuses: errors of
// small order and nothing else. Batches of every size agree.
func TestVerifyBatchCofactor(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	good := signatures(t, s, straus)
	torsion := smallOrder(t)
	more := 0 // that the batch accepts
	for i, moveA := range torsion {
		for j, moveR := range torsion {
			sig := forge(t, fmt.Append(nil, i, j), moveA, moveR)
			// The error sB - R - kA is minus this.
			k := challenge(t, sig.Signature[:32], sig.Public, sig.Message).Bytes()[0] % 8
			strict := (j+int(k)*i)%8 == 0
			if err := s.Verify(sig.Public, sig.Message, sig.Signature); (err == nil) != strict {
				t.Fatalf("A + %dT, R + %dT: Verify = %v, want acceptance %v", i, j, err, strict)
			}
			if !strict {
				more++
			}
			for _, n := range []int{0, batchMin - 1, len(good)} {
				batch := slices.Insert(slices.Clone(good[:n]), n/2, sig)
				if bad, err := VerifyBatch(s, batch); bad != -1 || err != nil {
					t.Errorf("A + %dT, R + %dT in a batch of %d: %d, %v, want -1, nil", i, j, n+1, bad, err)
				}
				if n > batchMin && i != j {
					continue
				}
				batch[n/2].Message = []byte("other")
				if bad, err := VerifyBatch(s, batch); bad != n/2 || !errors.Is(err, ErrVerify) {
					t.Errorf("A + %dT, R + %dT, other message, in a batch of %d: %d, %v, want %d, ErrVerify", i, j, n+1, bad, err, n/2)
				}
			}
		}
	}
	if more < 50 {
		t.Errorf("Verify refuses %d of 64, want nearly all", more)
	}
	// Errors of small order do not hide one of large order, nor add up.
	batch := slices.Clone(good[:batchMin])
	for i := range batch {
		batch[i] = forge(t, fmt.Append(nil, i), torsion[4], torsion[1])
	}
	batch[2].Signature = flip(batch[2].Signature, 32)
	if bad, _ := VerifyBatch(s, batch); bad != 2 {
		t.Errorf("first bad = %d, want 2", bad)
	}
}

// TestVerifyBatchEncodings gives every encoding of every point of small order as R
// and as A, with s = 0. R in other than its canonical encoding is refused, as it is
// by Verify; A is not, as it is not by Verify.
func TestVerifyBatchEncodings(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	good := signatures(t, s, batchMin)
	encodings := smallEncodings(t)
	for R, canonicalR := range encodings {
		if got := canonical([32]byte([]byte(R))); got != canonicalR {
			t.Errorf("canonical(%x) = %v, want %v", R, got, canonicalR)
		}
		for A := range encodings {
			sig := Signature{[]byte(A), []byte("message"), append([]byte(R), make([]byte, 32)...)}
			strict := s.Verify(sig.Public, sig.Message, sig.Signature) == nil
			for n := range batchMin {
				bad, err := VerifyBatch(s, append(slices.Clone(good[:n]), sig))
				if (err == nil) != canonicalR || err != nil && bad != n {
					t.Errorf("A = %x, R = %x: %d, %v, want acceptance %v", A, R, bad, err, canonicalR)
				}
				if strict && err != nil {
					t.Errorf("A = %x, R = %x: Verify accepts what VerifyBatch refuses: %v", A, R, err)
				}
			}
		}
	}
}

// TestVerifyBatchMalleable: s + L is refused, though it is the same scalar.
func TestVerifyBatchMalleable(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	order := unhexString(t, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	for n := 1; n <= batchMin; n++ {
		batch := signatures(t, s, n)
		sig := bytes.Clone(batch[n-1].Signature)
		var carry uint64
		for i := 0; i < 32; i += 8 {
			a, b := binary.LittleEndian.Uint64(sig[32+i:]), binary.LittleEndian.Uint64(order[i:])
			sum := a + b + carry
			carry = (a&b | (a|b)&^sum) >> 63
			binary.LittleEndian.PutUint64(sig[32+i:], sum)
		}
		batch[n-1].Signature = sig
		if bad, err := VerifyBatch(s, batch); bad != n-1 || !errors.Is(err, ErrVerify) {
			t.Errorf("s + L as %d of %d: %d, %v, want %d, ErrVerify", n, n, bad, err, n-1)
		}
	}
}

// TestVerifyBatchAnywhere: what is found does not depend on the number of cores.
func TestVerifyBatchAnywhere(t *testing.T) {
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	good := signatures(t, s, 2*straus)
	bad := slices.Clone(good)
	bad[150].Message, bad[33].Message = nil, nil
	var first *ed25519Batch
	atProcs(t, func(t *testing.T) {
		if i, err := VerifyBatch(s, good); i != -1 || err != nil {
			t.Errorf("good batch: %d, %v", i, err)
		}
		if i, _ := VerifyBatch(s, bad); i != 33 {
			t.Errorf("first bad = %d, want 33", i)
		}
		b := newEd25519Batch(good)
		if first == nil {
			first = b
		}
		for i := range b.r {
			if b.r[i].scalar != first.r[i].scalar {
				t.Fatalf("coefficient %d differs from that on one core", i)
			}
		}
	})
}

// TestVerifyBatchCoefficients: they depend on every part of every signature, and
// no two are equal.
func TestVerifyBatchCoefficients(t *testing.T) {
	t.Parallel()
	s := newStdSuite(t, X25519AES128GCMSHA256Ed25519)
	good := signatures(t, s, 5)
	seen := map[[32]byte]string{}
	collect := func(name string, batch []Signature) {
		b := newEd25519Batch(batch)
		for i := range b.r {
			if b.bad[i] {
				continue
			}
			z := b.r[i].scalar
			if other, ok := seen[z]; ok || z == [32]byte{} {
				t.Errorf("coefficient %d of %s is that of %s", i, name, other)
			}
			seen[z] = name
		}
	}
	collect("the batch", good)
	for i := range good {
		for name, change := range map[string]func(*Signature){
			"message": func(s *Signature) { s.Message = flip(s.Message, 0) },
			"s":       func(s *Signature) { s.Signature = flip(s.Signature, 32) },
			"key":     func(s *Signature) { s.Public = good[(i+1)%5].Public },
			"R":       func(s *Signature) { s.Signature = slices.Concat(good[(i+1)%5].Signature[:32], s.Signature[32:]) },
		} {
			batch := slices.Clone(good)
			change(&batch[i])
			collect(fmt.Sprintf("one with another %s %d", name, i), batch)
		}
	}
	collect("a shorter one", good[:4])
}

// TestCountingVerifyBatch: what is verified together counts as such.
func TestCountingVerifyBatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id   ID
		n    int
		want string
	}{
		{X25519AES128GCMSHA256Ed25519, 0, ""},
		{X25519AES128GCMSHA256Ed25519, batchMin - 1, "verify 2 (18 B)"},
		{X25519AES128GCMSHA256Ed25519, batchMin, "verify-batch 1, verify-batched 3 (27 B)"},
		{P256AES128GCMSHA256P256, batchMin, "verify 3 (27 B)"},
		{X448AES256GCMSHA512Ed448, batchMin, "verify 3 (27 B)"},
	} {
		for name, s := range map[string]Suite{"real": newStdSuite(t, tt.id), "sized": newSized(t, tt.id, "")} {
			c := NewCounting(s)
			if bad, err := VerifyBatch(c, signatures(t, s, tt.n)); bad != -1 || err != nil {
				t.Fatal(bad, err)
			}
			if got := c.Counts().String(); got != tt.want {
				t.Errorf("%s, %v: %d signatures count as %q, want %q", name, tt.id, tt.n, got, tt.want)
			}
		}
	}
}
