package tree

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// sent is a path of leaf 0 in a full tree of 5, and all that belongs to it.
type sent struct {
	population
	path    *Path
	after   *Tree
	message *message.UpdatePath
	context []byte
}

func send(t testing.TB, s suite.Suite) sent {
	t.Helper()
	x := sent{population: full(t, s, 5)}
	e := x.tree.Edit()
	var err error
	if x.path, err = e.NewPath(0, x.clients[0].leaf, x.clients[0].signer.Private, groupID); err != nil {
		t.Fatal(err)
	}
	x.after = mustTree(t, e)
	x.context = x.after.Hash()
	if x.message, err = x.path.Encrypt(x.after, x.context, nil); err != nil {
		t.Fatal(err)
	}
	return x
}

// TestApplyPathRefuses: each check of Section 7.5 and 12.4.2 has its error.
func TestApplyPathRefuses(t *testing.T) {
	t.Parallel()
	s := std(t, suite.X25519AES128GCMSHA256Ed25519)
	x := send(t, s)
	tests := []struct {
		name    string
		change  func(p *message.UpdatePath)
		exclude []LeafIndex
		want    error
	}{
		{"a node too few", func(p *message.UpdatePath) { p.Nodes = p.Nodes[1:] }, nil, ErrPath},
		{"a ciphertext too many", func(*message.UpdatePath) {}, []LeafIndex{1}, ErrPath},
		{"a key of the tree", func(p *message.UpdatePath) { p.Nodes[0].EncryptionKey = x.tree.EncryptionKey(8) }, nil, ErrKey},
		{"the sender's key of before", func(p *message.UpdatePath) { p.LeafNode.EncryptionKey = x.tree.EncryptionKey(0) }, nil, ErrKey},
		{"a key twice", func(p *message.UpdatePath) { p.Nodes[0].EncryptionKey = p.Nodes[1].EncryptionKey }, nil, ErrKey},
		{"a short key", func(p *message.UpdatePath) { p.Nodes[0].EncryptionKey = p.Nodes[0].EncryptionKey[1:] }, nil, ErrKey},
		{"a short signature key", func(p *message.UpdatePath) { p.LeafNode.SignatureKey = nil }, nil, ErrKey},
		{"another parent hash", func(p *message.UpdatePath) { p.LeafNode.ParentHash = x.tree.Hash() }, nil, ErrParentHash},
		{"another key above", func(p *message.UpdatePath) {
			p.Nodes[2].EncryptionKey = newClient(t, s, 0).pair.Public
		}, nil, ErrParentHash},
		{"another source", func(p *message.UpdatePath) { p.LeafNode.Source = message.SourceUpdate }, nil, ErrPath},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := message.UpdatePath{LeafNode: x.message.LeafNode, Nodes: append([]message.UpdatePathNode(nil), x.message.Nodes...)}
			test.change(&p)
			e := x.tree.Edit()
			if err := e.ApplyPath(0, &p, test.exclude); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if got := mustTree(t, e).Hash(); !bytes.Equal(got, x.tree.Hash()) {
				t.Error("the edit changed the tree in spite of the error")
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	s := std(t, suite.X25519AES128GCMSHA256Ed25519)
	x, other := send(t, s), send(t, s)
	tests := []struct {
		name string
		open func() error
		want error
	}{
		{"another context", func() error {
			_, _, err := x.private[4].Open(x.after, 0, x.message, []byte("other"), nil)
			return err
		}, ErrPathSecret},
		{"the sender itself", func() error {
			_, _, err := x.path.Private().Open(x.after, 0, x.message, x.context, nil)
			return err
		}, ErrNotCovered},
		{"one that is new", func() error {
			_, _, err := x.private[4].Open(x.after, 0, x.message, x.context, []LeafIndex{4})
			return err
		}, ErrNotCovered},
		{"keys of another group", func() error {
			_, _, err := other.private[4].Open(x.after, 0, x.message, x.context, nil)
			return err
		}, ErrNotCovered},
		{"a path that is not the tree's", func() error {
			_, _, err := x.private[4].Open(x.tree, 0, x.message, x.context, nil)
			return err
		}, ErrPathSecret},
		{"a short path secret", func() error { _, err := x.private[4].Join(x.after, 0, []byte{1}); return err }, ErrPathSecret},
		{"another path secret", func() error { _, err := x.private[4].Join(x.after, 0, make([]byte, 32)); return err }, ErrPathSecret},
		{"a Welcome from oneself", func() error { _, err := x.private[4].Join(x.after, 4, make([]byte, 32)); return err }, ErrNotCovered},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.open(); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// TestErase: what follows keeps the keys that it shares, all others are gone.
func TestErase(t *testing.T) {
	t.Parallel()
	x := send(t, sized(t))
	old := x.private[1]
	next, _, err := old.Open(x.after, 0, x.message, x.context, nil)
	if err != nil {
		t.Fatal(err)
	}
	old.Erase(next)
	for _, k := range old.nodes { // all of which leaf 0 shared
		if !bytes.Equal(k.pair.Private, make([]byte, len(k.pair.Private))) {
			t.Errorf("the key of node %d is still there", k.node)
		}
	}
	if err := next.Check(x.after); err != nil {
		t.Error(err)
	}
	if bytes.Equal(next.pair.Private, make([]byte, len(next.pair.Private))) {
		t.Error("the leaf's key, which is kept, was overwritten")
	}
	commit := x.path.CommitSecret()
	x.path.Erase()
	if !bytes.Equal(commit, make([]byte, len(commit))) {
		t.Error("the commit secret is still there")
	}
}

// TestHidesSecrets: no verb of package fmt prints a secret, by value or by pointer.
func TestHidesSecrets(t *testing.T) {
	t.Parallel()
	secret := []byte("secretsecret")
	v := NewPrivate(3, suite.KeyPair{Private: secret, Public: []byte("public")})
	p := &Path{sender: 3, pair: v.pair, secrets: [][]byte{secret}, commit: secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%o"} {
		for _, x := range []any{v, *v, p, *p} {
			got := fmt.Sprintf(verb, x)
			if got != "private keys of leaf 3" && got != "path of leaf 3" {
				t.Errorf("%s of %T prints %q", verb, x, got)
			}
		}
	}
}

func TestPrivateEncoding(t *testing.T) {
	t.Parallel()
	x := full(t, sized(t), 5)
	good, err := wire.Marshal(x.private[4])
	if err != nil {
		t.Fatal(err)
	}
	var v Private
	if err := wire.Unmarshal(good, &v); err != nil {
		t.Fatal(err)
	}
	if err := v.Check(x.tree); err != nil {
		t.Error(err)
	}
	for k := range good {
		if err := wire.Unmarshal(good[:k], &v); err == nil {
			t.Errorf("%d of %d bytes were read", k, len(good))
		}
	}
	for name, at := range map[string]int{"version": 1, "leaf index": 2} {
		bad := bytes.Clone(good)
		bad[at] ^= 0x80
		if err := wire.Unmarshal(bad, &v); !errors.Is(err, ErrFormat) {
			t.Errorf("%s changed: got %v, want %v", name, err, ErrFormat)
		}
	}
}
