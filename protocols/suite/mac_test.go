package suite

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"testing"

	"pgregory.net/rapid"
)

// macHashes holds a suite per hash.
var macHashes = []struct {
	name string
	id   ID
	hash func() hash.Hash
}{
	{"SHA-256", X25519AES128GCMSHA256Ed25519, sha256.New},
	{"SHA-384", P384AES256GCMSHA384P384, sha512.New384},
	{"SHA-512", P521AES256GCMSHA512P521, sha512.New},
}

// TestMAC compares with the standard library on keys shorter and longer than a
// block and on outputs of several blocks.
func TestMAC(t *testing.T) {
	t.Parallel()
	for _, tt := range macHashes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := NewStd(tt.id)
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				input := rapid.SliceOfN(rapid.Byte(), 0, 300)
				key, data, dst := input.Draw(t, "key"), input.Draw(t, "data"), input.Draw(t, "dst")
				size := s.ID().Sizes().Hash
				n := rapid.IntRange(0, 255*size).Draw(t, "n")

				want := hmac.New(tt.hash, key)
				want.Write(data)
				if got := s.HMAC(bytes.Clone(dst), key, data); !bytes.Equal(got, want.Sum(dst)) {
					t.Errorf("HMAC = %x, want %x", got, want.Sum(dst))
				}
				prk, err := hkdf.Extract(tt.hash, data, key)
				if err != nil {
					t.Fatal(err)
				}
				if got := s.Extract(key, data); !bytes.Equal(got, prk) {
					t.Errorf("Extract = %x, want %x", got, prk)
				}
				okm, err := hkdf.Expand(tt.hash, key, string(data), n)
				if err != nil {
					t.Fatal(err)
				}
				if got := s.Expand(key, data, n); !bytes.Equal(got, okm) {
					t.Errorf("Expand to %d bytes = %x, want %x", n, got, okm)
				}
			})
		})
	}
}

// TestMACAllocations: these run thousands of times per operation of a group.
func TestMACAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs with -short, allocates too")
	}
	for _, tt := range macHashes {
		s, err := NewStd(tt.id)
		if err != nil {
			t.Fatal(err)
		}
		key, data, dst := make([]byte, 64), make([]byte, 100), make([]byte, 0, 64)
		for _, c := range []struct {
			name string
			most float64
			run  func()
		}{
			{"HMAC", 0, func() { s.HMAC(dst, key, data) }},
			{"Extract", 1, func() { s.Extract(key, data) }},
			{"Expand", 1, func() { s.Expand(key, data, 32) }},
			{"Expand, long", 1, func() { s.Expand(key, data, 1000) }},
		} {
			if got := testing.AllocsPerRun(1000, c.run); got > c.most {
				t.Errorf("%s with %s allocates %v times, want at most %v", c.name, tt.name, got, c.most)
			}
		}
	}
}

// TestMACWipes: an idle mac knows nothing of what it was used for.
func TestMACWipes(t *testing.T) {
	t.Parallel()
	m := &mac{h: sha256.New().(resumable), block: sha256.BlockSize}
	m.expand(nil, []byte("key"), nil, nil, 100)
	m.labeledExtract(m.secret[:0], nil, "", "label", nil)
	m.wipe()
	if *m != (mac{h: m.h, block: m.block}) {
		t.Errorf("a wiped mac holds %x", *m)
	}
}
