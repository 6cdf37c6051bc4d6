package outline

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
)

// MarshalJSON writes structs as objects with their fields in order, lists as
// arrays, bytes in hexadecimal, enums as objects with name and number. Where
// elements of a list were not kept, the array ends with {"more": n}.
func (n *Node) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := n.json(&b)
	return b.Bytes(), err
}

func (n *Node) json(b *bytes.Buffer) error {
	switch {
	case n.Value != nil && len(n.Kids) == 0:
		return n.scalar(b)
	case n.List:
		return n.array(b)
	}
	return n.object(b)
}

func (n *Node) array(b *bytes.Buffer) error {
	b.WriteByte('[')
	for i, k := range n.Kids {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := k.json(b); err != nil {
			return err
		}
	}
	if n.More > 0 {
		if len(n.Kids) > 0 {
			b.WriteByte(',')
		}
		if err := put(b, map[string]int{"more": n.More}); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func (n *Node) object(b *bytes.Buffer) error {
	var own, derived []*Node
	for _, k := range n.Kids {
		if k.Derived && !n.Derived {
			derived = append(derived, k)
		} else {
			own = append(own, k)
		}
	}
	b.WriteByte('{')
	if err := fields(b, own); err != nil {
		return err
	}
	if len(derived) > 0 {
		if len(own) > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"derived":{`)
		if err := fields(b, derived); err != nil {
			return err
		}
		b.WriteByte('}')
	}
	b.WriteByte('}')
	return nil
}

func fields(b *bytes.Buffer, kids []*Node) error {
	for i, k := range kids {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := put(b, k.Name); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := k.json(b); err != nil {
			return err
		}
	}
	return nil
}

func put(b *bytes.Buffer, v any) error {
	j, err := json.Marshal(v)
	b.Write(j)
	return err
}

// scalar writes a value.
func (n *Node) scalar(b *bytes.Buffer) error {
	switch v := n.Value.(type) {
	case Bytes:
		return put(b, hex.EncodeToString(v.Data))
	case Number:
		return put(b, uint64(v))
	case Time:
		return put(b, uint64(v))
	case Millis:
		return put(b, uint64(v))
	case Bool:
		return put(b, bool(v))
	case Code:
		return put(b, v)
	case Codes:
		list := Node{List: true, More: v.More}
		for _, c := range v.List {
			list.Add(&Node{Value: c})
		}
		return list.array(b)
	case Numbers:
		list := Node{List: true, More: v.More}
		for _, c := range v.List {
			list.Add(&Node{Value: Number(c)})
		}
		return list.array(b)
	case Text:
		putText(b, string(v))
	case Quoted:
		putText(b, string(v))
	default:
		b.WriteString("null")
	}
	return nil
}

// putText writes a string of which nothing but printable characters reaches a
// terminal; encoding/json lets some controls and marks of direction through.
func putText(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
	}
	b.WriteByte('"')
}
