package member

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/content"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// image is what a machine can tell of itself.
func (d *device) image() string {
	var b strings.Builder
	fmt.Fprint(&b, d.m.head, len(d.m.keys), len(d.m.flights))
	for _, r := range d.m.sortedRooms() {
		fmt.Fprint(&b, r.uri, r.roomHead, len(r.todo), len(r.held), r.own != nil)
		if r.group != nil {
			fmt.Fprintf(&b, " %d %x %d", r.group.Epoch(), r.group.EpochAuthenticator(), len(r.group.Proposals()))
		}
	}
	return b.String()
}

// TestRefused gives each input what it refuses. Nothing changes then.
func TestRefused(t *testing.T) {
	w := trio(t, nil)
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	hub := message.ExternalSender{SignatureKey: w.hubCfg.Identity.Signer.Public, Credential: w.hubCfg.Identity.Credential}
	other := uri("mimi://a.example/r/other")
	var zero ident.URI
	for _, c := range []struct {
		name string
		d    *device
		in   Input
		want string
	}{
		{"key packages, negative", alice, PublishKeyPackages{N: -1}, "-1 KeyPackages"},
		{"key packages, too many", alice, PublishKeyPackages{N: 1001}, "1001 KeyPackages"},
		{"create elsewhere", alice, CreateRoom{Room: uri("mimi://b.example/r/x"), Policy: "cooperative", Hub: hub}, "want a room of a.example"},
		{"create twice", alice, CreateRoom{Room: clubhouse, Policy: "cooperative", Hub: hub}, "in the room already"},
		{"create with no policy", alice, CreateRoom{Room: other, Hub: hub}, "without a policy"},
		{"create with another policy", alice, CreateRoom{Room: other, Policy: "none", Hub: hub}, `no policy "none"`},
		{"create with two", alice, CreateRoom{Room: other, Policy: "cooperative", Dictionary: message.AppDataDictionary{}, Hub: hub}, "want one of them"},
		{"create in no such role", alice, CreateRoom{Room: other, Policy: "cooperative", Role: 77, Hub: hub}, "role 77"},
		{"create without its hub", alice, CreateRoom{Room: other, Policy: "cooperative", Hub: message.ExternalSender{
			SignatureKey: hub.SignatureKey, Credential: message.BasicCredential([]byte("mimi://b.example"))}}, "does not hold the hub"},
		{"add in another room", alice, AddUser{Room: other, User: userURI("dora"), Role: roleUser}, "not in the room"},
		{"add a client", alice, AddUser{Room: clubhouse, User: bob.cfg.Client, Role: roleUser}, "want the URI of a user"},
		{"add nobody", alice, AddUser{Room: clubhouse, Role: roleUser}, "want the URI of a user"},
		{"ban nobody", alice, Ban{Room: clubhouse}, "want the URI of a user"},
		{"add without the capability", bob, AddUser{Room: clubhouse, User: userURI("carl"), Role: roleUser}, "canAddParticipant"},
		{"add in no such role", alice, AddUser{Room: clubhouse, User: userURI("carl"), Role: 77}, "unknown-role"},
		{"remove one who is not in", alice, RemoveUser{Room: clubhouse, User: userURI("carl")}, "no participant"},
		{"remove oneself", alice, RemoveUser{Room: clubhouse, User: userURI("alice")}, "use Leave"},
		{"remove without the capability", bob, RemoveUser{Room: clubhouse, User: userURI("alice")}, "canRemoveParticipant"},
		{"ban without the capability", bob, Ban{Room: clubhouse, User: userURI("alice")}, "canBan"},
		{"ban oneself", alice, Ban{Room: clubhouse, User: userURI("alice")}, "ban of oneself"},
		{"role without the capability", bob, ChangeRole{Room: clubhouse, User: userURI("cathy"), Role: roleAdmin}, "canChangeUserRole"},
		{"role of one who is not in", alice, ChangeRole{Room: clubhouse, User: userURI("carl"), Role: roleAdmin}, "no participant"},
		{"metadata without the capability", bob, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "x"}}, "canChangeRoomName"},
		{"component that is none", alice, SetComponent{Room: clubhouse, Component: 0x7777, Update: []byte{1}}, ""},
		{"component that is not well-formed", alice, SetComponent{Room: clubhouse, Component: room.DefaultPoints.RoomMetadata, Update: []byte{1}}, ""},
		{"leave as the last admin", alice, Leave{Room: clubhouse}, "min-participants"},
		{"leave another room", alice, Leave{Room: other}, "not in the room"},
		{"join twice", alice, Join{Room: clubhouse}, "in the room already"},
		{"join a user", alice, Join{Room: userURI("bob")}, "want the URI of a room"},
		{"commit in another room", alice, CommitPending{Room: other}, "not in the room"},
		{"send nothing", alice, Send{Room: clubhouse}, "without a message"},
		{"send in another room", alice, Send{Room: other, Message: text("x")}, "not in the room"},
		{"send what cannot be written", alice, Send{Room: clubhouse, Message: &content.Message{TopicID: make([]byte, content.MaxTopicID+1)}}, "M2"},
		{"report in another room", alice, Report{Room: other, Messages: make([]mimi.AbusiveMessage, 1)}, "not in the room"},
		{"report nothing", alice, Report{Room: clubhouse}, "without messages"},
		{"consent with oneself", alice, Consent{Operation: mimi.ConsentRequest, User: userURI("alice")}, "another user"},
		{"consent with nobody", alice, Consent{Operation: mimi.ConsentRequest, User: zero}, "another user"},
		{"consent with KeyPackages", alice, Consent{Operation: mimi.ConsentRequest, User: userURI("bob"), KeyPackages: 1}, "with a grant"},
		{"find nothing", alice, FindUsers{Domain: "b.example"}, ""},
		{"delivery without a number", alice, Delivered{Room: clubhouse}, "without a number"},
		{"no input", alice, nil, "input of type <nil>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.d.image()
			out, err := w.step(c.d, c.in)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if out.ID != 0 || len(out.Persist) > 0 || len(out.Calls) > 0 || c.d.image() != before {
				t.Errorf("something has changed: %+v", out)
			}
		})
	}
	t.Run("everything while leaving", func(t *testing.T) {
		w.do(bob, Leave{Room: clubhouse})
		w.quiet()
		for _, in := range []Input{Leave{Room: clubhouse}, Send{Room: clubhouse, Message: text("x")}, CommitPending{Room: clubhouse}} {
			if _, err := w.step(bob, in); !errors.Is(err, ErrLeaving) {
				t.Errorf("%T: %v, want %v", in, err, ErrLeaving)
			}
		}
	})
	t.Run("too much", func(t *testing.T) {
		for range maxWaiting {
			w.do(alice, CommitPending{Room: clubhouse})
		}
		if _, err := w.step(alice, CommitPending{Room: clubhouse}); !errors.Is(err, ErrBusy) {
			t.Errorf("%v, want %v", err, ErrBusy)
		}
	})
}

func TestConfig(t *testing.T) {
	good := newWorld().device("alice/ClientA1").cfg
	for name, change := range map[string]func(*Config){
		"no client":        func(c *Config) { c.Client = ident.URI{} },
		"a user":           func(c *Config) { c.Client = userURI("alice") },
		"no identity":      func(c *Config) { c.Identity = nil },
		"no groups":        func(c *Config) { c.Groups = nil },
		"no suite":         func(c *Config) { c.Groups = new(mls.Config) },
		"another identity": func(c *Config) { c.Client = uri("mimi://a.example/d/alice/ClientA2") },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// wrongHub lets a hub change what it sends to b.example, after the room is made.
func wrongHub(t *testing.T, change func([]mimi.FanoutMessage) []mimi.FanoutMessage) *world {
	w := trio(t, nil)
	w.wire = func(to string, list []mimi.FanoutMessage) []mimi.FanoutMessage {
		if to != "b.example" {
			return list
		}
		return change(list)
	}
	return w
}

// TestWrongHub is about hubs that drop, repeat, reorder and change events.
func TestWrongHub(t *testing.T) {
	name := func(w *world, s string) {
		w.do(w.device("alice/ClientA1"), SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: s}})
	}
	t.Run("drops a commit", func(t *testing.T) {
		drop := true
		w := wrongHub(t, func(list []mimi.FanoutMessage) []mimi.FanoutMessage {
			if drop {
				return nil
			}
			return list
		})
		bob := w.device("bob/ClientB1")
		name(w, "one")
		w.quiet()
		drop = false
		name(w, "two")
		w.quiet()
		if g, ok := find[Gap](bob); !ok || g.Epoch != 3 {
			t.Fatalf("gap %+v\n%s", g, w.log)
		}
		w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("unread")})
		w.quiet()
		if r, _ := bob.m.Room(clubhouse); !r.Lost || r.Epoch != 2 {
			t.Errorf("bob's room %+v", r)
		}
		w.do(bob, Join{Room: clubhouse})
		w.quiet()
		w.agree(t)
		if len(w.inRoom()) != 3 {
			t.Errorf("bob is not in again\n%s", w.log)
		}
		w.do(bob, Send{Room: clubhouse, Message: text("back")})
		w.quiet()
		if got := w.device("alice/ClientA1").texts(); len(got) != 2 {
			t.Errorf("alice has read %q", got)
		}
	})
	t.Run("drops a commit that overtakes one's own", func(t *testing.T) {
		n := 0
		w := wrongHub(t, func(list []mimi.FanoutMessage) []mimi.FanoutMessage {
			if n++; n == 1 {
				return nil
			}
			return list
		})
		bob := w.device("bob/ClientB1")
		name(w, "one")
		w.do(bob, CommitPending{Room: clubhouse})
		for w.pass() {
		}
		name(w, "two")
		for w.pass() {
		}
		// The event of epoch 3 is not of the epoch that Bob's Commit would have begun.
		if g, ok := find[Gap](bob); !ok || g.Epoch != 3 {
			t.Fatalf("gap %+v\n%s", g, w.log)
		}
		if r, _ := bob.m.Room(clubhouse); r.Epoch != 2 || !r.Lost {
			t.Errorf("bob's room %+v\n%s", r, w.log)
		}
		w.do(bob, Join{Room: clubhouse})
		w.quiet()
		w.agree(t)
	})
	t.Run("repeats in another form", func(t *testing.T) {
		w := wrongHub(t, func(list []mimi.FanoutMessage) []mimi.FanoutMessage {
			for _, f := range list {
				f.Timestamp++ // by which the follower does not know it
				list = append(list, f)
			}
			return list
		})
		name(w, "one")
		w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("once")})
		w.quiet()
		w.agree(t)
		if got := w.device("bob/ClientB1").texts(); len(got) != 1 {
			t.Errorf("bob has read %q\n%s", got, w.log)
		}
	})
	t.Run("reorders", func(t *testing.T) {
		var kept []mimi.FanoutMessage
		w := wrongHub(t, func(list []mimi.FanoutMessage) []mimi.FanoutMessage {
			if kept = append(kept, list...); len(kept) < 2 {
				return nil
			}
			out := []mimi.FanoutMessage{kept[1], kept[0]}
			kept = nil
			return out
		})
		name(w, "one")
		w.quiet()
		name(w, "two")
		w.quiet()
		if g, ok := find[Gap](w.device("bob/ClientB1")); !ok || g.Epoch != 3 {
			t.Errorf("gap %+v\n%s", g, w.log)
		}
	})
	t.Run("forges a frank", func(t *testing.T) {
		w := wrongHub(t, func(list []mimi.FanoutMessage) []mimi.FanoutMessage {
			for i := range list {
				if f := list[i].Frank; f != nil {
					forged := *f
					forged.ServerFrank[0] ^= 1
					list[i].Frank = &forged
				}
			}
			return list
		})
		w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("hello")})
		w.quiet()
		m, ok := find[Message](w.device("bob/ClientB1"))
		var step *mimi.FrankError
		if !ok || !errors.As(m.Unfranked, &step) || step.Step != mimi.FrankSignature || m.Evidence != nil {
			t.Errorf("%+v\n%s", m, w.log)
		}
		if m, ok := find[Message](w.device("alice/ClientA1")); !ok || m.Unfranked != nil {
			t.Errorf("%+v", m)
		}
	})
	t.Run("leaves the frank out", func(t *testing.T) {
		w := wrongHub(t, func(list []mimi.FanoutMessage) []mimi.FanoutMessage {
			for i := range list {
				list[i].Frank = nil
			}
			return list
		})
		w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("hello")})
		w.quiet()
		if m, ok := find[Message](w.device("bob/ClientB1")); !ok || !errors.Is(m.Unfranked, ErrNoFrank) {
			t.Errorf("%+v", m)
		}
	})
}

// TestForbiddenCommit is a hub that accepts what the room's policy forbids: members
// refuse it all the same.
func TestForbiddenCommit(t *testing.T) {
	w := trio(t, nil)
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	r := bob.m.rooms[clubhouse]
	update := must(marshalList(&room.ParticipantListUpdate{Changed: []room.UserIndexRolePair{{Index: mustFind(t, r.state, "bob"), Role: roleAdmin}}}))
	p := must(r.group.Commit(w.now, mls.CommitOptions{Proposals: []message.Proposal{bob.m.groups.AppDataProposal(room.DefaultPoints.ParticipantList, update)}}))
	before := alice.image()
	f := &mimi.FanoutMessage{Timestamp: 1, Message: *must(message.Parse(p.Message, nil))}
	seq := alice.m.rooms[clubhouse].Seq + 1
	w.do(alice, Delivered{Room: clubhouse, Seq: seq, Body: must(marshalList(f))})
	var denial *room.Denial
	if e, ok := find[Refused](alice); !ok || !errors.As(e.Why, &denial) {
		t.Fatalf("refused %+v\n%s", e, w.log)
	}
	if alice.m.rooms[clubhouse].group.Epoch() != r.group.Epoch() || !alice.m.rooms[clubhouse].Lost {
		t.Errorf("before %s, after %s", before, alice.image())
	}
}

// TestAnswers is about answers of the hub that are refusals, are late, or get lost.
func TestAnswers(t *testing.T) {
	t.Run("lost answer to a commit that was accepted, then another's", func(t *testing.T) {
		w := trio(t, nil)
		alice, cathy := w.device("alice/ClientA1"), w.device("cathy/ClientC1")
		lost := 1
		w.lose = func() bool { lost--; return lost >= 0 }
		w.do(alice, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "one"}})
		for w.pass() {
		}
		w.lose = nil
		if _, ok := find[Failed](alice); ok {
			t.Fatalf("failed\n%s", w.log)
		}
		w.do(cathy, CommitPending{Room: clubhouse}) // of the epoch that Alice does not know of
		w.quiet()
		w.agree(t)
		if r, _ := alice.m.Room(clubhouse); r.State.Metadata().Name != "one" || r.Waiting != 0 {
			t.Errorf("%+v\n%s", r, w.log)
		}
	})
	t.Run("refused for good", func(t *testing.T) {
		w := trio(t, nil)
		alice := w.device("alice/ClientA1")
		out := w.do(alice, CommitPending{Room: clubhouse})
		w.do(alice, Replied{ID: out.Calls[0].ID, Err: &follower.Refusal{Status: 403}})
		if f, ok := find[Failed](alice); !ok || f.ID != out.ID || f.Unknown {
			t.Errorf("%+v", f)
		}
	})
	t.Run("an answer of another kind", func(t *testing.T) {
		w := trio(t, nil)
		alice := w.device("alice/ClientA1")
		out := w.do(alice, CommitPending{Room: clubhouse})
		w.do(alice, Replied{ID: out.Calls[0].ID, Body: &mimi.SubmitMessageResponse{}})
		if f, ok := find[Failed](alice); !ok || f.ID != out.ID {
			t.Errorf("%+v", f)
		}
	})
	t.Run("not allowed, twice", func(t *testing.T) {
		w := trio(t, nil)
		alice := w.device("alice/ClientA1")
		out := w.do(alice, CommitPending{Room: clubhouse})
		no := &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateNotAllowed, ErrorDescription: "no"}
		again := w.do(alice, Replied{ID: out.Calls[0].ID, Body: no})
		if again.WakeAt.IsZero() || len(again.Calls) > 0 {
			t.Fatalf("%+v, want one more try later", again)
		}
		w.now = again.WakeAt
		third := w.do(alice, Wake{})
		if len(third.Calls) != 1 {
			t.Fatalf("%+v, want one more try", third)
		}
		w.do(alice, Replied{ID: third.Calls[0].ID, Body: no})
		var code *Error
		if f, ok := find[Failed](alice); !ok || !errors.As(f.Why, &code) || code.Code != mimi.UpdateNotAllowed {
			t.Errorf("%+v", f)
		}
	})
	t.Run("a message without an answer", func(t *testing.T) {
		w := trio(t, nil)
		alice := w.device("alice/ClientA1")
		w.lose = func() bool { return true }
		out := w.do(alice, Send{Room: clubhouse, Message: text("x")})
		w.quiet()
		w.now = w.now.Add(time.Hour)
		w.quiet()
		if f, ok := find[Failed](alice); !ok || f.ID != out.ID || !f.Unknown || !errors.Is(f.Why, errLostAnswer) {
			t.Errorf("%+v", f)
		}
		if got := w.device("bob/ClientB1").texts(); len(got) != 1 {
			t.Errorf("bob has read %q", got)
		}
	})
	t.Run("key material of a provider that is down, and a message behind it", func(t *testing.T) {
		for _, answers := range []int{0, 5} { // none at all, or that the hub can't reach it
			w := trio(t, nil)
			alice := w.device("alice/ClientA1")
			w.device("cora/ClientC9")
			began := w.now
			out := w.do(alice, AddUser{Room: clubhouse, User: userURI("cora"), Role: 2})
			added, call := out.ID, out.Calls[0].ID
			w.drop("alice/ClientA1>a.example")
			sent := w.do(alice, Send{Room: clubhouse, Message: text("behind")}).ID
			for range answers {
				w.now = w.do(alice, Replied{ID: call, Err: &follower.Refusal{Status: 502}}).WakeAt
				w.do(alice, Wake{})
				w.drop("alice/ClientA1>a.example")
			}
			w.now = began.Add(alice.m.cfg.Patience)
			w.do(alice, Wake{})
			f, ok := find[Failed](alice)
			if !ok || f.ID != added || f.Unknown || !errors.Is(f.Why, ErrNoAnswer) {
				t.Errorf("%+v, want that the provider did not answer", f)
			}
			w.quiet()
			if s, ok := find[Sent](alice); !ok || s.ID != sent {
				t.Errorf("%+v, want the message sent\n%s", s, w.log)
			}
		}
	})
	t.Run("a hub that is down", func(t *testing.T) {
		w := trio(t, nil)
		alice := w.device("alice/ClientA1")
		alice.m.cfg.Tries = 3
		out := w.do(alice, CommitPending{Room: clubhouse})
		for range 10 {
			out = w.do(alice, Replied{ID: out.Calls[0].ID, Err: errLostAnswer})
			w.now = out.WakeAt
			out = w.do(alice, Wake{})
		}
		n := 0
		for _, e := range alice.events {
			if s, ok := e.(Stalled); ok {
				n++
				if s.What != "commit" || s.Room != clubhouse || !errors.Is(s.Why, errLostAnswer) {
					t.Errorf("%+v", s)
				}
			}
		}
		if _, failed := find[Failed](alice); failed || n != 1 {
			t.Errorf("told %d times that it waits, failed %t; want once, and that it goes on", n, failed)
		}
	})
	t.Run("at another epoch, and no word of it", func(t *testing.T) {
		w := trio(t, nil)
		alice := w.device("alice/ClientA1")
		out := w.do(alice, CommitPending{Room: clubhouse})
		id := out.ID
		for range alice.m.cfg.Tries + 1 {
			if len(out.Calls) != 1 {
				t.Fatalf("%+v, want a call", out)
			}
			out = w.do(alice, Replied{ID: out.Calls[0].ID, Body: &mimi.UpdateRoomResponse{ResponseCode: mimi.UpdateWrongEpoch, CurrentEpoch: 9}})
			if !out.WakeAt.IsZero() {
				w.now = out.WakeAt
				out = w.do(alice, Wake{})
			}
		}
		if f, ok := find[Failed](alice); !ok || f.ID != id || !f.Unknown {
			t.Errorf("%+v", f)
		}
		if g, ok := find[Gap](alice); !ok || g.Epoch != 9 {
			t.Errorf("%+v", g)
		}
	})
	t.Run("message not allowed", func(t *testing.T) {
		w := trio(t, nil)
		alice := w.device("alice/ClientA1")
		out := w.do(alice, Send{Room: clubhouse, Message: text("x")})
		w.do(alice, Replied{ID: out.Calls[0].ID, Body: &mimi.SubmitMessageResponse{StatusCode: mimi.SubmitNotAllowed}})
		var code *Error
		if f, ok := find[Failed](alice); !ok || !errors.As(f.Why, &code) || code.Code != mimi.SubmitNotAllowed {
			t.Errorf("%+v", f)
		}
	})
	t.Run("epoch too old", func(t *testing.T) {
		w := trio(t, nil)
		alice, cathy := w.device("alice/ClientA1"), w.device("cathy/ClientC1")
		// The way to Cathy is slow: the room is three epochs on when she writes.
		for _, s := range []string{"1", "2", "3"} {
			w.do(alice, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: s}})
		}
		var held []func()
		slow := func() {
			for way, list := range w.ways {
				if strings.HasSuffix(way, ">cathy/ClientC1") {
					held = append(held, list...)
					w.drop(way)
				}
			}
		}
		for slow(); w.pass(); slow() {
		}
		out := w.do(cathy, Send{Room: clubhouse, Message: text("late")})
		for w.pass() {
		}
		for _, f := range held {
			f()
		}
		w.quiet()
		w.agree(t)
		if got := alice.texts(); len(got) != 1 {
			t.Fatalf("alice has read %q\n%s", got, w.log)
		}
		m, _ := find[Message](alice)
		if s, ok := find[Sent](cathy); !ok || s.ID != out.ID || s.Message != m.ID {
			t.Errorf("sent %+v, read %v", s, m.ID)
		}
	})
}

// TestAutoCommit: proposals are committed by one of the members after its delay.
func TestAutoCommit(t *testing.T) {
	w := newWorld()
	for _, name := range []string{"alice/ClientA1", "bob/ClientB1", "cathy/ClientC1"} {
		d := w.device(name)
		d.cfg.CommitDelay = func(leaf uint32) time.Duration { return time.Duration(10+10*leaf) * time.Second }
		d.m = must(Restore(d.cfg, d.store.records()))
	}
	w.quiet()
	w.create(w.device("alice/ClientA1"))
	w.do(w.device("alice/ClientA1"), AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	w.do(w.device("alice/ClientA1"), AddUser{Room: clubhouse, User: userURI("cathy"), Role: roleUser})
	w.quiet()
	before, _ := w.device("alice/ClientA1").m.Room(clubhouse)
	w.do(w.device("bob/ClientB1"), Leave{Room: clubhouse})
	w.quiet()
	w.agree(t)
	if after, _ := w.device("alice/ClientA1").m.Room(clubhouse); after.Epoch != before.Epoch+1 || len(w.inRoom()) != 2 {
		t.Errorf("epoch %d, was %d, and %d are in\n%s", after.Epoch, before.Epoch, len(w.inRoom()), w.log)
	}
}

func TestSpread(t *testing.T) {
	seen := make(map[time.Duration]bool)
	for leaf := range uint32(50) {
		d := spread(1000, 5000, leaf, 3)
		if d < time.Second || d > 5*time.Second {
			t.Errorf("leaf %d waits %v", leaf, d)
		}
		seen[d] = true
	}
	if len(seen) < 45 {
		t.Errorf("%d different delays of 50", len(seen))
	}
	if d := spread(1000, 1000, 9, 9); d != time.Second {
		t.Errorf("%v, want 1s", d)
	}
}

// TestMillis: whatever time a hub says, an application can write it.
func TestMillis(t *testing.T) {
	t.Parallel()
	for _, at := range []uint64{0, 1, 1_777_118_400_123, lastMillis, lastMillis + 1, 1 << 52, math.MaxInt64, math.MaxUint64} {
		got := millis(at)
		if _, err := got.MarshalJSON(); err != nil {
			t.Errorf("%d: %v", at, err)
		}
		if good := at > 0 && at <= lastMillis; got.IsZero() == good || good && got.UnixMilli() != int64(at) {
			t.Errorf("%d: got %v", at, got)
		}
	}
}
