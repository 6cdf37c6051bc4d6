package scenario

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strconv"
)

// Canonical returns the one text of the scenario: JSON, which is YAML, with
// keys in the order of the format, canonical values and nothing that is absent.
func (s *Scenario) Canonical() []byte {
	var b bytes.Buffer
	canonical(&b, reflect.ValueOf(s).Elem())
	return b.Bytes()
}

// Hash names the world that the scenario describes: the SHA-256 of its canonical
// form, in hexadecimal, but for title, question, seed and replications.
func (s *Scenario) Hash() string {
	c := *s
	c.Title, c.Question, c.Seed, c.Replications = "", "", 0, 0
	sum := sha256.Sum256(c.Canonical())
	return hex.EncodeToString(sum[:])
}

func canonical(b *bytes.Buffer, v reflect.Value) {
	switch {
	case isStruct(v.Type()):
		b.WriteByte('{')
		first := true
		for _, f := range fields(v.Type()) {
			x := v.Field(f.index)
			if f.optional && x.IsZero() {
				continue
			}
			if !first {
				b.WriteString(", ")
			}
			first = false
			b.WriteString(strconv.Quote(f.key) + ": ")
			canonical(b, x)
		}
		b.WriteByte('}')
	case v.Kind() == reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			canonical(b, v.Index(i))
		}
		b.WriteByte(']')
	default:
		b.Write(canonicalScalar(v))
	}
}

func canonicalScalar(v reflect.Value) []byte {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic("scenario: a value without a text: " + err.Error()) // a year beyond 9999 does not parse
		}
		return append(append([]byte{'"'}, text...), '"')
	}
	if v.Kind() == reflect.Float64 {
		return strconv.AppendFloat(nil, v.Float(), 'f', -1, 64)
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		panic("scenario: a value without a JSON form: " + err.Error())
	}
	return text
}
