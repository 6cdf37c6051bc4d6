package channel

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/chat"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// machine is a provider on the follower itself, with a hub that accepts everything and
// fans it out. It keeps nothing on a disk.
type machine struct {
	mu       sync.Mutex
	f        *follower.Follower
	sessions map[ident.URI]chan follower.Delivery
	replies  map[uint64]chan follower.Reply
	next     uint64
	time     uint64
}

func newMachine() *machine {
	s := must(suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, sha256.Sum256([]byte("channel")), ""))
	m := &machine{sessions: map[ident.URI]chan follower.Delivery{}, replies: map[uint64]chan follower.Reply{}}
	m.f = must(follower.New(&follower.Config{Domain: "a.example", Groups: map[suite.ID]*mls.Config{
		s.ID(): {Suite: s, Components: map[message.ComponentID]mls.Component{}},
	}}))
	for _, c := range []ident.URI{alice, bob} {
		must(m.step(follower.AddUser{User: must(mimi.UserOf(c))}))
		must(m.step(follower.AddClient{Client: c}))
	}
	return m
}

// step has the follower take an input, and does what it says. The caller holds the lock.
func (m *machine) step(in follower.Input) (follower.Body, error) {
	out, err := m.f.Step(time.Unix(1764541571, 0), in)
	if err != nil {
		return nil, err
	}
	requests, replies, deliveries := slices.Clone(out.Requests), slices.Clone(out.Replies), slices.Clone(out.Deliveries)
	for _, d := range deliveries {
		m.sessions[d.Client] <- d // it has room for what tests send
	}
	for _, r := range replies {
		m.replies[r.ID] <- r
	}
	for _, r := range requests {
		if err := m.hub(r); err != nil {
			return nil, err
		}
	}
	return out.Response, nil
}

// hub accepts a message and fans it out.
func (m *machine) hub(r follower.Request) error {
	m.time++
	submit, ok := r.Body.(*mimi.SubmitMessageRequest)
	if !ok {
		_, err := m.step(follower.Answer{ID: r.ID, Err: errors.New("no hub for that")})
		return err
	}
	if _, err := m.step(follower.Answer{ID: r.ID, Body: &mimi.SubmitMessageResponse{AcceptedTimestamp: m.time}}); err != nil {
		return err
	}
	_, err := m.step(follower.Notify{From: "a.example", Room: clubhouse, Messages: []mimi.FanoutMessage{
		{Timestamp: m.time, Message: message.Message{Private: submit.AppMessage}},
	}})
	return err
}

func (m *machine) open(_ context.Context, client ident.URI) (Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &machineSession{m: m, client: client, deliveries: make(chan follower.Delivery, 1000)}
	m.sessions[client] = s.deliveries
	_, err := m.step(follower.Connect{Client: client})
	s.waited = len(s.deliveries)
	return s, err
}

type machineSession struct {
	m          *machine
	client     ident.URI
	deliveries chan follower.Delivery
	waited     int // for the connection
}

func (s *machineSession) Backlog(context.Context) (int, error) { return s.waited, nil }

func (s *machineSession) Receive(ctx context.Context) (follower.Delivery, error) {
	select {
	case d := <-s.deliveries:
		return d, nil
	case <-ctx.Done():
		return follower.Delivery{}, ctx.Err()
	}
}

func (s *machineSession) tell(in follower.Input) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	_, err := s.m.step(in)
	return err
}

func (s *machineSession) Publish(_ context.Context, list []message.KeyPackage) error {
	return s.tell(follower.Publish{Client: s.client, KeyPackages: list})
}

func (s *machineSession) KeyPackages(context.Context) (int, error) {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.m.f.KeyPackages(time.Unix(1764541571, 0), s.client)
}

func (s *machineSession) CreateRoom(_ context.Context, room ident.URI, _ *message.GroupInfo, _ []byte) error {
	return s.tell(follower.Join{Client: s.client, Room: room})
}

func (s *machineSession) Leave(_ context.Context, room ident.URI, seq uint64) error {
	return s.tell(follower.Leave{Client: s.client, Room: room, Seq: seq})
}

func (s *machineSession) Ack(_ context.Context, room ident.URI, seq uint64) error {
	return s.tell(follower.Ack{Client: s.client, Room: room, Seq: seq})
}

func (s *machineSession) Close() {
	if err := s.tell(follower.Disconnect{Client: s.client}); err != nil {
		panic(err)
	}
}

func (s *machineSession) Call(ctx context.Context, call follower.Call) (follower.Body, error) {
	m := s.m
	m.mu.Lock()
	m.next++
	call.ID = m.next
	reply := make(chan follower.Reply, 1)
	m.replies[call.ID] = reply
	_, err := m.step(call)
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case r := <-reply:
		return r.Body, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newRoom() *chat.Create {
	return &chat.Create{Room: clubhouse, GroupInfo: &message.GroupInfo{Context: message.GroupContext{GroupID: []byte("g")}}}
}

// TestFollower: two clients of a provider with the follower's own machine are in a room
// and get what is said there, each once and in order.
func TestFollower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tokens Tokens
		tokens.Set(alice, []byte("alice's"))
		tokens.Set(bob, []byte("bob's"))
		server := must(New(Config{Open: newMachine().open, Authenticator: &tokens}))
		dial := func(who ident.URI, token string) (*Client, *inbox) {
			a, b := net.Pipe()
			go server.ServeConn(b)
			in := &inbox{}
			in.mu.Lock()
			defer in.mu.Unlock()
			in.client = must(NewClient(t.Context(), a, ClientConfig{Client: who, Token: []byte(token), Deliver: in.deliver}))
			return in.client, in
		}
		a, atAlice := dial(alice, "alice's")
		b, atBob := dial(bob, "bob's")
		for _, c := range []*Client{a, b} {
			if _, err := c.Do(t.Context(), newRoom()); err != nil {
				t.Fatal(err)
			}
		}
		say := func(from, to int) {
			t.Helper()
			for n := from; n <= to; n++ {
				body, err := a.Do(t.Context(), submit(fmt.Sprint(n)))
				if r, ok := body.(*mimi.SubmitMessageResponse); err != nil || !ok || r.AcceptedTimestamp != uint64(n) {
					t.Fatalf("message %d: %+v, %v", n, body, err)
				}
			}
			synctest.Wait()
		}
		say(1, 20)
		atAlice.wantUpTo(t, 20)
		atBob.wantUpTo(t, 20)
		_ = b.Close()
		say(21, 50)
		again := atBob
		b, atBob = dial(bob, "bob's")
		synctest.Wait()
		again.wantUpTo(t, 20)
		if got := atBob.seen(); len(got) != 30 || got[0] != 21 || !slices.IsSorted(got) {
			t.Errorf("bob got %v, want 21 to 50", got)
		}
		// Alice's client may not speak for bob, nor acknowledge what was never sent.
		in := submit("as bob")
		in.Body.(*mimi.SubmitMessageRequest).SendingURI = "mimi://a.example/u/bob"
		if _, err := a.Do(t.Context(), in); !errors.Is(err, stanza.Forbidden) {
			t.Errorf("as bob: %v, want %v", err, stanza.Forbidden)
		}
		_, _ = a.Do(t.Context(), follower.Ack{Room: clubhouse, Seq: 51})
		synctest.Wait()
		var e *stanza.Error
		if err := a.Err(); !errors.As(err, &e) || e.Code != stanza.BadRequest {
			t.Errorf("after an ack of 51: %v, want %v", err, stanza.BadRequest)
		}
		if err := b.Err(); err != nil {
			t.Error(err)
		}
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
