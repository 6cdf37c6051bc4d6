package channel

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

// A client makes a room at its provider, says something, and is told of it.
func Example() {
	ca := newAuthority()
	var tokens Tokens
	tokens.Set(alice, []byte("a long random token"))
	server, err := New(Config{
		Open: newMachine().open, Authenticator: &tokens,
		TLS: &tls.Config{Certificates: []tls.Certificate{ca.issue(ident.URI{})}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(l)

	ctx, came := context.Background(), make(chan follower.Delivery, 1)
	client, err := Dial(ctx, l.Addr().String(), ClientConfig{
		Client: alice, Token: []byte("a long random token"), TLS: &tls.Config{RootCAs: ca.Pool()},
		Deliver: func(d follower.Delivery) { came <- d },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Do(ctx, newRoom())
	fmt.Println("room:", err)
	body, err := client.Do(ctx, submit("ciphertext"))
	fmt.Println(mimi.Describe(body), err)
	d := <-came
	fmt.Println(d.Room, d.Seq)
	_, err = client.Do(ctx, follower.Ack{Room: d.Room, Seq: d.Seq})
	fmt.Println("acknowledged:", err)
	fmt.Println("left:", client.Close(), server.Shutdown(ctx))
	// Output:
	// room: <nil>
	// SubmitMessageResponse: accepted at 1 <nil>
	// mimi://a.example/r/clubhouse 1
	// acknowledged: <nil>
	// left: <nil> <nil>
}
