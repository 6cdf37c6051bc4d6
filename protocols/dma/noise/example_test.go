package noise_test

import (
	"fmt"
	"log"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// A device connects with a gatekeeper whose static key it knows. A shell would carry the
// frames over TCP; FrameLength says how much to read.
func Example() {
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	check(err)
	gatekeeper, err := s.GenerateKeyPair()
	check(err)
	device, err := s.GenerateKeyPair()
	check(err)

	server, err := noise.NewServer(noise.ServerConfig{Config: noise.Config{Suite: s, Static: gatekeeper}})
	check(err)
	client, first, err := noise.NewClient(noise.Config{Suite: s, Static: device}, noise.Trust{Pin: gatekeeper.Public},
		&noise.ClientPayload{Product: noise.ProductInterop, AccountID: 10853634039893, Token: []byte("a JWT")})
	check(err)

	n := server.PrologueSize()
	check(server.Prologue(first[:n]))
	hello, err := server.Hello(body(first[n:], noise.MaxClientHello))
	check(err)
	last, up, err := client.Finish(time.Now(), body(hello, noise.MaxServerHello))
	check(err)
	peer, down, err := server.Finish(body(last, noise.MaxClientFinish))
	check(err)
	fmt.Println("account", peer.Payload.AccountID)

	frame, err := up.Seal(nil, []byte("a stanza"))
	check(err)
	stanza, err := down.Open(body(frame, down.MaxBody()))
	check(err)
	fmt.Printf("%s\n", stanza)
	// Output:
	// account 10853634039893
	// a stanza
}

func body(frame []byte, limit int) []byte {
	n, err := noise.FrameLength([noise.HeaderSize]byte(frame), limit)
	check(err)
	return frame[noise.HeaderSize:][:n]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
