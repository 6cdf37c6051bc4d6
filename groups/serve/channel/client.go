package channel

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/chat"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// ClientConfig is what a client needs. It is not modified.
type ClientConfig struct {
	// Client is who it is; required.
	Client ident.URI
	// Token proves it, if no certificate in TLS does.
	Token []byte
	// TLS has the roots, and a certificate if that proves who the client is, for [Dial].
	TLS *tls.Config
	// Noise has the client connect over Noise in place of TLS.
	Noise *Noise
	// Deliver is called with what comes for the client, one after another; required. It
	// may come again after a new connection: the client knows it by Room and Seq. What
	// was stored is acknowledged with Do, which does not wait for an Ack. Another Do in
	// Deliver would wait for ever.
	Deliver func(follower.Delivery)
	// Points are the draft's code points; nil means [mimi.DefaultCodePoints].
	Points *mimi.CodePoints
	// KeepAlive is how often the client says that it is there; default 25 s. A server
	// that is silent for three times that is taken to be gone.
	KeepAlive time.Duration
	// WriteTimeout is how long the server may take to read a stanza; default 20 s.
	WriteTimeout time.Duration
}

// Noise is what a client needs to connect over Noise.
type Noise struct {
	Config noise.Config // its Static proves who the client is, if no token does; the bound on a message is set here
	Trust  noise.Trust  // which server it wants
}

// Client is a connection of a client with its provider. Its methods may be called by
// several goroutines.
type Client struct {
	cfg  ClientConfig
	nc   *line
	stop context.CancelCauseFunc
	ctx  context.Context // ends with the connection
	wg   sync.WaitGroup

	caughtUp func() // closes caught
	caught   chan struct{}

	write sync.Mutex // guards out
	out   *sender

	mu      sync.Mutex // guards what follows
	next    uint64
	waiting map[string]waiter // by the id of what was asked
}

// waiter waits for an answer.
type waiter struct {
	asked  stanza.Stanza
	answer chan<- stanza.Stanza // has room for it
}

// Dial connects a client over TLS or Noise. ctx bounds the connecting alone.
func Dial(ctx context.Context, addr string, cfg ClientConfig) (*Client, error) {
	if (cfg.TLS == nil) == (cfg.Noise == nil) {
		return nil, errors.New("channel: ClientConfig has TLS and Noise, or neither; want one of them")
	}
	if cfg.Noise != nil {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("channel: %w", err)
		}
		return NewClient(ctx, nc, cfg)
	}
	t := cfg.TLS.Clone()
	t.MinVersion = max(t.MinVersion, tls.VersionTLS13)
	t.NextProtos = []string{Protocol}
	nc, err := (&tls.Dialer{Config: t}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("channel: %w", err)
	}
	return NewClient(ctx, nc, cfg)
}

// NewClient logs in on a connection that is there, after a handshake if cfg has Noise, and
// closes it if that fails. A refusal is a *[stanza.Error].
func NewClient(ctx context.Context, nc net.Conn, cfg ClientConfig) (*Client, error) {
	if cfg.Deliver == nil {
		_ = nc.Close()
		return nil, errors.New("channel: ClientConfig.Deliver is nil, want it")
	}
	cfg.KeepAlive = cmp.Or(cfg.KeepAlive, 25*time.Second)
	cfg.WriteTimeout = cmp.Or(cfg.WriteTimeout, 20*time.Second)
	c := &Client{cfg: cfg, waiting: map[string]waiter{}, caught: make(chan struct{})}
	c.caughtUp = sync.OnceFunc(func() { close(c.caught) })
	c.ctx, c.stop = context.WithCancelCause(context.Background())
	undo := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Now()) })
	err := c.secure(nc)
	if err == nil {
		err = c.login()
	}
	if !undo() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("channel: login: %w", err)
	}
	c.wg.Go(c.read)
	c.wg.Go(c.keepAlive)
	return c, nil
}

// secure makes the connection one for stanzas.
func (c *Client) secure(nc net.Conn) error {
	c.nc = lineOver(nc, nc)
	if n := c.cfg.Noise; n != nil {
		cfg := n.Config
		cfg.Limits.Plaintext = stanza.MaxSize
		r := bufio.NewReader(nc)
		channel, err := noise.Connect(r, nc, time.Now(), cfg, n.Trust, nil)
		if err != nil {
			return err
		}
		c.nc.r, c.nc.noise = r, channel
	}
	c.out = newSender(c.nc)
	return nil
}

const loginID = "login"

func (c *Client) login() error {
	err := c.send(&stanza.IQ{ID: loginID, Type: stanza.Set, Payload: &stanza.Login{Client: c.cfg.Client, Token: c.cfg.Token}})
	if err != nil {
		return err
	}
	s, err := (&frames{line: c.nc}).next(stanza.MaxSize)
	if err != nil {
		return err
	}
	switch s := s.(type) {
	case *stanza.IB:
		if s.Error != nil {
			return s.Error
		}
	case *stanza.IQ:
		if s.ID == loginID && s.Type == stanza.Result {
			return nil
		}
		if s.ID == loginID && s.Error != nil {
			return s.Error
		}
	}
	return errors.New("no answer to the login")
}

// Do has the provider do something, and returns the body of the reply of a Call, or a
// [chat.Count]. in is a Call, Publish, Leave or Ack of package follower, a *[chat.Create]
// or a [chat.CountKeyPackages]; Client and the ID of a Call are not looked at. It returns
// at once from an Ack.
//
// An error that is [ErrEnded], or that of ctx, leaves open whether it was done. A
// *[stanza.Error] is the provider's; those with [stanza.InternalServerError] and
// [stanza.RemoteTimeout] leave it open, too.
func (c *Client) Do(ctx context.Context, in any) (any, error) {
	c.mu.Lock()
	c.next++
	id := strconv.FormatUint(c.next, 10)
	c.mu.Unlock()
	s, err := chat.Encode(id, in)
	if err != nil {
		return nil, err
	}
	if _, isAck := in.(follower.Ack); isAck {
		return nil, c.send(s)
	}
	return c.ask(ctx, id, s)
}

// ask sends what has an answer, and waits for it.
func (c *Client) ask(ctx context.Context, id string, s stanza.Stanza) (any, error) {
	answer := make(chan stanza.Stanza, 1)
	c.mu.Lock()
	c.waiting[id] = waiter{s, answer}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	if err := c.send(s); err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		return chat.ReadAnswer(s, a)
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.ctx.Done():
	}
	select {
	case a := <-answer: // it came just before the end
		return chat.ReadAnswer(s, a)
	default:
		return nil, c.ended()
	}
}

func (c *Client) send(s stanza.Stanza) error {
	c.write.Lock()
	defer c.write.Unlock()
	if c.ctx.Err() != nil {
		return c.ended()
	}
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout))
	var format *stanza.FormatError
	err := c.out.write(s)
	if errors.As(err, &format) {
		return err // nothing was written
	}
	if err == nil {
		err = c.out.w.Flush()
	}
	if err != nil {
		c.end(err)
		return c.ended()
	}
	return nil
}

// end ends the connection. The first reason counts.
func (c *Client) end(why error) {
	c.stop(why)
	_ = c.nc.Close()
}

// ended says that the connection has ended and why.
func (c *Client) ended() error {
	return fmt.Errorf("%w: %w", ErrEnded, context.Cause(c.ctx))
}

// read takes what comes, until the connection ends.
func (c *Client) read() {
	f := &frames{line: c.nc}
	for {
		_ = c.nc.SetReadDeadline(time.Now().Add(3 * c.cfg.KeepAlive))
		s, err := f.next(stanza.MaxSize)
		if err == nil {
			err = c.take(s)
		}
		if err != nil {
			c.end(err)
			return
		}
	}
}

// take deals with one stanza. What a client does not know it ignores.
func (c *Client) take(s stanza.Stanza) error {
	switch s := s.(type) {
	case *stanza.IB:
		if s.Error != nil {
			return s.Error
		}
		if s.Offline != nil {
			c.caughtUp()
		}
		return nil
	case *stanza.IQ:
		c.answered(s.ID, s)
		return nil
	case *stanza.Ack:
		c.answered(s.ID, s)
		return nil
	}
	d, ok, err := chat.ReadDelivery(c.cfg.Client, s, c.cfg.Points)
	if ok {
		c.cfg.Deliver(d)
	}
	return err
}

// answered gives an answer to who waits for it, if anyone still does.
func (c *Client) answered(id string, s stanza.Stanza) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w, ok := c.waiting[id]; ok {
		delete(c.waiting, id)
		w.answer <- s
	}
}

// keepAlive says that the client is there. The answers say that the server is.
func (c *Client) keepAlive() {
	t := time.NewTicker(c.cfg.KeepAlive)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
			_ = c.send(&stanza.IQ{ID: "alive", Type: stanza.Get, Payload: stanza.KeepAlive{}})
		}
	}
}

// CaughtUp is closed when all that waited for the client before it connected was given to
// Deliver.
func (c *Client) CaughtUp() <-chan struct{} { return c.caught }

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.ctx.Done() }

// Err returns nil while the connection lasts, then an error that is [ErrEnded] and says
// why: a *[stanza.Error] if the server ended it.
func (c *Client) Err() error {
	if c.ctx.Err() == nil {
		return nil
	}
	return c.ended()
}

// Close ends the connection, and returns when Deliver is not called any more. It must
// not be called in Deliver.
func (c *Client) Close() error {
	c.end(net.ErrClosed)
	c.wg.Wait()
	return nil
}
