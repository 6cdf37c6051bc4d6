package proxy_test

import (
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/proxy"
)

// A client's bytes come to the gatekeeper, with the client's address.
func Example() {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		return l
	}
	inner, outer := listen(), listen()
	gatekeeper := proxy.Listen(inner, proxy.ListenerConfig{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	p, err := proxy.New(proxy.Config{Gatekeeper: inner.Addr().String()})
	check(err)
	go func() { _ = p.Serve(outer) }()
	defer func() { _ = p.Close() }()

	client, err := net.Dial("tcp", outer.Addr().String())
	check(err)
	_, err = client.Write([]byte("sealed"))
	check(err)
	c, err := gatekeeper.Accept()
	check(err)
	b := make([]byte, 6)
	_, err = c.Read(b)
	check(err)
	fmt.Printf("%s, from the client: %t\n", b, c.RemoteAddr().String() == client.LocalAddr().String())
	// Output: sealed, from the client: true
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
