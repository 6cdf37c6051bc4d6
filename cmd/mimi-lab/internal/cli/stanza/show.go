package stanza

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/command"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/stanza"
)

// showOptions are those of the command stanza show.
type showOptions struct {
	IO   *term.IO
	Args []string
	From form
	JSON bool
}

func newShow(t *term.IO) *cobra.Command {
	o := &showOptions{IO: t, From: autoForm}
	c := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Draw a stanza as a tree and say whether it is a valid one",
		Long: `Draw a stanza as a tree, with its size in both forms, and say whether it is a
valid one of the seven kinds. It may come in any form; without FILE it comes
from standard input. What elements of MIMI rooms carry is shown field by field.
A stanza that is well formed but not valid exits with 1.`,
		Example: `  echo '<receipt id="3EB0" to="42@msgr"/>' | mimi-lab stanza show`,
		Args:    command.Args(0, 1, "a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Args = args
			return runShow(o)
		},
	}
	c.Flags().Var(&o.From, "from", "read this form: auto, xml, binary, hex or base64")
	c.Flags().BoolVar(&o.JSON, "json", false, "print a JSON object")
	return c
}

// shown is what the command says of a stanza, as JSON.
type shown struct {
	Form    form   `json:"form"` // in which it came
	Valid   bool   `json:"valid"`
	Problem string `json:"problem,omitempty"` // why it is not valid
	XML     int    `json:"xml_bytes"`
	Binary  int    `json:"binary_bytes"`
	Tree    *tree  `json:"tree"`
}

func runShow(o *showOptions) error {
	b, err := read(o.IO, o.Args)
	if err != nil {
		return err
	}
	n, f, err := parse(b, o.From)
	if err != nil {
		return err
	}
	xml, err := stanza.MarshalXML(n)
	if err != nil {
		return exit.Usagef("", "write the stanza as XML: %w", err)
	}
	binary, err := stanza.AppendBinary(nil, n)
	if err != nil {
		return exit.Usagef("", "encode the stanza: %w", err)
	}
	_, invalid := stanza.Parse(n)
	if o.JSON {
		s := shown{Form: f, Valid: invalid == nil, XML: len(xml), Binary: len(binary), Tree: newTree(&n, ofRoom(&n))}
		if invalid != nil {
			s.Problem = invalid.Error()
		}
		if err := o.IO.JSON(s); err != nil {
			return err
		}
	} else {
		draw(o.IO, &n)
		fmt.Fprintf(o.IO.Out, "\n%d bytes in binary, %d bytes as XML\n", len(binary), len(xml))
	}
	if invalid != nil {
		return exit.Failuref("", "well formed, but not a valid stanza: %w", invalid)
	}
	return nil
}

// tree is a node as JSON: data in base64, what is absent left out.
type tree struct {
	Tag      string  `json:"tag"`
	Attrs    []attr  `json:"attrs,omitempty"`
	Children []*tree `json:"children,omitempty"`
	Data     []byte  `json:"data,omitempty"`
	// Content is what the data is, if that is known.
	Content *content `json:"content,omitempty"`
}

type attr struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// newTree makes the tree of n, with what the data is in one of a room.
func newTree(n *stanza.Node, room bool) *tree {
	t := &tree{Tag: n.Tag, Data: n.Data}
	for _, a := range n.Attrs {
		t.Attrs = append(t.Attrs, attr(a))
	}
	for i := range n.Children {
		kid := newTree(&n.Children[i], room)
		if room {
			kid.Content = readContent(n, &n.Children[i])
		}
		t.Children = append(t.Children, kid)
	}
	return t
}

// columns is the width that the drawing fits if no single value is wider.
const columns = 80

// draw prints the tree, each node below its parent.
func draw(t *term.IO, n *stanza.Node) {
	d := &drawing{t: t, w: t.Out, room: ofRoom(n)}
	d.node(nil, n, "", "")
}

// drawing prints a tree.
type drawing struct {
	t    *term.IO
	w    io.Writer
	room bool // whether it is one of a room, whose data can be read
}

// node prints n after the lines in first, and what follows of it after those in rest.
func (d *drawing) node(parent, n *stanza.Node, first, rest string) {
	t, w := d.t, d.w
	type piece struct{ plain, painted string }
	pieces := []piece{{n.Tag, t.Paint(term.Bold, n.Tag)}}
	for _, a := range n.Attrs {
		v := printable(a.Value)
		pieces = append(pieces, piece{a.Name + "=" + v, t.Paint(term.Name, a.Name) + "=" + v})
	}
	if len(n.Data) > 0 {
		s := describe(n.Data)
		pieces = append(pieces, piece{s, t.Paint(term.Faint, s)})
	}
	below := rest + "  "
	if len(n.Children) > 0 {
		below = rest + "│ "
	}
	line, used := first, len([]rune(first))
	for i, p := range pieces {
		size := len([]rune(p.plain))
		switch {
		case i == 0:
		case used+2+size > columns:
			fmt.Fprintln(w, line)
			line, used = below+"  ", len([]rune(below))+2
		default:
			line, used = line+"  ", used+2
		}
		line, used = line+p.painted, used+size
	}
	fmt.Fprintln(w, line)
	if d.room {
		if c := readContent(parent, n); c != nil {
			for _, line := range c.lines(t, columns-len([]rune(below))-4) {
				fmt.Fprintln(w, below+"  "+line)
			}
		}
	}
	for i := range n.Children {
		if i < len(n.Children)-1 {
			d.node(n, &n.Children[i], rest+"├─ ", rest+"│  ")
		} else {
			d.node(n, &n.Children[i], rest+"└─ ", rest+"   ")
		}
	}
}

// printable is an attribute's value as it is, or quoted if it is empty, holds
// spaces, or could play tricks with a terminal.
func printable(v string) string {
	if q := strconv.Quote(v); v == "" || strings.ContainsAny(v, " ") || q[1:len(q)-1] != v {
		return q
	}
	return v
}

// describe says how much data there is and how it begins.
func describe(data []byte) string {
	const bytes, letters = 16, 40
	size := fmt.Sprintf("%d bytes", len(data))
	if len(data) == 1 {
		size = "1 byte"
	}
	if isText(data) {
		s := []rune(string(data))
		if len(s) > letters {
			return fmt.Sprintf("%s %q…", size, string(s[:letters]))
		}
		return fmt.Sprintf("%s %q", size, string(s))
	}
	if len(data) > bytes {
		return fmt.Sprintf("%s %s…", size, spaced(data[:bytes]))
	}
	return size + " " + spaced(data)
}

// spaced is data in hexadecimal, in groups of four bytes.
func spaced(data []byte) string {
	var groups []string
	for len(data) > 4 {
		groups, data = append(groups, fmt.Sprintf("%x", data[:4])), data[4:]
	}
	return strings.Join(append(groups, fmt.Sprintf("%x", data)), " ")
}
