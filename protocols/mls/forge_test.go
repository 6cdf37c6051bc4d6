package mls

import (
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/schedule"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// forgery is a message of an insider who keeps no rule: what the fields say is made
// into a message that is right in all else. Signatures, tags and encryption follow
// the changes that come before them.
type forgery struct {
	proposal *message.Proposal // a proposal, else a Commit
	data     []byte            // application data, if it is neither
	all      []Committed       // what the Commit covers
	private  bool              // a PrivateMessage
	noPath   bool
	template func(*message.LeafNode)             // of the path's leaf
	sealed   func(*message.UpdatePath, []byte)   // the path with the context of its encryption
	path     func(*message.UpdatePath)           // the finished path; its leaf is signed again
	unsigned func(*message.UpdatePath)           // after that
	content  func(*message.FramedContent)        // before it is signed
	signed   func(*message.AuthenticatedContent) // before its tags
	tagged   func(*message.AuthenticatedContent) // with its confirmation tag
	public   func(*message.PublicMessage)        // with its membership tag
	psk      func([]message.PreSharedKeyID) ([]byte, error)
}

// do calls f unless it is nil.
func do[T any](f func(T), v T) {
	if f != nil {
		f(v)
	}
}

// forge makes a member's message.
func forge(t testing.TB, g *Group, f forgery) []byte {
	t.Helper()
	me := message.Member(uint32(g.own))
	leaf, _, err := g.changedLeaf(LeafChange{})
	if err != nil {
		t.Fatal(err)
	}
	psk := f.psk
	if psk == nil {
		psk = g.pskSecret
	}
	c := f.make(t, &g.PublicGroup, &author{
		sender: me, leaf: leaf, signer: g.signer, leafSigner: g.signer, initSecret: g.epoch.Init, private: g.private, psk: psk,
	})
	var m message.Message
	if f.private {
		p, err := schedule.Protect(g.cfg.Suite, g.keys, g.epoch.SenderData, c, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Private = p
		return encode(t, &m)
	}
	if f.data != nil {
		m.Public = &message.PublicMessage{Content: c.Content, Auth: c.Auth}
		tag, err := membershipTag(g, c)
		if err != nil {
			t.Fatal(err)
		}
		m.Public.MembershipTag = tag
		return encode(t, &m)
	}
	p, err := c.Public(g.cfg.Suite, g.epoch.Membership, g.now.encoded)
	if err != nil {
		t.Fatal(err)
	}
	do(f.public, p)
	return encode(t, &message.Message{Public: p})
}

// membershipTag is the tag that message refuses to make for application data: a MAC
// of FramedContentTBS and the signature (RFC 9420, Section 6.2).
func membershipTag(g *Group, c *message.AuthenticatedContent) ([]byte, error) {
	tbs, err := c.TBS(g.now.encoded)
	if err != nil {
		return nil, err
	}
	w := wire.NewWriter(tbs)
	w.Opaque(c.Auth.Signature)
	b, err := w.Bytes()
	return g.cfg.Suite.HMAC(nil, g.epoch.Membership, b), err
}

// forgeExternal makes an external Commit of a client, with an ExternalInit before
// the proposals of f unless bare.
func forgeExternal(t testing.TB, to *Group, id *Identity, bare bool, f forgery) []byte {
	t.Helper()
	s := to.cfg.Suite
	pair, err := schedule.ExternalKeyPair(s, to.epoch.External)
	if err != nil {
		t.Fatal(err)
	}
	kem, initSecret, err := schedule.ExternalInitSend(s, pair.Public)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := to.cfg.leaf(id, nil, &LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sender := message.Sender{Type: message.SenderNewMemberCommit}
	if !bare {
		p := message.Proposal{Type: message.ProposalExternalInit, Body: &message.ExternalInit{KEMOutput: kem}}
		f.all = append([]Committed{{Proposal: &p, Sender: sender, public: true}}, f.all...)
	}
	c := f.make(t, &to.PublicGroup, &author{
		sender: sender, leaf: leaf, signer: id.Signer.Private, leafSigner: id.Signer.Private, initSecret: initSecret,
		psk: func(ids []message.PreSharedKeyID) ([]byte, error) { return to.pskSecret(ids) },
	})
	p := &message.PublicMessage{Content: c.Content, Auth: c.Auth}
	do(f.public, p)
	return encode(t, &message.Message{Public: p})
}

func encode(t testing.TB, m wire.Marshaler) []byte {
	t.Helper()
	b, err := wire.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// make frames and signs the content.
func (f *forgery) make(t testing.TB, g *PublicGroup, a *author) *message.AuthenticatedContent {
	t.Helper()
	c := &message.AuthenticatedContent{WireFormat: message.WirePublicMessage, Content: message.FramedContent{
		GroupID: g.GroupID(), Epoch: g.Epoch(), Sender: a.sender,
	}}
	if f.private {
		c.WireFormat = message.WirePrivateMessage
	}
	sign := func() {
		do(f.content, &c.Content)
		if err := c.Sign(g.cfg.Suite, a.signer, g.now.encoded); err != nil {
			t.Fatal(err)
		}
		do(f.signed, c)
	}
	switch {
	case f.data != nil:
		c.Content.Content = message.Content{Type: message.ContentApplication, Application: f.data}
		sign()
	case f.proposal != nil:
		c.Content.Content = message.Content{Type: message.ContentProposal, Proposal: f.proposal}
		sign()
	default:
		f.commit(t, g, a, c, sign)
	}
	do(f.tagged, c)
	return c
}

// commit makes a Commit's path, and its confirmation tag after sign. It follows
// PublicGroup.build without a check.
func (f *forgery) commit(t testing.TB, g *PublicGroup, a *author, c *message.AuthenticatedContent, sign func()) {
	t.Helper()
	s := g.cfg.Suite
	l := &list{all: f.all, extensions: g.now.context.Extensions, needs: g.now.needs}
	for i := range f.all {
		if b, ok := f.all[i].Proposal.Body.(*message.GroupContextExtensions); ok {
			l.extensions = b.Extensions
		}
		_ = l.take(&f.all[i], a.sender)
	}
	_ = g.cfg.applyAppData(l)
	st := &stage{base: g.now, list: l, committer: a.sender, leaf: tree.LeafIndex(a.sender.Index)}
	st.before, st.added = applyUnchecked(g, l)
	after := st.before
	own := &secrets{own: st.leaf, signer: a.signer, private: a.private}
	commitSecret := make([]byte, s.ID().Sizes().Hash)
	var keys *tree.Path
	if !f.noPath {
		e := st.before.Edit()
		if a.private == nil {
			st.leaf, _ = e.NextLeaf()
		}
		leaf := *a.leaf
		do(f.template, &leaf)
		var err error
		if keys, err = e.NewPath(st.leaf, &leaf, a.leafSigner, g.GroupID()); err != nil {
			t.Fatal(err)
		}
		if changed, err := e.Tree(); err == nil { // else a key is there twice
			after = changed
		}
		commitSecret = keys.CommitSecret()
	}
	next, err := st.provision(after)
	if err != nil {
		t.Fatal(err)
	}
	if keys != nil {
		if st.path, err = keys.Encrypt(after, st.provisional, st.added); err != nil {
			t.Fatal(err)
		}
		if f.sealed != nil {
			f.sealed(st.path, st.provisional)
		}
		if f.path != nil {
			f.path(st.path)
			if err := st.path.LeafNode.Sign(s, a.leafSigner, g.GroupID(), uint32(st.leaf)); err != nil {
				t.Fatal(err)
			}
		}
		do(f.unsigned, st.path)
	}
	c.Content.Content = message.Content{Type: message.ContentCommit, Commit: &message.Commit{Proposals: refs(f.all), Path: st.path}}
	sign()
	if _, _, err := g.conclude(st, a, own, next, after, commitSecret, c); err != nil {
		t.Fatal(err)
	}
}

// applyUnchecked applies a list to the tree as far as it goes.
func applyUnchecked(g *PublicGroup, l *list) (*tree.Tree, []tree.LeafIndex) {
	e := g.now.tree.Edit()
	for _, u := range l.updates {
		_ = e.Update(u.leaf, u.node)
	}
	for _, r := range l.removes {
		_ = e.Remove(r)
	}
	var added []tree.LeafIndex
	for _, k := range l.adds {
		if i, err := e.Add(&k.LeafNode); err == nil {
			added = append(added, i)
		}
	}
	t, err := e.Tree()
	if err != nil {
		return g.now.tree, nil
	}
	return t, added
}

// resign signs a KeyPackage and its leaf after a change.
func resign(t testing.TB, s suite.Suite, k *KeyPackage) *KeyPackage {
	t.Helper()
	if err := k.Public.LeafNode.Sign(s, k.Signer.Private, nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := k.Public.Sign(s, k.Signer.Private); err != nil {
		t.Fatal(err)
	}
	ref, err := k.Public.Ref(s)
	if err != nil {
		t.Fatal(err)
	}
	k.Ref = ref
	return k
}

func decode(b []byte, m wire.Unmarshaler) error { return wire.Unmarshal(b, m) }
