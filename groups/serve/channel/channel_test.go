package channel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/chat"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

var (
	alice     = uri("mimi://a.example/d/alice/A1")
	bob       = uri("mimi://a.example/d/bob/B1")
	clubhouse = uri("mimi://a.example/r/clubhouse")
)

func uri(s string) ident.URI {
	u, err := ident.ParseURI(s)
	if err != nil {
		panic(err)
	}
	return u
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// event is the body of an application message that says n.
func event(n int) []byte {
	return must(wire.Marshal(&mimi.FanoutMessage{Timestamp: uint64(n), Message: message.Message{
		Private: &message.PrivateMessage{GroupID: []byte("g"), ContentType: message.ContentApplication, Ciphertext: fmt.Append(nil, n)},
	}}))
}

func submit(text string) follower.Call {
	return follower.Call{Endpoint: mimi.EndpointSubmitMessage, Room: clubhouse, Body: &mimi.SubmitMessageRequest{
		AppMessage: &message.PrivateMessage{GroupID: []byte("g"), ContentType: message.ContentApplication, Ciphertext: []byte(text)},
		SendingURI: "mimi://a.example/u/alice",
	}}
}

// provider is a twin of a provider in memory: one room with a log, a cursor per client.
type provider struct {
	mu       sync.Mutex
	log      [][]byte // event n is at n-1
	acked    map[ident.URI]uint64
	sessions map[ident.URI]*session
	said     []any
	opens    int
	refuse   error
	most     int // deliveries that may wait for a client; 0 for any number
	call     func(ctx context.Context, in follower.Call) (follower.Body, error)
}

type session struct {
	p      *provider
	client ident.URI
	queue  []follower.Delivery
	waited int // for the connection
	more   chan struct{}
}

var errSlow = errors.New("the client does not fetch its deliveries")

func newProvider() *provider {
	return &provider{acked: map[ident.URI]uint64{}, sessions: map[ident.URI]*session{}}
}

func (p *provider) open(_ context.Context, client ident.URI) (Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		return nil, p.refuse
	}
	if p.sessions[client] != nil {
		panic("two sessions of " + client.String())
	}
	s := &session{p: p, client: client, more: make(chan struct{}, 1)}
	p.sessions[client] = s
	p.opens++
	for n := p.acked[client]; n < uint64(len(p.log)); n++ {
		s.queue = append(s.queue, follower.Delivery{Client: client, Room: clubhouse, Seq: n + 1, Body: p.log[n]})
	}
	s.waited = len(s.queue)
	return s, nil
}

// notify adds events to the room.
func (p *provider) notify(count int) {
	p.mu.Lock()
	n := len(p.log)
	p.mu.Unlock()
	for i := range count {
		p.tell(event(n + i + 1))
	}
}

// tell adds events with these bodies.
func (p *provider) tell(bodies ...[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, body := range bodies {
		n := len(p.log) + 1
		p.log = append(p.log, body)
		for _, s := range p.sessions {
			s.queue = append(s.queue, follower.Delivery{Client: s.client, Room: clubhouse, Seq: uint64(n), Body: p.log[n-1]})
			select {
			case s.more <- struct{}{}:
			default:
			}
		}
	}
}

func (s *session) Backlog(context.Context) (int, error) { return s.waited, nil }

func (s *session) Receive(ctx context.Context) (follower.Delivery, error) {
	for {
		s.p.mu.Lock()
		waiting := len(s.queue)
		if s.p.most > 0 && waiting > s.p.most {
			s.p.mu.Unlock()
			return follower.Delivery{}, errSlow
		}
		if waiting > 0 {
			d := s.queue[0]
			s.queue = s.queue[1:]
			s.p.mu.Unlock()
			return d, nil
		}
		s.p.mu.Unlock()
		select {
		case <-s.more:
		case <-ctx.Done():
			return follower.Delivery{}, ctx.Err()
		}
	}
}

func (s *session) say(in any) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.said = append(s.p.said, in)
}

func (s *session) Call(ctx context.Context, in follower.Call) (follower.Body, error) {
	s.say(in)
	if s.p.call != nil {
		return s.p.call(ctx, in)
	}
	return &mimi.SubmitMessageResponse{AcceptedTimestamp: 7}, nil
}

func (s *session) Publish(_ context.Context, list []message.KeyPackage) error {
	s.say(list)
	return nil
}

func (s *session) KeyPackages(context.Context) (int, error) {
	s.say(chat.CountKeyPackages{})
	return 47, nil
}

func (s *session) CreateRoom(_ context.Context, room ident.URI, info *message.GroupInfo, tree []byte) error {
	s.say(&chat.Create{Room: room, GroupInfo: info, RatchetTree: tree})
	return nil
}

func (s *session) Leave(_ context.Context, room ident.URI, seq uint64) error {
	s.say(follower.Leave{Client: s.client, Room: room, Seq: seq})
	return nil
}

func (s *session) Ack(_ context.Context, room ident.URI, seq uint64) error {
	s.say(follower.Ack{Client: s.client, Room: room, Seq: seq})
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if seq > uint64(len(s.p.log)) {
		return &follower.Refusal{Status: 400, Reason: "acknowledgement of what was not sent"}
	}
	s.p.acked[s.client] = max(s.p.acked[s.client], seq)
	return nil
}

func (s *session) Close() {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.sessions[s.client] != s {
		panic("closed twice: " + s.client.String())
	}
	delete(s.p.sessions, s.client)
}

// inputs returns what of a kind clients have asked.
func inputs[T any](p *provider) (list []T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.said {
		if in, ok := in.(T); ok {
			list = append(list, in)
		}
	}
	return list
}

// lab is a server on pipes.
type lab struct {
	t *testing.T
	*provider
	server *Server
	noise  *Noise // of its clients; nil to do without
	wg     sync.WaitGroup
}

// overBoth runs a test with stanzas as they are, as within TLS, and over Noise.
func overBoth(t *testing.T, limits Limits, test func(t *testing.T, l *lab)) {
	t.Helper()
	for _, name := range []string{"plain", "noise"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, limits)
				if name == "noise" {
					l.noise = l.clientNoise()
				}
				test(t, l)
			})
		})
	}
}

func newLab(t *testing.T, limits Limits) *lab {
	t.Helper()
	var tokens Tokens
	tokens.Set(alice, []byte("alice's"))
	tokens.Set(bob, []byte("bob's"))
	l := &lab{t: t, provider: newProvider()}
	l.server = must(New(Config{Open: l.provider.open, Authenticator: &tokens, Limits: limits, Noise: &noise.ServerConfig{Config: noiseConfig()}}))
	return l
}

// clientNoise is what a client of the server needs to connect over Noise.
func (l *lab) clientNoise() *Noise {
	return &Noise{Config: noiseConfig(), Trust: noise.Trust{Pin: l.server.noise.Static.Public}}
}

// noiseConfig has a static key of its own.
func noiseConfig() noise.Config {
	s := must(suite.NewStd(suite.X25519AES128GCMSHA256Ed25519))
	return noise.Config{Suite: s, Static: must(s.GenerateKeyPair())}
}

// pipe returns a connection that the server serves.
func (l *lab) pipe() net.Conn {
	a, b := net.Pipe()
	by := l.server.overTLS
	if l.noise != nil {
		by = l.server.overNoise
	}
	l.wg.Go(func() { l.server.serveConn(b, by) })
	return a
}

func (l *lab) shutdown() {
	l.t.Helper()
	if err := l.server.Shutdown(l.t.Context()); err != nil {
		l.t.Error(err)
	}
	l.wg.Wait()
	if n := len(l.sessions); n != 0 || l.server.Connected() != 0 {
		l.t.Errorf("%d sessions are open after the end", n)
	}
}

// inbox is what came to a client, which acknowledges it if it is to.
type inbox struct {
	mu     sync.Mutex
	got    []uint64
	client *Client
	silent bool
}

func (i *inbox) deliver(d follower.Delivery) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got = append(i.got, d.Seq)
	if i.client != nil && !i.silent {
		_, _ = i.client.Do(context.Background(), follower.Ack{Room: d.Room, Seq: d.Seq})
	}
}

// seen returns the numbers in the order in which they came.
func (i *inbox) seen() []uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]uint64(nil), i.got...)
}

func (i *inbox) wantUpTo(t *testing.T, n int) {
	t.Helper()
	got := i.seen()
	for at, seq := range got {
		if seq != uint64(at+1) {
			t.Fatalf("event %d came at place %d: %v", seq, at+1, got)
		}
	}
	if len(got) != n {
		t.Fatalf("%d events came, want %d", len(got), n)
	}
}

func (l *lab) dial(who ident.URI, token string, in *inbox) (*Client, error) {
	in.mu.Lock() // what comes waits until the client is known
	defer in.mu.Unlock()
	c, err := NewClient(l.t.Context(), l.pipe(), ClientConfig{Client: who, Token: []byte(token), Noise: l.noise, Deliver: in.deliver})
	in.client = c
	return c, err
}

func TestConversation(t *testing.T) {
	t.Parallel()
	overBoth(t, Limits{}, func(t *testing.T, l *lab) {
		l.notify(3)
		in := &inbox{}
		c := must(l.dial(alice, "alice's", in))
		l.notify(2)
		synctest.Wait()
		in.wantUpTo(t, 5)
		if got := l.acked[alice]; got != 5 {
			t.Errorf("%d acknowledged, want 5", got)
		}
		body, err := c.Do(t.Context(), submit("hello"))
		if r, ok := body.(*mimi.SubmitMessageResponse); err != nil || !ok || r.AcceptedTimestamp != 7 {
			t.Errorf("submit: %+v, %v", body, err)
		}
		publish := follower.Publish{KeyPackages: []message.KeyPackage{{LeafNode: message.LeafNode{Source: message.SourceUpdate, Credential: message.Credential{Type: 1}}}}}
		info := &message.GroupInfo{Context: message.GroupContext{GroupID: []byte("g")}}
		for _, in := range []any{&chat.Create{Room: clubhouse, GroupInfo: info}, follower.Leave{Room: clubhouse}, publish} {
			if body, err := c.Do(t.Context(), in); body != nil || err != nil {
				t.Errorf("%T: %+v, %v", in, body, err)
			}
		}
		if got := inputs[follower.Call](l.provider); len(got) != 1 || got[0].Client != alice {
			t.Errorf("the provider was called %+v, want once by %v", got, alice)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		// What was acknowledged does not come again.
		l.notify(1)
		again := &inbox{}
		c = must(l.dial(alice, "alice's", again))
		synctest.Wait()
		if got := again.seen(); len(got) != 1 || got[0] != 6 {
			t.Errorf("after a new connection %v came, want 6", got)
		}
		l.shutdown()
		var e *stanza.Error
		if err := c.Err(); !errors.Is(err, ErrEnded) || !errors.As(err, &e) || e.Code != stanza.ServiceUnavailable {
			t.Errorf("ended with %v, want %v", err, stanza.ServiceUnavailable)
		}
		if _, err := c.Do(t.Context(), submit("too late")); !errors.Is(err, ErrEnded) {
			t.Errorf("Do afterwards: %v, want %v", err, ErrEnded)
		}
	})
}

// TestCaughtUp: the client learns when it has all that waited, before it learns more.
func TestCaughtUp(t *testing.T) {
	t.Parallel()
	for _, waited := range []int{0, 1, 40} { // more than are on their way at once
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, Limits{})
			l.notify(waited)
			in, open := &inbox{}, make(chan struct{})
			c := must(NewClient(t.Context(), l.pipe(), ClientConfig{Client: alice, Token: []byte("alice's"), Deliver: func(d follower.Delivery) {
				<-open
				in.deliver(d)
			}}))
			synctest.Wait()
			select {
			case <-c.CaughtUp():
				if waited > 0 {
					t.Errorf("%d wait, and it is said that all were taken", waited)
				}
			default:
				if waited == 0 {
					t.Error("nothing waits, and that is not said")
				}
			}
			close(open)
			<-c.CaughtUp()
			in.wantUpTo(t, waited)
			l.notify(2)
			synctest.Wait()
			in.wantUpTo(t, waited+2)
			l.shutdown()
		})
	}
}

// TestKeepAlive: a connection on which nothing else happens stays.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	overBoth(t, Limits{}, func(t *testing.T, l *lab) {
		in := &inbox{}
		c := must(l.dial(alice, "alice's", in))
		time.Sleep(time.Hour)
		l.notify(1)
		synctest.Wait()
		in.wantUpTo(t, 1)
		if err := c.Err(); err != nil {
			t.Error(err)
		}
		l.shutdown()
	})
}

// TestMany: a long backlog comes whole and in order, with what happens meanwhile.
func TestMany(t *testing.T) {
	t.Parallel()
	overBoth(t, Limits{}, func(t *testing.T, l *lab) {
		l.notify(500)
		in := &inbox{}
		must(l.dial(alice, "alice's", in))
		for range 50 {
			l.notify(10)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		in.wantUpTo(t, 1000)
		l.shutdown()
	})
}

// TestSessionEnded: a client whose session the provider ends, as too much waits for it,
// learns of it, and gets everything when it comes back.
func TestSessionEnded(t *testing.T) {
	t.Parallel()
	overBoth(t, Limits{}, func(t *testing.T, l *lab) {
		l.most = 7
		c := must(l.dial(alice, "alice's", &inbox{}))
		synctest.Wait()
		l.notify(8)
		synctest.Wait()
		var e *stanza.Error
		if err := c.Err(); !errors.As(err, &e) || e.Code != stanza.ServiceUnavailable {
			t.Errorf("ended with %v, want %v", err, stanza.ServiceUnavailable)
		}
		l.most = 0
		in := &inbox{}
		must(l.dial(alice, "alice's", in))
		synctest.Wait()
		in.wantUpTo(t, 8)
		l.shutdown()
	})
}

// TestSlowReader: a client that does not read is disconnected, and loses nothing.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{WriteTimeout: time.Second})
		raw := l.pipe()
		send(t, raw, login(alice, "alice's"))
		l.notify(1000)
		time.Sleep(3 * time.Second)
		if n := l.server.Connected(); n != 0 {
			t.Errorf("%d connected, want none", n)
		}
		in := &inbox{}
		must(l.dial(alice, "alice's", in))
		synctest.Wait()
		in.wantUpTo(t, 1000)
		l.shutdown()
	})
}

// TestReplaced: a new connection of a client ends the one before, which learns why; in
// the provider there is never more than one session.
func TestReplaced(t *testing.T) {
	t.Parallel()
	overBoth(t, Limits{}, func(t *testing.T, l *lab) {
		var clients []*Client
		for range 4 {
			clients = append(clients, must(l.dial(alice, "alice's", &inbox{})))
		}
		other := must(l.dial(bob, "bob's", &inbox{}))
		synctest.Wait()
		for _, c := range clients[:3] {
			var e *stanza.Error
			if err := c.Err(); !errors.As(err, &e) || e.Code != stanza.Conflict {
				t.Errorf("ended with %v, want %v", err, stanza.Conflict)
			}
		}
		if clients[3].Err() != nil || other.Err() != nil || l.server.Connected() != 2 {
			t.Errorf("%v, %v: want the last connection of each client", clients[3].Err(), other.Err())
		}
		l.shutdown()
	})
}

// TestReplacedAtOnce: many connections of one client at the same time leave one.
func TestReplacedAtOnce(t *testing.T) {
	t.Parallel()
	overBoth(t, Limits{}, func(t *testing.T, l *lab) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { _, _ = l.dial(alice, "alice's", &inbox{}) })
		}
		wg.Wait()
		synctest.Wait()
		if n := l.server.Connected(); n != 1 {
			t.Errorf("%d connected, want 1", n)
		}
		l.shutdown()
	})
}

// TestCalls: calls overtake each other, only so many are under way, and one that takes
// too long is answered.
func TestCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{Calls: 2, CallTimeout: time.Minute})
		l.call = func(ctx context.Context, in follower.Call) (follower.Body, error) {
			if text := string(in.Body.(*mimi.SubmitMessageRequest).AppMessage.Ciphertext); text == "slow" {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return &mimi.SubmitMessageResponse{}, nil
		}
		c := must(l.dial(alice, "alice's", &inbox{}))
		slow := make(chan error, 2)
		ask := func() {
			_, err := c.Do(t.Context(), submit("slow"))
			slow <- err
		}
		go ask()
		synctest.Wait()
		if _, err := c.Do(t.Context(), submit("quick")); err != nil {
			t.Errorf("quick: %v", err)
		}
		go ask()
		synctest.Wait()
		if _, err := c.Do(t.Context(), submit("quick")); !errors.Is(err, stanza.RateOverlimit) {
			t.Errorf("a third call: %v, want %v", err, stanza.RateOverlimit)
		}
		for range 2 {
			if err := <-slow; !errors.Is(err, stanza.RemoteTimeout) {
				t.Errorf("slow: %v, want %v", err, stanza.RemoteTimeout)
			}
		}
		if _, err := c.Do(t.Context(), submit("quick")); err != nil {
			t.Errorf("quick afterwards: %v", err)
		}
		l.shutdown()
	})
}

// TestEndedDuringCall: who waits learns that nobody knows.
func TestEndedDuringCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{})
		l.call = func(ctx context.Context, _ follower.Call) (follower.Body, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		c := must(l.dial(alice, "alice's", &inbox{}))
		got := make(chan error)
		go func() {
			_, err := c.Do(t.Context(), submit("x"))
			got <- err
		}()
		synctest.Wait()
		l.shutdown()
		if err := <-got; !errors.Is(err, ErrEnded) {
			t.Errorf("%v, want %v", err, ErrEnded)
		}
	})
}

// TestRefused: what the provider refuses comes as an error, and the connection stays.
func TestRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{})
		l.call = func(context.Context, follower.Call) (follower.Body, error) {
			return nil, &follower.Refusal{Status: 403, Reason: "not you"}
		}
		c := must(l.dial(alice, "alice's", &inbox{}))
		if _, err := c.Do(t.Context(), submit("x")); !errors.Is(err, stanza.Forbidden) {
			t.Errorf("%v, want %v", err, stanza.Forbidden)
		}
		var part *chat.Error
		if _, err := c.Do(t.Context(), follower.Wake{}); !errors.As(err, &part) {
			t.Errorf("%v, want an error about the input", err)
		}
		if err := c.Err(); err != nil {
			t.Error(err)
		}
		l.shutdown()
	})
}

// TestOpenRefused: a client that the provider does not know is told.
func TestOpenRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, Limits{})
		l.refuse = &follower.Refusal{Status: 404, Reason: "no such client"}
		if _, err := l.dial(alice, "alice's", &inbox{}); !errors.Is(err, stanza.ItemNotFound) {
			t.Errorf("%v, want %v", err, stanza.ItemNotFound)
		}
		l.shutdown()
	})
}
