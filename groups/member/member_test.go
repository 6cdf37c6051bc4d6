package member

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
)

var update = flag.Bool("update", false, "write testdata anew")

// flow is the Example protocol flow of draft-ietf-mimi-protocol-06, Section 3.
func flow(w *world) {
	heading := func(s string) { fmt.Fprintf(w.log, "\n# %s\n", s) }
	alice, bob, cathy := w.device("alice/ClientA1"), w.device("bob/ClientB1"), w.device("cathy/ClientC1")
	w.device("bob/ClientB2")
	w.quiet()
	heading("3.1 Alice Creates a Room")
	w.create(alice)
	heading("3.2 Alice adds Bob to the Room")
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleAdmin})
	w.quiet()
	heading("3.3 Bob adds Cathy to the Room")
	w.do(bob, AddUser{Room: clubhouse, User: userURI("cathy"), Role: roleUser})
	w.quiet()
	heading("3.4 Cathy Sends a Message")
	w.do(cathy, Send{Room: clubhouse, Message: text("hello everyone")})
	w.quiet()
	heading("3.5 Bob Leaves the Room")
	w.do(bob, Leave{Room: clubhouse})
	w.quiet()
	w.do(cathy, CommitPending{Room: clubhouse})
	w.quiet()
	heading("3.6 Cathy adds a new device")
	c3 := w.device("cathy/ClientC3")
	w.quiet()
	w.do(c3, Join{Room: clubhouse})
	w.quiet()
	w.do(c3, Send{Room: clubhouse, Message: text("from my new device")})
	w.quiet()
	w.do(alice, Send{Room: clubhouse, Message: text("welcome")})
	w.quiet()
}

func TestFlow(t *testing.T) {
	const file = "testdata/flow.txt"
	run := func(restart ...string) string {
		w := newWorld()
		for _, name := range restart {
			w.restart[name] = true
		}
		flow(w)
		w.agree(t)
		var in []string
		for _, d := range w.inRoom() {
			in = append(in, d.name)
		}
		if want := []string{"alice/ClientA1", "cathy/ClientC1", "cathy/ClientC3"}; !slices.Equal(in, want) {
			t.Errorf("in the room are %v, want %v", in, want)
		}
		return strings.TrimLeft(w.log.String(), "\n")
	}
	got := run()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("transcript differs from %s (-update writes it):\n%s", file, got)
	}
	// A machine that is made again of its records at every step does the same, to the
	// byte: what it draws at random goes on from the same source.
	for _, restart := range [][]string{{"member"}, {"hub"}, {"member", "hub"}} {
		if again := run(restart...); again != got {
			t.Errorf("with restarts of %v the transcript is\n%s", restart, again)
		}
	}
}

// TestRaces is about members that act at once.
func TestRaces(t *testing.T) {
	both := func(t *testing.T, restart bool) {
		w := trio(t, func(w *world) { w.restart["member"], w.restart["hub"] = restart, restart })
		alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
		w.do(alice, ChangeRole{Room: clubhouse, User: userURI("bob"), Role: roleAdmin})
		w.quiet()
		before, _ := alice.m.Room(clubhouse)
		w.do(alice, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "A"}})
		w.do(bob, ChangeRole{Room: clubhouse, User: userURI("cathy"), Role: roleAdmin})
		w.quiet()
		w.agree(t)
		after, _ := alice.m.Room(clubhouse)
		if after.Epoch != before.Epoch+2 {
			t.Errorf("epoch %d after two commits in %d\n%s", after.Epoch, before.Epoch, w.log)
		}
		if p, _ := after.State.Find(userURI("cathy").String()); p.Role != roleAdmin || after.State.Metadata().Name != "A" {
			t.Errorf("cathy has role %d, the room is called %q", p.Role, after.State.Metadata().Name)
		}
	}
	t.Run("two commits at once", func(t *testing.T) { both(t, false) })
	t.Run("two commits at once, restarted", func(t *testing.T) { both(t, true) })
	t.Run("leave and commit at once", func(t *testing.T) {
		w := trio(t, nil)
		alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
		w.do(bob, Leave{Room: clubhouse})
		w.do(alice, SetMetadata{Room: clubhouse, Metadata: room.RoomMetaData{Name: "without Bob"}})
		w.quiet()
		w.do(alice, CommitPending{Room: clubhouse})
		w.quiet()
		w.agree(t)
		if _, ok := bob.m.Room(clubhouse); ok {
			t.Errorf("bob is still in\n%s", w.log)
		}
		if r, _ := alice.m.Room(clubhouse); r.State.Metadata().Name != "without Bob" {
			t.Errorf("the room is called %q", r.State.Metadata().Name)
		}
	})
	t.Run("send after a leave commits it first", func(t *testing.T) {
		w := trio(t, nil)
		w.do(w.device("bob/ClientB1"), Leave{Room: clubhouse})
		w.quiet()
		w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("bye")})
		w.quiet()
		w.agree(t)
		if got := w.device("alice/ClientA1").texts(); !slices.Equal(got, []string{"bye"}) {
			t.Errorf("alice has read %q\n%s", got, w.log)
		}
		if got := w.device("bob/ClientB1").texts(); len(got) > 0 {
			t.Errorf("bob has read %q", got)
		}
	})
}

func TestBan(t *testing.T) {
	w := trio(t, nil)
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	w.do(alice, Ban{Room: clubhouse, User: userURI("bob")})
	w.quiet()
	w.agree(t)
	if _, ok := find[Removed](bob); !ok {
		t.Fatalf("bob was not told\n%s", w.log)
	}
	r, _ := alice.m.Room(clubhouse)
	if p, ok := r.State.Find(userURI("bob").String()); !ok || p.Role != room.RoleBanned {
		t.Errorf("bob is %+v", p)
	}
	w.do(bob, Join{Room: clubhouse})
	w.quiet()
	var code *Error
	if f, ok := find[Failed](bob); !ok || !errors.As(f.Why, &code) || code.Code != mimi.GroupInfoNotAuthorized {
		t.Errorf("join of one who is banned: %+v", f)
	}
	if len(bob.m.Rooms()) != 0 {
		t.Errorf("bob is in %v", bob.m.Rooms())
	}
	w.do(alice, RemoveUser{Room: clubhouse, User: userURI("bob")})
	w.quiet()
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	w.agree(t)
	if _, ok := bob.m.Room(clubhouse); !ok {
		t.Errorf("bob is not in again\n%s", w.log)
	}
}

// TestConsent asks for consent and finds users.
func TestConsent(t *testing.T) {
	w := newWorld()
	for _, p := range w.followers {
		p.cfg.NeedConsent = true
	}
	alice, bob := w.device("alice/ClientA1"), w.device("bob/ClientB1")
	w.quiet()
	w.create(alice)
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	var code *Error
	if f, ok := find[Failed](alice); !ok || !errors.As(f.Why, &code) || code.Code != mimi.UserNoConsent {
		t.Fatalf("add without consent: %+v\n%s", f, w.log)
	}
	w.do(alice, Consent{Operation: mimi.ConsentRequest, User: userURI("bob")})
	w.quiet()
	if e, ok := find[ConsentChanged](bob); !ok || e.Entry.ConsentOperation != mimi.ConsentRequest {
		t.Fatalf("bob was not asked\n%s", w.log)
	}
	w.do(bob, Consent{Operation: mimi.ConsentGrant, User: userURI("alice"), KeyPackages: 1})
	w.quiet()
	w.do(alice, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	if _, ok := bob.m.Room(clubhouse); !ok {
		t.Errorf("bob is not in\n%s", w.log)
	}
	p := w.followers["b.example"]
	if err := w.follower(p, follower.AddUser{User: userURI("bob"), Profile: follower.Profile{Fields: []follower.Field{
		{Type: mimi.SearchHandle, Value: "@bob", Searchable: true},
	}}}); err != nil {
		t.Fatal(err)
	}
	w.do(alice, FindUsers{Domain: "b.example", Query: []mimi.QueryElement{{SearchType: mimi.SearchHandle, SearchValue: "@bob"}}})
	w.quiet()
	if f, ok := find[Found](alice); !ok || len(f.Response.URI) != 1 {
		t.Errorf("found %+v\n%s", f, w.log)
	}
}

// TestReport reports a message that was franked.
func TestReport(t *testing.T) {
	w := trio(t, nil)
	alice := w.device("alice/ClientA1")
	w.do(w.device("cathy/ClientC1"), Send{Room: clubhouse, Message: text("rude")})
	w.quiet()
	m, ok := find[Message](alice)
	if !ok || m.Evidence == nil {
		t.Fatalf("no evidence\n%s", w.log)
	}
	w.do(alice, Report{Room: clubhouse, Abuser: m.Sender, Messages: []mimi.AbusiveMessage{*m.Evidence}})
	w.quiet()
	if want := "hub: report of mimi://c.example/u/cathy, message 0: <nil>"; !strings.Contains(w.log.String(), want) {
		t.Errorf("want %q in\n%s", want, w.log)
	}
}
