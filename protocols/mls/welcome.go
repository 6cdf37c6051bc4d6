package mls

import (
	"bytes"
	"fmt"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// JoinOptions say what one who joins knows besides the Welcome.
type JoinOptions struct {
	RatchetTree []byte     // if the GroupInfo does not hold it
	Tree        *tree.Tree // the same, as another member of the process has it
	// Known reports whether the client has a group with this identifier.
	Known func(groupID []byte) bool
	// Old is the group that a reinitialised or branched one comes from; see
	// [Group.Successor] and [Group.Branch].
	Old *Group
}

// StagedWelcome is a Welcome that was opened and checked. The group can be looked at
// before the client joins it.
type StagedWelcome struct {
	Info       *message.GroupInfo
	KeyPackage *KeyPackage // the one that the Welcome used
	snap       *snapshot
	cfg        *Config
	secrets    *secrets
}

// Sender returns the leaf of the member who sent the Welcome.
func (w *StagedWelcome) Sender() tree.LeafIndex { return tree.LeafIndex(w.Info.Signer) }

// Tree returns the group's ratchet tree.
func (w *StagedWelcome) Tree() *tree.Tree { return w.snap.tree }

// Context returns the group's GroupContext.
func (w *StagedWelcome) Context() *message.GroupContext { return &w.snap.context }

// Join joins the group. It is for once: the group overwrites the secrets that it gets.
func (w *StagedWelcome) Join() *Group {
	g := newGroup(w.cfg, w.snap)
	g.enter(w.secrets)
	return g
}

// OpenWelcome opens a Welcome with one of the client's KeyPackages (RFC 9420, Section
// 12.4.3.1).
func OpenWelcome(cfg *Config, now time.Time, w *message.Welcome, keys []*KeyPackage, o JoinOptions) (*StagedWelcome, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if w == nil {
		return nil, wanting("a Welcome")
	}
	if w.Suite != cfg.Suite.ID() { // 12.4.3.1-2
		return nil, fail(CheckWelcomeSuite, "Welcome of suite %d, want %d", w.Suite, cfg.Suite.ID())
	}
	k, entry := findWelcome(w, keys)
	if k == nil { // 12.4.3.1-1
		return nil, fail(CheckWelcomeFor, "Welcome for %d KeyPackages, none of them this client's", len(w.Secrets))
	}
	gs, err := cfg.openSecrets(w, k, entry)
	if err != nil {
		return nil, err
	}
	psk, err := cfg.welcomePSK(gs, o.Old)
	if err != nil {
		return nil, err
	}
	member := schedule.MemberSecret(cfg.Suite, gs.JoinerSecret, psk)
	defer wipe(gs.JoinerSecret, gs.PathSecret, psk, member)
	info, err := cfg.openGroupInfo(w, member)
	if err != nil {
		return nil, err
	}
	if info.Context.Suite != k.Public.Suite { // 12.4.3.1-2
		return nil, fail(CheckWelcomeSuite, "group of suite %d, the KeyPackage has %d", info.Context.Suite, k.Public.Suite)
	}
	if o.Known != nil && o.Known(info.Context.GroupID) { // 12.4.3.1-7
		return nil, fail(CheckGroupUnique, "the client has group %s already", groupName(info.Context.GroupID))
	}
	snap, err := cfg.verifyGroupInfo(now, info, treeSource{Bytes: o.RatchetTree, Tree: o.Tree})
	if err != nil {
		return nil, err
	}
	own, err := cfg.ownSecrets(k, snap, info, gs, member)
	if err != nil {
		return nil, err
	}
	if err := checkSuccessor(gs.PSKs, snap, o.Old); err != nil {
		return nil, err
	}
	cfg.Shared.keepEpoch(snap)
	return &StagedWelcome{info, k, snap, cfg, own}, nil
}

// findWelcome returns the KeyPackage that a Welcome is for, and its entry.
func findWelcome(w *message.Welcome, keys []*KeyPackage) (*KeyPackage, *message.EncryptedGroupSecrets) {
	for i := range w.Secrets {
		for _, k := range keys {
			if k != nil && bytes.Equal(w.Secrets[i].NewMember, k.Ref) {
				return k, &w.Secrets[i]
			}
		}
	}
	return nil, nil
}

// openSecrets decrypts the GroupSecrets.
func (c *Config) openSecrets(w *message.Welcome, k *KeyPackage, e *message.EncryptedGroupSecrets) (*message.GroupSecrets, error) {
	b, err := labeled.Decrypt(c.Suite, k.Init.Private, "Welcome", w.EncryptedGroupInfo, e.Secrets.KEMOutput, e.Secrets.Ciphertext)
	if err != nil { // 12.4.3.1-3
		return nil, fail(CheckWelcomeSecrets, "GroupSecrets: %w", err)
	}
	gs := new(message.GroupSecrets)
	if err := wire.Unmarshal(b, gs); err != nil {
		return nil, fail(CheckWelcomeSecrets, "GroupSecrets: %w", err)
	}
	return gs, nil
}

// welcomePSK combines the pre-shared keys of a Welcome.
func (c *Config) welcomePSK(gs *message.GroupSecrets, old *Group) ([]byte, error) {
	special, hash := 0, c.Suite.ID().Sizes().Hash
	for i := range gs.PSKs {
		id := &gs.PSKs[i]
		if len(id.Nonce) != hash { // 8.4-1
			return nil, fail(CheckPSKNonce, "psk_nonce of %d bytes, want %d", len(id.Nonce), hash)
		}
		if isSuccession(id) {
			special++
		}
	}
	if special > 1 { // 12.4.3.1-4
		return nil, fail(CheckWelcomePSK, "%d pre-shared keys of usage reinit or branch, want 1 at most", special)
	}
	return c.pskSecret(gs.PSKs, func(id *message.PreSharedKeyID) ([]byte, bool) {
		if old != nil && id.Type == message.PSKResumption && bytes.Equal(id.GroupID, old.GroupID()) {
			return old.ResumptionPSK(id.Epoch)
		}
		return nil, false
	})
}

// isSuccession reports whether a PSK links a new group to an old one.
func isSuccession(id *message.PreSharedKeyID) bool {
	return id.Type == message.PSKResumption && id.Usage != message.ResumptionApplication
}

// openGroupInfo decrypts the GroupInfo.
func (c *Config) openGroupInfo(w *message.Welcome, member []byte) (*message.GroupInfo, error) {
	key, nonce := schedule.WelcomeKey(c.Suite, member)
	aead, err := c.Suite.AEAD(key)
	if err != nil {
		return nil, fmt.Errorf("mls: welcome key: %w", err)
	}
	b, err := aead.Open(nil, nonce, w.EncryptedGroupInfo, nil)
	if err != nil { // 12.4.3.1-5
		return nil, fail(CheckGroupInfo, "GroupInfo: %w", err)
	}
	info := new(message.GroupInfo)
	if err := wire.Unmarshal(b, info); err != nil {
		return nil, fail(CheckGroupInfo, "GroupInfo: %w", err)
	}
	return info, nil
}

// ownSecrets finds the client's leaf and derives its secrets.
func (c *Config) ownSecrets(k *KeyPackage, snap *snapshot, info *message.GroupInfo, gs *message.GroupSecrets, member []byte) (*secrets, error) {
	leaf, ok := snap.tree.LeafByEncryptionKey(k.Public.LeafNode.EncryptionKey)
	if ok {
		want, err1 := wire.Marshal(&k.Public.LeafNode)
		got, err2 := wire.Marshal(snap.tree.Leaf(leaf))
		ok = err1 == nil && err2 == nil && bytes.Equal(want, got)
	}
	if !ok { // 12.4.3.1-11
		return nil, fail(CheckWelcomeLeaf, "the KeyPackage's leaf is not in the tree")
	}
	private := tree.NewPrivate(leaf, k.Leaf)
	if gs.PathSecret != nil {
		var err error
		if private, err = private.Join(snap.tree, tree.LeafIndex(info.Signer), gs.PathSecret); err != nil { // 12.4.3.1-12
			return nil, fail(CheckWelcomePath, "path_secret: %w", err)
		}
	}
	own := &secrets{own: leaf, signer: k.Signer.Private, private: private, epoch: schedule.NewEpoch(c.Suite, member, snap.encoded)}
	return own, checkTag(c, own.epoch, snap)
}

// treeSource says where a ratchet tree comes from if not from the GroupInfo.
type treeSource struct {
	Bytes []byte
	Tree  *tree.Tree
}

// verifyGroupInfo checks a GroupInfo with its tree (Sections 12.4.3, 12.4.3.1) and
// returns the public state that it describes.
func (c *Config) verifyGroupInfo(now time.Time, info *message.GroupInfo, src treeSource) (*snapshot, error) {
	if info.Context.Suite != c.Suite.ID() { // 12.4.3.1-2
		return nil, fail(CheckWelcomeSuite, "group of suite %d, want %d", info.Context.Suite, c.Suite.ID())
	}
	encoded, err := wire.Marshal(&info.Context)
	if err != nil {
		return nil, fail(CheckGroupInfo, "GroupContext: %w", err)
	}
	snap := c.Shared.epoch(encoded, info.ConfirmationTag)
	known := snap != nil
	if !known {
		t, err := c.ratchetTree(info, src)
		if err != nil {
			return nil, err
		}
		if snap, err = newSnapshot(c, info.Context, t, info.ConfirmationTag); err != nil {
			return nil, err
		}
	}
	if err := c.checkInfoSigner(info, snap.tree); err != nil {
		return nil, err
	}
	if err := c.checkInfoExtensions(info); err != nil {
		return nil, err
	}
	if known {
		return snap, nil
	}
	return snap, c.verifyEpoch(now, snap)
}

// checkInfoSigner checks the signature of a GroupInfo, which a member makes.
func (c *Config) checkInfoSigner(info *message.GroupInfo, t *tree.Tree) error {
	key := t.SignatureKey(tree.LeafIndex(info.Signer))
	if key == nil { // 12.4.3.1-6
		return fail(CheckGroupInfoSigner, "signer of the GroupInfo is leaf %d, which is blank", info.Signer)
	}
	if err := info.Verify(c.Suite, key); err != nil { // 12.4.3.1-6
		return fail(CheckGroupInfoSigner, "GroupInfo: %w", err)
	}
	return nil
}

// checkInfoExtensions checks the extensions of a GroupInfo itself.
func (c *Config) checkInfoExtensions(info *message.GroupInfo) error {
	if err := checkExtensionList("GroupInfo", info.Extensions); err != nil {
		return err
	}
	return c.checkDictionary("GroupInfo", info.Extensions)
}

// ratchetTree reads the tree and checks its hash.
func (c *Config) ratchetTree(info *message.GroupInfo, src treeSource) (*tree.Tree, error) {
	t := src.Tree
	if t == nil {
		data := src.Bytes
		if data == nil {
			var ok bool
			if data, ok = info.Extensions.Find(message.ExtensionRatchetTree); !ok { // 12.4.3.1-8
				return nil, fail(CheckTreePresent, "GroupInfo has no ratchet_tree and none was given")
			}
		}
		var err error
		if t, err = tree.Parse(c.Suite, data); err != nil { // 12.4.3.1-10
			return nil, fail(CheckTreeShape, "ratchet_tree: %w", err)
		}
	}
	if !bytes.Equal(t.Hash(), info.Context.TreeHash) { // 12.4.3.1-9
		return nil, fail(CheckTreeHash, "tree hash %x, the GroupContext says %x", t.Hash(), info.Context.TreeHash)
	}
	return t, nil
}

// verifyEpoch checks a tree that came from outside, and that the client supports
// what the group uses.
func (c *Config) verifyEpoch(now time.Time, snap *snapshot) error {
	t, context := snap.tree, &snap.context
	if err := c.checkNewContext(now, context.GroupID, context.Extensions); err != nil {
		return err
	}
	caps := c.Capabilities()
	for _, e := range context.Extensions { // 12.4.3-1
		if !caps.SupportsExtension(e.Type) {
			return fail(CheckContextExtensions, "the GroupContext has extension %v, which this client does not support", e.Type)
		}
	}
	if err := t.VerifyKeys(); err != nil {
		return treeError(err)
	}
	if err := t.VerifyParentHashes(); err != nil { // 7.9.2-1
		return fail(CheckParentHash, "%w", err)
	}
	at := place{any: true, now: now, groupID: context.GroupID, needs: snap.needs}
	for i, leaf := range t.All() {
		at.what, at.index = leafName(i), i
		if err := c.checkLeaf(leaf, at, nil); err != nil {
			return err
		}
	}
	if err := c.checkCredentials(t); err != nil {
		return err
	}
	if bad, err := t.VerifyLeaves(context.GroupID, nil); err != nil { // 7.3-2
		return fail(CheckLeafSignature, "signature of %s: %w", leafName(bad), err)
	}
	return nil
}
