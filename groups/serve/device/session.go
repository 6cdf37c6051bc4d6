package device

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/chat"
	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// maxCalls bounds the calls of a connection that are under way, below what a provider
// lets a client have (channel.Limits).
const maxCalls = 16

// session is a connection with what is under way on it. Whatever its end leaves open is
// asked again on the next.
type session struct {
	d    *Device
	conn *channel.Client
	ctx  context.Context // ends with the session
	end  context.CancelFunc
	busy chan struct{} // holds one for each call under way
	todo chan struct{} // holds one if there may be errands

	mu     sync.Mutex // guards what follows
	closed bool
	acks   map[ident.URI]uint64 // that are to be sent
	acking bool                 // somebody sends them
	wg     sync.WaitGroup       // grows only before closed
}

func newSession(ctx context.Context, d *Device, conn *channel.Client) *session {
	s := &session{
		d: d, conn: conn, busy: make(chan struct{}, maxCalls), todo: make(chan struct{}, 1), acks: make(map[ident.URI]uint64),
	}
	s.ctx, s.end = context.WithCancel(ctx)
	s.start(s.errands)
	return s
}

// start runs f beside the session, unless that is over.
func (s *session) start(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(f)
	}
}

// close ends the connection and waits for what is under way.
func (s *session) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	_ = s.conn.Close()
	s.wg.Wait()
}

// perform does what steps ask for, after it is durable. It does not block: the caller
// holds the device's lock.
func (s *session) perform(b *batch) {
	if len(b.errands) > 0 || b.used {
		s.hurry()
	}
	for _, c := range b.creations {
		s.start(func() { s.create(c) })
	}
	for _, c := range b.calls {
		s.start(func() { s.call(c) })
	}
	if len(b.acks) == 0 {
		return
	}
	s.mu.Lock()
	for _, a := range b.acks {
		s.acks[a.Room] = max(s.acks[a.Room], a.Seq)
	}
	idle := !s.acking
	s.acking = true
	s.mu.Unlock()
	if idle {
		s.start(s.ack)
	}
}

// ack acknowledges what is durable. Of several deliveries of a room that came meanwhile
// the last counts.
func (s *session) ack() {
	for {
		s.mu.Lock()
		list := s.acks
		s.acks = make(map[ident.URI]uint64)
		s.acking = len(list) > 0
		s.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for room, seq := range list {
			if _, err := s.conn.Do(s.ctx, follower.Ack{Room: room, Seq: seq}); err != nil {
				return // the connection has ended
			}
		}
	}
}

// call makes a call, and tells the machine what became of it. Without an answer nothing
// is told: the next connection asks again.
func (s *session) call(c follower.Call) {
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-s.ctx.Done():
		return
	}
	body, err := s.conn.Do(s.ctx, c)
	if s.ended(err) {
		return
	}
	_, _, _ = s.d.step(member.Replied{ID: c.ID, Body: body, Err: refusal(err)})
}

// create gives a room to the provider's hub, until there is an answer.
func (s *session) create(c member.Creation) {
	s.persist("creating a room", func() (bool, error) {
		_, err := s.conn.Do(s.ctx, &chat.Create{Room: c.Room, GroupInfo: c.GroupInfo, RatchetTree: c.RatchetTree})
		if err != nil && !definite(err) {
			return false, err
		}
		_, _, _ = s.d.step(member.RoomCreated{Room: c.Room, Err: refusal(err)})
		return true, nil
	})
}

// hurry says that there may be errands.
func (s *session) hurry() {
	select {
	case s.todo <- struct{}{}:
	default:
	}
}

// errands runs errands, one after another, and has KeyPackages counted when there are
// none: those that are on their way count then.
func (s *session) errands() {
	again := time.NewTicker(recount)
	defer again.Stop()
	for s.ctx.Err() == nil && s.conn.Err() == nil {
		if e, ok := s.d.firstErrand(); ok {
			s.persist("an errand", func() (bool, error) {
				_, err := s.conn.Do(s.ctx, e.input())
				if err != nil && !definite(err) && !full(err) {
					return false, err
				}
				return true, s.d.ran(e, err)
			})
			continue
		}
		if s.d.counts() {
			s.persist("counting KeyPackages", s.count)
			continue
		}
		select {
		case <-s.todo:
		case <-again.C:
			s.d.countAgain()
		case <-s.ctx.Done():
		}
	}
}

// count asks the provider how many KeyPackages there are, and makes those that are missing.
func (s *session) count() (done bool, err error) {
	answer, err := s.conn.Do(s.ctx, chat.CountKeyPackages{})
	if err != nil && !definite(err) {
		return false, err
	}
	n, ok := answer.(chat.Count)
	if !ok {
		s.d.log.Warn("the provider does not say how many KeyPackages it has", "error", err)
		n = chat.Count(s.d.cfg.KeyPackages)
	}
	return true, s.d.replenish(int(n))
}

// persist does something again and again, with pauses, until it is done or the session
// ends.
func (s *session) persist(what string, f func() (done bool, err error)) {
	for wait := s.d.cfg.BackoffMin; ; wait = min(2*wait, s.d.cfg.BackoffMax) {
		done, err := f()
		if done || s.ended(err) {
			return
		}
		s.d.log.Warn(what+" is tried again", "in", wait, "error", err)
		t := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-t.C:
		case <-s.ctx.Done():
			t.Stop()
			return
		case <-s.conn.Done():
			t.Stop()
			return
		}
	}
}

// ended reports whether an error is that of a connection or session that has ended.
func (s *session) ended(err error) bool {
	return err != nil && (errors.Is(err, channel.ErrEnded) || s.ctx.Err() != nil)
}

// refusal returns an error of the connection as the machine knows it: what says that
// nothing was done is a follower.Refusal.
func refusal(err error) error {
	var (
		e      *stanza.Error
		format *stanza.FormatError
	)
	switch {
	case errors.As(err, &e) && e.Code < stanza.InternalServerError:
		return &follower.Refusal{Status: int(e.Code), Reason: e.Error(), After: time.Duration(e.After) * time.Second}
	case errors.As(err, &format):
		return &follower.Refusal{Status: int(stanza.ResourceLimit), Reason: err.Error()}
	}
	return err
}

// definite reports whether an error says that something was not done and will not be.
func definite(err error) bool {
	var r *follower.Refusal
	return errors.As(refusal(err), &r) && r.Status != int(stanza.RequestTimeout) && r.Status != int(stanza.RateOverlimit)
}

// full reports whether an error says that there is too much already, and not when there
// will be less.
func full(err error) bool {
	var r *follower.Refusal
	return errors.As(refusal(err), &r) && r.Status == int(stanza.RateOverlimit) && r.After == 0
}

// ran forgets an errand, which was run or refused.
func (d *Device) ran(e errand, refused error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped != nil {
		return d.stopped
	}
	if refused != nil {
		d.log.Warn("an errand is refused", "error", refused)
	}
	if err := d.cfg.Store.Commit(context.Background(), []protocols.Record{{Key: errandKey(e.n)}}); err != nil {
		return d.stop(err)
	}
	d.errands = d.errands[1:]
	d.signal()
	return nil
}
