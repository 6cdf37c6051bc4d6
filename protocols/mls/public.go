package mls

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// PublicGroup is the public state of a group: what a hub knows that follows its
// Commits, and what every member knows besides its secrets. It can check
// signatures, trees and proposals, but neither membership tags nor confirmation
// tags, which take an epoch's secrets.
//
// It is not for concurrent use. What it hands out is not to be modified.
type PublicGroup struct {
	cfg *Config
	now *snapshot
	// cache holds the proposals of the epoch by their references.
	cache cache
	// succession is set while the first Commit of a successor is made.
	succession *succession
	// member says that this is what a Group embeds, whose secrets have to enter the
	// next epoch together with it.
	member  bool
	journal *journal // nil until the state is asked for
}

// snapshot is one epoch's public state. It is immutable, and members in one
// process may share it.
type snapshot struct {
	context message.GroupContext
	encoded []byte // the context as it is encoded
	tree    *tree.Tree
	interim []byte // interim transcript hash
	tag     []byte // confirmation tag of the Commit that began the epoch
	needs   *needs // what the context asks of members
	// reInit is the ReInit proposal that ended the group, nil if it goes on.
	reInit *message.ReInit
}

// newSnapshot completes a snapshot of a context with its tree and tag.
func newSnapshot(c *Config, context message.GroupContext, t *tree.Tree, tag []byte) (*snapshot, error) {
	encoded, err := wire.Marshal(&context)
	if err != nil {
		return nil, fmt.Errorf("mls: GroupContext: %w", err)
	}
	return &snapshot{
		context: context,
		encoded: encoded,
		tree:    t,
		interim: schedule.InterimTranscriptHash(c.Suite, context.ConfirmedTranscriptHash, tag),
		tag:     tag,
		needs:   c.needsOf(context.Extensions),
	}, nil
}

// NewPublicGroup begins to track a group from a GroupInfo. The ratchet tree is
// taken from the GroupInfo's extension unless ratchetTree is not nil. Everything
// that can be checked without secrets is.
func NewPublicGroup(cfg *Config, now time.Time, info *message.GroupInfo, ratchetTree []byte) (*PublicGroup, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if info == nil {
		return nil, wanting("a GroupInfo")
	}
	snap, err := cfg.verifyGroupInfo(now, info, treeSource{Bytes: ratchetTree})
	if err != nil {
		return nil, err
	}
	return &PublicGroup{cfg: cfg, now: snap}, nil
}

// GroupID returns the group's identifier.
func (g *PublicGroup) GroupID() []byte { return g.now.context.GroupID }

// Epoch returns the number of the current epoch.
func (g *PublicGroup) Epoch() uint64 { return g.now.context.Epoch }

// Context returns the current GroupContext.
func (g *PublicGroup) Context() *message.GroupContext { return &g.now.context }

// Tree returns the ratchet tree. It never changes; the next epoch has another.
func (g *PublicGroup) Tree() *tree.Tree { return g.now.tree }

// ReInit returns the proposal that ended the group, nil if it goes on.
func (g *PublicGroup) ReInit() *message.ReInit { return g.now.reInit }

// Proposals returns the proposals received in this epoch, in their order.
func (g *PublicGroup) Proposals() []Committed { return slices.Clone(g.cache.order) }

// ClearProposals forgets the proposals received in this epoch.
func (g *PublicGroup) ClearProposals() {
	for i := range g.cache.order {
		g.journal.touch(recordName{kind: recordProposal, number: uint64(i)})
	}
	g.cache = cache{}
}

// Process takes a message to the group: an MLSMessage as it came. If it holds a
// PublicMessage it is for [PublicGroup.Stage]; a PrivateMessage is [ErrEncrypted].
func (g *PublicGroup) Process(now time.Time, b []byte) (Event, error) {
	m, err := message.Parse(b, g.cfg.points())
	if err != nil {
		return nil, err
	}
	switch {
	case m.Public != nil:
		return g.Stage(now, m.Public)
	case m.Private != nil:
		return nil, ErrEncrypted
	}
	return nil, fail(CheckGroup, "%v is no message to a group", m.WireFormat()) // 6-1
}

// Stage checks a proposal or Commit in a PublicMessage, without membership and
// confirmation tags. It returns a [*Received] or a [*Staged]. A proposal is kept
// from then on; a Commit changes nothing until Merge.
func (g *PublicGroup) Stage(now time.Time, m *message.PublicMessage) (Event, error) {
	if m == nil {
		return nil, wanting("a PublicMessage")
	}
	c := m.Authenticated()
	if err := g.checkFraming(c); err != nil {
		return nil, err
	}
	switch c.Content.Type {
	case message.ContentProposal:
		return g.receive(now, c)
	case message.ContentCommit:
		st, err := g.stage(now, c)
		if err != nil {
			return nil, err
		}
		return &Staged{stage: st}, nil
	}
	return nil, fail(CheckApplication, "application data in a PublicMessage")
}

// Merge makes a staged Commit the group's state. The part that a member's Group embeds
// refuses: its epoch would go on and the secrets would not.
func (g *PublicGroup) Merge(s *Staged) error {
	if s == nil || s.stage == nil {
		return wanting("a staged Commit")
	}
	if g.member {
		return errPart
	}
	old := g.now
	if err := g.merge(s); err != nil {
		return err
	}
	g.journal.touch(recordName{kind: recordContext})
	g.journal.advance(old.tree, g.now)
	g.journal.prune(g.Epoch())
	return nil
}

// errPart is the error of a call that would leave a member's secrets behind.
var errPart = errors.New("mls: this is the public part of a member's group, which Group.Merge changes")

// merge is Merge without the journal's part that depends on past epochs.
func (g *PublicGroup) merge(s *Staged) error {
	if s.stage.base != g.now {
		return ErrStale
	}
	g.ClearProposals()
	g.now = s.stage.next
	return nil
}

// checkFraming checks that content is the current epoch's and that its sender may
// send it (Section 6, 12.1.8).
func (g *PublicGroup) checkFraming(c *message.AuthenticatedContent) error {
	f := &c.Content
	if !bytes.Equal(f.GroupID, g.now.context.GroupID) { // 6-1
		return fail(CheckGroup, "message for group %s, want %s", groupName(f.GroupID), groupName(g.now.context.GroupID))
	}
	if f.Epoch != g.now.context.Epoch { // 6-2
		return g.wrongEpoch(f.Type, f.Epoch)
	}
	if g.now.reInit != nil { // 12.4.2-4
		return fail(CheckReInitClosed, "the group has ended with a ReInit")
	}
	if _, err := g.now.readAAD(f.AuthenticatedData); err != nil {
		return err
	}
	switch f.Sender.Type {
	case message.SenderMember:
		if g.now.tree.SignatureKey(tree.LeafIndex(f.Sender.Index)) == nil { // 6-5
			return fail(CheckSenderMember, "sender is leaf %d, which is blank", f.Sender.Index)
		}
		return nil
	case message.SenderNewMemberCommit:
		if f.Type != message.ContentCommit { // 6-6
			return fail(CheckSenderContent, "%v from a new_member_commit sender", f.Type)
		}
	case message.SenderExternal, message.SenderNewMemberProposal:
		if f.Type != message.ContentProposal { // 6-6
			return fail(CheckSenderContent, "%v from an %v sender", f.Type, f.Sender.Type)
		}
	}
	// 6-4, that others than members send PublicMessages (Section 12.1.8), needs no check:
	// the sender of a PrivateMessage is a leaf index.
	return nil
}

// groupName writes a group's identifier for people: quoted if it is printable, else in
// hexadecimal. It may come from anyone, so that what is long is cut.
func groupName(id []byte) string {
	const most = 64
	cut, rest := id[:min(len(id), most)], ""
	if len(id) > most {
		rest = fmt.Sprintf("… of %d bytes", len(id))
	}
	if s := string(cut); utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s) + rest
	}
	return hex.EncodeToString(cut) + rest
}

// wrongEpoch is the error for a message of another epoch than the current one.
func (g *PublicGroup) wrongEpoch(t message.ContentType, epoch uint64) error { // 6-2
	when := "future"
	if epoch < g.Epoch() {
		when = "past"
	}
	return fail(CheckEpoch, "%v of %s epoch %d, the group is at %d", t, when, epoch, g.Epoch())
}

// senderKey returns the key that a sender of proposals signs with.
func (g *PublicGroup) senderKey(c *message.AuthenticatedContent) ([]byte, error) {
	switch s := c.Content.Sender; s.Type {
	case message.SenderMember:
		return g.now.tree.SignatureKey(tree.LeafIndex(s.Index)), nil
	case message.SenderExternal:
		e, err := g.externalSender(s.Index)
		if err != nil {
			return nil, err
		}
		return e.SignatureKey, nil
	case message.SenderNewMemberProposal:
		add, ok := c.Content.Proposal.Body.(*message.Add)
		if !ok { // 12.1.8-3
			return nil, fail(CheckNewMemberAdd, "%v proposal from a new member, want an add", c.Content.Proposal.Type)
		}
		return add.KeyPackage.LeafNode.SignatureKey, nil
	}
	return nil, fail(CheckSenderContent, "%v from a %v sender", c.Content.Type, c.Content.Sender.Type)
}

// externalSender returns an entry of the external_senders extension (Section
// 12.1.8.1).
func (g *PublicGroup) externalSender(index uint32) (*message.ExternalSender, error) {
	data, ok := g.now.context.Extensions.Find(message.ExtensionExternalSenders)
	if !ok { // 12.1.8-2
		return nil, fail(CheckExternalSender, "the group has no external_senders")
	}
	var senders message.ExternalSenders
	if err := wire.Unmarshal(data, &senders); err != nil {
		return nil, fail(CheckExternalSender, "external_senders: %w", err)
	}
	if uint64(index) >= uint64(len(senders)) {
		return nil, fail(CheckExternalSender, "external sender %d, the group has %d", index, len(senders))
	}
	return &senders[index], nil
}
