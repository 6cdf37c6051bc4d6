package proxy

import (
	"cmp"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ListenerConfig is from whom a gatekeeper takes headers. It is not modified.
type ListenerConfig struct {
	// From are the addresses of proxies. Others are closed: they could say that they are
	// whoever they like.
	From []netip.Prefix
	// Timeout is how long a header may take; default 10 s. Waiting is how many may be on
	// their way at once; default 256. Assumed.
	Timeout time.Duration
	Waiting int
	// Logger is told of those that are closed; nil discards it.
	Logger *slog.Logger
}

// Listen returns a listener of connections that proxies make for their clients: what
// RemoteAddr says is the client's address, and what is read is what the client has sent.
// It owns l.
func Listen(l net.Listener, cfg ListenerConfig) net.Listener {
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.Waiting = cmp.Or(cfg.Waiting, 256)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &listener{
		Listener: l, cfg: cfg, ready: make(chan net.Conn), failed: make(chan error, 1), closed: make(chan struct{}),
		waiting: make(chan struct{}, cfg.Waiting),
	}
	go p.run()
	return p
}

// listener is what Listen returns.
type listener struct {
	net.Listener
	cfg     ListenerConfig
	ready   chan net.Conn
	failed  chan error
	waiting chan struct{} // holds one for each header that is awaited
	once    sync.Once
	closed  chan struct{}
}

// Accept implements net.Listener.
func (p *listener) Accept() (net.Conn, error) {
	select {
	case c := <-p.ready:
		return c, nil
	case err := <-p.failed:
		return nil, err
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *listener) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.Listener.Close()
}

// run takes connections until there is an error, which Accept returns.
func (p *listener) run() {
	for {
		nc, err := p.Listener.Accept()
		if err != nil {
			select {
			case p.failed <- err:
			case <-p.closed:
				return
			}
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				continue
			}
			if isClosed(p.closed) {
				return
			}
			time.Sleep(acceptAgain) // the caller may go on after it
			continue
		}
		if !p.trusts(nc.RemoteAddr()) {
			p.cfg.Logger.Warn("not an address of a proxy", "peer", nc.RemoteAddr())
			_ = nc.Close()
			continue
		}
		select {
		case p.waiting <- struct{}{}:
			go p.take(nc)
		default:
			p.cfg.Logger.Warn("too many headers on their way", "peer", nc.RemoteAddr())
			_ = nc.Close()
		}
	}
}

// acceptAgain is how long no connection is taken after an error.
const acceptAgain = 20 * time.Millisecond

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// trusts reports whether an address is a proxy's.
func (p *listener) trusts(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return false
	}
	for _, from := range p.cfg.From {
		if from.Contains(ap.Addr().Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// take reads the header of a connection and hands it on.
func (p *listener) take(nc net.Conn) {
	err := nc.SetReadDeadline(time.Now().Add(p.cfg.Timeout))
	var client netip.AddrPort
	if err == nil {
		client, err = ReadHeader(nc)
	}
	if err == nil {
		err = nc.SetReadDeadline(time.Time{})
	}
	<-p.waiting
	if err != nil {
		p.cfg.Logger.Warn("connection of a proxy", "peer", nc.RemoteAddr(), "error", err)
		_ = nc.Close()
		return
	}
	select {
	case p.ready <- &clientConn{nc, net.TCPAddrFromAddrPort(client)}:
	case <-p.closed:
		_ = nc.Close()
	}
}

// clientConn is a proxy's connection for a client.
type clientConn struct {
	net.Conn
	client net.Addr
}

// RemoteAddr returns the client's address.
func (c *clientConn) RemoteAddr() net.Addr { return c.client }
