package hub

import (
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/groups/room"
)

// A hub that may remove users and not their clients by themselves, as in the example
// policies of room-policy-04, proposes again that a user goes: the proposals are
// allowed beside each other, and only so.
func TestReproposeTogether(t *testing.T) {
	w := newWorld(nil)
	w.roles = func(d *room.RoleData) {
		for i := range d.Roles {
			if o := &d.Roles[i]; o.Index == roleEnforcer {
				o.Capabilities = slices.DeleteFunc(o.Capabilities, func(c room.Capability) bool { return c == room.CanKick })
			}
		}
	}
	alice, bob := w.client("alice/ClientA1"), w.client("bob/ClientB1")
	if _, err := w.create(alice); err != nil {
		t.Fatal(err)
	}
	w.add(t, alice, "bob", roleUser)
	if out, err := w.leave(bob); !took(out, err) {
		t.Fatalf("leave: %v %v", err, out.Refused)
	}
	w.quiet(t)
	second := w.client("alice/ClientA2")
	info, out, err := w.groupInfo(second, "")
	if err != nil || info == nil {
		t.Fatalf("groupInfo: %v %v", err, out.Refused)
	}
	if out, err := w.join(second, info); !took(out, err) {
		t.Fatalf("join: %v %v", err, out.Refused)
	}
	if n := len(w.hub.rooms[clubhouse].pending); n != 2 {
		t.Errorf("%d proposals wait, want 2: that Bob goes, with his client", n)
	}
	w.quiet(t)
	w.agree(t)
}
