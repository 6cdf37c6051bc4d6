package dma_test

import (
	"fmt"
	"log"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// A partner's user and a gatekeeper's user exchange a message. The shell here is a
// loop: it carries frames from one machine to the other and needs no disk, since
// nobody crashes.
func Example() {
	now := time.Date(2024, 3, 7, 0, 0, 0, 0, time.UTC)
	gk, err := dma.NewGatekeeper(dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn})
	if err != nil {
		log.Fatal(err)
	}
	tell := func(in dma.Input) dma.Output {
		out, err := gk.Step(now, in)
		if err != nil {
			log.Fatal(err)
		}
		return out
	}
	tell(dma.Agree{Integrator: 1, Active: true})
	alice := newDevice("alice", tell(dma.Register{User: "4915112345678", Eligible: true}).Account)
	bob := newDevice("bob", tell(dma.Enlist{Integrator: 1, Visible: "bob@partner.example"}).Account)

	devices := map[dma.ConnID]phone{1: alice, 2: bob}
	var up, down []dma.Send // under way; copied, since an output is valid until the next Step
	step := func(c dma.ConnID, in dma.Input) {
		out, err := devices[c].Step(now, in)
		if err != nil {
			log.Fatal(err)
		}
		up = append(up, out.Sends...)
		for _, e := range out.Events {
			fmt.Printf("%s: %v\n", devices[c].name, e.Kind)
			if e.Content != nil {
				fmt.Printf("\t%q\n", e.Content.Text)
			}
		}
	}
	run := func() {
		for len(up)+len(down) > 0 {
			for ; len(up) > 0; up = up[1:] {
				down = append(down, tell(dma.Frame{Conn: up[0].Conn, Data: up[0].Frame}).Sends...)
			}
			for ; len(down) > 0; down = down[1:] {
				step(down[0].Conn, dma.Frame{Conn: down[0].Conn, Data: down[0].Frame})
			}
		}
	}
	for _, c := range []dma.ConnID{1, 2} {
		tell(dma.Connect{Conn: c, Account: devices[c].addr})
		step(c, dma.Connect{Conn: c})
	}
	step(2, dma.Compose{To: alice.addr, Content: dma.Content{Kind: dma.Text, Text: "hello across"}})
	run()
	// Output:
	// bob: sealed
	// bob: accepted
	// alice: delivered
	// 	"hello across"
	// bob: delivery receipt
}

type phone struct {
	*dma.Device
	name string
	addr ident.Address
}

// newDevice returns a device with a model of Signal, which has its sizes and no
// cryptography.
func newDevice(name string, addr ident.Address) phone {
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{1}, addr.String())
	if err != nil {
		log.Fatal(err)
	}
	client, err := sized.Adapter{}.New(protocols.Config{Address: protocols.Address(addr.String()), Suite: s})
	if err != nil {
		log.Fatal(err)
	}
	d, err := dma.NewDevice(dma.DeviceConfig{Address: addr, Client: client, Rand: s.Rand(), Batch: 10})
	if err != nil {
		log.Fatal(err)
	}
	return phone{d, name, addr}
}
