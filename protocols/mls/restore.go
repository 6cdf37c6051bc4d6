package mls

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Restore returns the group whose State and later Changes the records are, or what a
// store has made of them: of several records with one key the last counts, and one
// without a value deletes. cfg is as it was. Errors wrap [ErrState].
//
// Records are taken to be the store's own, whole and of one moment (see [Record]). What
// one says of another is checked, as far as it costs no cryptography but the signer's
// public key and the confirmation tag: tree hashes, epochs and their order, the leaf
// and its keys, and those of own Updates.
func Restore(cfg *Config, records []Record) (*Group, error) {
	r, err := newRestorer(cfg, records)
	if err != nil {
		return nil, err
	}
	g := newGroup(cfg, nil)
	if err := r.group(g); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return g, nil
}

// RestorePublic is [Restore] of a [PublicGroup].
func RestorePublic(cfg *Config, records []Record) (*PublicGroup, error) {
	r, err := newRestorer(cfg, records)
	if err != nil {
		return nil, err
	}
	g := &PublicGroup{}
	if err := r.public(g); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if err := r.finish(g, g.Epoch()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return g, nil
}

// restorer reads a state. What it has read it takes out of values.
type restorer struct {
	cfg     *Config
	values  map[recordName][]byte // without pages
	pages   map[pageName][]pageVersion
	entries map[uint64]map[uint32][]byte // of secret trees, by epoch
	journal *journal
}

// pageVersion is a page's data as of an epoch, the oldest first.
type pageVersion struct {
	epoch uint64
	data  []byte
}

func newRestorer(cfg *Config, records []Record) (*restorer, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r := &restorer{cfg: cfg, values: make(map[recordName][]byte), pages: make(map[pageName][]pageVersion), entries: make(map[uint64]map[uint32][]byte), journal: newJournal()}
	for _, rec := range records {
		n, ok := parseName(rec.Key)
		if !ok {
			return nil, fmt.Errorf("%w: record %q is of no kind", ErrState, rec.Key)
		}
		if rec.Value == nil {
			delete(r.values, n)
		} else {
			r.values[n] = rec.Value
		}
	}
	for n, v := range r.values {
		if len(v) == 0 || v[0] != recordVersion {
			return nil, fmt.Errorf("%w: record %s: version is missing or not %d", ErrState, n, recordVersion)
		}
		r.values[n] = bytes.Clone(v[1:])
		switch n.kind {
		case recordTree:
			r.pages[n.page] = append(r.pages[n.page], pageVersion{n.number, r.values[n]})
			delete(r.values, n)
		case recordKeys:
			if r.entries[n.number] == nil {
				r.entries[n.number] = make(map[uint32][]byte)
			}
			r.entries[n.number][n.page.number] = r.values[n]
			delete(r.values, n)
		}
	}
	for _, versions := range r.pages {
		slices.SortFunc(versions, func(a, b pageVersion) int { return cmp.Compare(a.epoch, b.epoch) })
	}
	return r, nil
}

// raw takes a record's value without its version.
func (r *restorer) raw(n recordName) ([]byte, error) {
	b, ok := r.values[n]
	if !ok {
		return nil, fmt.Errorf("record %s is missing", n)
	}
	delete(r.values, n)
	return b, nil
}

// take reads a record.
func (r *restorer) take(n recordName, read func(*wire.Reader)) error {
	b, err := r.raw(n)
	if err != nil {
		return err
	}
	rd := wire.NewReader(b)
	read(rd)
	if err := rd.Done(); err != nil {
		return fmt.Errorf("record %s: %w", n, err)
	}
	return nil
}

// numbers returns the numbers of the records of a kind that were not read,
// ascending.
func (r *restorer) numbers(k recordKind) (out []uint64) {
	for n := range r.values {
		if n.kind == k {
			out = append(out, n.number)
		}
	}
	slices.Sort(out)
	return out
}

// finish checks that nothing is left over and gives the group its journal, of which
// all was reported.
func (r *restorer) finish(g *PublicGroup, oldest uint64) error {
	for n := range r.values {
		return fmt.Errorf("record %s has no place in this state", n)
	}
	for epoch := range r.entries {
		return fmt.Errorf("records keys/%016x have no place in this state", epoch)
	}
	for page, versions := range r.pages {
		for i, v := range versions {
			switch {
			case v.epoch > g.Epoch():
				return fmt.Errorf("page %d of level %d is of epoch %d, the group is at %d", page.number, page.level, v.epoch, g.Epoch())
			case i == len(versions)-1:
				if len(v.data) == 0 && i == 0 {
					return fmt.Errorf("page %d of level %d is blank and never was anything else", page.number, page.level)
				}
				r.journal.latest[page] = version{v.epoch, len(v.data) == 0}
			case versions[i+1].epoch <= oldest:
				return fmt.Errorf("page %d of level %d as of epoch %d is of no epoch that is kept", page.number, page.level, v.epoch)
			default:
				r.journal.old = append(r.journal.old, superseded{page, v.epoch, versions[i+1].epoch})
			}
		}
	}
	slices.SortFunc(r.journal.old, func(a, b superseded) int { return cmp.Compare(a.until, b.until) })
	g.journal = r.journal
	return nil
}

// tree returns the tree of an epoch.
func (r *restorer) tree(context *message.GroupContext) (*tree.Tree, error) {
	var pages []tree.Page
	for name, versions := range r.pages {
		var data []byte
		for _, v := range versions {
			if v.epoch <= context.Epoch {
				data = v.data
			}
		}
		if len(data) > 0 {
			pages = append(pages, tree.Page{Level: name.level, Number: name.number, Data: data})
		}
	}
	return r.cfg.treeOf(pages, context)
}

// treeOf reads the tree of a context.
func (c *Config) treeOf(pages []tree.Page, context *message.GroupContext) (*tree.Tree, error) {
	if context.Suite != c.Suite.ID() {
		return nil, fmt.Errorf("group of suite %d, want %d", context.Suite, c.Suite.ID())
	}
	t, err := tree.FromPages(c.Suite, pages)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(t.Hash(), context.TreeHash) {
		return nil, fmt.Errorf("pages with tree hash %x, epoch %d has %x", t.Hash(), context.Epoch, context.TreeHash)
	}
	return t, nil
}

// publicSnapshot reads what snapshot.write wrote.
type publicSnapshot struct {
	context message.GroupContext
	tag     []byte
	reInit  *message.ReInit
}

func (p *publicSnapshot) UnmarshalTLS(r *wire.Reader) {
	p.context.UnmarshalTLS(r)
	p.tag = r.Opaque()
	r.Optional(func() {
		p.reInit = new(message.ReInit)
		p.reInit.UnmarshalTLS(r)
	})
}

// snapshot completes it with its tree.
func (p *publicSnapshot) snapshot(c *Config, t *tree.Tree) (*snapshot, error) {
	// Credentials of external senders were validated when they came.
	if err := checkExtensionList("GroupContext", p.context.Extensions); err != nil {
		return nil, err
	}
	if err := c.needsOf(p.context.Extensions).err; err != nil {
		return nil, err
	}
	snap, err := newSnapshot(c, p.context, t, p.tag)
	if err != nil {
		return nil, err
	}
	snap.reInit = p.reInit
	return snap, nil
}

// public reads the public state.
func (r *restorer) public(g *PublicGroup) error {
	var p publicSnapshot
	if err := r.take(recordName{kind: recordContext}, p.UnmarshalTLS); err != nil {
		return err
	}
	t, err := r.tree(&p.context)
	if err != nil {
		return err
	}
	g.cfg = r.cfg
	if g.now, err = p.snapshot(r.cfg, t); err != nil {
		return err
	}
	if known := r.cfg.Shared.epoch(g.now.encoded, g.now.tag); known != nil && known.reInit == nil && g.now.reInit == nil {
		g.now = known
	}
	for i, number := range r.numbers(recordProposal) {
		var c Committed
		if number != uint64(i) {
			return fmt.Errorf("proposal %d follows proposal %d", number, i-1)
		}
		if err := r.take(recordName{kind: recordProposal, number: number}, func(rd *wire.Reader) { c.read(rd, r.cfg) }); err != nil {
			return err
		}
		if s := c.Sender; s.Type == message.SenderMember && g.now.tree.SignatureKey(tree.LeafIndex(s.Index)) == nil {
			return fmt.Errorf("proposal %d is of leaf %d, which is blank", number, s.Index)
		}
		if !g.cache.add(c) {
			return fmt.Errorf("proposal %d is there twice", number)
		}
	}
	return nil
}

// read reads what write wrote.
func (p *Committed) read(r *wire.Reader, c *Config) {
	p.Sender.UnmarshalTLS(r)
	p.public = readBool(r)
	p.Ref = r.Opaque()
	if size := c.Suite.ID().Sizes().Hash; r.Err() == nil && len(p.Ref) != size {
		r.Fail(fmt.Errorf("reference of %d bytes, want %d", len(p.Ref), size))
	}
	body := c.points().Proposal(r)
	p.Proposal = &body
}

func readBool(r *wire.Reader) bool {
	b := r.Uint8()
	if b > 1 {
		r.Fail(fmt.Errorf("truth value %d, want 0 or 1", b))
	}
	return b == 1
}

// group reads a member's state.
func (r *restorer) group(g *Group) error {
	if err := r.public(&g.PublicGroup); err != nil {
		return err
	}
	for _, epoch := range r.numbers(recordResumption) {
		var secret []byte
		if err := r.take(recordName{kind: recordResumption, number: epoch}, func(rd *wire.Reader) { secret = rd.Opaque() }); err != nil {
			return err
		}
		if epoch > g.Epoch() || len(secret) != r.cfg.Suite.ID().Sizes().Hash {
			return fmt.Errorf("resumption secret of epoch %d with %d bytes", epoch, len(secret))
		}
		if len(g.resumption) > 0 && epoch != g.resumption[0].epoch+1 {
			return fmt.Errorf("resumption secret of epoch %d follows that of epoch %d", epoch, g.resumption[0].epoch)
		}
		g.resumption = append([]resumption{{epoch, secret}}, g.resumption...)
	}
	g.epoch = new(schedule.Epoch)
	if err := r.take(recordName{kind: recordMember}, func(rd *wire.Reader) { r.member(rd, g) }); err != nil {
		return err
	}
	if g.removed {
		return r.finish(&g.PublicGroup, g.Epoch())
	}
	if err := r.secrets(g); err != nil {
		return err
	}
	return r.finish(&g.PublicGroup, g.oldest())
}

// member reads what writeMember wrote.
func (r *restorer) member(rd *wire.Reader, g *Group) {
	g.removed = readBool(rd)
	g.own = tree.LeafIndex(rd.Uint32())
	if g.removed || rd.Err() != nil {
		return
	}
	g.signer = rd.Opaque()
	if public, err := r.cfg.Suite.SignerPublicKey(g.signer); err != nil || !bytes.Equal(public, g.now.tree.SignatureKey(g.own)) {
		rd.Fail(fmt.Errorf("the signer is not that of leaf %d", g.own))
	}
	for _, secret := range epochSecrets(g.epoch) {
		*secret = rd.Fixed(r.cfg.Suite.ID().Sizes().Hash)
	}
}

// secrets reads the other records of one who is a member.
func (r *restorer) secrets(g *Group) error {
	if len(g.resumption) == 0 || g.resumption[0].epoch != g.Epoch() {
		return fmt.Errorf("resumption secret of epoch %d is missing", g.Epoch())
	}
	g.epoch.Resumption = g.resumption[0].secret
	if err := checkTag(r.cfg, g.epoch, g.now); err != nil {
		return err
	}
	g.private = new(tree.Private)
	if err := r.take(recordName{kind: recordPrivate}, g.private.UnmarshalTLS); err != nil {
		return err
	}
	if err := g.private.Check(g.now.tree); err != nil {
		return err
	}
	if g.private.Leaf() != g.own {
		return fmt.Errorf("private keys of leaf %d, want %d", g.private.Leaf(), g.own)
	}
	b, err := r.raw(recordName{kind: recordExporter})
	if err != nil {
		return err
	}
	if g.exporter, err = schedule.UnmarshalExporterTree(r.cfg.Suite, b); err != nil {
		return err
	}
	if g.keys, err = r.keys(g.now); err != nil {
		return err
	}
	if err := r.past(g); err != nil {
		return err
	}
	if err := r.updates(g); err != nil {
		return err
	}
	return checkUpdates(g)
}

// updates reads the keys of own Updates.
func (r *restorer) updates(g *Group) error {
	for i, number := range r.numbers(recordUpdate) {
		var u pendingUpdate
		if number != uint64(i) {
			return fmt.Errorf("update %d follows update %d", number, i-1)
		}
		if err := r.take(recordName{kind: recordUpdate, number: number}, func(rd *wire.Reader) {
			u = pendingUpdate{suite.KeyPair{Private: rd.Opaque(), Public: rd.Opaque()}, rd.Opaque()}
		}); err != nil {
			return err
		}
		g.updates = append(g.updates, u)
	}
	return nil
}

// checkUpdates checks that an own Update that waits for a Commit has its keys.
func checkUpdates(g *Group) error {
	for i := range g.cache.order {
		p := &g.cache.order[i]
		b, ok := p.Proposal.Body.(*message.Update)
		if !ok || p.Sender != message.Member(uint32(g.own)) {
			continue
		}
		at := slices.IndexFunc(g.updates, func(u pendingUpdate) bool { return bytes.Equal(u.leaf.Public, b.LeafNode.EncryptionKey) })
		if at < 0 {
			return fmt.Errorf("the keys of proposal %d, an update of this member, are missing", i)
		}
		if public, err := g.cfg.Suite.SignerPublicKey(g.updates[at].signer); err != nil || !bytes.Equal(public, b.LeafNode.SignatureKey) {
			return fmt.Errorf("the signer of update %d is not that of proposal %d", at, i)
		}
	}
	return nil
}

// keys reads the secret tree of an epoch.
func (r *restorer) keys(snap *snapshot) (*schedule.SecretTree, error) {
	epoch := snap.context.Epoch
	t, err := schedule.UnmarshalEntries(r.cfg.Suite, snap.tree.Width(), r.entries[epoch], r.cfg.Limits)
	if err != nil {
		return nil, fmt.Errorf("records keys/%016x: %w", epoch, err)
	}
	delete(r.entries, epoch)
	return t, nil
}

// past reads the past epochs, which end where the current one begins.
func (r *restorer) past(g *Group) error {
	numbers := r.numbers(recordPast)
	later := g.now
	for _, epoch := range slices.Backward(numbers) {
		var context message.GroupContext
		var senderData []byte
		if err := r.take(recordName{kind: recordPast, number: epoch}, func(rd *wire.Reader) {
			context.UnmarshalTLS(rd)
			senderData = rd.Opaque()
		}); err != nil {
			return err
		}
		if context.Epoch != epoch || epoch+1 != later.context.Epoch || !bytes.Equal(context.GroupID, g.GroupID()) ||
			len(senderData) != r.cfg.Suite.ID().Sizes().Hash {
			return fmt.Errorf("past epoch %d of group %x before epoch %d", epoch, context.GroupID, later.context.Epoch)
		}
		t := later.tree
		if !bytes.Equal(context.TreeHash, t.Hash()) {
			var err error
			if t, err = r.tree(&context); err != nil {
				return err
			}
		}
		snap, err := newSnapshot(r.cfg, context, t, nil)
		if err != nil {
			return err
		}
		keys, err := r.keys(snap)
		if err != nil {
			return err
		}
		g.past = append(g.past, pastEpoch{snap, senderData, keys})
		later = snap
	}
	return nil
}
