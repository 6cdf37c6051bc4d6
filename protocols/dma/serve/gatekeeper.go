package serve

import (
	"cmp"
	"context"
	"crypto/rand"
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
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/byurl"
	"github.com/mimi-lab/mimi-lab/protocols/store/journal"
)

// Gatekeeper is a running gatekeeper. Its methods may be called by several goroutines at
// once.
type Gatekeeper struct {
	cfg     Config
	log     *slog.Logger
	store   store.Store
	journal *journal.Journal
	http    *http.Server
	stats   counters
	pushers map[uint16]*pusher // by the partner's number
	media   *mediaHost         // nil without one

	handshakes  chan struct{}            // holds one for each connection that is not authenticated
	enlistments chan struct{}            // holds one for each enlistment under way
	checks      map[uint16]chan struct{} // by the partner's number, holds one for each token that is checked
	gate        *gate
	refusals    refusals
	alias       [32]byte // a key for the names of native users in logs

	machine struct {
		mu    sync.Mutex // guards what follows
		gk    *dma.Gatekeeper
		conns map[dma.ConnID]*conn // authenticated
		last  dma.ConnID
		wake  *time.Timer
		wakes time.Time // when wake is due
	}

	ctx     context.Context // ends when the gatekeeper stops
	stop    context.CancelCauseFunc
	running sync.WaitGroup // what runs beside connections
	serving sync.WaitGroup // chat connections
	written chan struct{}  // closed when the journal has ended

	mu        sync.Mutex // guards what follows
	closed    bool
	listeners map[net.Listener]struct{} // of chat connections
	open      map[net.Conn]struct{}     // chat connections, authenticated or not
}

// New makes the gatekeeper of what its store holds, which is empty at first.
func New(ctx context.Context, cfg Config) (*Gatekeeper, error) {
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
	g, err := restore(ctx, cfg, s)
	if err != nil {
		if cfg.Opened == nil {
			err = errors.Join(err, s.Close())
		}
		return nil, err
	}
	if err := g.agree(ctx); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// restore makes a gatekeeper that works.
func restore(ctx context.Context, cfg Config, s store.Store) (*Gatekeeper, error) {
	records, err := store.LoadUnder(ctx, s, machinePrefix)
	if err != nil {
		return nil, err
	}
	g := &Gatekeeper{
		cfg: cfg, log: cfg.Logger, store: s, written: make(chan struct{}),
		handshakes: make(chan struct{}, cfg.Limits.Handshakes), enlistments: make(chan struct{}, cfg.Limits.Enlistments),
		listeners: map[net.Listener]struct{}{}, open: map[net.Conn]struct{}{}, gate: newGate(&cfg.Rates), checks: map[uint16]chan struct{}{},
	}
	if _, err := rand.Read(g.alias[:]); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	for _, p := range cfg.Partners {
		g.checks[p.Integrator] = make(chan struct{}, cfg.Limits.Checks)
	}
	if g.machine.gk, err = dma.RestoreGatekeeper(cfg.Machine, records); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	g.machine.conns = map[dma.ConnID]*conn{}
	g.ctx, g.stop = context.WithCancelCause(context.Background())
	g.journal = journal.New(s, ErrStopped, g.fail)
	if g.media, err = g.newMediaHost(); err != nil {
		return nil, err
	}
	if g.http, err = g.newHTTP(); err != nil {
		return nil, err
	}
	g.pushers = map[uint16]*pusher{}
	for _, p := range cfg.Partners {
		if p.Pushes == nil {
			continue
		}
		if g.pushers[p.Integrator], err = g.newPusher(*p.Pushes); err != nil {
			g.stop(err)
			g.running.Wait()
			return nil, err
		}
	}
	if g.media != nil {
		g.running.Go(func() { g.media.sweep(g.ctx) })
	}
	g.machine.wake = time.AfterFunc(time.Hour, func() { g.step(dma.Wake{}, nil) })
	go func() {
		defer close(g.written)
		g.journal.Run()
	}()
	g.step(dma.Wake{}, nil)
	return g, nil
}

// agree has the machine know the agreements there are, and that others have ended.
func (g *Gatekeeper) agree(ctx context.Context) error {
	for i := range 1<<16 - 1 {
		integrator := uint16(i + 1)
		active := slices.ContainsFunc(g.cfg.Partners, func(p Partner) bool { return p.Integrator == integrator })
		g.machine.mu.Lock()
		same := g.machine.gk.Agreement(integrator) == active
		g.machine.mu.Unlock()
		if same {
			continue
		}
		if err := g.Agree(ctx, integrator, active); err != nil {
			return err
		}
	}
	return nil
}

// Agree starts or ends the agreement with a partner of the configuration. Ending one
// closes its users' connections, drops what waits between them and others, and ends the
// transfers of media, both ways.
func (g *Gatekeeper) Agree(ctx context.Context, integrator uint16, active bool) error {
	_, err := g.ask(ctx, dma.Agree{Integrator: integrator, Active: active})
	if g.media != nil && !active {
		g.media.revoke(integrator)
	}
	return err
}

// step has the machine take an input, and calls then, if it isn't nil, once the output is
// durable. What is to be sent is queued after that. then must not block. It returns the
// machine's error at once.
func (g *Gatekeeper) step(in dma.Input, then func(dma.Output, error)) error {
	g.machine.mu.Lock()
	defer g.machine.mu.Unlock()
	return g.stepLocked(in, then)
}

// stepLocked is step for those who hold the machine's lock.
func (g *Gatekeeper) stepLocked(in dma.Input, then func(dma.Output, error)) error {
	if then == nil {
		then = func(dma.Output, error) {}
	}
	out, err := g.try(in)
	if err != nil {
		// It may be about what another step did, which is not durable yet.
		g.journal.Add(journal.Entry{Then: func(lost error) { then(dma.Output{}, cmp.Or(lost, err)) }})
		return err
	}
	g.wakeAt(in, out.WakeAt)
	// The slices are the machine's until its next step.
	o := &outcome{g: g, then: then, account: out.Account, pushes: slices.Clone(out.Pushes)}
	o.sends = g.addressed(o.few[:0], out.Sends)
	if g.cfg.Events != nil {
		o.events = slices.Clone(out.Events)
	}
	for _, e := range out.Events {
		o.counts.add(e.Kind)
		if e.Kind == dma.Unenlisted && g.media != nil {
			o.gone = append(o.gone, e.Account)
		}
	}
	g.journal.Add(journal.Entry{Records: store.Under(machinePrefix, out.Persist), Then: o.durable})
	return nil
}

// wakeAt sets when the machine wants to be woken. Most steps want it later, which is left
// for when it is woken: too early does no harm. The caller holds the machine's lock.
func (g *Gatekeeper) wakeAt(in dma.Input, at time.Time) {
	_, woken := in.(dma.Wake)
	due := g.machine.wakes
	if !woken && !due.IsZero() && (at.IsZero() || !at.Before(due)) {
		return
	}
	g.machine.wakes = at
	setWake(g.machine.wake, at)
}

// outcome is what a step has come to, until it is durable. There is one for each stanza,
// so it is one piece of memory.
type outcome struct {
	g       *Gatekeeper
	then    func(dma.Output, error)
	account ident.Address
	sends   []addressedSend
	few     [2]addressedSend // room for them
	counts  counts
	events  []dma.Event // for those who are told of them
	pushes  []dma.Push
	gone    []ident.Address // whose media go with them
}

// durable lets go of what depends on the step, unless it is lost.
func (o *outcome) durable(lost error) {
	o.then(dma.Output{Account: o.account}, lost)
	if lost != nil {
		return
	}
	for _, s := range o.sends {
		if s.Lossy && s.to.out.holds(o.g.cfg.Limits.Queue) {
			continue
		}
		s.to.send(s.Frame, s.Close)
	}
	o.g.push(o.pushes)
	o.g.stats.count(o.counts)
	for _, a := range o.gone {
		o.g.media.drop(a)
	}
	for _, e := range o.events {
		o.g.cfg.Events(e)
	}
}

// addressedSend is a send with the connection that it is for.
type addressedSend struct {
	to *conn
	dma.Send
}

// addressed adds sends to a list, with the connections that they are for, among those
// there are now. The caller holds the machine's lock.
func (g *Gatekeeper) addressed(list []addressedSend, sends []dma.Send) []addressedSend {
	for _, s := range sends {
		if c := g.machine.conns[s.Conn]; c != nil {
			list = append(list, addressedSend{c, s})
		}
	}
	return list
}

// try steps the machine. One that panics has lost an invariant of its own, and the
// gatekeeper stops.
func (g *Gatekeeper) try(in dma.Input) (out dma.Output, err error) {
	defer func() {
		if r := recover(); r != nil {
			g.fail(fmt.Errorf("serve: %v", r))
			err = ErrStopped
		}
	}()
	if g.Err() != nil {
		return out, ErrStopped
	}
	return g.machine.gk.Step(time.Now(), in)
}

// ask steps the machine and waits until what it says is durable.
func (g *Gatekeeper) ask(ctx context.Context, in dma.Input) (dma.Output, error) {
	type result struct {
		dma.Output
		error
	}
	done := make(chan result, 1)
	_ = g.step(in, func(out dma.Output, err error) { done <- result{out, err} })
	select {
	case r := <-done:
		return r.Output, r.error
	case <-ctx.Done():
		return dma.Output{}, context.Cause(ctx)
	}
}

// setWake sets when a machine wants to be woken; zero means not at all.
func setWake(t *time.Timer, at time.Time) {
	if at.IsZero() {
		t.Stop()
		return
	}
	t.Reset(time.Until(at))
}

// Done is closed when the gatekeeper has stopped working.
func (g *Gatekeeper) Done() <-chan struct{} { return g.ctx.Done() }

// Err returns nil while the gatekeeper works, and then [ErrStopped] or what made it stop.
func (g *Gatekeeper) Err() error {
	if g.ctx.Err() == nil {
		return nil
	}
	return context.Cause(g.ctx)
}

// fail stops the gatekeeper at an error after which its state is not that of its store.
func (g *Gatekeeper) fail(err error) {
	g.log.Error("stopping", "error", err)
	g.stop(err)
	go g.cut()
}

// cut ends all connections at once.
func (g *Gatekeeper) cut() {
	if g.media != nil {
		g.media.transfers.close(ErrStopped)
	}
	_ = g.http.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for l := range g.listeners {
		_ = l.Close()
	}
	for nc := range g.open {
		_ = nc.Close()
	}
}

// Shutdown stops the gatekeeper: it takes no more connections, answers enlistments that
// came and tells clients to go while ctx lasts. Everything that was accepted is durable
// when it returns.
func (g *Gatekeeper) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	for l := range g.listeners {
		_ = l.Close()
	}
	for nc := range g.open { // who is not authenticated yet has nothing under way
		_ = nc.SetDeadline(time.Now().Add(goodbye))
	}
	g.mu.Unlock()
	g.machine.mu.Lock()
	for _, c := range g.machine.conns {
		c.end(&stanza.Error{Code: stanza.ServiceUnavailable, Text: "the gatekeeper goes down"})
	}
	g.machine.mu.Unlock()
	err := g.http.Shutdown(ctx)
	gone := make(chan struct{})
	go func() {
		g.serving.Wait()
		close(gone)
	}()
	select {
	case <-gone:
	case <-ctx.Done():
	}
	return errors.Join(err, g.Close())
}

// Close stops the gatekeeper at once. What was accepted is durable when it returns.
func (g *Gatekeeper) Close() error {
	g.stop(ErrStopped)
	g.cut()
	g.machine.wake.Stop()
	g.serving.Wait()
	g.running.Wait()
	g.journal.End()
	<-g.written
	if g.cfg.Opened == nil {
		return g.store.Close()
	}
	return nil
}

// Stats counts what a gatekeeper has done since it started.
type Stats struct {
	Connected int    `json:"connected"` // clients, now
	Refused   uint64 `json:"refused"`   // connections, before their client was authenticated
	Enlisted  uint64 `json:"enlisted"`  // enlistments and registrations that went well
	Rejected  uint64 `json:"rejected"`  // those that did not
	Routed    uint64 `json:"routed"`    // messages that were accepted
	Settled   uint64 `json:"settled"`   // messages that their recipient has
	Dropped   uint64 `json:"dropped"`   // messages that left their mailbox undelivered
	Pushes    uint64 `json:"pushes"`    // that were due, several for one user perhaps
	Pushed    uint64 `json:"pushed"`    // that a partner has taken
	Uploaded  uint64 `json:"uploaded"`  // media that native users have sent
	Handed    uint64 `json:"handed"`    // transfers of those that began
	Fetched   uint64 `json:"fetched"`   // media of partners that were passed on
	Unfetched uint64 `json:"unfetched"` // those that were not, or not to the end
	Commits   uint64 `json:"commits"`   // transactions of the store
	Records   uint64 `json:"records"`   // written in them
}

// counters are what Stats is made of.
type counters struct {
	refused, enlisted, rejected, routed, settled, dropped, pushes, pushed atomic.Uint64
	uploaded, downloaded, fetched, unfetched                              atomic.Uint64
}

// counts are the events of a step that are counted.
type counts struct{ routed, settled, dropped uint64 }

func (c *counts) add(k dma.EventKind) {
	switch k {
	case dma.Routed:
		c.routed++
	case dma.Settled:
		c.settled++
	case dma.Dropped:
		c.dropped++
	}
}

func (c *counters) count(n counts) {
	if n != (counts{}) {
		c.routed.Add(n.routed)
		c.settled.Add(n.settled)
		c.dropped.Add(n.dropped)
	}
}

// Stats returns the counts so far.
func (g *Gatekeeper) Stats() Stats {
	g.machine.mu.Lock()
	connected := len(g.machine.conns)
	g.machine.mu.Unlock()
	c := &g.stats
	commits, records := g.journal.Counts()
	return Stats{
		Connected: connected, Refused: c.refused.Load(), Enlisted: c.enlisted.Load(), Rejected: c.rejected.Load(),
		Routed: c.routed.Load(), Settled: c.settled.Load(), Dropped: c.dropped.Load(), Pushes: c.pushes.Load(), Pushed: c.pushed.Load(),
		Uploaded: c.uploaded.Load(), Handed: c.downloaded.Load(), Fetched: c.fetched.Load(), Unfetched: c.unfetched.Load(),
		Commits: commits, Records: records,
	}
}
