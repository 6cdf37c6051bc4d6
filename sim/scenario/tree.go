package scenario

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of a document. Without aliases they bound the work of everything that
// follows.
const (
	maxSize  = 64 << 10 // bytes
	maxDepth = 12       // nested mappings and sequences; the format has 8
	maxNodes = 10_000
	maxText  = 4096 // bytes of one key or scalar, as an error may quote it
)

type kind uint8

// The kinds of nodes. A sweep is a scalar of the form ${a,b}.
const (
	mapping kind = iota
	sequence
	text
	number
	boolean
	null
	sweep
)

// place is where a node comes from: the document or an override.
type place struct {
	line, column int
	override     string
}

// node is one value of a document, before types are known.
type node struct {
	kind    kind
	at      place
	value   string  // of a scalar
	entries []entry // of a mapping
	items   []*node // of a sequence; of a sweep, its values
	axis    string  // of a sweep: what ties several together into one axis
}

// entry is one key of a mapping with its value.
type entry struct {
	key   string
	at    place
	value *node
}

func (n *node) scalar() bool { return n.kind > sequence }

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// put sets the value of a key.
func (n *node) put(key string, v *node) {
	for i := range n.entries {
		if n.entries[i].key == key {
			n.entries[i].value = v
			return
		}
	}
	n.entries = append(n.entries, entry{key, v.at, v})
}

// remove drops a key.
func (n *node) remove(key string) {
	for i := range n.entries {
		if n.entries[i].key == key {
			n.entries = append(n.entries[:i:i], n.entries[i+1:]...)
			return
		}
	}
}

// clone copies the structure.
func (n *node) clone() *node {
	c := *n
	c.entries, c.items = nil, nil
	for _, e := range n.entries {
		c.entries = append(c.entries, entry{e.key, e.at, e.value.clone()})
	}
	for _, item := range n.items {
		c.items = append(c.items, item.clone())
	}
	return &c
}

// describe says what a node is, for an error's "found".
func (n *node) describe() string {
	switch n.kind {
	case mapping:
		return "a mapping"
	case sequence:
		return "a list"
	case null:
		return "nothing"
	case number:
		return "the number " + n.value
	case boolean:
		return n.value
	}
	return fmt.Sprintf("%q", n.value)
}

// element returns the path segment of item i of a sequence: its name if it has
// one, else the index.
func element(i int, item *node) string {
	if item.kind == mapping {
		if name := item.get("name"); name != nil && name.kind == text && name.value != "" {
			return name.value
		}
	}
	return fmt.Sprint(i)
}

func join(path, segment string) string {
	if path == "" {
		return segment
	}
	return path + "." + segment
}

// parse reads a document into a tree. Problems go to p; the result is nil if
// there is nothing to go on with.
func parse(data []byte, p *problems) *node {
	if len(data) > maxSize {
		p.add(place{}, "", fmt.Sprintf("a document of %d bytes", len(data)), fmt.Sprintf("at most %d", maxSize))
		return nil
	}
	if !utf8.Valid(data) {
		p.add(place{}, "", "bytes that are not UTF-8", "text")
		return nil
	}
	file, err := parseYAML(data)
	if err != nil {
		syntaxError(err, data, p)
		return nil
	}
	bodies := make([]ast.Node, 0, 1)
	for _, d := range file.Docs {
		if d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	if len(bodies) != 1 {
		p.add(place{}, "", fmt.Sprintf("%d YAML documents", len(bodies)), "one mapping")
		return nil
	}
	c := converter{problems: p}
	n := c.convert(bodies[0], "", 0)
	if len(p.all) > 0 {
		return nil
	}
	return n
}

// parseYAML calls the YAML parser. A panic within it is an error: the document
// may come from anywhere.
func parseYAML(data []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, fmt.Errorf("the YAML parser gave up: %v", r)
		}
	}()
	return parser.ParseBytes(data, 0)
}

// syntaxError notes what the YAML parser complains about.
func syntaxError(err error, data []byte, p *problems) {
	var at place
	found := "invalid YAML: " + err.Error()
	var y yaml.Error
	if errors.As(err, &y) {
		found = "invalid YAML: " + y.GetMessage()
		if tok := y.GetToken(); tok != nil && tok.Position != nil {
			at.line, at.column = tok.Position.Line, tok.Position.Column
		}
	}
	e := p.add(at, "", found, "")
	lines := strings.Split(string(data), "\n")
	if at.line >= 1 && at.line <= len(lines) && strings.Contains(lines[at.line-1], "${") {
		e.Hint = `"${...}" in quotes, as a sweep within {} or [] needs`
	}
}

// converter turns the YAML parser's tree into ours.
type converter struct {
	problems *problems
	override string // where the text comes from, if not from the file
	nodes    int
}

// position returns where a YAML node starts.
func (c *converter) position(n ast.Node) place {
	at := place{override: c.override}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if tok := n.GetToken(); tok != nil && tok.Position != nil && c.override == "" {
		at.line, at.column = tok.Position.Line, tok.Position.Column
	}
	return at
}

// convert turns one YAML node and what is below it into ours. It always returns
// a node; problems are noted.
func (c *converter) convert(y ast.Node, path string, depth int) *node {
	if y == nil {
		return &node{kind: null, at: place{override: c.override}}
	}
	n := &node{at: c.position(y)}
	c.nodes++
	if depth > maxDepth || c.nodes > maxNodes {
		c.problems.add(n.at, path, "too much", fmt.Sprintf("at most %d levels and %d values", maxDepth, maxNodes))
		return n
	}
	switch y := y.(type) {
	case *ast.MappingNode:
		n.kind = mapping
		for _, v := range y.Values {
			c.entry(n, v, path, depth)
		}
	case *ast.MappingValueNode:
		n.kind = mapping
		c.entry(n, y, path, depth)
	case *ast.SequenceNode:
		n.kind = sequence
		for i, v := range y.Values {
			n.items = append(n.items, c.convert(v, join(path, fmt.Sprint(i)), depth+1))
		}
	default:
		c.scalar(n, y, path)
	}
	return n
}

// entry converts one key and its value.
func (c *converter) entry(n *node, y *ast.MappingValueNode, path string, depth int) {
	at := c.position(y)
	key, ok := y.Key.(ast.ScalarNode)
	if !ok {
		c.problems.add(at, path, "a key that is not a plain word", "a key; anchors, aliases, merge keys and tags are not part of the format")
		return
	}
	name := fmt.Sprint(key.GetValue())
	if _, merge := y.Key.(*ast.MergeKeyNode); merge || len(name) > maxText {
		c.problems.add(at, path, "a merge key or a key that is too long", "a key")
		return
	}
	if n.get(name) != nil {
		c.problems.add(at, join(path, name), "the key a second time", "each key once")
		return
	}
	n.entries = append(n.entries, entry{name, at, c.convert(y.Value, join(path, name), depth+1)})
}

// scalar converts a node without others below it.
func (c *converter) scalar(n *node, y ast.Node, path string) {
	switch y := y.(type) {
	case *ast.StringNode:
		n.kind, n.value = text, y.Value
	case *ast.LiteralNode:
		n.kind, n.value = text, y.Value.Value
	case *ast.IntegerNode:
		n.kind, n.value = number, y.Token.Value
	case *ast.FloatNode:
		n.kind, n.value = number, y.Token.Value
	case *ast.BoolNode:
		n.kind, n.value = boolean, fmt.Sprint(y.Value)
	case *ast.NullNode:
		n.kind = null
	case *ast.InfinityNode, *ast.NanNode:
		n.kind, n.value = text, y.GetToken().Value
	default:
		c.problems.add(n.at, path, "a YAML "+strings.ToLower(y.Type().String()),
			"a plain value; anchors, aliases, merge keys and tags are not part of the format")
	}
	if len(n.value) > maxText {
		c.problems.add(n.at, path, fmt.Sprintf("a text of %d bytes", len(n.value)), fmt.Sprintf("at most %d", maxText))
		n.value = ""
	}
	if n.kind == text && strings.HasPrefix(n.value, "${") && strings.HasSuffix(n.value, "}") {
		c.sweep(n, path)
	}
}

// fragment reads the text of an override's value or of one value of a sweep.
func (c *converter) fragment(s string, at place, path string) *node {
	if strings.TrimSpace(s) == "" {
		c.problems.add(at, path, "nothing", "a value")
		return &node{kind: null, at: at}
	}
	file, err := parseYAML([]byte(s))
	if err != nil || len(file.Docs) != 1 {
		c.problems.add(at, path, fmt.Sprintf("%q", s), "one YAML value")
		return &node{kind: null, at: at}
	}
	n := c.convert(file.Docs[0].Body, path, 0)
	n.move(at)
	return n
}

// move sets the place of a node and all below it.
func (n *node) move(at place) {
	n.at = at
	for i := range n.entries {
		n.entries[i].at = at
		n.entries[i].value.move(at)
	}
	for _, item := range n.items {
		item.move(at)
	}
}
