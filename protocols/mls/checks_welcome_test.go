package mls

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// welcome lets "9" open a Welcome of the insider.
func (x *scene) welcome(f welcomeForgery) error {
	x.t.Helper()
	return x.open(f, JoinOptions{})
}

func (x *scene) open(f welcomeForgery, o JoinOptions) error {
	x.t.Helper()
	k := x.keyPackage("9")
	w := forgeWelcome(x.t, x.in, k, f)
	_, err := OpenWelcome(x.cfg, now, w, []*KeyPackage{k}, o)
	return err
}

// TestForgedWelcome sees that a Welcome of the forger is accepted while it breaks
// nothing.
func TestForgedWelcome(t *testing.T) {
	t.Parallel()
	x := newScene(t, new(row))
	same := func(list []node) []node { return list }
	for name, f := range map[string]welcomeForgery{"plain": {}, "rewritten": {nodes: same}} {
		if err := x.welcome(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// changeLeaf changes a leaf of the tree and signs it again with its member's key. That
// of the committer, leaf 1, is the one that no parent hash covers.
func (x *scene) changeLeaf(i int, change func(*message.LeafNode)) func([]node) []node {
	return func(list []node) []node {
		leaf := list[2*i].leaf
		change(leaf)
		signer := x.groups[string(leaf.Credential.Identity)]
		if signer == nil {
			signer = x.in
		}
		if err := leaf.Sign(x.cfg.Suite, signer.signer, []byte("group"), uint32(i)); err != nil {
			x.t.Fatal(err)
		}
		return list
	}
}

// welcomeRows break the rules of RFC 9420, Sections 12.4.3 and 12.4.3.1, and those
// of others that a Welcome can break.
var welcomeRows = []row{
	{check: CheckWelcomeFor, run: func(x *scene) error {
		k := x.keyPackage("9")
		w := forgeWelcome(x.t, x.in, k, welcomeForgery{})
		_, err := OpenWelcome(x.cfg, now, w, []*KeyPackage{x.keyPackage("9"), x.keyPackage("8")}, JoinOptions{})
		return err
	}},
	{check: CheckWelcomeFor, name: "a Welcome for nobody", run: func(x *scene) error {
		return x.welcome(welcomeForgery{sealed: func(w *message.Welcome) { w.Secrets = nil }})
	}},
	{check: CheckWelcomeSuite, name: "Welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{sealed: func(w *message.Welcome) { w.Suite = 3 }})
	}},
	{check: CheckWelcomeSuite, name: "KeyPackage", run: func(x *scene) error {
		k := x.keyPackage("9")
		w := forgeWelcome(x.t, x.in, k, welcomeForgery{})
		k.Public.Suite = 3 // whose keys are of the same kind, so that all else is right
		_, err := OpenWelcome(x.cfg, now, w, []*KeyPackage{k}, JoinOptions{})
		return err
	}},
	{check: CheckWelcomeSuite, name: "GroupContext", run: func(x *scene) error {
		return x.welcome(welcomeForgery{context: func(c *message.GroupContext) { c.Suite = 3 }})
	}},
	{check: CheckWelcomeSuite, name: "GroupInfo for an external commit", run: func(x *scene) error {
		info, err := x.in.GroupInfo(GroupInfoOptions{External: true})
		if err != nil {
			return err
		}
		info.Context.Suite = suite.ID(3)
		_, err = JoinExternal(x.cfg, now, x.identity("9"), info, ExternalOptions{})
		return err
	}},
	{check: CheckWelcomeSecrets, name: "ciphertext", run: func(x *scene) error {
		return x.welcome(welcomeForgery{sealed: func(w *message.Welcome) { w.Secrets[0].Secrets.Ciphertext[0] ^= 1 }})
	}},
	{check: CheckWelcomeSecrets, name: "for another GroupInfo", run: func(x *scene) error {
		return x.welcome(welcomeForgery{sealed: func(w *message.Welcome) { w.EncryptedGroupInfo[0] ^= 1 }})
	}},
	{check: CheckWelcomeSecrets, name: "malformed", run: func(x *scene) error {
		return x.welcome(welcomeForgery{gs: func(b []byte) []byte { return b[:5] }})
	}},
	{check: CheckWelcomePSK, run: func(x *scene) error {
		return x.welcome(welcomeForgery{secrets: func(gs *message.GroupSecrets) {
			a, b := resumptionPSK(message.ResumptionBranch, 1), resumptionPSK(message.ResumptionReInit, 1)
			a.Nonce, b.Nonce = make([]byte, 32), make([]byte, 32)
			gs.PSKs = []message.PreSharedKeyID{a, b}
		}})
	}},
	{check: CheckPSKNonce, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{secrets: func(gs *message.GroupSecrets) {
			gs.PSKs = []message.PreSharedKeyID{{Type: message.PSKExternal, ID: []byte("known"), Nonce: []byte{1}}}
		}})
	}},
	{check: CheckPSKAvailable, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{secrets: func(gs *message.GroupSecrets) {
			gs.PSKs = []message.PreSharedKeyID{{Type: message.PSKExternal, ID: []byte("unknown"), Nonce: make([]byte, 32)}}
		}})
	}},
	{check: CheckGroupInfo, name: "key", run: func(x *scene) error {
		return x.welcome(welcomeForgery{psk: bytes.Repeat([]byte{1}, 32)})
	}},
	{check: CheckGroupInfo, name: "malformed", run: func(x *scene) error {
		return x.welcome(welcomeForgery{plain: func(b []byte) []byte { return b[:len(b)-1] }})
	}},
	{check: CheckGroupInfoSigner, name: "signature", run: func(x *scene) error {
		return x.welcome(welcomeForgery{signed: func(i *message.GroupInfo) { i.Signature[0] ^= 1 }})
	}},
	{check: CheckGroupInfoSigner, name: "blank leaf", run: func(x *scene) error {
		return x.welcome(welcomeForgery{info: func(i *message.GroupInfo) { i.Signer = blankLeaf }})
	}},
	{check: CheckGroupInfoSigner, name: "another member", run: func(x *scene) error {
		return x.welcome(welcomeForgery{info: func(i *message.GroupInfo) { i.Signer = 0 }})
	}},
	{check: CheckGroupUnique, run: func(x *scene) error {
		return x.open(welcomeForgery{}, JoinOptions{Known: func(id []byte) bool { return string(id) == "group" }})
	}},
	{check: CheckTreePresent, run: func(x *scene) error {
		return x.welcome(welcomeForgery{info: func(i *message.GroupInfo) { i.Extensions = nil }})
	}},
	{check: CheckTreeHash, name: "GroupContext", run: func(x *scene) error {
		return x.welcome(welcomeForgery{context: func(c *message.GroupContext) { c.TreeHash = make([]byte, 32) }})
	}},
	{check: CheckTreeHash, name: "tree of an epoch before", run: func(x *scene) error {
		old, err := x.in.Tree().Marshal()
		if err != nil {
			return err
		}
		return x.welcome(welcomeForgery{bytes: func([]byte) []byte { return old }})
	}},
	{check: CheckTreeShape, name: "malformed", run: func(x *scene) error {
		return x.welcome(welcomeForgery{bytes: func(b []byte) []byte { return b[:len(b)-1] }})
	}},
	{check: CheckTreeShape, name: "last node is blank", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node { return append(list, node{}, node{}) }})
	}},
	{check: CheckTreeShape, name: "leaf in a parent's place", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[1] = list[0]
			return list
		}})
	}},
	{check: CheckTreeShape, name: "unmerged leaf that is blank", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[7].parent.UnmergedLeaves = []uint32{6}
			return list
		}})
	}},
	{check: CheckTreeShape, name: "unmerged leaf of another subtree", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[3].parent.UnmergedLeaves = []uint32{4}
			return list
		}})
	}},
	{check: CheckTreeShape, name: "unmerged leaf that a node between lacks", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[7].parent.UnmergedLeaves = []uint32{0}
			return list
		}})
	}},
	{check: CheckWelcomeLeaf, name: "not in the tree", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node { return list[:7] }})
	}},
	{check: CheckWelcomeLeaf, name: "another leaf with the key", run: func(x *scene) error {
		k := x.keyPackage("9")
		w := forgeWelcome(x.t, x.in, k, welcomeForgery{})
		k.Public.LeafNode.Extensions = message.Extensions{{Type: message.ExtensionApplicationID}}
		_, err := OpenWelcome(x.cfg, now, w, []*KeyPackage{k}, JoinOptions{})
		return err
	}},
	{check: CheckWelcomePath, name: "keys", run: func(x *scene) error {
		return x.welcome(welcomeForgery{secrets: func(gs *message.GroupSecrets) { gs.PathSecret = make([]byte, 32) }})
	}},
	{check: CheckWelcomePath, name: "size", run: func(x *scene) error {
		return x.welcome(welcomeForgery{secrets: func(gs *message.GroupSecrets) { gs.PathSecret = []byte{} }})
	}},
	{check: CheckConfirmation, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{tag: func(tag []byte) { tag[0] ^= 1 }})
	}},
	{check: CheckContextExtensions, run: func(x *scene) error {
		k := x.keyPackage("9")
		k.Public.LeafNode.Capabilities.Extensions = append(k.Public.LeafNode.Capabilities.Extensions, 0xf001)
		resign(x.t, x.cfg.Suite, k)
		w := forgeWelcome(x.t, x.in, k, welcomeForgery{context: func(c *message.GroupContext) {
			c.Extensions = message.Extensions{{Type: 0xf001}}
		}})
		_, err := OpenWelcome(x.cfg, now, w, []*KeyPackage{k}, JoinOptions{})
		return err
	}},
	{check: CheckExtensionTwice, name: "GroupInfo", run: func(x *scene) error {
		return x.welcome(welcomeForgery{info: func(i *message.GroupInfo) {
			i.Extensions = append(i.Extensions, message.Extension{Type: 0xf001}, message.Extension{Type: 0xf001})
		}})
	}},
	{check: CheckExtensionTwice, name: "GroupContext of a welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{context: func(c *message.GroupContext) { c.Extensions = twice(message.ExtensionApplicationID) }})
	}},
	{check: CheckParentHash, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[3].parent.ParentHash = make([]byte, 32)
			return list
		}})
	}},
	{check: CheckLeafKey, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[5].parent = &message.ParentNode{EncryptionKey: list[0].leaf.EncryptionKey}
			return list
		}})
	}},
	{check: CheckKey, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[3].parent.EncryptionKey = []byte{1}
			return list
		}})
	}},
	{check: CheckLeafSignatureKey, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: x.changeLeaf(0, func(l *message.LeafNode) { l.SignatureKey = x.identity("2").Signer.Public })})
	}},
	{check: CheckLeafSignature, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[2].leaf.Signature[0] ^= 1
			return list
		}})
	}},
	{check: CheckLeafExtensions, name: "welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: x.changeLeaf(1, func(l *message.LeafNode) { l.Extensions = message.Extensions{{Type: 0xf003}} })})
	}},
	{check: CheckLeafCredential, name: "welcome", config: authenticated, run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			list[2].leaf.Credential = message.BasicCredential([]byte("mallory"))
			if err := list[2].leaf.Sign(x.cfg.Suite, x.in.signer, []byte("group"), 1); err != nil {
				x.t.Fatal(err)
			}
			return list
		}})
	}},
	{check: CheckLeafCredentials, name: "welcome", config: twoCredentials, run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: x.changeLeaf(1, func(l *message.LeafNode) {
			l.Credential.Type = 0xf000
			l.Capabilities.Credentials = []message.CredentialType{0xf000}
		})})
	}},
	{check: CheckLeafRequired, name: "welcome", config: func(c *Config) { c.Extensions = []message.ExtensionType{0xf001} }, run: func(x *scene) error {
		return x.welcome(welcomeForgery{
			nodes: x.changeLeaf(1, func(l *message.LeafNode) { l.Capabilities.Extensions, l.Extensions = nil, nil }),
			context: func(c *message.GroupContext) {
				c.Extensions = requiring(message.RequiredCapabilities{Extensions: []message.ExtensionType{0xf001}})(x.cfg)
			},
		})
	}},
	{check: CheckExternalCredential, name: "welcome", config: authenticated, run: func(x *scene) error {
		list := message.ExternalSenders{{SignatureKey: make([]byte, 32), Credential: message.BasicCredential([]byte("mallory"))}}
		return x.welcome(welcomeForgery{context: func(c *message.GroupContext) {
			c.Extensions = message.Extensions{{Type: message.ExtensionExternalSenders, Data: must(&list)}}
		}})
	}},
	{check: CheckLeafLifetime, name: "welcome", run: func(x *scene) error {
		k := x.keyPackage("9")
		w := forgeWelcome(x.t, x.in, k, welcomeForgery{})
		_, err := OpenWelcome(x.cfg, now.AddDate(0, 3, 0), w, []*KeyPackage{k}, JoinOptions{})
		return err
	}},
	{check: CheckGroupInfoEpoch, name: "of the epoch before", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) {
			old, err := x.in.GroupInfo(GroupInfoOptions{NoTree: true})
			if err != nil {
				x.t.Fatal(err)
			}
			*i = *old
		})
	}},
	{check: CheckGroupInfoEpoch, name: "extensions", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) {
			i.Context.Extensions = message.Extensions{{Type: message.ExtensionApplicationID}}
		})
	}},
	{check: CheckGroupInfoEpoch, name: "confirmation tag", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) { i.ConfirmationTag = make([]byte, 32) })
	}},
	{check: CheckGroupInfoSigner, name: "beside a commit", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) { i.Signer = 2 })
	}},
	{check: CheckGroupInfoSigner, name: "one whom the commit removes", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) { i.Signer = 3 })
	}},
	{check: CheckExtensionTwice, name: "GroupInfo beside a commit", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) { i.Extensions = append(i.Extensions, i.Extensions...) })
	}},
	{check: CheckExternalPub, name: "beside a commit, malformed", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) { i.Extensions[0].Data = []byte{9} })
	}},
	{check: CheckKey, name: "leaf of low order in a welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: x.changeLeaf(1, func(l *message.LeafNode) { l.EncryptionKey = lowOrder })})
	}},
	{check: CheckKey, name: "parent of low order in a welcome", run: func(x *scene) error {
		return x.welcome(welcomeForgery{nodes: func(list []node) []node {
			for i := range list {
				if list[i].parent != nil {
					list[i].parent.EncryptionKey = lowOrder
					break
				}
			}
			return list
		}})
	}},
	{check: CheckExternalPub, name: "beside a commit, of low order", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) { i.Extensions[0].Data = must(&message.ExternalPub{PublicKey: lowOrder}) })
	}},
	{check: CheckExternalPub, name: "beside a commit, short", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) { i.Extensions[0].Data = []byte{1, 9} })
	}},
	{check: CheckTreeHash, name: "tree beside a commit", run: func(x *scene) error {
		return x.infoOf(x.in.Tree(), nil)
	}},
	{check: CheckTreeHash, name: "tree in a GroupInfo beside a commit", run: func(x *scene) error {
		return x.infoOf(nil, func(i *message.GroupInfo) {
			i.Extensions = append(i.Extensions, message.Extension{Type: message.ExtensionRatchetTree, Data: []byte{0}})
		})
	}},
}

// infoOf lets a tracker check a GroupInfo of the insider beside its Commit that
// removes "3", signed after a change by who committed. t is the tree beside it.
func (x *scene) infoOf(t *tree.Tree, change func(*message.GroupInfo)) error {
	x.t.Helper()
	p, err := x.in.Commit(now, CommitOptions{
		Proposals: []message.Proposal{RemoveProposal(3)}, GroupInfo: true, Info: GroupInfoOptions{External: true, NoTree: true},
	})
	if err != nil {
		x.t.Fatal(err)
	}
	m, err := message.Parse(p.Message, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	e, err := x.to.Stage(now, m.Public)
	if err != nil {
		x.t.Fatal(err)
	}
	st := e.(*Staged)
	right, err := p.Tree().Marshal()
	if err != nil {
		x.t.Fatal(err)
	}
	for _, data := range [][]byte{nil, right} { // while nothing is changed it is accepted
		if err := x.to.CheckGroupInfo(st, p.GroupInfo, data); err != nil {
			x.t.Fatalf("unchanged: %v", err)
		}
	}
	do(change, p.GroupInfo)
	if err := p.GroupInfo.Sign(x.cfg.Suite, x.in.signer); err != nil {
		x.t.Fatal(err)
	}
	var data []byte
	if t != nil {
		if data, err = t.Marshal(); err != nil {
			x.t.Fatal(err)
		}
	}
	return x.to.CheckGroupInfo(st, p.GroupInfo, data)
}

// TestBlankSigner: the error says what is wrong with a signer that is no member, not
// only that a signature is.
func TestBlankSigner(t *testing.T) {
	t.Parallel()
	x := newScene(t, new(row))
	err := x.welcome(welcomeForgery{info: func(i *message.GroupInfo) { i.Signer = blankLeaf }})
	if !errors.Is(err, CheckGroupInfoSigner) || !strings.Contains(err.Error(), "leaf 77, which is blank") {
		t.Errorf("error %v, want that leaf %d is blank", err, blankLeaf)
	}
}
