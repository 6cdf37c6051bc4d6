package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/suggest"
)

// value reads a node into a value.
func (d *decoder) value(n ast.Node, v reflect.Value, key string, depth int) {
	if depth > maxDepth {
		d.wrong(n, key, "more than that", fmt.Sprintf("at most %d levels", maxDepth))
		return
	}
	if u, ok := textual(v); ok {
		s, ok := scalar(n)
		if !ok {
			d.wrong(n, key, describe(n), "one value")
		} else if err := u.UnmarshalText([]byte(s)); err != nil {
			d.wrong(n, key, describe(n), err.Error())
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, key, depth)
	case reflect.Map:
		d.mapping(n, v, key, depth)
	case reflect.Slice:
		d.list(n, v, key, depth)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.wrong(n, key, describe(n), "true or false")
			return
		}
		v.SetBool(b.Value)
	case reflect.String:
		s, ok := scalar(n)
		if !ok {
			d.wrong(n, key, describe(n), "text")
			return
		}
		v.SetString(s)
	default:
		d.number(n, v, key)
	}
}

// number reads a duration or a whole number, neither of them negative.
func (d *decoder) number(n ast.Node, v reflect.Value, key string) {
	s, ok := scalar(n)
	if v.Type() == reflect.TypeFor[time.Duration]() {
		t, err := time.ParseDuration(s)
		if !ok || err != nil || t < 0 {
			d.wrong(n, key, describe(n), "a duration such as 10s or 1h30m")
			return
		}
		v.SetInt(int64(t))
		return
	}
	bits := v.Type().Bits()
	if v.CanInt() {
		bits--
	}
	u, err := strconv.ParseUint(s, 10, bits)
	switch {
	case !ok || err != nil:
		d.wrong(n, key, describe(n), fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<bits-1))
	case v.CanInt():
		v.SetInt(int64(u))
	default:
		v.SetUint(u)
	}
}

// scalar returns the text of a plain value.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// fields returns the fields of a struct by their keys, and the keys in order.
func fields(v reflect.Value) (map[string]reflect.Value, []string) {
	of, names := make(map[string]reflect.Value), []string{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		of[name], names = v.Field(i), append(names, name)
	}
	return of, names
}

func (d *decoder) structure(n ast.Node, v reflect.Value, key string, depth int) {
	list, ok := entries(n)
	if !ok {
		d.wrong(n, key, describe(n), "keys with values")
		return
	}
	of, names := fields(v)
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		name, ok := d.name(e, key, seen)
		if !ok {
			continue
		}
		f, known := of[name]
		if !known {
			expected := "one of " + strings.Join(names, ", ")
			if guess := suggest.Closest(name, names); guess != "" {
				expected = guess
			}
			d.wrong(e, key, "the key "+clip(name), expected)
			continue
		}
		d.value(e.Value, f, under(key, name), depth+1)
	}
}

// name returns the key of an entry, which must be plain text that is there once.
func (d *decoder) name(e *ast.MappingValueNode, key string, seen map[string]bool) (string, bool) {
	s, ok := e.Key.(ast.ScalarNode)
	if _, merge := e.Key.(*ast.MergeKeyNode); !ok || merge {
		d.wrong(e, key, "a key of another kind", "text as a key")
		return "", false
	}
	name := fmt.Sprint(s.GetValue())
	if seen[name] {
		d.wrong(e, under(key, clip(name)), "the key again", "each key once")
		return "", false
	}
	seen[name] = true
	return name, true
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, key string, depth int) {
	list, ok := entries(n)
	if !ok {
		d.wrong(n, key, describe(n), "keys with values")
		return
	}
	m := reflect.MakeMap(v.Type())
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		name, ok := d.name(e, key, seen)
		if !ok {
			continue
		}
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, x, under(key, name), depth+1)
		m.SetMapIndex(reflect.ValueOf(name), x)
	}
	v.Set(m)
}

func (d *decoder) list(n ast.Node, v reflect.Value, key string, depth int) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.wrong(n, key, describe(n), "a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(s.Values))
	for i, item := range s.Values {
		x := reflect.New(v.Type().Elem()).Elem()
		d.value(item, x, under(key, strconv.Itoa(i)), depth+1)
		out = reflect.Append(out, x)
	}
	v.Set(out)
}
