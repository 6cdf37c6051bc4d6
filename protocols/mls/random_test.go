package mls

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// TestAnyGroup plays random lives of groups of up to 40 members over a network that
// loses, repeats, reorders and damages messages, against a model that knows who
// is at which leaf in which epoch. Longer than by default with
//
//	go test ./protocols/mls -run TestAnyGroup -rapid.checks=5000
func TestAnyGroup(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := newPlay(t)
		for range rapid.IntRange(3, 12).Draw(t, "steps") {
			p.step()
		}
		p.sync()
	})
}

// play is a life of a group. Accepted handshakes have one order, the log; each
// client has read a part of it.
type play struct {
	*rapid.T
	cfg     *Config
	clients map[string]*player
	names   []string // of clients, in the order they came
	ids     map[string]*Identity
	hub     *PublicGroup // nil if handshakes are private
	log     []entry
	epochs  []epochModel
	chats   []*chat
	// proposed are the KeyPackages of clients whom a proposal would add.
	proposed map[string]*KeyPackage
	count    int
}

type player struct {
	name   string
	g      *Group
	pos    int    // of the log
	joined uint64 // first epoch
}

// entry is an accepted handshake.
type entry struct {
	from   string // who need not read it; empty for a joiner
	epoch  uint64
	commit bool
	bytes  []byte
	gone   map[tree.LeafIndex]bool // whom a Commit removes
}

// epochModel is what the model knows of an epoch.
type epochModel struct {
	leaves        map[tree.LeafIndex]string
	authenticator []byte
}

type chat struct {
	from  *player
	epoch uint64
	bytes []byte
	data  []byte
	seen  map[*player]bool
}

const (
	playPast  = 2 // epochs that application messages may be late
	playLimit = 40
)

func newPlay(t *rapid.T) *play {
	seed := rapid.Uint64().Draw(t, "seed")
	var b [32]byte
	copy(b[:], fmt.Appendf(nil, "%016x", seed))
	s, err := suite.NewSeeded(1, b, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &Config{Suite: s, PublicHandshake: rapid.Bool().Draw(t, "public"), PastEpochs: playPast}
	cfg.PSK = func(id *message.PreSharedKeyID) ([]byte, bool) {
		return []byte("known to all"), id.Type == message.PSKExternal
	}
	if rapid.Bool().Draw(t, "shared") {
		cfg.Shared = new(Shared)
	}
	p := &play{T: t, cfg: cfg, clients: map[string]*player{}, ids: map[string]*Identity{}, proposed: map[string]*KeyPackage{}}
	first := p.newName()
	g, err := New(cfg, now, p.id(first), []byte("random"), GroupOptions{})
	p.ok(err)
	p.enter(&player{name: first, g: g})
	p.epochs = []epochModel{{map[tree.LeafIndex]string{0: first}, g.EpochAuthenticator()}}
	if cfg.PublicHandshake {
		info, err := g.GroupInfo(GroupInfoOptions{})
		p.ok(err)
		p.hub, err = NewPublicGroup(cfg, now, info, nil)
		p.ok(err)
	}
	size := rapid.SampledFrom([]int{1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 16, playLimit}).Draw(t, "size")
	if size > 1 {
		p.commit(p.clients[first], size-1, nil, false, rapid.Bool().Draw(t, "first path"), nil)
	}
	return p
}

func (p *play) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *play) newName() string {
	p.count++
	return fmt.Sprintf("c%d", p.count)
}

func (p *play) id(name string) *Identity {
	if p.ids[name] == nil {
		id, err := NewIdentity(p.cfg.Suite, []byte(name))
		p.ok(err)
		p.ids[name] = id
	}
	return p.ids[name]
}

// enter makes a client a member, in place of an earlier one of that name.
func (p *play) enter(c *player) {
	c.joined, c.pos = c.g.Epoch(), len(p.log)
	if p.clients[c.name] == nil {
		p.names = append(p.names, c.name)
	}
	p.clients[c.name] = c
}

func (p *play) leave(name string) {
	delete(p.clients, name)
	for i, n := range p.names {
		if n == name {
			p.names = append(p.names[:i:i], p.names[i+1:]...)
			return
		}
	}
}

// epoch returns the current epoch's number; model what is known of it.
func (p *play) epoch() uint64      { return uint64(len(p.epochs)) - 1 }
func (p *play) model() *epochModel { return &p.epochs[len(p.epochs)-1] }

func (p *play) any() *player {
	return p.clients[rapid.SampledFrom(p.names).Draw(p.T, "client")]
}

// current returns a member that has read the log.
func (p *play) current() *player {
	c := p.any()
	p.read(c, len(p.log))
	if p.clients[c.name] == c {
		return c
	}
	c = p.clients[p.lowest()] // that one was removed
	p.read(c, len(p.log))
	return c
}

// lowest returns the member at the lowest leaf, so that the choice does not
// depend on the order of a map.
func (p *play) lowest() string {
	best, name := ^tree.LeafIndex(0), ""
	for i, n := range p.model().leaves {
		if i < best {
			best, name = i, n
		}
	}
	return name
}

// step does one thing of many.
func (p *play) step() {
	switch rapid.SampledFrom([]string{
		"commit", "commit", "commit", "propose", "propose", "external", "chat", "chat",
		"read", "read", "sync", "deliver", "deliver", "out of order", "again", "damage", "damage", "lost commit",
	}).Draw(p.T, "step") {
	case "commit":
		p.randomCommit()
	case "propose":
		p.propose()
	case "external":
		p.external()
	case "chat":
		p.say()
	case "read":
		if c := p.any(); c.pos < len(p.log) {
			p.read(c, rapid.IntRange(c.pos, len(p.log)).Draw(p.T, "to"))
		}
	case "sync":
		p.sync()
	case "deliver":
		p.deliver()
	case "out of order":
		p.ahead()
	case "again":
		p.again()
	case "damage":
		p.damage()
	case "lost commit":
		c := p.any()
		if c.g.usable() == nil {
			_, err := c.g.Commit(now, CommitOptions{Path: true})
			p.ok(err)
		}
	}
}

// sync lets all read the log, and compares them.
func (p *play) sync() {
	p.readAll()
	m := p.model()
	if len(p.names) != len(m.leaves) {
		p.Fatalf("%d members, the model has %d", len(p.names), len(m.leaves))
	}
	for i, name := range m.leaves {
		c := p.clients[name]
		if c == nil || c.g.OwnLeaf() != i || c.g.Epoch() != p.epoch() || !bytes.Equal(c.g.EpochAuthenticator(), m.authenticator) {
			p.Fatalf("%s at leaf %d does not agree with the model", name, i)
		}
	}
	t := p.clients[p.lowest()].g.Tree()
	for i, leaf := range t.All() {
		if string(leaf.Credential.Identity) != m.leaves[i] {
			p.Fatalf("leaf %d is %q, the model has %q", i, leaf.Credential.Identity, m.leaves[i])
		}
	}
	if t.Members() != len(m.leaves) {
		p.Fatalf("tree of %d members, the model has %d", t.Members(), len(m.leaves))
	}
	p.ok(t.VerifyParentHashes())
	p.ok(t.VerifyKeys())
	if p.hub != nil && !bytes.Equal(p.hub.Tree().Hash(), t.Hash()) {
		p.Fatal("the hub has another tree")
	}
}

// read lets a client read the log up to a position.
func (p *play) read(c *player, to int) {
	for c.pos < to {
		e := p.log[c.pos]
		c.pos++
		if e.from == c.name && !e.commit {
			continue
		}
		ev, err := c.g.Process(now, e.bytes)
		if err != nil {
			p.Fatalf("%s at epoch %d: entry %d of %s: %v", c.name, c.g.Epoch(), c.pos-1, e.from, err)
		}
		if !e.commit {
			continue
		}
		p.ok(c.g.Merge(ev.(*Staged)))
		if c.g.Removed() != e.gone[c.g.OwnLeaf()] {
			p.Fatalf("%s at leaf %d: removed %v, the model says %v", c.name, c.g.OwnLeaf(), c.g.Removed(), e.gone[c.g.OwnLeaf()])
		}
		if c.g.Removed() {
			p.refused(c, e.bytes, ErrRemoved)
			p.leave(c.name)
			return
		}
		m := &p.epochs[c.g.Epoch()]
		if !bytes.Equal(m.authenticator, c.g.EpochAuthenticator()) {
			p.Fatalf("%s has another authenticator in epoch %d", c.name, c.g.Epoch())
		}
	}
}

// accept puts a Commit into the log and the model. list is what it covers, joiners
// who come by Add, in order; external one who comes by itself.
func (p *play) accept(from string, b []byte, list []Committed, external string, authenticator []byte) {
	next := epochModel{map[tree.LeafIndex]string{}, authenticator}
	for i, n := range p.model().leaves {
		next.leaves[i] = n
	}
	var adds []string
	gone := map[tree.LeafIndex]bool{}
	for _, c := range list {
		switch b := c.Proposal.Body.(type) {
		case *message.Remove:
			gone[tree.LeafIndex(b.Removed)] = true
		case *message.SelfRemove:
			gone[tree.LeafIndex(c.Sender.Index)] = true
		case *message.Add:
			adds = append(adds, string(b.KeyPackage.LeafNode.Credential.Identity))
		}
	}
	for i := range gone {
		delete(next.leaves, i)
	}
	if external != "" {
		adds = append(adds, external)
	}
	for _, n := range adds {
		i := tree.LeafIndex(0)
		for next.leaves[i] != "" {
			i++
		}
		next.leaves[i] = n
	}
	p.log = append(p.log, entry{from, p.epoch(), true, b, gone})
	p.epochs = append(p.epochs, next)
	p.track(b)
}

// track lets the hub follow.
func (p *play) track(b []byte) {
	if p.hub == nil {
		return
	}
	m, err := message.Parse(b, nil)
	p.ok(err)
	e, err := p.hub.Stage(now, m.Public)
	p.ok(err)
	if s, ok := e.(*Staged); ok {
		p.ok(p.hub.Merge(s))
	}
}
