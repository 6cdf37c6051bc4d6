package suite

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// FuzzInputs gives what may come from the network to everything that takes it: no
// panic, no result with an error, and errors of the documented kinds.
func FuzzInputs(f *testing.F) {
	for _, id := range IDs() {
		s, err := NewSeeded(id, testSeed, "fuzz")
		if err != nil {
			f.Fatal(err)
		}
		pair, err := s.GenerateKeyPair()
		if err != nil {
			f.Fatal(err)
		}
		signer, err := s.GenerateSigner()
		if err != nil {
			f.Fatal(err)
		}
		sig, err := s.Sign(signer.Private, []byte("message"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint16(id), pair.Public, []byte(pair.Private), sig)
		f.Add(uint16(id), signer.Public, []byte(signer.Private), sig)
		f.Add(uint16(id), make([]byte, len(pair.Public)), make([]byte, len(pair.Private)), []byte{})
	}
	f.Fuzz(func(t *testing.T, number uint16, public, private, data []byte) {
		id := ID((uint32(number)+6)%7 + 1) // any number is a suite, and a suite is its own
		seeded, err := NewSeeded(id, testSeed, "fuzz")
		if err != nil {
			t.Fatal(err)
		}
		sized, err := NewSized(id, testSeed, "fuzz", CostModel{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []Suite{seeded, sized} {
			check := func(name string, out []byte, err error, kinds ...error) {
				t.Helper()
				if err == nil {
					return
				}
				if out != nil {
					t.Errorf("%s: %x with the error %v", name, out, err)
				}
				for _, kind := range kinds {
					if errors.Is(err, kind) {
						return
					}
				}
				t.Errorf("%s: undocumented error %v", name, err)
			}
			out, err := s.PublicKey(private)
			check("PublicKey", out, err, ErrKey)
			out, err = s.DH(private, public)
			check("DH", out, err, ErrKey)
			out, err = s.OpenBase(public, private, data, data, data)
			check("OpenBase", out, err, ErrKey, ErrOpen)
			out, err = s.ReceiveExportBase(public, private, data, data, 16)
			check("ReceiveExportBase", out, err, ErrKey)
			enc, out, err := s.SealBase(public, data, data, data)
			check("SealBase", out, err, ErrKey)
			check("SealBase", enc, err, ErrKey)
			out, err = s.SignerPublicKey(private)
			check("SignerPublicKey", out, err, ErrKey)
			check("Verify", nil, s.Verify(public, data, data), ErrKey, ErrVerify)

			// What is a private key here works as one.
			if own, err := s.PublicKey(private); err == nil {
				enc, ct, err := s.SealBase(own, nil, nil, data)
				if err != nil {
					t.Fatalf("%v: SealBase to the public key of a private key: %v", id, err)
				}
				if got, err := s.OpenBase(enc, private, nil, nil, ct); err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%v: OpenBase = %x, %v, want %x", id, got, err, data)
				}
			}
		}
	})
}

// FuzzVerifyBatch hides a signature that may be anything among good ones: what
// Verify accepts is accepted, and else an error of small order alone.
func FuzzVerifyBatch(f *testing.F) {
	s := newStdSuite(f, X25519AES128GCMSHA256Ed25519)
	good := signatures(f, s, straus+1)
	f.Add(good[0].Public, good[0].Message, good[0].Signature, uint8(0))
	f.Add(good[0].Public, good[0].Message, flip(good[0].Signature, 40), uint8(3))
	f.Add(make([]byte, 32), []byte{}, make([]byte, 64), uint8(straus))
	f.Fuzz(func(t *testing.T, public, message, signature []byte, n uint8) {
		at := int(n) % len(good)
		batch := slices.Clone(good[:at+1])
		batch[at] = Signature{public, message, signature}
		strict := s.Verify(public, message, signature)
		bad, err := VerifyBatch(s, batch)
		switch {
		case err != nil && (bad != at || !errors.Is(err, ErrKey) && !errors.Is(err, ErrVerify)):
			t.Errorf("VerifyBatch = %d, %v, want %d, ErrKey or ErrVerify", bad, err, at)
		case err != nil && strict == nil:
			t.Errorf("VerifyBatch = %d, %v, but Verify accepts", bad, err)
		case err == nil && strict != nil:
			// The error sB - R - kA, by other functions than the batch's.
			A, errA := new(edwards25519.Point).SetBytes(public)
			R, errR := new(edwards25519.Point).SetBytes(signature[:32])
			sc, errS := new(edwards25519.Scalar).SetCanonicalBytes(signature[32:])
			if errA != nil || errR != nil || errS != nil {
				t.Fatalf("accepted: %v, %v, %v", errA, errR, errS)
			}
			k := challenge(t, signature[:32], public, message)
			e := new(edwards25519.Point).ScalarBaseMult(sc)
			e.Subtract(e, R).Subtract(e, A.ScalarMult(k, A))
			if !bytes.Equal(R.Bytes(), signature[:32]) || e.MultByCofactor(e).Equal(edwards25519.NewIdentityPoint()) != 1 {
				t.Errorf("accepted with an error of large order")
			}
		}
	})
}
