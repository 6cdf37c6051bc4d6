package serve

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// Run connects the device, and connects it again when the connection breaks, until ctx
// ends, the device stops, or the gatekeeper refuses it for good, which is a *stanza.Error:
// it knows no such account, does not accept the key or the token, has ended the agreement,
// or another device took over.
func (d *Device) Run(ctx context.Context) error {
	wait := d.cfg.Again
	for {
		connected, err := d.connect(ctx)
		d.mu.Lock()
		stopped := d.stopped
		d.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case stopped != nil:
			return stopped
		case final(err):
			return err
		}
		if connected {
			wait = d.cfg.Again
		}
		d.log.Info("no connection", "error", err, "again", wait)
		select {
		case <-time.After(d.spread(wait)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wait = min(2*wait, d.cfg.AgainMost)
	}
}

// spread returns a time from half of t to t, so that devices which lost a gatekeeper
// together do not come back together.
func (d *Device) spread(t time.Duration) time.Duration {
	var b [4]byte
	if _, err := io.ReadFull(d.cfg.Suite.Rand(), b[:]); err != nil {
		return t
	}
	return t/2 + time.Duration(float64(t/2)*float64(binary.BigEndian.Uint32(b[:]))/(1<<32))
}

// final reports whether it is of no use to connect again.
func final(err error) bool {
	for _, code := range []stanza.Code{
		stanza.NotAuthorized, stanza.Forbidden, stanza.NotEnlisted, stanza.AgreementRevoked, stanza.Conflict,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return errors.Is(err, noise.ErrServer)
}

// connect makes a connection and serves it to its end. It returns whether the gatekeeper
// let the device in, and why it ended.
func (d *Device) connect(ctx context.Context) (connected bool, err error) {
	dialing, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	nc, err := d.cfg.Dial(dialing, "tcp", d.cfg.Address)
	if err != nil {
		return false, fmt.Errorf("serve: %w", err)
	}
	defer func() { _ = nc.Close() }()
	undo := context.AfterFunc(ctx, func() { _ = nc.Close() })
	defer undo()
	if err := nc.SetDeadline(time.Now().Add(d.cfg.Timeout)); err != nil {
		return false, fmt.Errorf("serve: %w", err)
	}
	l := &line{d: d, nc: nc, r: newReader(nc), out: newOutbox()}
	if l.channel, err = l.handshake(dialing); err != nil {
		return false, err
	}
	if err := nc.SetDeadline(time.Time{}); err != nil {
		return false, fmt.Errorf("serve: %w", err)
	}
	return l.run()
}

// line is a connection at the device. The goroutine of run reads, another one writes, and
// one says that the device is there.
type line struct {
	d       *Device
	id      dma.ConnID
	nc      net.Conn
	r       *bufio.Reader
	channel *noise.Channel
	out     *outbox
	frames  int
}

// handshake authenticates both sides.
func (l *line) handshake(ctx context.Context) (*noise.Channel, error) {
	p, err := l.d.payload(ctx)
	if err != nil {
		return nil, err
	}
	cfg := noise.Config{
		Dialect: l.d.cfg.Dialect, Suite: l.d.cfg.Suite, Static: l.d.account.static(),
		Limits: noise.Limits{Plaintext: noise.MaxFrame - noise.Overhead},
	}
	return noise.Connect(l.r, l.nc, time.Now(), cfg, l.d.cfg.Trust, p)
}

// payload returns what the device says of itself.
func (d *Device) payload(ctx context.Context) (*noise.ClientPayload, error) {
	a := d.account.Address
	n, err := strconv.ParseUint(a.User, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("serve: account %v has no number: %w", a, err)
	}
	if a.Server != ident.Interop {
		p := &noise.ClientPayload{Username: n}
		if a.Server == ident.Messenger {
			p.Product = noise.ProductMessenger
		}
		return p, nil
	}
	if d.cfg.Token == nil {
		return nil, fmt.Errorf("serve: account %v is a partner's user, want a token", a)
	}
	token, err := d.cfg.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("serve: token: %w", err)
	}
	return &noise.ClientPayload{Product: noise.ProductInterop, AccountID: n, Token: []byte(token)}, nil
}

// run serves the connection to its end.
func (l *line) run() (connected bool, err error) {
	d := l.d
	d.mu.Lock()
	d.last++
	l.id, d.out = d.last, l.out
	d.mu.Unlock()
	if err := d.step(dma.Connect{Conn: l.id, Account: d.account.Address}, nil); err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	beside.Go(l.write)
	beside.Go(func() { l.keepAlive(ctx) })
	err = l.read()
	cancel()
	l.out.close()
	_ = l.nc.Close()
	beside.Wait()
	_ = d.step(dma.Disconnect{Conn: l.id}, nil) // from now on the machine sends nothing
	d.mu.Lock()
	d.out = nil
	d.mu.Unlock()
	return l.frames > 0, err
}

// read takes what the gatekeeper sends, until the connection ends. Its last word may say
// why.
func (l *line) read() error {
	for {
		_ = l.nc.SetReadDeadline(time.Now().Add(3 * l.d.cfg.KeepAlive))
		body, err := noise.ReadFrame(l.r, l.channel.MaxBody(), nil)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return errors.New("serve: the gatekeeper is silent")
			}
			return fmt.Errorf("serve: %w", err)
		}
		frame, err := l.channel.Open(body)
		if err != nil {
			return err
		}
		if e := farewell(frame); e != nil {
			return e
		}
		l.frames++
		if err := l.d.step(dma.Frame{Conn: l.id, Data: frame}, nil); err != nil {
			return err
		}
	}
}

// farewell returns the error by which a gatekeeper ends a connection, or nil.
func farewell(frame []byte) error {
	const most = 1 << 10 // it is short, and most frames are not looked at twice
	if len(frame) > most {
		return nil
	}
	tree, err := stanza.ParseBinary(frame)
	if err != nil || tree.Tag != "ib" {
		return nil // what it is, the machine says
	}
	s, err := stanza.Parse(tree)
	if err != nil {
		return nil
	}
	if ib, ok := s.(*stanza.IB); ok && ib.Error != nil {
		return ib.Error
	}
	return nil
}

// write sends what is queued, until the connection ends.
func (l *line) write() {
	err := l.out.write(l.channel, l.nc, func() { _ = l.nc.SetWriteDeadline(time.Now().Add(l.d.cfg.Timeout)) })
	if err != nil && !errors.Is(err, ErrStopped) {
		l.d.log.Info("writing", "error", err)
	}
	_ = l.nc.Close()
}

// keepAlive says that the device is there. The answers say that the gatekeeper is.
func (l *line) keepAlive(ctx context.Context) {
	frame, err := stanza.AppendBinary(nil, (&stanza.IQ{ID: "alive", Type: stanza.Get, Payload: stanza.KeepAlive{}}).Node())
	if err != nil {
		panic("serve: a keepalive does not render: " + err.Error())
	}
	t := time.NewTicker(l.d.cfg.KeepAlive)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			l.out.add(frame)
		}
	}
}
