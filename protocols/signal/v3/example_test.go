//go:build !nogpl

package v3_test

import (
	"fmt"
	"log"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/signal/v3"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Bob publishes key material, Alice starts a session from it, and Bob answers.
func Example() {
	must := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	now := time.Now()
	newClient := func(address protocols.Address) protocols.Client {
		s, err := suite.NewStd(1)
		must(err)
		c, err := v3.Adapter{}.New(protocols.Config{Address: address, Suite: s})
		must(err)
		return c
	}
	alice, bob := newClient("alice"), newClient("bob")

	material, err := bob.Publish(now, 1)
	must(err)
	_, err = alice.Establish(now, "bob", protocols.Bundle{Static: material.Static, OneTime: &material.OneTime[0]})
	must(err)
	sealed, err := alice.Seal("bob", []byte("Hello, Bob."))
	must(err)
	opened, err := bob.Open("alice", sealed)
	must(err)
	fmt.Printf("%s: %s\n", sealed.Type, opened.Plaintext)

	sealed, err = bob.Seal("alice", []byte("Hello, Alice."))
	must(err)
	opened, err = alice.Open("bob", sealed)
	must(err)
	fmt.Printf("%s: %s\n", sealed.Type, opened.Plaintext)
	// Output:
	// pkmsg: Hello, Bob.
	// msg: Hello, Alice.
}
