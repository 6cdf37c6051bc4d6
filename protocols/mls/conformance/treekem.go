package conformance

import (
	"fmt"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// treeKEMCase is one of treekem.json.
type treeKEMCase struct {
	suited
	GroupID    octets           `json:"group_id"`
	Epoch      uint64           `json:"epoch"`
	Transcript octets           `json:"confirmed_transcript_hash"`
	Tree       octets           `json:"ratchet_tree"`
	Leaves     []treeKEMPrivate `json:"leaves_private"`
	Paths      []treeKEMPath    `json:"update_paths"`
}

type treeKEMPrivate struct {
	Index      tree.LeafIndex `json:"index"`
	Encryption octets         `json:"encryption_priv"`
	Signature  octets         `json:"signature_priv"`
	Secrets    []nodeSecret   `json:"path_secrets"` // in any order
}

type nodeSecret struct {
	Node   tree.NodeIndex `json:"node"`
	Secret octets         `json:"path_secret"`
}

type treeKEMPath struct {
	Sender  tree.LeafIndex `json:"sender"`
	Path    octets         `json:"update_path"`
	Secrets []*octets      `json:"path_secrets"` // by leaf; null for those that open nothing
	Commit  octets         `json:"commit_secret"`
	Hash    octets         `json:"tree_hash_after"`
}

// treeKEM is the group of a case before a path.
type treeKEM struct {
	*checker
	s       suite.Suite
	v       *treeKEMCase
	tree    *tree.Tree
	private map[tree.LeafIndex]*tree.Private
	signer  map[tree.LeafIndex]suite.PrivateKey
}

func checkTreeKEM(c *checker, s suite.Suite, v *treeKEMCase) {
	t, err := tree.Parse(s, v.Tree)
	if !c.ok("ratchet_tree", err) {
		return
	}
	g := &treeKEM{c, s, v, t, map[tree.LeafIndex]*tree.Private{}, map[tree.LeafIndex]suite.PrivateKey{}}
	for i := range v.Leaves {
		g.member(fmt.Sprintf("leaves_private[%d]", i), &v.Leaves[i])
	}
	for i := range t.All() {
		if g.private[i] == nil {
			c.fail("leaves_private", "nothing is right for leaf %d", i)
			return
		}
	}
	for i := range v.Paths {
		g.path(fmt.Sprintf("update_paths[%d]", i), &v.Paths[i])
	}
}

// member sets up one member's keys and compares them with the tree.
func (g *treeKEM) member(at string, l *treeKEMPrivate) {
	leaf := suite.KeyPair{Private: kemKey(g.s, l.Encryption)}
	var err error
	if leaf.Public, err = g.s.PublicKey(leaf.Private); !g.ok(at+".encryption_priv", err) {
		return
	}
	key := signKey(g.s, l.Signature)
	public, err := g.s.SignerPublicKey(key)
	if !g.ok(at+".signature_priv", err) {
		return
	}
	g.equal(at+".signature_priv (public key)", public, g.tree.SignatureKey(l.Index))

	own := new(tree.Private)
	if b, ok := g.stored(at, l, leaf); !ok || !g.read(at, b, own) || !g.ok(at, own.Check(g.tree)) {
		return
	}
	if g.private[l.Index] != nil {
		g.fail(at+".index", "leaf %d is there twice", l.Index)
	}
	g.private[l.Index], g.signer[l.Index] = own, key
}

// stored returns a member's keys as a client stores them (see
// [tree.Private.MarshalTLS]), which is how keys come into a Private that are from
// several paths. Their derivation is RFC 9420, Section 7.4.
func (g *treeKEM) stored(at string, l *treeKEMPrivate, leaf suite.KeyPair) ([]byte, bool) {
	const version = 1
	w := wire.NewWriter(nil)
	w.Uint16(version)
	w.Uint32(uint32(l.Index))
	w.Opaque(leaf.Private)
	w.Opaque(leaf.Public)
	secrets := slices.SortedFunc(slices.Values(l.Secrets), func(a, b nodeSecret) int { return a.Node.Level() - b.Node.Level() })
	good := true
	w.Vector(func() {
		for _, x := range secrets {
			what := fmt.Sprintf("%s.path_secrets of node %d", at, x.Node)
			if !g.secret(what, g.s, x.Secret) {
				good = false
				return
			}
			pair, err := g.s.DeriveKeyPair(labeled.DeriveSecret(g.s, x.Secret, "node"))
			if !g.ok(what, err) {
				good = false
				return
			}
			w.Uint32(uint32(x.Node))
			w.Opaque(pair.Private)
			w.Opaque(pair.Public)
		}
	})
	b, err := w.Bytes()
	return b, g.ok(at, err) && good
}

// path checks one UpdatePath, and then another one of the same sender that is made
// here.
func (g *treeKEM) path(at string, u *treeKEMPath) {
	if g.tree.SignatureKey(u.Sender) == nil {
		g.fail(at+".sender", "leaf %d is blank", u.Sender)
		return
	}
	after, p, ok := g.merge(at+".update_path", u.Sender, u.Path)
	if !ok {
		return
	}
	g.equal(at+".tree_hash_after", after.Hash(), u.Hash)
	next := g.process(at, after, u.Sender, p, u.Commit)
	g.pathSecrets(at+".path_secrets", after, u, next)
	g.newPath(at, u.Sender)
}

// merge reads an UpdatePath and merges it into the tree.
func (g *treeKEM) merge(what string, sender tree.LeafIndex, b []byte) (*tree.Tree, *message.UpdatePath, bool) {
	p := new(message.UpdatePath)
	if !g.read(what, b, p) {
		return nil, nil, false
	}
	g.ok(what, p.LeafNode.Verify(g.s, g.v.GroupID, uint32(sender)))
	e := g.tree.Edit()
	if !g.ok(what, e.ApplyPath(sender, p, nil)) { // its parent hash among it
		return nil, nil, false
	}
	after, err := e.Tree()
	if !g.ok(what, err) {
		return nil, nil, false
	}
	g.ok(what, after.VerifyParentHashes())
	return after, p, true
}

// process has every other member open a path, and returns the keys they have then.
func (g *treeKEM) process(at string, after *tree.Tree, sender tree.LeafIndex, p *message.UpdatePath, commitSecret []byte) map[tree.LeafIndex]*tree.Private {
	next := map[tree.LeafIndex]*tree.Private{}
	context, ok := g.context(after)
	if !ok {
		return next
	}
	for j := range g.tree.All() {
		if j == sender {
			continue
		}
		keys, got, err := g.private[j].Open(after, sender, p, context, nil)
		if !g.ok(fmt.Sprintf("%s.update_path at leaf %d", at, j), err) {
			continue
		}
		g.equal(fmt.Sprintf("%s.commit_secret at leaf %d", at, j), got, commitSecret)
		next[j] = keys
	}
	return next
}

// pathSecrets compares the path secrets that members decrypted. A Private does not
// keep them but the keys that they give: these must be the same as if the secret of
// the file had come in a Welcome, so that the secrets are.
func (g *treeKEM) pathSecrets(at string, after *tree.Tree, u *treeKEMPath, next map[tree.LeafIndex]*tree.Private) {
	same(g.checker, at+" (leaves)", len(u.Secrets), int(g.tree.Width()))
	for i, secret := range u.Secrets {
		j, what := tree.LeafIndex(i), fmt.Sprintf("%s[%d]", at, i)
		opens := j != u.Sender && g.tree.SignatureKey(j) != nil
		if !same(g.checker, what+" (is there)", secret != nil, opens) || !opens || next[j] == nil {
			continue
		}
		joined, err := g.private[j].Join(after, u.Sender, *secret)
		if !g.ok(what, err) {
			continue
		}
		want, ok1 := g.write(what, joined)
		got, ok2 := g.write(what, next[j])
		if ok1 && ok2 {
			g.equal(what+" (keys)", got, want)
		}
	}
}

// newPath makes an UpdatePath and has it processed, as it went over the wire.
func (g *treeKEM) newPath(at string, sender tree.LeafIndex) {
	at += ", made anew"
	e := g.tree.Edit()
	made, err := e.NewPath(sender, g.tree.Leaf(sender), g.signer[sender], g.v.GroupID)
	if !g.ok(at, err) {
		return
	}
	own, err := e.Tree()
	if !g.ok(at, err) {
		return
	}
	context, ok := g.context(own)
	if !ok {
		return
	}
	path, err := made.Encrypt(own, context, nil)
	if !g.ok(at, err) {
		return
	}
	b, ok := g.write(at, path)
	if !ok {
		return
	}
	after, p, ok := g.merge(at, sender, b)
	if !ok {
		return
	}
	g.equal(at+" (tree hash)", after.Hash(), own.Hash())
	g.ok(at+" (sender's keys)", made.Private().Check(after))
	g.process(at, after, sender, p, made.CommitSecret())
}

// context returns the GroupContext that a path is encrypted under.
func (g *treeKEM) context(after *tree.Tree) ([]byte, bool) {
	return g.write("GroupContext", &message.GroupContext{
		Suite: g.v.Suite, GroupID: g.v.GroupID, Epoch: g.v.Epoch,
		TreeHash: after.Hash(), ConfirmedTranscriptHash: g.v.Transcript,
	})
}
