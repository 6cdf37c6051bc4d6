package member

import "testing"

// TestRoomTree: what an application may know of a room has the group's leaves, with its
// own among them.
func TestRoomTree(t *testing.T) {
	w := trio(t, nil)
	alice := w.device("alice/ClientA1")
	r, ok := alice.m.Room(clubhouse)
	if !ok || r.Tree == nil {
		t.Fatalf("room %+v, %v; want one with a tree", r, ok)
	}
	if got, want := r.Tree.Members(), r.State.Clients(); got != want {
		t.Errorf("%d leaves, want %d", got, want)
	}
	c, ok := r.Tree.Credential(r.OwnLeaf)
	if client, _, err := alice.m.cfg.Users(&c); !ok || err != nil || client != alice.m.Client() {
		t.Errorf("the own leaf is that of %v, %v; want %v", client, err, alice.m.Client())
	}
}
