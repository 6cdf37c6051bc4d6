package device_test

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/groups/serve/device"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Alice makes a room while she is offline. Her device knows it after a restart, and
// would tell her provider as soon as it runs.
func Example() {
	ctx, disk := context.Background(), store.NewMemory()
	alice, _ := ident.ParseURI("mimi://a.example/d/alice/ClientA1")
	clubhouse, _ := ident.ParseURI("mimi://a.example/r/clubhouse")
	open := func() *device.Device {
		d, err := device.Open(ctx, device.Config{
			Client: alice, Store: disk,
			Connect: device.Dial("a.example:5223", channel.ClientConfig{
				Client: alice, Token: []byte("a long random token"), TLS: &tls.Config{ServerName: "a.example"},
			}),
		})
		if err != nil {
			panic(err)
		}
		return d
	}
	s, _ := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	hub, _ := mls.NewIdentity(s, []byte("mimi://a.example")) // her provider says what it is
	_, err := open().Do(ctx, member.CreateRoom{
		Room: clubhouse, Policy: "cooperative",
		Hub: message.ExternalSender{SignatureKey: hub.Signer.Public, Credential: hub.Credential},
	})
	fmt.Println("begun:", err)

	again := open()
	again.View(func(m *member.Member) {
		r, _ := m.Room(clubhouse)
		fmt.Println(r.URI, "is", r.Status)
	})
	// again.Run(ctx) would connect. Its application reads the log from where it was:
	for _, e := range again.Events(0) {
		fmt.Println(e.N, e.Event)
	}
	// Output:
	// begun: <nil>
	// mimi://a.example/r/clubhouse is creating
}
