package scenario

import (
	"reflect"
	"strings"
	"sync"
	"time"
)

// field is one key of a struct of the format, read from its tags.
type field struct {
	key      string
	optional bool
	index    int
	typ      reflect.Type
	rules    rules
}

// rules are the tags that bound a field's value. For a list of scalars they
// bound its elements.
type rules struct {
	min, max string   // texts of the field's own type
	enum     []string // the only values
	pattern  string   // "name": lower-case letters, digits and dashes
	uncited  bool     // basis:"-": a number that makes no claim about the world
}

// known caches what fields found, by type: reading tags takes most of the time
// of decoding.
var known sync.Map

// fields returns the keys of a struct of the format in order. The result is
// shared.
func fields(t reflect.Type) []field {
	if all, ok := known.Load(t); ok {
		return all.([]field)
	}
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key == "" {
			continue
		}
		r := rules{min: f.Tag.Get("min"), max: f.Tag.Get("max"), pattern: f.Tag.Get("pattern"), uncited: f.Tag.Get("basis") == "-"}
		if e := f.Tag.Get("enum"); e != "" {
			r.enum = strings.Split(e, "|")
		}
		all = append(all, field{key: key, optional: option == "optional", index: i, typ: f.Type, rules: r})
	}
	known.Store(t, all)
	return all
}

// lookup returns the field with a key.
func lookup(t reflect.Type, key string) (field, bool) {
	for _, f := range fields(t) {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

// keys returns the keys of a struct.
func keys(t reflect.Type) []string {
	var all []string
	for _, f := range fields(t) {
		all = append(all, f.key)
	}
	return all
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	scenarioType = reflect.TypeFor[Scenario]()
)

// isStruct reports whether values of the type are mappings of the format.
func isStruct(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != timeType }

// isDist reports whether the type is a distribution, for which a bare value may
// stand.
func isDist(t reflect.Type) bool { return strings.HasPrefix(t.Name(), "Dist[") }

// isNumeric reports whether a scalar of the type makes a claim about the world
// that needs a basis.
func isNumeric(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		return true
	}
	return isDist(t)
}
