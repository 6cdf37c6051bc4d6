package stanza

import (
	"bytes"
	"encoding/base64"
	"strconv"
)

// ParseXML reads one stanza in XML. Beside the canonical form it takes white
// space around elements, single quotes and start and end tags of empty elements;
// the grammar is in the package comment. Errors are a *[FormatError] with the
// byte offset in b.
func ParseXML(b []byte) (Node, error) {
	if len(b) > MaxSize {
		return Node{}, &FormatError{Check: CheckSize, Offset: MaxSize}
	}
	p := xmlParser{in: b}
	var n Node
	p.space()
	p.element(&n, 1)
	p.space()
	if p.err == nil && p.off < len(b) {
		p.fail(CheckTrailing, p.off, "")
	}
	if p.err != nil {
		return Node{}, p.err
	}
	return n, nil
}

// xmlParser reads from in at off until the first error. Once err is set, its
// methods read nothing more.
type xmlParser struct {
	in    []byte
	off   int
	nodes int
	err   error
}

func (p *xmlParser) fail(c Check, off int, detail string) {
	if p.err == nil {
		p.err = &FormatError{Check: c, Offset: off, Detail: detail}
	}
}

// peek returns the next byte, and 0, which XML does not know, at the end or an
// error.
func (p *xmlParser) peek() byte {
	if p.err != nil || p.off >= len(p.in) {
		return 0
	}
	return p.in[p.off]
}

// expect reads exactly s.
func (p *xmlParser) expect(s string) {
	if p.err != nil {
		return
	}
	for i := range len(s) {
		if p.off >= len(p.in) {
			p.fail(CheckTruncated, p.off, "expected "+strconv.Quote(s[i:]))
			return
		}
		if p.in[p.off] != s[i] {
			p.fail(CheckSyntax, p.off, "expected "+strconv.Quote(s[i:]))
			return
		}
		p.off++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// space skips white space and reports whether there was any.
func (p *xmlParser) space() bool {
	start := p.off
	for isSpace(p.peek()) {
		p.off++
	}
	return p.off > start
}

func (p *xmlParser) name() string {
	start := p.off
	for class[p.peek()]&className != 0 {
		p.off++
	}
	s := string(p.in[start:p.off])
	switch {
	case p.err != nil:
	case s == "" && start == len(p.in):
		p.fail(CheckTruncated, start, "expected a name")
	case !validName(s):
		p.fail(CheckName, start, strconv.Quote(s))
	}
	return s
}

func (p *xmlParser) element(n *Node, depth int) {
	start := p.off
	p.expect("<")
	if c := p.peek(); c == '!' || c == '?' {
		p.fail(CheckForbidden, start, "")
	}
	n.Tag = p.name()
	if p.nodes++; p.nodes > MaxNodes {
		p.fail(CheckNodes, start, "")
	}
	for p.space() && class[p.peek()]&className != 0 {
		n.Attrs = append(n.Attrs, p.attribute())
		if len(n.Attrs) > MaxAttrs {
			p.fail(CheckAttrs, start, "")
		}
	}
	if p.err == nil && (depth > MaxDepth || duplicate(n.Attrs) >= 0) {
		p.err = n.validateShape(depth)
		p.err.(*FormatError).Offset = start
	}
	if p.peek() == '/' {
		p.expect("/>")
		return
	}
	p.expect(">")
	p.content(n, depth)
	p.expect("</")
	end := p.off
	if p.name() != n.Tag {
		p.fail(CheckSyntax, end, "expected the end of "+strconv.Quote(n.Tag))
	}
	p.space()
	p.expect(">")
}

func (p *xmlParser) attribute() Attr {
	a := Attr{Name: p.name()}
	p.expect("=")
	quote := p.peek()
	if quote != '\'' {
		quote = '"'
	}
	p.expect(string(quote))
	start := p.off
	a.Value = string(p.text(quote))
	if p.err == nil && !validValue(a.Value) {
		p.fail(CheckValue, start, "")
	}
	p.expect(string(quote))
	return a
}

// content reads children or data up to the end tag.
func (p *xmlParser) content(n *Node, depth int) {
	start := p.off
	p.space()
	if p.peek() != '<' {
		p.off = start
		p.data(n)
		if p.err == nil && p.off+1 < len(p.in) && p.in[p.off+1] != '/' {
			p.markup(CheckMixed)
		}
		return
	}
	for p.err == nil && p.off+1 < len(p.in) && p.in[p.off+1] != '/' {
		n.Children = append(n.Children, Node{})
		p.element(&n.Children[len(n.Children)-1], depth+1)
		p.space()
		if p.err == nil && p.off < len(p.in) && p.peek() != '<' {
			p.fail(CheckMixed, p.off, "")
		}
	}
}

// markup fails at a "<" that may not be there, with c unless it begins what is
// forbidden everywhere.
func (p *xmlParser) markup(c Check) {
	if next := p.in[p.off+1]; next == '!' || next == '?' {
		c = CheckForbidden
	}
	p.fail(c, p.off, "")
}

// data reads the text of an element.
func (p *xmlParser) data(n *Node) {
	start := p.off
	b := p.text('<')
	if p.err != nil {
		return
	}
	if i := bytes.Index(p.in[start:p.off], []byte("]]>")); i >= 0 { // XML 1.0, Section 2.4
		p.fail(CheckSyntax, start+i, "the end of CDATA in text")
		return
	}
	if enc, ok := bytes.CutPrefix(b, []byte(base64Prefix)); ok {
		if bytes.ContainsAny(enc, "\r\n") { // which the decoder would skip
			p.fail(CheckBase64, start, "line break")
			return
		}
		out, err := base64.StdEncoding.Strict().AppendDecode(nil, enc)
		switch {
		case err != nil:
			p.fail(CheckBase64, start, err.Error())
		case len(out) == 0:
			p.fail(CheckBase64, start, "no data")
		}
		n.Data = out
		return
	}
	if !isText(b) {
		p.fail(CheckSyntax, start, "not text; such data stands as "+base64Prefix)
	}
	n.Data = b
}

// text reads characters and entities up to, not including, end or "<".
func (p *xmlParser) text(end byte) []byte {
	var out []byte
	start := p.off
	for p.err == nil {
		i := p.off
		for i < len(p.in) && p.in[i] != end && p.in[i] != '<' && p.in[i] != '&' {
			i++
		}
		out = append(out, p.in[p.off:i]...)
		p.off = i
		switch {
		case i == len(p.in):
			p.fail(CheckTruncated, i, "text from byte "+strconv.Itoa(start)+" has no end")
		case p.in[i] == '&':
			out = append(out, p.entity())
		default:
			return out
		}
	}
	return nil
}

// entity reads one of the five predefined entities.
func (p *xmlParser) entity() byte {
	for i := range entities {
		if e := &entities[i]; bytes.HasPrefix(p.in[p.off:], []byte(e.text)) {
			p.off += len(e.text)
			return e.char
		}
	}
	p.fail(CheckEntity, p.off, "")
	return 0
}
