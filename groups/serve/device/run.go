package device

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// Run keeps the device connected until ctx ends, and then returns nil; or until it
// makes no sense any more: [ErrRefused], [ErrReplaced], [ErrStopped]. It is for one
// goroutine at a time.
func (d *Device) Run(ctx context.Context) error {
	if d.cfg.Connect == nil {
		return errors.New("device: Config.Connect is nil, want it")
	}
	wait := d.cfg.BackoffMin
	for {
		began := time.Now()
		connected, err := d.once(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case final(err) != nil:
			return final(err)
		}
		if connected && time.Since(began) > wait {
			wait = d.cfg.BackoffMin
		}
		d.log.Info("connecting again", "in", wait, "error", err)
		// Clients that a provider has lost at once do not come back at once.
		t := time.NewTimer(wait/2 + rand.N(wait/2+1))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
		wait = min(2*wait, d.cfg.BackoffMax)
	}
}

// final returns an error that connecting again does not mend, or nil.
func final(err error) error {
	var e *stanza.Error
	switch {
	case errors.Is(err, ErrStopped):
		return err
	case !errors.As(err, &e):
		return nil
	case e.Code == stanza.NotAuthorized, e.Code == stanza.Forbidden, e.Code == stanza.ItemNotFound:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case e.Code == stanza.Conflict:
		return fmt.Errorf("%w: %w", ErrReplaced, err)
	}
	return nil
}

// once connects, and works until the connection or ctx ends. It reports whether there
// was a connection, and why there is none.
func (d *Device) once(ctx context.Context) (connected bool, why error) {
	inbox := make(chan follower.Delivery, maxBatch)
	over := make(chan struct{})
	bounded, cancel := context.WithTimeout(ctx, connecting)
	conn, err := d.cfg.Connect(bounded, func(in follower.Delivery) {
		select {
		case inbox <- in:
		case <-over:
		}
	})
	cancel()
	if err != nil {
		d.disconnected(err)
		return false, err
	}
	s := newSession(ctx, d, conn)
	defer func() {
		d.disconnected(why)
		close(over)
		s.close()
	}()
	d.log.Info("connected")
	if err := d.connected(s); err != nil {
		return true, err
	}
	return true, d.work(s, inbox)
}

// connected lets calls be made on a connection, those first that have got no answer.
func (d *Device) connected(s *session) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn, d.offline = s, nil
	d.uncount = d.cfg.KeyPackages > 0
	_, _, err := d.stepLocked(member.Resume{})
	return err
}

// disconnected notes that there is no connection and why.
func (d *Device) disconnected(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conn, d.offline, d.caught = nil, why, false
	d.signal()
}

// work takes what comes on a connection until it ends.
func (d *Device) work(s *session, inbox <-chan follower.Delivery) error {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	caught := s.conn.CaughtUp()
	for {
		d.mu.Lock()
		at, changed, stopped := d.wakeAt, d.changed, d.stopped
		d.mu.Unlock()
		if stopped != nil {
			return stopped
		}
		alarm.Stop()
		if !at.IsZero() {
			alarm.Reset(at.Sub(d.cfg.Now()))
		}
		var err error
		select {
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		case <-s.conn.Done():
			return s.conn.Err()
		case in := <-inbox:
			err = d.deliver(more([]follower.Delivery{in}, inbox))
		case <-caught: // what waited is in the inbox, if it is not taken yet
			for list := more(nil, inbox); len(list) > 0 && err == nil; list = more(nil, inbox) {
				err = d.deliver(list)
			}
			d.caughtUp()
			caught = nil
		case <-alarm.C:
			_, _, err = d.step(member.Wake{})
		case <-changed: // perhaps wakeAt, or the device has stopped
		}
		if err != nil {
			return err
		}
	}
}

// caughtUp notes that all was taken that waited.
func (d *Device) caughtUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.caught = d.stopped == nil
	d.signal()
}

// more adds what has come meanwhile, for one transaction.
func more(list []follower.Delivery, inbox <-chan follower.Delivery) []follower.Delivery {
	for len(list) < maxBatch {
		select {
		case in := <-inbox:
			list = append(list, in)
		default:
			return list
		}
	}
	return list
}
