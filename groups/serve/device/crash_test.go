package device

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/store/sqlite"
)

var errCrash = errors.New("the device has crashed")

// fragile is a store whose device crashes at a commit: before it, or after it and before
// the device knows.
type fragile struct {
	store.Store

	mu      sync.Mutex // guards what follows
	left    int        // commits until the crash; negative if there is none
	after   bool
	commits int
	crashes int
}

func (f *fragile) Commit(ctx context.Context, records []protocols.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits++
	f.left--
	if f.left != -1 {
		f.left = max(f.left, -2)
		return f.Store.Commit(ctx, records)
	}
	f.left = 0 // it stays dead
	f.crashes++
	if f.after {
		f.after = false
		return errors.Join(f.Store.Commit(ctx, records), errCrash)
	}
	return errCrash
}

// counts returns how many commits and crashes there were.
func (f *fragile) counts() (commits, crashes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.commits, f.crashes
}

// mend lets the store live for a number of commits, or for ever if that is negative.
func (f *fragile) mend(left int, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.after = left, after
	if left < 0 {
		f.left = -2
	}
}

// actor is the application of a device that crashes and is opened again. It knows how
// far it is with what it wants to do.
type actor struct {
	w       *world
	cfg     Config
	witness *witness
	disk    *fragile
	script  []member.Input
	at      atomic.Int64
	device  atomic.Pointer[Device]
	next    func() // what becomes of the disk after a crash
	over    chan struct{}
}

func (w *world) actor(name string, s store.Store, script ...member.Input) *actor {
	client := w.enrol(name)
	a := &actor{w: w, witness: newWitness(name, client), disk: &fragile{Store: s, left: -2}, script: script, over: make(chan struct{})}
	a.cfg = w.config(client, a.disk)
	a.next = func() { a.disk.mend(-1, false) }
	return a
}

// start lets the actor live, again and again, until the test ends.
func (a *actor) start() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			if err := a.live(ctx); err != nil && !errors.Is(err, errCrash) && ctx.Err() == nil {
				a.w.Errorf("%s: %v", a.witness.name, err)
				return
			}
			a.next()
		}
	})
	a.w.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// live is one life of the device.
func (a *actor) live(ctx context.Context) error {
	d, err := Open(ctx, a.cfg)
	if err != nil {
		return err
	}
	a.witness.returns(d)
	a.device.Store(d)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { a.witness.follow(ctx, d) })
	running.Go(func() { a.act(ctx, d) })
	err = d.Run(ctx)
	cancel()
	return err
}

// act goes on with what the actor wants to do.
func (a *actor) act(ctx context.Context, d *Device) {
	for a.at.Load() < int64(len(a.script)) && ctx.Err() == nil {
		in := a.script[a.at.Load()]
		send, isMessage := in.(member.Send)
		if isMessage && !isIn(d) {
			time.Sleep(time.Millisecond) // until somebody adds it
			if d.err() != nil {
				return
			}
			continue
		}
		text := ""
		if isMessage {
			text, _ = send.Message.Body.PlainText()
		}
		id, err := d.Do(ctx, in)
		switch { // after a crash it may be durable
		case err != nil && isMessage:
			a.witness.doubts(text)
			a.at.Add(1)
			return
		case errors.Is(err, member.ErrRoom): // it was
			a.at.Add(1)
			continue
		case err != nil: // to want it twice does no harm
			return
		}
		a.at.Add(1)
		a.witness.wants(id, text)
		if _, err := d.Wait(ctx, id); err != nil && d.err() != nil {
			return
		}
	}
	if a.at.Load() == int64(len(a.script)) {
		a.at.Add(1)
		close(a.over)
	}
}

// state says how the device is.
func (a *actor) state() string {
	d := a.device.Load()
	if d == nil {
		return "not open"
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r, in := d.member.Room(clubhouse)
	return fmt.Sprintf("in the room %t, %s in epoch %d with %d proposals, %d intentions; %d open, %d errands, wakes at %v, stopped by %v, offline: %v",
		in, r.Status, r.Epoch, r.Pending, r.Waiting, len(d.open), len(d.errands), d.wakeAt, d.stopped, d.offline)
}

// err returns why the device has stopped, or nil.
func (d *Device) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stopped
}

// isIn reports whether a device is in the room.
func isIn(d *Device) (in bool) {
	d.View(func(m *member.Member) { _, in = m.Room(clubhouse) })
	return in
}

// texts returns what sends n messages.
func texts(name string, n int) (list []member.Input) {
	for i := range n {
		list = append(list, text(fmt.Sprintf("%s %d", name, i+1)))
	}
	return list
}

// judged waits until all actors have done what they wanted, and checks what came of it.
func (w *world) judged(reference *actor, all ...*actor) {
	w.Helper()
	all = append(all, reference)
	var witnesses []*witness
	for _, a := range all {
		select {
		case <-a.over:
		case <-time.After(30 * time.Second):
			w.Fatalf("%s is at %d of %d: %s", a.witness.name, a.at.Load(), len(a.script), a.state())
		}
		witnesses = append(witnesses, a.witness)
	}
	// The reference is added by Alice, before all others.
	first := []ident.URI{uri("mimi://a.example/d/alice/A1"), reference.witness.uri}
	var v verdict
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		v = judge(reference.witness, first, witnesses)
		if len(v.wrong) > 0 || len(v.missing) == 0 || time.Since(began) > 20*time.Second {
			break
		}
	}
	for _, problem := range append(v.wrong, v.missing...) {
		w.Error(problem)
	}
	if v.accepted == 0 {
		w.Error("no message was accepted")
	}
}

// published waits until others can add the users of actors.
func (w *world) published(all ...*actor) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	for _, a := range all {
		for {
			if ctx.Err() != nil {
				w.Fatalf("%s does not publish its KeyPackages", a.witness.name)
			}
			if d := a.device.Load(); d != nil && d.Settled(ctx) == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// conversation has Alice make a room, add a listener and then Bob, who both talk.
func (w *world) conversation(n int, at func(name string) store.Store, before func(*actor)) (bella, alice, bob *actor) {
	w.Helper()
	bella = w.actor("bella/B1", at("bella"))
	bob = w.actor("bob/B1", at("bob"), texts("bob", n)...)
	alice = w.actor("alice/A1", at("alice"), slices.Concat([]member.Input{
		w.creation(),
		member.AddUser{Room: clubhouse, User: uri("mimi://b.example/u/bella"), Role: 2},
		member.AddUser{Room: clubhouse, User: uri("mimi://b.example/u/bob"), Role: 2},
	}, texts("alice", n), []member.Input{
		member.SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "New"}},
	}, texts("more of alice", n))...)
	for _, a := range []*actor{bella, bob, alice} {
		before(a)
	}
	bella.start()
	bob.start()
	w.published(bella, bob)
	alice.start()
	w.judged(bella, alice, bob)
	return bella, alice, bob
}

func inMemory(string) store.Store { return store.NewMemory() }

// TestCrash crashes Bob's device at every commit of a conversation in turn, before the
// commit and after it. What he wanted has one outcome each, and what he is told he is told
// once.
func TestCrash(t *testing.T) {
	t.Parallel()
	_, _, bob := newWorld(t, "a.example", "b.example").conversation(2, inMemory, func(*actor) {})
	commits, _ := bob.disk.counts()
	crashes := 0
	for at := range commits {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("commit %d, written %t", at, written), func(t *testing.T) {
				_, _, bob := newWorld(t, "a.example", "b.example").conversation(2, inMemory, func(a *actor) {
					if a.witness.name == "bob/B1" {
						a.disk.mend(at, written)
					}
				})
				_, n := bob.disk.counts()
				crashes += min(n, 1)
			})
		}
	}
	t.Logf("%d commits, %d crashes", commits, crashes)
	// How many commits there are differs with what comes at once.
	if crashes < commits {
		t.Errorf("%d crashes at %d commits, want some twice as many", crashes, commits)
	}
}

// TestStorm has all devices crash at random commits, and their connections break after
// random numbers of bytes, while they talk.
func TestStorm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example", "b.example")
	dir := t.TempDir()
	onDisk := func(name string) store.Store {
		s := must(sqlite.Open(filepath.Join(dir, name+".db")))
		t.Cleanup(func() { w.check(s.Close()) })
		return s
	}
	var cuts atomic.Int64
	bella, alice, bob := w.conversation(30, onDisk, func(a *actor) {
		crash := func() { a.disk.mend(rand.IntN(60), rand.IntN(2) == 0) }
		a.next = crash
		crash()
		a.cfg.Connect = w.cutting(a, &cuts)
	})
	crashes := 0
	for _, a := range []*actor{bella, alice, bob} {
		_, n := a.disk.counts()
		crashes += n
	}
	t.Logf("%d crashes, %d connections cut", crashes, cuts.Load())
	if crashes < 5 || cuts.Load() < 5 {
		t.Errorf("%d crashes and %d cuts are too few to say anything", crashes, cuts.Load())
	}
}

// cutting connects an actor by connections that break after a while.
func (w *world) cutting(a *actor, cuts *atomic.Int64) Connect {
	at := w.sites[a.witness.uri.Provider()]
	cfg := channel.ClientConfig{Client: a.witness.uri, Token: []byte("token of " + a.witness.name)}
	return func(ctx context.Context, deliver func(follower.Delivery)) (*channel.Client, error) {
		nc, err := new(net.Dialer).DialContext(ctx, "tcp", at.address)
		if err != nil {
			return nil, err
		}
		c := &cut{Conn: nc, cuts: cuts}
		c.left.Store(rand.Int64N(40_000))
		t := tls.Client(c, &tls.Config{RootCAs: w.ca.pool, ServerName: at.domain, MinVersion: tls.VersionTLS13, NextProtos: []string{channel.Protocol}})
		cfg := cfg
		cfg.Deliver = deliver
		return channel.NewClient(ctx, t, cfg)
	}
}

// cut is a connection that breaks when so many bytes have passed, both ways.
type cut struct {
	net.Conn
	left atomic.Int64
	cuts *atomic.Int64
}

func (c *cut) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return c.pass(n, err)
}

// Write writes no more than may pass, so that a frame can break off anywhere.
func (c *cut) Write(b []byte) (int, error) {
	whole := len(b)
	b = b[:min(int64(whole), max(c.left.Load(), 0))]
	n, err := c.Conn.Write(b)
	if n, err = c.pass(n, err); err == nil && n < whole {
		err = net.ErrClosed
	}
	return n, err
}

func (c *cut) pass(n int, err error) (int, error) {
	if c.left.Add(-int64(n)) <= 0 {
		c.cuts.Add(1)
		_ = c.Conn.Close()
	}
	return n, err
}

// TestStopped: when the store fails, whoever waits learns it.
func TestStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example")
	disk := &fragile{Store: store.NewMemory(), left: -2}
	d := must(Open(t.Context(), w.config(w.enrol("alice/A1"), disk)))
	ended := make(chan error, 4)
	go func() { ended <- d.Run(t.Context()) }()
	w.check(d.Settled(t.Context()))
	w.do(d, w.creation())
	go func() {
		_, err := d.Next(t.Context(), 1)
		ended <- err
	}()
	disk.mend(0, false)
	_, err := d.Do(t.Context(), text("hello"))
	ended <- err
	ended <- d.Confirm(t.Context(), 1)
	for range 4 {
		if err := <-ended; !errors.Is(err, ErrStopped) || !errors.Is(err, errCrash) {
			t.Errorf("got %v, want %v because of %v", err, ErrStopped, errCrash)
		}
	}
}
