package room

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// crowd is a room with a real MLS group: clients with names like "ada/1", whose user
// is what is before the slash, and a hub that follows. All use this package alone to
// decide.
type crowd struct {
	t       *testing.T
	suite   suite.Suite
	clients map[string]*mls.Group
	hub     *mls.PublicGroup
	hubID   *mls.Identity
	now     time.Time
	tr      *Translator
}

// userOf is the user of a test's credential.
func userOf(c *message.Credential) (string, []Claim, error) {
	name, _, ok := strings.Cut(string(c.Identity), "/")
	switch {
	case name == "hub":
		return hub, nil, nil
	case !ok:
		return "", nil, fmt.Errorf("no client %q", c.Identity)
	}
	return u(name), []Claim{staff}, nil
}

// config is that of a client, and of the hub.
func (c *crowd) config() *mls.Config {
	return &mls.Config{
		Suite: c.suite, PublicHandshake: true, Components: DefaultPoints.MLSComponents(),
		Authorize: func(p *mls.Proposed) error {
			s, err := c.tr.Decode(nil, p.Group.Context(), p.Group.Tree())
			if err != nil {
				return err
			}
			_, err = c.tr.Authorize(s, p)
			return err
		},
	}
}

func newCrowd(t *testing.T, founder string, p string, users []UserRolePair, pre *PreAuthData) *crowd {
	t.Helper()
	s, err := suite.NewStd(suite.X25519AES128GCMSHA256Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{t: t, suite: s, clients: map[string]*mls.Group{}, now: time.Unix(1_800_000_000, 0), tr: &Translator{Users: userOf, JoinCode: Unseen}}
	policy, _ := PolicyByName(p)
	dict, err := policy.Dictionary(nil, &RoomMetaData{URI: "mimi://hub.example/r/r"}, users, nil, pre)
	if err != nil {
		t.Fatal(err)
	}
	if c.hubID, err = mls.NewIdentity(s, []byte("hub")); err != nil {
		t.Fatal(err)
	}
	senders := message.ExternalSenders{{SignatureKey: c.hubID.Signer.Public, Credential: message.BasicCredential([]byte("hub"))}}
	cfg := c.config()
	id := c.identity(founder)
	g, err := mls.New(cfg, c.now, id, []byte("g"), mls.GroupOptions{Extensions: message.Extensions{
		{Type: message.DefaultCodePoints.AppDataDictionary, Data: must(t, dict)},
		{Type: message.ExtensionExternalSenders, Data: must(t, senders)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.clients[founder] = g
	info, err := g.GroupInfo(mls.GroupInfoOptions{External: true})
	if err != nil {
		t.Fatal(err)
	}
	if c.hub, err = mls.NewPublicGroup(c.config(), c.now, info, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crowd) identity(client string) *mls.Identity {
	id, err := mls.NewIdentity(c.suite, []byte(client))
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// add is an Add of a new client, and its KeyPackage.
func (c *crowd) add(client string) (message.Proposal, *mls.KeyPackage) {
	kp, err := c.config().NewKeyPackage(c.now, c.identity(client), mls.LeafOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	return mls.AddProposal(kp.Public), kp
}

func (c *crowd) list(u *ParticipantListUpdate) message.Proposal {
	return message.Proposal{Type: message.DefaultCodePoints.AppDataUpdate, Body: &message.AppDataUpdate{Component: DefaultPoints.ParticipantList, Op: message.AppDataSet, Update: must(c.t, u)}}
}

// accept has the hub and all clients take a Commit, and compares what they come to
// with what this package says of the room.
func (c *crowd) accept(from string, commit *mls.Pending) {
	c.t.Helper()
	before, err := c.tr.Decode(nil, c.hub.Context(), c.hub.Tree())
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := message.Parse(commit.Message, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	e, err := c.hub.Stage(c.now, m.Public)
	if err != nil {
		c.t.Fatalf("hub: %v", err)
	}
	staged := e.(*mls.Staged)
	w := &mls.Proposed{Group: c.hub, Committer: staged.Committer(), Proposals: staged.Proposals()}
	if staged.Committer().Type == message.SenderNewMemberCommit {
		w.Joiner = staged.Tree().Leaf(staged.Leaf())
	}
	next, err := c.tr.Authorize(before, w)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.hub.Merge(staged); err != nil {
		c.t.Fatal(err)
	}
	for name, g := range c.clients {
		if name == from {
			if err := g.Merge(&commit.Staged); err != nil {
				c.t.Fatal(err)
			}
			continue
		}
		e, err := g.Process(c.now, commit.Message)
		if err != nil {
			c.t.Fatalf("%s: %v", name, err)
		}
		if err := g.Merge(e.(*mls.Staged)); err != nil {
			c.t.Fatal(err)
		}
		if g.Removed() {
			delete(c.clients, name)
		}
	}
	c.agree(next)
}

// agree wants the hub and all members to have the dictionary of a State in their
// GroupContexts, and the leaves it counts.
func (c *crowd) agree(s *State) {
	c.t.Helper()
	checkState(c.t, s)
	want := must(c.t, s.Dictionary())
	for name, g := range c.clients {
		data, _ := g.Context().Extensions.Find(message.DefaultCodePoints.AppDataDictionary)
		if !bytes.Equal(data, want) {
			c.t.Errorf("%s has the dictionary\n%x, want\n%x", name, data, want)
		}
	}
	at, err := c.tr.Decode(nil, c.hub.Context(), c.hub.Tree())
	if err != nil {
		c.t.Fatal(err)
	}
	if got := must(c.t, at.Dictionary()); !bytes.Equal(got, want) || at.Clients() != s.Clients() {
		c.t.Errorf("hub has %d clients and the dictionary\n%x, want %d and\n%x", at.Clients(), got, s.Clients(), want)
	}
}

func (c *crowd) commit(from string, list ...message.Proposal) (*mls.Pending, error) {
	return c.clients[from].Commit(c.now, mls.CommitOptions{Proposals: list, GroupInfo: true, Info: mls.GroupInfoOptions{External: true}})
}

func (c *crowd) mustCommit(from string, list ...message.Proposal) *mls.Pending {
	c.t.Helper()
	p, err := c.commit(from, list...)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// TestGroup walks through a room in a real MLS group: a user is added with two
// clients, leaves, another joins from outside, and is banned. What is not allowed is
// refused by the member who would commit it and by the hub.
func TestGroup(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, "sue/1", "administered", []UserRolePair{{hub, 5}, {u("sue"), 4}, {u("ada"), 3}}, preauth(2, staff))

	// mimi-protocol-06, Alice adds Bob to the Room.
	list := c.list(&ParticipantListUpdate{Added: []UserRolePair{{u("mia"), 2}}})
	one, kp1 := c.add("mia/1")
	two, kp2 := c.add("mia/2")
	_, err := c.commit("sue/1", one)
	denied(t, err, RuleParticipantFirst)
	p := c.mustCommit("sue/1", list, one, two)
	c.accept("sue/1", p)
	w, err := message.Parse(p.Welcome, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, kp := range map[string]*mls.KeyPackage{"mia/1": kp1, "mia/2": kp2} {
		s, err := mls.OpenWelcome(c.config(), c.now, w.Welcome, []*mls.KeyPackage{kp}, mls.JoinOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c.clients[name] = s.Join()
	}

	// Mia has no capability to ban, nor to change extensions.
	_, err = c.commit("mia/1", c.list(&ParticipantListUpdate{Changed: []UserIndexRolePair{{2, RoleBanned}}}))
	denied(t, err, RuleCapability)
	_, err = c.commit("mia/1", mls.ExtensionsProposal(c.hub.Context().Extensions))
	denied(t, err, RuleCapability)
	// A hub that trusts nobody finds the same of a Commit whose sender did not ask.
	if d := c.forced("mia/1", c.list(&ParticipantListUpdate{Changed: []UserIndexRolePair{{2, RoleBanned}}})); d.Capability != CanBan {
		t.Errorf("hub denies with %v, want want of canBan", d)
	}

	// mimi-protocol-06, Bob Leaves the Room: proposals by the leaver, a Commit by
	// another.
	for _, q := range []message.Proposal{mls.RemoveProposal(2), c.list(&ParticipantListUpdate{Removed: []uint32{3}})} {
		c.propose("mia/1", q)
	}
	c.propose("mia/1", c.config().SelfRemoveProposal())
	c.accept("sue/1", c.mustCommit("sue/1"))
	if len(c.clients) != 1 {
		t.Fatalf("%d clients are left, want sue/1 alone", len(c.clients))
	}

	// Max is a participant before he has a client, and comes from outside with two.
	c.accept("sue/1", c.mustCommit("sue/1", c.list(&ParticipantListUpdate{Added: []UserRolePair{{u("max"), 2}}})))
	for _, client := range []string{"max/1", "max/2"} {
		info, err := c.clients["sue/1"].GroupInfo(mls.GroupInfoOptions{External: true})
		if err != nil {
			t.Fatal(err)
		}
		x, err := mls.JoinExternal(c.config(), c.now, c.identity(client), info, mls.ExternalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c.accept(client, &x.Pending)
		c.clients[client] = x.Join()
	}
	state, err := c.tr.Decode(nil, c.hub.Context(), c.hub.Tree())
	if err != nil {
		t.Fatal(err)
	}
	if max, ok := state.Find(u("max")); !ok || max.Clients != 2 || max.Role != 2 {
		t.Errorf("max is %+v, %t, want role 2 with 2 clients", max, ok)
	}

	// The hub, which is policy_enforcer, bans him; a member commits it.
	for _, q := range []message.Proposal{c.list(&ParticipantListUpdate{Changed: []UserIndexRolePair{{3, RoleBanned}}}), mls.RemoveProposal(1), mls.RemoveProposal(2)} {
		b, err := c.config().ExternalProposal(c.hub.GroupID(), c.hub.Epoch(), 0, c.hubID, q)
		if err != nil {
			t.Fatal(err)
		}
		c.spread("", b)
	}
	c.accept("sue/1", c.mustCommit("sue/1"))

	// And he does not come back.
	info, err := c.clients["sue/1"].GroupInfo(mls.GroupInfoOptions{External: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = mls.JoinExternal(c.config(), c.now, c.identity("max/3"), info, mls.ExternalOptions{})
	denied(t, err, RuleCapability)
}

// TestTranslate: what proposals are in the terms of a room, one by one.
func TestTranslate(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, "sue/1", "administered", []UserRolePair{{hub, 5}, {u("sue"), 4}, {u("ada"), 3}}, nil)
	mia, _ := c.add("mia/1")
	max, _ := c.add("max/1")
	kept := c.hub.Context().Extensions
	changed := kept.With(message.DefaultCodePoints.AppDataDictionary, []byte{0})
	newcomer := message.Sender{Type: message.SenderNewMemberProposal}
	sue, provider := message.Member(0), message.Sender{Type: message.SenderExternal}
	remove := message.Proposal{Type: message.DefaultCodePoints.AppDataUpdate, Body: &message.AppDataUpdate{Component: DefaultPoints.PreauthList, Op: message.AppDataRemove}}
	reinit := mls.ReInitProposal([]byte("h"), c.suite.ID(), nil)
	leaf := mia.Body.(*message.Add).KeyPackage.LeafNode
	tests := []struct {
		name     string
		sender   message.Sender
		proposal message.Proposal
		want     *Proposal // nil: nothing; without an Actor: an error
	}{
		{"add", sue, mia, &Proposal{&Actor{User: u("sue"), Claims: []Claim{staff}}, AddClient{u("mia")}}},
		{"add by itself", newcomer, mia, &Proposal{&Actor{User: u("mia"), Origin: FromNewMemberProposal, Claims: []Claim{staff}, JoinCode: Unseen}, AddClient{u("mia")}}},
		{"add by another itself", newcomer, max, &Proposal{&Actor{User: u("max"), Origin: FromNewMemberProposal, Claims: []Claim{staff}, JoinCode: Unseen}, AddClient{u("max")}}},
		{"remove by itself from outside", newcomer, mls.RemoveProposal(0), &Proposal{}},
		{"remove", provider, mls.RemoveProposal(0), &Proposal{&Actor{User: hub, Origin: FromExternalSender}, RemoveClient{u("sue")}}},
		{"remove of nobody", provider, mls.RemoveProposal(7), &Proposal{}},
		{"by nobody", message.Member(7), reinit, &Proposal{}},
		{"by no provider", message.Sender{Type: message.SenderExternal, Index: 1}, reinit, &Proposal{}},
		{"self_remove", sue, c.config().SelfRemoveProposal(), &Proposal{&Actor{User: u("sue"), Claims: []Claim{staff}}, RemoveClient{u("sue")}}},
		{"update", sue, message.Proposal{Type: message.ProposalUpdate, Body: &message.Update{LeafNode: leaf}}, &Proposal{&Actor{User: u("sue"), Claims: []Claim{staff}}, UpdateClient{u("mia")}}},
		{"reinit", sue, reinit, &Proposal{&Actor{User: u("sue"), Claims: []Claim{staff}}, ReInit{}}},
		{"extensions", provider, mls.ExtensionsProposal(kept), &Proposal{&Actor{User: hub, Origin: FromExternalSender}, ChangeExtensions{}}},
		{"extensions with another dictionary", provider, mls.ExtensionsProposal(changed), &Proposal{&Actor{User: hub, Origin: FromExternalSender}, ChangeExtensions{Dictionary: true}}},
		{"extensions without a dictionary", provider, mls.ExtensionsProposal(nil), &Proposal{&Actor{User: hub, Origin: FromExternalSender}, ChangeExtensions{Dictionary: true}}},
		{"component removed", provider, remove, &Proposal{&Actor{User: hub, Origin: FromExternalSender}, RemoveComponent{DefaultPoints.PreauthList}}},
		{"pre-shared key", sue, message.Proposal{Type: message.ProposalPSK, Body: &message.PreSharedKey{}}, nil},
		{"external_init of no commit", sue, message.Proposal{Type: message.ProposalExternalInit, Body: &message.ExternalInit{}}, &Proposal{}},
	}
	var all []mls.Committed
	for i := range tests {
		tt := &tests[i]
		got, err := c.tr.Proposals(c.hub, []mls.Committed{{Proposal: &tt.proposal, Sender: tt.sender}})
		switch {
		case tt.want != nil && tt.want.Actor == nil:
			if err == nil {
				t.Errorf("%s: %+v, want an error", tt.name, got)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want == nil && len(got) > 0:
			t.Errorf("%s: %+v, want nothing", tt.name, got)
		case tt.want != nil && (len(got) != 1 || !cmp.Equal(got[0], *tt.want)):
			t.Errorf("%s (-want +got):\n%s", tt.name, cmp.Diff([]Proposal{*tt.want}, got))
		}
		all = append(all, mls.Committed{Proposal: &tt.proposal, Sender: tt.sender})
	}
	// All at once they are the same: senders are not taken for each other.
	got, err := c.tr.Proposals(c.hub, all)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		if tt.want == nil || tt.want.Actor == nil {
			continue
		}
		if len(got) == 0 || !cmp.Equal(got[0], *tt.want) {
			t.Fatalf("%s, among all: %+v, want %+v", tt.name, got, tt.want)
		}
		got = got[1:]
	}
	if _, err := (&Translator{Users: func(*message.Credential) (string, []Claim, error) { return "", nil, errors.New("who?") }}).Decode(nil, c.hub.Context(), c.hub.Tree()); err == nil {
		t.Error("a group whose members nobody knows was decoded")
	}
}

// propose sends a member's proposal to all.
func (c *crowd) propose(from string, p message.Proposal) {
	c.t.Helper()
	b, err := c.clients[from].Propose(c.now, p, mls.SendOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.spread(from, b)
}

func (c *crowd) spread(from string, b []byte) {
	c.t.Helper()
	m, err := message.Parse(b, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.hub.Stage(c.now, m.Public); err != nil {
		c.t.Fatal(err)
	}
	for name, g := range c.clients {
		if name != from {
			if _, err := g.Process(c.now, b); err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// forced returns how the hub denies what a member proposes by itself.
func (c *crowd) forced(from string, p message.Proposal) *Denial {
	c.t.Helper()
	s, err := c.tr.Decode(nil, c.hub.Context(), c.hub.Tree())
	if err != nil {
		c.t.Fatal(err)
	}
	list, err := c.tr.Proposals(c.hub, []mls.Committed{{Proposal: &p, Sender: message.Member(uint32(c.clients[from].OwnLeaf()))}})
	if err != nil {
		c.t.Fatal(err)
	}
	_, err = AuthorizeCommit(s, nil, list)
	return denied(c.t, err, RuleCapability)
}
