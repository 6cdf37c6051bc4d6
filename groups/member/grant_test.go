package member

import (
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/room"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// "In a grant, the sender includes a list of clientKeyPackages for the target user [...] a
// grant of consent with a matching ConsentScope often results in an immediate Add to a
// group. If the list is non-empty this reduces the number of messages which need to be sent"
// (Convey explicit consent).
func TestGrantedKeyPackages(t *testing.T) {
	t.Parallel()
	lounge := uri("mimi://a.example/r/lounge")
	w := newWorld()
	w.restart["member"] = true
	first, second, bob := w.device("alice/ClientA1"), w.device("alice/ClientA2"), w.device("bob/ClientB1")
	w.quiet()
	left := func() int { return must(w.followers["b.example"].f.KeyPackages(w.now, bob.cfg.Client)) }
	before := left()
	w.create(first)
	w.do(second, CreateRoom{
		Room: lounge, Policy: "administered", Metadata: room.RoomMetaData{Name: "Lounge"},
		Hub: message.ExternalSender{SignatureKey: w.hubCfg.Identity.Signer.Public, Credential: w.hubCfg.Identity.Credential},
	})
	w.quiet()
	w.do(bob, Consent{Operation: mimi.ConsentGrant, User: userURI("alice"), KeyPackages: 1})
	w.quiet()
	w.do(first, AddUser{Room: clubhouse, User: userURI("bob"), Role: roleUser})
	w.quiet()
	if _, ok := bob.m.Room(clubhouse); !ok || left() != before || len(first.m.grants) != 0 {
		t.Fatalf("in: %t; %d KeyPackages of %d are left, %d grants\n%s", ok, left(), before, len(first.m.grants), w.log)
	}
	// Alice's other client was told of the same KeyPackage, which is used by now.
	w.do(second, AddUser{Room: lounge, User: userURI("bob"), Role: roleUser})
	w.quiet()
	if _, ok := bob.m.Room(lounge); !ok || left() != before-1 || len(second.m.grants) != 0 {
		t.Fatalf("in: %t; %d KeyPackages of %d are left, %d grants\n%s", ok, left(), before, len(second.m.grants), w.log)
	}
}

// A grant is for a room or all, of the own hub, and until it is revoked.
func TestGrants(t *testing.T) {
	t.Parallel()
	w := trio(t, nil)
	alice, bea := w.device("alice/ClientA1"), w.device("bea/ClientX1")
	user, elsewhere := bea.m.User(), uri("mimi://b.example/r/elsewhere")
	w.quiet()
	consent := func(op mimi.ConsentOperation, at ident.URI, n int) {
		w.do(bea, Consent{Operation: op, User: userURI("alice"), Room: at, KeyPackages: n})
		w.quiet()
	}
	kept := func(want ...int) {
		t.Helper()
		got := []int{len(alice.m.grants[grant{user, ident.URI{}}]), len(alice.m.grants[grant{user, clubhouse}])}
		if !slices.Equal(got, want) {
			t.Errorf("%d KeyPackages are kept for every and this room, want %d", got, want)
		}
	}
	consent(mimi.ConsentGrant, ident.URI{}, 2)
	told, _ := find[ConsentChanged](alice)
	alice.m.noteConsent(w.now, told.Entry) // as when the request comes twice
	kept(2, 0)
	consent(mimi.ConsentGrant, clubhouse, 1)
	consent(mimi.ConsentGrant, clubhouse, 1)
	kept(2, 2)
	r := alice.m.rooms[clubhouse]
	if list := must(alice.m.takeGranted(w.now, &chatRoom{uri: elsewhere, group: r.group}, user)); len(list) != 0 {
		t.Errorf("%d KeyPackages for a room of another hub, want none", len(list))
	}
	for _, want := range [][2]int{{2, 1}, {2, 0}, {1, 0}, {0, 0}} { // those of the room first, one of a client at a time
		if list := must(alice.m.takeGranted(w.now, r, user)); len(list) != 1 {
			t.Errorf("%d KeyPackages, want 1", len(list))
		}
		kept(want[:]...)
	}
	consent(mimi.ConsentGrant, ident.URI{}, 1)
	consent(mimi.ConsentGrant, clubhouse, 1)
	consent(mimi.ConsentRevoke, clubhouse, 0)
	kept(1, 0)
	consent(mimi.ConsentGrant, clubhouse, maxGrantedFor+1)
	kept(1, maxGrantedFor)
	consent(mimi.ConsentRevoke, ident.URI{}, 0)
	kept(0, 0)
	if list := must(alice.m.takeGranted(w.now, r, user)); len(list) != 0 {
		t.Errorf("%d KeyPackages after a revocation, want none", len(list))
	}
}
