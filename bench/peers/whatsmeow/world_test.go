package peer_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/util/keys"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/enlist"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

const (
	bob      = "bob@partner.example"
	issuer   = "https://partner.example"
	audience = "https://gatekeeper.example"
)

// world is a gatekeeper of ours, with a WebSocket before its chat channel, and the keys of
// a device of theirs, which is enlisted.
type world struct {
	t      *testing.T
	ctx    context.Context
	gk     *serve.Gatekeeper
	url    string // of the WebSocket
	device *store.Device
	login  ident.Address
	signer *token.Signer
	logged *strings.Builder
}

// verifier verifies by keys at hand.
type verifier struct {
	token.Policy
	keys *token.Keys
}

func (v verifier) Verify(_ context.Context, jwt, identifier string) (*token.Claims, error) {
	return v.Policy.Verify(time.Now(), v.keys, jwt, identifier)
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// newWorld starts everything. certificate makes what the gatekeeper shows for its static
// key; nil is none.
func newWorld(t *testing.T, certificate func(static []byte) []byte) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx}
	s := must(suite.NewStd(suite.X25519AES128GCMSHA256Ed25519))(t)
	static := must(s.GenerateKeyPair())(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.signer = must(token.NewSigner("1", private))(t)
	published := must(token.ParseKeys(must(token.Document(w.signer))(t)))(t)
	cfg := noise.ServerConfig{Config: noise.Config{Dialect: noise.WhatsApp, Suite: s, Static: static}}
	if certificate != nil {
		cfg.Certificate = certificate(static.Public)
	}
	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	w.gk = must(serve.New(ctx, serve.Config{
		Machine: dma.GatekeeperConfig{Native: ident.User, Reach: dma.DefaultOn}, Certificate: web.TLS.Certificates[0], Noise: cfg,
		Partners: []serve.Partner{{Integrator: 1, Issuer: issuer, Tokens: verifier{token.Policy{Issuer: issuer, Audience: audience}, published}}},
	}))(t)
	t.Cleanup(func() { _ = w.gk.Close() })
	https, chat := must(net.Listen("tcp", "127.0.0.1:0"))(t), must(net.Listen("tcp", "127.0.0.1:0"))(t)
	go func() { _ = w.gk.ServeHTTPS(https) }()
	go func() { _ = w.gk.ServeChat(chat) }()
	w.enlist("https://"+https.Addr().String()+enlist.Path, web.Client())
	w.bridge(chat.Addr().String())
	return w
}

// jwt is the partner's proof of who bob is.
func (w *world) jwt() string {
	return must(w.signer.Sign(token.Claims{Issuer: issuer, Audience: []string{audience}, Subject: bob, Expires: time.Now().Add(time.Hour)}))(w.t)
}

// enlist enlists a device with keys, a signed prekey among them, as their package makes
// them.
func (w *world) enlist(url string, c *http.Client) {
	w.t.Helper()
	w.device = &store.Device{NoiseKey: keys.NewKeyPair(), IdentityKey: keys.NewKeyPair(), RegistrationID: 7}
	w.device.SignedPreKey = w.device.IdentityKey.CreateSignedPreKey(1)
	body := must(enlist.Names{}.Encode(&enlist.Form{
		AuthKey: *w.device.NoiseKey.Pub, RegistrationID: w.device.RegistrationID, Identity: *w.device.IdentityKey.Pub,
		SignedPreKeyID: w.device.SignedPreKey.KeyID, SignedPreKey: *w.device.SignedPreKey.Pub, Signature: *w.device.SignedPreKey.Signature,
		Token: w.jwt(), Identifier: bob, Version: enlist.Version,
	}))(w.t)
	resp := must(c.Post(url, "application/x-www-form-urlencoded", bytes.NewReader(body)))(w.t)
	defer resp.Body.Close()
	answer := must(enlist.ParseAnswer(must(io.ReadAll(resp.Body))(w.t)))(w.t)
	if answer.Reason != "" {
		w.t.Fatalf("enlisting: %v", answer.Reason)
	}
	w.login = answer.Login
}

// bridge puts a WebSocket before the chat channel, which is TCP: what comes in messages is
// passed on as it is, and each frame of the gatekeeper's is a message of its own, as their
// socket wants it.
func (w *world) bridge(chat string) {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(rw, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // any origin
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		nc, err := net.Dial("tcp", chat)
		if err != nil {
			return
		}
		defer func() { _ = nc.Close() }()
		go func() {
			defer func() { _ = nc.Close() }()
			_, _ = io.Copy(nc, websocket.NetConn(w.ctx, c, websocket.MessageBinary))
		}()
		for {
			frame := make([]byte, noise.HeaderSize)
			if _, err := io.ReadFull(nc, frame); err != nil {
				return
			}
			n := int(binary.BigEndian.Uint32(append([]byte{0}, frame...)))
			frame = append(frame, make([]byte, n)...)
			if _, err := io.ReadFull(nc, frame[noise.HeaderSize:]); err != nil {
				return
			}
			if c.Write(w.ctx, websocket.MessageBinary, frame) != nil {
				return
			}
		}
	}))
	w.t.Cleanup(s.Close)
	w.url = "ws" + strings.TrimPrefix(s.URL, "http")
}
