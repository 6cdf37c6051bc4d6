package labeled

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type basics struct {
	Suite   suite.ID `json:"cipher_suite"`
	RefHash struct {
		Label      string
		Value, Out hexBytes
	} `json:"ref_hash"`
	Expand struct {
		Secret, Context, Out hexBytes
		Label                string
		Length               int
	} `json:"expand_with_label"`
	DeriveSecret struct {
		Secret, Out hexBytes
		Label       string
	} `json:"derive_secret"`
	DeriveTreeSecret struct {
		Secret, Out hexBytes
		Label       string
		Generation  uint32
		Length      int
	} `json:"derive_tree_secret"`
	Sign struct {
		Priv, Pub, Content, Signature hexBytes
		Label                         string
	} `json:"sign_with_label"`
	Encrypt struct {
		Priv, Pub, Context, Plaintext, Ciphertext hexBytes
		KEMOutput                                 hexBytes `json:"kem_output"`
		Label                                     string
	} `json:"encrypt_with_label"`
}

func TestCryptoBasicsVectors(t *testing.T) {
	t.Parallel()
	var cases []basics
	if err := json.Unmarshal(vectorstest.Read(t, "mls/crypto-basics.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != len(suite.IDs()) {
		t.Fatalf("%d cases, want one per suite", len(cases))
	}
	for _, v := range cases {
		t.Run(v.Suite.String(), func(t *testing.T) {
			t.Parallel()
			s, err := suite.NewSeeded(v.Suite, [32]byte{}, "labeled")
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
			equal("Expand", Expand(s, v.Expand.Secret, v.Expand.Label, v.Expand.Context, v.Expand.Length), v.Expand.Out)
			equal("DeriveSecret", DeriveSecret(s, v.DeriveSecret.Secret, v.DeriveSecret.Label), v.DeriveSecret.Out)
			d := v.DeriveTreeSecret
			equal("DeriveTreeSecret", DeriveTreeSecret(s, d.Secret, d.Label, d.Generation, d.Length), d.Out)

			g := v.Sign
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

			e := v.Encrypt
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
