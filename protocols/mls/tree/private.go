package tree

import (
	"bytes"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// Private is what a member keeps secret of a tree: the private keys of its leaf and
// of nodes above it (RFC 9420, Section 4.2). It does not change; what follows an
// epoch is another Private that shares keys with this one. Erase says how the old
// ones end.
type Private struct {
	leaf  LeafIndex
	pair  suite.KeyPair
	nodes []nodeKey // from the leaf to the root, without those that are not known
}

// nodeKey is the key pair of a parent. The public key tells whether it is still
// the one in the tree.
type nodeKey struct {
	node NodeIndex
	pair suite.KeyPair
}

// NewPrivate returns what a member knows who was added: its leaf's key, a copy that is
// its own, as a KeyPackage of last resort is used again.
func NewPrivate(i LeafIndex, leaf suite.KeyPair) *Private {
	return &Private{leaf: i, pair: suite.KeyPair{Private: bytes.Clone(leaf.Private), Public: leaf.Public}}
}

// Leaf returns which leaf the keys belong to.
func (v *Private) Leaf() LeafIndex { return v.leaf }

// LeafKey returns the leaf's key pair.
func (v *Private) LeafKey() suite.KeyPair { return v.pair }

// WithLeaf returns the keys after the leaf's own was replaced, as by an Update. The
// keys above go when Rebase sees that their nodes are blank.
func (v *Private) WithLeaf(pair suite.KeyPair) *Private {
	return &Private{leaf: v.leaf, pair: pair, nodes: v.nodes}
}

// Rebase returns the keys that are still those of t: the leaf's, and those of nodes
// with the same public key. It is for a Commit without a path.
func (v *Private) Rebase(t *Tree) (*Private, error) {
	if !bytes.Equal(t.encryptionKeyOf(v.leaf.Node()), v.pair.Public) {
		return nil, fmt.Errorf("%w: the private key is not that of leaf %d", ErrKey, v.leaf)
	}
	next := &Private{leaf: v.leaf, pair: v.pair}
	for _, k := range v.nodes {
		if bytes.Equal(t.encryptionKeyOf(k.node), k.pair.Public) {
			next.nodes = append(next.nodes, k)
		}
	}
	return next, nil
}

// key returns the key pair of a node in t, and whether it is known.
func (v *Private) key(t *Tree, n NodeIndex) (pair suite.KeyPair, ok bool) {
	pair = v.pair
	if n != v.leaf.Node() {
		pair = v.at(n)
	}
	return pair, pair.Private != nil && bytes.Equal(pair.Public, t.encryptionKeyOf(n))
}

func (v *Private) at(n NodeIndex) suite.KeyPair {
	for _, k := range v.nodes {
		if k.node == n {
			return k.pair
		}
	}
	return suite.KeyPair{}
}

// Open processes an UpdatePath of another member (RFC 9420, Section 7.5): it opens
// the one ciphertext that is for this member, derives the keys from there to the
// root, compares them with those in the tree, and returns the keys after the Commit
// and the commit secret. t is the tree with the path, context the encoding of the
// provisional GroupContext, exclude the leaves that the same Commit adds, which
// ascend.
//
// The tree before the path is not needed: a path changes neither which nodes are in
// the filtered direct path nor any resolution on its copath.
func (v *Private) Open(t *Tree, sender LeafIndex, p *message.UpdatePath, context []byte, exclude []LeafIndex) (next *Private, commitSecret []byte, err error) {
	nodes, copath := t.FilteredDirectPath(sender)
	if len(p.Nodes) != len(nodes) {
		return nil, nil, &CountError{"nodes", sender.Node(), len(p.Nodes), len(nodes)}
	}
	k, secret, err := v.open(t, sender, p, copath, context, exclude)
	if err != nil {
		return nil, nil, err
	}
	return v.climb(t, nodes[k:], secret)
}

// open returns the path secret that is encrypted to this member and at which
// position of the path it stands.
func (v *Private) open(t *Tree, sender LeafIndex, p *message.UpdatePath, copath []NodeIndex, context []byte, exclude []LeafIndex) (k int, pathSecret []byte, err error) {
	if v.leaf == sender || contains(exclude, v.leaf) {
		return 0, nil, fmt.Errorf("%w: leaf %d is the sender or new", ErrNotCovered, v.leaf)
	}
	for k < len(copath) && !v.leaf.Node().In(copath[k]) {
		k++
	}
	if k == len(copath) {
		return 0, nil, fmt.Errorf("%w: leaf %d is not below the path", ErrNotCovered, v.leaf)
	}
	resolution := without(t.resolve(nil, copath[k]), exclude)
	if got := p.Nodes[k].Len(); got != len(resolution) {
		return 0, nil, &CountError{"ciphertexts", copath[k], got, len(resolution)}
	}
	for j, n := range resolution {
		pair, ok := v.key(t, n)
		if !ok {
			continue
		}
		c := p.Nodes[k].Secret(j)
		info := labeled.EncryptContext(nil, labelPath, context)
		pathSecret, err = suite.OpenBaseWith(t.suite, c.KEMOutput, pair, info, nil, c.Ciphertext)
		if err != nil {
			return 0, nil, fmt.Errorf("%w: ciphertext for node %d: %w", ErrPathSecret, n, err)
		}
		return k, pathSecret, nil
	}
	return 0, nil, fmt.Errorf("%w: leaf %d has no private key below node %d", ErrNotCovered, v.leaf, copath[k])
}

// Join sets the keys that the path secret of a Welcome gives a new member: from the
// lowest node above it and the sender to the root (RFC 9420, Section 12.4.3.1).
func (v *Private) Join(t *Tree, sender LeafIndex, pathSecret []byte) (next *Private, err error) {
	nodes, _ := t.FilteredDirectPath(sender)
	if v.leaf != sender {
		common := CommonAncestor(v.leaf, sender)
		for k, n := range nodes {
			if n == common {
				next, commit, err := v.climb(t, nodes[k:], bytes.Clone(pathSecret))
				clear(commit)
				return next, err
			}
		}
	}
	return nil, fmt.Errorf("%w: no node of the path of leaf %d is the lowest above leaf %d", ErrNotCovered, sender, v.leaf)
}

// climb derives the keys of nodes from the path secret of the first, compares them
// with those in the tree, and overwrites the path secrets. It returns the keys in
// the tree t, and the commit secret.
func (v *Private) climb(t *Tree, nodes []NodeIndex, secret []byte) (next *Private, commitSecret []byte, err error) {
	if want := t.suite.ID().Sizes().Hash; len(secret) != want {
		return nil, nil, fmt.Errorf("%w: it has %d bytes, want %d", ErrPathSecret, len(secret), want)
	}
	if next, err = v.Rebase(t); err != nil {
		return nil, nil, err
	}
	// What is still known lies below the path, all of which has new keys.
	for _, n := range nodes {
		pair, err := nodePair(t.suite, secret)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: node %d: %w", ErrPathSecret, n, err)
		}
		if !bytes.Equal(pair.Public, t.encryptionKeyOf(n)) {
			return nil, nil, fmt.Errorf("%w: it does not give the public key of node %d", ErrPathSecret, n)
		}
		next.nodes = append(next.nodes, nodeKey{n, pair})
		above := nextSecret(t.suite, secret)
		clear(secret)
		secret = above
	}
	return next, secret, nil
}

// Check compares all keys with those in a tree.
func (v *Private) Check(t *Tree) error {
	next, err := v.Rebase(t)
	if err != nil {
		return err
	}
	if len(next.nodes) != len(v.nodes) {
		return fmt.Errorf("%w: %d private keys are not those of their nodes", ErrKey, len(v.nodes)-len(next.nodes))
	}
	return nil
}

// Erase overwrites the private keys, but not those that keep holds too, the Private
// of the epoch that follows; keep may be nil. No other Private that shares keys may
// be in use any more, nor a Path that this one is of.
func (v *Private) Erase(keep *Private) {
	if keep == nil || !same(v.pair, keep.pair) {
		clear(v.pair.Private)
	}
	for _, k := range v.nodes {
		if keep == nil || !same(k.pair, keep.at(k.node)) {
			clear(k.pair.Private)
		}
	}
}

func same(a, b suite.KeyPair) bool { return bytes.Equal(a.Public, b.Public) }

// Format hides the keys from every verb of package fmt.
func (v Private) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "private keys of leaf %d", v.leaf) }
