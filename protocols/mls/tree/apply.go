package tree

import (
	"bytes"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
)

// ApplyPath sets the leaf and the keys that an UpdatePath brings (RFC 9420, Section
// 7.5), after these checks: it has as many nodes as the filtered direct path and as
// many ciphertexts as each resolution without exclude, which are the leaves that the
// same Commit adds and ascend; its keys are new to the tree and to each other
// (Section 12.4.2); its leaf's parent hash is right (Section 7.9.2). The leaf may be
// blank before, as that of one who commits from outside is. Its signature is for the
// caller to verify.
func (e *Edit) ApplyPath(sender LeafIndex, p *message.UpdatePath, exclude []LeafIndex) error {
	if uint32(sender) >= e.t.width {
		return fmt.Errorf("%w: leaf %d, want less than %d", ErrLeaf, sender, e.t.width)
	}
	nodes, copath := e.t.FilteredDirectPath(sender)
	if err := e.t.checkCounts(sender, nodes, copath, p, exclude); err != nil {
		return err
	}
	keys, err := e.t.checkPathKeys(sender, nodes, p)
	if err != nil {
		return err
	}
	if p.LeafNode.Source != message.SourceCommit {
		return fmt.Errorf("%w: its leaf's source is %v, want %v", ErrPath, p.LeafNode.Source, message.SourceCommit)
	}
	fields, parentHash := e.pathHashes(copath, keys)
	if !bytes.Equal(p.LeafNode.ParentHash, parentHash) {
		return fmt.Errorf("%w: that of leaf %d is not the parent hash of its path", ErrParentHash, sender)
	}
	l, err := e.newLeaf(&p.LeafNode)
	if err != nil {
		return err
	}
	e.setPath(sender, l, nodes, keys, fields)
	return nil
}

// checkCounts compares the numbers of nodes and ciphertexts with the tree's.
func (t *Tree) checkCounts(sender LeafIndex, nodes, copath []NodeIndex, p *message.UpdatePath, exclude []LeafIndex) error {
	if len(p.Nodes) != len(nodes) {
		return &CountError{"nodes", sender.Node(), len(p.Nodes), len(nodes)}
	}
	var resolution []NodeIndex
	for k, n := range nodes {
		resolution = without(t.resolve(resolution[:0], copath[k]), exclude)
		if got := p.Nodes[k].Len(); got != len(resolution) {
			return &CountError{"ciphertexts", n, got, len(resolution)}
		}
	}
	return nil
}

// checkPathKeys checks that the keys of a path are new to the tree and to each
// other, and returns those of the nodes.
func (t *Tree) checkPathKeys(sender LeafIndex, nodes []NodeIndex, p *message.UpdatePath) ([][]byte, error) {
	keys := make([][]byte, 0, len(nodes)+1)
	check := func(n NodeIndex, key []byte) error {
		if err := t.checkEncryptionKey(n, key); err != nil {
			return err
		}
		if other, ok := t.NodeByEncryptionKey(key); ok {
			return &DuplicateKeyError{EncryptionKey, n, other}
		}
		for _, k := range keys {
			if bytes.Equal(k, key) {
				return &DuplicateKeyError{EncryptionKey, n, n}
			}
		}
		keys = append(keys, key)
		return nil
	}
	for k, n := range nodes {
		if err := check(n, p.Nodes[k].EncryptionKey); err != nil {
			return nil, err
		}
	}
	if err := check(sender.Node(), p.LeafNode.EncryptionKey); err != nil {
		return nil, err
	}
	if err := t.checkSignatureKey(sender.Node(), p.LeafNode.SignatureKey); err != nil {
		return nil, err
	}
	return keys[:len(nodes)], nil
}
