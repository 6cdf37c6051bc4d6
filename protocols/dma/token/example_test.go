package token_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// A partner proves to a gatekeeper who its user is.
func Example() {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	partner, err := token.NewSigner("2026-03", private)
	check(err)
	published, err := token.Document(partner)
	check(err)
	now := time.Now()
	jwt, err := partner.Sign(token.Claims{
		Issuer: "https://partner.example", Audience: []string{"https://gatekeeper.example"},
		Subject: "bob@partner.example", IssuedAt: now, Expires: now.Add(time.Hour),
	})
	check(err)

	// The gatekeeper has fetched what the partner published.
	keys, err := token.ParseKeys(published)
	check(err)
	policy := token.Policy{Issuer: "https://partner.example", Audience: "https://gatekeeper.example"}
	_, err = policy.Verify(time.Now(), keys, jwt, "bob@partner.example")
	fmt.Println(err)
	_, err = policy.Verify(time.Now(), keys, jwt, "eve@partner.example")
	fmt.Println(err)
	// Output:
	// <nil>
	// token: other identifier: "bob@partner.example", want "eve@partner.example"
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
