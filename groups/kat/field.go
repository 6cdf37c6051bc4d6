package kat

import (
	"bytes"
	"encoding/hex"
	"encoding/json"

	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// The structs of the drafts as cases are made of them: fields in the draft's order,
// each with what JSON shows of it and how it is written. Nothing here knows the
// parsers that read them again.

// field is a field of a struct, or an element of a vector.
type field struct {
	name  string
	value any // as JSON shows it
	write func(*wire.Writer)
}

// object is a JSON object that keeps its order.
type object []field

// MarshalJSON writes the fields in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		v, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(f.name)
		b.Write(name)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// bytes returns the encoding of fields.
func (o object) bytes() octets {
	w := wire.NewWriter([]byte{})
	o.write(w)
	b, err := w.Bytes()
	if err != nil {
		panic("kat: a case can't be written: " + err.Error())
	}
	return b
}

func (o object) write(w *wire.Writer) {
	for _, f := range o {
		f.write(w)
	}
}

// json returns what JSON shows of the struct.
func (o object) json() json.RawMessage {
	b, err := json.Marshal(o)
	if err != nil {
		panic("kat: a case can't be shown: " + err.Error())
	}
	return b
}

func num8(name string, v uint8) field   { return field{name, v, func(w *wire.Writer) { w.Uint8(v) }} }
func num16(name string, v uint16) field { return field{name, v, func(w *wire.Writer) { w.Uint16(v) }} }
func num32(name string, v uint32) field { return field{name, v, func(w *wire.Writer) { w.Uint32(v) }} }
func num64(name string, v uint64) field { return field{name, v, func(w *wire.Writer) { w.Uint64(v) }} }

// enum is a uint8 that JSON shows by name.
func enum(name string, v uint8, shown string) field {
	return field{name, shown, func(w *wire.Writer) { w.Uint8(v) }}
}

func boolean(name string, v bool) field {
	return field{name, v, func(w *wire.Writer) {
		if v {
			w.Uint8(1)
			return
		}
		w.Uint8(0)
	}}
}

// text is an opaque<V> of text, data one of other bytes.
func text(name, v string) field { return field{name, v, func(w *wire.Writer) { w.OpaqueString(v) }} }
func data(name string, v []byte) field {
	return field{name, hex.EncodeToString(v), func(w *wire.Writer) { w.Opaque(v) }}
}

// raw is a struct or fixed field that is encoded already.
func raw(name string, v []byte) field {
	return field{name, hex.EncodeToString(v), func(w *wire.Writer) { w.Fixed(v) }}
}

// none is an optional that is absent, some one that is there.
func none(name string) field { return field{name, nil, func(w *wire.Writer) { w.Uint8(0) }} }
func some(f field) field {
	return field{f.name, f.value, func(w *wire.Writer) { w.Uint8(1); f.write(w) }}
}

// vector is a vector, part a struct within a struct.
func vector(name string, list ...field) field {
	values := make([]any, len(list))
	for i := range list {
		values[i] = list[i].value
	}
	return field{name, values, func(w *wire.Writer) { w.Vector(func() { object(list).write(w) }) }}
}

func part(name string, o object) field { return field{name, o, o.write} }

// numbers16 is a vector of uint16.
func numbers16[T ~uint16](name string, v ...T) field {
	list := make([]field, len(v))
	for i := range v {
		list[i] = num16("", uint16(v[i]))
	}
	return vector(name, list...)
}

func numbers32(name string, v ...uint32) field {
	list := make([]field, len(v))
	for i := range v {
		list[i] = num32("", v[i])
	}
	return vector(name, list...)
}
