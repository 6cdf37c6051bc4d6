package channel

import (
	"context"

	"github.com/mimi-lab/mimi-lab/groups/chat"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// Session is a client's connection with its provider, inside the provider. Several
// goroutines use it at once, of which one receives. What it does is durable when it
// returns without an error. Errors are told to the client as by [chat.Condition]. A
// client of package groups/serve is one.
type Session interface {
	// Receive waits for the next delivery: first of all that was not acknowledged. Its
	// error ends the connection, as when too much waits to be received.
	Receive(ctx context.Context) (follower.Delivery, error)
	// Backlog returns how many deliveries waited for the client when it connected: the
	// first that Receive returns. It is called once, before Receive.
	Backlog(ctx context.Context) (int, error)
	// Call makes a request and returns the body of its answer, nil if it has none.
	Call(ctx context.Context, call follower.Call) (follower.Body, error)
	Publish(ctx context.Context, packages []message.KeyPackage) error
	// KeyPackages returns how many of the client's others can claim, those of last resort
	// aside and those that soon expire.
	KeyPackages(ctx context.Context) (int, error)
	CreateRoom(ctx context.Context, room ident.URI, info *message.GroupInfo, ratchetTree []byte) error
	Leave(ctx context.Context, room ident.URI, seq uint64) error
	Ack(ctx context.Context, room ident.URI, seq uint64) error
	// Close ends it.
	Close()
}

// do has a session do what a client asks.
func do(ctx context.Context, s Session, in any) (any, error) {
	switch in := in.(type) {
	case follower.Call:
		body, err := s.Call(ctx, in)
		if body == nil {
			return nil, err
		}
		return body, err
	case chat.CountKeyPackages:
		n, err := s.KeyPackages(ctx)
		return chat.Count(n), err
	case follower.Publish:
		return nil, s.Publish(ctx, in.KeyPackages)
	case *chat.Create:
		return nil, s.CreateRoom(ctx, in.Room, in.GroupInfo, in.RatchetTree)
	case follower.Leave:
		return nil, s.Leave(ctx, in.Room, in.Seq)
	case follower.Ack:
		return nil, s.Ack(ctx, in.Room, in.Seq)
	}
	panic("channel: invariant: chat.Read returns nothing else")
}
