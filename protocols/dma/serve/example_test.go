package serve_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http/httptest"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// tokens verifies by keys at hand; a jwks.Source fetches them from the partner.
type tokens struct {
	token.Policy
	keys *token.Keys
}

func (t tokens) Verify(_ context.Context, jwt, identifier string) (*token.Claims, error) {
	return t.Policy.Verify(time.Now(), t.keys, jwt, identifier)
}

// A gatekeeper serves on this machine; a partner's user enlists, connects and blocks
// somebody.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	check(err)
	static, err := s.GenerateKeyPair()
	check(err)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	partner, err := token.NewSigner("1", private)
	check(err)
	document, err := token.Document(partner)
	check(err)
	keys, err := token.ParseKeys(document)
	check(err)
	policy := token.Policy{Issuer: "https://partner.example", Audience: "https://gatekeeper.example"}

	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	gatekeeper, err := serve.New(ctx, serve.Config{
		Machine:     dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn},
		Certificate: web.TLS.Certificates[0],
		Noise:       noise.ServerConfig{Config: noise.Config{Suite: s, Static: static}},
		Partners:    []serve.Partner{{Integrator: 1, Issuer: policy.Issuer, Tokens: tokens{policy, keys}}},
	})
	check(err)
	https, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	chat, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() { _ = gatekeeper.ServeHTTPS(https) }()
	go func() { _ = gatekeeper.ServeChat(chat) }()

	jwt := func(context.Context) (string, error) {
		return partner.Sign(token.Claims{
			Issuer: policy.Issuer, Audience: []string{policy.Audience}, Subject: "bob@partner.example", Expires: time.Now().Add(time.Hour),
		})
	}
	proof, err := jwt(ctx)
	check(err)
	disk := store.NewMemory() // store/byurl opens one that lasts
	account, err := serve.Enlist(ctx, serve.EnlistConfig{
		Base: "https://" + https.Addr().String(), Roots: roots, Store: disk, Adapter: sized.Adapter{}, Suite: s,
		Identifier: "bob@partner.example", Token: proof,
	})
	check(err)
	fmt.Println(account)
	device, err := serve.NewDevice(ctx, serve.DeviceConfig{
		Store: disk, Adapter: sized.Adapter{}, Suite: s, Address: chat.Addr().String(), Trust: noise.Trust{Pin: static.Public}, Token: jwt,
	})
	check(err)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- device.Run(running) }()
	_, err = device.Do(ctx, dma.Block{User: ident.Address{User: "4915112345678", Server: ident.User}, On: true})
	check(err)
	check(device.Settled(ctx, false)) // the gatekeeper has it, and prekeys

	stop()
	fmt.Println(errors.Is(<-ended, context.Canceled), device.Close(), gatekeeper.Shutdown(ctx))
	// Output:
	// 1-10000000000000@interop
	// true <nil> <nil>
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
