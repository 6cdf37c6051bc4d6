package suite

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// TestCryptoBasics builds the labelled structures by hand: the functions that do
// belong to whoever speaks MLS.
func TestCryptoBasics(t *testing.T) {
	t.Parallel()
	for _, c := range vectorstest.ReadCryptoBasics(t) {
		for _, p := range providers {
			if p.modelled {
				continue
			}
			t.Run(fmt.Sprintf("%d/%s", c.Suite, p.name), func(t *testing.T) {
				t.Parallel()
				s, err := p.make(ID(c.Suite), "")
				if err != nil {
					t.Fatal(err)
				}
				checkKDFBasics(t, s, &c)
				checkSignBasics(t, s, &c)
				checkEncryptBasics(t, s, &c)
			})
		}
	}
}

// structure encodes what fields writes.
func structure(t *testing.T, fields func(*wire.Writer)) []byte {
	t.Helper()
	w := wire.NewWriter(nil)
	fields(w)
	b, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// labelled is the structure of RFC 9420, Sections 5.1.2, 5.1.3 and 5.2: two
// opaque<V>, of which the first is a label.
func labelled(t *testing.T, label string, content []byte) []byte {
	t.Helper()
	return structure(t, func(w *wire.Writer) {
		w.OpaqueString(label)
		w.Opaque(content)
	})
}

// kdfLabel is the KDFLabel of RFC 9420, Section 8.
func kdfLabel(t *testing.T, length int, label string, context []byte) []byte {
	t.Helper()
	return structure(t, func(w *wire.Writer) {
		w.Uint16(uint16(length))
		w.OpaqueString("MLS 1.0 " + label)
		w.Opaque(context)
	})
}

func checkKDFBasics(t *testing.T, s Suite, c *vectorstest.CryptoBasics) {
	t.Helper()
	equal := func(name string, got, want []byte) {
		t.Helper()
		if !bytes.Equal(got, want) {
			t.Errorf("%s = %x, want %x", name, got, want)
		}
	}
	equal("RefHash", s.Hash(nil, labelled(t, c.RefHash.Label, c.RefHash.Value)), c.RefHash.Out)

	e := c.ExpandWithLabel
	n := e.Length
	equal("ExpandWithLabel", s.Expand(e.Secret, kdfLabel(t, n, e.Label, e.Context), n), e.Out)

	d := c.DeriveSecret
	n = s.ID().Sizes().Hash
	equal("DeriveSecret", s.Expand(d.Secret, kdfLabel(t, n, d.Label, nil), n), d.Out)

	d2 := c.DeriveTreeSecret
	n = d2.Length
	generation := structure(t, func(w *wire.Writer) { w.Uint32(d2.Generation) })
	equal("DeriveTreeSecret", s.Expand(d2.Secret, kdfLabel(t, n, d2.Label, generation), n), d2.Out)
}

func checkSignBasics(t *testing.T, s Suite, c *vectorstest.CryptoBasics) {
	t.Helper()
	v := c.SignWithLabel
	content := labelled(t, "MLS 1.0 "+v.Label, v.Content)
	if err := s.Verify(v.Pub, content, v.Signature); err != nil {
		t.Errorf("VerifyWithLabel: %v", err)
	}
	if err := s.Verify(v.Pub, labelled(t, v.Label, v.Content), v.Signature); err == nil {
		t.Error("VerifyWithLabel accepts another label")
	}
	sig, err := s.Sign(PrivateKey(v.Priv), content)
	if err != nil {
		t.Fatalf("SignWithLabel: %v", err)
	}
	if err := s.Verify(v.Pub, content, sig); err != nil {
		t.Errorf("VerifyWithLabel of our own signature: %v", err)
	}
	if public, err := s.SignerPublicKey(PrivateKey(v.Priv)); err != nil || !bytes.Equal(public, v.Pub) {
		t.Errorf("SignerPublicKey = %x, %v, want %x", public, err, v.Pub)
	}
}

func checkEncryptBasics(t *testing.T, s Suite, c *vectorstest.CryptoBasics) {
	t.Helper()
	v := c.EncryptWithLabel
	context := labelled(t, "MLS 1.0 "+v.Label, v.Context)
	got, err := s.OpenBase(v.KEMOutput, PrivateKey(v.Priv), context, nil, v.Ciphertext)
	if err != nil || !bytes.Equal(got, v.Plaintext) {
		t.Errorf("DecryptWithLabel = %x, %v, want %x", got, err, v.Plaintext)
	}
	enc, ct, err := s.SealBase(v.Pub, context, nil, v.Plaintext)
	if err != nil || len(enc) != len(v.KEMOutput) || len(ct) != len(v.Ciphertext) {
		t.Fatalf("EncryptWithLabel = %d, %d bytes, %v, want %d, %d", len(enc), len(ct), err, len(v.KEMOutput), len(v.Ciphertext))
	}
	if got, err := s.OpenBase(enc, PrivateKey(v.Priv), context, nil, ct); err != nil || !bytes.Equal(got, v.Plaintext) {
		t.Errorf("DecryptWithLabel of our own ciphertext = %x, %v, want %x", got, err, v.Plaintext)
	}
	if public, err := s.PublicKey(PrivateKey(v.Priv)); err != nil || !bytes.Equal(public, v.Pub) {
		t.Errorf("PublicKey = %x, %v, want %x", public, err, v.Pub)
	}
}
