package partner

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/byurl"
	"github.com/mimi-lab/mimi-lab/protocols/store/journal"
)

// ErrStopped: the server does not work any more. What was asked may have been done or not.
var ErrStopped = errors.New("partner: stopped")

// machinePrefix is what the machine's records begin with in the store.
const machinePrefix = "partner/"

// Server is a partner's server that runs. Its methods may be called by several goroutines
// at once.
type Server struct {
	cfg      Config
	log      *slog.Logger
	store    store.Store
	journal  *journal.Journal
	http     *http.Server
	requests chan struct{} // holds one for each request under way that costs something
	stats    counters
	wakes    waker

	machine struct {
		mu      sync.Mutex // guards what follows
		p       *dma.Partner
		signers map[string]*token.Signer // by the key's ID, for those that are published
		keys    []byte                   // the document with them
	}
	rotation *time.Timer // is due when a key is to be added or is over

	ctx     context.Context // ends when the server stops
	stop    context.CancelCauseFunc
	written chan struct{} // closed when the journal has ended
	down    chan struct{} // closed when the server begins to end
	end     sync.Once     // closes down
}

// New makes the server of what its store holds, and a key if there is none.
func New(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	st := cfg.Opened
	if st == nil {
		if st, err = byurl.Open(ctx, cfg.Store); err != nil {
			return nil, fmt.Errorf("partner: %w", err)
		}
	}
	s, err := restore(ctx, cfg, st)
	if err != nil {
		if cfg.Opened == nil {
			err = errors.Join(err, st.Close())
		}
		return nil, err
	}
	if err := s.turn(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// restore makes a server that works.
func restore(ctx context.Context, cfg Config, st store.Store) (*Server, error) {
	records, err := store.LoadUnder(ctx, st, machinePrefix)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Logger, store: st, written: make(chan struct{}), down: make(chan struct{}), requests: make(chan struct{}, cfg.Requests)}
	if s.machine.p, err = dma.RestorePartner(records); err != nil {
		return nil, fmt.Errorf("partner: %w", err)
	}
	if err := s.publishLocked(); err != nil {
		return nil, err
	}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.journal = journal.New(st, ErrStopped, s.fail)
	s.http = &http.Server{
		Handler: s.handler(), TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cfg.Certificate}},
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.rotation = time.AfterFunc(time.Hour, func() {
		if err := s.turn(s.ctx); err != nil && s.Err() == nil {
			s.log.Error("no other key", "error", err)
			s.rotation.Reset(time.Minute)
		}
	})
	s.rotation.Stop()
	go func() {
		defer close(s.written)
		s.journal.Run()
	}()
	return s, nil
}

// Serve answers requests of l, over TLS, until the server stops, and returns why.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.ServeTLS(l, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		<-s.ctx.Done() // while requests are answered
		return s.Err()
	}
	return err
}

// ask steps the machine and waits until what it says is durable.
func (s *Server) ask(ctx context.Context, in dma.Input) (wakes []string, err error) {
	done := make(chan error, 1)
	s.machine.mu.Lock()
	if s.Err() != nil {
		s.machine.mu.Unlock()
		return nil, ErrStopped
	}
	out, err := s.machine.p.Step(time.Now(), in)
	if err == nil {
		// The slices are the machine's until its next step.
		wakes = slices.Clone(out.Wakes)
		s.journal.Add(journal.Entry{Records: store.Under(machinePrefix, out.Persist), Then: func(lost error) { done <- lost }})
	}
	s.machine.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case err := <-done:
		return wakes, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Err returns nil while the server works, and then [ErrStopped] or what made it stop.
func (s *Server) Err() error {
	if s.ctx.Err() == nil {
		return nil
	}
	return context.Cause(s.ctx)
}

// fail stops the server at an error after which its state is not that of its store.
func (s *Server) fail(err error) {
	s.log.Error("stopping", "error", err)
	s.stop(err)
	go func() { _ = s.http.Close() }()
}

// Shutdown stops the server: it answers the requests that came while ctx lasts. What was
// answered is durable.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end.Do(func() { close(s.down) })
	err := s.http.Shutdown(ctx)
	return errors.Join(err, s.Close())
}

// Close stops the server at once.
func (s *Server) Close() error {
	s.stop(ErrStopped)
	s.end.Do(func() { close(s.down) })
	_ = s.http.Close()
	s.rotation.Stop()
	s.journal.End()
	<-s.written
	if s.cfg.Opened == nil {
		return s.store.Close()
	}
	return nil
}

// Stats counts what a server has done since it started.
type Stats struct {
	Users   int      `json:"users"`
	Keys    []string `json:"keys"`    // published, the oldest first
	Tokens  uint64   `json:"tokens"`  // given to devices
	Refused uint64   `json:"refused"` // requests without the right credential or invitation
	Pushes  uint64   `json:"pushes"`  // of the gatekeeper, for users
	Forged  uint64   `json:"forged"`  // pushes without its token
}

// counters are what Stats is made of.
type counters struct{ tokens, refused, pushes, forged atomic.Uint64 }

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.machine.mu.Lock()
	defer s.machine.mu.Unlock()
	out := Stats{
		Users: s.machine.p.Users(), Tokens: s.stats.tokens.Load(), Refused: s.stats.refused.Load(),
		Pushes: s.stats.pushes.Load(), Forged: s.stats.forged.Load(),
	}
	for _, k := range s.machine.p.Keys() {
		out.Keys = append(out.Keys, k.ID)
	}
	return out
}

// turn adds a key when it is time, and sees to it that it is called again.
func (s *Server) turn(ctx context.Context) error {
	now := time.Now()
	s.machine.mu.Lock()
	keys := s.machine.p.Keys()
	s.machine.mu.Unlock()
	var err error
	if len(keys) == 0 || !now.Before(s.due(keys)) {
		err = s.Rotate(ctx)
	} else if _, err = s.ask(ctx, dma.Wake{}); err == nil { // a key may be over
		err = s.publish()
	}
	if err != nil {
		return err
	}
	s.machine.mu.Lock()
	defer s.machine.mu.Unlock()
	keys = s.machine.p.Keys()
	next := s.due(keys)
	for _, k := range keys {
		if !k.Until.IsZero() && k.Until.Before(next) {
			next = k.Until
		}
	}
	s.rotation.Reset(max(time.Until(next), time.Millisecond))
	return nil
}

// leeway is for how long a token may be taken after its end, as clocks differ.
const leeway = 2 * time.Minute

// due is when another key is to be published.
func (s *Server) due(keys []dma.SigningKey) time.Time {
	return keys[len(keys)-1].From.Add(s.cfg.RotateEvery - s.cfg.Ahead)
}

// Rotate makes another key. It is published at once and signs Ahead from now; the one
// before is published until its tokens are over. Keys change by themselves every
// Config.RotateEvery.
func (s *Server) Rotate(ctx context.Context) error {
	id, private, err := newKey()
	if err != nil {
		return fmt.Errorf("partner: %w", err)
	}
	in := dma.AddKey{ID: id, Private: private, Ahead: s.cfg.Ahead, Keep: s.cfg.Lifetime + leeway}
	if _, err := s.ask(ctx, in); err != nil {
		return err
	}
	s.log.Info("another key", "kid", id, "ahead", s.cfg.Ahead)
	return s.publish()
}
