package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/ohttp"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/byurl"
	"github.com/mimi-lab/mimi-lab/protocols/store/journal"
)

// ErrStopped: the provider does not serve any more. What was asked may have been done
// or not.
var ErrStopped = errors.New("serve: the provider has stopped")

// Provider is a running MIMI provider. Its methods may be called by several goroutines
// at once.
type Provider struct {
	cfg     Config
	log     *slog.Logger
	store   store.Store
	journal *journal.Journal

	hub      hubMachine
	follower followerMachine
	peers    *peers
	fetcher  *http.Client // of assets
	gateway  gateway
	handler  *server
	http     *http.Server
	stats    counters

	ctx     context.Context // ends when the provider stops
	stop    context.CancelCauseFunc
	running sync.WaitGroup // goroutines beside those of the HTTP server
	written chan struct{}  // closed when the journal has ended

	mu     sync.Mutex // guards closed, and that running grows only before it
	closed bool
}

// hubMachine is the hub with what is guarded by its lock. A goroutine that holds both
// machines' locks has taken the follower's first.
type hubMachine struct {
	mu    sync.Mutex
	hub   *hub.Hub
	wake  *time.Timer
	steps *journal.Queue[hubStep]
	ended chan struct{} // closed when no step is taken any more
}

// followerMachine is the follower with what is guarded by its lock.
type followerMachine struct {
	mu       sync.Mutex
	follower *follower.Follower
	wake     *time.Timer
	sessions map[ident.URI]*Client // of connected clients
	calls    map[uint64]waiting    // for their reply
	underWay map[ident.URI]int     // by the clients: calls, and other requests for them
	lastCall uint64
}

// New makes the provider of what its store holds, which is empty at first, and lets it
// work: what was under way when it stopped goes on. It is reached by others when
// [Provider.Serve] is called.
func New(ctx context.Context, cfg Config) (*Provider, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := cfg.Opened
	if s == nil {
		if s, err = byurl.Open(ctx, cfg.Store); err != nil {
			return nil, fmt.Errorf("serve: %w", err)
		}
	}
	p, err := restore(ctx, cfg, s)
	if err != nil {
		if cfg.Opened == nil {
			err = errors.Join(err, s.Close())
		}
		return nil, err
	}
	p.start()
	return p, nil
}

// restore makes a provider that does not work yet.
func restore(ctx context.Context, cfg Config, s store.Store) (*Provider, error) {
	k, err := loadKeys(ctx, s, cfg.Suite)
	if err != nil {
		return nil, err
	}
	cfg.useKeys(k)
	p := &Provider{cfg: cfg, log: cfg.Logger.With("provider", cfg.Domain), store: s, written: make(chan struct{})}
	p.ctx, p.stop = context.WithCancelCause(context.Background())
	p.journal = journal.New(s, ErrStopped, p.fail)
	records, err := store.LoadUnder(ctx, s, hubPrefix)
	if err != nil {
		return nil, err
	}
	if p.hub.hub, err = hub.Restore(cfg.Hub, records); err != nil {
		return nil, err
	}
	p.hub.steps, p.hub.ended = journal.NewQueue[hubStep](), make(chan struct{})
	if records, err = store.LoadUnder(ctx, s, followerPrefix); err != nil {
		return nil, err
	}
	if p.follower.follower, err = follower.Restore(&p.cfg.Follower, records); err != nil {
		return nil, err
	}
	p.follower.sessions = make(map[ident.URI]*Client)
	p.follower.calls, p.follower.underWay = make(map[uint64]waiting), make(map[ident.URI]int)
	p.peers = newPeers(&p.cfg)
	p.fetcher = p.peers.assets()
	p.gateway.config = p.gateway.AddKey(1, cfg.Suite, k.Gateway.keys())
	if p.gateway.document, err = ohttp.MarshalKeys([]*ohttp.KeyConfig{p.gateway.config}); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	if p.handler, err = newServer(p); err != nil {
		return nil, err
	}
	p.http = &http.Server{
		Handler: p.handler, TLSConfig: serverTLS(&p.cfg),
		// [server.hurry] gives more time to what is not quick, and says it more exactly
		// where an answer is known.
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: readTimeout, WriteTimeout: p.cfg.Limits.Timeout, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	return p, nil
}

// start lets the machines work.
func (p *Provider) start() {
	p.hub.wake = time.AfterFunc(time.Hour, func() { p.stepHub(hub.Wake{}, nil) })
	p.follower.wake = time.AfterFunc(time.Hour, func() { p.stepFollower(follower.Wake{}, nil) })
	go func() {
		defer close(p.written)
		p.journal.Run()
	}()
	go func() {
		defer close(p.hub.ended)
		p.runHub()
	}()
	p.stepHub(hub.Resume{}, nil)
	p.stepHub(hub.Wake{}, nil)
	p.stepFollower(follower.Wake{}, nil)
}

// Domain returns the provider's domain.
func (p *Provider) Domain() string { return p.cfg.Domain }

// HubSender returns what rooms of this provider's hub need among their
// external_senders.
func (p *Provider) HubSender() message.ExternalSender {
	id := p.cfg.Hub.Identity
	return message.ExternalSender{SignatureKey: id.Signer.Public, Credential: id.Credential}
}

// FrankingAgent returns the franking_agent of rooms whose messages this provider's hub
// is to frank.
func (p *Provider) FrankingAgent() *mimi.FrankingAgentData {
	return &mimi.FrankingAgentData{FrankingSignatureKey: p.cfg.Hub.Franking.Public, Credential: p.cfg.Hub.Identity.Credential}
}

// Serve takes connections of l, over TLS, until the provider stops, and returns why. It
// may be called for several listeners.
func (p *Provider) Serve(l net.Listener) error {
	err := p.http.ServeTLS(l, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		<-p.ctx.Done() // while requests are answered
		return p.Err()
	}
	return err
}

// Handler returns what [Provider.Serve] answers requests with, for a program that has a
// server of its own, and TLS what that server needs: requests are told apart by the
// certificates of their connections.
func (p *Provider) Handler() http.Handler { return p.handler }

// TLS returns the configuration of connections for [Provider.Handler].
func (p *Provider) TLS() *tls.Config { return serverTLS(&p.cfg) }

// Done is closed when the provider has stopped working.
func (p *Provider) Done() <-chan struct{} { return p.ctx.Done() }

// Err returns nil while the provider works, and then [ErrStopped] or what made it stop.
func (p *Provider) Err() error {
	if p.ctx.Err() == nil {
		return nil
	}
	return context.Cause(p.ctx)
}

// fail stops the provider at an error after which its state is not that of its store.
func (p *Provider) fail(err error) {
	p.log.Error("stopping", "error", err)
	p.stop(err)
	p.background(func() { _ = p.http.Close() })
}

// Shutdown stops the provider: requests that came are answered while ctx lasts, and
// everything that was accepted is durable when it returns.
func (p *Provider) Shutdown(ctx context.Context) error {
	err := p.http.Shutdown(ctx)
	return errors.Join(err, p.Close())
}

// Close stops the provider at once. Whoever waits for an answer gets an error, and what
// was accepted is durable when it returns.
func (p *Provider) Close() error {
	p.mu.Lock()
	before := p.closed
	p.closed = true
	p.mu.Unlock()
	if before {
		<-p.written
		return nil
	}
	p.stop(ErrStopped)
	err := p.http.Close()
	p.hub.wake.Stop()
	p.follower.wake.Stop()
	p.running.Wait()
	p.hub.steps.End()
	<-p.hub.ended
	p.journal.End()
	<-p.written
	p.peers.close()
	p.fetcher.CloseIdleConnections()
	if p.cfg.Opened == nil {
		err = errors.Join(err, p.store.Close())
	}
	return err
}

// background runs f beside everything else, unless the provider is closed.
func (p *Provider) background(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.running.Go(f)
}
