package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
)

// leg is a client's pair of connections. One goroutine reads the client, another one
// connects to the gatekeeper and reads it.
type leg struct {
	s      *Server
	id     dma.ConnID
	client net.Conn
	from   netip.AddrPort // the client's address
	dial   dma.Dial       // what the machine has asked for

	up         atomic.Bool // the connection to the gatekeeper stands
	mu         sync.Mutex  // guards what follows, and keeps what goes to the gatekeeper in order
	gatekeeper net.Conn
}

// bufferSize is how much is read at once.
const bufferSize = 8 << 10

// run serves the client to its end.
func (l *leg) run() {
	ctx, cancel := context.WithCancel(l.s.ctx)
	var upper sync.WaitGroup
	upper.Go(func() { l.readGatekeeper(ctx) })
	err := l.readClient()
	cancel() // the client is gone, and so is the reason to be connected
	l.mu.Lock()
	if _, up, err := l.s.step(dma.Disconnect{Conn: l.id}); err == nil {
		l.sendUp(up)
	}
	l.mu.Unlock()
	_ = l.client.Close()
	upper.Wait()
	l.s.mu.Lock()
	delete(l.s.clients, l.id)
	l.s.mu.Unlock()
	l.s.log.Debug("client left", "conn", uint64(l.id), "reason", err)
}

// readClient moves what the client sends, until it is gone.
func (l *leg) readClient() error {
	buffer := make([]byte, bufferSize)
	for {
		if err := l.client.SetReadDeadline(time.Now().Add(l.s.cfg.IdleTimeout)); err != nil {
			return err
		}
		n, err := l.client.Read(buffer)
		if n > 0 {
			data := buffer[:n]
			if !l.up.Load() {
				data = bytes.Clone(data) // the machine keeps it
			}
			l.mu.Lock()
			_, up, stepped := l.s.step(dma.Frame{Conn: l.id, Data: data})
			if stepped == nil {
				stepped = l.sendUp(up)
			}
			l.mu.Unlock()
			err = errors.Join(err, stepped)
		}
		if err != nil {
			return err
		}
	}
}

// sendUp writes to the gatekeeper what the machine says. The caller holds the lock.
func (l *leg) sendUp(sends []dma.Send) error {
	if l.gatekeeper == nil {
		return nil
	}
	for _, s := range sends {
		if s.Close {
			return l.gatekeeper.Close()
		}
		if err := l.write(l.gatekeeper, s.Frame); err != nil {
			return err
		}
		l.s.stats.up.Add(uint64(len(s.Frame)))
	}
	return nil
}

func (l *leg) write(to net.Conn, b []byte) error {
	if err := to.SetWriteDeadline(time.Now().Add(l.s.cfg.WriteTimeout)); err != nil {
		return err
	}
	_, err := to.Write(b)
	return err
}

// readGatekeeper connects to the gatekeeper and moves what it sends, until one of the two
// is gone.
func (l *leg) readGatekeeper(ctx context.Context) {
	nc, err := l.connect(ctx)
	if err == nil {
		err = l.moveDown(nc)
		_ = nc.Close()
	}
	l.s.log.Debug("gatekeeper left", "conn", uint64(l.id), "reason", err)
	if down, _, err := l.s.step(dma.UpstreamGone{Conn: l.id}); err == nil {
		_ = l.sendDown(down)
	}
}

// connect makes the one connection for the client, with the header that passes on its
// address.
func (l *leg) connect(ctx context.Context) (net.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, l.s.cfg.DialTimeout)
	defer cancel()
	nc, err := l.s.cfg.Dial(bounded, "tcp", l.s.cfg.Gatekeeper)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	to, err := netip.ParseAddrPort(l.client.LocalAddr().String())
	var header []byte
	if err == nil {
		header, err = AppendHeader(nil, netip.AddrPortFrom(l.dial.IP, l.from.Port()), to)
	}
	if err == nil {
		err = l.write(nc, header)
	}
	if err == nil {
		err = l.stands(ctx, nc)
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return nc, nil
}

// stands says that the connection to the gatekeeper stands, unless the client is gone.
func (l *leg) stands(ctx context.Context, nc net.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.gatekeeper = nc
	_, up, err := l.s.step(dma.Upstream{Conn: l.id})
	if err != nil {
		return err
	}
	l.up.Store(true)
	return l.sendUp(up)
}

// moveDown moves what the gatekeeper sends.
func (l *leg) moveDown(nc net.Conn) error {
	buffer := make([]byte, bufferSize)
	for {
		n, err := nc.Read(buffer)
		if n > 0 {
			down, _, stepped := l.s.step(dma.UpstreamFrame{Conn: l.id, Data: buffer[:n]})
			if stepped == nil {
				stepped = l.sendDown(down)
			}
			err = errors.Join(err, stepped)
		}
		if err != nil {
			return err
		}
	}
}

// sendDown writes to the client what the machine says.
func (l *leg) sendDown(sends []dma.Send) error {
	for _, s := range sends {
		if s.Close {
			return l.client.Close()
		}
		if err := l.write(l.client, s.Frame); err != nil {
			return err
		}
		l.s.stats.down.Add(uint64(len(s.Frame)))
	}
	return nil
}
