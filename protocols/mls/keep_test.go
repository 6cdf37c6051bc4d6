package mls

import (
	"errors"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestCheckAndKeep checks proposals of which only some are then kept.
func TestCheckAndKeep(t *testing.T) {
	t.Parallel()
	x := newScene(t, new(row))
	g := &x.to.PublicGroup
	check := func(b []byte) (*Received, error) {
		t.Helper()
		m, err := message.Parse(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g.CheckProposal(now, m.Public)
	}
	remove := RemoveProposal(3)
	good := forge(t, x.in, forgery{proposal: &remove})
	blank := RemoveProposal(9)
	bad := forge(t, x.in, forgery{proposal: &blank})
	before := fingerprint(x.to)
	first, err := check(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(bad); !errors.Is(err, CheckRemoved) {
		t.Fatalf("error %v, want %v", err, CheckRemoved)
	}
	if _, err := check(forge(t, x.in, forgery{})); !errors.Is(err, CheckApplication) {
		t.Fatalf("a commit: %v, want %v", err, CheckApplication)
	}
	if fingerprint(x.to) != before || len(g.Proposals()) != 0 {
		t.Fatal("CheckProposal changed the group")
	}
	if err := g.Keep(first); err != nil {
		t.Fatal(err)
	}
	if p := g.Proposals(); len(p) != 1 || string(p[0].Ref) != string(first.Ref) {
		t.Fatalf("kept %d proposals, want the one that was checked", len(p))
	}
	if err := g.Keep(first); !errors.Is(err, ErrDuplicate) {
		t.Fatalf("kept twice: %v, want %v", err, ErrDuplicate)
	}
	if _, err := check(good); !errors.Is(err, ErrDuplicate) {
		t.Fatalf("checked after it was kept: %v, want %v", err, ErrDuplicate)
	}
	e, err := x.to.Process(now, forge(t, x.in, forgery{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := x.to.Merge(e.(*Staged)); err != nil {
		t.Fatal(err)
	}
	if err := g.Keep(first); !errors.Is(err, ErrStale) {
		t.Fatalf("kept in the next epoch: %v, want %v", err, ErrStale)
	}
}

// TestCheckTogether checks lists of proposals of which each is valid by itself.
func TestCheckTogether(t *testing.T) {
	t.Parallel()
	x := newScene(t, new(row))
	g := &x.to.PublicGroup
	checked := func(p message.Proposal) Committed {
		t.Helper()
		m, err := message.Parse(forge(t, x.in, forgery{proposal: &p}), nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := g.CheckProposal(now, m.Public)
		if err != nil {
			t.Fatal(err)
		}
		return r.Committed
	}
	remove2, remove3 := checked(RemoveProposal(2)), checked(RemoveProposal(3))
	add := checked(AddProposal(x.keyPackage("9").Public))
	unsupported := checked(message.Proposal{Type: 0xf001, Body: &message.Custom{}})
	for _, c := range []struct {
		name string
		list []Committed
		want error
	}{
		{"removes and an add", []Committed{remove2, remove3, add}, nil},
		{"a leaf twice", []Committed{remove3, remove3}, CheckListLeafTwice},
		{"a client twice", []Committed{add, checked(AddProposal(x.keyPackage("9").Public))}, CheckListAddTwice},
		{"a type that no one supports", []Committed{remove2, unsupported}, CheckListSupported},
	} {
		if err := g.CheckTogether(now, c.list); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
