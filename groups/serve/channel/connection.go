package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/chat"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// connection is the server's side of one, after login. The goroutine of run reads, one
// writes, one waits for deliveries, and each call that is under way has one.
type connection struct {
	s       *Server
	nc      *line
	client  ident.URI
	loginID string
	session Session // set before any other goroutine runs

	answers    chan stanza.Stanza
	deliveries chan outgoing

	ctx   context.Context
	stop  context.CancelCauseFunc
	calls chan struct{} // holds one for each call under way
	wg    sync.WaitGroup
	done  chan struct{} // closed when the session is closed
}

// outgoing is a delivery, or what stands between deliveries.
type outgoing struct {
	follower.Delivery
	between *stanza.IB // in place of a delivery
}

func newConnection(s *Server, nc *line, client ident.URI, loginID string) *connection {
	c := &connection{
		s: s, nc: nc, client: client, loginID: loginID,
		// Beside calls there are refusals and keepalives to answer.
		answers:    make(chan stanza.Stanza, 2*s.limits.Calls+16),
		deliveries: make(chan outgoing, 16), // so that several leave at once
		calls:      make(chan struct{}, s.limits.Calls),
		done:       make(chan struct{}),
	}
	c.ctx, c.stop = context.WithCancelCause(context.Background())
	return c
}

// errLeft: the client has closed the connection.
var errLeft = errors.New("channel: the client has left")

// run serves the connection to its end, and returns why it ended.
func (c *connection) run() error {
	defer close(c.done)
	before, ok := c.s.register(c)
	if !ok {
		return net.ErrClosed
	}
	defer c.s.unregister(c)
	if before != nil {
		before.end(&stanza.Error{Code: stanza.Conflict, Text: "another connection of this client"})
		<-before.done
	}
	defer func() { _ = c.nc.Close() }()
	if err := c.open(); err != nil {
		return err
	}
	c.wg.Go(c.write)
	c.wg.Go(c.receive)
	c.end(c.read())
	c.wg.Wait() // for the calls, and that nobody writes
	c.session.Close()
	err := context.Cause(c.ctx)
	c.farewell(err)
	return err
}

// open opens the session and answers the login.
func (c *connection) open() error {
	ctx, cancel := context.WithTimeout(c.ctx, c.s.limits.CallTimeout)
	defer cancel()
	var err error
	if c.session, err = c.s.cfg.Open(ctx, c.client); err != nil {
		_ = c.nc.SetWriteDeadline(time.Now().Add(goodbye))
		return errors.Join(err, refuse(c.nc, c.loginID, chat.Condition(err)))
	}
	c.writeBefore()
	if err = c.nc.say(&stanza.IQ{ID: c.loginID, Type: stanza.Result}); err != nil {
		c.session.Close()
	}
	return err
}

// end ends the connection for a reason: a *stanza.Error is told to the client. The first
// reason counts.
func (c *connection) end(why error) {
	c.stop(why)
	now := time.Now()
	_ = c.nc.SetReadDeadline(now)
	_ = c.nc.SetWriteDeadline(now.Add(goodbye))
}

// farewell tells the client why its connection ends, if that is the server's wish.
func (c *connection) farewell(why error) {
	var e *stanza.Error
	if !errors.As(why, &e) {
		return
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(goodbye))
	_ = c.nc.say(&stanza.IB{Error: e})
}

// ended returns an error for the client if what came was wrong, and else why nothing
// came.
func ended(err error) error {
	var (
		frame  *FrameError
		format *stanza.FormatError
	)
	switch {
	case errors.As(err, &frame):
		return &stanza.Error{Code: stanza.ResourceLimit, Text: frame.Error()}
	case errors.As(err, &format):
		return &stanza.Error{Code: stanza.BadRequest, Text: format.Check.Error()}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &stanza.Error{Code: stanza.RequestTimeout}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errLeft
	}
	return err
}

// read takes what the client sends, until something ends the connection.
func (c *connection) read() error {
	l := &c.s.limits
	f := &frames{line: c.nc, began: func(int) { c.readBefore(l.FrameTimeout) }}
	for number := uint64(1); ; number++ {
		c.readBefore(l.IdleTimeout)
		s, err := f.next(l.Frame)
		if err != nil {
			return ended(err)
		}
		q, err := chat.Read(c.client, number, s, c.s.cfg.Points)
		if err := c.handle(q, err); err != nil {
			return err
		}
	}
}

// readBefore bounds how long a read may take, unless the connection is to end.
func (c *connection) readBefore(d time.Duration) {
	_ = c.nc.SetReadDeadline(time.Now().Add(d))
	if c.ctx.Err() != nil {
		_ = c.nc.SetReadDeadline(time.Now())
	}
}

// handle has done what was asked. Acknowledgements are dealt with one after another, the
// rest beside what comes next.
func (c *connection) handle(q chat.Query, err error) error {
	switch in := q.Input.(type) {
	case nil:
		if !q.Answered() {
			return chat.Condition(err) // nobody can answer it: a client of another kind
		}
		return c.answer(q, nil, err)
	case follower.Ack:
		if _, err := c.do(in); err != nil {
			return chat.Condition(err)
		}
		return nil
	}
	select {
	case c.calls <- struct{}{}:
	default:
		return c.answer(q, nil, &stanza.Error{Code: stanza.RateOverlimit, Text: "too many requests at once", After: 1})
	}
	c.wg.Go(func() {
		body, err := c.do(q.Input)
		<-c.calls
		if err := c.answer(q, body, err); err != nil {
			c.end(err)
		}
	})
	return nil
}

func (c *connection) do(in any) (any, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.s.limits.CallTimeout)
	defer cancel()
	return do(ctx, c.session, in)
}

// answer queues an answer. A client that asks and does not read has no room for it.
func (c *connection) answer(q chat.Query, body any, err error) error {
	s, err := q.Answer(body, err)
	if err != nil {
		c.s.log.Error("an answer that no stanza can carry", "client", c.client, "error", err)
		s, _ = q.Answer(nil, &stanza.Error{Code: stanza.InternalServerError})
	}
	select {
	case c.answers <- s:
		return nil
	default:
		return &stanza.Error{Code: stanza.ResourceLimit, Text: "too many answers wait to be read"}
	}
}

// receive waits for deliveries, as long as the client reads those before. It says when
// all have come that waited for the connection.
func (c *connection) receive() {
	waited, err := c.session.Backlog(c.ctx)
	for n := 0; err == nil; n++ {
		if n == waited && !c.pass(outgoing{between: &stanza.IB{Offline: &stanza.Offline{Count: waited}}}) {
			return
		}
		var d follower.Delivery
		if d, err = c.session.Receive(c.ctx); err == nil && !c.pass(outgoing{Delivery: d}) {
			return
		}
	}
	if c.ctx.Err() == nil {
		c.s.log.Info("session ended", "client", c.client, "error", err)
	}
	c.end(&stanza.Error{Code: stanza.ServiceUnavailable, Text: "the provider has ended the session"})
}

// pass gives an event to the writer, and reports whether the connection goes on.
func (c *connection) pass(e outgoing) bool {
	select {
	case c.deliveries <- e:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// write sends answers and deliveries, until the connection is to end. What is ready
// leaves together.
func (c *connection) write() {
	out := newSender(c.nc)
	for c.ctx.Err() == nil {
		var err error
		select {
		case s := <-c.answers:
			err = c.reply(out, s)
		case d := <-c.deliveries:
			err = c.deliver(out, d)
		default:
			err = c.flush(out)
			if err != nil {
				break
			}
			select {
			case s := <-c.answers:
				err = c.reply(out, s)
			case d := <-c.deliveries:
				err = c.deliver(out, d)
			case <-c.ctx.Done():
			}
		}
		if err != nil {
			c.end(err)
		}
	}
}

// deliver sends a delivery. One that no stanza can carry, of which a hub can make any
// number, is left out, and the client sees by the number of the next that it lacks one: if
// the connection ended, it would do so again on the next, and nothing would ever come.
func (c *connection) deliver(out *sender, e outgoing) error {
	if e.between != nil {
		return c.send(out, e.between)
	}
	s, err := chat.Deliver(e.Delivery, c.s.cfg.Points)
	var format *stanza.FormatError
	if err == nil {
		if err = c.send(out, s); !errors.As(err, &format) {
			return err
		}
	}
	c.s.log.Error("a delivery that no stanza can carry", "client", c.client, "room", e.Room, "seq", e.Seq, "error", err)
	return nil
}

// reply sends an answer. In place of one that no stanza can carry goes that there is one.
func (c *connection) reply(out *sender, s stanza.Stanza) error {
	err := c.send(out, s)
	var format *stanza.FormatError
	iq, ok := s.(*stanza.IQ)
	if !ok || !errors.As(err, &format) {
		return err
	}
	c.s.log.Error("an answer that no stanza can carry", "client", c.client, "error", err)
	return c.send(out, &stanza.IQ{ID: iq.ID, Type: stanza.Fail, Error: &stanza.Error{Code: stanza.ResourceLimit, Text: "the answer is too large"}})
}

func (c *connection) send(out *sender, s stanza.Stanza) error {
	c.writeBefore()
	return out.write(s)
}

func (c *connection) flush(out *sender) error {
	if out.w.Buffered() == 0 {
		return nil
	}
	c.writeBefore()
	return out.w.Flush()
}

// writeBefore bounds how long a write may take, unless the connection is to end.
func (c *connection) writeBefore() {
	if c.ctx.Err() == nil {
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.s.limits.WriteTimeout))
	}
	if c.ctx.Err() != nil {
		_ = c.nc.SetWriteDeadline(time.Now().Add(goodbye))
	}
}
