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
	s, err := noise.NewServer(noise.ServerConfig{Config: m.config(m.own)})
	if err != nil {
		return nil, nil, err
	}
	prologue := make([]byte, s.PrologueSize())
	if _, err := io.ReadFull(r, prologue); err != nil {
		return nil, nil, err
	}
	if err := s.Prologue(prologue); err != nil {
		return nil, nil, err
	}
	body, err := frameOf(r)
	if err != nil {
		return nil, nil, err
	}
	hello, err := s.Hello(body)
	if err != nil {
		return nil, nil, err
	}
	if _, err := w.Write(hello); err != nil {
		return nil, nil, err
	}
	if body, err = frameOf(r); err != nil {
		return nil, nil, err
	}
	peer, c, err := s.Finish(body)
	return c, peer, err
}

// upper is the handshake with the gatekeeper.
func (m *meddler) upper(w io.Writer, r *bufio.Reader, p *noise.ClientPayload) (*noise.Channel, error) {
	c, first, err := noise.NewClient(m.config(m.static), noise.Trust{Pin: m.pin}, p)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(first); err != nil {
		return nil, err
	}
	hello, err := frameOf(r)
	if err != nil {
		return nil, err
	}
	last, channel, err := c.Finish(time.Now(), hello)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(last)
	return channel, err
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
		body, err := frameOf(r)
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

// frameOf reads the body of a frame.
func frameOf(r io.Reader) ([]byte, error) {
	var head [noise.HeaderSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n, err := noise.FrameLength(head, noise.MaxFrame)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return b, err
}
