package serve

import (
	"bufio"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/accept"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/jwks"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// ServeChat takes chat connections of l until the gatekeeper stops, and returns why. It
// closes l.
func (g *Gatekeeper) ServeChat(l net.Listener) error {
	defer func() { _ = l.Close() }()
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return ErrStopped
	}
	g.listeners[l] = struct{}{}
	g.mu.Unlock()
	for {
		nc, err := accept.Next(l, g.log)
		if err != nil {
			g.mu.Lock()
			delete(g.listeners, l)
			closed := g.closed
			g.mu.Unlock()
			if closed {
				<-g.ctx.Done()
				return g.Err()
			}
			return fmt.Errorf("serve: accepting: %w", err)
		}
		leave, err := g.gate.admit(&g.gate.chat, nc.RemoteAddr())
		if err == nil && !g.enter(nc) {
			leave()
			err = errFull
		}
		if err != nil {
			g.refuse(nc, err)
			_ = nc.Close()
			continue
		}
		go func() {
			defer leave()
			defer g.leave(nc)
			g.serveChat(nc)
		}()
	}
}

// enter counts a connection, if there is room for it.
func (g *Gatekeeper) enter(nc net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.open) >= g.cfg.Limits.Connections {
		return false
	}
	g.open[nc] = struct{}{}
	g.serving.Add(1)
	return true
}

func (g *Gatekeeper) leave(nc net.Conn) {
	_ = nc.Close()
	g.mu.Lock()
	delete(g.open, nc)
	g.mu.Unlock()
	g.serving.Done()
}

// serveChat serves one connection to its end.
func (g *Gatekeeper) serveChat(nc net.Conn) {
	leave, err := g.gate.handshake(nc.RemoteAddr())
	if err != nil {
		g.refuse(nc, err)
		return
	}
	select {
	case g.handshakes <- struct{}{}:
	default:
		leave()
		g.refuse(nc, errSlots)
		return
	}
	c, err := g.handshake(nc)
	<-g.handshakes
	leave()
	if err != nil {
		g.cfg.Watch.connected(ident.Address{}, err)
		g.refuse(nc, err)
		return
	}
	g.cfg.Watch.connected(c.account, nil)
	err = c.run()
	g.cfg.Watch.gone(c.account, err)
	g.log.Info("connection ended", g.account(c.account), "reason", why(err))
}

// readSize is the room of a connection for what has come and was not looked at.
const readSize = 4 << 10

func newReader(nc net.Conn) *bufio.Reader { return bufio.NewReaderSize(nc, readSize) }

// handshake learns who the peer is. Until then it gets little room and time.
func (g *Gatekeeper) handshake(nc net.Conn) (*conn, error) {
	deadline := time.Now().Add(g.cfg.Limits.HandshakeTimeout)
	if err := nc.SetDeadline(deadline); err != nil {
		return nil, err
	}
	r := newReader(nc)
	peer, channel, err := noise.Accept(r, nc, g.cfg.Noise)
	if err != nil {
		return nil, err
	}
	c := newConn(g, nc, r, channel)
	c.static = peer.Static
	ctx, cancel := context.WithDeadline(g.ctx, deadline)
	defer cancel()
	if c.account, err = g.authenticate(ctx, peer); err != nil {
		_ = c.farewell(condition(err))
		return nil, err
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return c, nil
}

// Why a client with a good handshake is not let in.
var (
	errNotEnlisted = fmt.Errorf("serve: no such account: %w", stanza.NotEnlisted)
	errAuthKey     = fmt.Errorf("serve: not the static key that was enlisted: %w", stanza.NotAuthorized)
	errIssuer      = fmt.Errorf("serve: the token is of nobody with an agreement: %w", stanza.NotAuthorized)
)

// authenticate returns whose account a client may use: that of the key which was enlisted,
// and of a partner's user also the token that the partner signed.
func (g *Gatekeeper) authenticate(ctx context.Context, peer *noise.Peer) (ident.Address, error) {
	p := peer.Payload
	addr := ident.Address{User: strconv.FormatUint(p.Username, 10), Server: g.cfg.Machine.Native}
	var by *Partner
	if p.Product.Interop() {
		h, err := token.Peek(string(p.Token))
		if err != nil {
			return ident.Address{}, err
		}
		if by = g.cfg.partner(h.Issuer); by == nil {
			return ident.Address{}, errIssuer
		}
		addr = ident.Address{User: strconv.FormatUint(p.AccountID, 10), Server: ident.Interop, Integrator: by.Integrator}
	}
	g.machine.mu.Lock()
	account, ok := g.machine.gk.Account(addr)
	g.machine.mu.Unlock()
	if !ok {
		return addr, errNotEnlisted
	}
	if subtle.ConstantTimeCompare(account.AuthKey, peer.Static[:]) != 1 {
		return addr, errAuthKey
	}
	if by != nil {
		if err := g.check(ctx, by, string(p.Token), account.Visible); err != nil {
			return addr, err
		}
	}
	return addr, nil
}

// errBusy: as many tokens of the partner are checked already as may be, since its keys do
// not come.
var errBusy = fmt.Errorf("serve: too many tokens of one partner are checked at once: %w", stanza.ServiceUnavailable)

// check verifies a partner's token. A partner whose keys don't come holds up its own users
// alone.
func (g *Gatekeeper) check(ctx context.Context, by *Partner, t, identifier string) error {
	select {
	case g.checks[by.Integrator] <- struct{}{}:
		defer func() { <-g.checks[by.Integrator] }()
	default:
		return errBusy
	}
	_, err := by.Tokens.Verify(ctx, t, identifier)
	return err
}

// condition returns what a client is told of an error.
func condition(err error) *stanza.Error {
	var (
		told  *stanza.Error
		code  stanza.Code
		frame *noise.Error
		proof *token.Error
	)
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &code):
		return &stanza.Error{Code: code}
	case errors.Is(err, jwks.ErrUnavailable), errors.Is(err, ErrStopped):
		return &stanza.Error{Code: stanza.ServiceUnavailable, Text: "try again later"}
	case errors.As(err, &proof):
		return &stanza.Error{Code: stanza.NotAuthorized, Text: proof.Kind.Error()}
	case errors.As(err, &frame) && frame.Kind == noise.ErrFrame:
		return &stanza.Error{Code: stanza.ResourceLimit, Text: "frame length"}
	}
	return &stanza.Error{Code: stanza.BadRequest}
}

// peerIP returns the address of the client's end.
func peerIP(nc net.Conn) netip.Addr {
	a, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// openConn makes c the connection of its account. The one before ends.
func (g *Gatekeeper) openConn(c *conn) error {
	g.machine.mu.Lock()
	defer g.machine.mu.Unlock()
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed {
		return ErrStopped
	}
	// Meanwhile the user may have enlisted another device.
	if a, _ := g.machine.gk.Account(c.account); subtle.ConstantTimeCompare(a.AuthKey, c.static[:]) != 1 {
		return errAuthKey
	}
	g.machine.last++
	c.id = g.machine.last
	g.machine.conns[c.id] = c
	err := g.stepLocked(dma.Connect{Conn: c.id, Account: c.account, IP: peerIP(c.nc)}, nil)
	if err != nil {
		delete(g.machine.conns, c.id)
	}
	return err
}

// closeConn says that a connection has ended.
func (g *Gatekeeper) closeConn(c *conn) {
	g.machine.mu.Lock()
	defer g.machine.mu.Unlock()
	delete(g.machine.conns, c.id)
	_ = g.stepLocked(dma.Disconnect{Conn: c.id}, nil)
}
