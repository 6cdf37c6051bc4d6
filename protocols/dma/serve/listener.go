package serve

import (
	"net"
	"sync"
)

// gated is the enlistment server's listener: connections beyond the bounds are closed.
type gated struct {
	net.Listener
	g     *Gatekeeper
	slots chan struct{} // holds one for each connection
}

// Accept returns the next connection within the bounds.
func (l *gated) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := l.admit(nc)
		if err != nil {
			l.g.refuse(nc, err)
			_ = nc.Close()
			continue
		}
		return &gatedConn{Conn: nc, leave: leave}, nil
	}
}

func (l *gated) admit(nc net.Conn) (func(), error) {
	select {
	case l.slots <- struct{}{}:
	default:
		return nil, errFull
	}
	leave, err := l.g.gate.admit(&l.g.gate.https, nc.RemoteAddr())
	if err != nil {
		<-l.slots
		return nil, err
	}
	return func() {
		leave()
		<-l.slots
	}, nil
}

// gatedConn leaves its place when it is closed.
type gatedConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (c *gatedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.leave)
	return err
}
