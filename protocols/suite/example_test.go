package suite_test

import (
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// A seeded suite makes a run repeatable: these bytes are the same everywhere.
func ExampleNewSeeded() {
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{1}, "alice's phone")
	if err != nil {
		fmt.Println(err)
		return
	}
	pair, err := s.GenerateKeyPair()
	if err != nil {
		fmt.Println(err)
		return
	}
	enc, ciphertext, err := s.SealBase(pair.Public, []byte("info"), nil, []byte("hello"))
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, err := s.OpenBase(enc, pair.Private, []byte("info"), nil, ciphertext)
	fmt.Printf("%s %v %x\n", plaintext, err, pair.Public[:4])
	fmt.Println(pair.Private)
	// Output:
	// hello <nil> ae6614b1
	// suite.PrivateKey(hidden)
}
