package mls

import (
	"errors"
	"fmt"
	"math/bits"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// twoWait lets two proposals of one sender wait for a Commit.
func twoWait(c *Config) { c.MaxProposals = 2 }

// fewBytes lets a small proposal wait, and then no large one.
func fewBytes(c *Config) {
	c.MaxProposalBytes = 100
	c.Proposals = []message.ProposalType{0xf001}
}

// customOf returns a proposal of n bytes and a header.
func customOf(n int) message.Proposal {
	return message.Proposal{Type: 0xf001, Body: &message.Custom{Data: make([]byte, n)}}
}

// limitRows break what a Config sets a limit to.
var limitRows = []row{
	{check: CheckProposalLimit, name: "of a member", config: twoWait, run: func(x *scene) error {
		for i := range 2 {
			p := x.psk(resumptionPSK(message.ResumptionApplication, uint64(i)))
			x.processed(forge(x.t, x.in, forgery{proposal: &p}))
		}
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p})
	}},
	{check: CheckProposalLimit, name: "in a PrivateMessage", config: twoWait, run: func(x *scene) error {
		for i := range 2 {
			p := x.psk(resumptionPSK(message.ResumptionApplication, uint64(i)))
			x.processed(forge(x.t, x.in, forgery{proposal: &p, private: true}))
		}
		p := RemoveProposal(3)
		return x.forge(forgery{proposal: &p, private: true})
	}},
	{check: CheckProposalLimit, name: "of new members together", config: twoWait, run: func(x *scene) error {
		for i := range 2 {
			x.processed(x.own(x.cfg.NewMemberProposal(x.to.GroupID(), x.to.Epoch(), x.keyPackage(fmt.Sprint("new ", i)))))
		}
		return x.refuse(x.own(x.cfg.NewMemberProposal(x.to.GroupID(), x.to.Epoch(), x.keyPackage("new"))))
	}},
	{check: CheckProposalLimit, name: "of an external sender", config: twoWait, extensions: withServer, run: func(x *scene) error {
		for i := range 2 {
			x.processed(x.server(0, x.psk(resumptionPSK(message.ResumptionApplication, uint64(i)))))
		}
		return x.refuse(x.server(0, RemoveProposal(3)))
	}},
	{check: CheckProposalLimit, name: "own", config: twoWait, run: func(x *scene) error {
		for i := range 2 {
			x.own(x.to.Propose(now, x.psk(resumptionPSK(message.ResumptionApplication, uint64(i))), SendOptions{}))
		}
		before := fingerprint(x.to)
		_, err := x.to.Propose(now, RemoveProposal(3), SendOptions{})
		_, update := x.to.ProposeUpdate(now, LeafChange{}, SendOptions{})
		if !errors.Is(update, CheckProposalLimit) || fingerprint(x.to) != before {
			x.t.Errorf("update: %v, want %v and no change", update, CheckProposalLimit)
		}
		return err
	}},
	{check: CheckProposalLimit, name: "own of a hub", config: twoWait, run: func(x *scene) error {
		server := x.identity("server")
		x.commit("0", CommitOptions{Path: true, Proposals: []message.Proposal{ExtensionsProposal(message.Extensions{sendersOf(server)})}})
		hub := x.hub()
		for i := range 2 {
			x.own(hub.ProposeExternal(now, server, x.psk(resumptionPSK(message.ResumptionApplication, uint64(i))), SendOptions{}))
		}
		_, err := hub.ProposeExternal(now, server, RemoveProposal(3), SendOptions{})
		if n := len(hub.Proposals()); n != 2 {
			x.t.Errorf("%d proposals wait, want 2", n)
		}
		return err
	}},
	{check: CheckProposalLimit, name: "bytes", config: fewBytes, run: func(x *scene) error {
		p := customOf(60)
		x.processed(forge(x.t, x.in, forgery{proposal: &p}))
		return x.forge(forgery{proposal: &p, content: func(c *message.FramedContent) { c.AuthenticatedData = []byte("another") }})
	}},
	{check: CheckProposalLimit, name: "bytes of one", config: fewBytes, run: func(x *scene) error {
		p := customOf(101)
		return x.forge(forgery{proposal: &p})
	}},
}

// TestProposalLimit: hub and members keep the same proposals of one who sends too many,
// whose share takes no one else's, a restored group counts on, a proposal that comes
// twice is not counted twice, and the next epoch begins anew.
func TestProposalLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, suite.X25519AES128GCMSHA256Ed25519, func(c *Config) {
		c.MaxProposals = 3
		c.PSK = func(*message.PreSharedKeyID) ([]byte, bool) { return []byte("secret"), true }
	})
	w.commit("0", CommitOptions{Path: true}, w.keyPackage("1"), w.keyPackage("2"))
	hub := w.hub()
	flood := func(by string, n, kept int) {
		t.Helper()
		for i := range n {
			p, err := w.cfg.PSKProposal(message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte(by)})
			if err != nil {
				t.Fatal(err)
			}
			b := forge(t, w.groups[by], forgery{proposal: &p})
			m, err := message.Parse(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := hub.Stage(now, m.Public); errors.Is(err, CheckProposalLimit) != (i >= kept) {
				t.Fatalf("hub: proposal %d of %s: %v", i, by, err)
			}
			_, err = w.groups["0"].Process(now, b)
			if errors.Is(err, CheckProposalLimit) != (i >= kept) {
				t.Fatalf("member: proposal %d of %s: %v", i, by, err)
			}
			if _, err := w.groups["0"].Process(now, b); i < kept && !errors.Is(err, ErrDuplicate) {
				t.Fatalf("member: proposal %d of %s, twice: %v", i, by, err)
			}
		}
	}
	flood("1", 5, 3)
	flood("2", 1, 1)
	again, err := Restore(w.cfg, w.groups["0"].State())
	if err != nil {
		t.Fatal(err)
	}
	w.groups["0"] = again
	flood("1", 1, 0)
	flood("2", 4, 2)
	p, err := w.groups["0"].Commit(now, CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Proposals()); n != 6 {
		t.Errorf("%d proposals committed, want 6", n)
	}
	m, err := message.Parse(p.Message, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := hub.Stage(now, m.Public)
	if err != nil {
		t.Fatalf("hub: a commit of what it kept: %v", err)
	}
	if err := errors.Join(hub.Merge(e.(*Staged)), w.groups["0"].Merge(&p.Staged)); err != nil {
		t.Fatal(err)
	}
	b, err := again.Propose(now, RemoveProposal(2), SendOptions{})
	if err != nil || len(hub.cache.shares)+len(again.cache.shares) != 1 {
		t.Fatalf("%x in the next epoch: %v, shares %v and %v", b, err, hub.cache.shares, again.cache.shares)
	}
}

// TestFittingBounds: many proposals that do not fit cost a Commit no more trials than
// are set, those of one sender far fewer, and none of them keeps the others out.
func TestFittingBounds(t *testing.T) {
	t.Parallel()
	const good, bad = 256, 256
	for _, c := range []struct {
		name    string
		senders int // of those that do not fit
		most    int // trials
		all     bool
	}{
		{"one sender", 1, 2*maxMisfits*bits.Len(good+bad) + 2, true},
		{"many senders", bad, maxTrials, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			trials := 0
			x := newScene(t, &row{config: func(cfg *Config) {
				cfg.Authorize = func(p *Proposed) error {
					trials++
					for _, c := range p.Proposals {
						if e, ok := c.Proposal.Body.(*message.PreSharedKey); ok && e.PSK.Epoch == 17 {
							return errors.New("not this one")
						}
					}
					return nil
				}
				cfg.PSK = func(*message.PreSharedKeyID) ([]byte, bool) { return []byte("secret"), true }
			}})
			keep := func(sender, epoch uint64) {
				id := resumptionPSK(message.ResumptionApplication, epoch)
				id.GroupID = []byte("another")
				p := x.psk(id)
				x.to.cache.add(Committed{Proposal: &p, Sender: message.Member(uint32(sender)), Ref: p.Body.(*message.PreSharedKey).PSK.Nonce, public: true})
			}
			for i := range uint64(bad) {
				keep(1, 100+i)
				keep(10+i%uint64(c.senders), 17)
			}
			trials = 0 // those of the scene
			p, err := x.to.Commit(now, CommitOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if trials > c.most+2 { // the list itself and what came of it
				t.Errorf("%d trials, want %d at most", trials, c.most+2)
			}
			if n := len(p.Proposals()); n == 0 || c.all && n != good {
				t.Errorf("%d proposals committed of %d that fit", n, good)
			}
		})
	}
}

// TestEncodedSize: a share counts the bytes that proposals take in a Commit.
func TestEncodedSize(t *testing.T) {
	t.Parallel()
	var c cache
	p := customOf(60)
	c.add(Committed{Proposal: &p, Ref: []byte("1")})
	c.add(Committed{Proposal: &p, Ref: []byte("2")})
	if want := 2 * len(must(&p)); c.shares[message.Sender{}] != (share{2, want}) {
		t.Errorf("share %+v, want 2 of %d bytes", c.shares[message.Sender{}], want)
	}
}
