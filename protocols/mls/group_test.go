package mls

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// now is the time in tests.
var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// world is a group's clients with their views, indexed by name.
type world struct {
	t      testing.TB
	cfg    *Config
	ids    map[string]*Identity
	groups map[string]*Group
	order  []string
}

// newWorld makes a group with one member, "0".
func newWorld(t testing.TB, id suite.ID, change func(*Config)) *world {
	t.Helper()
	s, err := suite.NewSeeded(id, sha256.Sum256([]byte(t.Name())), "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &Config{Suite: s, PublicHandshake: true}
	if change != nil {
		change(cfg)
	}
	w := &world{t: t, cfg: cfg, ids: map[string]*Identity{}, groups: map[string]*Group{}}
	g, err := New(cfg, now, w.identity("0"), []byte("group"), GroupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.put("0", g)
	return w
}

func (w *world) put(name string, g *Group) {
	w.groups[name] = g
	w.order = append(w.order, name)
}

func (w *world) identity(name string) *Identity {
	w.t.Helper()
	if w.ids[name] == nil {
		id, err := NewIdentity(w.cfg.Suite, []byte(name))
		if err != nil {
			w.t.Fatal(err)
		}
		w.ids[name] = id
	}
	return w.ids[name]
}

func (w *world) keyPackage(name string) *KeyPackage {
	w.t.Helper()
	k, err := w.cfg.NewKeyPackage(now, w.identity(name), LeafOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// commit lets a member commit and all others follow; joiners join.
func (w *world) commit(by string, o CommitOptions, joiners ...*KeyPackage) *Pending {
	w.t.Helper()
	for _, k := range joiners {
		o.Proposals = append(o.Proposals, AddProposal(k.Public))
	}
	p, err := w.groups[by].Commit(now, o)
	if err != nil {
		w.t.Fatalf("commit by %s: %v", by, err)
	}
	if err := w.groups[by].Merge(&p.Staged); err != nil {
		w.t.Fatal(err)
	}
	w.follow(by, p.Message)
	for _, k := range joiners {
		w.join(p.Welcome, k)
	}
	w.agree()
	return p
}

// follow lets all but one process and merge a Commit.
func (w *world) follow(but string, commit []byte) {
	w.t.Helper()
	var left []string
	for _, name := range w.order {
		g := w.groups[name]
		if name == but {
			left = append(left, name)
			continue
		}
		e, err := g.Process(now, commit)
		if err != nil {
			w.t.Fatalf("%s: commit by %s: %v", name, but, err)
		}
		if err := g.Merge(e.(*Staged)); err != nil {
			w.t.Fatal(err)
		}
		if g.Removed() {
			delete(w.groups, name)
			continue
		}
		left = append(left, name)
	}
	w.order = left
}

// join lets the owner of a KeyPackage join by a Welcome.
func (w *world) join(welcome []byte, k *KeyPackage) {
	w.t.Helper()
	m, err := message.Parse(welcome, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	sw, err := OpenWelcome(w.cfg, now, m.Welcome, []*KeyPackage{k}, JoinOptions{})
	if err != nil {
		w.t.Fatalf("%s: welcome: %v", k.Public.LeafNode.Credential.Identity, err)
	}
	w.put(string(k.Public.LeafNode.Credential.Identity), sw.Join())
}

// agree checks that all members are in the same state.
func (w *world) agree() {
	w.t.Helper()
	first := w.groups[w.order[0]]
	for _, name := range w.order {
		g := w.groups[name]
		if !bytes.Equal(g.EpochAuthenticator(), first.EpochAuthenticator()) || g.Epoch() != first.Epoch() {
			w.t.Fatalf("%s is at epoch %d with another authenticator than %s at %d", name, g.Epoch(), w.order[0], first.Epoch())
		}
		if !bytes.Equal(g.Tree().Hash(), first.Tree().Hash()) {
			w.t.Fatalf("%s has another tree", name)
		}
		a, _ := g.Export("test", nil, 32)
		b, _ := first.Export("test", nil, 32)
		if !bytes.Equal(a, b) {
			w.t.Fatalf("%s exports another secret", name)
		}
	}
}

// propose lets a member propose and all others receive it.
func (w *world) propose(by string, b []byte, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("proposal by %s: %v", by, err)
	}
	for _, name := range w.order {
		if name == by {
			continue
		}
		if _, err := w.groups[name].Process(now, b); err != nil {
			w.t.Fatalf("%s: proposal by %s: %v", name, by, err)
		}
	}
}

// chat lets every member send a message that all others open.
func (w *world) chat() {
	w.t.Helper()
	for _, by := range w.order {
		data := []byte("from " + by)
		b, err := w.groups[by].Protect(data, SendOptions{AAD: []byte("aad")})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, name := range w.order {
			e, err := w.groups[name].Process(now, b)
			if name == by {
				if !errors.Is(err, ErrOwnMessage) {
					w.t.Fatalf("own message: %v", err)
				}
				continue
			}
			if err != nil {
				w.t.Fatalf("%s: message of %s: %v", name, by, err)
			}
			a := e.(*Application)
			if !bytes.Equal(a.Data, data) || a.Sender != w.groups[by].OwnLeaf() || string(a.AAD) != "aad" {
				w.t.Fatalf("%s got %q from leaf %d", name, a.Data, a.Sender)
			}
			if _, err := w.groups[name].Process(now, b); !errors.Is(err, CheckGeneration) {
				w.t.Fatalf("replay: %v", err)
			}
		}
	}
}

// TestLife runs a group through all kinds of changes, in every suite and both ways
// of sending handshakes.
func TestLife(t *testing.T) {
	t.Parallel()
	for _, id := range suite.IDs() {
		for _, public := range []bool{true, false} {
			if !public && id.Sizes().Hash > 32 {
				continue // slow curves, and how messages are sent does not depend on them
			}
			t.Run(fmt.Sprintf("suite %d, public %v", id, public), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, id, func(c *Config) { c.PublicHandshake = public })
				w.chat()
				w.commit("0", CommitOptions{}, w.keyPackage("1"))
				w.commit("1", CommitOptions{Path: true}, w.keyPackage("2"), w.keyPackage("3"), w.keyPackage("4"))
				w.chat()
				for _, name := range w.order {
					w.commit(name, CommitOptions{})
				}
				b, err := w.groups["3"].ProposeUpdate(now, LeafChange{}, SendOptions{})
				w.propose("3", b, err)
				b, err = w.groups["1"].Propose(now, AddProposal(w.keyPackage("x").Public), SendOptions{})
				w.propose("1", b, err)
				w.groups["0"].ClearProposals()
				w.commit("2", CommitOptions{References: []message.ProposalRef{}})
				b, err = w.groups["3"].ProposeUpdate(now, LeafChange{Identity: w.identity("3")}, SendOptions{})
				w.propose("3", b, err)
				w.commit("1", CommitOptions{})
				b, err = w.groups["4"].Propose(now, w.cfg.SelfRemoveProposal(), SendOptions{})
				w.propose("4", b, err)
				w.commit("0", CommitOptions{})
				w.commit("0", CommitOptions{Proposals: []message.Proposal{RemoveProposal(w.groups["1"].OwnLeaf())}}, w.keyPackage("5"))
				w.chat()
				w.external("6", ExternalOptions{})
				w.external("3", ExternalOptions{Resync: true, Old: w.groups["3"].OwnLeaf()})
				w.chat()
			})
		}
	}
}

// external lets a client join by an external Commit.
func (w *world) external(name string, o ExternalOptions) {
	w.t.Helper()
	info, err := w.groups["0"].GroupInfo(GroupInfoOptions{External: true})
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := JoinExternal(w.cfg, now, w.identity(name), info, o)
	if err != nil {
		w.t.Fatalf("external commit of %s: %v", name, err)
	}
	w.follow("", p.Message)
	w.put(name, p.Join())
	w.agree()
}

// TestResyncAlone brings a client back that lost the state of a group in which it was
// alone, or in which all others leave by the same Commit: the tree is without members
// for a moment.
func TestResyncAlone(t *testing.T) {
	t.Parallel()
	for _, members := range []int{1, 2, 5} {
		w := newWorld(t, 1, nil)
		for n := 1; n < members; n++ {
			w.commit("0", CommitOptions{}, w.keyPackage(fmt.Sprint(n)))
		}
		info, err := w.groups["0"].GroupInfo(GroupInfoOptions{External: true})
		if err != nil {
			t.Fatal(err)
		}
		hub, err := NewPublicGroup(w.cfg, now, info, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := ExternalOptions{Resync: true}
		for n := 1; n < members; n++ {
			p := w.cfg.SelfRemoveProposal()
			m, err := message.Parse(forge(t, w.groups[fmt.Sprint(n)], forgery{proposal: &p}), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := hub.Stage(now, m.Public); err != nil {
				t.Fatal(err)
			}
			o.SelfRemoves = append(o.SelfRemoves, m.Public)
		}
		e, err := JoinExternal(w.cfg, now, w.identity("0"), info, o)
		if err != nil {
			t.Fatalf("%d members: %v", members, err)
		}
		m, err := message.Parse(e.Message, nil)
		if err != nil {
			t.Fatal(err)
		}
		staged, err := hub.Stage(now, m.Public)
		if err != nil {
			t.Fatalf("%d members: hub: %v", members, err)
		}
		if err := hub.Merge(staged.(*Staged)); err != nil {
			t.Fatal(err)
		}
		g := e.Join()
		if g.Tree().Members() != 1 || g.Tree().Width() != 1 || !bytes.Equal(g.Tree().Hash(), hub.Tree().Hash()) {
			t.Fatalf("%d members: %d members in %d leaves afterwards, want 1 in 1", members, g.Tree().Members(), g.Tree().Width())
		}
		w.groups, w.order = map[string]*Group{"0": g}, []string{"0"}
		w.commit("0", CommitOptions{}, w.keyPackage("9"))
	}
}

// TestLastEpoch sees that the number of the epoch does not begin anew, which would
// make the records of a state those of the beginning.
func TestLastEpoch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, nil)
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	for _, g := range w.groups {
		context := g.now.context
		context.Epoch = math.MaxUint64
		var err error
		if g.now, err = newSnapshot(w.cfg, context, g.now.tree, g.now.tag); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.groups["0"].Commit(now, CommitOptions{Path: true}); !errors.Is(err, CheckEpoch) {
		t.Errorf("commit: %v, want check %s", err, CheckEpoch)
	}
	// With no more than its epoch's number wrong, a Commit of another comes this far.
	f := &message.AuthenticatedContent{WireFormat: message.WirePublicMessage, Content: message.FramedContent{
		GroupID: w.groups["1"].GroupID(), Epoch: math.MaxUint64, Sender: message.Member(1),
		Content: message.Content{Type: message.ContentCommit, Commit: &message.Commit{Proposals: []message.ProposalOrRef{
			{Proposal: &message.Proposal{Type: message.ProposalAdd, Body: &message.Add{KeyPackage: w.keyPackage("2").Public}}},
		}}},
	}}
	if err := f.Sign(w.cfg.Suite, w.groups["1"].signer, w.groups["1"].now.encoded); err != nil {
		t.Fatal(err)
	}
	f.Auth.ConfirmationTag = make([]byte, w.cfg.Suite.ID().Sizes().Hash)
	p, err := f.Public(w.cfg.Suite, w.groups["1"].epoch.Membership, w.groups["1"].now.encoded)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.groups["0"].Process(now, encode(t, &message.Message{Public: p})); !errors.Is(err, CheckEpoch) {
		t.Errorf("commit of another: %v, want check %s", err, CheckEpoch)
	}
}

// TestPSKs commits external and resumption pre-shared keys.
func TestPSKs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, func(c *Config) {
		c.PSK = func(id *message.PreSharedKeyID) ([]byte, bool) { return []byte("secret"), string(id.ID) == "known" }
	})
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	ext, err := w.cfg.PSKProposal(message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("known")})
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.cfg.PSKProposal(message.PreSharedKeyID{
		Type: message.PSKResumption, Usage: message.ResumptionApplication, GroupID: []byte("group"), Epoch: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.commit("1", CommitOptions{Proposals: []message.Proposal{ext, res}})
	w.commit("1", CommitOptions{Proposals: []message.Proposal{ext}}, w.keyPackage("2"))
	unknown, err := w.cfg.PSKProposal(message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("unknown")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.groups["0"].Commit(now, CommitOptions{Proposals: []message.Proposal{unknown}}); !errors.Is(err, CheckPSKAvailable) {
		t.Fatalf("unknown key: %v", err)
	}
}

// TestSuccessors reinitialises and branches a group.
func TestSuccessors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, nil)
	w.commit("0", CommitOptions{}, w.keyPackage("1"), w.keyPackage("2"))
	branch := func(name string) *KeyPackage { return w.keyPackage(name) }
	k1 := branch("1")
	sub, p, err := w.groups["0"].Branch(now, w.identity("0"), []byte("sub"), []message.KeyPackage{k1.Public}, SuccessorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := message.Parse(p.Welcome, nil)
	sw, err := OpenWelcome(w.cfg, now, m.Welcome, []*KeyPackage{k1}, JoinOptions{Old: w.groups["1"]})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sw.Join().EpochAuthenticator(), sub.EpochAuthenticator()) {
		t.Fatal("branch: members disagree")
	}
	w.commit("2", CommitOptions{Proposals: []message.Proposal{ReInitProposal([]byte("group"), 3, nil)}})
	if _, err := w.groups["0"].Protect(nil, SendOptions{}); !errors.Is(err, CheckReInitClosed) {
		t.Fatalf("message after a ReInit: %v", err)
	}
	s3, err := suite.NewSeeded(3, [32]byte{3}, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &Config{Suite: s3}
	id := func(name string) *Identity {
		i, err := NewIdentity(s3, []byte(name))
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	var keys []*KeyPackage
	var public []message.KeyPackage
	for _, name := range []string{"0", "2"} {
		k, err := cfg.NewKeyPackage(now, id(name), LeafOptions{})
		if err != nil {
			t.Fatal(err)
		}
		keys, public = append(keys, k), append(public, k.Public)
	}
	if _, _, err := w.groups["1"].Successor(cfg, now, id("1"), public[:1], SuccessorOptions{}); !errors.Is(err, CheckReInitMembers) {
		t.Fatalf("successor without a member: %v", err)
	}
	next, p, err := w.groups["1"].Successor(cfg, now, id("1"), public, SuccessorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, _ = message.Parse(p.Welcome, nil)
	sw, err = OpenWelcome(cfg, now, m.Welcome, keys[1:], JoinOptions{Old: w.groups["2"]})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sw.Join().EpochAuthenticator(), next.EpochAuthenticator()) {
		t.Fatal("reinit: members disagree")
	}
}

// TestHub follows a group by its PublicMessages.
func TestHub(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, nil)
	hub := w.hub()
	w.track(hub, w.commit("0", CommitOptions{}, w.keyPackage("1"), w.keyPackage("2")).Message)
	b, err := w.groups["1"].Propose(now, RemoveProposal(tree.LeafIndex(2)), SendOptions{})
	w.propose("1", b, err)
	w.track(hub, b)
	w.track(hub, w.commit("0", CommitOptions{}).Message)
	if !bytes.Equal(hub.Tree().Hash(), w.groups["0"].Tree().Hash()) || hub.Tree().Members() != 2 {
		t.Fatalf("hub has another tree of %d members", hub.Tree().Members())
	}
}

// TestEndOfEpoch: a Commit overwrites the secrets of the epoch that it ends, but those
// that late messages and resumption need.
func TestEndOfEpoch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) { c.PastEpochs = 1 })
	w.commit("0", CommitOptions{Path: true}, w.keyPackage("1"), w.keyPackage("2"))
	for _, name := range []string{"0", "1"} { // who commits, and who follows
		g := w.groups[name]
		e := *g.epoch
		late, err := w.groups["2"].Protect([]byte("late"), SendOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.commit("0", CommitOptions{Path: true})
		for what, secret := range map[string][]byte{
			"exporter_secret": e.Exporter, "external_secret": e.External, "confirmation_key": e.Confirmation,
			"membership_key": e.Membership, "epoch_authenticator": e.Authenticator, "init_secret": e.Init,
		} {
			if len(secret) == 0 || !bytes.Equal(secret, make([]byte, len(secret))) {
				t.Errorf("%s: %s of the epoch before is %x, want zeros", name, what, secret)
			}
		}
		if secret, ok := g.ResumptionPSK(g.Epoch() - 1); !ok || bytes.Equal(secret, make([]byte, len(secret))) {
			t.Errorf("%s: resumption secret of the epoch before: %x, %v", name, secret, ok)
		}
		if _, err := g.Process(now, late); err != nil {
			t.Errorf("%s: message of the epoch before: %v", name, err)
		}
	}
	w.agree()
}

// extracting keeps what HKDF-Extract gave, which is never what an epoch keeps.
type extracting struct {
	suite.Suite
	got [][]byte
}

func (s *extracting) Extract(salt, ikm []byte) []byte {
	out := s.Suite.Extract(salt, ikm)
	s.got = append(s.got, out)
	return out
}

// TestDerivedFromIsOverwritten: making a Commit, following it and joining by it leave
// nothing of what the secrets of the epoch were derived from: neither the psk_secret nor
// what the joiner_secret comes from and becomes.
func TestDerivedFromIsOverwritten(t *testing.T) {
	t.Parallel()
	var e *extracting
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) {
		e = &extracting{Suite: c.Suite}
		c.Suite = e
		c.PSK = func(*message.PreSharedKeyID) ([]byte, bool) { return []byte("secret"), true }
	})
	w.commit("0", CommitOptions{}, w.keyPackage("1"))
	psk, err := w.cfg.PSKProposal(message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("known")})
	if err != nil {
		t.Fatal(err)
	}
	e.got = nil
	w.commit("1", CommitOptions{Path: true, Proposals: []message.Proposal{psk}}, w.keyPackage("2"))
	if len(e.got) < 3*3 {
		t.Fatalf("%d secrets extracted, want three each by who commits, follows and joins", len(e.got))
	}
	for i, secret := range e.got {
		if !bytes.Equal(secret, make([]byte, len(secret))) {
			t.Errorf("secret %d of %d is left: %x", i, len(e.got), secret)
		}
	}
}
