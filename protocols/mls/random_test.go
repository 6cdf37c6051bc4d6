package mls

import (
	"bytes"
	"errors"
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
		for range rapid.IntRange(4, 16).Draw(t, "steps") {
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
	size := rapid.SampledFrom([]int{1, 2, 3, 4, 7, 8, 9, 16, playLimit}).Draw(t, "size")
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
	for _, name := range append([]string{}, p.names...) {
		if c := p.clients[name]; c != nil {
			p.read(c, len(p.log))
		}
	}
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
	if rapid.IntRange(0, 3).Draw(p.T, "psk") == 0 && !pending {
		id := message.PreSharedKeyID{Type: message.PSKExternal, ID: []byte("shared")}
		if rapid.Bool().Draw(p.T, "resumption") {
			id = message.PreSharedKeyID{Type: message.PSKResumption, Usage: message.ResumptionApplication, GroupID: c.g.GroupID(), Epoch: c.g.Epoch()}
			adds = 0 // who joins does not know it
		}
		if id.Type == message.PSKResumption {
			p.readAll() // and so does every member
			if p.clients[c.name] != c {
				return
			}
			id.Epoch = p.epoch()
		}
		psk, err := p.cfg.PSKProposal(id)
		p.ok(err)
		psks = append(psks, psk)
	}
	p.commit(c, adds, removes, pending, rapid.Bool().Draw(p.T, "path"), psks)
}

func (p *play) readAll() {
	for _, name := range append([]string{}, p.names...) {
		p.read(p.clients[name], len(p.log))
	}
}

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

// refused lets a client process what it must refuse.
func (p *play) refused(c *player, b []byte, want ...error) {
	p.Helper()
	before := fingerprint(c.g)
	_, err := c.g.Process(now, b)
	if err == nil {
		p.Fatalf("%s takes what it should refuse", c.name)
	}
	if fingerprint(c.g) != before {
		p.Fatalf("%s changes its state by what it refuses: %v", c.name, err)
	}
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	if want != nil {
		p.Fatalf("%s refuses with %v, want %v", c.name, err, want)
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

// say lets a client send application data.
func (p *play) say() {
	c := p.any()
	data := fmt.Appendf(nil, "%d of %s", len(p.chats), c.name)
	b, err := c.g.Protect(data, SendOptions{})
	if len(c.g.Proposals()) > 0 {
		if !errors.Is(err, ErrProposalsPending) {
			p.Fatalf("%s: %v, want %v", c.name, err, ErrProposalsPending)
		}
		return
	}
	p.ok(err)
	p.chats = append(p.chats, &chat{c, c.g.Epoch(), b, data, map[*player]bool{}})
}

// deliver brings application data to a client, for the first time or again.
func (p *play) deliver() {
	if len(p.chats) == 0 {
		return
	}
	m, c := rapid.SampledFrom(p.chats).Draw(p.T, "chat"), p.any()
	at := c.g.Epoch()
	switch {
	case m.epoch > at || m.epoch < c.joined || m.epoch+playPast < at:
		p.refused(c, m.bytes, CheckEpoch)
	case m.from == c:
		p.refused(c, m.bytes, ErrOwnMessage)
	case m.seen[c]:
		p.refused(c, m.bytes, CheckGeneration)
	default:
		p.refused(c, p.flip(m.bytes))
		e, err := c.g.Process(now, m.bytes)
		if err != nil {
			p.Fatalf("%s at epoch %d: data of %s in epoch %d: %v", c.name, at, m.from.name, m.epoch, err)
		}
		if a := e.(*Application); !bytes.Equal(a.Data, m.data) || a.Sender != m.from.g.OwnLeaf() || a.Epoch != m.epoch {
			p.Fatalf("%s reads %q of leaf %d, want %q", c.name, a.Data, a.Sender, m.data)
		}
		m.seen[c] = true
	}
}

// ahead brings a client a handshake of an epoch that it has not come to.
func (p *play) ahead() {
	c := p.any()
	for _, e := range p.log[c.pos:] {
		if e.epoch > c.g.Epoch() {
			p.refused(c, e.bytes, CheckEpoch)
			return
		}
	}
}

// again brings a client a handshake that it has read.
func (p *play) again() {
	c := p.any()
	if c.pos == 0 {
		return
	}
	e := p.log[rapid.IntRange(0, c.pos-1).Draw(p.T, "entry")]
	switch {
	case e.epoch != c.g.Epoch():
		p.refused(c, e.bytes, CheckEpoch)
	case e.from == c.name:
		p.refused(c, e.bytes, ErrOwnMessage)
	default:
		p.refused(c, e.bytes, ErrDuplicate, CheckGeneration)
	}
}

// damage brings a client the next handshake with one bit changed. It has to read
// the right one afterwards.
func (p *play) damage() {
	c := p.any()
	if c.pos == len(p.log) {
		return
	}
	if p.log[c.pos].from != c.name {
		p.refused(c, p.flip(p.log[c.pos].bytes))
	}
	p.read(c, c.pos+1)
}

// flip returns bytes with one bit changed.
func (p *play) flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[rapid.IntRange(0, len(b)-1).Draw(p.T, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(p.T, "bit")
	return b
}
