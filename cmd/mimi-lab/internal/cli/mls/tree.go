package mls

import (
	"encoding/hex"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/encoded"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/inspect"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/layout"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/treeview"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/mls/tree"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// treeOptions are those of the command mls tree.
type treeOptions struct {
	IO       *term.IO
	Args     []string
	Encoding encoded.Encoding
	Out      string
	HasPath  bool
	Path     int // a leaf, if HasPath
	JSON     bool
}

func newTree(t *term.IO) *cobra.Command {
	o := &treeOptions{IO: t, Encoding: encoded.Auto}
	c := &cobra.Command{
		Use:   "tree [FILE]",
		Short: "Draw a ratchet tree, as text or as a picture",
		Long: `Draw a ratchet tree: the data of a ratchet_tree extension, or a GroupInfo that
has one. It comes from FILE, or from standard input if that is "-" or left out:
in hexadecimal, in base64 or as it is.

--path shows what a Commit of the member at a leaf does: which nodes of its
direct path get new keys, and to which nodes path secrets are encrypted. --out
draws an SVG picture, for light and dark pages. Trees with more than 64 leaves
are folded where all nodes of a subtree are alike.`,
		Example: `  echo 405d010104c0ffee0101b100010361646100000000000200000102047be0a2c300 \
    00010104d00dfeed01b2000103626f6200000000000200000102045eed5eed0004 \
    000000030000010104ab0de00001b400010364616e0000000000020000 \
    | mimi-lab mls tree --path 0`,
		Args: command.Args(0, 1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			o.Args, o.HasPath = args, c.Flags().Changed("path")
			return runTree(o)
		},
	}
	o.Encoding.Flag(c.Flags())
	c.Flags().StringVarP(&o.Out, "out", "o", "", "`file` for an SVG picture instead of text")
	c.Flags().IntVar(&o.Path, "path", 0, "`leaf` of the member whose Commit is shown")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

func runTree(o *treeOptions) error {
	if o.JSON && o.Out != "" {
		return exit.Usagef("Leave one of them out.", "--json prints nodes, and --out is for a picture")
	}
	b, e, err := encoded.Read(o.IO, o.Args, o.Encoding)
	if err != nil {
		return err
	}
	v, err := parseTree(b, e)
	if err != nil {
		return err
	}
	if o.HasPath {
		i := tree.LeafIndex(o.Path)
		if o.Path < 0 || o.Path >= int(v.Tree.Width()) || v.Tree.EncryptionKey(i.Node()) == nil {
			return exit.Usagef("Without --path the command lists the leaves.", "--path %d: no member at this leaf, want one of the tree's %d members", o.Path, v.Tree.Members())
		}
		v.Sender = &i
	}
	switch {
	case o.JSON:
		return o.IO.JSON(newDrawn(v))
	case o.Out != "":
		if err := os.WriteFile(o.Out, v.SVG(), 0o666); err != nil {
			return exit.Failuref("--out chooses another file.", "%w", err)
		}
		return nil
	}
	styles := map[treeview.Part]term.Style{
		treeview.PartNode: term.Name, treeview.PartBlank: term.Faint, treeview.PartPath: term.Bold,
		treeview.PartSecret: term.Good, treeview.PartRest: term.Faint,
	}
	return v.Text(o.IO.Out, inspect.Columns, func(p treeview.Part, s string) string { return o.IO.Paint(styles[p], s) })
}

// parseTree returns the tree that b is or holds.
func parseTree(b []byte, e encoded.Encoding) (*treeview.View, error) {
	kind, err := guessKind(b, e)
	if err != nil {
		return nil, err
	}
	var g *message.GroupInfo
	switch kind {
	case layout.RatchetTree:
		// The suite matters for hashes alone, and none is shown.
		t, err := parseData(suite.X25519AES128GCMSHA256Ed25519, b)
		return &treeview.View{Tree: t}, err
	case layout.GroupInfo:
		g = new(message.GroupInfo)
		err = wire.Unmarshal(b, g)
	case layout.MLSMessage:
		var m *message.Message
		if m, err = message.Parse(b, nil); err == nil {
			g = m.GroupInfo
		}
	}
	if err != nil {
		return nil, exit.Usagef(e.Hint(), "%w", err)
	}
	if g == nil {
		return nil, exit.Usagef(`"mimi-lab mls show" shows what is in it.`, "no ratchet tree is in it: it is of type %s, want a ratchet_tree extension's data or a GroupInfo", kind)
	}
	data, ok := g.Extensions.Find(message.ExtensionRatchetTree)
	if !ok {
		return nil, exit.Usagef("The tree may be on its way apart from the GroupInfo.", "the GroupInfo has no ratchet_tree extension")
	}
	id := g.Context.Suite
	if !id.Known() {
		return nil, exit.Usagef("", "the GroupInfo is of %v, which is not known", id)
	}
	t, err := parseData(id, data)
	if err != nil {
		return nil, err
	}
	note := fmt.Sprintf("epoch %d, tree hash %x…", g.Context.Epoch, t.Hash()[:16])
	if string(t.Hash()) != string(g.Context.TreeHash) {
		note += ", which is not the GroupContext's"
	}
	return &treeview.View{Tree: t, Note: note}, nil
}

func parseData(id suite.ID, b []byte) (*tree.Tree, error) {
	s, err := suite.NewStd(id)
	if err != nil {
		return nil, err
	}
	t, err := tree.Parse(s, b)
	if err != nil {
		return nil, exit.Usagef("", "%w", err)
	}
	return t, nil
}

// drawn is a tree as JSON: its nodes that are not blank.
type drawn struct {
	Leaves  uint32      `json:"leaves"` // blank ones included
	Members int         `json:"members"`
	Nodes   []drawnNode `json:"nodes"`
	Path    *drawnPath  `json:"path,omitempty"`
}

type drawnNode struct {
	Node          tree.NodeIndex  `json:"node"`
	Leaf          *tree.LeafIndex `json:"leaf,omitempty"`
	Identity      *string         `json:"identity,omitempty"` // of a basic credential, in hexadecimal
	EncryptionKey string          `json:"encryption_key"`
	Unmerged      []uint32        `json:"unmerged_leaves,omitempty"`
}

// drawnPath is what a Commit of a member does.
type drawnPath struct {
	Leaf     tree.LeafIndex     `json:"leaf"`
	Direct   []tree.NodeIndex   `json:"direct_path"`
	Filtered []tree.NodeIndex   `json:"filtered_direct_path"`
	Copath   []tree.NodeIndex   `json:"copath"`      // of the filtered direct path
	To       [][]tree.NodeIndex `json:"resolutions"` // of the copath
}

func newDrawn(v *treeview.View) *drawn {
	t := v.Tree
	d := &drawn{Leaves: t.Width(), Members: t.Members(), Nodes: []drawnNode{}}
	for n := range tree.NodeIndex(tree.NodeWidth(t.Width())) {
		key := t.EncryptionKey(n)
		if key == nil {
			continue
		}
		node := drawnNode{Node: n, EncryptionKey: hex.EncodeToString(key)}
		if i, leaf := n.Leaf(); leaf {
			node.Leaf = &i
			if c, ok := t.Credential(i); ok && c.Type == message.CredentialBasic {
				id := hex.EncodeToString(c.Identity)
				node.Identity = &id
			}
		} else {
			node.Unmerged = t.Parent(n).UnmergedLeaves
		}
		d.Nodes = append(d.Nodes, node)
	}
	if v.Sender != nil {
		p := &drawnPath{Leaf: *v.Sender, Direct: t.DirectPath(*v.Sender), To: [][]tree.NodeIndex{}}
		p.Filtered, p.Copath = t.FilteredDirectPath(*v.Sender)
		for _, n := range p.Copath {
			p.To = append(p.To, t.Resolution(n))
		}
		d.Path = p
	}
	return d
}
