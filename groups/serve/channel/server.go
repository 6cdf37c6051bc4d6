package channel

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/accept"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// Config is what a server needs. It is not modified.
type Config struct {
	// Open connects a client with its provider; required. Over a provider p of package
	// groups/serve it returns p.Client(ctx, client).
	Open func(ctx context.Context, client ident.URI) (Session, error)
	// Authenticator says who is who; required.
	Authenticator Authenticator
	// TLS has the server's certificate, and for [Certificates] ClientAuth and ClientCAs.
	// nil has [Server.Serve] take connections as they come, for tests and for what has TLS
	// in front.
	TLS *tls.Config
	// Noise has the server's static key, for [Server.ServeNoise]; nil is without. Nameless
	// and the bound on a message are set here.
	Noise *noise.ServerConfig
	// Points are the draft's code points; nil means [mimi.DefaultCodePoints].
	Points *mimi.CodePoints
	// Logger is told why connections end; nil means nobody.
	Logger *slog.Logger
	// Limits bound what clients can make the server keep and wait for.
	Limits Limits
}

// Limits are bounds of this implementation; zero values mean the defaults.
type Limits struct {
	Connections int // at once; default 10000
	Logins      int // at once, of those not authenticated yet, the newest; default 256
	Frame       int // bytes of a stanza that a client sends; default 1 MiB
	Calls       int // of a client, not answered yet; default 32

	LoginTimeout time.Duration // from accept to login, the handshake of TLS or Noise included; default 10 s
	FrameTimeout time.Duration // from the length of a frame to its end; default 20 s
	IdleTimeout  time.Duration // between two stanzas of a client; default 75 s
	WriteTimeout time.Duration // of a stanza, for a client that does not read; default 20 s
	CallTimeout  time.Duration // of what a client asks; default 60 s
}

// loginSize bounds the first stanza: a URI and a token. goodbye is how long the last
// one may take.
const (
	loginSize = 16 << 10
	goodbye   = time.Second
)

func (l Limits) orDefault() Limits {
	l.Connections = cmp.Or(l.Connections, 10000)
	l.Logins = cmp.Or(l.Logins, 256)
	l.Frame = min(cmp.Or(l.Frame, 1<<20), stanza.MaxSize)
	l.Calls = cmp.Or(l.Calls, 32)
	l.LoginTimeout = cmp.Or(l.LoginTimeout, 10*time.Second)
	l.FrameTimeout = cmp.Or(l.FrameTimeout, 20*time.Second)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, 75*time.Second)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, 20*time.Second)
	l.CallTimeout = cmp.Or(l.CallTimeout, 60*time.Second)
	return l
}

// Server takes connections of clients. Its methods may be called by several goroutines.
type Server struct {
	cfg    Config
	limits Limits
	tls    *tls.Config         // nil without TLS
	noise  *noise.ServerConfig // nil without Noise
	log    *slog.Logger

	mu        sync.Mutex                // guards what follows
	clients   map[ident.URI]*connection // the newest of each client
	open      map[net.Conn]struct{}     // all, authenticated or not
	logins    []net.Conn                // those that are not, the oldest first
	listeners map[net.Listener]struct{}
	closed    bool
	running   sync.WaitGroup // one for each of open
}

// New returns a server.
func New(cfg Config) (*Server, error) {
	if cfg.Open == nil || cfg.Authenticator == nil {
		return nil, errors.New("channel: Config.Open or Config.Authenticator is nil, want both")
	}
	s := &Server{
		cfg: cfg, limits: cfg.Limits.orDefault(), log: cfg.Logger,
		clients: map[ident.URI]*connection{}, open: map[net.Conn]struct{}{}, listeners: map[net.Listener]struct{}{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.TLS != nil {
		s.tls = cfg.TLS.Clone()
		s.tls.MinVersion = max(s.tls.MinVersion, tls.VersionTLS13)
		s.tls.NextProtos = []string{Protocol}
	}
	if cfg.Noise != nil {
		s.noise = new(*cfg.Noise)
		s.noise.Nameless, s.noise.Limits.Plaintext = true, stanza.MaxSize
		if _, err := noise.NewServer(*s.noise); err != nil {
			return nil, fmt.Errorf("channel: %w", err)
		}
	}
	return s, nil
}

// Serve takes connections of l until the server is shut down, which returns
// [net.ErrClosed], or accepting fails. It closes l.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, s.overTLS) }

// ServeNoise is [Server.Serve] for connections over the Noise channel of package noise,
// in place of TLS.
func (s *Server) ServeNoise(l net.Listener) error {
	if s.noise == nil {
		return errors.Join(errors.New("channel: Config.Noise is nil, want a static key"), l.Close())
	}
	return s.serve(l, s.overNoise)
}

// secure makes a line of a connection that was accepted, and says who is at its end.
type secure func(ctx context.Context, nc net.Conn) (*line, Peer, error)

func (s *Server) serve(l net.Listener, by secure) error {
	defer func() { _ = l.Close() }()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	for {
		nc, err := accept.Next(l, s.log)
		if err != nil {
			s.mu.Lock()
			delete(s.listeners, l)
			closed := s.closed
			s.mu.Unlock()
			if closed {
				return net.ErrClosed
			}
			return fmt.Errorf("channel: accepting: %w", err)
		}
		go s.serveConn(nc, by)
	}
}

// ServeConn serves one connection, without TLS around it yet if the server has a
// tls.Config, and closes it. It returns when the connection has ended.
func (s *Server) ServeConn(nc net.Conn) { s.serveConn(nc, s.overTLS) }

func (s *Server) serveConn(nc net.Conn, by secure) {
	defer func() { _ = nc.Close() }()
	if !s.enter(nc) {
		return
	}
	defer s.leave(nc)
	s.admit(nc)
	c, err := s.login(nc, by)
	if !s.admitted(nc) && err == nil {
		err = errCrowded
	}
	if err != nil {
		s.log.Info("login refused", "peer", nc.RemoteAddr(), "error", err)
		return
	}
	err = c.run()
	s.log.Info("connection ended", "client", c.client, "error", err)
}

func (s *Server) overTLS(ctx context.Context, nc net.Conn) (*line, Peer, error) {
	if s.tls == nil {
		return lineOver(nc, nc), Peer{}, nil
	}
	t := tls.Server(nc, s.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, Peer{}, err
	}
	state := t.ConnectionState()
	return lineOver(nc, t), Peer{TLS: &state}, nil
}

func (s *Server) overNoise(_ context.Context, nc net.Conn) (*line, Peer, error) {
	r := bufio.NewReader(nc)
	peer, channel, err := noise.Accept(r, nc, *s.noise)
	if err != nil {
		return nil, Peer{}, err
	}
	return &line{Conn: nc, raw: nc, r: r, noise: channel}, Peer{Static: peer.Static[:]}, nil
}

// enter counts a connection, if there is room for it.
func (s *Server) enter(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= s.limits.Connections {
		return false
	}
	s.open[nc] = struct{}{}
	s.running.Add(1)
	return true
}

func (s *Server) leave(nc net.Conn) {
	s.mu.Lock()
	delete(s.open, nc)
	s.mu.Unlock()
	s.running.Done()
}

// errCrowded: another peer has taken the place of one that was not authenticated yet.
var errCrowded = errors.New("channel: too many logins at once")

// admit gives a connection a place among those that are not authenticated. If there is
// none, the one that has had its place for longest loses it: a client needs its place for a
// moment, and whoever wants to keep clients out would keep theirs.
func (s *Server) admit(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.logins) == s.limits.Logins {
		s.log.Warn("too many logins at once", "peer", s.logins[0].RemoteAddr())
		_ = s.logins[0].Close()
		s.logins = slices.Delete(s.logins, 0, 1)
	}
	s.logins = append(s.logins, nc)
}

// admitted takes the place back, and reports whether the connection still had it.
func (s *Server) admitted(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.logins, nc)
	if i >= 0 {
		s.logins = slices.Delete(s.logins, i, i+1)
	}
	return i >= 0
}

var errLogin = errors.New("channel: the first stanza is no login")

// login learns who the peer is. Until then it gets little room and time.
func (s *Server) login(raw net.Conn, by secure) (*connection, error) {
	deadline := time.Now().Add(s.limits.LoginTimeout)
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if err := raw.SetDeadline(deadline); err != nil {
		return nil, err
	}
	nc, peer, err := by(ctx, raw)
	if err != nil {
		return nil, err
	}
	first, err := (&frames{line: nc}).next(loginSize)
	if err != nil {
		return nil, err
	}
	iq, ok := first.(*stanza.IQ)
	if !ok {
		return nil, errLogin
	}
	l, ok := iq.Payload.(*stanza.Login)
	if !ok {
		return nil, errors.Join(errLogin, refuse(nc, iq.ID, &stanza.Error{Code: stanza.NotAuthorized}))
	}
	if l.Client.Kind() != ident.KindClient {
		return nil, errors.Join(errLogin, refuse(nc, iq.ID, &stanza.Error{Code: stanza.BadRequest}))
	}
	if err := s.cfg.Authenticator.Authenticate(ctx, l.Client, l.Token, peer); err != nil {
		return nil, errors.Join(err, refuse(nc, iq.ID, &stanza.Error{Code: stanza.NotAuthorized}))
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return newConnection(s, nc, l.Client, iq.ID), nil
}

// refuse answers a login with an error.
func refuse(l *line, id string, e *stanza.Error) error {
	return l.say(&stanza.IQ{ID: id, Type: stanza.Fail, Error: e})
}

// register makes c the connection of its client, and returns the one before, or nil. It
// fails if the server is closed.
func (s *Server) register(c *connection) (before *connection, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	before = s.clients[c.client]
	s.clients[c.client] = c
	return before, true
}

func (s *Server) unregister(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[c.client] == c {
		delete(s.clients, c.client)
	}
}

// Connected returns how many clients are connected.
func (s *Server) Connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// Shutdown takes no more connections, tells clients to go, and returns when all have
// gone. When ctx ends, those that are left are cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		_ = l.Close()
	}
	for _, c := range s.clients {
		c.end(&stanza.Error{Code: stanza.ServiceUnavailable, Text: "the server goes down"})
	}
	loggedIn := make(map[net.Conn]bool, len(s.clients))
	for _, c := range s.clients {
		loggedIn[c.nc.raw] = true
	}
	for nc := range s.open {
		if !loggedIn[nc] {
			_ = nc.Close()
		}
	}
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		s.running.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for nc := range s.open {
		_ = nc.Close()
	}
	s.mu.Unlock()
	<-gone
	return ctx.Err()
}
