package partner_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/partner"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// A partner's server proves to a gatekeeper, which has fetched its keys, who its user is.
func Example() {
	s, err := partner.New(context.Background(), partner.Config{Issuer: "https://partner.example", Audience: "https://gatekeeper.example"})
	check(err)
	defer func() { _ = s.Close() }()
	credential, err := s.Join(context.Background(), "bob@partner.example")
	check(err)
	fmt.Println("Bob's device keeps a credential of", len(credential), "characters")
	jwt, err := s.Token("bob@partner.example")
	check(err)

	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, token.WellKnown, nil))
	keys, err := token.ParseKeys(w.Body.Bytes())
	check(err)
	policy := token.Policy{Issuer: "https://partner.example", Audience: "https://gatekeeper.example"}
	c, err := policy.Verify(time.Now(), keys, jwt, "bob@partner.example")
	check(err)
	fmt.Println(c.Subject, "for", c.Expires.Sub(c.IssuedAt))
	// Output:
	// Bob's device keeps a credential of 22 characters
	// bob@partner.example for 1h0m0s
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
