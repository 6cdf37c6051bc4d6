package vectorstest

import (
	"encoding/hex"
	"encoding/json"
	"testing"
)

// Hex is bytes that a vector gives in hexadecimal.
type Hex []byte

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// Cases returns the cases of a file that is a JSON array of them. It checks that
// there are as many as the file is known to have, so that a test does not pass for
// want of them.
func Cases[T any](t testing.TB, name string, want int) (cases []T) {
	t.Helper()
	if err := json.Unmarshal(Read(t, name), &cases); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(cases) != want {
		t.Fatalf("%s has %d cases, want %d", name, len(cases), want)
	}
	return cases
}

// CryptoBasics is a case of mls/crypto-basics.json, of which there is one for each
// cipher suite: the labelled functions of RFC 9420, Sections 5.1.2, 5.1.3, 5.2, 8
// and 9.
type CryptoBasics struct {
	Suite   uint16 `json:"cipher_suite"`
	RefHash struct {
		Label      string
		Value, Out Hex
	} `json:"ref_hash"`
	ExpandWithLabel struct {
		Secret, Context, Out Hex
		Label                string
		Length               int
	} `json:"expand_with_label"`
	DeriveSecret struct {
		Secret, Out Hex
		Label       string
	} `json:"derive_secret"`
	DeriveTreeSecret struct {
		Secret, Out Hex
		Label       string
		Generation  uint32
		Length      int
	} `json:"derive_tree_secret"`
	SignWithLabel struct {
		Priv, Pub, Content, Signature Hex
		Label                         string
	} `json:"sign_with_label"`
	EncryptWithLabel struct {
		Priv, Pub, Context, Plaintext, Ciphertext Hex
		KEMOutput                                 Hex `json:"kem_output"`
		Label                                     string
	} `json:"encrypt_with_label"`
}

// ReadCryptoBasics returns the cases of mls/crypto-basics.json.
func ReadCryptoBasics(t testing.TB) []CryptoBasics {
	t.Helper()
	return Cases[CryptoBasics](t, "mls/crypto-basics.json", 7)
}
