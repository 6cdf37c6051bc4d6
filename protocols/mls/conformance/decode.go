package conformance

import (
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// octets are bytes that a file gives in hexadecimal; *octets may be null.
type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

// differs says where the keys of a JSON value are not the fields of a type, and how;
// why is "" if they are. Package json would pass over that, and over null where a
// value is wanted, and so make a case smaller than it is.
func differs(raw json.RawMessage, t reflect.Type) (path, why string) {
	if string(raw) == "null" {
		if t.Kind() == reflect.Pointer {
			return "", ""
		}
		return "", "is null"
	}
	switch {
	case t.Kind() == reflect.Pointer:
		return differs(raw, t.Elem())
	case reflect.PointerTo(t).Implements(textType):
		return "", ""
	case t.Kind() == reflect.Slice:
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return "", "is not an array"
		}
		for i, e := range list {
			if path, why := differs(e, t.Elem()); why != "" {
				return fmt.Sprintf("[%d]%s", i, path), why
			}
		}
	case t.Kind() == reflect.Struct:
		return differsFields(raw, t)
	}
	return "", ""
}

func differsFields(raw json.RawMessage, t reflect.Type) (path, why string) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return "", "is not an object"
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name := f.Tag.Get("json")
		if name == "" { // of an embedded struct, whose fields follow
			continue
		}
		names = append(names, name)
		value, ok := object[name]
		if !ok {
			return "." + name, "is missing"
		}
		if path, why := differs(value, f.Type); why != "" {
			return "." + name + path, why
		}
	}
	for name := range object {
		if !slices.Contains(names, name) {
			return "." + name, "is not a field of the format"
		}
	}
	return "", ""
}
