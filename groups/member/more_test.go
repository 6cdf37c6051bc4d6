package member

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/hub"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// TestJoinByCode enters a room as a new participant, with a joining code.
func TestJoinByCode(t *testing.T) {
	w := newWorld()
	alice, cathy := w.device("alice/ClientA1"), w.device("cathy/ClientC1")
	w.quiet()
	p, _ := room.PolicyByName("administered")
	d := must(p.Dictionary(nil, &room.RoomMetaData{URI: clubhouse.String(), Name: "Clubhouse"}, []room.UserRolePair{
		{User: userURI("alice").String(), Role: roleAdmin}, {User: "mimi://a.example", Role: p.Role("policy_enforcer")},
	}, nil, nil))
	d = d.With(room.DefaultPoints.JoinLinks, must(wire.Marshal(&room.JoinLinksData{Links: []room.JoinLink{{Link: []byte("sesame")}}})))
	w.do(alice, CreateRoom{Room: clubhouse, Dictionary: d, Hub: message.ExternalSender{
		SignatureKey: w.hubCfg.Identity.Signer.Public, Credential: w.hubCfg.Identity.Credential,
	}})
	berta := w.device("berta/ClientB1")
	held := w.withhold("a.example>alice/ClientA1")
	w.do(berta, Join{Room: clubhouse, Code: []byte("sesame")})
	held = append(held, w.withhold("a.example>alice/ClientA1")...)
	slices.Reverse(held) // Berta's Commit comes before the word of the hub
	for _, f := range held {
		f()
		alice.m = must(Restore(alice.cfg, alice.store.records()))
	}
	w.quiet()
	w.agree(t)
	for _, code := range []string{"", "wrong"} {
		w.do(cathy, Join{Room: clubhouse, Code: []byte(code)})
		w.quiet()
		var no *Error
		if f, ok := find[Failed](cathy); !ok || !errors.As(f.Why, &no) || no.Code != mimi.GroupInfoNotAuthorized {
			t.Fatalf("code %q: %+v\n%s", code, f, w.log)
		}
	}
	w.do(cathy, Join{Room: clubhouse, Code: []byte("sesame")})
	w.quiet()
	w.agree(t)
	r, ok := alice.m.Room(clubhouse)
	if c, in := r.State.Find(userURI("cathy").String()); !ok || !in || c.Role != roleUser || c.Clients != 1 {
		t.Fatalf("cathy is %+v\n%s", c, w.log)
	}
	// A room without franking: the message is told, and why nobody vouches for it.
	w.do(cathy, Send{Room: clubhouse, Message: text("hello")})
	w.quiet()
	if m, ok := find[Message](alice); !ok || !errors.Is(m.Unfranked, ErrNoFrank) || m.Content == nil {
		t.Errorf("%+v\n%s", m, w.log)
	}
}

// TestMediaTypes is a room that requires a media type, so that messages are framed.
func TestMediaTypes(t *testing.T) {
	w := newWorld()
	media := message.MediaTypeList{{Type: []byte(content.TypeContent)}}
	for _, name := range []string{"alice/ClientA1", "bob/ClientB1"} {
		d := w.device(name)
		w.quiet()
		groups := *d.cfg.Groups
		groups.MediaTypes = media
		d.cfg.Groups = &groups
		d.m = must(Restore(d.cfg, nil)) // with KeyPackages that say so
		d.store = store{}
		p := w.followers[domainOf(name)]
		for _, in := range []follower.Input{follower.RemoveClient{Client: d.cfg.Client}, follower.AddClient{Client: d.cfg.Client}, follower.Connect{Client: d.cfg.Client}} {
			if err := w.follower(p, in); err != nil {
				t.Fatal(err)
			}
		}
		w.do(d, PublishKeyPackages{N: 1})
	}
	w.quiet()
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	w.do(alice, CreateRoom{
		Room: clubhouse, Policy: "administered", MediaTypes: media,
		Hub:           message.ExternalSender{SignatureKey: w.hubCfg.Identity.Signer.Public, Credential: w.hubCfg.Identity.Credential},
		FrankingAgent: &mimi.FrankingAgentData{FrankingSignatureKey: w.hubCfg.Franking.Public, Credential: message.BasicCredential([]byte("mimi://a.example"))},
	})
	w.quiet()
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	w.do(bob, Send{Room: clubhouse, Message: text("framed")})
	w.quiet()
	m, ok := find[Message](alice)
	if !ok || m.Unfranked != nil || m.Content == nil {
		t.Fatalf("%+v\n%s", m, w.log)
	}
	w.do(alice, Report{Room: clubhouse, Abuser: m.Sender, Messages: []mimi.AbusiveMessage{*m.Evidence}})
	w.quiet()
	if want := "message 0: <nil>"; !strings.Contains(w.log.String(), want) {
		t.Errorf("want %q in\n%s", want, w.log)
	}
}

// TestPrepared: the Commit that a message needs before it, of proposals that wait, does
// not end the intention to send it. Its only outcome is Sent.
func TestPrepared(t *testing.T) {
	w := trio(t, nil)
	w.do(w.device("bob/ClientB1"), Leave{Room: clubhouse})
	w.quiet()
	alice := w.device("alice/ClientA1")
	before := len(alice.events)
	id := w.do(alice, Send{Room: clubhouse, Message: text("bye")}).ID
	w.quiet()
	var got []string
	for _, e := range alice.events[before:] {
		switch e := e.(type) {
		case RoomChanged:
			got = append(got, fmt.Sprint("changed ", e.ID != 0))
		case Sent:
			got = append(got, fmt.Sprint("sent ", e.ID == id))
		}
	}
	if want := []string{"changed false", "sent true"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q\n%s", got, want, w.log)
	}
}

// TestHubProposes: the hub removes a user who is gone, and a member commits it.
func TestHubProposes(t *testing.T) {
	w := trio(t, nil)
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	r := alice.m.rooms[clubhouse]
	list := must(r.state.ListUpdate(nil, []string{userURI("bob").String()}, nil))
	props := []message.Proposal{alice.m.groups.AppDataProposal(room.DefaultPoints.ParticipantList, must(wire.Marshal(list)))}
	for leaf := range alice.m.clients(r.group.Tree(), userURI("bob")) {
		props = append(props, mls.RemoveProposal(leaf))
	}
	must(w.atHub(hub.Propose{Room: clubhouse, Proposals: props}))
	w.quiet()
	if p, ok := find[Proposed](alice); !ok || p.By != uri("mimi://a.example") {
		t.Fatalf("%+v\n%s", p, w.log)
	}
	w.do(alice, CommitPending{Room: clubhouse})
	w.quiet()
	w.agree(t)
	if _, ok := find[Removed](bob); !ok {
		t.Errorf("bob is in\n%s", w.log)
	}
}

// TestRemoveBesides: a user is removed one of whose clients goes already.
func TestRemoveBesides(t *testing.T) {
	w := trio(t, func(w *world) { w.device("bob/ClientB2") })
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	r := bob.m.rooms[clubhouse]
	for leaf, client := range bob.m.clients(r.group.Tree(), userURI("bob")) {
		if client != bob.cfg.Client {
			continue
		}
		g := must(mls.Restore(bob.m.groups, r.group.State()))
		p := must(message.Parse(must(g.Propose(w.now, mls.RemoveProposal(leaf), mls.SendOptions{})), nil))
		must(w.atHub(hub.UpdateRequest{From: "b.example", Room: clubhouse, Body: must(wire.Marshal(&mimi.UpdateRequest{
			Bundle: mimi.HandshakeBundle{ProposalOrCommit: *p},
		}))}))
	}
	w.quiet()
	if r, _ := alice.m.Room(clubhouse); r.Pending != 1 {
		t.Fatalf("%d proposals wait, want 1\n%s", r.Pending, w.log)
	}
	w.do(alice, RemoveUser{Room: clubhouse, User: userURI("bob")})
	w.quiet()
	if in := w.inRoom(); len(in) != 2 {
		t.Errorf("%d are in, want 2\n%s", len(in), w.log)
	}
	w.agree(t)
}

// TestStapled: a device joins from outside while a leave waits. The hub proposes
// again what the external Commit could not cover, and the joiner knows of it.
func TestStapled(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := trio(t, func(w *world) { w.device("bob/ClientB2"); w.restart["member"] = restart })
		bob := w.device("bob/ClientB1")
		w.do(bob, Leave{Room: clubhouse})
		w.quiet()
		c3 := w.device("cathy/ClientC3")
		w.quiet()
		w.do(c3, Join{Room: clubhouse})
		w.quiet()
		if r, ok := c3.m.Room(clubhouse); !ok || r.Pending != 3 {
			t.Fatalf("%d proposals wait, want 3\n%s", r.Pending, w.log)
		}
		w.do(c3, Send{Room: clubhouse, Message: text("hello")}) // commits them first
		w.quiet()
		w.agree(t)
		if len(w.inRoom()) != 3 {
			t.Errorf("%d are in, want 3\n%s", len(w.inRoom()), w.log)
		}
		if got := w.device("alice/ClientA1").texts(); !slices.Equal(got, []string{"hello"}) {
			t.Errorf("alice has read %q", got)
		}
		if got := bob.texts(); len(got) > 0 {
			t.Errorf("bob has read %q", got)
		}
	}
}

// TestOwnEcho: what is ours comes back before the answer does.
func TestOwnEcho(t *testing.T) {
	w := trio(t, func(w *world) { w.device("cathy/ClientC2") })
	c1, c2 := w.device("cathy/ClientC1"), w.device("cathy/ClientC2")
	// Answers to Cathy's provider are slow.
	w.next = func(ways []string) string {
		for _, way := range ways {
			if way != "a.example>c.example" {
				return way
			}
		}
		return ways[0]
	}
	before, _ := c1.m.Room(clubhouse)
	w.do(c1, CommitPending{Room: clubhouse})
	w.do(c1, Send{Room: clubhouse, Message: text("hello")})
	w.do(c1, Leave{Room: clubhouse})
	w.quiet()
	if after, _ := c2.m.Room(clubhouse); after.Epoch != before.Epoch+1 {
		t.Errorf("epoch %d, was %d\n%s", after.Epoch, before.Epoch, w.log)
	}
	n := 0
	for _, e := range c1.events {
		switch e.(type) {
		case Sent, Leaving:
			n++
		case Failed, Refused:
			t.Errorf("%s", show(e))
		}
	}
	if n != 2 {
		t.Errorf("%d of Sent and Leaving, want 2\n%s", n, w.log)
	}
}

// withhold runs the world without what is on a way, until nothing else is under way,
// and returns that.
func (w *world) withhold(way string) (held []func()) {
	take := func() {
		held = append(held, w.ways[way]...)
		w.drop(way)
	}
	for take(); w.pass(); take() {
	}
	return held
}

// TestAskedAgain: a message was accepted and its answer lost. Asked again, the hub refuses
// it, because of Commits that came in between and that the sender has not seen yet. It
// is sent all the same, once.
func TestAskedAgain(t *testing.T) {
	const way = "c.example>cathy/ClientC1"
	rename := SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "New"}}
	for _, tt := range []struct {
		name    string
		between []Input // by Alice
	}{
		{"too old", []Input{rename, rename}}, // the hub takes messages that are one epoch late
		{"removed", []Input{RemoveUser{Room: clubhouse, User: userURI("cathy")}}},
		{"banned", []Input{Ban{Room: clubhouse, User: userURI("cathy")}}},
	} {
		w := trio(t, func(w *world) { w.device("cathy/ClientC2") }) // so that there is an echo
		accepted := make(map[uint64]bool)                           // by when: asked again, the hub says the same
		w.submitted = func(_, at uint64) { accepted[at] = true }
		cathy := w.device("cathy/ClientC1")
		before := len(cathy.events)
		w.lose = func() bool { return true }
		id := w.do(cathy, Send{Room: clubhouse, Message: text("hello")}).ID
		deliveries := w.withhold(way)
		w.lose = nil
		for _, in := range tt.between {
			w.do(w.device("alice/ClientA1"), in)
			deliveries = append(deliveries, w.withhold(way)...)
		}
		w.do(cathy, Resume{})
		for _, f := range append(w.withhold(way), deliveries...) {
			f()
		}
		w.quiet()
		var got []string
		for _, e := range cathy.events[before:] {
			switch e := e.(type) {
			case Sent:
				got = append(got, fmt.Sprint("sent ", e.ID == id))
			case Failed:
				got = append(got, show(e))
			}
		}
		if !slices.Equal(got, []string{"sent true"}) || len(accepted) != 1 {
			t.Errorf("%s: %d times accepted, and told %q, want both once\n%s", tt.name, len(accepted), got, w.log)
		}
	}
}

// TestWelcomeWhileEventsWait: the answer to a Commit is lost, the events of the epoch that it
// began wait for it, and then its sender is removed and added again. The Welcome does not
// take from it what it was there for.
func TestWelcomeWhileEventsWait(t *testing.T) {
	const way = "c.example>cathy/ClientC1"
	w := trio(t, nil)
	alice, cathy := w.device("alice/ClientA1"), w.device("cathy/ClientC1")
	w.do(alice, ChangeRole{Room: clubhouse, User: userURI("cathy"), Role: roleAdmin})
	w.quiet()
	before := len(cathy.events)
	id := w.do(cathy, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "New"}}).ID
	w.withhold(way) // the answer
	var deliveries []func()
	for _, in := range []Input{
		Send{Room: clubhouse, Message: text("between")},
		RemoveUser{Room: clubhouse, User: userURI("cathy")},
		AddUser{Room: clubhouse, User: userURI("cathy"), Role: roleUser},
	} {
		w.do(alice, in)
		deliveries = append(deliveries, w.withhold(way)...)
	}
	for _, f := range deliveries {
		f()
	}
	w.quiet()
	var got []string
	for _, e := range cathy.events[before:] {
		switch e := e.(type) {
		case RoomChanged:
			if e.ID == id {
				got = append(got, "changed")
			}
		case Message:
			got = append(got, "message")
		case Removed:
			got = append(got, "removed")
		case Joined:
			got = append(got, "joined")
		}
	}
	if want := []string{"changed", "message", "removed", "joined"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q\n%s", got, want, w.log)
	}
	w.agree(t)
}

// TestLostLeave: a client that was removed stops before it can say that it leaves. Its
// provider sends the event again that it has not acknowledged, and then learns it.
func TestLostLeave(t *testing.T) {
	w := trio(t, nil)
	cathy := w.device("cathy/ClientC1")
	p := w.followers["c.example"]
	cursor := "cursor|" + cathy.cfg.Client.String() + "|" + clubhouse.String()
	w.stopped = func(d *device) bool { return d == cathy }
	w.do(w.device("alice/ClientA1"), RemoveUser{Room: clubhouse, User: userURI("cathy")})
	w.quiet()
	if _, removed := find[Removed](cathy); !removed || p.store[cursor] == nil {
		t.Fatalf("removed %v, place in the room %v, want both\n%s", removed, p.store[cursor], w.log)
	}
	w.stopped = nil
	w.reboot(cathy)
	w.quiet()
	if p.store[cursor] != nil {
		t.Errorf("cathy still has a place in the room\n%s", w.log)
	}
}

// TestAheadOfEvents: a client that commits again and again, while the requests by which
// its provider gets the room's events fail, is told of a message that the hub had
// accepted before all that.
func TestAheadOfEvents(t *testing.T) {
	w := trio(t, nil)
	bob := w.device("bob/ClientB1")
	const way = "hub>b.example"
	w.do(w.device("alice/ClientA1"), Send{Room: clubhouse, Message: text("before")})
	events := w.withhold(way)
	for range 20 {
		w.do(bob, CommitPending{Room: clubhouse})
		events = append(events, w.withhold(way)...)
	}
	for _, f := range events {
		f()
	}
	w.quiet()
	if got := bob.texts(); !slices.Equal(got, []string{"before"}) {
		t.Errorf("bob read %q\n%s", got, w.log)
	}
}

// TestNoGapAfterJoining: a delivery from before the provider let the client out may come
// after the answer for which it did; the next comes when it is in again.
func TestNoGapAfterJoining(t *testing.T) {
	for _, more := range [][]uint64{{}, {900}} { // deliveries before it knows that it is in
		w := trio(t, func(w *world) { w.device("cathy/ClientC2") })
		var body []byte
		w.wire = func(to string, list []mimi.FanoutMessage) []mimi.FanoutMessage {
			body = must(wire.Marshal(&list[0]))
			return list
		}
		alice := w.device("alice/ClientA1")
		for range 5 {
			w.do(alice, Send{Room: clubhouse, Message: text("hello")})
			w.quiet()
		}
		c3 := w.device("cathy/ClientC3")
		w.quiet()
		w.next = func(ways []string) string { // the answer comes before the echo
			for _, way := range ways {
				if way != "hub>c.example" {
					return way
				}
			}
			return ways[0]
		}
		w.do(c3, Join{Room: clubhouse})
		for _, seq := range append([]uint64{1}, more...) {
			out, err := c3.m.Step(w.now, Delivered{Room: clubhouse, Seq: seq, Body: body})
			if err != nil || len(out.Events) > 0 {
				t.Fatalf("delivery %d: got %v, %v, want nothing", seq, out.Events, err)
			}
		}
		w.quiet()
		w.do(alice, Send{Room: clubhouse, Message: text("welcome")})
		w.quiet()
		if _, told := find[Gap](c3); told || len(more) == 0 && !slices.Equal(c3.texts(), []string{"welcome"}) {
			t.Errorf("told of a gap: %t, and of %q\n%s", told, c3.texts(), w.log)
		}
	}
}

// TestJoinAskedAgain is TestAskedAgain for an external Commit: a client that joined it is,
// and does not join anew, which would lose what came in between.
func TestJoinAskedAgain(t *testing.T) {
	const way = "c.example>cathy/ClientC2"
	w := trio(t, nil)
	c2 := w.device("cathy/ClientC2")
	w.quiet()
	w.do(c2, Join{Room: clubhouse})
	for len(w.ways[way]) == 0 { // until the answer with the GroupInfo
		w.pass()
	}
	w.ways[way][0]()
	w.drop(way)
	commits := 0
	w.committed = func(uint64) { commits++ }
	w.lose = func() bool { return true }
	deliveries := w.withhold(way)
	w.lose = nil
	alice := w.device("alice/ClientA1")
	w.do(alice, Send{Room: clubhouse, Message: text("welcome")})
	deliveries = append(deliveries, w.withhold(way)...)
	w.do(alice, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "New"}})
	deliveries = append(deliveries, w.withhold(way)...)
	w.do(c2, Resume{})
	for _, f := range append(w.withhold(way), deliveries...) {
		f()
	}
	w.quiet()
	w.agree(t)
	if got := c2.texts(); commits != 2 || !slices.Equal(got, []string{"welcome"}) {
		t.Errorf("%d Commits, want 2, and told %q, want what was said after the first\n%s", commits, got, w.log)
	}
}

// TestWelcomeWhileJoining: a client joins from outside and learns only then that it
// was added before.
func TestWelcomeWhileJoining(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		w := newWorld()
		alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
		w.quiet()
		w.create(alice)
		w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
		late := w.withhold("b.example>bob/ClientB1")
		if len(late) != 1 {
			t.Fatalf("%d things are on their way, want the Welcome", len(late))
		}
		out := w.do(bob, Join{Room: clubhouse})
		more := w.withhold("b.example>bob/ClientB1")
		if len(more) != 1 {
			t.Fatalf("%d more, want the GroupInfo", len(more))
		}
		more[0]()
		if refuse { // as if by the hub, which never saw it
			w.drop("bob/ClientB1>b.example")
		}
		late[0]()
		if _, ok := find[Joined](bob); ok || bob.m.rooms[clubhouse].welcome == nil {
			t.Fatalf("the Welcome does not wait\n%s", w.log)
		}
		if bob.m = must(Restore(bob.cfg, bob.store.records())); bob.m.rooms[clubhouse].welcome == nil {
			t.Fatal("the Welcome does not outlive a restart")
		}
		if refuse {
			w.do(bob, Replied{ID: bob.m.rooms[clubhouse].own.Flight, Body: &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateNotAllowed}})
		}
		w.quiet()
		w.agree(t)
		j, ok := find[Joined](bob)
		if !ok || refuse != (j.ID == 0) || len(w.inRoom()) != 2 {
			t.Errorf("refused %v: joined %+v, the intention was %d\n%s", refuse, j, out.ID, w.log)
		}
	}
}

// TestEventsWhileJoining: what comes after a Welcome, while this client waits for what
// becomes of its joining from outside, is not lost with that.
func TestEventsWhileJoining(t *testing.T) {
	const way = "b.example>bob/ClientB1"
	w := newWorld()
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	w.quiet()
	w.create(alice)
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	waits := w.withhold(way) // the Welcome
	w.do(bob, Join{Room: clubhouse})
	info := w.withhold(way)
	for _, in := range []Input{
		Send{Room: clubhouse, Message: text("hello")},
		RemoveUser{Room: clubhouse, User: userURI("bob")},
	} {
		w.do(alice, in)
		waits = append(waits, w.withhold(way)...)
	}
	for _, f := range append(info, waits...) {
		f()
	}
	if _, ok := find[Joined](bob); ok {
		t.Fatalf("the Welcome does not wait\n%s", w.log)
	}
	w.drop("bob/ClientB1>b.example")
	w.do(bob, Replied{ID: bob.m.rooms[clubhouse].own.Flight, Body: &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateNotAllowed}})
	w.quiet()
	if _, removed := find[Removed](bob); !removed || !slices.Equal(bob.texts(), []string{"hello"}) || len(w.inRoom()) != 1 {
		t.Errorf("read %q, removed %v, %d are in; want hello, and then only Alice\n%s", bob.texts(), removed, len(w.inRoom()), w.log)
	}
}

// TestResync: a client that has lost its state with its device enters its rooms anew.
func TestResync(t *testing.T) {
	w := trio(t, nil)
	cathy := w.device("cathy/ClientC1")
	w.drop("c.example>cathy/ClientC1")
	cathy.m, cathy.store = must(New(cathy.cfg)), store{}
	w.do(cathy, Join{Room: clubhouse})
	w.quiet()
	w.agree(t)
	r, ok := w.device("alice/ClientA1").m.Room(clubhouse)
	if c, in := r.State.Find(userURI("cathy").String()); !ok || !in || c.Clients != 1 || len(w.inRoom()) != 3 {
		t.Fatalf("cathy is %+v\n%s", c, w.log)
	}
}

// TestHeldInOrder: the answer to a Commit is lost, and the room goes on. What came
// meanwhile proves that the Commit was accepted, and is taken in its order: proposals
// that are stapled to a Commit before the Commit that covers them.
func TestHeldInOrder(t *testing.T) {
	w := trio(t, nil)
	alice, bob, cathy := w.device("alice/ClientA1"), w.device("bob/ClientB1"), w.device("cathy/ClientC1")
	c3 := w.device("cathy/ClientC3")
	w.quiet()
	lost := 1
	w.lose = func() bool { lost--; return lost >= 0 }
	pass := func() {
		for w.pass() {
		}
	}
	w.do(alice, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "one"}})
	pass()
	w.do(bob, Leave{Room: clubhouse})
	pass()
	w.do(c3, Join{Room: clubhouse})
	pass()
	w.do(cathy, CommitPending{Room: clubhouse})
	pass()
	w.do(cathy, Send{Room: clubhouse, Message: text("hello")})
	pass()
	r := alice.m.rooms[clubhouse]
	size := 0
	for _, h := range r.held {
		size += len(h.body)
	}
	if r.group.Epoch() != 2 || len(r.held) != 4 || r.heldSize != size {
		t.Fatalf("alice is at epoch %d, and %d events of %d bytes wait\n%s", r.group.Epoch(), len(r.held), r.heldSize, w.log)
	}
	r.heldSize += maxHeldSize // as if there were as many as there may be
	if out := w.do(alice, Delivered{Room: clubhouse, Seq: r.Seq + 1, Body: r.held[0].body}); len(out.Acks) > 0 || len(r.held) != 4 {
		t.Errorf("one more: %d acknowledged, and %d wait", len(out.Acks), len(r.held))
	}
	r.heldSize -= maxHeldSize
	w.quiet()
	w.agree(t)
	for _, e := range alice.events {
		switch e.(type) {
		case Gap, Refused, Failed:
			t.Errorf("alice: %s", show(e))
		}
	}
	if got := alice.texts(); !slices.Equal(got, []string{"hello"}) {
		t.Errorf("alice has read %q", got)
	}
	if r, _ := alice.m.Room(clubhouse); r.Epoch != 5 || r.State.Metadata().Name != "one" {
		t.Errorf("alice is at epoch %d, in %q", r.Epoch, r.State.Metadata().Name)
	}
}

// TestReordered: a hub that swaps Commits makes a member lose the room, which it can enter
// anew, and nothing is taken for what it is not.
func TestReordered(t *testing.T) {
	w := trio(t, nil)
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	var held []mimi.FanoutMessage
	w.wire = func(to string, list []mimi.FanoutMessage) []mimi.FanoutMessage {
		if to != "b.example" {
			return list
		}
		if held = append(held, list...); len(held) < 2 {
			return nil
		}
		slices.Reverse(held)
		return held
	}
	before, _ := bob.m.Room(clubhouse)
	for _, name := range []string{"one", "two"} {
		w.do(alice, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: name}})
		w.quiet()
	}
	w.wire = nil
	if len(held) != 2 {
		t.Fatalf("%d events, want two", len(held))
	}
	if g, ok := find[Gap](bob); !ok {
		t.Errorf("no gap was told: %+v\n%s", g, w.log)
	}
	if r, _ := bob.m.Room(clubhouse); !r.Lost || r.Epoch > before.Epoch+1 || r.State.Metadata().Name == "two" {
		t.Errorf("epoch %d after %d, lost %t\n%s", r.Epoch, before.Epoch, r.Lost, w.log)
	}
	w.do(bob, Join{Room: clubhouse})
	w.quiet()
	w.agree(t)
}

// TestTwoRooms: a client is in several rooms, which know nothing of each other.
func TestTwoRooms(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := trio(t, func(w *world) { w.restart["member"] = restart })
		alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
		library := uri("mimi://a.example/r/library")
		w.do(alice, CreateRoom{Room: library, Policy: "cooperative", Hub: message.ExternalSender{
			SignatureKey: w.hubCfg.Identity.Signer.Public, Credential: w.hubCfg.Identity.Credential,
		}})
		w.quiet()
		w.do(alice, AddUser{Room: library, User: userURI("bob"), Role: roleUser})
		w.do(alice, Send{Room: clubhouse, Message: text("in the clubhouse")})
		w.do(alice, Send{Room: library, Message: text("in the library")})
		w.quiet()
		got := make(map[string]string)
		for _, e := range bob.events {
			if m, ok := e.(Message); ok {
				got[m.Room.String()], _ = m.Content.Body.PlainText()
			}
		}
		if got[clubhouse.String()] != "in the clubhouse" || got[library.String()] != "in the library" {
			t.Errorf("bob has read %q\n%s", got, w.log)
		}
		w.do(alice, RemoveUser{Room: library, User: userURI("bob")})
		w.quiet()
		if rooms := bob.m.Rooms(); len(rooms) != 1 || rooms[0] != clubhouse {
			t.Errorf("bob is in %v\n%s", rooms, w.log)
		}
		w.agree(t)
	}
}

// TestExpired: keys of KeyPackages that have long expired go.
func TestExpired(t *testing.T) {
	w := newWorld()
	d := w.device("alice/ClientA1")
	if n := len(d.m.keys); n != 21 {
		t.Fatalf("%d keys, want 21", n)
	}
	w.now = w.now.Add(100 * 24 * time.Hour)
	w.do(d, PublishKeyPackages{N: 1})
	if n := len(d.m.keys); n != 1 {
		t.Errorf("%d keys, want 1", n)
	}
	if m := must(Restore(d.cfg, d.store.records())); len(m.keys) != 1 {
		t.Errorf("%d keys restored, want 1", len(m.keys))
	}
}

// TestCreateRefused: the hub does not take the room.
func TestCreateRefused(t *testing.T) {
	w := newWorld()
	alice, aaron := w.device("alice/ClientA1"), w.device("aaron/ClientA1")
	w.quiet()
	w.create(alice)
	w.create(aaron)
	if f, ok := find[Failed](aaron); !ok || f.What != "create" {
		t.Errorf("%+v\n%s", f, w.log)
	}
	if len(aaron.m.Rooms()) != 0 {
		t.Errorf("aaron is in %v", aaron.m.Rooms())
	}
	for k := range aaron.store {
		if strings.Contains(k, clubhouse.String()) {
			t.Errorf("record %q is left", k)
		}
	}
}

// TestWelcomeAfterJoin: a client that is added while it knows nothing of its own Commit to
// join, since the answer was lost, misses nothing of the time when it was not in.
func TestWelcomeAfterJoin(t *testing.T) {
	w := trio(t, nil)
	alice, cathy := w.device("alice/ClientA1"), w.device("cathy/ClientC1")
	var first []byte
	w.wire = func(to string, list []mimi.FanoutMessage) []mimi.FanoutMessage {
		if to == "b.example" && first == nil {
			first = must(wire.Marshal(&list[0]))
		}
		return list
	}
	for _, s := range []string{"1", "2", "3", "4"} {
		w.do(cathy, Send{Room: clubhouse, Message: text(s)})
		w.quiet()
	}
	phone := w.device("bob/ClientB2")
	w.quiet()
	// The provider has it in the room for the first event, and then out again.
	for _, in := range []Input{Join{Room: clubhouse}, Delivered{Room: clubhouse, Seq: 2, Body: first}} {
		out := must(phone.m.Step(w.now, in))
		phone.store.apply(out.Persist)
	}
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	w.do(cathy, Send{Room: clubhouse, Message: text("5")})
	w.quiet()
	if g, ok := find[Gap](phone); ok {
		t.Errorf("told of %+v", g)
	}
	if m, ok := find[Message](phone); !ok || m.Sender != cathy.m.User() {
		t.Errorf("got %+v, want Cathy's message\n%s", m, w.log)
	}
}

// TestForgets: nothing is left of a room that a client was removed from, but what is
// still to be told.
func TestForgets(t *testing.T) {
	w := trio(t, nil)
	bob := w.device("bob/ClientB1")
	w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("hello")})
	w.quiet()
	w.do(w.device("alice/ClientA1"), RemoveUser{Room: clubhouse, User: userURI("bob")})
	w.quiet()
	for k := range bob.store {
		if strings.Contains(k, clubhouse.String()) {
			t.Errorf("record %q is left", k)
		}
	}
	for k := range w.followers["b.example"].store { // which remembers what it has had of the room
		if kind, rest, _ := strings.Cut(k, "|"); (kind == "cursor" || kind == "log") && strings.Contains(rest, clubhouse.String()) {
			t.Errorf("the provider keeps %q", k)
		}
	}
}

// TestPersist: what a message costs to store does not grow with the room.
func TestPersist(t *testing.T) {
	size := func(n int) int {
		w := newWorld()
		alice := w.device("alice/ClientA1")
		for i := range n {
			w.device(fmt.Sprintf("bob/B%d", i))
		}
		w.quiet()
		w.create(alice)
		w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
		w.quiet()
		w.agree(t)
		sum := 0
		for _, r := range w.do(alice, Send{Room: clubhouse, Message: text("hello")}).Persist {
			sum += len(r.Key) + len(r.Value)
		}
		return sum
	}
	if small, large := size(2), size(40); large > small*3 {
		t.Errorf("%d bytes in a room of 41 clients, %d in one of 3", large, small)
	}
}

// TestRestoreRefuses: records that are no state are refused and do not panic.
func TestRestoreRefuses(t *testing.T) {
	w := trio(t, nil)
	alice := w.device("alice/ClientA1")
	w.do(alice, CommitPending{Room: clubhouse})
	records := alice.store.records()
	for i, r := range records {
		for name, value := range map[string][]byte{"empty": {}, "cut": r.Value[:len(r.Value)/2], "other": []byte(`{"kind":"x"}`)} {
			list := slices.Clone(records)
			list[i] = protocols.Record{Key: r.Key, Value: value}
			if _, err := Restore(alice.cfg, list); err != nil && !errors.Is(err, ErrState) {
				t.Errorf("%s %s: %v, want %v", r.Key, name, err, ErrState)
			} else if err == nil && name == "empty" {
				t.Errorf("%s %s: no error", r.Key, name)
			}
		}
	}
	for _, k := range []string{"x", "x|y", "key|x", "call|1", "room|x", "held|mimi://a.example/r/none|1"} {
		list := append(slices.Clone(records), protocols.Record{Key: k, Value: []byte("{}")})
		if _, err := Restore(alice.cfg, list); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v, want %v", k, err, ErrState)
		}
	}
}

// FuzzRestore: no record makes a machine panic, now or in what it does next.
func FuzzRestore(f *testing.F) {
	w := trio(f, nil)
	alice := w.device("alice/ClientA1")
	w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("hello")})
	w.quiet()
	w.do(alice, CommitPending{Room: clubhouse})
	w.do(alice, Send{Room: clubhouse, Message: text("later")})
	base := alice.store.records()
	for i, r := range base {
		if len(r.Value) < 1000 {
			f.Add(uint16(i), r.Value)
		}
	}
	f.Fuzz(func(t *testing.T, i uint16, b []byte) {
		list := slices.Clone(base)
		list[int(i)%len(list)].Value = b
		m, err := Restore(alice.cfg, list)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Errorf("%v, want %v", err, ErrState)
			}
			return
		}
		m.Room(clubhouse)
		for _, in := range []Input{Resume{}, Wake{}, Send{Room: clubhouse, Message: text("x")}, Leave{Room: clubhouse}} {
			m.Step(w.now.Add(time.Hour), in) // it may be refused
		}
		for id := range m.flights {
			m.Step(w.now, Replied{ID: id, Body: &mimi.UpdateRoomResponse{}})
			break
		}
	})
}

// FuzzDelivered: whatever comes in a room or the mailbox does no more than to be
// refused, and a machine that is restored then is the same.
func FuzzDelivered(f *testing.F) {
	w := trio(f, nil)
	bob := w.device("bob/ClientB1")
	base := bob.store.records()
	w.wire = func(to string, list []mimi.FanoutMessage) []mimi.FanoutMessage {
		f.Add(byte(0), must(mimi.MarshalFanoutMessages(list)))
		return list
	}
	w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("hello")})
	w.do(w.device("alice/ClientA1"), SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "x"}})
	w.do(w.device("cathy/ClientC1"), Leave{Room: clubhouse})
	w.do(w.device("alice/ClientA1"), AddUser{Room: clubhouse, User: userURI("berta"), Role: roleUser})
	w.quiet()
	f.Add(byte(1), must(wire.Marshal(&mimi.ConsentEntry{ConsentOperation: mimi.ConsentRevoke, RequesterURI: "mimi://a.example/u/alice", TargetURI: mimi.URI(bob.m.User())})))
	f.Fuzz(func(t *testing.T, where byte, b []byte) {
		m := must(Restore(bob.cfg, base))
		s := store{}
		s.apply(base)
		in := Delivered{Seq: 1000, Body: b}
		switch where % 3 {
		case 0:
			in.Room = clubhouse
		case 1:
		case 2:
			in.About = clubhouse
		}
		out, err := m.Step(w.now, in)
		if err != nil {
			t.Fatal(err)
		}
		s.apply(out.Persist)
		again, err := Restore(bob.cfg, s.records())
		if err != nil {
			t.Fatal(err)
		}
		a, b1 := (&device{m: m}).image(), (&device{m: again}).image()
		if a != b1 {
			t.Errorf("restored\n%s, want\n%s", b1, a)
		}
		if out, err := m.Step(w.now, in); err != nil || len(out.Events) > 0 {
			t.Errorf("again: %v %v", out.Events, err)
		}
	})
}

// pair is a room of n clients of Bob's and one of Alice's, and the way of a message
// between machines alone.
func pair(b *testing.B, n int) (w *world, from, to *device) {
	w = newWorld()
	alice := w.device("alice/ClientA1")
	for i := range n - 1 {
		w.device(fmt.Sprintf("bob/B%d", i))
	}
	w.quiet()
	w.create(alice)
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	w.agree(b)
	return w, alice, w.device("bob/B0")
}

// BenchmarkSend measures one message: content, franking tag, encryption, and the
// hub's answer. The unit is a message.
func BenchmarkSend(b *testing.B) {
	for _, n := range []int{2, 64} {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			w, alice, _ := pair(b, n)
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				out, err := alice.m.Step(w.now, Send{Room: clubhouse, Message: text("hello")})
				if err != nil || len(out.Calls) != 1 {
					b.Fatal(err, out)
				}
				i++
				out, err = alice.m.Step(w.now, Replied{ID: out.Calls[0].ID, Body: &mimi.SubmitMessageResponse{AcceptedTimestamp: i}})
				if err != nil || len(out.Events) != 1 {
					b.Fatal(err, out)
				}
			}
		})
	}
}

// BenchmarkReceive measures one message that is decrypted, read and whose frank is
// verified. The unit is a message.
func BenchmarkReceive(b *testing.B) {
	w, alice, bob := pair(b, 2)
	frank := func(req *mimi.SubmitMessageRequest, at uint64) *mimi.Frank {
		tag := must(mimi.FrankAADOf(req.AppMessage.AuthenticatedData, nil))
		return must(mimi.NewFrank(w.hubCfg.Groups.Suite, w.hubCfg.FrankKeys[0], w.hubCfg.Franking.Private, tag.FrankingTag, &mimi.ServerFrankingContext{
			SenderURI: req.SendingURI, RoomURI: mimi.URI(clubhouse), AcceptedTimestamp: at,
		}))
	}
	b.ReportAllocs()
	seq := bob.m.rooms[clubhouse].Seq
	for b.Loop() {
		b.StopTimer()
		seq++
		at := uint64(w.now.UnixMilli()) + seq
		out := must(alice.m.Step(w.now, Send{Room: clubhouse, Message: text("hello")}))
		req := out.Calls[0].Body.(*mimi.SubmitMessageRequest)
		f := mimi.FanoutMessage{Timestamp: at, Message: message.Message{Private: req.AppMessage}, Frank: frank(req, at)}
		body := must(wire.Marshal(&f))
		must(alice.m.Step(w.now, Replied{ID: out.Calls[0].ID, Body: &mimi.SubmitMessageResponse{AcceptedTimestamp: at}}))
		b.StartTimer()
		got, err := bob.m.Step(w.now, Delivered{Room: clubhouse, Seq: seq, Body: body})
		if err != nil || len(got.Events) != 1 {
			b.Fatal(err, got)
		}
		if m, ok := got.Events[0].(Message); !ok || m.Unfranked != nil {
			b.Fatal(show(got.Events[0]))
		}
	}
}
