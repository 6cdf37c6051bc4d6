package peer_test

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"

	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// dial connects their socket to our gatekeeper.
func (w *world) dial() *socket.FrameSocket {
	w.t.Helper()
	fs := socket.NewFrameSocket(waLog.Noop, nil)
	fs.URL = w.url
	if err := fs.Connect(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { fs.Close(0) })
	return fs
}

// payload is what a partner's client says of itself, in their own protobuf.
func (w *world) payload() *waWa6.ClientPayload {
	var account uint64
	for _, c := range w.login.User {
		account = 10*account + uint64(c-'0')
	}
	return &waWa6.ClientPayload{
		Product:     waWa6.ClientPayload_INTEROP.Enum(),
		InteropData: &waWa6.ClientPayload_InteropData{AccountID: &account, Token: []byte(w.jwt())},
	}
}

// channel is a connection of theirs to our gatekeeper, after the handshake.
type channel struct {
	w      *world
	ns     *socket.NoiseSocket
	frames chan []byte
}

// noise has their NoiseHandshake make Noise XX with our gatekeeper.
func (w *world) noise() *channel {
	t := w.t
	t.Helper()
	fs := w.dial()
	nh, ephemeral := socket.NewNoiseHandshake(), keys.NewKeyPair()
	send := func(message *waWa6.HandshakeMessage) {
		t.Helper()
		if err := fs.SendFrame(must(proto.Marshal(message))(t)); err != nil {
			t.Fatal(err)
		}
	}
	mix := func(own *keys.KeyPair, peer []byte) {
		t.Helper()
		if err := nh.MixSharedSecretIntoKey(*own.Priv, [32]byte(peer)); err != nil {
			t.Fatal(err)
		}
	}
	// -> e
	nh.Start(socket.NoiseStartPattern, fs.Header)
	nh.Authenticate(ephemeral.Pub[:])
	send(&waWa6.HandshakeMessage{ClientHello: &waWa6.HandshakeMessage_ClientHello{Ephemeral: ephemeral.Pub[:]}})
	// <- e, ee, s, es
	answer := new(waWa6.HandshakeMessage)
	if err := proto.Unmarshal(w.frame(fs.Frames), answer); err != nil {
		t.Fatal(err)
	}
	hello := answer.GetServerHello()
	nh.Authenticate(hello.GetEphemeral())
	mix(ephemeral, hello.GetEphemeral())
	static := must(nh.Decrypt(hello.GetStatic()))(t)
	mix(ephemeral, static)
	if certificate := must(nh.Decrypt(hello.GetPayload()))(t); len(certificate) != 0 {
		t.Errorf("a certificate of %d bytes, want none", len(certificate))
	}
	// -> s, se
	sealed := nh.Encrypt(w.device.NoiseKey.Pub[:])
	mix(w.device.NoiseKey, hello.GetEphemeral())
	send(&waWa6.HandshakeMessage{ClientFinish: &waWa6.HandshakeMessage_ClientFinish{
		Static: sealed, Payload: nh.Encrypt(must(proto.Marshal(w.payload()))(t)),
	}})
	c := &channel{w: w, frames: make(chan []byte, 16)}
	c.ns = must(nh.Finish(w.ctx, fs, func(_ context.Context, b []byte) { c.frames <- b }, func(context.Context, *socket.NoiseSocket, bool) {}))(t)
	return c
}

func (c *channel) send(stanza []byte) {
	c.w.t.Helper()
	if err := c.ns.SendFrame(c.w.ctx, stanza); err != nil {
		c.w.t.Fatal(err)
	}
}

// receive waits for a stanza that f wants.
func (c *channel) receive(f func(stanza.Stanza) bool) {
	t := c.w.t
	t.Helper()
	for !f(must(stanza.Parse(must(stanza.ParseBinary(c.w.frame(c.frames)))(t)))(t)) {
	}
}

// TestHandshake has their NoiseSocket exchange our stanzas with our gatekeeper, over keys
// that their NoiseHandshake has made.
func TestHandshake(t *testing.T) {
	w := newWorld(t, nil)
	c := w.noise()
	for i := range 20 {
		id := string(rune('a' + i))
		c.send(must(stanza.AppendBinary(nil, (&stanza.IQ{ID: id, Type: stanza.Get, Payload: stanza.KeepAlive{}}).Node()))(t))
		c.receive(func(s stanza.Stanza) bool { // there is one before, which says what waits
			iq, ok := s.(*stanza.IQ)
			if ok && (iq.ID != id || iq.Type != stanza.Result) {
				t.Fatalf("got %+v, want the answer to %s", iq, id)
			}
			return ok
		})
	}
	if got := w.gk.Stats().Connected; got != 1 {
		t.Errorf("%d clients are connected, want theirs", got)
	}
}

// frame waits for a frame.
func (w *world) frame(from <-chan []byte) []byte {
	w.t.Helper()
	select {
	case b := <-from:
		return b
	case <-w.ctx.Done():
		w.t.Fatal("no frame has come")
	}
	return nil
}

// client is their whole client, before it connects.
func (w *world) client() *whatsmeow.Client {
	c := whatsmeow.NewClient(w.device, nil)
	c.GetClientPayload = w.payload
	return c
}

// handshake has their client make its own handshake with our gatekeeper.
func (w *world) handshake(c *whatsmeow.Client) error {
	w.t.Helper()
	return c.DangerousInternals().DoHandshake(w.ctx, w.dial(), *keys.NewKeyPair())
}

// chain makes a certificate in the form of theirs, by a root.
func chain(t *testing.T, root *keys.KeyPair, static []byte) []byte {
	t.Helper()
	signed := func(by *keys.KeyPair, serial, issuer uint32, key []byte) *waCert.CertChain_NoiseCertificate {
		details := must(proto.Marshal(&waCert.CertChain_NoiseCertificate_Details{Serial: &serial, IssuerSerial: &issuer, Key: key}))(t)
		signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*by.Priv), details)
		return &waCert.CertChain_NoiseCertificate{Details: details, Signature: signature[:]}
	}
	middle := keys.NewKeyPair()
	return must(proto.Marshal(&waCert.CertChain{
		Intermediate: signed(root, 1, whatsmeow.WACertIssuerSerial, middle.Pub[:]), Leaf: signed(middle, 2, 1, static),
	}))(t)
}

// TestClient has their client's own handshake, certificate and all, reach our gatekeeper
// once it trusts another root.
func TestClient(t *testing.T) {
	w := newWorld(t, func(static []byte) []byte { return chain(t, trust(t), static) })
	if err := w.handshake(w.client()); err != nil {
		t.Fatal(err)
	}
	w.await("one connected", func() bool { return w.gk.Stats().Connected == 1 })
}

// trust has their package trust another root than WhatsApp's while the test runs.
func trust(t *testing.T) *keys.KeyPair {
	root, was := keys.NewKeyPair(), whatsmeow.WACertPubKey
	t.Cleanup(func() { whatsmeow.WACertPubKey = was })
	whatsmeow.WACertPubKey = *root.Pub
	return root
}

// await waits until something holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	for !holds() {
		select {
		case <-time.After(time.Millisecond):
		case <-w.ctx.Done():
			w.t.Fatalf("never %s", what)
		}
	}
}
