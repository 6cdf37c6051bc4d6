package serve

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/journal"
)

// hubStep is an input that waits for the hub.
type hubStep struct {
	in   hub.Input
	then func(hub.Output, error)
}

// stepHub has the hub take an input, and calls then, if it isn't nil, once the output is
// durable, before anything is sent. Also an error waits for that: it may be about what
// another step did. then must not block.
func (p *Provider) stepHub(in hub.Input, then func(hub.Output, error)) {
	if then == nil {
		then = func(hub.Output, error) {}
	}
	if !p.hub.steps.Add(hubStep{in, then}) {
		then(hub.Output{}, ErrStopped)
	}
}

// runHub takes the steps of the hub. They have a goroutine of their own for its stack,
// which has grown once for signatures; that of a request would grow for each.
func (p *Provider) runHub() {
	for {
		steps := p.hub.steps.Take()
		if steps == nil {
			return
		}
		for _, s := range steps {
			p.hub.mu.Lock()
			e, _ := p.hubEntry(s.in, s.then)
			p.journal.Add(e)
			p.hub.mu.Unlock()
		}
	}
}

// hubEntry steps the hub and returns what is for the journal. The caller holds the hub's
// lock.
func (p *Provider) hubEntry(in hub.Input, then func(hub.Output, error)) (journal.Entry, error) {
	out, err := p.tryHub(in)
	if err != nil {
		return journal.Entry{Then: func(lost error) { then(hub.Output{}, orLost(err, lost)) }}, err
	}
	setWake(p.hub.wake, out.WakeAt)
	// The slices are the machine's until its next step.
	e := journal.Entry{Records: store.Under(hubPrefix, out.Persist)}
	out.Sends, out.GivenUp, out.Persist = slices.Clone(out.Sends), slices.Clone(out.GivenUp), nil
	e.Then = func(lost error) {
		if lost != nil {
			then(hub.Output{}, lost)
			return
		}
		then(out, nil)
		for _, g := range out.GivenUp {
			p.log.Warn("events given up", "to", g.To, "events", g.Events)
			p.stats.givenUp.Add(uint64(g.Events))
		}
		for _, s := range out.Sends {
			p.send(s)
		}
	}
	return e, nil
}

// stepFollower has the follower take an input, and calls then, if it isn't nil, once the
// output is durable. What it returns to send is sent.
func (p *Provider) stepFollower(in follower.Input, then func(follower.Body, error)) {
	p.follower.mu.Lock()
	defer p.follower.mu.Unlock()
	e, _ := p.followerEntry(in, then)
	p.journal.Add(e)
}

// followerEntry is stepFollower without the journal. The caller holds the follower's
// lock.
func (p *Provider) followerEntry(in follower.Input, then func(follower.Body, error)) (journal.Entry, error) {
	if then == nil {
		then = func(follower.Body, error) {}
	}
	out, err := p.tryFollower(in)
	if err != nil {
		return journal.Entry{Then: func(lost error) { then(nil, orLost(err, lost)) }}, err
	}
	setWake(p.follower.wake, out.WakeAt)
	e := journal.Entry{Records: store.Under(followerPrefix, out.Persist)}
	response, send := out.Response, p.leaving(&out)
	e.Then = func(lost error) {
		then(response, lost)
		if lost == nil {
			send()
		}
	}
	return e, nil
}

// leaving returns a function that sends what an output of the follower has to send, to
// those who are there now. The caller holds the follower's lock.
func (p *Provider) leaving(out *follower.Output) func() {
	requests := slices.Clone(out.Requests)
	type reply struct {
		to chan<- follower.Reply
		follower.Reply
	}
	var replies []reply
	for _, r := range out.Replies {
		if to := p.answered(r.ID); to != nil { // else nobody waits any more
			replies = append(replies, reply{to, r})
		}
	}
	deliveries := slices.Clone(out.Deliveries) // by thousands, where rooms are large
	to := make([]*Client, len(deliveries))
	for i := range deliveries {
		to[i] = p.follower.sessions[deliveries[i].Client]
	}
	return func() {
		for _, r := range requests {
			p.background(func() { p.answer(r) })
		}
		for _, r := range replies {
			r.to <- r.Reply // it has room for it
		}
		sent := uint64(0)
		for i, c := range to {
			if c != nil { // else it has lost its connection
				c.deliver(&deliveries[i])
				sent++
			}
		}
		p.stats.deliveries.Add(sent)
	}
}

// tryHub and tryFollower step a machine. One that panics has lost an invariant of its
// own, and the provider stops: the HTTP server would hide it.
func (p *Provider) tryHub(in hub.Input) (out hub.Output, err error) {
	defer p.recovered(&err)
	if err := p.Err(); err != nil {
		return out, ErrStopped
	}
	return p.hub.hub.Step(time.Now(), in)
}

func (p *Provider) tryFollower(in follower.Input) (out follower.Output, err error) {
	defer p.recovered(&err)
	if err := p.Err(); err != nil {
		return out, ErrStopped
	}
	return p.follower.follower.Step(time.Now(), in)
}

func (p *Provider) recovered(err *error) {
	if r := recover(); r != nil {
		p.fail(fmt.Errorf("serve: %v", r))
		*err = ErrStopped
	}
}

// orLost returns why a step was refused, or that nobody knows what came before it.
func orLost(err, lost error) error {
	if lost != nil {
		return lost
	}
	return err
}

// setWake sets when a machine wants to be woken; zero means not at all.
func setWake(t *time.Timer, at time.Time) {
	if at.IsZero() {
		t.Stop()
		return
	}
	t.Reset(time.Until(at))
}

// result is what came of a step.
type result[T any] struct {
	value T
	err   error
}

// askHub steps the hub and waits until what it says is durable.
func (p *Provider) askHub(ctx context.Context, in hub.Input) (hub.Output, error) {
	done := make(chan result[hub.Output], 1)
	p.stepHub(in, func(out hub.Output, err error) { done <- result[hub.Output]{out, err} })
	return wait(ctx, done)
}

// askFollower steps the follower and waits until what it says is durable.
func (p *Provider) askFollower(ctx context.Context, in follower.Input) (follower.Body, error) {
	done := make(chan result[follower.Body], 1)
	p.stepFollower(in, func(b follower.Body, err error) { done <- result[follower.Body]{b, err} })
	return wait(ctx, done)
}

func wait[T any](ctx context.Context, done <-chan result[T]) (T, error) {
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
