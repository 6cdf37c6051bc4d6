package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// override applies "path=value" to a document's tree. The value is YAML; null
// removes what stands at the path.
func override(root *node, set string, p *problems) {
	at := place{override: set}
	path, value, ok := strings.Cut(set, "=")
	path = strings.TrimSpace(path)
	if !ok || path == "" {
		p.add(at, "", "no path=value", "an override such as partners.count=5")
		return
	}
	c := converter{problems: p, override: set}
	v := c.fragment(value, at, path)
	if v.kind == sweep {
		v.axis = path
	}
	assign(root, path, v, p)
}

// assign puts a value at a path, in every list element that the path names.
func assign(root *node, path string, value *node, p *problems) {
	a := assignment{path: path, value: value, problems: p}
	a.walk(root, scenarioType, strings.Split(path, "."), "")
}

type assignment struct {
	path     string
	value    *node
	problems *problems
}

// walk follows the remaining segments from n, whose type is t and whose path is
// done.
func (a *assignment) walk(n *node, t reflect.Type, segments []string, done string) {
	switch {
	case isStruct(t) && n.kind == mapping:
		a.key(n, t, segments, done)
	case t.Kind() == reflect.Slice && n.kind == sequence:
		a.element(n, t.Elem(), segments, done)
	default:
		a.problems.add(a.value.at, a.path, fmt.Sprintf("%s at %s", n.describe(), done), "something with "+segments[0]+" below it")
	}
}

// key follows a segment that names a key.
func (a *assignment) key(n *node, t reflect.Type, segments []string, done string) {
	segment := segments[0]
	if segment == "*" && len(segments) > 1 {
		a.allKeys(n, t, segments[1:], done)
		return
	}
	f, ok := lookup(t, segment)
	if !ok {
		e := a.problems.add(a.value.at, a.path, "unknown key "+strconv.Quote(segment), "")
		if e.Hint = nearest(segment, keys(t)); e.Hint == "" {
			e.Expected = list(keys(t))
		}
		return
	}
	if len(segments) == 1 {
		if a.value.kind == null {
			n.remove(segment)
			return
		}
		n.put(segment, a.value.clone())
		return
	}
	next := n.get(segment)
	if next == nil {
		next = &node{kind: mapping, at: a.value.at}
		if f.typ.Kind() == reflect.Slice {
			next.kind = sequence
		}
		n.put(segment, next)
	}
	a.walk(next, f.typ, segments[1:], join(done, segment))
}

// allKeys follows "*" into every mapping that is there.
func (a *assignment) allKeys(n *node, t reflect.Type, rest []string, done string) {
	found := false
	for _, e := range n.entries {
		if f, ok := lookup(t, e.key); ok && e.value.kind == mapping {
			a.walk(e.value, f.typ, rest, join(done, e.key))
			found = true
		}
	}
	if !found {
		a.problems.add(a.value.at, a.path, "no mapping below "+done, "one at least for *")
	}
}

// element follows a segment that names elements of a list: one by name or
// index, all by "*" or by leaving the segment out.
func (a *assignment) element(n *node, t reflect.Type, segments []string, done string) {
	segment, rest := segments[0], segments[1:]
	var names []string
	for i, item := range n.items {
		names = append(names, element(i, item))
	}
	pick := slices.Index(names, segment)
	if i, err := strconv.Atoi(segment); pick < 0 && err == nil && i >= 0 && i < len(n.items) {
		pick = i
	}
	all := segment == "*"
	if _, isKey := lookupIn(t, segment); pick < 0 && isKey {
		all, rest = true, segments
	}
	if pick < 0 && !all {
		expected := list(append(names, "*"))
		if len(names) == 0 {
			expected = "a list with elements; this one is empty"
		}
		e := a.problems.add(a.value.at, a.path, "no "+strconv.Quote(segment)+" in "+done, expected)
		e.Hint = nearest(segment, append(names, keysIn(t)...))
		return
	}
	for i, item := range n.items {
		switch {
		case i != pick && !all:
		case len(rest) > 0:
			a.walk(item, t, rest, join(done, names[i]))
		case a.value.kind == null:
			a.problems.add(a.value.at, a.path, "null", "a value; remove elements by giving the whole list")
			return
		default:
			n.items[i] = a.value.clone()
		}
	}
}

func lookupIn(t reflect.Type, key string) (field, bool) {
	if !isStruct(t) {
		return field{}, false
	}
	return lookup(t, key)
}

func keysIn(t reflect.Type) []string {
	if !isStruct(t) {
		return nil
	}
	return keys(t)
}
