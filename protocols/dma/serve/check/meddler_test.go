package check_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// meddler ends the chat channel of a device and opens another, with the keys that it has,
// so that it sees every stanza and may change it: a device with a fault, made of one
// without, or a proxy that breaks the fourth rule.
type meddler struct {
	suite   suite.Suite
	own     suite.KeyPair // towards the device
	static  suite.KeyPair // towards the gatekeeper
	dialect noise.Dialect
	pin     []byte // of the gatekeeper
	// frame takes a stanza on its way up or down and returns what goes on; nil for nothing.
	frame func(up bool, frame []byte) []byte
}

// dropping is a device that does not send or take some stanzas.
func dropping(s suite.Suite, drop func(up bool, s stanza.Stanza) bool) func(*serve.DeviceConfig) {
	return meddling(s, func(up bool, frame []byte) []byte {
		tree, err := stanza.ParseBinary(frame)
		if err != nil {
			return frame
		}
		if st, err := stanza.Parse(tree); err == nil && drop(up, st) {
			return nil
		}
		return frame
	})
}

// meddling is a device whose stanzas are changed.
func meddling(s suite.Suite, frame func(up bool, frame []byte) []byte) func(*serve.DeviceConfig) {
	return func(cfg *serve.DeviceConfig) {
		var kept struct{ Private, Public []byte }
		_ = cfg.Store.Load(context.Background(), "serve/account", func(r protocols.Record) error { return json.Unmarshal(r.Value, &kept) })
		meddlingAs(s, suite.KeyPair{Private: kept.Private, Public: kept.Public}, frame)(cfg)
	}
}

// meddlingAs is one with another static key towards the gatekeeper.
func meddlingAs(s suite.Suite, static suite.KeyPair, frame func(up bool, frame []byte) []byte) func(*serve.DeviceConfig) {
	return func(cfg *serve.DeviceConfig) {
		own, err := s.GenerateKeyPair()
		if err != nil {
			panic(err)
		}
		m := &meddler{
			suite: s, own: own, static: static, dialect: cfg.Dialect, pin: cfg.Trust.Pin, frame: frame,
		}
		cfg.Trust.Pin = own.Public
		cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			device, inside := net.Pipe()
			go m.serve(inside, nc)
			return device, nil
		}
	}
}

// serve serves one connection to its end.
func (m *meddler) serve(down, up net.Conn) {
	defer func() {
		_ = down.Close()
		_ = up.Close()
	}()
	downR, upR := bufio.NewReader(down), bufio.NewReader(up)
	lower, peer, err := m.lower(down, downR)
	if err != nil {
		return
	}
	upper, err := m.upper(up, upR, peer.Payload)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { m.move(true, downR, lower, up, upper, down) })
	both.Go(func() { m.move(false, upR, upper, down, lower, up) })
	both.Wait()
}

// lower is the handshake with the device.
func (m *meddler) lower(w io.Writer, r *bufio.Reader) (*noise.Channel, *noise.Peer, error) {
	peer, c, err := noise.Accept(r, w, noise.ServerConfig{Config: m.config(m.own)})
	return c, peer, err
}

// upper is the handshake with the gatekeeper.
func (m *meddler) upper(w io.Writer, r *bufio.Reader, p *noise.ClientPayload) (*noise.Channel, error) {
	return noise.Connect(r, w, time.Now(), m.config(m.static), noise.Trust{Pin: m.pin}, p)
}

func (m *meddler) config(k suite.KeyPair) noise.Config {
	return noise.Config{Dialect: m.dialect, Suite: m.suite, Static: k, Limits: noise.Limits{Plaintext: noise.MaxFrame - noise.Overhead}}
}

// move moves stanzas in one direction.
func (m *meddler) move(up bool, r *bufio.Reader, in *noise.Channel, w net.Conn, out *noise.Channel, from net.Conn) {
	defer func() {
		_ = w.Close()
		_ = from.Close()
	}()
	for {
		body, err := noise.ReadFrame(r, noise.MaxFrame, nil)
		if err != nil {
			return
		}
		frame, err := in.Open(body)
		if err != nil {
			return
		}
		if m.frame != nil {
			frame = m.frame(up, frame)
		}
		if frame == nil {
			continue
		}
		b, err := out.Seal(nil, frame)
		if err != nil {
			return
		}
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}
