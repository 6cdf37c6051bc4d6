package schedule

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// each runs a subtest per case in a seeded suite.
func each[T any](t *testing.T, cases []T, id func(T) suite.ID, run func(t *testing.T, s suite.Suite, v T)) {
	for i, v := range cases {
		t.Run(fmt.Sprintf("%v/%d", id(v), i), func(t *testing.T) {
			t.Parallel()
			run(t, seeded(t, id(v)), v)
		})
	}
}

// seeded returns a suite whose randomness the name of the test determines.
func seeded(t testing.TB, id suite.ID) suite.Suite {
	t.Helper()
	s, err := suite.NewSeeded(id, [32]byte{1}, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// equal reports a value that differs.
func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s = %x, want %x", what, got, want)
	}
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func marshal(t testing.TB, m wire.Marshaler) []byte {
	t.Helper()
	b, err := wire.Marshal(m)
	noError(t, err)
	return b
}

type secretTreeVector struct {
	Suite      suite.ID `json:"cipher_suite"`
	SenderData struct {
		Secret     vectorstest.Hex `json:"sender_data_secret"`
		Ciphertext vectorstest.Hex `json:"ciphertext"`
		Key        vectorstest.Hex `json:"key"`
		Nonce      vectorstest.Hex `json:"nonce"`
	} `json:"sender_data"`
	EncryptionSecret vectorstest.Hex `json:"encryption_secret"`
	Leaves           [][]struct {
		Generation       uint32          `json:"generation"`
		HandshakeKey     vectorstest.Hex `json:"handshake_key"`
		HandshakeNonce   vectorstest.Hex `json:"handshake_nonce"`
		ApplicationKey   vectorstest.Hex `json:"application_key"`
		ApplicationNonce vectorstest.Hex `json:"application_nonce"`
	} `json:"leaves"`
}

// TestSecretTreeVectors asks for every key of the vectors: by Peek alone, by Peek
// and Consume, from the last leaf to the first, and after storing the state.
func TestSecretTreeVectors(t *testing.T) {
	t.Parallel()
	cases := vectorstest.Cases[secretTreeVector](t, "mls/secret-tree.json", 21)
	each(t, cases, func(v secretTreeVector) suite.ID { return v.Suite }, func(t *testing.T, s suite.Suite, v secretTreeVector) {
		key, nonce := SenderDataKey(s, v.SenderData.Secret, v.SenderData.Ciphertext)
		equal(t, "sender_data_key", key, v.SenderData.Key)
		equal(t, "sender_data_nonce", nonce, v.SenderData.Nonce)

		peeked := NewSecretTree(s, v.EncryptionSecret, uint32(len(v.Leaves)), Limits{})
		consumed := NewSecretTree(s, v.EncryptionSecret, uint32(len(v.Leaves)), Limits{})
		for leaf := range v.Leaves {
			for _, g := range v.Leaves[leaf] {
				for _, tree := range []*SecretTree{peeked, consumed} {
					for r, want := range [][2]vectorstest.Hex{Handshake: {g.HandshakeKey, g.HandshakeNonce}, Application: {g.ApplicationKey, g.ApplicationNonce}} {
						k, err := tree.Peek(uint32(leaf), Ratchet(r), g.Generation)
						noError(t, err)
						equal(t, fmt.Sprintf("%v key of leaf %d, generation %d", Ratchet(r), leaf, g.Generation), k.Key, want[0])
						equal(t, fmt.Sprintf("%v nonce of leaf %d, generation %d", Ratchet(r), leaf, g.Generation), k.Nonce, want[1])
						if tree == consumed {
							tree.Consume(uint32(leaf), Ratchet(r), g.Generation)
						}
					}
				}
			}
		}
		sent := NewSecretTree(s, v.EncryptionSecret, uint32(len(v.Leaves)), Limits{})
		for leaf := len(v.Leaves) - 1; leaf >= 0; leaf-- {
			for _, g := range v.Leaves[leaf] {
				var k Key
				for k.Generation != g.Generation || k.Key == nil {
					var err error
					k, err = sent.Next(uint32(leaf), Application)
					noError(t, err)
				}
				equal(t, fmt.Sprintf("sending key of leaf %d, generation %d", leaf, g.Generation), k.Key, g.ApplicationKey)
			}
		}
	})
}
