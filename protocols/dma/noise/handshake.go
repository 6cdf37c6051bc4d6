package noise

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/flynn/noise"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Config is what both sides need. It is not modified.
type Config struct {
	Dialect Dialect // the zero value means Lab
	Suite   suite.Suite
	Static  suite.KeyPair // the own static key, of Suite
	Limits  Limits        // of the channel
}

func (c Config) complete() (Config, error) {
	c.Dialect = c.Dialect.orLab()
	if err := c.Dialect.check(); err != nil {
		return c, err
	}
	if c.Suite == nil {
		return c, errors.New("noise: config: no suite")
	}
	if id := c.Suite.ID(); id != suite.X25519AES128GCMSHA256Ed25519 && id != suite.X25519ChaCha20Poly1305SHA256Ed25519 {
		return c, fmt.Errorf("noise: config: suite %d, want one of X25519", id)
	}
	if len(c.Static.Private) != keySize || len(c.Static.Public) != keySize {
		return c, fmt.Errorf("noise: config: static key of %d and %d bytes, want %d each", len(c.Static.Private), len(c.Static.Public), keySize)
	}
	var err error
	c.Limits, err = c.Limits.orDefault()
	return c, err
}

// start begins a handshake.
func (c *Config) start(initiator bool) (*noise.HandshakeState, error) {
	return noise.NewHandshakeState(noise.Config{
		CipherSuite: noise.NewCipherSuite(dh{c.Suite}, noise.CipherAESGCM, c.Dialect.Form.hash()),
		Random:      c.Suite.Rand(), Pattern: noise.HandshakeXX, Initiator: initiator, Prologue: []byte(c.Dialect.Prologue),
		StaticKeypair: noise.DHKey{Private: c.Static.Private, Public: c.Static.Public},
	})
}

// dh is X25519 by a suite.
type dh struct{ suite suite.Suite }

func (d dh) GenerateKeypair(io.Reader) (noise.DHKey, error) {
	k, err := d.suite.GenerateKeyPair()
	return noise.DHKey{Private: k.Private, Public: k.Public}, err
}
func (d dh) DH(private, public []byte) ([]byte, error) { return d.suite.DH(private, public) }
func (d dh) DHLen() int                                { return keySize }
func (d dh) DHName() string                            { return "25519" }

// Client is the device's side of a handshake.
type Client struct {
	cfg     Config
	trust   Trust
	payload []byte
	state   *noise.HandshakeState // nil once it is over
}

// NewClient begins a handshake, and returns what is to be sent first. payload is nil for
// a server with ServerConfig.Nameless.
func NewClient(cfg Config, trust Trust, payload *ClientPayload) (*Client, []byte, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, nil, err
	}
	if err := trust.check(); err != nil {
		return nil, nil, err
	}
	c := &Client{cfg: cfg, trust: trust}
	if payload != nil {
		if c.payload, err = payload.Marshal(); err != nil {
			return nil, nil, err
		}
	}
	if c.state, err = cfg.start(true); err != nil {
		return nil, nil, fmt.Errorf("noise: %w", err)
	}
	message, _, _, err := c.state.WriteMessage(nil, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("noise: client hello: %w", err)
	}
	first, err := appendFrame([]byte(cfg.Dialect.Prologue), clientHello.wrap(cfg.Dialect.Form, message))
	return c, first, err
}

// Finish takes the body of the server's frame, at most [MaxServerHello] bytes, and returns
// the last frame and the channel. Unless the server is the one that the client trusts, it
// learns nothing of the payload. Whatever Finish returns, the handshake is over.
func (c *Client) Finish(now time.Time, body []byte) ([]byte, *Channel, error) {
	state := c.state
	if state == nil {
		return nil, nil, fail(ErrState, "server hello", "the handshake is over")
	}
	c.state = nil
	form := c.cfg.Dialect.Form
	message, err := serverHello.unwrap(form, body)
	if err != nil {
		return nil, nil, err
	}
	certificate, _, _, err := state.ReadMessage(nil, message)
	if err != nil {
		return nil, nil, failed(ErrHandshake, "server hello", err)
	}
	if err := c.trust.verify(now, c.cfg.Suite, state.PeerStatic(), certificate); err != nil {
		return nil, nil, err
	}
	message, send, receive, err := state.WriteMessage(nil, c.payload)
	if err != nil {
		return nil, nil, failed(ErrHandshake, "client finish", err)
	}
	last, err := appendFrame(nil, clientFinish.wrap(form, message))
	if err != nil {
		return nil, nil, err
	}
	return last, newChannel(send, receive, c.cfg.Limits, state.ChannelBinding()), nil
}

// ServerConfig is what a server needs. It is not modified.
type ServerConfig struct {
	Config
	// Certificate vouches for the static key: see [Certificate.Sign]. Clients that pin the
	// key do without.
	Certificate []byte
	// Nameless says that clients have no payload, as those of a service where they log in
	// on the channel.
	Nameless bool
}

// Server is the gatekeeper's side of a handshake.
type Server struct {
	cfg   ServerConfig
	state *noise.HandshakeState // nil before the client's hello and once it is over
	over  bool
}

// NewServer returns a server for one connection.
func NewServer(cfg ServerConfig) (*Server, error) {
	var err error
	if cfg.Config, err = cfg.Config.complete(); err != nil {
		return nil, err
	}
	if n, most := len(cfg.Certificate), MaxServerHello-256; n > most {
		return nil, fmt.Errorf("noise: config: certificate of %d bytes, want at most %d", n, most)
	}
	return &Server{cfg: cfg}, nil
}

// PrologueSize is how many bytes come before the first frame.
func (s *Server) PrologueSize() int { return len(s.cfg.Dialect.Prologue) }

// Prologue takes what comes before the first frame.
func (s *Server) Prologue(b []byte) error {
	if string(b) != s.cfg.Dialect.Prologue {
		s.over = true
		return fail(ErrPrologue, "prologue", "%q, want %q", clip(b), s.cfg.Dialect.Prologue)
	}
	return nil
}

func clip(b []byte) []byte { return b[:min(len(b), MaxPrologue)] }

// Hello takes the body of the client's first frame, at most [MaxClientHello] bytes, and
// returns the frame that answers it.
func (s *Server) Hello(body []byte) ([]byte, error) {
	if s.state != nil || s.over {
		return nil, fail(ErrState, "client hello", "it came, or the handshake is over")
	}
	s.over = true // until it went well
	form := s.cfg.Dialect.Form
	message, err := clientHello.unwrap(form, body)
	if err != nil {
		return nil, err
	}
	state, err := s.cfg.start(false)
	if err != nil {
		return nil, fmt.Errorf("noise: %w", err)
	}
	if _, _, _, err := state.ReadMessage(nil, message); err != nil {
		return nil, failed(ErrHandshake, "client hello", err)
	}
	message, _, _, err = state.WriteMessage(nil, s.cfg.Certificate)
	if err != nil { // the client's key is one that no DH goes with
		return nil, failed(ErrHandshake, "server hello", err)
	}
	s.state, s.over = state, false
	return appendFrame(nil, serverHello.wrap(form, message))
}

// Peer is the client at the other end. Its static key is its own; whose client it is, it
// only says.
type Peer struct {
	Static  [keySize]byte
	Payload *ClientPayload // nil with ServerConfig.Nameless, else what it says
}

// Finish takes the body of the client's last frame, at most [MaxClientFinish] bytes.
// Whatever it returns, the handshake is over.
func (s *Server) Finish(body []byte) (*Peer, *Channel, error) {
	state := s.state
	if state == nil || s.over {
		return nil, nil, fail(ErrState, "client finish", "no hello came, or the handshake is over")
	}
	s.over = true
	message, err := clientFinish.unwrap(s.cfg.Dialect.Form, body)
	if err != nil {
		return nil, nil, err
	}
	payload, receive, send, err := state.ReadMessage(nil, message)
	if err != nil {
		return nil, nil, failed(ErrHandshake, "client finish", err)
	}
	peer := &Peer{Static: [keySize]byte(state.PeerStatic())}
	switch {
	case !s.cfg.Nameless:
		peer.Payload, err = ParseClientPayload(payload)
	case len(payload) > 0:
		err = fail(ErrPayload, "client finish", "%d bytes, want none", len(payload))
	}
	if err != nil {
		return nil, nil, err
	}
	return peer, newChannel(send, receive, s.cfg.Limits, state.ChannelBinding()), nil
}
