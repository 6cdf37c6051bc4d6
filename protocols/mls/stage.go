package mls

import (
	"bytes"
	"math"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// stage is the public part of a Commit that was checked and is not yet the group's
// state.
type stage struct {
	cfg       *Config
	base      *snapshot
	next      *snapshot
	list      *list
	committer message.Sender
	leaf      tree.LeafIndex // of the committer; of the joiner in an external Commit
	added     []tree.LeafIndex
	path      *message.UpdatePath
	before    *tree.Tree // with the proposals applied, and not yet the path
	// provisional is the GroupContext that the path secrets are encrypted under,
	// as it is encoded (Section 12.4.1).
	provisional []byte
	aad         []byte
}

// Staged is a Commit that was checked and waits for Merge. It can be looked at;
// dropping it leaves the group as it was.
type Staged struct {
	stage   *stage
	secrets *secrets // nil in a PublicGroup, or if the Commit removes the client
	removed bool
}

// Epoch returns the epoch that the Commit begins.
func (s *Staged) Epoch() uint64 { return s.stage.next.context.Epoch }

// Committer returns who committed.
func (s *Staged) Committer() message.Sender { return s.stage.committer }

// Leaf returns the committer's leaf, which is new in an external Commit.
func (s *Staged) Leaf() tree.LeafIndex { return s.stage.leaf }

// Proposals returns what the Commit covers, in its order.
func (s *Staged) Proposals() []Committed { return s.stage.list.all }

// Added returns the leaves of members that Adds bring, in their order.
func (s *Staged) Added() []tree.LeafIndex { return s.stage.added }

// RemovedLeaves returns the leaves of members that the Commit removes.
func (s *Staged) RemovedLeaves() []tree.LeafIndex { return s.stage.list.removes }

// Removed reports whether the Commit removes this client.
func (s *Staged) Removed() bool { return s.removed }

// Context returns the GroupContext that is to be.
func (s *Staged) Context() *message.GroupContext { return &s.stage.next.context }

// Tree returns the ratchet tree that is to be.
func (s *Staged) Tree() *tree.Tree { return s.stage.next.tree }

// HasPath reports whether the Commit renews its sender's keys.
func (s *Staged) HasPath() bool { return s.stage.path != nil }

// ReInit returns the ReInit that ends the group, nil if it goes on.
func (s *Staged) ReInit() *message.ReInit { return s.stage.list.reInit }

// AAD returns the authenticated data that came with the Commit.
func (s *Staged) AAD() []byte { return s.stage.aad }

// Items returns what components say in the authenticated data, in a group with
// safe_aad; else nil.
func (s *Staged) Items() message.SafeAAD {
	items, err := s.stage.base.readAAD(s.stage.aad)
	if err != nil {
		return nil // was checked before it was staged, or came from a store without it
	}
	return items
}

// stage checks the public part of a Commit (Section 12.4.2), whose framing was
// checked. Its result may be shared with other members in the process.
func (g *PublicGroup) stage(now time.Time, c *message.AuthenticatedContent) (*stage, error) {
	if st := g.cfg.Shared.staged(g.now, c); st != nil {
		return st, nil
	}
	st, err := g.stageCommit(now, c)
	if err == nil {
		g.cfg.Shared.keep(g.now, c, st)
	}
	return st, err
}

func (g *PublicGroup) stageCommit(now time.Time, c *message.AuthenticatedContent) (*stage, error) {
	commit, committer := c.Content.Commit, c.Content.Sender
	external := committer.Type == message.SenderNewMemberCommit
	if external && commit.Path == nil { // 12.4.3.2-1
		return nil, fail(CheckExternalPath, "external commit without a path")
	}
	if !external && committer.Type != message.SenderMember { // 6-6
		return nil, fail(CheckSenderContent, "commit from a %v sender", committer.Type)
	}
	key := g.now.tree.SignatureKey(tree.LeafIndex(committer.Index))
	if external {
		key = commit.Path.LeafNode.SignatureKey
	}
	tbs, err := c.TBS(g.now.encoded)
	if err != nil {
		return nil, fail(CheckSignature, "commit: %w", err)
	}
	var sigs signatures
	sigs.add(CheckSignature, "commit from "+senderName(committer), key, message.LabelFramedContent, tbs, c.Auth.Signature) // 6.1-1

	all, err := g.resolve(commit, committer, c.WireFormat == message.WirePublicMessage)
	if err != nil {
		return nil, err
	}
	l, err := g.sort(now, all, committer, &sigs)
	if err != nil {
		return nil, err
	}
	if l.needsPath && commit.Path == nil { // 12.4-2
		return nil, fail(CheckPathRequired, "commit of %d proposals without a path, which they require", len(all))
	}
	st := &stage{cfg: g.cfg, base: g.now, list: l, committer: committer, leaf: tree.LeafIndex(committer.Index), path: commit.Path, aad: c.Content.AuthenticatedData}
	if st.before, st.added, err = g.apply(l); err != nil {
		return nil, err
	}
	after := st.before
	if commit.Path != nil {
		if after, err = g.applyPath(now, st, &sigs); err != nil {
			return nil, err
		}
	}
	var joiner *message.LeafNode
	if external {
		joiner = &commit.Path.LeafNode
	}
	if err := sigs.verify(g.cfg.Suite); err != nil {
		return nil, err
	}
	if err := g.authorize(l, committer, joiner); err != nil {
		return nil, err
	}
	return st, g.advance(st, after, c)
}

// applyPath checks an UpdatePath and merges it into the tree (Section 12.4.2).
func (g *PublicGroup) applyPath(now time.Time, st *stage, sigs *signatures) (*tree.Tree, error) {
	e := st.before.Edit()
	at := place{
		what: "leaf of the commit's path", source: message.SourceCommit, now: now,
		groupID: g.now.context.GroupID, needs: st.list.needs,
	}
	if st.committer.Type == message.SenderNewMemberCommit {
		var err error
		if st.leaf, err = e.NextLeaf(); err != nil {
			return nil, treeError(err)
		}
		if i, ok := resynced(st.list); ok {
			at.replaces = g.now.tree.Leaf(i)
		}
	} else {
		at.replaces = st.before.Leaf(st.leaf)
		if bytes.Equal(st.path.LeafNode.EncryptionKey, at.replaces.EncryptionKey) { // 12.4.2-2
			return nil, fail(CheckPathLeafKey, "leaf of the path has the encryption_key that %s has", leafName(st.leaf))
		}
	}
	at.index = st.leaf
	if err := g.cfg.checkLeaf(&st.path.LeafNode, at, sigs); err != nil {
		return nil, err
	}
	if err := e.ApplyPath(st.leaf, st.path, st.added); err != nil {
		return nil, pathError(err)
	}
	t, err := e.Tree()
	if err != nil {
		return nil, treeError(err)
	}
	return t, g.cfg.checkCredentials(t)
}

// resynced returns the leaf that an external Commit removes in favour of its
// sender's.
func resynced(l *list) (tree.LeafIndex, bool) {
	for i := range l.all {
		if r, ok := l.all[i].Proposal.Body.(*message.Remove); ok {
			return tree.LeafIndex(r.Removed), true
		}
	}
	return 0, false
}

// provision sets the provisional GroupContext, which the path secrets are encrypted
// under.
func (st *stage) provision(after *tree.Tree) (message.GroupContext, error) {
	next := st.base.context
	if next.Epoch == math.MaxUint64 { // 6-2
		return next, fail(CheckEpoch, "commit in epoch %d, after which there is none", next.Epoch)
	}
	next.Epoch++
	next.TreeHash = after.Hash()
	next.Extensions = st.list.extensions
	var err error
	if st.provisional, err = wire.Marshal(&next); err != nil {
		return next, fail(CheckPathShape, "GroupContext: %w", err)
	}
	return next, nil
}

// advance completes a stage: the provisional context, the transcript and the next
// epoch's public state.
func (g *PublicGroup) advance(st *stage, after *tree.Tree, c *message.AuthenticatedContent) error {
	next, err := st.provision(after)
	if err != nil {
		return err
	}
	input, err := c.ConfirmedTranscriptHashInput()
	if err != nil {
		return fail(CheckConfirmation, "transcript: %w", err)
	}
	next.ConfirmedTranscriptHash = schedule.ConfirmedTranscriptHash(g.cfg.Suite, st.base.interim, input)
	if st.next, err = newSnapshot(g.cfg, next, after, c.Auth.ConfirmationTag); err != nil {
		return err
	}
	st.next.reInit = st.list.reInit
	return nil
}
