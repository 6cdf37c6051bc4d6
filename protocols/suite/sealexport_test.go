package suite

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// TestSealExportBase: what is sealed and exported under one encapsulation is what
// the recipient opens and exports, with every provider and cipher suite.
func TestSealExportBase(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		for _, id := range IDs() {
			t.Run(fmt.Sprintf("%s/%d", p.name, id), func(t *testing.T) {
				t.Parallel()
				s, err := p.make(id, t.Name())
				if err != nil {
					t.Fatal(err)
				}
				pair := generate(t, s.GenerateKeyPair)
				info, aad, context := []byte("info"), []byte("aad"), []byte("context")
				enc, ciphertext, secret, err := SealExportBase(s, pair.Public, info, aad, []byte("plaintext"), context, 20)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := s.OpenBase(enc, pair.Private, info, aad, ciphertext); err != nil || string(got) != "plaintext" {
					t.Errorf("OpenBase = %q, %v, want %q", got, err, "plaintext")
				}
				if got, err := s.ReceiveExportBase(enc, pair.Private, info, context, 20); err != nil || !bytes.Equal(got, secret) {
					t.Errorf("ReceiveExportBase = %x, %v, want %x", got, err, secret)
				}
				if _, _, _, err := SealExportBase(s, pair.Public[1:], info, aad, nil, context, 20); !errors.Is(err, ErrKey) {
					t.Errorf("to a short public key: %v, want ErrKey", err)
				}
			})
		}
	}
}

// TestSealExportCounts: it counts as one of each.
func TestSealExportCounts(t *testing.T) {
	t.Parallel()
	s, err := NewStd(X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	c := NewCounting(s)
	pair := generate(t, c.GenerateKeyPair)
	before := c.Counts()
	if _, _, _, err := SealExportBase(c, pair.Public, nil, []byte("aad"), []byte("text"), nil, 20); err != nil {
		t.Fatal(err)
	}
	got := c.Counts().Sub(before)
	if got[OpHPKESeal] != (Count{1, 7}) || got[OpHPKESend] != (Count{1, 20}) {
		t.Errorf("seal counts %+v, send export %+v, want 1 of 7 bytes and 1 of 20", got[OpHPKESeal], got[OpHPKESend])
	}
}

// TestSealExportUnable: a suite of somebody else's that lacks the ability says so.
func TestSealExportUnable(t *testing.T) {
	t.Parallel()
	s, err := NewStd(X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := SealExportBase(plain{s}, nil, nil, nil, nil, nil, 0); err == nil {
		t.Error("no error from a suite without the ability")
	}
}
