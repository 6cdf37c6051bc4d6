package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/accept"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// ErrStopped: the proxy does not work any more.
var ErrStopped = errors.New("proxy: stopped")

// Config is what a proxy is. It is not modified.
type Config struct {
	// Gatekeeper is the address of the gatekeeper's listener for proxies, host and port.
	Gatekeeper string
	// Dial makes connections to it in place of the network; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Connections  int           // clients at once; default 10000
	DialTimeout  time.Duration // of a connection to the gatekeeper; default 10 s
	IdleTimeout  time.Duration // of a client that is silent, which sends keepalives; default 90 s
	WriteTimeout time.Duration // for one who does not read; default 20 s

	// Logger is told what happens; nil discards it.
	Logger *slog.Logger
}

// Server is a proxy that runs. Its methods may be called by several goroutines at once.
type Server struct {
	cfg   Config
	log   *slog.Logger
	stats counters

	ctx     context.Context // ends when the proxy stops
	stop    context.CancelCauseFunc
	running sync.WaitGroup

	mu        sync.Mutex // guards what follows
	machine   *dma.Proxy
	last      dma.ConnID
	clients   map[dma.ConnID]net.Conn
	listeners map[net.Listener]struct{}
	closed    bool
}

// New returns a proxy without clients.
func New(cfg Config) (*Server, error) {
	cfg.Connections = cmp.Or(cfg.Connections, 10000)
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, 10*time.Second)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, 90*time.Second)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, 20*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Gatekeeper == "" && cfg.Dial == nil {
		return nil, errors.New("proxy: config: no address of the gatekeeper")
	}
	if cfg.Connections < 0 || min(cfg.DialTimeout, cfg.IdleTimeout, cfg.WriteTimeout) < 0 {
		return nil, errors.New("proxy: config: a limit is negative")
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, machine: dma.NewProxy(), clients: map[dma.ConnID]net.Conn{}, listeners: map[net.Listener]struct{}{},
	}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	return s, nil
}

// Serve takes clients of l until the proxy stops, and returns why. It closes l.
func (s *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrStopped
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	for {
		nc, err := accept.Next(l, s.log)
		if err != nil {
			s.mu.Lock()
			closed := s.closed
			delete(s.listeners, l)
			s.mu.Unlock()
			if closed {
				<-s.ctx.Done()
				return s.Err()
			}
			return fmt.Errorf("proxy: accepting: %w", err)
		}
		g, err := s.enter(nc)
		if err != nil {
			s.stats.refused.Add(1)
			s.log.Info("connection refused", "peer", nc.RemoteAddr(), "error", err)
			_ = nc.Close()
			continue
		}
		go func() {
			defer s.running.Done()
			g.run()
		}()
	}
}

// enter makes a connection a client, if there is room for it.
func (s *Server) enter(nc net.Conn) (*leg, error) {
	from, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return nil, fmt.Errorf("proxy: address of the client: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.clients) >= s.cfg.Connections {
		return nil, errors.New("proxy: too many clients, or none any more")
	}
	s.last++
	g := &leg{s: s, id: s.last, client: nc, from: from}
	out, err := s.machine.Step(time.Now(), dma.Connect{Conn: g.id, IP: from.Addr().Unmap()})
	if err != nil {
		return nil, err
	}
	g.dial = out.Dials[0]
	s.clients[g.id] = nc
	s.running.Add(1)
	s.stats.clients.Add(1)
	return g, nil
}

// step has the machine take an input, and returns what is to be sent to both sides.
func (s *Server) step(in dma.Input) (down, up []dma.Send, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.machine.Step(time.Now(), in)
	if err != nil {
		return nil, nil, err
	}
	return slices.Clone(out.Sends), slices.Clone(out.Upstream), nil
}

// Err returns nil while the proxy works, and then [ErrStopped].
func (s *Server) Err() error {
	if s.ctx.Err() == nil {
		return nil
	}
	return context.Cause(s.ctx)
}

// Shutdown stops the proxy: it takes no more clients, and cuts those that there are when
// ctx ends, who connect again elsewhere.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end()
	gone := make(chan struct{})
	go func() {
		s.running.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-ctx.Done():
	}
	return s.Close()
}

// end takes no more clients.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for l := range s.listeners {
		_ = l.Close()
	}
}

// Close stops the proxy at once.
func (s *Server) Close() error {
	s.end()
	s.stop(ErrStopped)
	s.mu.Lock()
	for _, nc := range s.clients {
		_ = nc.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// Stats counts what a proxy has done since it started.
type Stats struct {
	Connected int    `json:"connected"` // clients, now
	Clients   uint64 `json:"clients"`   // so far
	Refused   uint64 `json:"refused"`   // connections for which there was no room
	Up        uint64 `json:"up"`        // bytes of clients that went to the gatekeeper
	Down      uint64 `json:"down"`      // bytes of it that went to clients
}

// counters are what Stats is made of.
type counters struct{ clients, refused, up, down atomic.Uint64 }

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	connected := len(s.clients)
	s.mu.Unlock()
	return Stats{connected, s.stats.clients.Load(), s.stats.refused.Load(), s.stats.up.Load(), s.stats.down.Load()}
}
