package suite

import (
	"bytes"
	"errors"
	"testing"
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
