// Package client runs a user's device for one command: it opens the device's store in
// a directory of provider serve --dev, connects it to its provider, takes what has
// come for it, and has it do what the command wants.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve/device"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
)

// Options say which device it is.
type Options struct {
	IO      *term.IO
	Dev     string
	As      string
	Noise   bool // it connects over Noise in place of TLS
	Timeout time.Duration
	JSON    bool
	// CommitDelay is that of a member.Config, for commands that stay connected; nil
	// leaves what waits to the command.
	CommitDelay func(leaf uint32) time.Duration
}

// Flags adds the flags of all commands that run a device.
func (o *Options) Flags(f *pflag.FlagSet) {
	f.StringVar(&o.As, "as", "", "`device` that does it: alice@a.example, or by a name of its own alice@a.example/phone")
	f.StringVar(&o.Dev, "dev", "mimi-dev", "`directory` of provider serve --dev")
	f.BoolVar(&o.Noise, "noise", false, "connect over Noise in place of TLS")
	f.DurationVar(&o.Timeout, "timeout", 10*time.Second, "how long to wait for the provider and for others")
}

// Session is a device that is connected.
type Session struct {
	*device.Device
	IO   *term.IO
	User ident.URI
	// Sent keeps what this device has sent, Said what its user has said of consent.
	Sent Sent
	Said Said

	as, dev string
	timeout time.Duration
	seen    uint64 // the last event when the command began
}

// quiet is how long nothing comes until it is taken that hubs are not about to send more:
// what others have done just before may still be on its way to the provider.
const quiet = 250 * time.Millisecond

// Run opens the device and runs f while it is connected. The context of f ends with
// that of Run; f bounds what it waits for by itself.
func (o *Options) Run(ctx context.Context, f func(ctx context.Context, s *Session) error) (err error) {
	if o.Timeout <= 0 {
		return exit.Usagef("", "--timeout %v: want more than 0", o.Timeout)
	}
	client, err := ParseClient(o.As)
	if err != nil {
		return err
	}
	user, err := mimi.UserOf(client)
	if err != nil {
		return err
	}
	at, err := o.find(client)
	if err != nil {
		return err
	}
	st, err := open(ctx, at.store, min(o.Timeout, patience))
	if errors.Is(err, store.ErrInUse) {
		return exit.Failuref("Wait for it to end, or be another device of the same user: --as "+Short(user)+"/laptop.",
			"another command runs as %s", Short(client))
	}
	// What a device had is nowhere else: no other one can go on in its place.
	lost := "Put a copy of the file in its place, or be another device of the same user: --as " + Short(user) + "/laptop, which enters rooms by room join."
	if errors.Is(err, store.ErrDamaged) {
		return exit.Failuref(lost, "%w", err)
	}
	if err != nil {
		return exit.Failuref("", "%w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	d, err := device.Open(ctx, device.Config{
		Client: client, Store: part{st, "device/"}, Connect: at.connect,
		Member: member.Config{CommitDelay: o.delay(), RetryMin: 200 * time.Millisecond},
	})
	if err != nil {
		return exit.Failuref(lost, "%s: %w", at.store, err)
	}
	s := &Session{Device: d, IO: o.IO, User: user, Sent: Sent{part{st, "sent/"}}, Said: Said{part{st, "said/"}}, as: o.As, dev: o.Dev, timeout: o.Timeout}
	for _, e := range d.Events(0) {
		s.seen = e.N
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- d.Run(running) }()
	defer func() {
		stop()
		if e := <-ended; e != nil && err == nil {
			err = e
		}
	}()
	if err := s.arrive(ctx, ended); err != nil {
		return err
	}
	if err := f(ctx, s); err != nil {
		return err
	}
	return s.rest(ctx)
}

// patience is how long a command waits for another one of the same device, which may be
// about to end.
const patience = 2 * time.Second

// open opens a device's store, for which it waits while another command has it.
func open(ctx context.Context, path string, patience time.Duration) (*sqlite.Store, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		st, err := sqlite.Open(path)
		if !errors.Is(err, store.ErrInUse) {
			return st, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (o *Options) delay() func(uint32) time.Duration {
	if o.CommitDelay != nil {
		return o.CommitDelay
	}
	return func(uint32) time.Duration { return -1 }
}

// connecting is what a device does first.
const connecting = "connecting"

// arrive waits until the device is connected, its provider has its KeyPackages, and
// what waited for it has come.
func (s *Session) arrive(ctx context.Context, ended chan error) error {
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	online := make(chan error, 1)
	go func() { online <- s.Online(bounded) }()
	select {
	case err := <-online:
		if err != nil {
			return s.explain(ctx, err, connecting, ident.URI{})
		}
	case err := <-ended:
		ended <- nil
		return s.explain(ctx, err, connecting, ident.URI{})
	}
	if err := s.Settled(bounded); err != nil {
		return s.explain(ctx, err, "publishing KeyPackages", ident.URI{})
	}
	if err := s.CaughtUp(bounded); err != nil {
		return s.explain(ctx, err, "taking what has come meanwhile", ident.URI{})
	}
	return s.catchUp(ctx)
}

// catchUp takes what comes until nothing comes for a while.
func (s *Session) catchUp(ctx context.Context) error {
	for after := s.Last(); ; {
		bounded, cancel := context.WithTimeout(ctx, quiet)
		list, err := s.Next(bounded, after)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return nil
		case err != nil:
			return exit.Failuref("", "%w", err)
		}
		after = list[len(list)-1].N
	}
}

// Last returns the number of the last event.
func (s *Session) Last() (n uint64) {
	for _, e := range s.Events(0) {
		n = e.N
	}
	return n
}

// New returns the events that came since the command began.
func (s *Session) New() []device.Event { return s.Events(s.seen) }

// rest waits until the provider knows what the command has left for it.
func (s *Session) rest(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	_ = s.Settled(bounded) // what is left is told at the next connection
	return ctx.Err()
}

// Act has the device do something and waits for its outcome.
func (s *Session) Act(ctx context.Context, what string, in member.Input) (device.Event, error) {
	return s.Ask(ctx, ident.URI{}, what, in)
}

// Ask is Act for what another provider may have to answer: that of whom or what it is
// about.
func (s *Session) Ask(ctx context.Context, about ident.URI, what string, in member.Input) (device.Event, error) {
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	id, err := s.Do(bounded, in)
	if err != nil {
		return device.Event{}, s.explain(ctx, err, what, about)
	}
	e, err := s.Wait(bounded, id)
	if err != nil {
		return e, s.explain(ctx, err, what, about)
	}
	return e, nil
}

// Tell writes progress.
func (s *Session) Tell(format string, args ...any) {
	_ = write(s.IO.Err, fmt.Sprintf(format, args...))
}

// Say writes a sentence of the result.
func (s *Session) Say(format string, args ...any) error {
	return write(s.IO.Out, fmt.Sprintf(format, args...))
}

// write writes a text in lines of 80 columns.
func write(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, term.WrapLines(text, 80))
	return err
}
