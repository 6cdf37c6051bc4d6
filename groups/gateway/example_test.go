package gateway_test

import (
	"crypto/sha256"
	"fmt"
	"log"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/gateway"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// A gateway starts and connects its lines, which publish their keys. A shell would
// write out.Persist before it sends a frame; package sim/bridge is one, and plays a whole
// conversation.
func Example() {
	now := time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, sha256.Sum256([]byte("example")), "gateway")
	if err != nil {
		log.Fatal(err)
	}
	signal, err := adapters.ByName("signal-v3-sized")
	if err != nil {
		log.Fatal(err)
	}
	cfg := gateway.Config{
		Place: gateway.AtServer, Operator: "G Example Ltd", Domain: "g.example",
		Adapter: signal, Suite: s, Groups: &mls.Config{Suite: s},
	}
	for _, a := range []string{"1-7000@interop", "1-7001@interop"} { // the desk, and a room
		line, err := ident.ParseAddress(a)
		if err != nil {
			log.Fatal(err)
		}
		cfg.Lines = append(cfg.Lines, line)
	}
	g, err := gateway.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	for _, in := range []gateway.Input{
		gateway.Resume{},
		gateway.Chat{Line: 0, In: dma.Connect{Conn: 1}},
		gateway.Chat{Line: 1, In: dma.Connect{Conn: 2}},
	} {
		out, err := g.Step(now, in)
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range out.Frames {
			fmt.Printf("line %d sends %d frame, once its records are durable: %v\n", f.Line, len(out.Frames), len(out.Persist) > 0)
		}
	}
	fmt.Println("clients at the provider:", len(g.Clients()))
	// Output:
	// line 0 sends 1 frame, once its records are durable: true
	// line 1 sends 1 frame, once its records are durable: true
	// clients at the provider: 0
}
