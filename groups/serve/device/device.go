package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// What callers branch on.
var (
	// ErrStopped: the store has failed, so that the device does nothing any more. Opened
	// again, it is what the store holds.
	ErrStopped = errors.New("device: stopped")
	// ErrUnknown: there is no such intention, or the application has confirmed its
	// outcome.
	ErrUnknown = errors.New("device: no such intention")
	// ErrRefused: the provider does not let this client in.
	ErrRefused = errors.New("device: the provider does not let this client in")
	// ErrReplaced: the client has connected from elsewhere.
	ErrReplaced = errors.New("device: the client has another connection")
)

// Device is one client. Its methods may be called by several goroutines at once.
type Device struct {
	cfg Config
	log *slog.Logger

	mu       sync.Mutex // guards what follows
	member   *member.Member
	stopped  error            // why nothing is done any more
	head     head             // the numbers that were given
	events   []Event          // that are not confirmed
	open     map[uint64]bool  // intentions without an outcome
	outcomes map[uint64]Event // the last ones, also of events that were confirmed
	ends     []uint64         // their intentions, oldest first
	errands  []errand         // that the provider has not answered
	caught   bool             // all that waited for the connection was taken
	uncount  bool             // the provider is to be asked how many KeyPackages there are
	conn     *session         // nil while there is none
	offline  error            // why there is none
	wakeAt   time.Time        // when the machine wants to be woken
	changed  chan struct{}    // is closed when any of this changes
}

// Open returns the device that its store holds, or makes it.
func Open(ctx context.Context, cfg Config) (*Device, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	d := &Device{
		cfg: cfg, log: cfg.Logger.With("client", cfg.Client), open: make(map[uint64]bool), outcomes: make(map[uint64]Event), changed: make(chan struct{}),
		offline: errors.New("device: not connected yet"),
	}
	if err := d.restore(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Do begins what the user wants, durably: one of the inputs of package member, such as
// member.Send. It returns the number of the intention, by which its outcome is known,
// or 0 for an input that begins none. It needs no connection.
func (d *Device) Do(ctx context.Context, in member.Input) (id uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	id, errs, err := d.step(in)
	return id, errors.Join(err, errors.Join(errs...))
}

// Wait waits for the outcome of an intention, which is an event in the log, too. Its
// error is that of ctx, or why the intention failed: then it is that of the
// member.Failed returned.
func (d *Device) Wait(ctx context.Context, id uint64) (Event, error) {
	for {
		d.mu.Lock()
		e, ok := d.outcomes[id]
		open, stopped, changed := d.open[id], d.stopped, d.changed
		d.mu.Unlock()
		switch {
		case ok:
			if f, failed := e.Event.(member.Failed); failed {
				return e, fmt.Errorf("device: %s: %w", f.What, f.Why)
			}
			return e, nil
		case stopped != nil:
			return Event{}, stopped
		case !open:
			return Event{}, fmt.Errorf("%w: %d", ErrUnknown, id)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// View calls f with the machine, to look at: its rooms are valid until f returns. f
// must not call the device.
func (d *Device) View(f func(*member.Member)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d.member)
}

// Client returns whose device it is.
func (d *Device) Client() ident.URI { return d.cfg.Client }

// Online returns nil when there is a connection, for which it waits, or with the error
// of ctx why there is none.
func (d *Device) Online(ctx context.Context) error {
	for {
		d.mu.Lock()
		conn, offline, stopped, changed := d.conn, d.offline, d.stopped, d.changed
		d.mu.Unlock()
		switch {
		case stopped != nil:
			return stopped
		case conn != nil:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), offline)
		}
	}
}

// CaughtUp waits until the device has a connection and has taken all that waited for it at
// its provider. What others are about to send may come later.
func (d *Device) CaughtUp(ctx context.Context) error {
	for {
		d.mu.Lock()
		caught, offline, stopped, changed := d.caught, d.offline, d.stopped, d.changed
		d.mu.Unlock()
		switch {
		case stopped != nil:
			return stopped
		case caught:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), offline)
		}
	}
}

// Settled waits until the provider has all KeyPackages of the device, and knows of each
// room that it has left.
func (d *Device) Settled(ctx context.Context) error {
	for {
		d.mu.Lock()
		settled, offline, stopped, changed := len(d.errands) == 0 && !d.uncount, d.offline, d.stopped, d.changed
		d.mu.Unlock()
		switch {
		case stopped != nil:
			return stopped
		case settled:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), offline)
		}
	}
}

// signal tells whoever waits that something has changed. The caller holds the lock.
func (d *Device) signal() {
	close(d.changed)
	d.changed = make(chan struct{})
}
