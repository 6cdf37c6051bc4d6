package layout

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// verdict adds what a check said to n, a struct of the message. err nil means that
// all is well, which good says in words.
func (d *decoder) verdict(n *outline.Node, name, good string, err error) {
	v := n.Derive(name, outline.Text(good))
	if v.Verdict = outline.Good; err != nil {
		v.Value, v.Verdict = outline.Text(err.Error()), outline.Bad
		d.problem(name)
	}
}

// unchecked adds why a check could not be made.
func unchecked(n *outline.Node, name, why string) {
	n.Derive(name, outline.Text("not checked: "+why))
}

const verifies = "verifies"

// signature turns the error of a verification into what is said of a signature.
func signature(err error) error {
	switch {
	case errors.Is(err, suite.ErrVerify):
		return errors.New("does not verify")
	case err != nil:
		return fmt.Errorf("does not verify: %w", err)
	}
	return nil
}

// checkKeyPackage works out what can be said of a KeyPackage on its own: its
// reference and whether its signatures verify (RFC 9420, Sections 5.2, 7.2 and 10).
func (d *decoder) checkKeyPackage(leaf *outline.Node, raw []byte) {
	var k message.KeyPackage
	if err := wire.Unmarshal(raw, &k); err != nil {
		panic(fmt.Sprintf("layout: invariant broken, what layout reads message reads: %v", err))
	}
	s, err := suite.NewStd(k.Suite)
	if err != nil {
		unchecked(d.at, "signature", "the cipher suite is not known")
		return
	}
	ref, err := k.Ref(s)
	if err == nil {
		d.at.Derive("key_package_ref", outline.Bytes{Data: ref})
	}
	d.verdict(d.at, "signature", verifies, signature(k.Verify(s)))
	if k.LeafNode.Source != message.SourceKeyPackage {
		d.verdict(leaf, "leaf_node_source", "", fmt.Errorf("is %v, want key_package", k.LeafNode.Source))
		return
	}
	if leaf != nil {
		d.verdict(leaf, "signature", verifies, signature(k.LeafNode.Verify(s, nil, 0)))
	}
}

// checkGroupInfo compares a GroupInfo with the tree in its ratchet_tree extension,
// if it has one (RFC 9420, Section 12.4.3.1).
func (d *decoder) checkGroupInfo(context *outline.Node, raw []byte) {
	var g message.GroupInfo
	if err := wire.Unmarshal(raw, &g); err != nil {
		panic(fmt.Sprintf("layout: invariant broken, what layout reads message reads: %v", err))
	}
	data, ok := g.Extensions.Find(message.ExtensionRatchetTree)
	if !ok {
		unchecked(d.at, "signature", "the signer's key is in the ratchet tree, which is not here")
		return
	}
	s, err := suite.NewStd(g.Context.Suite)
	if err != nil {
		unchecked(d.at, "signature", "the cipher suite is not known")
		return
	}
	t, err := tree.Parse(s, data)
	if err != nil {
		unchecked(d.at, "signature", "the ratchet tree is not well-formed")
		return
	}
	d.verdict(context, "tree_hash", "is that of the ratchet_tree extension", equalHash(t.Hash(), g.Context.TreeHash))
	key := t.SignatureKey(tree.LeafIndex(g.Signer))
	if key == nil {
		d.verdict(d.at, "signature", "", fmt.Errorf("does not verify: leaf %d, the signer, is blank", g.Signer))
	} else {
		d.verdict(d.at, "signature", fmt.Sprintf("verifies with the key of leaf %d", g.Signer), signature(g.Verify(s, key)))
	}
	_, err = t.VerifyLeaves(g.Context.GroupID, nil)
	d.verdict(d.at, "leaf_signatures", "verify", err)
	d.verdict(d.at, "parent_hashes", "valid", t.VerifyParentHashes())
	d.verdict(d.at, "tree_keys", "unique; unmerged leaves consistent", t.VerifyKeys())
}

func equalHash(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("is not that of the ratchet_tree extension, %x", got)
}

// verified adds whether the signature of a body of MIMI verifies under the key in it,
// by the algorithm of a suite.
func (d *decoder) verified(id suite.ID, verify func(suite.Suite) error) {
	s, err := suite.NewStd(id)
	if err != nil {
		unchecked(d.at, "signature", "the cipher suite is not known")
		return
	}
	d.verdict(d.at, "signature", verifies, signature(verify(s)))
}
