package enlist_test

import (
	"fmt"
	"log"

	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// A device enlists its user. A shell would carry the bodies over HTTPS.
func Example() {
	body, err := enlist.Names{}.Encode(&enlist.Form{Token: "a.b.c", Identifier: "bob@partner.example", Version: enlist.Version})
	if err != nil {
		log.Fatal(err)
	}
	form, err := enlist.Names{}.Parse(body)
	if err != nil {
		log.Fatal(err)
	}
	answer := enlist.Answer{Login: ident.Address{User: "10853634039893", Server: ident.Interop, Integrator: 1}}
	if form.Version != enlist.Version {
		answer = enlist.Answer{Reason: enlist.BadVersion}
	}
	body, err = answer.Marshal()
	fmt.Println(string(body), err)
	// Output: {"login":"1-10853634039893@interop","status":"ok"} <nil>
}
