package treeview

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

var update = flag.Bool("update", false, "write the golden files anew")

// group makes trees of members with names, the same at every run.
type group struct {
	t     *testing.T
	suite suite.Suite
	tree  *tree.Tree
	sign  map[tree.LeafIndex]suite.KeyPair
	names []string
	made  int
}

func newGroup(t *testing.T, members int, names ...string) *group {
	t.Helper()
	s, err := suite.NewSeeded(suite.X25519AES128GCMSHA256Ed25519, [32]byte{9}, "treeview")
	if err != nil {
		t.Fatal(err)
	}
	g := &group{t: t, suite: s, sign: make(map[tree.LeafIndex]suite.KeyPair), names: names}
	leaf, pair := g.leaf()
	if g.tree, err = tree.New(s, leaf); err != nil {
		t.Fatal(err)
	}
	g.sign[0] = pair
	for range members - 1 {
		g.add()
	}
	return g
}

// leaf makes the leaf of the next member.
func (g *group) leaf() (*message.LeafNode, suite.KeyPair) {
	g.t.Helper()
	kem, err := g.suite.GenerateKeyPair()
	sign, err2 := g.suite.GenerateSigner()
	if err := errors.Join(err, err2); err != nil {
		g.t.Fatal(err)
	}
	name := fmt.Sprintf("member-%d", g.made)
	if g.made < len(g.names) {
		name = g.names[g.made]
	}
	g.made++
	return &message.LeafNode{
		EncryptionKey: kem.Public, SignatureKey: sign.Public,
		Credential: message.BasicCredential([]byte(name)), Source: message.SourceUpdate,
	}, sign
}

func (g *group) edit(change func(*tree.Edit) error) {
	g.t.Helper()
	e := g.tree.Edit()
	err := change(e)
	if err == nil {
		g.tree, err = e.Tree()
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *group) add() {
	g.t.Helper()
	leaf, pair := g.leaf()
	g.edit(func(e *tree.Edit) error {
		i, err := e.Add(leaf)
		g.sign[i] = pair
		return err
	})
}

func (g *group) remove(list ...tree.LeafIndex) {
	g.t.Helper()
	for _, i := range list {
		g.edit(func(e *tree.Edit) error { return e.Remove(i) })
	}
}

// commit gives new keys to the path of each member.
func (g *group) commit(list ...tree.LeafIndex) {
	g.t.Helper()
	for _, i := range list {
		g.edit(func(e *tree.Edit) error {
			_, err := e.NewPath(i, e.Leaf(i), g.sign[i].Private, []byte("group"))
			return err
		})
	}
}

// all has every member commit once.
func (g *group) all() *group {
	for i := range g.tree.All() {
		g.commit(i)
	}
	return g
}

// alice and her friends, and two who write their names in unlikely ways.
var friends = []string{"alice", "bob", "carol", "dave", "erin", "mimi://example.com/u/frank", "grace", "heidi",
	"ivan", "\x1b[31mjudy", "<mallory>", "niaj", "olivia"}

// party is a tree with all there is to see: blank leaves and parents, unmerged
// leaves, and a node that is filtered out of a path.
func party(t *testing.T) *group {
	g := newGroup(t, 11, friends...)
	g.commit(0, 2, 5, 6, 8, 10)
	g.remove(3, 4, 9)
	g.commit(6, 8)
	g.add()
	return g
}

// views are the trees whose pictures are kept.
func views(t *testing.T) map[string]*View {
	at := func(i tree.LeafIndex) *tree.LeafIndex { return &i }
	big := newGroup(t, 200).all()
	big.remove(17, 18, 90, 91, 92, 93, 94, 95)
	sixty := newGroup(t, 60).all()
	sixty.remove(5, 20, 21, 22, 23)
	return map[string]*View{
		"one":          {Tree: newGroup(t, 1, friends...).tree},
		"two":          {Tree: newGroup(t, 2, friends...).tree},
		"party":        {Tree: party(t).tree, Title: "Party"},
		"party-commit": {Tree: party(t).tree, Sender: at(6), Note: "epoch 12"},
		"party-late":   {Tree: party(t).tree, Sender: at(10)},
		"thirty":       {Tree: newGroup(t, 30, friends...).all().tree, Sender: at(12)},
		"sixty":        {Tree: sixty.tree, Sender: at(21 + 20)},
		"big":          {Tree: big.tree, Sender: at(100)},
	}
}

// TestGolden compares what is drawn with what was looked at. With -update it is
// written anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, v := range views(t) {
		golden(t, name+".svg", v.SVG())
		var b bytes.Buffer
		if err := v.Text(&b, 80, nil); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.Bytes())
		for line := range strings.Lines(b.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
				t.Errorf("%s: a line of %d columns, want at most 80: %s", name, n, line)
			}
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what was drawn; look at it, then run go test -update", name)
	}
}

// TestSafe: pictures are well-formed XML, and no control character of a member's
// name is in what is drawn.
func TestSafe(t *testing.T) {
	t.Parallel()
	for name, v := range views(t) {
		svg := v.SVG()
		d := xml.NewDecoder(bytes.NewReader(svg))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
		var text bytes.Buffer
		if err := v.Text(&text, 80, nil); err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsRune(svg, '\x1b') || bytes.ContainsRune(text.Bytes(), '\x1b') || bytes.Contains(svg, []byte("<mallory>")) {
			t.Errorf("%s: a member's name is drawn as it is", name)
		}
	}
}
