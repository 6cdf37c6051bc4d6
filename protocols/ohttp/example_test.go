package ohttp_test

import (
	"fmt"
	"log"

	"github.com/mimi-lab/mimi-lab/protocols/bhttp"
	"github.com/mimi-lab/mimi-lab/protocols/ohttp"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// A client asks a target through a gateway that does not know who it is.
func Example() {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	pair, err := s.GenerateKeyPair()
	if err != nil {
		log.Fatal(err)
	}
	var gateway ohttp.Gateway
	config := gateway.AddKey(1, s, pair)

	// The client. It sends encapsulated to a relay, which passes it on.
	question := &bhttp.Request{Method: "GET", Scheme: "https", Authority: "assets.b.example", Path: "/photo"}
	plain, err := question.Marshal()
	if err != nil {
		log.Fatal(err)
	}
	encapsulated, pending, err := ohttp.Encapsulate(s, config, plain)
	if err != nil {
		log.Fatal(err)
	}

	// The gateway.
	plain, reply, err := gateway.Open(encapsulated)
	if err != nil {
		log.Fatal(err)
	}
	request, err := bhttp.ParseRequest(plain)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(request.Method, request.Authority, request.Path)
	answer := &bhttp.Response{Status: 200, Content: []byte("pixels")}
	plain, err = answer.Marshal()
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := reply.Seal(plain)
	if err != nil {
		log.Fatal(err)
	}

	// The client again.
	plain, err = pending.Open(sealed)
	if err != nil {
		log.Fatal(err)
	}
	response, err := bhttp.ParseResponse(plain)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d %s\n", response.Status, response.Content)
	// Output:
	// GET assets.b.example /photo
	// 200 pixels
}
