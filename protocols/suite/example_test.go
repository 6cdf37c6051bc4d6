package suite_test

import (
	"fmt"
	"time"

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

// A sized suite says how long a phone would have taken.
func ExampleNewSized() {
	id := suite.X25519AES128GCMSHA256Ed25519
	model, err := suite.NewCostModel(id, suite.Phone)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := suite.NewSized(id, [32]byte{1}, "alice's phone", model)
	if err != nil {
		fmt.Println(err)
		return
	}
	signer, err := s.GenerateSigner()
	if err != nil {
		fmt.Println(err)
		return
	}
	before := s.Counts()
	for range 1000 {
		if _, err := s.Sign(signer.Private, []byte("hello")); err != nil {
			fmt.Println(err)
			return
		}
	}
	counts := s.Counts().Sub(before)
	fmt.Println(counts)
	fmt.Println(model.Time(counts).Round(time.Millisecond), "modelled")
	// Output:
	// sign 1000 (5000 B)
	// 41ms modelled
}

// A batch takes less time than its signatures one by one, and names what is bad in it.
func ExampleVerifyBatch() {
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{1}, "alice's phone")
	if err != nil {
		fmt.Println(err)
		return
	}
	var batch []suite.Signature
	for i := range 300 {
		signer, err := s.GenerateSigner()
		if err != nil {
			fmt.Println(err)
			return
		}
		message := fmt.Append(nil, "leaf ", i)
		signature, err := s.Sign(signer.Private, message)
		if err != nil {
			fmt.Println(err)
			return
		}
		batch = append(batch, suite.Signature{Public: signer.Public, Message: message, Signature: signature})
	}
	fmt.Println(suite.VerifyBatch(s, batch))
	batch[123].Message = []byte("another leaf")
	fmt.Println(suite.VerifyBatch(s, batch))
	// Output:
	// -1 <nil>
	// 123 signature 124 of 300: suite: signature does not verify
}
