// Package config reads the files that servers are configured by: YAML
// (https://yaml.org/spec/1.2.2/), of which JSON is a part, with keys that the caller's
// struct has and no others. What is wrong is said with its line, its key, what was found
// and what was expected.
package config

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
)

// maxSize and maxDepth bound a file.
const (
	maxSize  = 256 << 10
	maxDepth = 8
)

// Error is one thing that is wrong with a file.
type Error struct {
	File         string
	Line, Column int    // from 1; 0 if it is about no place in the file
	Key          string // with the keys it is under: partners.0.url; "" for the file
	Found        string
	Expected     string
}

// Error implements error.
func (e *Error) Error() string {
	s := e.File + ":"
	if e.Line > 0 {
		s += fmt.Sprintf("%d:%d:", e.Line, e.Column)
	}
	if e.Key != "" {
		s += " " + e.Key + ":"
	}
	s += " found " + e.Found
	if e.Expected != "" {
		s += ", expected " + e.Expected
	}
	return s
}

// Read reads a file into a pointer to a struct, whose fields are named by their json tags.
// A field that is an [encoding.TextUnmarshaler] says itself what it expects. What the file
// does not say stays as it is.
func Read(file string, into any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return exit.Usagef("", "configuration: %w", err)
	}
	if err := Parse(file, b, into); err != nil {
		return exit.Usagef("", "configuration %w", err)
	}
	return nil
}

// Parse is Read for the content of a file. It returns an *[Error], or several joined.
func Parse(file string, b []byte, into any) error {
	d := &decoder{file: file}
	switch {
	case len(b) > maxSize:
		return &Error{File: file, Found: fmt.Sprintf("%d bytes", len(b)), Expected: fmt.Sprintf("at most %d", maxSize)}
	case !utf8.Valid(b):
		return &Error{File: file, Found: "bytes that are not UTF-8", Expected: "text"}
	}
	text := string(b)
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		text = strings.ReplaceAll(text, "\t", " ") // which JSON may be indented with, and YAML not
	}
	root, err := d.tree(text)
	if err != nil {
		return err
	}
	if root != nil {
		d.value(root, reflect.ValueOf(into).Elem(), "", 0)
	}
	return errors.Join(d.errs...)
}

type decoder struct {
	file string
	errs []error
}

// tree returns the one document of a text, nil for an empty one.
func (d *decoder) tree(text string) (root ast.Node, err error) {
	defer func() {
		if r := recover(); r != nil { // the text may come from anywhere
			root, err = nil, &Error{File: d.file, Found: fmt.Sprintf("what the parser gives up at: %v", r), Expected: "YAML"}
		}
	}()
	f, err := parser.ParseBytes([]byte(text), 0)
	var syntax yaml.Error
	switch {
	case errors.As(err, &syntax):
		e := &Error{File: d.file, Found: "no YAML: " + syntax.GetMessage()}
		if t := syntax.GetToken(); t != nil && t.Position != nil {
			e.Line, e.Column = t.Position.Line, t.Position.Column
		}
		return nil, e
	case err != nil:
		return nil, &Error{File: d.file, Found: "no YAML: " + err.Error()}
	}
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, &Error{File: d.file, Found: "several documents", Expected: "one"}
		}
		root = doc.Body
	}
	return root, nil
}

// wrong notes an error at a node.
func (d *decoder) wrong(n ast.Node, key, found, expected string) {
	e := &Error{File: d.file, Key: key, Found: found, Expected: expected}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	d.errs = append(d.errs, e)
}

// entries returns the keys of a mapping, or false.
func entries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// describe says what a node is.
func describe(n ast.Node) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode:
		return fmt.Sprintf("%q", clip(n.Value))
	}
	return clip(n.String())
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}

func under(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// beside returns what is next to a configuration file, as names in it are.
func beside(file, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(file), name)
}

// Beside makes the names of files that a configuration file has relative to it.
func Beside(file string, names ...*string) {
	for _, name := range names {
		*name = beside(file, *name)
	}
}

// BesideStore does so for the URL of a store, if that is a file.
func BesideStore(file string, url *string) {
	if path, ok := strings.CutPrefix(*url, "sqlite:"); ok {
		*url = "sqlite:" + beside(file, path)
	}
}

// Private refuses a file with secrets, a key or tokens, that others may read.
func Private(what, file string) error {
	i, err := os.Stat(file)
	if err != nil {
		return exit.Usagef("", "%s: %w", what, err)
	}
	if p := i.Mode().Perm(); p&0o007 != 0 && runtime.GOOS != "windows" {
		return exit.Usagef("Take that from them: chmod o= "+file, "%s %s: others may read or write it, its permissions are %#o", what, file, p)
	}
	return nil
}

// textual returns the value as one that reads its text itself.
func textual(v reflect.Value) (encoding.TextUnmarshaler, bool) {
	if !v.CanAddr() {
		return nil, false
	}
	u, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return u, ok
}
