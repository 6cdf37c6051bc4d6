package mls

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// TestRefusedMessages goes through the messages that a client gets in any network
// though nobody is hostile: each has an error of its own and changes nothing.
func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	past := func(c *Config) { c.PastEpochs = 1 }
	remove := RemoveProposal(3)
	for _, c := range []struct {
		name   string
		want   error
		text   string // in the error
		config func(*Config)
		make   func(x *scene) []byte // for x.to to process
	}{
		{"commit of a past epoch", CheckEpoch, "commit of past epoch 2, the group is at 3", nil, func(x *scene) []byte {
			b := forge(x.t, x.in, forgery{})
			x.commit("2", CommitOptions{})
			return b
		}},
		{"private commit of a past epoch", CheckEpoch, "commit of past epoch 2, the group is at 3", nil, func(x *scene) []byte {
			b := forge(x.t, x.in, forgery{private: true})
			x.commit("2", CommitOptions{})
			return b
		}},
		{"commit of a future epoch", CheckEpoch, "commit of future epoch 3, the group is at 2", nil, func(x *scene) []byte {
			x.ahead()
			return forge(x.t, x.in, forgery{})
		}},
		{"application data of a future epoch", CheckEpoch, "application of future epoch 3, the group is at 2", nil, func(x *scene) []byte {
			x.ahead()
			return forge(x.t, x.in, forgery{private: true, data: []byte("soon")})
		}},
		{"commit that was merged", CheckEpoch, "past epoch", nil, func(x *scene) []byte {
			return x.commit("2", CommitOptions{}).Message
		}},
		{"own commit that was merged", CheckEpoch, "past epoch", nil, func(x *scene) []byte {
			return x.commit("0", CommitOptions{}).Message
		}},
		{"proposal twice", ErrDuplicate, "", nil, func(x *scene) []byte {
			return x.processed(forge(x.t, x.in, forgery{proposal: &remove}))
		}},
		{"private proposal twice", CheckGeneration, "", nil, func(x *scene) []byte {
			return x.processed(forge(x.t, x.in, forgery{proposal: &remove, private: true}))
		}},
		{"application data twice", CheckGeneration, "", nil, func(x *scene) []byte {
			return x.processed(forge(x.t, x.in, forgery{data: []byte("x"), private: true}))
		}},
		{"late application data twice", CheckGeneration, "", past, func(x *scene) []byte {
			b := forge(x.t, x.in, forgery{data: []byte("x"), private: true})
			x.commit("2", CommitOptions{})
			return x.processed(b)
		}},
		{"own application data", ErrOwnMessage, "", nil, func(x *scene) []byte {
			return x.own(x.to.Protect([]byte("x"), SendOptions{}))
		}},
		{"own late application data", ErrOwnMessage, "", past, func(x *scene) []byte {
			b := x.own(x.to.Protect([]byte("x"), SendOptions{}))
			x.commit("2", CommitOptions{})
			return b
		}},
		{"own proposal", ErrOwnMessage, "", nil, func(x *scene) []byte {
			return x.own(x.to.Propose(now, remove, SendOptions{}))
		}},
		{"own commit", ErrOwnMessage, "", nil, func(x *scene) []byte {
			p, err := x.to.Commit(now, CommitOptions{})
			if err != nil {
				x.t.Fatal(err)
			}
			return p.Message
		}},
		{"own private commit", ErrOwnMessage, "", func(c *Config) { c.PublicHandshake = false }, func(x *scene) []byte {
			p, err := x.to.Commit(now, CommitOptions{})
			if err != nil {
				x.t.Fatal(err)
			}
			return p.Message
		}},
		{"commit after removal", ErrRemoved, "", nil, func(x *scene) []byte {
			x.removed()
			return forge(x.t, x.in, forgery{})
		}},
		{"application data after removal", ErrRemoved, "", nil, func(x *scene) []byte {
			x.removed()
			return forge(x.t, x.in, forgery{data: []byte("x"), private: true})
		}},
		{"application data before a removal that comes after it", ErrRemoved, "", past, func(x *scene) []byte {
			b := forge(x.t, x.in, forgery{data: []byte("x"), private: true})
			x.removed()
			return b
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newScene(t, &row{config: c.config})
			b := c.make(x)
			err := x.refuse(b)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("error %q, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

// ahead lets all but the victim go on by a Commit.
func (x *scene) ahead() {
	x.t.Helper()
	p, err := x.in.Commit(now, CommitOptions{})
	if err != nil {
		x.t.Fatal(err)
	}
	if err := x.in.Merge(&p.Staged); err != nil {
		x.t.Fatal(err)
	}
}

// removed lets the insider remove the victim.
func (x *scene) removed() {
	x.t.Helper()
	x.commit("1", CommitOptions{Proposals: []message.Proposal{RemoveProposal(x.to.own)}})
	if !x.to.Removed() {
		x.t.Fatal("not removed")
	}
}

// processed lets the victim take a message a first time.
func (x *scene) processed(b []byte) []byte {
	x.t.Helper()
	if _, err := x.to.Process(now, b); err != nil {
		x.t.Fatal(err)
	}
	return b
}

func (x *scene) own(b []byte, err error) []byte {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
	return b
}

// TestUnknownPSKIsNamed: the error for a pre-shared key that is not known says which it
// is, by what its type has.
func TestUnknownPSKIsNamed(t *testing.T) {
	t.Parallel()
	x := newScene(t, new(row))
	for _, c := range []struct {
		id   message.PreSharedKeyID
		want string
	}{
		{message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte{0xab}}, "external ab is not known"},
		{resumptionPSK(message.ResumptionApplication, 77), "resumption of epoch 77 of group 67726f7570 for application is not known"},
		{message.PreSharedKeyID{Type: message.PSKApplication, ID: []byte{0xab}, Component: 9}, "application ab of component 9 is not known"},
	} {
		_, err := x.to.Commit(now, CommitOptions{Proposals: []message.Proposal{x.psk(c.id)}})
		if !errors.Is(err, CheckPSKAvailable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestWelcomeForAnother sees that a Welcome for someone else uses nothing up.
func TestWelcomeForAnother(t *testing.T) {
	t.Parallel()
	x := newScene(t, new(row))
	mine, other := x.keyPackage("8"), x.keyPackage("9")
	w := forgeWelcome(t, x.in, other, welcomeForgery{})
	if _, err := OpenWelcome(x.cfg, now, w, []*KeyPackage{mine}, JoinOptions{}); !errors.Is(err, CheckWelcomeFor) {
		t.Fatalf("error %v, want %v", err, CheckWelcomeFor)
	}
	w = forgeWelcome(t, x.in, mine, welcomeForgery{})
	if _, err := OpenWelcome(x.cfg, now, w, []*KeyPackage{other, mine}, JoinOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestMergeIsOnce merges what does not fit the group's state.
func TestMergeIsOnce(t *testing.T) {
	t.Parallel()
	x := newScene(t, &row{config: func(c *Config) { c.Shared = new(Shared) }})
	stage := func(g *Group, b []byte) *Staged {
		e, err := g.Process(now, b)
		if err != nil {
			t.Fatal(err)
		}
		return e.(*Staged)
	}
	a, b := forge(t, x.in, forgery{}), forge(t, x.groups["2"], forgery{})
	first, second, others := stage(x.to, a), stage(x.to, b), stage(x.groups["3"], a)
	m, err := message.Parse(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := x.to.PublicGroup.Stage(now, m.Public)
	if err != nil {
		t.Fatal(err)
	}
	stale := func(name string, s *Staged) {
		t.Helper()
		before := fingerprint(x.to)
		if err := x.to.Merge(s); !errors.Is(err, ErrStale) || fingerprint(x.to) != before {
			t.Fatalf("%s: %v, want %v and no change", name, err, ErrStale)
		}
	}
	stale("a tracker's", e.(*Staged))
	stale("another member's", others)
	if err := x.to.Merge(first); err != nil {
		t.Fatal(err)
	}
	stale("twice", first)
	stale("the other commit of the epoch", second)
}

// TestDiscard drops Commits that were staged, of others and of one's own: nothing of
// them is left in the state, in either kind of message, but that a PrivateMessage of
// one's own used a key up.
func TestDiscard(t *testing.T) {
	t.Parallel()
	for _, public := range []bool{true, false} {
		x := newScene(t, &row{config: func(c *Config) { c.PublicHandshake = public }})
		p, err := x.in.Commit(now, CommitOptions{Path: true, Proposals: []message.Proposal{RemoveProposal(3)}})
		if err != nil {
			t.Fatal(err)
		}
		before := x.to.State()
		for range 2 {
			if _, err := x.to.Process(now, p.Message); err != nil {
				t.Fatal(err)
			}
		}
		if diff := sameRecords(before, x.to.State()); diff != "" {
			t.Errorf("public %v: after a staged commit was dropped, %s", public, diff)
		}
		if _, err := x.to.Commit(now, CommitOptions{Path: true}); err != nil {
			t.Fatal(err)
		}
		for _, r := range x.to.Changes() {
			if public || !strings.HasPrefix(r.Key, "keys/") {
				t.Errorf("public %v: after a commit of one's own was dropped, record %s changed", public, r.Key)
			}
		}
		x.groups["2"].ClearProposals()
		x.commit("2", CommitOptions{Path: true})
	}
}

// TestFork merges two Commits of one epoch in two halves of a group: from then on no
// message of the other half passes, and the halves can tell that they are two.
func TestFork(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		x := newScene(t, &row{config: func(c *Config) { c.PastEpochs = 2 }})
		forks := map[string]string{"0": "1", "1": "0", "2": "1", "3": "0"} // who follows whom; "0" and "1" commit
		pending := map[string]*Pending{}
		for _, by := range []string{"0", "1"} {
			p, err := x.groups[by].Commit(now, CommitOptions{Path: true})
			if err != nil {
				t.Fatal(err)
			}
			pending[by] = p
		}
		for _, by := range []string{"0", "1"} {
			if err := x.groups[by].Merge(&pending[by].Staged); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"2", "3"} {
			e, err := x.groups[name].Process(now, pending[forks[name]].Message)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.groups[name].Merge(e.(*Staged)); err != nil {
				t.Fatal(err)
			}
		}
		if fmt.Sprintf("%x", x.groups["0"].EpochAuthenticator()) == fmt.Sprintf("%x", x.groups["1"].EpochAuthenticator()) {
			t.Fatal("two forks have one epoch_authenticator")
		}
		remove := RemoveProposal(3)
		for _, f := range []forgery{{}, {proposal: &remove}, {data: []byte("x")}} {
			f.private = private || f.data != nil
			b := forge(t, x.groups["2"], f) // of the half of "1"
			if _, err := x.groups["1"].Process(now, b); err != nil {
				t.Fatalf("message of the own half: %v", err)
			}
			err := x.refuse(b)
			if !errors.Is(err, CheckMembership) && !errors.Is(err, CheckDecrypt) {
				t.Fatalf("message of the other half: %v, want %v or %v", err, CheckMembership, CheckDecrypt)
			}
		}
	}
}
