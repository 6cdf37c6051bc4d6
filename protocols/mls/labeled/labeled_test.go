package labeled

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

func TestCryptoBasicsVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectorstest.ReadCryptoBasics(t) {
		id := suite.ID(v.Suite)
		t.Run(id.String(), func(t *testing.T) {
			t.Parallel()
			s, err := suite.NewSeeded(id, [32]byte{}, "labeled")
			if err != nil {
				t.Fatal(err)
			}
			equal := func(what string, got, want []byte) {
				t.Helper()
				if !bytes.Equal(got, want) {
					t.Errorf("%s = %x, want %x", what, got, want)
				}
			}
			equal("RefHash", RefHash(s, nil, v.RefHash.Label, v.RefHash.Value), v.RefHash.Out)
			x := v.ExpandWithLabel
			equal("Expand", Expand(s, x.Secret, x.Label, x.Context, x.Length), x.Out)
			equal("DeriveSecret", DeriveSecret(s, v.DeriveSecret.Secret, v.DeriveSecret.Label), v.DeriveSecret.Out)
			d := v.DeriveTreeSecret
			equal("DeriveTreeSecret", DeriveTreeSecret(s, d.Secret, d.Label, d.Generation, d.Length), d.Out)

			g := v.SignWithLabel
			if err := Verify(s, g.Pub, g.Label, g.Content, g.Signature); err != nil {
				t.Errorf("Verify = %v", err)
			}
			signature, err := Sign(s, suite.PrivateKey(g.Priv), g.Label, g.Content)
			if err != nil {
				t.Fatal(err)
			}
			if err := Verify(s, g.Pub, g.Label, g.Content, signature); err != nil {
				t.Errorf("Verify of what Sign made = %v", err)
			}
			if err := Verify(s, g.Pub, g.Label+"2", g.Content, signature); !errors.Is(err, suite.ErrVerify) {
				t.Errorf("Verify under another label = %v, want %v", err, suite.ErrVerify)
			}

			e := v.EncryptWithLabel
			plaintext, err := Decrypt(s, suite.PrivateKey(e.Priv), e.Label, e.Context, e.KEMOutput, e.Ciphertext)
			if err != nil {
				t.Fatal(err)
			}
			equal("Decrypt", plaintext, e.Plaintext)
			kemOutput, ciphertext, err := Encrypt(s, e.Pub, e.Label, e.Context, e.Plaintext)
			if err != nil {
				t.Fatal(err)
			}
			plaintext, err = Decrypt(s, suite.PrivateKey(e.Priv), e.Label, e.Context, kemOutput, ciphertext)
			if err != nil {
				t.Fatal(err)
			}
			equal("Decrypt of what Encrypt made", plaintext, e.Plaintext)
			if _, err := Decrypt(s, suite.PrivateKey(e.Priv), e.Label, nil, kemOutput, ciphertext); !errors.Is(err, suite.ErrOpen) {
				t.Errorf("Decrypt in another context = %v, want %v", err, suite.ErrOpen)
			}
		})
	}
}

// TestLayout: the structs of RFC 9420, Sections 5.1.2 and 5.1.3, octet by octet.
func TestLayout(t *testing.T) {
	t.Parallel()
	want := "\x09MLS 1.0 x\x03abc"
	if got := SignContent([]byte("before"), "x", []byte("abc")); string(got) != "before"+want {
		t.Errorf("SignContent = %q, want %q", got, "before"+want)
	}
	if got := EncryptContext(nil, "x", []byte("abc")); string(got) != want {
		t.Errorf("EncryptContext = %q, want %q", got, want)
	}
}
