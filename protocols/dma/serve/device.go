package serve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/journal"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// DeviceConfig is what a device needs that [Enlist] has made. It is not modified.
type DeviceConfig struct {
	Store   store.Store // where the account is; it is left open
	Adapter protocols.Adapter
	Suite   suite.Suite

	Address string // of the chat channel, host and port
	Dialect noise.Dialect
	Trust   noise.Trust
	// Token returns a token that is good now, at each connect; nil for a native user.
	Token func(context.Context) (string, error)
	// Dial makes connections in place of the network; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Batch       int           // one-time prekeys in an upload; default 50, as whatsmeow has it
	RotateEvery time.Duration // age of a signed prekey; default 27 days, as public clients have it

	KeepAlive time.Duration // how often the device says that it is there; default 25 s
	Timeout   time.Duration // of connecting, and for a gatekeeper that does not read; default 20 s
	// Again is how long the device waits before it connects again, doubled each time up to
	// AgainMost; defaults 1 s and 1 min.
	Again, AgainMost time.Duration

	Media DeviceMedia // how media are transferred

	// Events, if not nil, is called with what the machine tells, once it is durable. It must
	// not block. Messages come by Receive too, and survive a crash there.
	Events func(dma.Event)
	// Logger is told what happens, without content, tokens or secrets; nil discards it.
	Logger *slog.Logger
}

// Device is a client of the chat channel that works. Its methods may be called by several
// goroutines at once.
type Device struct {
	cfg     DeviceConfig
	log     *slog.Logger
	account *account
	media   *mediaLink
	journal *journal.Journal
	written chan struct{} // closed when the journal has ended

	mu      sync.Mutex // guards what follows
	machine *dma.Device
	wake    *time.Timer
	last    dma.ConnID
	out     *outbox // of the connection there is, or nil
	nextSeq uint64
	inbox   []*Received // not taken by the user yet, in order
	arrived chan struct{}
	changed chan struct{} // closed at the next step
	stopped error
}

// Received is a message for the user.
type Received struct {
	// Seq is its number at this device. One that is received again, since it was not taken
	// before a crash, has the number it had.
	Seq     uint64
	ID      string
	From    ident.Address
	Group   ident.Address // in which it was written, or empty
	Sent    time.Time     // when the gatekeeper accepted it
	Content dma.Content
	Inbox   stanza.Inbox // where a native user sees it
}

// receivedRecord is a Received as it is stored.
type receivedRecord struct {
	ID      string        `json:"id"`
	From    ident.Address `json:"from"`
	Sent    time.Time     `json:"sent"`
	Content []byte        `json:"content"`
	Inbox   stanza.Inbox  `json:"inbox,omitempty"`
}

// ErrNoAccount: the store is of no device. Enlist makes it one.
var ErrNoAccount = errors.New("serve: the store has no account; enlist first")

// NewDevice makes the device of what its store holds. It does nothing until Run.
func NewDevice(ctx context.Context, cfg DeviceConfig) (*Device, error) {
	cfg.Batch = cmp.Or(cfg.Batch, 50)
	cfg.RotateEvery = cmp.Or(cfg.RotateEvery, 27*24*time.Hour)
	cfg.KeepAlive = cmp.Or(cfg.KeepAlive, 25*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 20*time.Second)
	cfg.Again = cmp.Or(cfg.Again, time.Second)
	cfg.AgainMost = max(cmp.Or(cfg.AgainMost, time.Minute), cfg.Again)
	cfg.Media = cfg.Media.orDefault()
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a, err := loadAccount(ctx, cfg.Store)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, ErrNoAccount
	}
	client, err := a.client(ctx, cfg.Store, cfg.Adapter, cfg.Suite)
	if err != nil {
		return nil, err
	}
	records, err := store.LoadUnder(ctx, cfg.Store, machinePrefix)
	if err != nil {
		return nil, err
	}
	d := &Device{
		cfg: cfg, log: cfg.Logger.With("device", a.Address.String()), account: a,
		written: make(chan struct{}), arrived: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	d.media = &mediaLink{http: mediaHTTP(cfg.Media.Roots, cfg.Media.Dial, cfg.Media.Stall)}
	d.machine, err = dma.RestoreDevice(dma.DeviceConfig{
		Address: a.Address, Client: client, Keys: dma.SignalKeys, Rand: cfg.Suite.Rand(), Batch: cfg.Batch, RotateEvery: cfg.RotateEvery,
	}, records)
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	if err := d.loadInbox(ctx); err != nil {
		return nil, err
	}
	d.journal = journal.New(cfg.Store, ErrStopped, d.fail)
	d.wake = time.AfterFunc(time.Hour, func() { _ = d.step(dma.Wake{}, nil) })
	d.wake.Stop()
	go func() {
		defer close(d.written)
		d.journal.Run()
	}()
	return d, nil
}

func (d *Device) loadInbox(ctx context.Context) error {
	records, err := store.LoadUnder(ctx, d.cfg.Store, inboxPrefix)
	if err != nil {
		return err
	}
	for _, r := range records {
		seq, err := strconv.ParseUint(r.Key, 16, 64)
		var stored receivedRecord
		if err == nil {
			err = json.Unmarshal(r.Value, &stored)
		}
		m := &Received{Seq: seq, ID: stored.ID, From: stored.From, Sent: stored.Sent, Inbox: stored.Inbox}
		if err == nil {
			m.Content, err = dma.ParseContent(stored.Content)
		}
		if err == nil && m.Content.Group != "" {
			m.Group, err = ident.ParseAddress(m.Content.Group)
		}
		if err != nil {
			return fmt.Errorf("serve: inbox: record %q: %w", r.Key, err)
		}
		d.inbox = append(d.inbox, m)
		d.nextSeq = max(d.nextSeq, seq)
	}
	return nil
}

// Account returns the device's account.
func (d *Device) Account() ident.Address { return d.account.Address }

// Waiting returns how many stanzas wait for their acknowledgement, and how many
// acknowledged messages for their delivery receipt.
func (d *Device) Waiting() (unacknowledged, undelivered int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.machine.Waiting()
}

// Settled waits until nothing waits for an acknowledgement, nor, if delivered is set, for
// a delivery receipt. That is durable when it returns, and Events has been called with
// what came of it.
func (d *Device) Settled(ctx context.Context, delivered bool) error {
	for {
		d.mu.Lock()
		acks, receipts := d.machine.Waiting()
		changed, stopped := d.changed, d.stopped
		d.mu.Unlock()
		switch {
		case acks == 0 && (receipts == 0 || !delivered):
			return d.flushed(ctx)
		case stopped != nil:
			return stopped
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// flushed waits until the steps so far are durable and told.
func (d *Device) flushed(ctx context.Context) error {
	done := make(chan error, 1)
	d.journal.Add(journal.Entry{Then: func(err error) { done <- err }})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Do has the machine do what its user wants: a dma.Compose, MarkRead, Block and so on. It
// returns when that is durable, and the ID of a message that was composed. It is sent once
// there is a connection.
func (d *Device) Do(ctx context.Context, in dma.Input) (id string, err error) {
	type result struct {
		id  string
		err error
	}
	done := make(chan result, 1)
	_ = d.step(in, func(id string, err error) { done <- result{id, err} })
	select {
	case r := <-done:
		return r.id, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// step has the machine take an input, and calls then, if it isn't nil, once the output is
// durable, before anything is sent. then must not block.
func (d *Device) step(in dma.Input, then func(id string, err error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if then == nil {
		then = func(string, error) {}
	}
	if d.stopped != nil {
		then("", d.stopped)
		return d.stopped
	}
	out, err := d.machine.Step(time.Now(), in)
	if err != nil {
		then("", err)
		return err
	}
	setWake(d.wake, out.WakeAt)
	records := store.Under(machinePrefix, out.Persist)
	var received []*Received
	for _, e := range out.Events {
		if e.Kind != dma.MessageDelivered {
			continue
		}
		m, r := d.receive(e)
		received, records = append(received, m), append(records, r)
	}
	to, id := d.out, out.ID
	sends, events := slices.Clone(out.Sends), slices.Clone(out.Events)
	close(d.changed)
	d.changed = make(chan struct{})
	d.journal.Add(journal.Entry{Records: records, Then: func(lost error) {
		then(id, lost)
		if lost != nil {
			return
		}
		for _, s := range sends {
			to.add(s.Frame)
		}
		d.deliver(received)
		for _, e := range events {
			d.media.answered(e)
		}
		if d.cfg.Events != nil {
			for _, e := range events {
				d.cfg.Events(e)
			}
		}
	}})
	return nil
}

// receive makes the record of a message that waits for the user. The caller holds the lock.
func (d *Device) receive(e dma.Event) (*Received, protocols.Record) {
	d.nextSeq++
	m := &Received{Seq: d.nextSeq, ID: e.ID, From: e.Peer, Group: e.Group, Sent: e.Sent, Content: *e.Content, Inbox: e.Inbox}
	b, err := json.Marshal(receivedRecord{m.ID, m.From, m.Sent, m.Content.Append(nil), m.Inbox})
	if err != nil {
		panic("serve: a message does not render: " + err.Error())
	}
	return m, protocols.Record{Key: m.key(), Value: b}
}

func (m *Received) key() string { return fmt.Sprintf("%s%016x", inboxPrefix, m.Seq) }

// deliver lets the user have messages that are durable.
func (d *Device) deliver(received []*Received) {
	if len(received) == 0 {
		return
	}
	d.mu.Lock()
	d.inbox = append(d.inbox, received...)
	d.mu.Unlock()
	d.wakeReceivers()
}

func (d *Device) wakeReceivers() {
	select {
	case d.arrived <- struct{}{}:
	default:
	}
}

// Receive waits for the first message that the user has not taken. It is for one goroutine
// at a time.
func (d *Device) Receive(ctx context.Context) (*Received, error) {
	for {
		d.mu.Lock()
		var m *Received
		if len(d.inbox) > 0 {
			m = d.inbox[0]
		}
		stopped := d.stopped
		d.mu.Unlock()
		switch {
		case m != nil:
			return m, nil
		case stopped != nil:
			return nil, stopped
		}
		select {
		case <-d.arrived:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Taken says that the user has a message, which Receive returns no more. What was not
// taken before a crash is received again.
func (d *Device) Taken(ctx context.Context, m *Received) error {
	d.mu.Lock()
	d.inbox = slices.DeleteFunc(d.inbox, func(x *Received) bool { return x == m })
	done := make(chan error, 1)
	d.journal.Add(journal.Entry{Records: []protocols.Record{{Key: m.key()}}, Then: func(err error) { done <- err }})
	d.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fail stops the device at an error after which its state is not that of its store.
func (d *Device) fail(err error) {
	d.log.Error("stopping", "error", err)
	d.end(fmt.Errorf("serve: %w", err))
}

// end lets the machine take no more.
func (d *Device) end(why error) {
	d.mu.Lock()
	if d.stopped == nil {
		d.stopped = why
		close(d.changed)
		d.changed = make(chan struct{})
	}
	if d.out != nil {
		d.out.close()
	}
	d.wake.Stop()
	d.mu.Unlock()
	d.wakeReceivers()
}

// Close stops the device. What it did is durable when it returns. Run must have returned.
func (d *Device) Close() error {
	d.end(ErrStopped)
	d.journal.End()
	<-d.written
	d.media.http.CloseIdleConnections()
	return nil
}
