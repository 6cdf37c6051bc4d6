package room

import (
	"errors"
	"slices"
	"testing"
)

// TestUpdatesOfOneCommit: all updates of a Commit point into the list before it, so
// that proposals of one epoch mean the same in whichever order they are committed
// (deviation 16).
func TestUpdatesOfOneCommit(t *testing.T) {
	t.Parallel()
	s := house{policy: "cooperative"}.build(t)
	id := DefaultPoints.ParticipantList
	// hub, sue, ada, alf, mia, max, bad: mia and max leave, each by their own proposal.
	mia := must(t, &ParticipantListUpdate{Removed: []uint32{4}})
	max := must(t, &ParticipantListUpdate{Removed: []uint32{5}})
	demoted := must(t, &ParticipantListUpdate{Changed: []UserIndexRolePair{{3, 2}}, Added: []UserRolePair{{u("eve"), 2}}})
	for _, order := range [][][]byte{{mia, max, demoted}, {demoted, max, mia}, {max, demoted, mia}} {
		next, err := s.Apply(id, order...)
		if err != nil {
			t.Fatal(err)
		}
		want := []UserRolePair{{hub, 5}, {u("sue"), 4}, {u("ada"), 3}, {u("alf"), 2}, {u("bad"), 1}, {u("eve"), 2}}
		if !slices.Equal(next.roster.list, want) {
			t.Errorf("list is %v, want %v", next.roster.list, want)
		}
		checkState(t, next)
	}
	// As one update it is the same.
	one, err := s.Apply(id, must(t, &ParticipantListUpdate{Changed: []UserIndexRolePair{{3, 2}}, Removed: []uint32{5, 4}, Added: []UserRolePair{{u("eve"), 2}}}))
	if err != nil || one.Participants() != 6 {
		t.Errorf("as one update: %v", err)
	}
	if _, err := s.Apply(id, mia, mia); !errors.Is(err, ErrSameUser) {
		t.Errorf("twice the same: %v, want %v", err, ErrSameUser)
	}
}

// TestJoinLinksUpdates: links are removed by their places before the Commit, and
// added at the end.
func TestJoinLinksUpdates(t *testing.T) {
	t.Parallel()
	link := func(s ...string) (l []JoinLink) {
		for _, x := range s {
			l = append(l, JoinLink{Opaque(x)})
		}
		return l
	}
	id := DefaultPoints.JoinLinks
	old := must(t, &JoinLinksData{link("a", "b", "c", "d")})
	one := must(t, &JoinLinksUpdate{Removed: []uint32{3, 0}, Added: link("e")})
	two := must(t, &JoinLinksUpdate{Removed: []uint32{1}, Added: link("f")})
	got, err := DefaultPoints.Merge(id, old, [][]byte{one, two})
	if want := vec(vec("c"), vec("e"), vec("f")); err != nil || string(got) != want {
		t.Errorf("merged to %x, %v, want %x", got, err, want)
	}
	if _, err := DefaultPoints.Merge(id, old, [][]byte{one, one}); !errors.Is(err, ErrSameUser) {
		t.Errorf("removed twice: %v, want %v", err, ErrSameUser)
	}
	if _, err := DefaultPoints.Merge(id, old, [][]byte{must(t, &JoinLinksUpdate{Removed: []uint32{4}})}); !errors.Is(err, ErrIndex) {
		t.Errorf("behind the end: %v, want %v", err, ErrIndex)
	}
	if got, err := DefaultPoints.Merge(id, nil, [][]byte{must(t, &JoinLinksUpdate{Added: link("a")})}); err != nil || string(got) != vec(vec("a")) {
		t.Errorf("the first link: %x, %v", got, err)
	}
}

// TestBanByRoleChange: canChangeUserRole moves into role 1 as into any other, and
// takes no clients with it: those take canKick (deviation 20).
func TestBanByRoleChange(t *testing.T) {
	t.Parallel()
	ban := []Change{ChangeRole{u("mia"), RoleBanned}, RemoveClient{u("mia")}}
	without := func(c ...Capability) func(*Policy) {
		return func(p *Policy) {
			for _, c := range c {
				roleCannot(3, c)(p)
			}
		}
	}
	s := house{policy: "cooperative", more: without(CanBan)}.build(t)
	if _, err := Authorize(s, member("ada"), ban...); err != nil {
		t.Errorf("canChangeUserRole and canKick: %v", err)
	}
	s = house{policy: "cooperative", more: without(CanBan, CanKick)}.build(t)
	_, err := Authorize(s, member("ada"), ban...)
	if d := denied(t, err, RuleCapability); d.Capability != CanKick {
		t.Errorf("canChangeUserRole alone: %v, want want of canKick", d)
	}
	s = house{policy: "cooperative", more: without(CanBan, CanUnBan)}.build(t)
	if _, err := Authorize(s, member("ada"), ChangeRole{u("bad"), 2}); err != nil {
		t.Errorf("unbanning by canChangeUserRole: %v", err)
	}
	s = house{policy: "cooperative", more: without(CanChangeUserRole)}.build(t)
	if _, err := Authorize(s, member("ada"), ban...); err != nil {
		t.Errorf("canBan alone: %v", err)
	}
	if _, err := Authorize(s, member("ada"), ChangeRole{u("bad"), 2}); err != nil {
		t.Errorf("canUnBan alone: %v", err)
	}
	_, err = Authorize(s, member("ada"), ChangeRole{u("mia"), 3})
	denied(t, err, RuleCapability)
}

// TestSenders: each proposal of a Commit is judged by its own sender, and the
// committer only by whether it may commit.
func TestSenders(t *testing.T) {
	t.Parallel()
	s := house{policy: "administered"}.build(t)
	leave := []Proposal{{member("max"), RemoveParticipant{u("max")}}, {member("max"), RemoveClient{u("max")}}}
	if _, err := AuthorizeCommit(s, member("mia"), leave); err != nil {
		t.Errorf("one commits what another proposed: %v", err)
	}
	_, err := AuthorizeCommit(s, member("mia"), []Proposal{leave[0], {member("mia"), RemoveClient{u("max")}}, {member("mia"), ChangeRole{u("ada"), 2}}})
	if d := denied(t, err, RuleCapability); d.Actor != u("mia") || d.Proposal != 2 {
		t.Errorf("denied %s, proposal %d, want mia's, number 2", d.Actor, d.Proposal)
	}
	// Who adds a client of one whom another adds needs the authority for it, too.
	m := house{policy: "multi-org"}.build(t)
	_, err = AuthorizeCommit(m, nil, []Proposal{{member("sue"), AddParticipant{u("new"), 2}}, {member("ua"), AddClient{u("new")}}})
	denied(t, err, RuleCapability)
	_, err = AuthorizeCommit(m, nil, []Proposal{{member("sue"), AddParticipant{u("new"), 2}}, {member("b1"), AddClient{u("new")}}})
	denied(t, err, RuleTransition)
	if _, err = AuthorizeCommit(m, nil, []Proposal{{member("sue"), AddParticipant{u("new"), 3}}, {member("b1"), AddClient{u("new")}}}); err != nil {
		t.Errorf("who could have added the user adds its client: %v", err)
	}
	for name, a := range map[string]*Actor{"banned": member("bad"), "a stranger": member("new"), "a provider": provider()} {
		if _, err := AuthorizeCommit(s, a, leave); err == nil {
			t.Errorf("%s commits", name)
		}
	}
}

// TestStray: a room with a client whose user is no participant is not decoded.
func TestStray(t *testing.T) {
	t.Parallel()
	s := house{policy: "cooperative"}.build(t)
	_, err := Decode(nil, s.Dictionary(), leaves(map[string]int{u("new"): 1}))
	if !errors.Is(err, ErrStray) {
		t.Errorf("got %v, want %v", err, ErrStray)
	}
}
