package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/store/journal"
)

// Errors by which a [Client] ends.
var (
	// ErrReplaced: the client has connected anew.
	ErrReplaced = errors.New("serve: the client has another connection")
	// ErrSlow: more deliveries waited than are kept for a connection. The client gets
	// them when it connects again.
	ErrSlow = errors.New("serve: the client does not fetch its deliveries")
	// ErrDisconnected: Close was called.
	ErrDisconnected = errors.New("serve: the client is not connected")
)

// Client is the connection of an own client to its provider. Its methods may be called
// by several goroutines at once. Errors of them that are a [follower.Refusal] say that
// it was not done; after others it may have been done or not.
type Client struct {
	p   *Provider
	uri ident.URI

	mu      sync.Mutex // guards queue, queued, most and ended
	queue   []follower.Delivery
	queued  int           // how many ever were in it
	most    int           // how many may wait
	ended   error         // why nothing comes any more
	backlog chan int      // holds how many waited for the connection, once that is known
	waiting chan struct{} // holds a token if queue or ended may have something new
}

// Client connects a client that was added with [Provider.AddClient]. What it has not
// acknowledged is delivered again. Another connection of the client ends.
func (p *Provider) Client(ctx context.Context, uri ident.URI) (*Client, error) {
	c := &Client{p: p, uri: uri, most: int(^uint(0) >> 1), waiting: make(chan struct{}, 1), backlog: make(chan int, 1)}
	done := make(chan result[follower.Body], 1)
	p.connect(c, func(b follower.Body, err error) { done <- result[follower.Body]{b, err} })
	if _, err := wait(ctx, done); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// connect steps the follower with a new session in place.
func (p *Provider) connect(c *Client, then func(follower.Body, error)) {
	p.follower.mu.Lock()
	defer p.follower.mu.Unlock()
	before := p.follower.sessions[c.uri]
	p.follower.sessions[c.uri] = c
	e, err := p.followerEntry(follower.Connect{Client: c.uri}, then)
	if err != nil {
		delete(p.follower.sessions, c.uri)
	} else if before != nil {
		before.end(ErrReplaced)
	}
	send := e.Then
	e.Then = func(err error) {
		send(err)
		c.bound(p.cfg.Limits.Deliveries) // what waited for the connection doesn't count
	}
	p.journal.Add(e)
}

// URI returns the client's URI.
func (c *Client) URI() ident.URI { return c.uri }

// Close ends the connection. Deliveries that were not acknowledged wait for the next.
func (c *Client) Close() {
	c.end(ErrDisconnected)
	c.p.follower.mu.Lock()
	defer c.p.follower.mu.Unlock()
	if c.p.follower.sessions[c.uri] != c {
		return
	}
	delete(c.p.follower.sessions, c.uri)
	e, _ := c.p.followerEntry(follower.Disconnect{Client: c.uri}, nil)
	c.p.journal.Add(e)
}

// end lets nothing come any more.
func (c *Client) end(why error) {
	c.mu.Lock()
	if c.ended == nil {
		c.ended, c.queue = why, nil
	}
	c.mu.Unlock()
	c.signal()
}

// bound limits what may wait, on top of what does, and says how much that is.
func (c *Client) bound(n int) {
	c.mu.Lock()
	c.most = len(c.queue) + n
	c.backlog <- c.queued // the first time, so that there is room for it
	c.mu.Unlock()
}

// Backlog returns how many deliveries waited for the connection: they are the first that
// Receive returns. It is called once.
func (c *Client) Backlog(ctx context.Context) (int, error) {
	select {
	case n := <-c.backlog:
		return n, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-c.p.ctx.Done():
		return 0, ErrStopped
	}
}

// deliver queues a delivery. A client that does not fetch its deliveries is
// disconnected: they are in the store, and not to fill the memory as well.
func (c *Client) deliver(d *follower.Delivery) {
	c.mu.Lock()
	full := len(c.queue) >= c.most
	if !full && c.ended == nil {
		c.queue = append(c.queue, *d)
		c.queued++
	}
	c.mu.Unlock()
	if full {
		c.end(ErrSlow)
		c.p.background(c.Close)
		return
	}
	c.signal()
}

func (c *Client) signal() {
	select {
	case c.waiting <- struct{}{}:
	default:
	}
}

// Receive waits for the next delivery. It is for one goroutine at a time.
func (c *Client) Receive(ctx context.Context) (follower.Delivery, error) {
	for {
		c.mu.Lock()
		if len(c.queue) > 0 {
			d := c.queue[0]
			c.queue[0] = follower.Delivery{}
			c.queue = c.queue[1:]
			c.mu.Unlock()
			return d, nil
		}
		ended := c.ended
		c.mu.Unlock()
		if ended != nil {
			return follower.Delivery{}, ended
		}
		select {
		case <-c.waiting:
		case <-ctx.Done():
			return follower.Delivery{}, context.Cause(ctx)
		case <-c.p.ctx.Done():
			return follower.Delivery{}, ErrStopped
		}
	}
}

// Ack tells the provider that the client has stored what came up to a delivery: its Room
// and Seq.
func (c *Client) Ack(ctx context.Context, room ident.URI, seq uint64) error {
	return c.ask(ctx, follower.Ack{Client: c.uri, Room: room, Seq: seq})
}

// Publish stores KeyPackages of the client for others to claim, all or none.
func (c *Client) Publish(ctx context.Context, packages []message.KeyPackage) error {
	return c.ask(ctx, follower.Publish{Client: c.uri, KeyPackages: packages})
}

// KeyPackages returns how many KeyPackages of the client others can claim, those of last
// resort aside and those that soon expire.
func (c *Client) KeyPackages(context.Context) (int, error) {
	c.p.follower.mu.Lock()
	defer c.p.follower.mu.Unlock()
	return c.p.follower.follower.KeyPackages(time.Now(), c.uri)
}

// Leave says that the client is no member of a room any more, of which seq is the last
// delivery that it has seen, or 0. One that was added again since then stays.
func (c *Client) Leave(ctx context.Context, room ident.URI, seq uint64) error {
	return c.ask(ctx, follower.Leave{Client: c.uri, Room: room, Seq: seq})
}

func (c *Client) ask(ctx context.Context, in follower.Input) error {
	_, err := c.p.askFollower(ctx, in)
	return err
}

// Call makes a request to a room's hub or another provider and returns the body of its
// answer. Client and ID of the call are set. While Limits.Calls of the client are under
// way it is refused; one whose context has ended counts until its answer has come.
func (c *Client) Call(ctx context.Context, call follower.Call) (follower.Body, error) {
	reply := make(chan follower.Reply, 1)
	refused := make(chan error, 1)
	id, err := c.p.call(c.uri, call, reply, func(_ follower.Body, err error) {
		if err != nil {
			refused <- err
		}
	})
	if err != nil {
		return nil, err
	}
	select {
	case r := <-reply:
		if e, ok := call.Body.(*mimi.ConsentEntry); ok && r.Err == nil {
			r.Err = c.p.granted(ctx, c.p.cfg.Domain, e) // for rooms of this provider's hub
		}
		return r.Body, r.Err
	case err := <-refused:
		return nil, err
	case <-ctx.Done():
		c.p.forget(id)
		return nil, context.Cause(ctx)
	case <-c.p.ctx.Done():
		return nil, ErrStopped
	}
}

// waiting is a call whose reply has not come.
type waiting struct {
	client ident.URI
	reply  chan<- follower.Reply // nil if nobody waits for it any more
}

// call steps the follower with a call, of which the reply goes to a channel.
func (p *Provider) call(client ident.URI, call follower.Call, reply chan<- follower.Reply, then func(follower.Body, error)) (uint64, error) {
	p.follower.mu.Lock()
	defer p.follower.mu.Unlock()
	if err := p.begin(client); err != nil {
		return 0, err
	}
	p.follower.lastCall++
	call.Client, call.ID = client, p.follower.lastCall
	p.follower.calls[call.ID] = waiting{client, reply}
	e, err := p.followerEntry(call, then)
	if err != nil {
		p.answered(call.ID)
	}
	p.journal.Add(e)
	return call.ID, nil
}

// answered ends a call. It returns who waits for the reply, nil if nobody does. The
// caller holds the follower's lock.
func (p *Provider) answered(call uint64) chan<- follower.Reply {
	w, ok := p.follower.calls[call]
	if ok {
		delete(p.follower.calls, call)
		p.finish(w.client)
	}
	return w.reply
}

// forget waits for a reply no longer. The request is under way all the same.
func (p *Provider) forget(call uint64) {
	p.follower.mu.Lock()
	defer p.follower.mu.Unlock()
	if w, ok := p.follower.calls[call]; ok {
		w.reply = nil
		p.follower.calls[call] = w
	}
}

// begin counts what a client wants among what is under way for it, unless there is too
// much. The caller of begin and finish holds the follower's lock.
func (p *Provider) begin(client ident.URI) error {
	if n := p.follower.underWay[client]; n >= p.cfg.Limits.Calls {
		return retryLater(http.StatusTooManyRequests, time.Second, "%d requests of %v are under way, want fewer", n, client)
	}
	p.follower.underWay[client]++
	return nil
}

func (p *Provider) finish(client ident.URI) {
	if p.follower.underWay[client]--; p.follower.underWay[client] == 0 {
		delete(p.follower.underWay, client)
	}
}

// begin counts a request of the client that is no call, until done is called.
func (c *Client) begin() (done func(), err error) {
	c.p.follower.mu.Lock()
	defer c.p.follower.mu.Unlock()
	return sync.OnceFunc(func() {
		c.p.follower.mu.Lock()
		defer c.p.follower.mu.Unlock()
		c.p.finish(c.uri)
	}), c.p.begin(c.uri)
}

// CreateRoom gives a room that the client has made a group for to this provider's hub
// (draft-ietf-mimi-protocol-06, Alice Creates a Room). From then on the client gets its
// events. Both are durable together, or neither is.
func (c *Client) CreateRoom(ctx context.Context, room ident.URI, info *message.GroupInfo, ratchetTree []byte) error {
	done := make(chan result[hub.Output], 1)
	c.p.createRoom(c.uri, hub.CreateRoom{Room: room, GroupInfo: info, RatchetTree: ratchetTree}, func(out hub.Output, err error) {
		done <- result[hub.Output]{out, err}
	})
	_, err := wait(ctx, done)
	return refusal(err)
}

// createRoom steps both machines at once. The client joins first, since that can be
// taken back: it leaves again if the hub refuses, unless it was in such a room before.
// Nothing of that is to be written.
func (p *Provider) createRoom(client ident.URI, in hub.CreateRoom, then func(hub.Output, error)) {
	p.follower.mu.Lock()
	defer p.follower.mu.Unlock()
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	joined, err := p.followerEntry(follower.Join{Client: client, Room: in.Room}, nil)
	if err != nil {
		p.journal.Add(journal.Entry{Then: func(lost error) { then(hub.Output{}, orLost(err, lost)) }})
		return
	}
	created, err := p.hubEntry(in, then)
	if err != nil {
		if len(joined.Records) > 0 {
			_, _ = p.followerEntry(follower.Leave{Client: client, Room: in.Room}, nil)
		}
		joined.Records = nil
	}
	p.journal.Add(journal.Entry{
		Records: append(joined.Records, created.Records...),
		Then:    func(lost error) { joined.Then(lost); created.Then(lost) },
	})
}

// AddUser makes a user of this provider or replaces its profile.
func (p *Provider) AddUser(ctx context.Context, user ident.URI, profile follower.Profile) error {
	_, err := p.askFollower(ctx, follower.AddUser{User: user, Profile: profile})
	return err
}

// RemoveUser deletes a user and its clients, whose connections end.
func (p *Provider) RemoveUser(ctx context.Context, user ident.URI) error {
	_, err := p.askFollower(ctx, follower.RemoveUser{User: user})
	if err == nil {
		p.disconnect(func(client ident.URI) bool {
			u, err := mimi.UserOf(client)
			return err == nil && u == user
		})
	}
	return err
}

// AddClient lets a user have a client: mimi://a.example/d/USER/CLIENT.
func (p *Provider) AddClient(ctx context.Context, client ident.URI) error {
	_, err := p.askFollower(ctx, follower.AddClient{Client: client})
	return err
}

// RemoveClient ends a client and its connection.
func (p *Provider) RemoveClient(ctx context.Context, client ident.URI) error {
	_, err := p.askFollower(ctx, follower.RemoveClient{Client: client})
	if err == nil {
		p.disconnect(func(c ident.URI) bool { return c == client })
	}
	return err
}

// disconnect ends the connections of clients that were removed.
func (p *Provider) disconnect(removed func(client ident.URI) bool) {
	p.follower.mu.Lock()
	defer p.follower.mu.Unlock()
	for uri, c := range p.follower.sessions {
		if removed(uri) {
			delete(p.follower.sessions, uri)
			c.end(ErrDisconnected)
		}
	}
	for id, w := range p.follower.calls { // which get no reply
		if removed(w.client) {
			p.answered(id)
		}
	}
}

// Propose sends proposals of this provider in a room of its hub.
func (p *Provider) Propose(ctx context.Context, room ident.URI, proposals []message.Proposal) error {
	_, err := p.askHub(ctx, hub.Propose{Room: room, Proposals: proposals})
	return refusal(err)
}

// refusal returns an error of the hub as one of the follower, which is what clients
// know.
func refusal(err error) error {
	var e *hub.Error
	if errors.As(err, &e) {
		return &follower.Refusal{Status: int(e.Status), Reason: e.Err.Error()}
	}
	return err
}

// retryLater is a refusal with a time.
func retryLater(status int, after time.Duration, format string, args ...any) *follower.Refusal {
	return &follower.Refusal{Status: status, Reason: fmt.Sprintf(format, args...), After: after}
}
