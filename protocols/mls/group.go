package mls

import (
	"bytes"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// Group is one member's view of a group: the public state that all members agree
// on and the member's secrets.
//
// It is not for concurrent use. On an error nothing has changed, but that a key
// drawn for sending is used up.
type Group struct {
	PublicGroup
	own      tree.LeafIndex
	signer   suite.PrivateKey
	private  *tree.Private
	epoch    *schedule.Epoch
	keys     *schedule.SecretTree
	exporter *schedule.ExporterTree
	// past are earlier epochs whose application messages may still come, the
	// latest first.
	past []pastEpoch
	// resumption are the resumption secrets of the current and earlier epochs,
	// the latest first.
	resumption []resumption
	// updates are the leaf keys of own Update proposals of this epoch.
	updates []pendingUpdate
	removed bool
}

// pastEpoch is what is kept of an epoch to open late application messages.
type pastEpoch struct {
	snap       *snapshot
	senderData []byte
	keys       *schedule.SecretTree
}

type resumption struct {
	epoch  uint64
	secret []byte
}

// pendingUpdate is an Update that was proposed: it takes effect if a Commit covers
// it.
type pendingUpdate struct {
	leaf   suite.KeyPair
	signer suite.PrivateKey
}

// secrets are a member's secrets of an epoch that is to be.
type secrets struct {
	own     tree.LeafIndex
	signer  suite.PrivateKey
	private *tree.Private
	epoch   *schedule.Epoch
	consume func() // deletes the key that opened the Commit; may be nil
}

// newGroup returns a member's group in an epoch whose secrets it has yet to enter.
func newGroup(c *Config, now *snapshot) *Group {
	return &Group{PublicGroup: PublicGroup{cfg: c, now: now, member: true}}
}

// GroupOptions are what the creator of a group chooses.
type GroupOptions struct {
	Extensions message.Extensions // of the GroupContext
	Leaf       LeafOptions        // of the creator
}

// New makes a group with one member (RFC 9420, Section 11).
func New(cfg *Config, now time.Time, id *Identity, groupID []byte, o GroupOptions) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if id == nil {
		return nil, wanting("an identity")
	}
	s := cfg.Suite
	pair, err := s.GenerateKeyPair()
	if err != nil {
		return nil, fmt.Errorf("mls: encryption key: %w", err)
	}
	leaf, err := cfg.leaf(id, pair.Public, &o.Leaf)
	if err != nil {
		return nil, err
	}
	// The leaf of a creator is from no KeyPackage that anyone has seen; it says
	// key_package, as other implementations have it.
	leaf.Source, leaf.Lifetime = message.SourceKeyPackage, o.Leaf.lifetime(now)
	if err := leaf.Sign(s, id.Signer.Private, groupID, 0); err != nil {
		return nil, fmt.Errorf("mls: leaf: %w", err)
	}
	return cfg.found(now, leaf, pair, id.Signer.Private, groupID, o.Extensions)
}

// found makes the group of one leaf, at epoch 0.
func (c *Config) found(now time.Time, leaf *message.LeafNode, pair suite.KeyPair, signer suite.PrivateKey, groupID []byte, extensions message.Extensions) (*Group, error) {
	s := c.Suite
	if err := c.checkNewContext(now, groupID, extensions); err != nil {
		return nil, err
	}
	if err := c.checkSupport(leaf, place{what: "the creator's leaf", needs: c.needsOf(extensions)}); err != nil {
		return nil, err
	}
	t, err := tree.New(s, leaf)
	if err != nil {
		return nil, treeError(err)
	}
	context := message.GroupContext{
		Suite: s.ID(), GroupID: groupID, TreeHash: t.Hash(), ConfirmedTranscriptHash: []byte{}, Extensions: extensions,
	}
	secret := make([]byte, s.ID().Sizes().Hash)
	if _, err := s.Rand().Read(secret); err != nil {
		return nil, fmt.Errorf("mls: epoch secret: %w", err)
	}
	epoch := schedule.EpochOf(s, secret)
	tag := schedule.ConfirmationTag(s, epoch.Confirmation, context.ConfirmedTranscriptHash)
	snap, err := newSnapshot(c, context, t, tag)
	if err != nil {
		return nil, err
	}
	g := newGroup(c, snap)
	g.enter(&secrets{own: 0, signer: signer, private: tree.NewPrivate(0, pair), epoch: epoch})
	return g, nil
}

// enter makes secrets the group's, which has the epoch's public state already. It
// overwrites what the secret tree and the exporter tree were made of, so that only
// they say what is left, and the private keys that the epoch before had alone (RFC 9420,
// Section 9.2).
func (g *Group) enter(s *secrets) {
	if g.private != nil {
		g.private.Erase(s.private)
	}
	g.own, g.signer, g.private, g.epoch = s.own, s.signer, s.private, s.epoch
	g.keys = schedule.NewSecretTree(g.cfg.Suite, s.epoch.Encryption, g.now.tree.Width(), g.cfg.Limits)
	g.exporter = schedule.NewExporterTree(g.cfg.Suite, s.epoch.ApplicationExport)
	clear(s.epoch.Encryption)
	clear(s.epoch.ApplicationExport)
	s.epoch.Encryption, s.epoch.ApplicationExport = nil, nil
	g.resumption = append([]resumption{{g.Epoch(), s.epoch.Resumption}}, g.resumption...)
	g.journal.touchKeys(g.Epoch(), g.keys.Entries())
	most := max(g.cfg.resumptionEpochs(), 1)
	for i, r := range g.resumption {
		if i == 0 || i >= most {
			g.journal.touch(recordName{kind: recordResumption, number: r.epoch})
		}
	}
	g.resumption = g.resumption[:min(len(g.resumption), most)]
	g.dropUpdates()
}

// dropUpdates forgets the own Updates of an epoch that has ended.
func (g *Group) dropUpdates() {
	for i := range g.updates {
		g.journal.touch(recordName{kind: recordUpdate, number: uint64(i)})
	}
	g.updates = nil
}

// OwnLeaf returns where this member is in the tree.
func (g *Group) OwnLeaf() tree.LeafIndex { return g.own }

// Removed reports whether a Commit has removed this client.
func (g *Group) Removed() bool { return g.removed }

// EpochAuthenticator returns a value that members of one epoch share, to compare
// (Section 8.7). Once the client is removed there is none.
func (g *Group) EpochAuthenticator() []byte { return bytes.Clone(g.epoch.Authenticator) }

// ResumptionPSK returns an epoch's resumption secret, if it is kept (Section 8.6).
func (g *Group) ResumptionPSK(epoch uint64) ([]byte, bool) {
	for _, r := range g.resumption {
		if r.epoch == epoch {
			return bytes.Clone(r.secret), true
		}
	}
	return nil, false
}

// Export derives a secret of n bytes from the epoch (Section 8.5).
func (g *Group) Export(label string, context []byte, n int) ([]byte, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	return schedule.Export(g.cfg.Suite, g.epoch.Exporter, label, context, n)
}

// SafeExport returns the epoch's secret for a component, once
// (draft-ietf-mls-extensions-10, Exported Secrets).
func (g *Group) SafeExport(id message.ComponentID) ([]byte, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	g.journal.touch(recordName{kind: recordExporter})
	return g.exporter.SafeExport(uint16(id))
}

// usable says why the group can't be used, if it can't.
func (g *Group) usable() error {
	if g.removed {
		return ErrRemoved
	}
	if g.now.reInit != nil { // 12.4.2-4
		return fail(CheckReInitClosed, "the group has ended with a ReInit")
	}
	return nil
}

// Merge makes a staged Commit the group's state.
func (g *Group) Merge(s *Staged) error {
	if g.removed {
		return ErrRemoved
	}
	if s == nil || s.stage == nil {
		return wanting("a staged Commit")
	}
	if !s.removed && (s.secrets == nil || s.secrets.own != g.own) {
		return ErrStale // staged by another group: a tracker, or another member of the process
	}
	old := pastEpoch{g.now, g.epoch.SenderData, g.keys}
	if err := g.PublicGroup.merge(s); err != nil {
		return err
	}
	for _, k := range []recordKind{recordContext, recordMember, recordPrivate, recordExporter} {
		g.journal.touch(recordName{kind: k})
	}
	g.journal.touch(recordName{kind: recordPast, number: old.snap.context.Epoch})
	g.cfg.Shared.keepEpoch(g.now)
	if s.removed {
		g.leave(old)
	} else {
		if s.secrets.consume != nil {
			s.secrets.consume()
		}
		g.past = append([]pastEpoch{old}, g.past...)
		g.forget(g.cfg.PastEpochs)
		g.end()
		g.enter(s.secrets)
	}
	g.journal.advance(old.snap.tree, g.now)
	g.journal.prune(g.oldest())
	return nil
}

// end overwrites the secrets that are of no use once the next epoch has begun (RFC 9420,
// Section 9.2): the init_secret among them would give that epoch's to whoever learns
// the commit_secret.
func (g *Group) end() {
	g.epoch.SenderData, g.epoch.Resumption = nil, nil // the past epoch has the one, the list of them the other
	g.epoch.Wipe()
	g.exporter.Wipe()
}

// forget overwrites the secrets of all past epochs but the latest n.
func (g *Group) forget(n int) {
	n = max(n, 0)
	for len(g.past) > n {
		last := len(g.past) - 1
		e := &g.past[last]
		g.journal.touch(recordName{kind: recordPast, number: e.snap.context.Epoch})
		g.journal.touchKeys(e.snap.context.Epoch, e.keys.Entries())
		e.keys.Wipe()
		clear(e.senderData)
		g.past = g.past[:last]
	}
}

// leave overwrites a removed member's secrets, but for those of resumption, which
// may let it come back.
func (g *Group) leave(old pastEpoch) {
	g.removed = true
	g.past = append([]pastEpoch{old}, g.past...)
	g.forget(0)
	g.exporter.Wipe()
	g.epoch.Resumption = nil // the list of them has it
	g.epoch.Wipe()
	g.dropUpdates()
	g.private.Erase(nil)
	g.signer, g.private, g.keys, g.exporter = nil, nil, nil, nil
}

// oldest returns the earliest epoch of which anything but the resumption secret is
// kept.
func (g *Group) oldest() uint64 {
	if n := len(g.past); n > 0 {
		return g.past[n-1].snap.context.Epoch
	}
	return g.Epoch()
}

// pskSecret looks pre-shared keys up and combines them (Section 8.4).
func (g *Group) pskSecret(ids []message.PreSharedKeyID) ([]byte, error) {
	return g.cfg.pskSecret(ids, func(id *message.PreSharedKeyID) ([]byte, bool) {
		if s := g.succession; s != nil && isSuccession(id) {
			return s.secret, true // first: the group may have the identifier of the old one
		}
		if id.Type == message.PSKResumption && string(id.GroupID) == string(g.GroupID()) {
			return g.ResumptionPSK(id.Epoch)
		}
		return nil, false
	})
}

// pskSecret looks pre-shared keys up, first in local, and combines them.
func (c *Config) pskSecret(ids []message.PreSharedKeyID, local func(*message.PreSharedKeyID) ([]byte, bool)) ([]byte, error) {
	psks := make([]schedule.PSK, len(ids))
	for i := range ids {
		secret, ok := local(&ids[i])
		if !ok && c.PSK != nil {
			secret, ok = c.PSK(&ids[i])
		}
		if !ok { // 8.4-2
			return nil, fail(CheckPSKAvailable, "pre-shared key %s is not known", pskName(&ids[i]))
		}
		psks[i] = schedule.PSK{ID: ids[i], Secret: secret}
	}
	secret, err := schedule.PSKSecret(c.Suite, psks)
	if err != nil {
		return nil, fail(CheckPSKAvailable, "pre-shared keys: %w", err)
	}
	return secret, nil
}

// GroupInfo returns a signed description of the group (Section 12.4.3). Only
// one made with o.External lets others join by an external Commit.
func (g *Group) GroupInfo(o GroupInfoOptions) (*message.GroupInfo, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	return g.cfg.groupInfo(g.now, &secrets{own: g.own, signer: g.signer, epoch: g.epoch}, o)
}

// GroupInfoOptions say what a GroupInfo is to hold.
type GroupInfoOptions struct {
	External   bool // the external_pub, for external Commits
	NoTree     bool // leave the ratchet_tree out: others have it from elsewhere
	Extensions message.Extensions
}

func (c *Config) groupInfo(snap *snapshot, sec *secrets, o GroupInfoOptions) (*message.GroupInfo, error) {
	info := &message.GroupInfo{Context: snap.context, ConfirmationTag: snap.tag, Signer: uint32(sec.own)}
	if !o.NoTree {
		data, err := snap.tree.Marshal()
		if err != nil {
			return nil, treeError(err)
		}
		info.Extensions = append(info.Extensions, message.Extension{Type: message.ExtensionRatchetTree, Data: data})
	}
	if o.External {
		pair, err := schedule.ExternalKeyPair(c.Suite, sec.epoch.External)
		if err != nil {
			return nil, fmt.Errorf("mls: external key: %w", err)
		}
		data, err := wire.Marshal(&message.ExternalPub{PublicKey: pair.Public})
		if err != nil {
			return nil, fmt.Errorf("mls: external_pub: %w", err)
		}
		info.Extensions = append(info.Extensions, message.Extension{Type: message.ExtensionExternalPub, Data: data})
	}
	info.Extensions = append(info.Extensions, o.Extensions...)
	if err := info.Sign(c.Suite, sec.signer); err != nil {
		return nil, fmt.Errorf("mls: GroupInfo: %w", err)
	}
	return info, nil
}
