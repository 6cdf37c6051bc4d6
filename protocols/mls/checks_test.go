package mls

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// row is one way to break a rule. Several rows may break the same.
type row struct {
	check      Check
	name       string // what is wrong
	config     func(*Config)
	extensions func(*Config) message.Extensions // of the GroupContext
	aad        []byte                           // that honest messages carry
	data       []byte                           // that honest application messages are, nil for any
	run        func(x *scene) error
}

// rows returns all rows, chapter by chapter.
func rows() []row {
	return slices.Concat(framingRows, leafRows, keyPackageRows, proposalRows, listRows, commitRows, welcomeRows, successorRows, extensionRows, limitRows)
}

// scene is a group of four, "0" to "3", in which "1" is hostile and "0" its victim.
type scene struct {
	*world
	in, to *Group
}

// newScene makes a group of four.
func newScene(t testing.TB, r *row) *scene {
	t.Helper()
	s, err := suite.NewSeeded(1, sha256.Sum256([]byte(t.Name())), "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &Config{Suite: s, PublicHandshake: true, Components: map[message.ComponentID]Component{}}
	if r.config != nil {
		r.config(cfg)
	}
	var o GroupOptions
	if r.extensions != nil {
		o.Extensions = r.extensions(cfg)
	}
	w := &world{t: t, cfg: cfg, ids: map[string]*Identity{}, groups: map[string]*Group{}}
	g, err := New(cfg, now, w.identity("0"), []byte("group"), o)
	if err != nil {
		t.Fatal(err)
	}
	w.put("0", g)
	w.commit("0", CommitOptions{Path: true, AAD: r.aad}, w.keyPackage("1"), w.keyPackage("2"), w.keyPackage("3"))
	w.commit("3", CommitOptions{AAD: r.aad})
	return &scene{w, w.groups["1"], w.groups["0"]}
}

// fingerprint is what must not change when a message is refused. Keys of the secret
// tree are compared by what they open afterwards.
func fingerprint(g *Group) string {
	if g.removed {
		return fmt.Sprint("removed at ", g.Epoch()) // its secrets are of no more use
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d %x %x %x %x %v\n", g.Epoch(), g.EpochAuthenticator(), g.Tree().Hash(), g.now.encoded, g.now.interim, g.removed)
	for _, p := range g.cache.order {
		fmt.Fprintf(h, "%x\n", p.Ref)
	}
	fmt.Fprintf(h, "%d %x %d %d %d %v", g.own, g.private.LeafKey().Public, len(g.updates), len(g.past), len(g.resumption), g.now.reInit)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestChecks breaks every rule alone. The name of a subtest is the Check.
func TestChecks(t *testing.T) {
	t.Parallel()
	for _, r := range rows() {
		t.Run(string(r.check)+" "+r.name, func(t *testing.T) {
			t.Parallel()
			x := newScene(t, &r)
			breakRule(x, &r)
		})
	}
}

// breakRule runs a row, then lets the group go on.
func breakRule(x *scene, r *row) {
	t := x.t
	t.Helper()
	err := r.run(x)
	if !errors.Is(err, r.check) {
		t.Fatalf("error %v, want check %s", err, r.check)
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %T, want an *Error", err)
	}
	if x.to.now.reInit != nil || x.to.removed {
		return // this group does not go on
	}
	for _, g := range x.groups {
		g.ClearProposals()
	}
	for i, name := range []string{"1", "2"} {
		data := r.data
		if data == nil {
			data = []byte{byte(i)}
		}
		b, err := x.groups[name].Protect(data, SendOptions{AAD: r.aad})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.to.Process(now, b); err != nil {
			t.Fatalf("message of %s afterwards: %v", name, err)
		}
	}
	x.commit("2", CommitOptions{Path: true, AAD: r.aad})
}

// refuse lets the victim process a message that it must refuse, and sees that it
// changes nothing. It does so twice: the second time the state is as at first.
func (x *scene) refuse(b []byte) error {
	x.t.Helper()
	before := fingerprint(x.to)
	e, first := x.to.Process(now, b)
	if e != nil {
		x.t.Fatalf("a %T with %v, want nil", e, first)
	}
	_, err := x.to.Process(now, b)
	if after := fingerprint(x.to); after != before {
		x.t.Fatalf("state changed by a message that was refused with %v", err)
	}
	if first == nil || err == nil || first.Error() != err.Error() {
		x.t.Fatalf("refused with %v, the second time with %v", first, err)
	}
	return err
}

// forge lets the victim refuse a message of the insider.
func (x *scene) forge(f forgery) error {
	x.t.Helper()
	return x.refuse(forge(x.t, x.in, f))
}

// mine returns a proposal that the insider's Commit holds.
func (x *scene) mine(p message.Proposal) Committed {
	return Committed{Proposal: &p, Sender: message.Member(uint32(x.in.own)), public: true}
}

// commitOf lets the insider commit proposals of its own.
func (x *scene) commitOf(list ...message.Proposal) error {
	x.t.Helper()
	var f forgery
	for _, p := range list {
		f.all = append(f.all, x.mine(p))
	}
	return x.forge(f)
}

// received sends a proposal of a member to all others and returns how they keep it.
func (x *scene) received(by string, f forgery) Committed {
	x.t.Helper()
	b := forge(x.t, x.groups[by], f)
	var c Committed
	for _, name := range x.order {
		if name == by {
			continue
		}
		e, err := x.groups[name].Process(now, b)
		if err != nil {
			x.t.Fatalf("%s: proposal of %s: %v", name, by, err)
		}
		c = e.(*Received).Committed
	}
	return c
}

// TestForgeries sees that what the forger makes is accepted while it breaks nothing,
// so that the rule is all that a row breaks.
func TestForgeries(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		x := newScene(t, new(row))
		add := x.mine(AddProposal(x.keyPackage("9").Public))
		for name, b := range map[string][]byte{
			"empty":     forge(t, x.in, forgery{private: private}),
			"add":       forge(t, x.in, forgery{private: private, all: []Committed{add}}),
			"no path":   forge(t, x.in, forgery{private: private, all: []Committed{add}, noPath: true}),
			"remove":    forge(t, x.in, forgery{private: private, all: []Committed{x.mine(RemoveProposal(3))}}),
			"external":  forgeExternal(t, x.to, x.identity("9"), false, forgery{}),
			"untouched": forge(t, x.in, forgery{private: private, path: func(*message.UpdatePath) {}}),
		} {
			e, err := x.to.Process(now, b)
			if err != nil {
				t.Fatalf("%s, private %v: %v", name, private, err)
			}
			if _, ok := e.(*Staged); !ok {
				t.Fatalf("%s: %T, want a Staged", name, e)
			}
		}
	}
}
