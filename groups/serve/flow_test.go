package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/store"
)

// got checks what a device has read.
func (d *device) reads(want string) {
	d.w.Helper()
	d.until(len(strings.Fields(want)))
	if got := strings.Join(d.got, " "); got != want {
		d.w.Errorf("%v: got %q, want %q", d.uri, got, want)
	}
}

// TestExampleFlow is the draft's example (Sections 3.2 to 3.5 of
// draft-ietf-mimi-protocol-06) by three providers over mutual TLS.
func TestExampleFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a1, b1, c1 := w.device("alice/A1"), w.device("bob/B1"), w.device("cathy/C1")

	// Alice creates a room, and adds Bob and Cathy.
	w.check(a1.create())
	w.check(a1.add(b1.user))
	b1.reads("welcome")
	w.check(a1.add(c1.user))
	c1.reads("welcome")
	b1.reads("welcome commit")

	// Cathy sends a message.
	w.check(c1.send("hello"))
	a1.reads("hello") // its own Commits come back to nobody
	b1.reads("welcome commit hello")

	// Bob answers, and Alice.
	w.check(b1.send("hi"))
	c1.reads("welcome hi")
	a1.reads("hello hi")
	w.check(a1.send("welcome"))
	b1.reads("welcome commit hello welcome")

	// Cathy adds a new device.
	c2 := w.device("cathy/C2")
	w.check(c2.join())
	a1.reads("hello hi commit")
	c1.reads("welcome hi welcome commit")

	// Bob leaves the room, and Alice commits that.
	b1.reads("welcome commit hello welcome commit")
	w.check(b1.leave())
	a1.reads("hello hi commit proposal")
	w.check(a1.commit())
	c1.reads("welcome hi welcome commit proposal commit")
	w.check(c1.send("bye"))
	a1.reads("hello hi commit proposal bye")
	b1.group.ClearProposals() // it does not wait for their Commit
	err := b1.send("still there?")
	if err == nil || !strings.Contains(err.Error(), "notAllowed") {
		t.Errorf("a message of who has left: got %v, want notAllowed", err)
	}
	for _, p := range w.providers {
		if n := p.Stats().Failed; n != 0 {
			t.Errorf("%s: %d requests to notify failed", p.Domain(), n)
		}
	}
	if n := w.providers["a.example"].Stats().Accepted; n != 4 {
		t.Errorf("%d messages accepted, want 4", n)
	}
}

// TestConsent is consent and discovery between providers (Convey explicit consent, Find
// internal address).
func TestConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Follower.NeedConsent = true })
	a1, b1 := w.device("alice/A1"), w.device("bob/B1")
	w.check(w.providers["b.example"].AddUser(t.Context(), b1.user, follower.Profile{
		Fields: []follower.Field{{Type: mimi.SearchHandle, Value: "bobby", Searchable: true}},
	}))
	query := &mimi.IdentifierRequest{QueryElements: []mimi.QueryElement{{SearchType: mimi.SearchHandle, SearchValue: "bobby"}}}
	body, err := a1.conn.Call(t.Context(), follower.Call{Endpoint: mimi.EndpointIdentifierQuery, Domain: "b.example", Body: query})
	w.check(err)
	if r := body.(*mimi.IdentifierResponse); !slices.Contains(r.URI, mimi.URI(b1.user)) {
		t.Errorf("found %v, want %v", r.URI, b1.user)
	}
	w.check(a1.create())
	if err := a1.add(b1.user); err == nil || !strings.Contains(err.Error(), "noConsent") {
		t.Errorf("without consent: got %v, want noConsent", err)
	}
	entry := func(op mimi.ConsentOperation) *mimi.ConsentEntry {
		room := mimi.URI(clubhouse)
		return &mimi.ConsentEntry{ConsentOperation: op, RequesterURI: mimi.URI(a1.user), TargetURI: mimi.URI(b1.user), RoomID: &room}
	}
	_, err = a1.conn.Call(t.Context(), follower.Call{Endpoint: mimi.EndpointRequestConsent, Body: entry(mimi.ConsentRequest)})
	w.check(err)
	b1.until(1)
	grant := entry(mimi.ConsentGrant)
	_, err = b1.conn.Call(t.Context(), follower.Call{Endpoint: mimi.EndpointUpdateConsent, Body: grant})
	w.check(err)
	a1.until(1)
	if b1.got[0] != mimi.ConsentRequest.String() || a1.got[0] != mimi.ConsentGrant.String() {
		t.Errorf("got %q and %q", b1.got, a1.got)
	}
	w.check(a1.add(b1.user))
	b1.until(2)

	missing := entry(mimi.ConsentRequest)
	missing.TargetURI = "mimi://b.example/u/nobody"
	_, err = a1.conn.Call(t.Context(), follower.Call{Endpoint: mimi.EndpointRequestConsent, Body: missing})
	refusedWith(t, err, 404, "no user")
}

// TestClient is the connection of an own client.
func TestClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Deliveries = 3 }, "a.example", "b.example")
	p := w.providers["a.example"]
	_, err := p.Client(t.Context(), uri("mimi://a.example/d/alice/A9"))
	refusedWith(t, err, 404, "no client")
	a1, b1 := w.device("alice/A1"), w.device("bob/B1")
	refusedWith(t, a1.conn.CreateRoom(t.Context(), clubhouse, nil, nil), 400, "without a GroupInfo")
	w.check(a1.create())
	refusedWith(t, a1.create(), 409, "exists")
	_, err = a1.conn.Call(t.Context(), follower.Call{Endpoint: mimi.EndpointGroupInfo, Room: uri("mimi://d.example/r/x"), Body: &mimi.GroupInfoRequest{RequestingCredential: a1.id.Credential}})
	refusedWith(t, err, 403, "no peer")

	// A new connection ends the one before, and gets what was not acknowledged.
	before := b1.conn
	b1.connect()
	if _, err := before.Receive(t.Context()); !errors.Is(err, ErrReplaced) {
		t.Errorf("got %v, want ErrReplaced", err)
	}
	b1.conn.Close()
	if _, err := b1.conn.Receive(t.Context()); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got %v, want ErrDisconnected", err)
	}
	b1.connect()
	w.check(w.providers["b.example"].RemoveClient(t.Context(), b1.uri))
	if _, err := b1.conn.Receive(t.Context()); !errors.Is(err, ErrDisconnected) {
		t.Errorf("removed: got %v, want ErrDisconnected", err)
	}
	w.check(w.providers["b.example"].AddClient(t.Context(), b1.uri))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b1.connect()
	if _, err := b1.conn.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// TestCreateAgain holds that a client whose room exists stays in it when it makes another
// of that name, which is refused.
func TestCreateAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example", "b.example")
	a1, b1 := w.device("alice/A1"), w.device("bob/B1")
	w.check(a1.create())
	w.check(a1.add(b1.user))
	b1.until(1)
	before := a1.group
	refusedWith(t, a1.create(), 409, "exists")
	a1.group = before
	w.check(b1.send("still here?"))
	a1.until(1)
}

// TestCalls holds that a client can have no more under way than its bound, also if it
// gives up waiting, and that others are not hindered.
func TestCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(newNetwork(), t, func(c *Config) { c.Limits.Calls = 2 }, "b.example")
		w.net.listen("a.example") // where nobody accepts
		p, b1, b2 := w.providers["b.example"], w.device("bob/B1"), w.device("bob/B2")
		call := func(ctx context.Context, d *device) error {
			_, err := d.conn.Call(ctx, follower.Call{Endpoint: mimi.EndpointGroupInfo, Room: clubhouse, Body: &mimi.GroupInfoRequest{
				RequestingCredential: message.BasicCredential([]byte(d.uri.String())),
			}})
			return err
		}
		brief := func() context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			t.Cleanup(cancel)
			return ctx
		}
		const busy = "2 requests of mimi://b.example/d/bob/B1 are under way"
		if err := call(brief(), b1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("first call: got error %v, want that its time is over", err)
		}
		var second error
		go func() { second = call(t.Context(), b1) }()
		synctest.Wait()
		refusedWith(t, call(t.Context(), b1), 429, busy)
		_, err := b1.conn.Download(t.Context(), "a.example", "https://assets.a.example/photo")
		refusedWith(t, err, 429, busy)
		_, err = b1.conn.Oblivious(t.Context(), "a.example", nil)
		refusedWith(t, err, 429, busy)
		_, err = b1.conn.GatewayKeys(t.Context(), "a.example")
		refusedWith(t, err, 429, busy)
		if err := call(brief(), b2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another client: got error %v, want that its time is over", err)
		}
		time.Sleep(p.cfg.Limits.Timeout)
		synctest.Wait()
		if second == nil || len(p.follower.underWay) > 0 || len(p.follower.calls) > 0 {
			t.Errorf("after the timeout: error %v, and under way are %v", second, p.follower.underWay)
		}
		// What is no call ends with its context.
		for range 2 {
			if _, err := b1.conn.GatewayKeys(brief(), "a.example"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("keys: got error %v, want that its time is over", err)
			}
		}
		if err := call(brief(), b1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want that its time is over", err)
		}
		w.check(p.RemoveClient(t.Context(), b1.uri))
		if len(p.follower.underWay) > 0 {
			t.Errorf("under way for a client that was removed: %v", p.follower.underWay)
		}
	})
}

// TestSlowClient holds that a client that does not fetch its deliveries is disconnected,
// and gets all of them when it connects again.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Limits.Deliveries = 2 }, "a.example", "b.example")
	a1, b1 := w.device("alice/A1"), w.device("bob/B1")
	w.check(a1.create())
	w.check(a1.add(b1.user))
	b1.until(1)
	for i := range 5 {
		w.check(a1.send(fmt.Sprint(i)))
	}
	var err error
	for err == nil { // those that were queued before are lost with the connection
		_, err = b1.conn.Receive(t.Context())
	}
	if !errors.Is(err, ErrSlow) {
		t.Fatalf("got %v, want ErrSlow", err)
	}
	b1.connect()
	b1.reads("welcome 0 1 2 3 4")
}

// TestNotifyRetries holds that events wait for a follower that is not there, for as long
// as it asks, and come in order.
func TestNotifyRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(newNetwork(), t, nil, "a.example", "b.example")
		a1, b1 := w.device("alice/A1"), w.device("bob/B1")
		w.check(a1.create())
		w.check(a1.add(b1.user))
		b1.until(1)
		w.check(w.providers["b.example"].Close())
		start := time.Now()
		for i := range 5 {
			w.check(a1.send(fmt.Sprint(i)))
		}
		time.Sleep(time.Minute) // of the bubble's clock
		synctest.Wait()
		s := w.providers["a.example"].Stats()
		if n := s.Failed; n < 4 || n > 8 {
			t.Errorf("%d attempts in a minute, want those of a back-off from 1 s that doubles", n)
		}
		if got := s.Waiting["b.example"]; len(s.Waiting) != 1 || got.Rooms != 1 || got.Events < 5 || got.Failures != int(s.Failed) {
			t.Errorf("%+v wait after %d failures, want five events of a room for b.example", s.Waiting, s.Failed)
		}
		w.open("b.example")
		b1.connect()
		b1.reads("welcome 0 1 2 3 4")
		if took := time.Since(start); took > 3*time.Minute {
			t.Errorf("delivered after %v", took)
		}
	})
}

// TestGivenUp: what a follower has not accepted for too long is given up, and its operator
// and that of the hub are told of the same.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(newNetwork(), t, func(c *Config) { c.Hub.Backlog = 4000 }, "a.example", "b.example")
		a1, b1 := w.device("alice/A1"), w.device("bob/B1")
		w.check(a1.create())
		w.check(a1.add(b1.user))
		b1.until(1)
		w.check(w.providers["b.example"].Close())
		for i := range 30 {
			w.check(a1.send(fmt.Sprint(i)))
		}
		n := w.providers["a.example"].Stats().GivenUp
		if n < 5 {
			t.Errorf("%d events are given up, want more", n)
		}
		w.open("b.example")
		time.Sleep(10 * time.Minute) // of the bubble's clock
		synctest.Wait()
		if got := w.providers["b.example"].Stats().Missed; got != n {
			t.Errorf("the follower hears of %d events that were given up, the hub of %d", got, n)
		}
		if s := w.providers["a.example"].Stats(); len(s.Waiting) > 0 || s.GivenUp != n {
			t.Errorf("when all has come: %+v, want what was given up to stay %d", s, n)
		}
	})
}

// faultyStore loses its provider at a commit: before it is written, or behind it.
type faultyStore struct {
	store.Store
	left   int // commits until then; -1 for never
	behind bool
}

var errPower = errors.New("no power")

func (s *faultyStore) Commit(ctx context.Context, records []protocols.Record) error {
	time.Sleep(time.Second) // of the bubble's clock: what leaves too early arrives meanwhile
	if s.left == 0 {
		if s.behind {
			must(0, s.Store.Commit(ctx, records))
		}
		s.left = -2
	}
	if s.left == -2 {
		return errPower
	}
	if s.left > 0 {
		s.left--
	}
	return s.Store.Commit(ctx, records)
}

// TestRestart stops the hub or a follower at every commit of a conversation, before or
// behind it, so that nothing leaves that depends on it. Started again from their stores,
// the providers deliver each event that was accepted once, in order.
func TestRestart(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{"a.example", "b.example"} {
		for _, behind := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/behind=%t", domain, behind), func(t *testing.T) {
				t.Parallel()
				for at := 0; ; at++ {
					if at > 200 {
						t.Fatal("the conversation does not end")
					}
					if !crash(t, domain, at, behind) {
						if at < 8 {
							t.Errorf("only %d commits, want more of a conversation", at)
						}
						break
					}
				}
			})
		}
	}
}

// crash runs the conversation with a provider that stops at a commit. It reports whether
// that came.
func crash(t *testing.T, domain string, at int, behind bool) (came bool) {
	name := fmt.Sprintf("at %d", at)
	ok := t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(newNetwork(), t, nil, "a.example", "b.example")
			a1, b1 := w.device("alice/A1"), w.device("bob/B1")
			for range 3 { // a crash may lose one of them
				k := must(b1.cfg.NewKeyPackage(time.Now(), b1.id, mls.LeafOptions{}))
				b1.keys = append(b1.keys, k)
				w.check(b1.conn.Publish(t.Context(), []message.KeyPackage{k.Public}))
			}
			w.check(a1.create())
			revive := func() {
				if w.providers[domain].Err() != nil {
					came = true
					w.restart(domain, a1, b1)
				}
			}
			faults := func() {
				w.stores[domain] = &faultyStore{Store: w.stores[domain], left: at, behind: behind}
				w.restart(domain, a1, b1)
			}
			if domain == "b.example" {
				faults()
			}
			for range 3 {
				err := a1.add(b1.user)
				synctest.Wait()
				revive()
				if err == nil {
					break
				}
			}
			if domain == "a.example" { // what became of a Commit is for the device to find out
				faults()
			}
			talks := []*talk{{from: a1, to: b1}, {from: b1, to: a1}}
			for i := range 12 {
				talks[i%2].say(string(rune('a' + i)))
				if i%4 == 3 {
					a1.drain()
					b1.drain()
				}
				revive()
			}
			for range 2 {
				time.Sleep(10 * time.Minute) // of the bubble's clock: what failed is tried again
				revive()
				a1.drain()
				b1.drain()
			}
			if len(b1.got) == 0 || b1.got[0] != "welcome" {
				t.Fatalf("got %q, want a welcome first", b1.got)
			}
			b1.got = b1.got[1:]
			for _, k := range talks {
				k.check(t)
			}
		})
	})
	return ok && came
}

// talk is what one device says to another.
type talk struct {
	from, to    *device
	sure, maybe []string // what was accepted, and what nobody knows of
}

func (k *talk) say(text string) {
	if k.from.group == nil || k.from.send(text) != nil {
		k.maybe = append(k.maybe, text)
	} else {
		k.sure = append(k.sure, text)
	}
}

// check holds that all that was accepted has come once, in order.
func (k *talk) check(t *testing.T) {
	t.Helper()
	got := k.to.got
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("%v got %q, want each once and in order", k.to.uri, got)
	}
	for _, text := range k.sure {
		if !slices.Contains(got, text) {
			t.Errorf("%v got %q, without the accepted %s", k.to.uri, got, text)
		}
	}
	for _, text := range got {
		if !slices.Contains(k.sure, text) && !slices.Contains(k.maybe, text) {
			t.Errorf("%v got %q, and nobody sent %s", k.to.uri, got, text)
		}
	}
}

// restart starts a provider anew, with what its store holds.
func (w *world) restart(domain string, devices ...*device) {
	w.Helper()
	w.check(w.providers[domain].Close())
	if f, ok := w.stores[domain].(*faultyStore); ok && f.left == -2 {
		f.left = -1
	}
	w.open(domain)
	for _, d := range devices {
		if d.uri.Provider() != domain {
			continue
		}
		if c, err := w.providers[domain].Client(w.ctx, d.uri); err == nil {
			d.conn = c
		} else if !errors.Is(err, ErrStopped) { // it may fail at once
			w.Fatal(err)
		}
	}
}

// drain takes all deliveries that there are.
func (d *device) drain() {
	d.w.Helper()
	for {
		synctest.Wait()
		d.conn.mu.Lock()
		none := len(d.conn.queue) == 0
		d.conn.mu.Unlock()
		if none {
			return
		}
		if err := d.receive(); err != nil && !errors.Is(err, ErrStopped) {
			d.w.Fatal(err)
		}
	}
}

// slowStore commits when it is let.
type slowStore struct {
	store.Store
	slow    atomic.Bool
	pass    chan struct{}
	commits int
	err     error
}

func (s *slowStore) Commit(ctx context.Context, records []protocols.Record) error {
	if s.slow.Load() {
		<-s.pass
	}
	s.commits++
	if s.err != nil {
		return s.err
	}
	return s.Store.Commit(ctx, records)
}

// TestNothingLeavesEarly holds that neither an answer nor an event is on its way while
// the step that made it is not durable.
func TestNothingLeavesEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(newNetwork(), t, nil, "a.example", "b.example")
		a1, b1 := w.device("alice/A1"), w.device("bob/B1")
		w.check(a1.create())
		w.check(a1.add(b1.user))
		b1.until(1)
		w.check(w.providers["a.example"].Close())
		slow := &slowStore{Store: w.stores["a.example"], pass: make(chan struct{})}
		w.stores["a.example"] = slow
		w.restart("a.example", a1)
		synctest.Wait()
		slow.slow.Store(true)
		sent := make(chan error, 1)
		p := w.providers["a.example"]
		say := func(d *device, text string) {
			go func() { sent <- d.send(text) }()
			synctest.Wait()
		}
		for _, d := range []*device{b1, a1} {
			before, notified := p.Stats().Deliveries, p.Stats().Notified
			say(d, "hello")
			select {
			case err := <-sent:
				t.Fatalf("%v: answer %v before it was durable", d.uri, err)
			default:
			}
			if s := p.Stats(); s.Deliveries != before || s.Notified != notified {
				t.Fatalf("%v: an event left before it was durable: %+v", d.uri, s)
			}
			for answered := false; !answered; {
				select {
				case slow.pass <- struct{}{}:
				case err := <-sent:
					w.check(err)
					answered = true
				}
			}
			synctest.Wait()
		}
		slow.slow.Store(false)
		close(slow.pass)
		b1.reads("welcome hello")
		a1.reads("hello")
	})
}

// TestPanic holds that a machine whose invariant is broken stops its provider.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, "a.example")
	p := w.providers["a.example"]
	p.hub.mu.Lock()
	p.hub.hub = nil // stepping it panics
	p.hub.mu.Unlock()
	if _, err := p.askHub(t.Context(), hub.Wake{}); err != ErrStopped {
		t.Errorf("got %v, want ErrStopped", err)
	}
	<-p.Done()
	if err := p.Err(); err == nil || errors.Is(err, ErrStopped) {
		t.Errorf("got %v, want why", err)
	}
}

// TestReports holds that the franks of a report are checked by the hub's keys, also after
// a restart.
func TestReports(t *testing.T) {
	t.Parallel()
	reports := make(chan *hub.Report, 1)
	w := newWorld(t, func(c *Config) { c.Reported = func(r *hub.Report) { reports <- r } }, "a.example", "b.example")
	a1, b1 := w.device("alice/A1"), w.device("bob/B1")
	w.check(a1.create())
	w.check(a1.add(b1.user))
	b1.until(1)
	w.check(a1.send("insult"))
	in, err := b1.conn.Receive(t.Context())
	w.check(err)
	f := must(mimi.ParseFanoutMessages(in.Body, nil))[0]
	w.check(b1.hear(&f))
	w.check(w.providers["a.example"].Shutdown(t.Context()))
	w.open("a.example")
	report := &mimi.AbuseReport{
		ReportingUser: mimi.URI(b1.user), AllegedAbuserURI: mimi.URI(a1.user),
		Messages: []mimi.AbusiveMessage{{MessageContent: b1.data, Frank: *f.Frank, AcceptedTimestamp: f.Timestamp}},
	}
	_, err = b1.conn.Call(t.Context(), follower.Call{Endpoint: mimi.EndpointReportAbuse, Room: clubhouse, Body: report})
	w.check(err)
	if r := <-reports; len(r.Franks) != 1 || r.Franks[0] != nil || r.From != "b.example" {
		t.Errorf("got %+v, want a proven message", r)
	}
}

// TestRetryAfterHonoured holds that a follower that says when to try again is not asked
// before.
func TestRetryAfterHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOn(newNetwork(), t, nil, "a.example", "b.example")
		a1, b1 := w.device("alice/A1"), w.device("bob/B1")
		w.check(a1.create())
		w.check(a1.add(b1.user))
		b1.until(1)
		synctest.Wait() // until the hub has its answer
		w.check(w.providers["b.example"].Close())
		synctest.Wait() // until it has seen that the connections ended
		busy := &fakePeer{base: "https://b.example", status: 503, header: map[string]string{"Retry-After": "100"}}
		w.run("b.example", busy)
		w.check(a1.send("1"))
		synctest.Wait()
		p := w.providers["a.example"]
		if n := p.Stats().Failed; n != 1 {
			t.Fatalf("%d attempts, want one", n)
		}
		time.Sleep(99 * time.Second) // of the bubble's clock
		synctest.Wait()
		if n := p.Stats().Failed; n != 1 {
			t.Fatalf("%d attempts within the time that the follower asked for, want one", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := p.Stats().Failed; n != 2 {
			t.Fatalf("%d attempts when it was over, want two", n)
		}
	})
}
