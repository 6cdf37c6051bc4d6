package scenario

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// name is what names of things look like. A name is no number, so that a path's
// segment is either a name or an index.
var name = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

const wantName = "a name of lower-case letters, digits and dashes"

// decoder fills Go values from a tree. It goes on after a problem, so that one
// run finds them all.
type decoder struct {
	problems *problems
}

// decode fills v from n.
func (d *decoder) decode(n *node, v reflect.Value, r rules, path string) {
	t := v.Type()
	switch {
	case isDist(t) && n.scalar():
		v.FieldByName("Dist").SetString(string(Constant))
		d.scalar(n, v.FieldByName("Value"), r, path)
	case isStruct(t):
		d.mapping(n, v, path)
	case t.Kind() == reflect.Slice:
		d.list(n, v, r, path)
	default:
		d.scalar(n, v, r, path)
	}
}

// checker is a type with rules across its fields.
type checker interface {
	check(path string, report func(path, found, expected string))
}

func (d *decoder) mapping(n *node, v reflect.Value, path string) {
	if n.kind != mapping {
		d.problems.add(n.at, path, n.describe(), "a mapping with "+list(keys(v.Type())))
		return
	}
	before := d.problems.noted
	for _, e := range n.entries {
		f, ok := lookup(v.Type(), e.key)
		if !ok {
			d.unknown(e, keys(v.Type()), path)
			continue
		}
		d.decode(e.value, v.Field(f.index), f.rules, join(path, e.key))
	}
	for _, f := range fields(v.Type()) {
		if !f.optional && n.get(f.key) == nil {
			d.problems.add(n.at, path, "no "+f.key, "it to be given")
		}
	}
	if c, ok := v.Interface().(checker); ok && d.problems.noted == before {
		c.check(path, func(where, found, expected string) {
			d.problems.add(n.locate(strings.TrimPrefix(strings.TrimPrefix(where, path), ".")), where, found, expected)
		})
	}
}

// unknown notes a key that the format does not have.
func (d *decoder) unknown(e entry, keys []string, path string) {
	p := d.problems.add(e.at, join(path, e.key), "an unknown key", "")
	if p.Hint = nearest(e.key, keys); p.Hint == "" {
		p.Expected = list(keys)
	}
}

func (d *decoder) list(n *node, v reflect.Value, r rules, path string) {
	if n.kind != sequence {
		d.problems.add(n.at, path, n.describe(), "a list")
		return
	}
	if len(n.items) == 0 {
		d.problems.add(n.at, path, "an empty list", "at least one element")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		d.decode(item, v.Index(i), r, join(path, element(i, item)))
	}
}

// scalar fills a value that is written as one word.
func (d *decoder) scalar(n *node, v reflect.Value, r rules, path string) {
	if !n.scalar() || n.kind == null {
		d.problems.add(n.at, path, n.describe(), want(v.Type(), r))
		return
	}
	if !parseScalar(n, v) || !r.allow(v) {
		p := d.problems.add(n.at, path, n.describe(), want(v.Type(), r))
		p.Hint = nearest(n.value, r.enum)
	}
}

// parseScalar sets v from a scalar and reports whether it is of v's type.
func parseScalar(n *node, v reflect.Value) bool {
	if v.Type() == timeType {
		t, err := time.Parse(time.RFC3339, n.value)
		v.Set(reflect.ValueOf(t.UTC()))
		return err == nil && n.kind == text
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return n.kind != boolean && u.UnmarshalText([]byte(n.value)) == nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.value)
		return n.kind == text
	case reflect.Bool:
		v.SetBool(n.value == "true")
		return n.kind == boolean
	case reflect.Int:
		i, err := strconv.ParseInt(n.value, 10, strconv.IntSize)
		v.SetInt(i)
		return err == nil && n.kind == number
	case reflect.Uint64:
		u, err := strconv.ParseUint(n.value, 10, 64)
		v.SetUint(u)
		return err == nil && n.kind == number
	case reflect.Float64:
		f, err := strconv.ParseFloat(n.value, 64)
		v.SetFloat(f)
		return err == nil && n.kind == number
	}
	panic("scenario: a field of type " + v.Type().String())
}

// allow reports whether a value is within the rules.
func (r rules) allow(v reflect.Value) bool {
	if r.pattern == "name" && !name.MatchString(v.String()) {
		return false
	}
	if r.enum != nil && !slices.Contains(r.enum, v.String()) {
		return false
	}
	return (r.min == "" || compare(v, r.min) >= 0) && (r.max == "" || compare(v, r.max) <= 0)
}

// compare compares a number with the text of a bound.
func compare(v reflect.Value, bound string) int {
	b := reflect.New(v.Type()).Elem()
	if !parseScalar(&node{kind: number, value: bound}, b) {
		panic("scenario: a bound " + bound + " of " + v.Type().String())
	}
	x, y := asFloat(v), asFloat(b)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func asFloat(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	}
	return v.Float()
}

// want says what a scalar of a type should be.
func want(t reflect.Type, r rules) string {
	var s string
	switch t {
	case reflect.TypeFor[Duration]():
		s = wantDuration
	case reflect.TypeFor[Bytes]():
		s = wantBytes
	case reflect.TypeFor[Rate]():
		s = wantRate
	case reflect.TypeFor[Share]():
		s = wantShare
	case timeType:
		return "a time such as 2024-03-07T00:00:00Z"
	default:
		switch t.Kind() {
		case reflect.String:
			if r.enum != nil {
				return list(r.enum)
			}
			if r.pattern == "name" {
				return wantName
			}
			return "text"
		case reflect.Bool:
			return "true or false"
		case reflect.Float64:
			s = "a number"
		default:
			s = "a whole number"
		}
	}
	switch {
	case r.min != "" && r.max != "":
		return fmt.Sprintf("%s from %s to %s", s, r.min, r.max)
	case r.min != "":
		return fmt.Sprintf("%s, at least %s", s, r.min)
	case r.max != "":
		return fmt.Sprintf("%s, at most %s", s, r.max)
	}
	return s
}

// locate returns the place of the value at a path below n, or of the nearest
// thing above it that is there.
func (n *node) locate(path string) place {
	at := n.at
	for segment := range strings.SplitSeq(path, ".") {
		var next *node
		for _, e := range n.entries {
			if e.key == segment {
				next = e.value
				at = e.at
			}
		}
		for i, item := range n.items {
			if element(i, item) == segment || strconv.Itoa(i) == segment {
				next = item
				at = item.at
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	if n.scalar() {
		return n.at
	}
	return at
}
