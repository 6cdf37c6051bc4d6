package tree_test

import (
	"bytes"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Alice, who is alone in a group, adds Bob and renews her path; Bob gets the path
// secret in his Welcome. Then Bob renews his path, and Alice processes it.
func Example() {
	s, _ := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{1}, "example")
	groupID := []byte("example")
	client := func(name string) (*message.LeafNode, suite.KeyPair, suite.KeyPair) {
		pair, _ := s.GenerateKeyPair()
		signer, _ := s.GenerateSigner()
		leaf := &message.LeafNode{
			EncryptionKey: pair.Public,
			SignatureKey:  signer.Public,
			Credential:    message.BasicCredential([]byte(name)),
			Capabilities: message.Capabilities{
				Versions:    []message.ProtocolVersion{message.MLS10},
				Suites:      []suite.ID{s.ID()},
				Credentials: []message.CredentialType{message.CredentialBasic},
			},
			Source: message.SourceKeyPackage,
		}
		if err := leaf.Sign(s, signer.Private, nil, 0); err != nil {
			panic(err)
		}
		return leaf, pair, signer
	}
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}

	aliceLeaf, _, aliceSigner := client("alice")
	bobLeaf, bobPair, bobSigner := client("bob")
	t, err := tree.New(s, aliceLeaf)
	must(err)

	edit := t.Edit()
	bob, err := edit.Add(bobLeaf)
	must(err)
	path, err := edit.NewPath(0, aliceLeaf, aliceSigner.Private, groupID)
	must(err)
	t, err = edit.Tree()
	must(err)
	secret, _ := path.SecretFor(bob)
	alicePrivate := path.Private()
	bobPrivate, err := tree.NewPrivate(bob, bobPair).Join(t, 0, secret)
	must(err)
	fmt.Printf("%d members, %v, %v\n", t.Members(), alicePrivate, bobPrivate)

	edit = t.Edit()
	path, err = edit.NewPath(bob, bobLeaf, bobSigner.Private, groupID)
	must(err)
	next, err := edit.Tree()
	must(err)
	context := next.Hash() // of the provisional GroupContext, really
	sent, err := path.Encrypt(next, context, nil)
	must(err)

	edit = t.Edit() // on Alice's side
	must(edit.ApplyPath(bob, sent, nil))
	received, err := edit.Tree()
	must(err)
	_, commitSecret, err := alicePrivate.Open(received, bob, sent, context, nil)
	must(err)
	fmt.Println(bytes.Equal(received.Hash(), next.Hash()), bytes.Equal(commitSecret, path.CommitSecret()))
	// Output:
	// 2 members, private keys of leaf 0, private keys of leaf 1
	// true true
}
