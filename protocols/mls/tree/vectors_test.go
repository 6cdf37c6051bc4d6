package tree

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/vectors/vectorstest"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// hexBytes is bytes that a vector gives in hex.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func readVectors[T any](t *testing.T, name string) []T {
	t.Helper()
	var v []T
	if err := json.Unmarshal(vectorstest.Read(t, name), &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(v) == 0 {
		t.Fatalf("%s: no vectors", name)
	}
	return v
}

// std returns a suite with real algorithms that repeats itself.
func std(t testing.TB, id suite.ID) suite.Suite {
	t.Helper()
	s, err := suite.NewSeeded(id, [32]byte{1}, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustParse(t testing.TB, s suite.Suite, b []byte) *Tree {
	t.Helper()
	tree, err := Parse(s, b)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return tree
}

func mustMarshal(t testing.TB, tree *Tree) []byte {
	t.Helper()
	b, err := tree.Marshal()
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	return b
}

func mustTree(t testing.TB, e *Edit) *Tree {
	t.Helper()
	tree, err := e.Tree()
	if err != nil {
		t.Fatalf("Edit.Tree: %v", err)
	}
	return tree
}

func TestTreeMathVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		Leaves  uint32       `json:"n_leaves"`
		Nodes   uint32       `json:"n_nodes"`
		Root    NodeIndex    `json:"root"`
		Left    []*NodeIndex `json:"left"`
		Right   []*NodeIndex `json:"right"`
		Parent  []*NodeIndex `json:"parent"`
		Sibling []*NodeIndex `json:"sibling"`
	}
	for _, v := range readVectors[vector](t, "mls/tree-math.json") {
		if got := NodeWidth(v.Leaves); got != v.Nodes {
			t.Errorf("NodeWidth(%d) = %d, want %d", v.Leaves, got, v.Nodes)
		}
		if got := Root(v.Leaves); got != v.Root {
			t.Errorf("Root(%d) = %d, want %d", v.Leaves, got, v.Root)
		}
		for i := range NodeIndex(v.Nodes) {
			check := func(what string, n NodeIndex, ok bool, want *NodeIndex) {
				if ok != (want != nil) || ok && n != *want {
					t.Errorf("%d leaves: %s of node %d: got %d %v, want %v", v.Leaves, what, i, n, ok, want)
				}
			}
			n, ok := i.Left()
			check("left child", n, ok, v.Left[i])
			n, ok = i.Right()
			check("right child", n, ok, v.Right[i])
			n, ok = i.Parent(v.Leaves)
			check("parent", n, ok, v.Parent[i])
			n, ok = i.Sibling(v.Leaves)
			check("sibling", n, ok, v.Sibling[i])
		}
	}
}

func TestTreeOperationsVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		Suite      suite.ID  `json:"cipher_suite"`
		Before     hexBytes  `json:"tree_before"`
		Proposal   hexBytes  `json:"proposal"`
		Sender     LeafIndex `json:"proposal_sender"`
		HashBefore hexBytes  `json:"tree_hash_before"`
		After      hexBytes  `json:"tree_after"`
		HashAfter  hexBytes  `json:"tree_hash_after"`
	}
	for k, v := range readVectors[vector](t, "mls/tree-operations.json") {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			before := mustParse(t, std(t, v.Suite), v.Before)
			if got := before.Hash(); !bytes.Equal(got, v.HashBefore) {
				t.Errorf("tree hash before: got %x, want %x", got, v.HashBefore)
			}
			var p message.Proposal
			if err := wire.Unmarshal(v.Proposal, &p); err != nil {
				t.Fatal(err)
			}
			e := before.Edit()
			var err error
			switch body := p.Body.(type) {
			case *message.Add:
				_, err = e.Add(&body.KeyPackage.LeafNode)
			case *message.Update:
				err = e.Update(v.Sender, &body.LeafNode)
			case *message.Remove:
				err = e.Remove(LeafIndex(body.Removed))
			default:
				t.Fatalf("proposal %T, want an Add, Update or Remove", body)
			}
			if err != nil {
				t.Fatal(err)
			}
			after := mustTree(t, e)
			if got := mustMarshal(t, after); !bytes.Equal(got, v.After) {
				t.Errorf("tree after: got %x, want %x", got, v.After)
			}
			if got := after.Hash(); !bytes.Equal(got, v.HashAfter) {
				t.Errorf("tree hash after: got %x, want %x", got, v.HashAfter)
			}
			if got := mustMarshal(t, before); !bytes.Equal(got, v.Before) {
				t.Errorf("the edit changed the tree before: got %x, want %x", got, v.Before)
			}
		})
	}
}

func TestTreeValidationVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		Suite       suite.ID      `json:"cipher_suite"`
		Tree        hexBytes      `json:"tree"`
		GroupID     hexBytes      `json:"group_id"`
		Resolutions [][]NodeIndex `json:"resolutions"`
		Hashes      []hexBytes    `json:"tree_hashes"`
	}
	for k, v := range readVectors[vector](t, "mls/tree-validation.json") {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			tree := mustParse(t, std(t, v.Suite), v.Tree)
			for n, want := range v.Resolutions {
				if got := tree.Resolution(NodeIndex(n)); !slices.Equal(got, want) {
					t.Errorf("resolution of node %d: got %v, want %v", n, got, want)
				}
			}
			for n, want := range v.Hashes {
				if got := tree.NodeHash(NodeIndex(n)); !bytes.Equal(got, want) {
					t.Errorf("tree hash of node %d: got %x, want %x", n, got, want)
				}
			}
			if err := tree.VerifyKeys(); err != nil {
				t.Errorf("VerifyKeys: %v", err)
			}
			if err := tree.VerifyParentHashes(); err != nil {
				t.Errorf("VerifyParentHashes: %v", err)
			}
			if _, err := tree.VerifyLeaves(v.GroupID, nil); err != nil {
				t.Errorf("VerifyLeaves: %v", err)
			}
			if _, err := tree.VerifyListed(); err != nil {
				t.Errorf("VerifyListed: %v", err)
			}
			if got := mustMarshal(t, tree); !bytes.Equal(got, v.Tree) {
				t.Errorf("Marshal: got %x, want %x", got, v.Tree)
			}
		})
	}
}

// kemVector is one of treekem.json.
type kemVector struct {
	Suite      suite.ID `json:"cipher_suite"`
	GroupID    hexBytes `json:"group_id"`
	Epoch      uint64   `json:"epoch"`
	Transcript hexBytes `json:"confirmed_transcript_hash"`
	Tree       hexBytes `json:"ratchet_tree"`
	Leaves     []struct {
		Index      LeafIndex `json:"index"`
		Encryption hexBytes  `json:"encryption_priv"`
		Signature  hexBytes  `json:"signature_priv"`
		Secrets    []struct {
			Node   NodeIndex `json:"node"`
			Secret hexBytes  `json:"path_secret"`
		} `json:"path_secrets"`
	} `json:"leaves_private"`
	Paths []struct {
		Sender  LeafIndex   `json:"sender"`
		Path    hexBytes    `json:"update_path"`
		Secrets []*hexBytes `json:"path_secrets"`
		Commit  hexBytes    `json:"commit_secret"`
		Hash    hexBytes    `json:"tree_hash_after"`
	} `json:"update_paths"`
}

// privates returns the private keys of all members, each compared with the tree.
func (v *kemVector) privates(t *testing.T, tree *Tree) map[LeafIndex]*Private {
	t.Helper()
	s := tree.Suite()
	out := map[LeafIndex]*Private{}
	for _, l := range v.Leaves {
		public, err := s.PublicKey(suite.PrivateKey(l.Encryption))
		if err != nil {
			t.Fatal(err)
		}
		p := NewPrivate(l.Index, suite.KeyPair{Private: suite.PrivateKey(l.Encryption), Public: public})
		for _, x := range l.Secrets {
			pair, err := nodePair(s, x.Secret)
			if err != nil {
				t.Fatal(err)
			}
			p.nodes = append(p.nodes, nodeKey{x.Node, pair})
		}
		slices.SortFunc(p.nodes, func(a, b nodeKey) int { return a.node.Level() - b.node.Level() })
		if err := p.Check(tree); err != nil {
			t.Errorf("private keys of leaf %d: %v", l.Index, err)
		}
		out[l.Index] = p
	}
	return out
}

// context returns the provisional GroupContext with a tree.
func (v *kemVector) context(t *testing.T, tree *Tree) []byte {
	t.Helper()
	b, err := wire.Marshal(&message.GroupContext{
		Suite: v.Suite, GroupID: v.GroupID, Epoch: v.Epoch,
		TreeHash: tree.Hash(), ConfirmedTranscriptHash: v.Transcript,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTreeKEMVectors(t *testing.T) {
	t.Parallel()
	for k, v := range readVectors[kemVector](t, "mls/treekem.json") {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			before := mustParse(t, std(t, v.Suite), v.Tree)
			if err := before.VerifyParentHashes(); err != nil {
				t.Fatal(err)
			}
			privates := v.privates(t, before)
			for _, u := range v.Paths {
				var p message.UpdatePath
				if err := wire.Unmarshal(u.Path, &p); err != nil {
					t.Fatal(err)
				}
				after := applied(t, before, u.Sender, &p)
				if got := after.Hash(); !bytes.Equal(got, u.Hash) {
					t.Errorf("path of leaf %d: tree hash: got %x, want %x", u.Sender, got, u.Hash)
				}
				if err := p.LeafNode.Verify(before.Suite(), v.GroupID, uint32(u.Sender)); err != nil {
					t.Errorf("path of leaf %d: %v", u.Sender, err)
				}
				context := v.context(t, after)
				_, copath := after.FilteredDirectPath(u.Sender)
				for i, want := range u.Secrets {
					own := privates[LeafIndex(i)]
					if want == nil || own == nil {
						continue
					}
					_, got, err := own.open(after, u.Sender, &p, copath, context, nil)
					if err != nil || !bytes.Equal(got, *want) {
						t.Errorf("path of leaf %d at leaf %d: path secret: got %x, %v, want %x", u.Sender, i, got, err, *want)
					}
				}
				opened(t, privates, after, u.Sender, &p, context, u.Commit)

				// A path of our own making.
				e := before.Edit()
				var signer suite.PrivateKey
				for _, l := range v.Leaves {
					if l.Index == u.Sender {
						signer = suite.PrivateKey(l.Signature)
					}
				}
				ours, err := e.NewPath(u.Sender, before.Leaf(u.Sender), signer, v.GroupID)
				if err != nil {
					t.Fatal(err)
				}
				made := mustTree(t, e)
				context = v.context(t, made)
				path, err := ours.Encrypt(made, context, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := applied(t, before, u.Sender, path); !bytes.Equal(got.Hash(), made.Hash()) {
					t.Errorf("own path of leaf %d: sender's tree hash %x, receivers' %x", u.Sender, made.Hash(), got.Hash())
				}
				if err := made.VerifyParentHashes(); err != nil {
					t.Errorf("own path of leaf %d: %v", u.Sender, err)
				}
				if err := ours.Private().Check(made); err != nil {
					t.Errorf("own path of leaf %d: sender's keys: %v", u.Sender, err)
				}
				opened(t, privates, made, u.Sender, path, context, ours.CommitSecret())
			}
		})
	}
}

// applied returns the tree after a path.
func applied(t *testing.T, before *Tree, sender LeafIndex, p *message.UpdatePath) *Tree {
	t.Helper()
	e := before.Edit()
	if err := e.ApplyPath(sender, p, nil); err != nil {
		t.Fatalf("ApplyPath of leaf %d: %v", sender, err)
	}
	return mustTree(t, e)
}

// opened has all but the sender open a path.
func opened(t *testing.T, privates map[LeafIndex]*Private, after *Tree, sender LeafIndex, p *message.UpdatePath, context, commit []byte) {
	t.Helper()
	for i, own := range privates {
		if i == sender {
			continue
		}
		next, got, err := own.Open(after, sender, p, context, nil)
		if err != nil {
			t.Errorf("path of leaf %d at leaf %d: %v", sender, i, err)
			continue
		}
		if !bytes.Equal(got, commit) {
			t.Errorf("path of leaf %d at leaf %d: commit secret: got %x, want %x", sender, i, got, commit)
		}
		if err := next.Check(after); err != nil {
			t.Errorf("path of leaf %d at leaf %d: keys: %v", sender, i, err)
		}
	}
}
