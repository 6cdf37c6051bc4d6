package tree

import (
	"fmt"
	"io"
	"slices"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// labelPath is the label under which path secrets are encrypted (RFC 9420, Section
// 7.6).
const labelPath = "UpdatePathNode"

// Path is what the sender of an UpdatePath keeps of it until it is sent: the
// secrets, and the leaf and keys that are in the tree already. Erase it then.
type Path struct {
	sender  LeafIndex
	leaf    *message.LeafNode
	pair    suite.KeyPair   // the leaf's
	nodes   []NodeIndex     // the filtered direct path
	copath  []NodeIndex     // of each node the child on the copath
	secrets [][]byte        // path_secret of each node
	pairs   []suite.KeyPair // of each node
	commit  []byte          // commit_secret
}

// nextSecret derives path_secret[n] from path_secret[n-1] (RFC 9420, Section 7.4).
func nextSecret(s suite.Suite, secret []byte) []byte {
	return labeled.DeriveSecret(s, secret, "path")
}

// nodePair derives the key pair of a node from its path secret (RFC 9420, Section
// 7.4).
func nodePair(s suite.Suite, pathSecret []byte) (suite.KeyPair, error) {
	nodeSecret := labeled.DeriveSecret(s, pathSecret, "node")
	defer clear(nodeSecret)
	return s.DeriveKeyPair(nodeSecret)
}

// NewPath renews the keys from a leaf to the root (RFC 9420, Sections 7.4 and
// 7.5): it draws a leaf key and a path secret from the suite, and sets the new keys,
// the parent hashes and the signed leaf. The leaf is template but for encryption
// key, source, parent hash and signature. It may be blank before, as that of one
// who commits from outside is.
func (e *Edit) NewPath(sender LeafIndex, template *message.LeafNode, signer suite.PrivateKey, groupID []byte) (*Path, error) {
	if uint32(sender) >= e.t.width {
		return nil, fmt.Errorf("%w: leaf %d, want less than %d", ErrLeaf, sender, e.t.width)
	}
	s := e.t.suite
	first := make([]byte, s.ID().Sizes().Hash)
	if _, err := io.ReadFull(s.Rand(), first); err != nil {
		return nil, fmt.Errorf("tree: path secret: %w", err)
	}
	p := &Path{sender: sender}
	p.nodes, p.copath = e.t.FilteredDirectPath(sender)
	if err := p.derive(s, first); err != nil {
		p.Erase()
		return nil, err
	}
	keys := make([][]byte, len(p.pairs))
	for k := range p.pairs {
		keys[k] = p.pairs[k].Public
	}
	fields, parentHash := e.pathHashes(p.copath, keys)

	n := *template
	n.EncryptionKey, n.Source, n.ParentHash = p.pair.Public, message.SourceCommit, parentHash
	n.Lifetime = message.Lifetime{}
	if err := n.Sign(s, signer, groupID, uint32(sender)); err != nil {
		p.Erase()
		return nil, fmt.Errorf("tree: leaf of a path: %w", err)
	}
	l, err := e.newLeaf(&n)
	if err != nil {
		p.Erase()
		return nil, err
	}
	p.leaf = l.node()
	e.setPath(sender, l, p.nodes, keys, fields)
	return p, nil
}

// derive draws the leaf's key pair and derives the path from its first secret.
func (p *Path) derive(s suite.Suite, secret []byte) (err error) {
	if p.pair, err = s.GenerateKeyPair(); err != nil {
		return fmt.Errorf("tree: leaf key of a path: %w", err)
	}
	for _, n := range p.nodes {
		pair, err := nodePair(s, secret)
		if err != nil {
			return fmt.Errorf("tree: key of node %d: %w", n, err)
		}
		p.secrets = append(p.secrets, secret)
		p.pairs = append(p.pairs, pair)
		secret = nextSecret(s, secret)
	}
	p.commit = secret
	return nil
}

// setPath sets leaf and nodes of a path, and blanks what of the direct path is not
// in it.
func (e *Edit) setPath(sender LeafIndex, l leaf, nodes []NodeIndex, keys, parentHashes [][]byte) {
	e.setLeaf(sender, l)
	k := 0
	for _, n := range e.t.DirectPath(sender) {
		if k < len(nodes) && nodes[k] == n {
			e.setParent(n, newParent(keys[k], parentHashes[k], nil))
			k++
			continue
		}
		e.setParent(n, parent{})
	}
}

// Leaf returns the sender's new leaf. It is not to be modified.
func (p *Path) Leaf() *message.LeafNode { return p.leaf }

// CommitSecret returns the commit secret (RFC 9420, Section 8). It is overwritten
// by Erase.
func (p *Path) CommitSecret() []byte { return p.commit }

// Private returns the sender's private keys after the path.
func (p *Path) Private() *Private {
	v := &Private{leaf: p.sender, pair: p.pair}
	for k, n := range p.nodes {
		v.nodes = append(v.nodes, nodeKey{n, p.pairs[k]})
	}
	return v
}

// SecretFor returns the path secret that a new member gets in the Welcome: that of
// the lowest node above it and the sender (RFC 9420, Section 12.4.3.1). It is
// overwritten by Erase.
func (p *Path) SecretFor(i LeafIndex) (pathSecret []byte, ok bool) {
	if i == p.sender {
		return nil, false
	}
	k := slices.Index(p.nodes, CommonAncestor(p.sender, i))
	if k < 0 {
		return nil, false
	}
	return p.secrets[k], true
}

// Encrypt encrypts the path secrets (RFC 9420, Section 7.6): each to the resolution
// of its node's child on the copath, without the leaves that the same Commit adds,
// which ascend. t is the tree with the path, context the encoding of the provisional
// GroupContext.
func (p *Path) Encrypt(t *Tree, context []byte, exclude []LeafIndex) (*message.UpdatePath, error) {
	info := labeled.EncryptContext(nil, labelPath, context)
	var jobs []suite.SealJob
	ends := make([]int, len(p.nodes)) // of each node's jobs
	var resolution []NodeIndex
	for k := range p.nodes {
		resolution = without(t.resolve(resolution[:0], p.copath[k]), exclude)
		for _, n := range resolution {
			jobs = append(jobs, suite.SealJob{Public: t.encryptionKeyOf(n), Info: info, Plaintext: p.secrets[k]})
		}
		ends[k] = len(jobs)
	}
	if err := suite.SealMany(t.suite, jobs); err != nil {
		return nil, fmt.Errorf("tree: path secrets of leaf %d: %w", p.sender, err)
	}
	sealed := make([]message.HPKECiphertext, len(jobs))
	for k := range jobs {
		sealed[k] = message.HPKECiphertext{KEMOutput: jobs[k].Enc, Ciphertext: jobs[k].Ciphertext}
	}
	out := &message.UpdatePath{LeafNode: *p.leaf, Nodes: make([]message.UpdatePathNode, len(p.nodes))}
	from := 0
	for k := range p.nodes {
		var err error
		out.Nodes[k], err = message.NewUpdatePathNode(p.pairs[k].Public, sealed[from:ends[k]])
		if err != nil {
			return nil, fmt.Errorf("tree: ciphertexts of node %d: %w", p.nodes[k], err)
		}
		from = ends[k]
	}
	return out, nil
}

// Erase overwrites the secrets that only the Path holds; the private keys are those
// of Private.
func (p *Path) Erase() {
	for _, secret := range p.secrets {
		clear(secret)
	}
	clear(p.commit)
}

// Format hides the secrets from every verb of package fmt.
func (p Path) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "path of leaf %d", p.sender) }
