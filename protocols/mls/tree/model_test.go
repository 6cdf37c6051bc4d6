package tree

import (
	"bytes"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// model is a ratchet tree as RFC 9420 tells it: every node in its place, nothing
// shared, nothing remembered. Trees are compared with it.
type model struct {
	s       suite.Suite
	leaves  []*message.LeafNode // nil is blank
	parents map[NodeIndex]*message.ParentNode
}

func newModel(s suite.Suite, n *message.LeafNode) *model {
	return &model{s, []*message.LeafNode{n}, map[NodeIndex]*message.ParentNode{}}
}

func (m *model) root() NodeIndex { return NodeIndex(len(m.leaves) - 1) }

func (m *model) blank(n NodeIndex) bool {
	if n%2 == 0 {
		return m.leaves[n/2] == nil
	}
	return m.parents[n] == nil
}

func (m *model) resolution(n NodeIndex) (list []NodeIndex) {
	if !m.blank(n) {
		list = append(list, n)
		if p := m.parents[n]; p != nil {
			for _, u := range p.UnmergedLeaves {
				list = append(list, NodeIndex(2*u))
			}
		}
		return list
	}
	if n%2 == 0 {
		return nil
	}
	left, _ := n.Left()
	right, _ := n.Right()
	return append(m.resolution(left), m.resolution(right)...)
}

func (m *model) directPath(i LeafIndex) (path, copath []NodeIndex) {
	for n := i.Node(); n != m.root(); {
		sibling, _ := n.Sibling(uint32(len(m.leaves)))
		n, _ = n.Parent(uint32(len(m.leaves)))
		path, copath = append(path, n), append(copath, sibling)
	}
	return path, copath
}

func (m *model) filtered(i LeafIndex) (path, copath []NodeIndex) {
	p, c := m.directPath(i)
	for k := range p {
		if len(m.resolution(c[k])) > 0 {
			path, copath = append(path, p[k]), append(copath, c[k])
		}
	}
	return path, copath
}

func (m *model) hash(n NodeIndex) []byte {
	w := wire.NewWriter(nil)
	if n%2 == 0 {
		w.Uint8(1)
		w.Uint32(uint32(n / 2))
		w.Optional(!m.blank(n), func() { m.leaves[n/2].MarshalTLS(w) })
	} else {
		left, _ := n.Left()
		right, _ := n.Right()
		w.Uint8(2)
		w.Optional(!m.blank(n), func() { m.parents[n].MarshalTLS(w) })
		w.Opaque(m.hash(left))
		w.Opaque(m.hash(right))
	}
	b, err := w.Bytes()
	if err != nil {
		panic(err)
	}
	return m.s.Hash(nil, b)
}

func (m *model) add(n *message.LeafNode) LeafIndex {
	i := slices.Index(m.leaves, nil)
	if i < 0 {
		i = len(m.leaves)
		m.leaves = append(m.leaves, make([]*message.LeafNode, i)...)
	}
	m.leaves[i] = n
	path, _ := m.directPath(LeafIndex(i))
	for _, n := range path {
		if p := m.parents[n]; p != nil {
			p.UnmergedLeaves = append(p.UnmergedLeaves, uint32(i))
			slices.Sort(p.UnmergedLeaves)
		}
	}
	return LeafIndex(i)
}

func (m *model) update(i LeafIndex, n *message.LeafNode) {
	m.leaves[i] = n
	path, _ := m.directPath(i)
	for _, n := range path {
		delete(m.parents, n)
	}
}

func (m *model) remove(i LeafIndex) {
	m.update(i, nil)
	for half := len(m.leaves) / 2; half > 0; half /= 2 {
		if slices.ContainsFunc(m.leaves[half:], func(n *message.LeafNode) bool { return n != nil }) {
			break
		}
		delete(m.parents, m.root())
		m.leaves = m.leaves[:half]
	}
}

func (m *model) parentHash(p *message.ParentNode, sibling NodeIndex) []byte {
	w := wire.NewWriter(nil)
	w.Opaque(p.EncryptionKey)
	w.Opaque(p.ParentHash)
	w.Opaque(m.hash(sibling))
	b, _ := w.Bytes()
	return m.s.Hash(nil, b)
}

// path applies the public part of an UpdatePath and returns the parent hash that its
// leaf must have.
func (m *model) path(i LeafIndex, p *message.UpdatePath) []byte {
	if int(i) >= len(m.leaves) {
		m.leaves = append(m.leaves, make([]*message.LeafNode, len(m.leaves))...)
	}
	path, copath := m.filtered(i)
	m.update(i, &p.LeafNode)
	hash := []byte{}
	for k := len(path) - 1; k >= 0; k-- {
		n := &message.ParentNode{EncryptionKey: p.Nodes[k].EncryptionKey, ParentHash: hash}
		m.parents[path[k]] = n
		hash = m.parentHash(n, copath[k])
	}
	return hash
}

func (m *model) marshal() []byte {
	end := 2*len(m.leaves) - 1
	for m.blank(NodeIndex(end - 1)) {
		end--
	}
	w := wire.NewWriter(nil)
	w.Vector(func() {
		for n := range NodeIndex(end) {
			w.Optional(!m.blank(n), func() {
				if n%2 == 0 {
					w.Uint8(1)
					m.leaves[n/2].MarshalTLS(w)
				} else {
					w.Uint8(2)
					m.parents[n].MarshalTLS(w)
				}
			})
		}
	})
	b, err := w.Bytes()
	if err != nil {
		panic(err)
	}
	return b
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// compare compares all that can be asked of a tree with the model.
func (m *model) compare(t fataler, tree *Tree) {
	t.Helper()
	if got, want := int(tree.Width()), len(m.leaves); got != want {
		t.Fatalf("width: got %d, want %d", got, want)
	}
	b, err := tree.Marshal()
	if err != nil || !bytes.Equal(b, m.marshal()) {
		t.Fatalf("Marshal: got %x, %v, want %x", b, err, m.marshal())
	}
	members := 0
	for n := range NodeIndex(2*len(m.leaves) - 1) {
		if got, want := tree.NodeHash(n), m.hash(n); !bytes.Equal(got, want) {
			t.Fatalf("tree hash of node %d: got %x, want %x", n, got, want)
		}
		if got, want := tree.Resolution(n), m.resolution(n); !slices.Equal(got, want) {
			t.Fatalf("resolution of node %d: got %v, want %v", n, got, want)
		}
		if key := tree.EncryptionKey(n); key != nil {
			if got, ok := tree.NodeByEncryptionKey(key); !ok || got != n {
				t.Fatalf("NodeByEncryptionKey: got %d, %v, want %d", got, ok, n)
			}
		}
		if i, ok := n.Leaf(); ok && !m.blank(n) {
			members++
			if got, ok := tree.LeafBySignatureKey(m.leaves[i].SignatureKey); !ok || got != i {
				t.Fatalf("LeafBySignatureKey: got %d, %v, want %d", got, ok, i)
			}
			path, copath := tree.FilteredDirectPath(i)
			wantPath, wantCopath := m.filtered(i)
			if !slices.Equal(path, wantPath) || !slices.Equal(copath, wantCopath) {
				t.Fatalf("filtered path of leaf %d: got %v %v, want %v %v", i, path, copath, wantPath, wantCopath)
			}
		}
	}
	if tree.Members() != members {
		t.Fatalf("members: got %d, want %d", tree.Members(), members)
	}
	m.compareSupport(t, tree)
	if want := members + len(m.parents); tree.index.encryption.Len() != want || tree.index.signature.Len() != members {
		t.Fatalf("indexes have %d and %d keys, want %d and %d",
			tree.index.encryption.Len(), tree.index.signature.Len(), want, members)
	}
}

func (m *model) compareSupport(t fataler, tree *Tree) {
	t.Helper()
	for e := message.ExtensionType(0xff00); e < 0xff04; e++ {
		lacks := func(n *message.LeafNode) bool { return n != nil && !n.Capabilities.SupportsExtension(e) }
		i, got := tree.UnsupportedExtension(e)
		if want := slices.ContainsFunc(m.leaves, lacks); got != want || got && !lacks(m.leaves[i]) {
			t.Fatalf("UnsupportedExtension(%v): got leaf %d %v, want %v", e, i, got, want)
		}
	}
	var used []message.CredentialType
	for _, n := range m.leaves {
		if n != nil && !slices.Contains(used, n.Credential.Type) {
			used = append(used, n.Credential.Type)
		}
	}
	got := slices.Collect(tree.CredentialTypes)
	slices.Sort(got)
	slices.Sort(used)
	if !slices.Equal(got, used) {
		t.Fatalf("credential types: got %v, want %v", got, used)
	}
}

// client is one who is or becomes a member.
type client struct {
	leaf   *message.LeafNode
	pair   suite.KeyPair
	signer suite.KeyPair
}

// newClient returns a client whose capabilities depend on n, in a leaf as from a
// KeyPackage.
func newClient(t fataler, s suite.Suite, n int) client {
	t.Helper()
	pair, err := s.GenerateKeyPair()
	if err != nil {
		t.Fatalf("GenerateKeyPair: %v", err)
	}
	signer, err := s.GenerateSigner()
	if err != nil {
		t.Fatalf("GenerateSigner: %v", err)
	}
	leaf := &message.LeafNode{
		EncryptionKey: pair.Public,
		SignatureKey:  signer.Public,
		Credential:    message.BasicCredential([]byte{byte(n >> 8), byte(n), 'x', '@', 'e', 'x', '.', 'o', 'r', 'g'}),
		Capabilities: message.Capabilities{
			Versions:    []message.ProtocolVersion{message.MLS10},
			Suites:      []suite.ID{s.ID()},
			Extensions:  []message.ExtensionType{0xff00 + message.ExtensionType(n%3)},
			Credentials: []message.CredentialType{message.CredentialBasic, 0xff01},
		},
		Source:   message.SourceKeyPackage,
		Lifetime: message.Lifetime{NotAfter: 1 << 40},
	}
	if n%5 == 4 {
		leaf.Credential.Type = 0xff01
	}
	if err := leaf.Sign(s, signer.Private, nil, 0); err != nil {
		t.Fatalf("Sign: %v", err)
	}
	return client{leaf, pair, signer}
}

func sized(t testing.TB) suite.Suite {
	t.Helper()
	s, err := suite.NewSized(suite.X25519AES128GCMSHA256Ed25519, [32]byte{2}, t.Name(), suite.CostModel{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
