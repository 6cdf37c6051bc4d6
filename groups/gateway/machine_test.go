package gateway

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/member"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/signal/sized"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

var start = time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func address(s string) ident.Address { return must(ident.ParseAddress(s)) }

var bob = address("4915112345678@s.whatsapp.net")

// testConfig is that of a gateway with two rooms a user.
func testConfig() Config {
	s := must(suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, sha256.Sum256([]byte("gateway")), "test"))
	return Config{
		Operator: "G Example Ltd", Domain: "g.example", Adapter: sized.Adapter{}, Suite: s, Groups: &mls.Config{Suite: s}, Batch: 5,
		Lines:  []ident.Address{address("1-1@interop"), address("1-2@interop"), address("1-3@interop")},
		Limits: Limits{Users: 3, Strangers: 4, Invites: 2, Refs: 8, Queue: 4, Transfers: 2, Parts: 3},
	}
}

// rig is a gateway with its records. Its lines are not connected, so that what it says
// waits.
type rig struct {
	t     testing.TB
	g     *Gateway
	cfg   Config
	now   time.Time
	store map[string][]byte
	last  Output
}

func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, g: g, cfg: cfg, now: start, store: make(map[string][]byte)}
	r.step(Resume{})
	return r
}

func (r *rig) step(in Input) Output {
	r.t.Helper()
	out, err := r.g.Step(r.now, in)
	if err != nil {
		r.t.Fatalf("%T: %v", in, err)
	}
	return r.done(out)
}

func (r *rig) done(out Output) Output {
	for _, rec := range out.Persist {
		if rec.Value == nil {
			delete(r.store, rec.Key)
		} else {
			r.store[rec.Key] = rec.Value
		}
	}
	r.last = out
	return out
}

// event has a line's device, or a user's member, tell something, as a Step would.
func (r *rig) event(f func()) Output {
	r.g.now, r.g.out, r.g.todo = r.now, Output{}, []func(){f}
	for len(r.g.todo) > 0 {
		next := r.g.todo[0]
		r.g.todo = r.g.todo[1:]
		next()
	}
	r.g.catchUp()
	out := r.g.out
	r.g.out = Output{}
	return r.done(out)
}

// write has somebody write to a line.
func (r *rig) write(line int, from ident.Address, c dma.Content) Output {
	return r.event(func() {
		r.g.fromSignal(r.g.lines[line], dma.Event{Kind: dma.MessageDelivered, ID: "B1", Peer: from, Content: &c})
	})
}

func (r *rig) say(line int, from ident.Address, text string) Output {
	return r.write(line, from, dma.Content{Kind: dma.Text, Text: text})
}

// waiting is how many stanzas wait in a line's outbox.
func (r *rig) waiting(line int) int {
	n, _ := r.g.lines[line].device.Waiting()
	return n
}

func (r *rig) records() (list []protocols.Record) {
	for _, k := range slices.Sorted(maps.Keys(r.store)) {
		list = append(list, protocols.Record{Key: k, Value: r.store[k]})
	}
	return list
}

// agree has somebody agree, and the account made.
func (r *rig) agree(from ident.Address, name string) *user {
	r.t.Helper()
	out := r.say(0, from, "/agree "+name)
	if len(out.Accounts) != 1 || len(out.Accounts[0].KeyPackages) != keyPackages+1 {
		r.t.Fatalf("%d accounts, want 1 with KeyPackages", len(out.Accounts))
	}
	r.step(AccountDone{Client: out.Accounts[0].Client})
	r.taken(from)
	return r.g.users[from]
}

// taken has the gatekeeper take everything that waits for a user.
func (r *rig) taken(who ident.Address) {
	for _, t := range r.g.users[who].threads {
		for _, id := range slices.Clone(t.Queue) {
			r.event(func() {
				r.g.fromSignal(r.g.lines[t.line], dma.Event{Kind: dma.MessageAccepted, ID: id, Peer: who})
			})
		}
	}
}

func find[E Event](out Output) (list []E) {
	for _, e := range out.Events {
		if x, ok := e.(E); ok {
			list = append(list, x)
		}
	}
	return list
}

func roomURI(n int) ident.URI {
	return must(ident.NewURI(ident.KindRoom, "a.example", fmt.Sprint("room", n)))
}

// open gives a room a chat; nil if there is no line for it.
func (r *rig) open(u *user, n int) (t *thread) {
	r.event(func() { t = r.g.openThread(u, roomURI(n)) })
	return t
}

var alice = must(ident.ParseURI("mimi://a.example/u/alice"))

// invite has Alice ask for consent.
func (r *rig) invite(u *user, op mimi.ConsentOperation, room ident.URI) Output {
	in := mimi.URI(room)
	return r.event(func() {
		r.g.fromMember(u, member.ConsentChanged{Entry: &mimi.ConsentEntry{
			ConsentOperation: op, RequesterURI: mimi.URI(alice), TargetURI: mimi.URI(u.uri), RoomID: &in,
		}})
	})
}

// TestConfigErrors: a gateway that lacks something is refused.
func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(*Config)
		want string
	}{
		{"no operator", func(c *Config) { c.Operator = "" }, "without Operator"},
		{"one line", func(c *Config) { c.Lines = c.Lines[:1] }, "1 lines"},
		{"line twice", func(c *Config) { c.Lines[1] = c.Lines[0] }, "twice"},
		{"no adapter", func(c *Config) { c.Adapter = nil }, "without Adapter"},
		{"device without owner", func(c *Config) { c.Place = OnDevice }, "without its Owner"},
		{"owner is a line", func(c *Config) { c.Place, c.Owner = OnDevice, c.Lines[1] }, "the owner's"},
		{"place", func(c *Config) { c.Place = 2 }, "Place 2"},
		{"limit", func(c *Config) { c.Limits.Queue = -1 }, "negative"},
		{"domain", func(c *Config) { c.Domain = "a/b" }, "Domain"},
	} {
		cfg := testConfig()
		tt.do(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestInputs: only what comes from outside is taken, and a refusal changes nothing.
func TestInputs(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	before := len(r.store)
	for _, in := range []Input{
		Chat{Line: 3, In: dma.Connect{Conn: 1}}, Chat{Line: -1, In: dma.Connect{Conn: 1}}, Chat{In: dma.Compose{To: bob}},
		Chat{In: dma.Frame{Conn: 9}}, Provider{Client: alice}, Provider{Client: u.client, In: member.Send{}},
		Provider{Client: u.client, In: member.Delivered{}}, AccountDone{Client: alice}, Provider{Client: alice, In: member.Replied{}}, nil,
	} {
		out, err := r.g.Step(r.now, in)
		if err == nil || len(out.Persist) > 0 {
			t.Errorf("%#v: %v, with %d records", in, err, len(out.Persist))
		}
	}
	if len(r.store) != before {
		t.Error("records changed")
	}
}

// TestConsentFirst: before somebody has agreed nothing is made, whatever is written, and
// the terms say that all is read.
func TestConsentFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	for _, text := range []string{"hello", "/stop", "/accept 1", "/agree", "/agree B/ob"} {
		for line := range 3 {
			r.now = r.now.Add(time.Hour)
			if out := r.say(line, bob, text); len(out.Accounts)+len(out.Provider)+len(find[Held](out)) > 0 || len(r.g.users) > 0 {
				t.Fatalf("%q on line %d made something", text, line)
			}
		}
	}
	if s := r.cfg.terms(); !strings.Contains(s, "NOT END-TO-END ENCRYPTED") || !strings.Contains(s, r.cfg.Operator) || !strings.Contains(s, lossy) {
		t.Errorf("terms %q", s)
	}
	r.agree(bob, "bob")
	if !slices.Equal(r.g.Clients(), []ident.URI{must(ident.ParseURI("mimi://g.example/d/bob-via-signal/gateway"))}) {
		t.Errorf("clients %v", r.g.Clients())
	}
}

// TestOwner: a gateway on a device serves its owner alone.
func TestOwner(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Place, cfg.Owner = OnDevice, bob
	r := newRig(t, cfg)
	if r.say(0, address("4930@s.whatsapp.net"), "/agree eve"); len(r.g.users) > 0 {
		t.Error("somebody else is served")
	}
	if u := r.agree(bob, "bob"); u.client.Segments()[1] != "own-device" {
		t.Errorf("client %v", u.client)
	}
}

// TestBounds: what others do does not make the gateway keep more than its limits.
func TestBounds(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	base := r.waiting(0)
	t.Run("strangers", func(t *testing.T) {
		for i := range 100 {
			r.now = r.now.Add(time.Second)
			r.say(0, address(fmt.Sprintf("49%d@s.whatsapp.net", 100+i%10)), "hello")
		}
		if len(r.g.strangers) > 4 {
			t.Errorf("%d strangers", len(r.g.strangers))
		}
		one := newRig(t, testConfig())
		for range 100 {
			one.say(0, bob, "hello")
		}
		if n := one.waiting(0); n > 2 { // with the key fetch
			t.Errorf("%d stanzas to a stranger within a minute", n)
		}
		base = r.waiting(0)
	})
	t.Run("a user who asks and asks", func(t *testing.T) {
		for range 1000 {
			r.say(0, bob, "/help")
			r.say(1, bob, "where does this go")
		}
		if n := r.waiting(0) + r.waiting(1) - base; len(u.threads[0].Queue) > 4 || n > 4+2 {
			t.Errorf("%d stanzas wait", n)
		}
		if u.threads[0].Untold < 1900 {
			t.Errorf("%d were not told", u.threads[0].Untold)
		}
		r.taken(bob)
		if u.threads[0].Untold != 0 || len(u.threads[0].Queue) == 0 {
			t.Error("it was not told that things were not told")
		}
		r.taken(bob)
	})
	t.Run("invitations", func(t *testing.T) {
		for i := range 50 {
			r.invite(u, mimi.ConsentRequest, roomURI(i))
		}
		if len(u.Invites) != 2 {
			t.Errorf("%d invitations", len(u.Invites))
		}
		r.taken(bob)
		if out := r.say(0, bob, "/accept 2"); len(out.Provider) != 1 {
			t.Errorf("%d calls", len(out.Provider))
		}
		r.invite(u, mimi.ConsentCancel, roomURI(0))
		if len(u.Invites) != 0 {
			t.Errorf("%d invitations are left", len(u.Invites))
		}
	})
	t.Run("users", func(t *testing.T) {
		for i := range 20 {
			r.say(0, address(fmt.Sprintf("49%d@s.whatsapp.net", 200+i)), fmt.Sprint("/agree n", i))
		}
		if len(r.g.users) != 3 {
			t.Errorf("%d users", len(r.g.users))
		}
	})
	t.Run("media", func(t *testing.T) {
		th := r.open(u, 1)
		for range 20 {
			r.write(th.line, bob, dma.Content{Kind: dma.Image, Media: dma.MediaRef{Ref: "x", Size: 5}})
		}
		if len(r.g.jobs) != 2 {
			t.Errorf("%d jobs", len(r.g.jobs))
		}
		out := r.write(th.line, bob, dma.Content{Kind: dma.Image, Media: dma.MediaRef{Ref: "x", Size: 1 << 60}})
		if l := find[Lost](out); len(l) != 1 || l[0].Loss != LossMedium {
			t.Errorf("lost %v", l)
		}
	})
	t.Run("restored", func(t *testing.T) {
		g, err := Restore(r.cfg, r.records())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(g.sortedUsers(), r.g.sortedUsers(), func(a, b *user) bool {
			return string(mustJSON(a.userRecord)) == string(mustJSON(b.userRecord)) && len(a.threads) == len(b.threads)
		}) || len(g.jobs) != len(r.g.jobs) || !maps.Equal(g.strangers, r.g.strangers) {
			t.Error("another state")
		}
	})
}

// TestOneName: a name belongs to one user for good.
func TestOneName(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	r.agree(bob, "bob")
	eve := address("4930@s.whatsapp.net")
	if out := r.say(0, eve, "/agree bob"); len(out.Accounts) > 0 || r.g.users[eve] != nil {
		t.Error("two users have one name")
	}
	out := r.say(0, bob, "/stop")
	if len(out.Accounts) != 1 || !out.Accounts[0].Remove || r.g.users[bob].member != nil {
		t.Fatalf("accounts %v", out.Accounts)
	}
	for k := range r.store {
		if strings.Contains(k, "|member|") {
			t.Errorf("record %s is left of a user who has ended it", k)
		}
	}
	if out := r.step(Resume{}); len(out.Accounts) != 1 { // until it is done
		t.Errorf("%d accounts", len(out.Accounts))
	}
	if out := r.step(AccountDone{Client: out.Accounts[0].Client}); len(find[Ended](out)) != 1 {
		t.Error("not ended")
	}
	r.taken(bob)
	if out := r.say(0, bob, "/agree other"); len(out.Accounts) > 0 {
		t.Error("another name")
	}
	if u := r.agree(bob, "bob"); u.State != on {
		t.Errorf("state %v", u.State)
	}
}

// TestAccountRefused: a name that the provider refuses leaves nothing behind.
func TestAccountRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	out := r.say(0, bob, "/agree bob")
	r.step(AccountDone{Client: out.Accounts[0].Client, Err: errors.New("deleted")})
	if u := r.g.users[bob]; u.State != off || u.member != nil {
		t.Errorf("state %v", u.State)
	}
	r.now = r.now.Add(time.Hour)
	r.agree(bob, "bob")
}

// TestLinesRest: a line does not stand for another room at once, so that what comes late
// goes to no wrong room.
func TestLinesRest(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	a, b := r.open(u, 1), r.open(u, 2)
	if a.line != 1 || b.line != 2 || r.open(u, 3) != nil || r.g.hasLine(u) {
		t.Fatalf("lines %d and %d", a.line, b.line)
	}
	r.event(func() { r.g.end(a, "it ended") })
	if r.open(u, 3) != nil {
		t.Error("a line has not rested")
	}
	if out := r.say(1, bob, "late"); len(find[Passed](out)) > 0 || len(find[Lost](out)) != 1 {
		t.Errorf("what came late: %v", out.Events)
	}
	r.now = r.now.Add(25 * time.Hour)
	if c := r.open(u, 3); c == nil || c.line != 1 {
		t.Errorf("chat %+v", c)
	}
}

// TestBehind: what comes while too much waits is left to come again, in its order, and is
// asked for when there is room.
func TestBehind(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	for range 4 {
		r.say(0, bob, "/help")
	}
	deliver := func(seq uint64) Output {
		return r.step(Provider{Client: u.client, In: member.Delivered{Seq: seq, Body: []byte{1}}})
	}
	acks := func(out Output) (n int) {
		for _, in := range out.Provider {
			if _, ok := in.(follower.Ack); ok {
				n++
			}
		}
		return n
	}
	if acks(deliver(1))+acks(deliver(2)) > 0 {
		t.Fatal("acknowledged though too much waits")
	}
	connects := 0
	for _, id := range slices.Clone(u.threads[0].Queue) {
		out := r.event(func() { r.g.fromSignal(r.g.lines[0], dma.Event{Kind: dma.MessageAccepted, ID: id, Peer: bob}) })
		for _, in := range out.Provider {
			if _, ok := in.(follower.Connect); ok {
				connects++
			}
		}
	}
	if connects != 1 {
		t.Fatalf("%d connects, want 1", connects)
	}
	if acks(deliver(3)) > 0 {
		t.Error("a later one was taken before those that were left")
	}
	for seq := range uint64(3) {
		if acks(deliver(seq+1)) != 1 {
			t.Errorf("delivery %d was not taken when it came again", seq+1)
		}
	}
}

// TestTransferAnswers: what a shell answers is checked, and counts once.
func TestTransferAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	th := r.open(u, 1)
	part := content.ExternalPart{ContentType: "image/png", URL: "https://a.example/x", Size: 3}
	out := r.event(func() {
		r.g.show(th, mid(9), rendering{items: []item{{content: dma.Content{Kind: dma.Image, Text: "alice: x"}, medium: &part}}})
	})
	if len(out.Transfers) != 1 || len(find[Held](out)) != 1 || !find[Held](out)[0].Medium {
		t.Fatalf("transfers %v, events %v", out.Transfers, out.Events)
	}
	id := out.Transfers[0].ID
	for _, in := range []Transferred{{ID: id}, {ID: id, Ref: &dma.MediaRef{}}, {ID: id, Ref: &dma.MediaRef{Ref: strings.Repeat("x", 300)}}, {ID: id, MIMI: &part}} {
		if _, err := r.g.Step(r.now, in); err == nil {
			t.Errorf("%+v was taken", in)
		}
	}
	before := r.waiting(1)
	r.step(Transferred{ID: id, Ref: &dma.MediaRef{Ref: "r", Size: 3}})
	r.step(Transferred{ID: id, Ref: &dma.MediaRef{Ref: "r", Size: 3}})
	if n := r.waiting(1) - before; n != 1 {
		t.Errorf("%d messages", n)
	}
	if x := th.refs.mimi(mid(9)); x == nil {
		t.Error("the message has no name in the chat")
	}
}

// TestStateErrors: records that contradict each other are refused.
func TestStateErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	r.agree(bob, "bob")
	good := r.records()
	if _, err := Restore(r.cfg, good); err != nil {
		t.Fatal(err)
	}
	self := "user|" + bob.String() + "|self"
	for _, rec := range []protocols.Record{
		{Key: "other", Value: []byte{1}}, {Key: "line|x|self", Value: []byte("{}")}, {Key: "line|7|self", Value: []byte("{}")},
		{Key: "line|1|other", Value: []byte("{}")}, {Key: "job|1", Value: []byte("{}")}, {Key: "job|x", Value: []byte("{}")},
		{Key: "stranger|x", Value: []byte("1")}, {Key: "head", Value: []byte("{")}, {Key: "user|x|self", Value: []byte("{}")},
		{Key: self, Value: nil}, {Key: self, Value: []byte(`{"name":"Bob","state":"on"}`)}, {Key: self, Value: []byte(`{"name":"bob","state":"off"}`)},
		{Key: self, Value: []byte(`{"name":"bob","state":"x"}`)}, {Key: "user|" + bob.String() + "|thread|9", Value: []byte(`{"state":"open"}`)},
		{Key: "user|" + bob.String() + "|thread|1", Value: []byte(`{"state":"open"}`)}, {Key: "user|" + bob.String() + "|ref|1|0", Value: []byte(`{}`)},
		{Key: "user|" + bob.String() + "|send|1|0", Value: []byte(`{}`)}, {Key: "user|" + bob.String() + "|what|1|0", Value: []byte(`{}`)},
	} {
		if _, err := Restore(r.cfg, append(slices.Clone(good), rec)); !errors.Is(err, ErrState) {
			t.Errorf("%s = %q: %v, want ErrState", rec.Key, rec.Value, err)
		}
	}
}

// TestAccountAskedAgain: an account that was asked for is asked for again after each
// restart, with the same KeyPackages, and nothing grows by it.
func TestAccountAskedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	first := r.say(0, bob, "/agree bob").Accounts[0]
	records := len(r.store)
	var out Output
	for range 20 {
		r.g = must(Restore(r.cfg, r.records()))
		out = r.step(Resume{})
		if len(out.Accounts) != 1 || !slices.EqualFunc(out.Accounts[0].KeyPackages, first.KeyPackages, func(a, b message.KeyPackage) bool {
			return bytes.Equal(must(wire.Marshal(&a)), must(wire.Marshal(&b)))
		}) {
			t.Fatalf("accounts %v", out.Accounts)
		}
	}
	if len(r.store) != records {
		t.Errorf("%d records, want %d", len(r.store), records)
	}
	if out := r.step(AccountDone{Client: out.Accounts[0].Client}); len(find[Agreed](out)) != 1 {
		t.Error("not agreed")
	}
	if out := r.step(AccountDone{Client: out.Accounts[0].Client}); len(out.Events) > 0 {
		t.Error("agreed twice")
	}
}

// TestNoContent: what is no MIMI content is counted, and told unless it is a status
// report, of which the terms tell.
func TestNoContent(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	th := r.open(u, 1)
	report := must(content.StatusReport{{MessageID: mid(1), Status: content.StatusRead}}.Marshal())
	for _, tt := range []struct {
		data []byte
		want Loss
		told int
	}{{report, LossReceipt, 0}, {[]byte("?"), LossUnreadable, 1}} {
		before := len(th.Queue)
		out := r.event(func() {
			r.g.fromMember(u, member.Message{Room: th.Room, Sender: alice, Data: tt.data, Why: errors.New("another media type")})
		})
		if l := find[Lost](out); len(l) != 1 || l[0].Loss != tt.want || len(th.Queue)-before != tt.told {
			t.Errorf("%q: lost %v, %d told", tt.data, l, len(th.Queue)-before)
		}
		if h := find[Held](out); len(h) != 1 || h[0].Size != len(tt.data) {
			t.Errorf("%q: held %v", tt.data, h)
		}
	}
}

// TestIdentityChanged: a Signal user whose keys changed is told, and so is the room, for
// which nothing but the gateway stands for who it is.
func TestIdentityChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	out := r.event(func() { r.g.fromSignal(r.g.lines[0], dma.Event{Kind: dma.IdentityChanged, Peer: bob}) })
	if len(u.threads[0].Queue) != 1 || len(find[Trouble](out)) != 1 {
		t.Errorf("queue %v, events %v", u.threads[0].Queue, out.Events)
	}
}

// TestUnsent: what did not get to the room is told to the user as an answer to it, and the
// room's name of it is forgotten.
func TestUnsent(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	th := r.open(u, 1)
	r.event(func() {
		for id, s := range map[uint64]sending{7: {Signal: "B7"}, 8: {Signal: "B8", On: "S1"}, 9: {Signal: "B9", On: "B7", Edit: true}} {
			th.sending[id] = s
			r.g.saveSending(th, id)
		}
		r.g.saveRef(th, th.refs.add(ref{Signal: "S1", MIMI: mid(1), Last: mid(1), Reaction: mid(8)}))
		r.g.saveRef(th, th.refs.add(ref{Signal: "B7", MIMI: mid(7), Last: mid(9), Own: true}))
	})
	fail := func(id uint64, why error, unknown bool) {
		t.Helper()
		before := len(th.Queue)
		out := r.event(func() {
			r.g.fromMember(u, member.Failed{ID: id, Room: th.Room, What: "send", Why: why, Unknown: unknown})
		})
		if l := find[Lost](out); len(l) != 1 || l[0].Loss != LossRefused || l[0].ID != fmt.Sprint("B", id) || len(th.Queue) != before+1 {
			t.Errorf("%d: lost %v, %d more told", id, l, len(th.Queue)-before)
		}
	}
	fail(9, member.ErrRetries, false)
	if x := th.refs.signal("B7"); x.Last != mid(7) || th.refs.mimi(mid(9)) != nil {
		t.Errorf("the edit that failed stays: %+v", x)
	}
	fail(8, &member.Error{Code: mimi.SubmitNotAllowed}, false)
	if x := th.refs.signal("S1"); !x.Reaction.IsZero() {
		t.Error("the reaction that failed stays")
	}
	fail(7, errors.New("why ever"), false)
	if th.refs.signal("B7") != nil {
		t.Error("the message that failed stays")
	}
	if len(th.sending) != 0 {
		t.Errorf("%d messages are on their way", len(th.sending))
	}
	for k := range r.store {
		if strings.Contains(k, "|send|") {
			t.Errorf("record %s is left", k)
		}
	}
	// Of a message of which nobody knows, the name stays: the room may have it.
	r.taken(bob)
	r.event(func() {
		th.sending[10] = sending{Signal: "B10"}
		r.g.saveRef(th, th.refs.add(ref{Signal: "B10", MIMI: mid(10), Last: mid(10), Own: true}))
	})
	fail(10, errors.New("no answer"), true)
	if th.refs.signal("B10") == nil {
		t.Error("the message that the room may have is forgotten")
	}
}

// TestStalled: whoever runs the gateway learns of a hub that does not answer.
func TestStalled(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	th := r.open(u, 1)
	out := r.event(func() {
		r.g.fromMember(u, member.Stalled{ID: 5, Room: th.Room, What: "commit", Why: errors.New("no route")})
	})
	if l := find[Trouble](out); len(l) != 1 || l[0].Room != th.Room || l[0].User != u.uri || l[0].Why != "no route" {
		t.Errorf("got %+v", l)
	}
}

// TestLeaveFails: who could not leave is still in, unless the user ends it all: then the
// account goes, whatever the room thinks.
func TestLeaveFails(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		r := newRig(t, testConfig())
		u := r.agree(bob, "bob")
		th := r.open(u, 1)
		r.event(func() { th.State, th.Leave = goes, 5 })
		if all {
			u.State = leaving
		}
		out := r.event(func() {
			r.g.fromMember(u, member.Failed{ID: 5, Room: th.Room, What: "leave", Why: errors.New("the last administrator")})
		})
		switch {
		case all && (th.State != ended || u.State != closing || len(out.Accounts) != 1):
			t.Errorf("the chat is %v, the user %v", th.State, u.State)
		case !all && th.State != open:
			t.Errorf("the chat is %v", th.State)
		}
	}
}

// TestPing: a line that is a gatekeeper's own account lets a partner's user write to it
// who asks; one on a device its owner alone. Lines do not listen to each other.
func TestPing(t *testing.T) {
	t.Parallel()
	eve := address("1-99@interop")
	for _, tt := range []struct {
		place Place
		from  ident.Address
		want  int
	}{{AtServer, eve, 1}, {OnDevice, bob, 1}, {OnDevice, eve, 0}, {AtServer, address("1-2@interop"), 0}} {
		cfg := testConfig()
		if cfg.Place = tt.place; tt.place == OnDevice {
			cfg.Owner = bob
		}
		r := newRig(t, cfg)
		r.event(func() { r.g.fromSignal(r.g.lines[0], dma.Event{Kind: dma.PingReceived, Peer: tt.from}) })
		if n := r.waiting(0); n != tt.want {
			t.Errorf("%v, from %v: %d answers, want %d", tt.place, tt.from, n, tt.want)
		}
	}
}

// TestAddedWhileLeaving: who is added again before the room knows of its leaving is in.
func TestAddedWhileLeaving(t *testing.T) {
	t.Parallel()
	r := newRig(t, testConfig())
	u := r.agree(bob, "bob")
	th := r.open(u, 1)
	r.event(func() { th.State, th.Leave, th.Warned = goes, 5, r.now.UnixMilli() }) // so that the warning comes later
	out := r.event(func() { r.g.fromMember(u, member.Joined{Room: th.Room, Epoch: 9, By: alice}) })
	if th.State != open || len(find[RoomOpened](out)) != 0 {
		t.Errorf("the chat is %v, events %v", th.State, out.Events)
	}
}
