package device

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/groups/serve/channel"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/store"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// says reports whether an event is a message with a text.
func says(want string) func(member.Event) bool {
	return func(e member.Event) bool {
		m, ok := e.(member.Message)
		if !ok || m.Content == nil {
			return false
		}
		got, _ := m.Content.Body.PlainText()
		return got == want
	}
}

// TestConversation has two users of two providers talk.
func TestConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example", "b.example")
	alice := must(Open(t.Context(), w.config(w.enrol("alice/A1"), store.NewMemory())))
	bob := must(Open(t.Context(), w.config(w.enrol("bob/B1"), store.NewMemory())))
	w.run(alice)
	w.run(bob)
	w.check(bob.Settled(t.Context()))
	w.do(alice, w.creation())
	w.do(alice, member.AddUser{Room: clubhouse, User: uri("mimi://b.example/u/bob"), Role: 2})
	w.until(bob, func(e member.Event) bool { _, ok := e.(member.Joined); return ok })
	w.do(alice, text("hello"))
	w.until(bob, says("hello"))
	w.do(bob, text("hello yourself"))
	w.until(alice, says("hello yourself"))
}

// TestRunEnds: Run ends when connecting again would not help.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example")
	client := w.enrol("alice/A1")
	cfg := w.config(client, store.NewMemory())
	cfg.Connect = Dial(w.sites["a.example"].address, channel.ClientConfig{
		Client: client, Token: []byte("wrong"), TLS: &tls.Config{RootCAs: w.ca.pool, ServerName: "a.example"},
	})
	if err := must(Open(t.Context(), cfg)).Run(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("with a wrong token: got %v, want %v", err, ErrRefused)
	}
	// The same client from two stores: the older gives way.
	first := must(Open(t.Context(), w.config(client, store.NewMemory())))
	ended := make(chan error, 1)
	go func() { ended <- first.Run(t.Context()) }()
	w.check(first.Online(t.Context()))
	w.run(must(Open(t.Context(), w.config(client, store.NewMemory()))))
	if err := <-ended; !errors.Is(err, ErrReplaced) {
		t.Errorf("when replaced: got %v, want %v", err, ErrReplaced)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := first.Run(ctx); err != nil {
		t.Errorf("when its context ends: got %v, want nil", err)
	}
	if err := first.Online(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// TestLog: events are told until they are confirmed, also by a device that is opened
// again; and outcomes beyond that.
func TestLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example")
	disk := store.NewMemory()
	cfg := w.config(w.enrol("alice/A1"), disk)
	d := must(Open(t.Context(), cfg))
	stop := w.run(d)
	created := w.do(d, w.creation())
	if _, ok := created.Event.(member.Joined); !ok || created.N != 1 {
		t.Fatalf("got %+v, want that the room is made", created)
	}
	id := must(d.Do(t.Context(), text("hello")))
	sent := must(d.Wait(t.Context(), id))
	if _, ok := sent.Event.(member.Sent); !ok || sent.N != 2 {
		t.Fatalf("got %+v, want that it is sent", sent)
	}
	w.check(d.Confirm(t.Context(), 1))
	if got := d.Events(0); len(got) != 1 || got[0].N != 2 || d.Confirmed() != 1 {
		t.Errorf("got %+v from %d on, want event 2", got, d.Confirmed())
	}
	stop()
	d = must(Open(t.Context(), cfg))
	if got := must(d.Next(t.Context(), 0)); !reflect.DeepEqual(got, []Event{sent}) || d.Confirmed() != 1 {
		t.Errorf("opened again: got %+v from %d on, want %+v", got, d.Confirmed(), sent)
	}
	if e, err := d.Wait(t.Context(), id); err != nil || e.N != 2 {
		t.Errorf("got %+v, %v, want the outcome", e, err)
	}
	w.check(d.Confirm(t.Context(), 2))
	if _, err := must(Open(t.Context(), cfg)).Wait(t.Context(), id); !errors.Is(err, ErrUnknown) {
		t.Errorf("the outcome of what was confirmed in another life: got %v, want %v", err, ErrUnknown)
	}
	if _, err := d.Do(t.Context(), member.Send{Room: uri("mimi://a.example/r/other")}); !errors.Is(err, member.ErrNoRoom) {
		t.Errorf("got %v, want %v", err, member.ErrNoRoom)
	}
	// A failure is an outcome, and an error.
	w.run(d)
	id = must(d.Do(t.Context(), member.AddUser{Room: clubhouse, User: uri("mimi://a.example/u/nobody"), Role: 2}))
	var refused *member.Error
	if e, err := d.Wait(t.Context(), id); !errors.As(err, &refused) || e.N != 3 {
		t.Errorf("got %+v, %v, want a refusal as event 3", e, err)
	}
}

// TestKeyPackages: a new device publishes some, and others in place of those that are
// used.
func TestKeyPackages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example", "b.example")
	alice := must(Open(t.Context(), w.config(w.enrol("alice/A1"), store.NewMemory())))
	bob := must(Open(t.Context(), w.config(w.enrol("bob/B1"), store.NewMemory())))
	w.run(alice)
	w.run(bob)
	w.check(bob.Settled(t.Context()))
	w.do(alice, w.creation())
	user := uri("mimi://b.example/u/bob")
	for range 8 { // more often than there are KeyPackages at first, with that of last resort
		w.do(alice, member.AddUser{Room: clubhouse, User: user, Role: 2})
		w.until(bob, func(e member.Event) bool { _, ok := e.(member.Joined); return ok })
		w.do(alice, member.RemoveUser{Room: clubhouse, User: user})
		list := w.until(bob, func(e member.Event) bool { _, ok := e.(member.Removed); return ok })
		w.check(bob.Settled(t.Context()))
		w.check(bob.Confirm(t.Context(), list[len(list)-1].N))
	}
	kept := 0
	w.check(bob.cfg.Store.Load(t.Context(), memberPrefix+"key|", func(protocols.Record) error {
		kept++
		return nil
	}))
	if want := 3 + 1; kept != want {
		t.Errorf("the device has %d KeyPackages, want %d", kept, want)
	}
}

// TestKeyPackagesRunOut: what was claimed and came to nothing, and what soon expires, is
// replaced when the device connects.
func TestKeyPackagesRunOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example", "b.example")
	client, other := w.enrol("bob/B1"), w.enrol("alice/A1")
	cfg := w.config(client, store.NewMemory())
	bob := w.sites["b.example"].provider
	count := func() int {
		c := must(bob.Client(t.Context(), client))
		defer c.Close()
		return must(c.KeyPackages(t.Context()))
	}
	connect := func() {
		t.Helper()
		d := must(Open(t.Context(), cfg))
		stop := w.run(d)
		w.check(d.Online(t.Context()))
		w.check(d.Settled(t.Context()))
		if !d.member.HasLastResort(time.Now()) {
			t.Error("no KeyPackage of last resort")
		}
		stop()
		if n := count(); n != 3 {
			t.Errorf("there are %d KeyPackages, want 3", n)
		}
	}
	month := 29 * 24 * time.Hour // of the 30 days for which they are valid
	cfg.Now = func() time.Time { return time.Now().Add(-month) }
	d := must(Open(t.Context(), cfg))
	stop := w.run(d)
	w.check(d.Settled(t.Context()))
	stop()
	if n := count(); n != 0 {
		t.Errorf("there are %d KeyPackages that last, want none", n)
	}
	cfg.Now = time.Now
	connect()

	alice := must(w.sites["a.example"].provider.Client(t.Context(), other))
	defer alice.Close()
	id := must(mls.NewIdentity(must(newSuite()), []byte(other.String())))
	req := &mimi.KeyMaterialRequest{
		RequestingUser: "mimi://a.example/u/alice", TargetUser: "mimi://b.example/u/bob", AcceptableCiphersuites: []suite.ID{must(newSuite()).ID()},
		RequesterSignatureKey: id.Signer.Public, RequesterCredential: id.Credential,
	}
	w.check(req.Sign(must(newSuite()), id.Signer.Private))
	for count() > 0 { // and before those the ones that soon expire
		r, ok := must(alice.Call(t.Context(), follower.Call{Endpoint: mimi.EndpointKeyMaterial, Body: req})).(*mimi.KeyMaterialResponse)
		if !ok || r.UserStatus != mimi.UserSuccess {
			t.Fatalf("got %+v", r)
		}
	}
	connect()
}

// TestKeyPackagesRefused: a provider that takes fewer KeyPackages than a device has is told
// of what else there is.
func TestKeyPackagesRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example")
	cfg := w.config(w.enrol("alice/A1"), store.NewMemory())
	cfg.KeyPackages = 200
	d := must(Open(t.Context(), cfg))
	w.run(d)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	w.check(d.Settled(ctx))
}

// TestCaughtUp: a device that was away knows when it has all that came meanwhile.
func TestCaughtUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example", "b.example")
	alice := must(Open(t.Context(), w.config(w.enrol("alice/A1"), store.NewMemory())))
	bob := must(Open(t.Context(), w.config(w.enrol("bob/B1"), store.NewMemory())))
	w.run(alice)
	stop := w.run(bob)
	w.check(bob.Settled(t.Context()))
	w.do(alice, w.creation())
	w.do(alice, member.AddUser{Room: clubhouse, User: uri("mimi://b.example/u/bob"), Role: 2})
	w.until(bob, func(e member.Event) bool { _, ok := e.(member.Joined); return ok })
	stop()
	for n := range 2 * maxBatch {
		w.do(alice, text(fmt.Sprint("message ", n)))
	}
	hub := w.sites["a.example"].provider
	for hub.Stats().Waiting["b.example"].Events > 0 { // until b.example has it all
		time.Sleep(time.Millisecond)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := bob.CaughtUp(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("without a connection: got %v, want %v", err, context.Canceled)
	}
	w.run(bob)
	w.check(bob.CaughtUp(t.Context()))
	list := bob.Events(0)
	if m, ok := list[len(list)-1].Event.(member.Message); !ok || !says(fmt.Sprint("message ", 2*maxBatch-1))(m) {
		t.Errorf("the last event is %+v, want the last message", list[len(list)-1])
	}
}

// TestConfig: what is missing is named.
func TestConfig(t *testing.T) {
	t.Parallel()
	alice := uri("mimi://a.example/d/alice/A1")
	for _, tt := range []struct {
		name string
		cfg  Config
		says string
	}{
		{"no client", Config{Store: store.NewMemory()}, "Config.Client"},
		{"a user", Config{Client: uri("mimi://a.example/u/alice"), Store: store.NewMemory()}, "want the URI of a client"},
		{"no store", Config{Client: alice}, "Config.Store"},
	} {
		if _, err := Open(t.Context(), tt.cfg); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want an error that says %q", tt.name, err, tt.says)
		}
	}
	d := must(Open(t.Context(), Config{Client: alice, Store: store.NewMemory()}))
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Config.Connect") {
		t.Errorf("Run without Connect: got %v", err)
	}
	for _, r := range []protocols.Record{
		{Key: "event/00000000000000000001", Value: []byte(`{"kind":"none"}`)}, {Key: "event/x", Value: []byte("{}")},
		{Key: "errand/00000000000000000001", Value: []byte("[]")}, {Key: "other/1", Value: []byte{}}, {Key: "head", Value: []byte("x")},
		{Key: "identity", Value: []byte("{}")}, {Key: "member/head", Value: []byte("x")},
	} {
		s := store.NewMemory()
		if err := s.Commit(t.Context(), []protocols.Record{r}); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Config{Client: alice, Store: s}); err == nil {
			t.Errorf("record %q: no error", r.Key)
		}
	}
}

// TestLeaves: of many events of a room that the client is not in, the provider is told
// once that it has left.
func TestLeaves(t *testing.T) {
	t.Parallel()
	disk := store.NewMemory()
	cfg := Config{Client: uri("mimi://a.example/d/alice/A1"), Store: disk, KeyPackages: -1}
	d := must(Open(t.Context(), cfg))
	for seq := range uint64(5) {
		if err := d.deliver([]follower.Delivery{{Room: clubhouse, Seq: seq + 1}, {Room: uri("mimi://a.example/r/other"), Seq: seq + 7}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []*Device{d, must(Open(t.Context(), cfg))} {
		var got []follower.Leave
		for _, e := range d.errands {
			got = append(got, *e.Leave)
		}
		want := []follower.Leave{{Room: clubhouse, Seq: 1}, {Room: uri("mimi://a.example/r/other"), Seq: 7}}
		for i := range got {
			got[i].Client = want[0].Client // who it is says the connection
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestStalled: a hub that does not answer to a Commit for long is told of, and ends
// nothing.
func TestStalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a.example")
	cfg := w.config(w.enrol("alice/A1"), store.NewMemory())
	now := time.Now()
	cfg.Now, cfg.Member.Tries = func() time.Time { return now }, 2
	d := must(Open(t.Context(), cfg))
	stop := w.run(d)
	w.do(d, w.creation())
	stop() // from here on the test answers in place of a connection
	step := func(in member.Input) uint64 {
		id, refused, err := d.step(in)
		w.check(errors.Join(err, errors.Join(refused...)))
		return id
	}
	id := step(member.CommitPending{Room: clubhouse})
	for range 10 {
		step(member.Replied{ID: id + 1, Err: errors.New("no answer")}) // to the call that it makes
		now = now.Add(time.Minute)
		step(member.Wake{})
	}
	told := 0
	for _, e := range d.Events(0) {
		if s, ok := e.Event.(member.Stalled); ok {
			told++
			if s.ID != id || s.Room != clubhouse || s.What != "commit" || s.Why == nil {
				t.Errorf("got %+v, want it of the commit, %d", s, id)
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
	w.run(d)
	if _, err := d.Wait(t.Context(), id); err != nil {
		t.Errorf("the commit, when the hub answers: %v", err)
	}
}
