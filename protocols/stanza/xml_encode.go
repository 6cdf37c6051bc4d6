package stanza

import (
	"encoding/base64"
	"unicode/utf8"
)

// MarshalXML returns a stanza in its one canonical XML form: UTF-8 without
// declaration, attributes in the tree's order and double quotes, empty elements
// closed in themselves, no white space between elements, data as package
// documentation says. It refuses what [Node.Validate] refuses and what would be
// longer than [MaxSize].
func MarshalXML(s Stanza) ([]byte, error) { return AppendXML(nil, s.Node()) }

// AppendXML appends a tree in the form of MarshalXML to dst. On an error it
// returns dst as it was.
func AppendXML(dst []byte, n Node) ([]byte, error) { return appendXML(dst, n, "") }

// IndentXML returns a stanza for people to read: as MarshalXML, but with each
// child element on a line of its own, two spaces deeper than its parent.
// [ParseXML] reads the same tree from both.
func IndentXML(s Stanza) ([]byte, error) { return appendXML(nil, s.Node(), "  ") }

func appendXML(dst []byte, n Node, indent string) ([]byte, error) {
	if err := n.Validate(); err != nil {
		return dst, err
	}
	w := xmlWriter{out: dst, indent: indent}
	w.element(&n, 0)
	if len(w.out)-len(dst) > MaxSize {
		return dst, &FormatError{Check: CheckSize, Where: n.Tag, Offset: -1}
	}
	return w.out, nil
}

type xmlWriter struct {
	out    []byte
	indent string // per level; empty for the canonical form
}

func (w *xmlWriter) element(n *Node, level int) {
	w.out = append(w.out, '<')
	w.out = append(w.out, n.Tag...)
	for i := range n.Attrs {
		w.out = append(w.out, ' ')
		w.out = append(w.out, n.Attrs[i].Name...)
		w.out = append(w.out, '=', '"')
		w.escape(n.Attrs[i].Value, '"')
		w.out = append(w.out, '"')
	}
	switch {
	case len(n.Children) > 0:
		w.out = append(w.out, '>')
		for i := range n.Children {
			w.newline(level + 1)
			w.element(&n.Children[i], level+1)
		}
		w.newline(level)
	case len(n.Data) > 0:
		w.out = append(w.out, '>')
		w.data(n.Data)
	default:
		w.out = append(w.out, '/', '>')
		return
	}
	w.out = append(w.out, '<', '/')
	w.out = append(w.out, n.Tag...)
	w.out = append(w.out, '>')
}

func (w *xmlWriter) newline(level int) {
	if w.indent == "" {
		return
	}
	w.out = append(w.out, '\n')
	for range level {
		w.out = append(w.out, w.indent...)
	}
}

// base64Prefix marks data that XML text cannot carry as it is.
const base64Prefix = "base64:"

func (w *xmlWriter) data(b []byte) {
	if isText(b) {
		w.escape(string(b), '>')
		return
	}
	w.out = append(w.out, base64Prefix...)
	w.out = base64.StdEncoding.AppendEncode(w.out, b)
}

// isText reports whether data can stand as text and be read back as the same:
// characters of XML 1.0 without control characters but tab and line feed, not
// only white space, and not what looks like the base64 form.
func isText(b []byte) bool {
	if len(b) >= len(base64Prefix) && string(b[:len(base64Prefix)]) == base64Prefix {
		return false
	}
	visible := false
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '\t' || c == '\n' || c == ' ':
			i++
			continue
		case class[c]&classControl != 0:
			return false
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(b[i:])
			if !xmlRune(r, size) {
				return false
			}
			i += size
		default:
			i++
		}
		visible = true
	}
	return visible
}

// escape writes s with entities for ampersand, less-than and the given third
// character.
func (w *xmlWriter) escape(s string, third byte) {
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '&' && c != '<' && c != third {
			continue
		}
		w.out = append(w.out, s[start:i]...)
		for j := range entities {
			if entities[j].char == c {
				w.out = append(w.out, entities[j].text...)
			}
		}
		start = i + 1
	}
	w.out = append(w.out, s[start:]...)
}

// entities are the five that XML 1.0 predefines (Section 4.6).
var entities = [...]struct {
	char byte
	text string
}{
	{'&', "&amp;"},
	{'<', "&lt;"},
	{'>', "&gt;"},
	{'"', "&quot;"},
	{'\'', "&apos;"},
}
