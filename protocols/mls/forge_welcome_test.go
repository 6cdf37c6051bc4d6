package mls

import (
	"io"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// node is one of a ratchet tree: leaf or parent, or neither.
type node struct {
	leaf   *message.LeafNode
	parent *message.ParentNode
}

// welcomeForgery is a Welcome of an insider who keeps no rule. What the functions
// change is hashed, signed, tagged and encrypted afterwards, in their order.
type welcomeForgery struct {
	nodes   func([]node) []node
	bytes   func([]byte) []byte // the ratchet_tree, after its hash was taken
	context func(*message.GroupContext)
	secrets func(*message.GroupSecrets)
	tag     func([]byte)
	info    func(*message.GroupInfo)
	signed  func(*message.GroupInfo)
	plain   func([]byte) []byte // of the GroupInfo
	gs      func([]byte) []byte // of the GroupSecrets
	sealed  func(*message.Welcome)
	psk     []byte // psk_secret, zeros if nil
}

// forgeWelcome makes a Welcome for a KeyPackage into the group as it is after a
// Commit of g that adds it.
func forgeWelcome(t testing.TB, g *Group, k *KeyPackage, f welcomeForgery) *message.Welcome {
	t.Helper()
	p, err := g.Commit(now, CommitOptions{Proposals: []message.Proposal{AddProposal(k.Public)}, Path: true})
	if err != nil {
		t.Fatal(err)
	}
	s := g.cfg.Suite
	context := p.GroupInfo.Context
	data, err := p.Tree().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if f.nodes != nil {
		data = writeNodes(t, f.nodes(readNodes(t, data)))
		if changed, err := tree.Parse(s, data); err == nil {
			context.TreeHash = changed.Hash()
		}
	}
	if f.bytes != nil {
		data = f.bytes(data)
	}
	do(f.context, &context)
	gs := &message.GroupSecrets{JoinerSecret: make([]byte, s.ID().Sizes().Hash)}
	if _, err := io.ReadFull(s.Rand(), gs.JoinerSecret); err != nil {
		t.Fatal(err)
	}
	do(f.secrets, gs)
	psk := f.psk
	if psk == nil {
		psk = make([]byte, s.ID().Sizes().Hash)
	}
	member := schedule.MemberSecret(s, gs.JoinerSecret, psk)
	epoch := schedule.NewEpoch(s, member, encode(t, &context))
	tag := schedule.ConfirmationTag(s, epoch.Confirmation, context.ConfirmedTranscriptHash)
	do(f.tag, tag)
	info := &message.GroupInfo{
		Context: context, Extensions: message.Extensions{{Type: message.ExtensionRatchetTree, Data: data}},
		ConfirmationTag: tag, Signer: uint32(g.own),
	}
	do(f.info, info)
	if err := info.Sign(s, p.secrets.signer); err != nil {
		t.Fatal(err)
	}
	do(f.signed, info)
	return sealWelcome(t, g.cfg, k, member, encode(t, info), encode(t, gs), f)
}

// sealWelcome encrypts GroupInfo and GroupSecrets.
func sealWelcome(t testing.TB, cfg *Config, k *KeyPackage, member, info, secrets []byte, f welcomeForgery) *message.Welcome {
	t.Helper()
	s := cfg.Suite
	if f.plain != nil {
		info = f.plain(info)
	}
	if f.gs != nil {
		secrets = f.gs(secrets)
	}
	key, nonce := schedule.WelcomeKey(s, member)
	aead, err := s.AEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	w := &message.Welcome{Suite: s.ID(), EncryptedGroupInfo: aead.Seal(nil, nonce, info, nil)}
	kem, ciphertext, err := labeled.Encrypt(s, k.Public.InitKey, "Welcome", w.EncryptedGroupInfo, secrets)
	if err != nil {
		t.Fatal(err)
	}
	w.Secrets = []message.EncryptedGroupSecrets{{NewMember: k.Ref, Secrets: message.HPKECiphertext{KEMOutput: kem, Ciphertext: ciphertext}}}
	do(f.sealed, w)
	return w
}

// readNodes takes a ratchet tree apart.
func readNodes(t testing.TB, b []byte) (list []node) {
	t.Helper()
	r := wire.NewReader(b)
	r.Vector(func() {
		var n node
		r.Optional(func() {
			if message.NodeType(r.Uint8()) == message.NodeLeaf {
				n.leaf = new(message.LeafNode)
				n.leaf.UnmarshalTLS(r)
				return
			}
			n.parent = new(message.ParentNode)
			n.parent.UnmarshalTLS(r)
		})
		list = append(list, n)
	})
	if err := r.Done(); err != nil {
		t.Fatal(err)
	}
	return list
}

// writeNodes puts a ratchet tree together.
func writeNodes(t testing.TB, list []node) []byte {
	t.Helper()
	w := wire.NewWriter(nil)
	w.Vector(func() {
		for _, n := range list {
			w.Optional(n.leaf != nil || n.parent != nil, func() {
				if n.leaf != nil {
					w.Uint8(uint8(message.NodeLeaf))
					n.leaf.MarshalTLS(w)
					return
				}
				w.Uint8(uint8(message.NodeParent))
				n.parent.MarshalTLS(w)
			})
		}
	})
	b, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// welcomeOf returns a Welcome that b is part of: the message (kind 0), or the
// GroupInfo (1) or GroupSecrets (2) that it encrypts. Nil if b is no message.
func welcomeOf(t testing.TB, x *scene, k *KeyPackage, known *message.GroupSecrets, info, secrets, b []byte, kind uint8) *message.Welcome {
	t.Helper()
	switch kind % 3 {
	case 0:
		m, err := message.Parse(b, nil)
		if err != nil {
			return nil
		}
		return m.Welcome
	case 1:
		info = b
	case 2:
		secrets = b
	}
	psk := make([]byte, x.cfg.Suite.ID().Sizes().Hash)
	return sealWelcome(t, x.cfg, k, schedule.MemberSecret(x.cfg.Suite, known.JoinerSecret, psk), info, secrets, welcomeForgery{})
}
