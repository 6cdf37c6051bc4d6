package scenario

import (
	"reflect"
	"slices"
	"strings"
)

// Basis is what a group of numbers rests on: a public source or an assumption.
type Basis struct {
	Path    string   // what it covers: a path or the front of one, with * for any segment
	Source  string   // where the numbers were published, or empty
	Assumed string   // why they are what they are although nobody has published them, or empty
	Numbers []Number // the numbers that it covers and no other does more closely
}

// Number is one number of a scenario file.
type Number struct {
	Path  string
	Value string // as it was written
}

// Basis returns what each number of the file rests on, in the order of the
// file. Numbers that overrides changed are a last group of their own; values
// that studies set or sweep are not in it.
func (f *File) Basis() []Basis {
	all := slices.Clone(f.basis)
	if len(f.Overrides) == 0 {
		return all
	}
	return append(all, f.overridden())
}

// overridden is the basis of what the overrides say.
func (f *File) overridden() Basis {
	b := Basis{Assumed: "set by an override"}
	for _, o := range f.Overrides {
		path, value, _ := strings.Cut(o, "=")
		b.Numbers = append(b.Numbers, Number{path, value})
	}
	return b
}

// Assumptions returns the part of [File.Basis] that no public source bears out.
func (f *File) Assumptions() []Basis {
	return slices.DeleteFunc(f.Basis(), func(b Basis) bool { return b.Assumed == "" })
}

// citation is one entry of the section basis.
type citation struct {
	at    place
	parts []string
	Basis
}

// takeBasis removes the section basis from a document and reads it.
func takeBasis(root *node, p *problems) []citation {
	section := root.get("basis")
	if section == nil {
		return nil
	}
	root.remove("basis")
	if section.kind != mapping {
		p.add(section.at, "basis", section.describe(), "a mapping from paths to {source: ...} or {assumed: ...}")
	}
	var all []citation
	for _, e := range section.entries {
		c := citation{at: e.at, parts: strings.Split(e.key, "."), Basis: Basis{Path: e.key}}
		for _, why := range e.value.entries {
			switch {
			case why.value.kind != text || strings.TrimSpace(why.value.value) == "":
				p.add(why.value.at, join("basis", e.key), why.value.describe(), "a sentence")
			case why.key == "source":
				c.Source = why.value.value
			case why.key == "assumed":
				c.Assumed = why.value.value
			default:
				(&decoder{p}).unknown(why, []string{"source", "assumed"}, join("basis", e.key))
			}
		}
		if (c.Source == "") == (c.Assumed == "") {
			p.add(e.at, join("basis", e.key), e.value.describe(), "either {source: ...} or {assumed: ...}")
		}
		all = append(all, c)
	}
	return all
}

// cite finds the basis of every number of a document. A number without one and
// an entry without a number are problems.
func cite(root *node, citations []citation, p *problems) []Basis {
	used := make([]bool, len(citations))
	numbers(root, scenarioType, rules{}, "", func(n *node, path string) {
		best := -1
		segments := strings.Split(path, ".")
		for i, c := range citations {
			if c.covers(segments) && (best < 0 || c.closer(citations[best])) {
				best = i
			}
		}
		if best < 0 {
			p.add(n.at, path, n.describe()+" without a basis", "its source, or why it is assumed, under basis")
			return
		}
		used[best] = true
		citations[best].Numbers = append(citations[best].Numbers, Number{path, n.value})
	})
	var all []Basis
	for i, c := range citations {
		if !used[i] {
			p.add(c.at, join("basis", c.Path), "an entry that covers no number", "the path of a number, or the front of one")
		}
		all = append(all, c.Basis)
	}
	return all
}

// covers reports whether the entry's path is the front of a number's.
func (c citation) covers(path []string) bool {
	if len(c.parts) > len(path) {
		return false
	}
	for i, part := range c.parts {
		if part != "*" && part != path[i] {
			return false
		}
	}
	return true
}

// closer reports whether c says more exactly than other what it covers.
func (c citation) closer(other citation) bool {
	if len(c.parts) != len(other.parts) {
		return len(c.parts) > len(other.parts)
	}
	return strings.Count(c.Path, "*") < strings.Count(other.Path, "*")
}

// numbers calls visit for every number below n that makes a claim about the
// world. What is of the wrong type is left to the decoder.
func numbers(n *node, t reflect.Type, r rules, path string, visit func(*node, string)) {
	switch {
	case isStruct(t) && n.kind == mapping:
		for _, e := range n.entries {
			if f, ok := lookup(t, e.key); ok {
				numbers(e.value, f.typ, f.rules, join(path, e.key), visit)
			}
		}
	case t.Kind() == reflect.Slice && n.kind == sequence:
		for i, item := range n.items {
			numbers(item, t.Elem(), r, join(path, element(i, item)), visit)
		}
	case n.scalar() && n.kind != null && isNumeric(t) && !r.uncited:
		visit(n, path)
	}
}
