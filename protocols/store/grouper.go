package store

import (
	"context"
	"sync"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// Grouper is a store whose commits share transactions (group commit): those that
// arrive while one is being made durable go into the next, in the order of their
// arrival. A commit alone costs what it costs the store below; n at once cost
// about as much as two.
type Grouper struct {
	Store
	writing chan struct{} // holds a token while nobody writes

	mu   sync.Mutex // guards next and what it points to until it is taken
	next *group
}

// group is what one transaction will hold.
type group struct {
	records []protocols.Record
	done    chan struct{} // closed once err is set
	err     error
}

// Group returns a grouper over s, to be used in its place.
func Group(s Store) *Grouper {
	g := &Grouper{Store: s, writing: make(chan struct{}, 1)}
	g.writing <- struct{}{}
	return g
}

// Commit implements [Store]. An error of the store below is that of all commits
// that shared the transaction; none of them was written.
func (g *Grouper) Commit(ctx context.Context, records []protocols.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := g.join(records)
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	case <-g.writing:
	}
	// Whoever gets the token writes the next group, which is the own one unless
	// another has written that meanwhile.
	g.write(context.WithoutCancel(ctx))
	g.writing <- struct{}{}
	<-b.done
	return b.err
}

// join puts the records into the next group.
func (g *Grouper) join(records []protocols.Record) *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next = &group{done: make(chan struct{})}
	}
	g.next.records = append(g.next.records, records...)
	return g.next
}

// write commits the next group, if there is one. The caller holds the token.
func (g *Grouper) write(ctx context.Context) {
	g.mu.Lock()
	b := g.next
	g.next = nil
	g.mu.Unlock()
	if b == nil {
		return
	}
	b.err = g.Store.Commit(ctx, b.records)
	close(b.done)
}
