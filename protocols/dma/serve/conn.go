package serve

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// conn is an authenticated chat connection at the gatekeeper. The goroutine of run reads,
// another one writes.
type conn struct {
	g       *Gatekeeper
	id      dma.ConnID
	account ident.Address
	static  [32]byte // the key that the client has shown
	nc      net.Conn
	r       *bufio.Reader
	channel *noise.Channel
	out     *outbox
	steps   chan struct{} // holds one for each step that is not durable
	paced   time.Time     // the state of its rate

	ctx  context.Context
	stop context.CancelCauseFunc
}

func newConn(g *Gatekeeper, nc net.Conn, r *bufio.Reader, channel *noise.Channel) *conn {
	c := &conn{
		g: g, nc: nc, r: r, channel: channel, out: newOutbox(),
		steps: make(chan struct{}, g.cfg.Limits.Steps),
	}
	c.ctx, c.stop = context.WithCancelCause(context.Background())
	return c
}

// goodbye is how long the last stanza on a connection may take.
const goodbye = time.Second

// Why connections end that the peer is not told of.
var (
	errLeft   = errors.New("serve: the peer has closed the connection")
	errClosed = errors.New("serve: the machine has closed the connection")
)

// errReplaced is what the peer is told when the machine closes its connection silently.
var errReplaced = &stanza.Error{Code: stanza.Conflict, Text: "another connection or another device of this client"}

// run serves the connection to its end, and returns why it ended.
func (c *conn) run() error {
	if err := c.g.openConn(c); err != nil {
		return errors.Join(err, c.farewell(condition(err)))
	}
	var writing sync.WaitGroup
	writing.Go(c.write)
	c.end(c.read())
	writing.Wait()
	c.g.closeConn(c)
	err := context.Cause(c.ctx)
	var told *stanza.Error
	if errors.As(err, &told) {
		_ = c.farewell(told)
	}
	return err
}

// end ends the connection for a reason: a *stanza.Error is told to the peer. The first
// reason counts.
func (c *conn) end(why error) {
	c.stop(why)
	c.out.close()
	now := time.Now()
	_ = c.nc.SetReadDeadline(now)
	_ = c.nc.SetWriteDeadline(now.Add(goodbye))
}

// farewell tells the peer why its connection ends. Nobody else writes.
func (c *conn) farewell(why *stanza.Error) error {
	_ = c.nc.SetWriteDeadline(time.Now().Add(goodbye))
	b, err := stanza.AppendBinary(nil, (&stanza.IB{Error: why}).Node())
	if err == nil {
		b, err = c.channel.Seal(nil, b)
	}
	if err == nil {
		_, err = c.nc.Write(b)
	}
	return err
}

// read takes what the client sends, until something ends the connection.
func (c *conn) read() error {
	l := &c.g.cfg.Limits
	began := func(n int) {
		if c.r.Buffered() < n {
			c.readBefore(l.FrameTimeout)
		}
	}
	taken := func(dma.Output, error) { <-c.steps }
	for {
		if err := c.out.room(c.ctx, l.Queue); err != nil { // who does not read is not read
			return err
		}
		if c.r.Buffered() < noise.HeaderSize {
			c.readBefore(l.IdleTimeout)
		}
		body, err := noise.ReadFrame(c.r, l.Frame+noise.Overhead, began)
		if err != nil {
			return ended(err)
		}
		frame, err := c.channel.Open(body)
		if err != nil {
			return err // who sent this is not the client
		}
		c.g.cfg.Watch.frame(c.account, false, frame)
		if err := c.pace(len(frame)); err != nil {
			return err
		}
		select {
		case c.steps <- struct{}{}:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
		err = c.g.step(dma.Frame{Conn: c.id, Data: frame}, taken)
		if err != nil {
			return errors.Join(condition(err), err)
		}
	}
}

// pace waits until the client may send one more stanza, of that size.
func (c *conn) pace(size int) error {
	r := c.g.cfg.Rates.Stanzas
	if r.N == 0 {
		return nil
	}
	now := time.Now()
	after, free := r.next(c.paced, now, 1+size/StanzaUnit)
	c.paced = after
	if !free.After(now) {
		return nil
	}
	select {
	case <-time.After(free.Sub(now)):
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// ended returns an error for the peer if what came was wrong, and else why nothing came.
func ended(err error) error {
	var frame *noise.Error
	switch {
	case errors.As(err, &frame):
		return condition(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &stanza.Error{Code: stanza.RequestTimeout}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errLeft
	}
	return err
}

// readBefore bounds how long a read may take, unless the connection is to end. It is
// called before each read that may wait.
func (c *conn) readBefore(d time.Duration) {
	_ = c.nc.SetReadDeadline(time.Now().Add(d))
	if c.ctx.Err() != nil {
		_ = c.nc.SetReadDeadline(time.Now())
	}
}

// send queues a frame, or has the connection end after what is queued. It does not block.
func (c *conn) send(frame []byte, last bool) {
	if frame != nil {
		c.g.cfg.Watch.frame(c.account, true, frame)
	}
	switch {
	case frame == nil && last: // nothing says why
		c.end(errReplaced)
	case last:
		c.out.add(frame)
		c.out.finish()
	case frame != nil:
		c.out.add(frame)
	}
}

// write sends what is queued, until the connection is to end.
func (c *conn) write() {
	err := c.out.write(c.channel, c.nc, c.writeBefore)
	if err == nil {
		err = errClosed
	}
	c.end(err)
}

// writeBefore bounds how long a write may take, unless the connection is to end.
func (c *conn) writeBefore() {
	if c.ctx.Err() == nil {
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.g.cfg.Limits.WriteTimeout))
	}
	if c.ctx.Err() != nil {
		_ = c.nc.SetWriteDeadline(time.Now().Add(goodbye))
	}
}
