package mls

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
)

// Event is what became of a message: an [*Application], a [*Received] proposal or a
// [*Staged] Commit.
type Event interface{ event() }

func (*Application) event() {}
func (*Received) event()    {}
func (*Staged) event()      {}

// Application is a message of the application that was opened and verified.
type Application struct {
	Sender     tree.LeafIndex
	Epoch      uint64
	Generation uint32
	Data       []byte // application_data
	AAD        []byte // authenticated data
	// Items are what components say in it, in a group with safe_aad; else nil.
	Items message.SafeAAD
	// MediaType and Content are what Data frames, in a group that frames it: see
	// [PublicGroup.Frame]. Else MediaType is nil and Content is Data.
	MediaType *message.MediaType
	Content   []byte
}

// Process takes a message to the group: an MLSMessage as it came. A proposal is
// kept and an application message's key deleted; a Commit changes nothing until
// it is merged.
func (g *Group) Process(now time.Time, b []byte) (Event, error) {
	m, err := message.Parse(b, g.cfg.points())
	if err != nil {
		return nil, err
	}
	return g.ProcessMessage(now, m)
}

// ProcessMessage is [Group.Process] for a message that was read.
func (g *Group) ProcessMessage(now time.Time, m *message.Message) (Event, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	if m == nil {
		return nil, wanting("a message")
	}
	switch {
	case m.Public != nil:
		return g.processPublic(now, m.Public)
	case m.Private != nil:
		return g.processPrivate(now, m.Private)
	}
	return nil, fail(CheckGroup, "%v is no message to a group", m.WireFormat())
}

func (g *Group) processPublic(now time.Time, p *message.PublicMessage) (Event, error) {
	c := p.Authenticated()
	if err := g.checkFraming(c); err != nil {
		return nil, err
	}
	if p.Content.Type == message.ContentApplication { // 6-3
		return nil, fail(CheckApplication, "application data in a PublicMessage")
	}
	if p.Content.Sender.Type == message.SenderMember {
		if !p.VerifyMembership(g.cfg.Suite, g.epoch.Membership, g.now.encoded) { // 6.2-1
			return nil, fail(CheckMembership, "membership tag of a message from leaf %d is wrong", p.Content.Sender.Index)
		}
		if tree.LeafIndex(p.Content.Sender.Index) == g.own {
			return nil, ErrOwnMessage
		}
	}
	if p.Content.Type == message.ContentProposal {
		return g.receive(now, c)
	}
	return g.stageSecrets(now, c, nil)
}

func (g *Group) processPrivate(now time.Time, p *message.PrivateMessage) (Event, error) {
	if !bytes.Equal(p.GroupID, g.GroupID()) { // 6-1
		return nil, fail(CheckGroup, "message for group %s, want %s", groupName(p.GroupID), groupName(g.GroupID()))
	}
	at, err := g.epochOf(p)
	if err != nil {
		return nil, err
	}
	s := g.cfg.Suite
	sd, err := schedule.OpenSenderData(s, at.senderData, p)
	if err != nil { // 6.3-1
		return nil, fail(CheckDecrypt, "sender data: %w", err)
	}
	if tree.LeafIndex(sd.LeafIndex) == g.own {
		return nil, ErrOwnMessage
	}
	key := at.snap.tree.SignatureKey(tree.LeafIndex(sd.LeafIndex))
	if key == nil { // 6-5
		return nil, fail(CheckSenderMember, "sender is leaf %d, which is blank", sd.LeafIndex)
	}
	c, err := schedule.OpenContent(s, at.keys, sd, p, g.cfg.points())
	if err != nil {
		switch {
		case errors.Is(err, schedule.ErrConsumed): // 6.3-2
			return nil, &Error{CheckGeneration, consumed{schedule.RatchetFor(p.ContentType), sd}}
		case errors.Is(err, schedule.ErrTooFarAhead): // 6.3-2
			return nil, fail(CheckGeneration, "%w", err)
		}
		return nil, fail(CheckDecrypt, "%w", err) // 6.3-1
	}
	consume := func() {
		g.journal.touchKey(p.Epoch, at.keys, sd.LeafIndex)
		at.keys.Consume(sd.LeafIndex, schedule.RatchetFor(p.ContentType), sd.Generation)
	}
	if p.ContentType == message.ContentApplication {
		return g.openApplication(at, c, key, sd, consume)
	}
	if err := g.checkFraming(c); err != nil {
		return nil, err
	}
	if p.ContentType == message.ContentCommit {
		return g.stageSecrets(now, c, consume)
	}
	r, err := g.receive(now, c)
	if err != nil {
		return nil, err
	}
	consume()
	return r, nil
}

// consumed is the error of a message whose key is gone. Messages of a sender are
// counted apart as application data and handshakes, each from 0 on in each epoch.
type consumed struct {
	ratchet schedule.Ratchet
	from    message.SenderData
}

func (c consumed) Error() string {
	return fmt.Sprintf("%v message %d of leaf %d was received before, or comes too late", c.ratchet, c.from.Generation, c.from.LeafIndex)
}

func (consumed) Unwrap() error { return schedule.ErrConsumed }

// Sender says who a message claims to be from, before it is processed: the sender
// and, if it is a member, its credential. Nothing changes, and nothing is verified
// but that a PrivateMessage's sender data decrypt.
func (g *Group) Sender(m *message.Message) (message.Sender, message.Credential, error) {
	var none message.Credential
	if g.removed {
		return message.Sender{}, none, ErrRemoved
	}
	if m == nil {
		return message.Sender{}, none, wanting("a message")
	}
	if m.Public != nil {
		s := m.Public.Content.Sender
		if s.Type != message.SenderMember {
			return s, none, nil
		}
		return g.memberSender(g.now.tree, s.Index)
	}
	if m.Private == nil {
		return message.Sender{}, none, fail(CheckGroup, "%v is no message to a group", m.WireFormat())
	}
	if !bytes.Equal(m.Private.GroupID, g.GroupID()) { // 6-1
		return message.Sender{}, none, fail(CheckGroup, "message for group %s, want %s", groupName(m.Private.GroupID), groupName(g.GroupID()))
	}
	at, err := g.epochOf(m.Private)
	if err != nil {
		return message.Sender{}, none, err
	}
	sd, err := schedule.OpenSenderData(g.cfg.Suite, at.senderData, m.Private)
	if err != nil { // 6.3-1
		return message.Sender{}, none, fail(CheckDecrypt, "sender data: %w", err)
	}
	return g.memberSender(at.snap.tree, sd.LeafIndex)
}

func (g *Group) memberSender(t *tree.Tree, leaf uint32) (message.Sender, message.Credential, error) {
	c, ok := t.Credential(tree.LeafIndex(leaf))
	if !ok { // 6-5
		return message.Sender{}, c, fail(CheckSenderMember, "sender is leaf %d, which is blank", leaf)
	}
	return message.Member(leaf), c, nil
}

// epochOf returns the epoch that a PrivateMessage belongs to: the current one or,
// for application data, a past one that is kept.
func (g *Group) epochOf(p *message.PrivateMessage) (pastEpoch, error) {
	if p.Epoch == g.Epoch() {
		return pastEpoch{g.now, g.epoch.SenderData, g.keys}, nil
	}
	if p.ContentType == message.ContentApplication {
		for _, e := range g.past {
			if e.snap.context.Epoch == p.Epoch {
				return e, nil
			}
		}
	}
	return pastEpoch{}, g.wrongEpoch(p.ContentType, p.Epoch)
}

func (g *Group) openApplication(at pastEpoch, c *message.AuthenticatedContent, key []byte, sd message.SenderData, consume func()) (Event, error) {
	items, err := at.snap.readAAD(c.Content.AuthenticatedData)
	if err != nil {
		return nil, err
	}
	if err := c.Verify(g.cfg.Suite, key, at.snap.encoded); err != nil { // 6.1-1
		return nil, fail(CheckSignature, "message from leaf %d: %w", sd.LeafIndex, err)
	}
	media, content, err := at.snap.unframe(c.Content.Application)
	if err != nil {
		return nil, err
	}
	consume()
	return &Application{
		Sender: tree.LeafIndex(sd.LeafIndex), Epoch: c.Content.Epoch, Generation: sd.Generation,
		Data: c.Content.Application, AAD: c.Content.AuthenticatedData,
		Items: items, MediaType: media, Content: content,
	}, nil
}

// stageSecrets stages a Commit: its public part and this member's secrets of the
// next epoch (Section 12.4.2).
func (g *Group) stageSecrets(now time.Time, c *message.AuthenticatedContent, consume func()) (Event, error) {
	st, err := g.stage(now, c)
	if err != nil {
		return nil, err
	}
	for _, r := range st.list.removes {
		if r == g.own {
			return &Staged{stage: st, removed: true}, nil
		}
	}
	own := &secrets{own: g.own, signer: g.signer, private: g.private, consume: consume}
	if err := g.takeUpdate(own, st.list); err != nil {
		return nil, err
	}
	commitSecret := make([]byte, g.cfg.Suite.ID().Sizes().Hash)
	if st.path == nil {
		if own.private, err = own.private.Rebase(st.next.tree); err != nil {
			return nil, treeError(err)
		}
	} else if own.private, commitSecret, err = own.private.Open(st.next.tree, st.leaf, st.path, st.provisional, st.added); err != nil { // 7.5-1
		return nil, fail(CheckPathDecrypt, "path of %s: %w", senderName(st.committer), err)
	}
	initSecret := g.epoch.Init
	if st.list.externalInit != nil {
		pair, err := schedule.ExternalKeyPair(g.cfg.Suite, g.epoch.External)
		if err != nil {
			return nil, fail(CheckListExternal, "external key: %w", err)
		}
		if initSecret, err = schedule.ExternalInitReceive(g.cfg.Suite, st.list.externalInit.KEMOutput, pair); err != nil { // 12.2-11
			return nil, fail(CheckListExternal, "external_init: %w", err)
		}
	}
	psk, err := g.pskSecret(st.list.psks)
	if err != nil {
		return nil, err
	}
	joiner := schedule.JoinerSecret(g.cfg.Suite, initSecret, commitSecret, st.next.encoded)
	member := schedule.MemberSecret(g.cfg.Suite, joiner, psk)
	own.epoch = schedule.NewEpoch(g.cfg.Suite, member, st.next.encoded)
	wipe(commitSecret, psk, joiner, member)
	if err := checkTag(g.cfg, own.epoch, st.next); err != nil {
		return nil, err
	}
	return &Staged{stage: st, secrets: own}, nil
}

// wipe overwrites secrets that others were derived from (Section 9.2).
func wipe(all ...[]byte) {
	for _, secret := range all {
		clear(secret)
	}
}

// takeUpdate gives secrets the keys of an own Update that the Commit covers.
func (g *Group) takeUpdate(own *secrets, l *list) error {
	for _, u := range l.updates {
		if u.leaf != g.own {
			continue
		}
		for _, p := range g.updates {
			if bytes.Equal(p.leaf.Public, u.node.EncryptionKey) {
				own.private, own.signer = own.private.WithLeaf(p.leaf), p.signer
				return nil
			}
		}
		return fail(CheckReference, "update of this member that it did not propose")
	}
	return nil
}

// checkTag checks a confirmation tag (Section 6.1).
func checkTag(c *Config, epoch *schedule.Epoch, snap *snapshot) error {
	want := schedule.ConfirmationTag(c.Suite, epoch.Confirmation, snap.context.ConfirmedTranscriptHash)
	if subtle.ConstantTimeCompare(want, snap.tag) != 1 { // 6.1-2
		return fail(CheckConfirmation, "confirmation tag of epoch %d is wrong", snap.context.Epoch)
	}
	return nil
}
