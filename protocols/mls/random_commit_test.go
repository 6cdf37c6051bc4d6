package mls

import (
	"bytes"
	"errors"
	"fmt"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// randomCommit lets a member commit, which counts if no one was earlier.
func (p *play) randomCommit() {
	c := p.any()
	adds := rapid.IntRange(0, 3).Draw(p.T, "adds")
	if len(p.names)+adds > playLimit {
		adds = 0
	}
	var removes []string
	pending := rapid.Bool().Draw(p.T, "pending")
	if !pending && len(p.names) > 2 {
		if r := p.any(); r != c {
			removes = append(removes, r.name)
		}
	}
	var psks []message.Proposal
	if !pending && rapid.IntRange(0, 3).Draw(p.T, "psk") == 0 {
		id := message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("shared")}
		if rapid.Bool().Draw(p.T, "resumption") {
			p.readAll() // members know the epoch's secret, and who joins does not
			if p.clients[c.name] != c {
				return
			}
			adds = 0
			id = message.PreSharedKeyID{Type: message.PSKResumption, Usage: message.ResumptionApplication, GroupID: c.g.GroupID(), Epoch: p.epoch()}
		}
		psk, err := p.cfg.PSKProposal(id)
		p.ok(err)
		psks = append(psks, psk)
	}
	p.commit(c, adds, removes, pending, rapid.Bool().Draw(p.T, "path"), psks)
}

// readAll lets all read the log.
func (p *play) readAll() {
	for _, name := range append([]string{}, p.names...) {
		p.read(p.clients[name], len(p.log))
	}
}

// commit makes a Commit, and lets those join whom it adds.
func (p *play) commit(c *player, adds int, removes []string, pending, path bool, more []message.Proposal) {
	o := CommitOptions{Path: path, Proposals: more}
	if !pending {
		o.References = []message.ProposalRef{}
	}
	for _, name := range removes {
		for i, leaf := range c.g.Tree().All() {
			if string(leaf.Credential.Identity) == name && i != c.g.OwnLeaf() {
				o.Proposals = append(o.Proposals, RemoveProposal(i))
			}
		}
	}
	keys := map[string]*KeyPackage{}
	for range adds {
		name := p.newName()
		k, err := p.cfg.NewKeyPackage(now, p.id(name), LeafOptions{})
		p.ok(err)
		keys[name] = k
		o.Proposals = append(o.Proposals, AddProposal(k.Public))
	}
	pc, err := c.g.Commit(now, o)
	if err != nil {
		p.Fatalf("commit of %s: %v", c.name, err)
	}
	if c.g.Epoch() != p.epoch() { // too late: the hub refuses it, and so do members
		if o := p.any(); o.g.Epoch() != c.g.Epoch() {
			p.refused(o, pc.Message, CheckEpoch)
		}
		return
	}
	p.ok(c.g.Merge(&pc.Staged))
	p.accept(c.name, pc.Message, pc.Proposals(), "", c.g.EpochAuthenticator())
	c.pos = len(p.log)
	for _, q := range pc.Proposals() {
		b, ok := q.Proposal.Body.(*message.Add)
		if !ok {
			continue
		}
		name := string(b.KeyPackage.LeafNode.Credential.Identity)
		k := keys[name]
		if k == nil {
			k = p.proposed[name]
		}
		m, err := message.Parse(pc.Welcome, nil)
		p.ok(err)
		w, err := OpenWelcome(p.cfg, now, m.Welcome, []*KeyPackage{k}, JoinOptions{})
		if err != nil {
			p.Fatalf("welcome of %s: %v", name, err)
		}
		g := w.Join()
		if !bytes.Equal(g.EpochAuthenticator(), c.g.EpochAuthenticator()) {
			p.Fatalf("%s joins with another authenticator", name)
		}
		p.enter(&player{name: name, g: g})
	}
}

// propose lets a member that has read the log propose something.
func (p *play) propose() {
	c := p.current()
	var b []byte
	var err error
	once := SendOptions{AAD: fmt.Appendf(nil, "%d", len(p.log))} // else one said twice is one
	switch rapid.SampledFrom([]string{"add", "remove", "update", "leave", "psk"}).Draw(p.T, "proposal") {
	case "add":
		if len(p.names) >= playLimit {
			return
		}
		name := p.newName()
		k, kerr := p.cfg.NewKeyPackage(now, p.id(name), LeafOptions{})
		p.ok(kerr)
		p.proposed[name] = k
		b, err = c.g.Propose(now, AddProposal(k.Public), once)
	case "remove":
		b, err = c.g.Propose(now, RemoveProposal(p.current().g.OwnLeaf()), once)
	case "update":
		b, err = c.g.ProposeUpdate(now, LeafChange{}, once)
	case "leave":
		b, err = c.g.Propose(now, p.cfg.SelfRemoveProposal(), once)
		if errors.Is(err, CheckSelfRemoveTwice) {
			return
		}
	case "psk":
		psk, perr := p.cfg.PSKProposal(message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("shared")})
		p.ok(perr)
		b, err = c.g.Propose(now, psk, once)
	}
	p.ok(err)
	p.log = append(p.log, entry{from: c.name, epoch: p.epoch(), bytes: b})
	c.pos = len(p.log)
	p.track(b)
}

// external lets a client join by itself, or again.
func (p *play) external() {
	c := p.current()
	o := ExternalOptions{}
	name := ""
	if again := p.any(); rapid.Bool().Draw(p.T, "resync") && len(p.names) > 1 {
		for i, n := range p.model().leaves {
			if n == again.name {
				name, o.Resync, o.Old = n, true, i
			}
		}
	}
	if name == "" {
		if len(p.names) >= playLimit {
			return
		}
		name = p.newName()
	}
	info, err := c.g.GroupInfo(GroupInfoOptions{External: true})
	p.ok(err)
	e, err := JoinExternal(p.cfg, now, p.id(name), info, o)
	if err != nil {
		p.Fatalf("external commit of %s: %v", name, err)
	}
	g := e.Join()
	p.accept("", e.Message, e.Proposals(), name, g.EpochAuthenticator())
	if i, ok := p.model().leafNamed(name); !ok || i != g.OwnLeaf() {
		p.Fatalf("%s is at leaf %d, the model says %d", name, g.OwnLeaf(), i)
	}
	p.enter(&player{name: name, g: g})
}

func (m *epochModel) leafNamed(name string) (tree.LeafIndex, bool) {
	for i, n := range m.leaves {
		if n == name {
			return i, true
		}
	}
	return 0, false
}
