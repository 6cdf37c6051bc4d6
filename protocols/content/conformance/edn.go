package conformance

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseEDN reads what the examples use of CBOR's extended diagnostic notation (RFC
// 8610, Appendix G): null, truth values, unsigned integers, text, byte strings in
// hexadecimal and as text, arrays and maps, comments to the end of a line and
// between slashes. Commas may be left out, as one example does.
func parseEDN(b []byte) (any, error) {
	p := &edn{rest: b}
	v := p.value(0)
	if p.space(); p.err == nil && len(p.rest) > 0 {
		p.fail("something behind the value")
	}
	if p.err != nil {
		return nil, fmt.Errorf("at byte %d: %w", len(b)-len(p.rest), p.err)
	}
	return v, nil
}

// maxEDN is how many levels are read.
const maxEDN = 32

// edn reads diagnostic notation. It keeps the first error.
type edn struct {
	rest []byte
	err  error
}

func (p *edn) fail(what string) {
	if p.err == nil {
		p.err = errors.New(what)
	}
}

// space skips white space and comments.
func (p *edn) space() {
	for p.err == nil && len(p.rest) > 0 {
		switch p.rest[0] {
		case ' ', '\t', '\r', '\n':
			p.rest = p.rest[1:]
		case '#':
			p.rest = afterLine(p.rest)
		case '/':
			_, after, ok := bytes.Cut(p.rest[1:], []byte("/"))
			if !ok {
				p.fail("comment without an end")
				return
			}
			p.rest = after
		default:
			return
		}
	}
}

// afterLine returns what follows the line.
func afterLine(b []byte) []byte {
	_, after, _ := bytes.Cut(b, []byte("\n"))
	return after
}

// accept skips a word if it comes next.
func (p *edn) accept(word string) bool {
	p.space()
	after, ok := bytes.CutPrefix(p.rest, []byte(word))
	if ok && p.err == nil {
		p.rest = after
	}
	return ok && p.err == nil
}

func (p *edn) value(level int) any {
	if level > maxEDN {
		p.fail("too many levels")
	}
	switch {
	case p.err != nil:
		return nil
	case p.accept("null"):
		return nil
	case p.accept("true"):
		return true
	case p.accept("false"):
		return false
	case p.accept("["):
		return p.array(level)
	case p.accept("{"):
		return p.mapping(level)
	case bytes.HasPrefix(p.rest, []byte(`"`)):
		return string(p.joined(p.quoted))
	case bytes.HasPrefix(p.rest, []byte(`'`)):
		return p.joined(p.quoted)
	case bytes.HasPrefix(p.rest, []byte(`h'`)):
		return p.joined(p.hexadecimal)
	}
	return p.number()
}

func (p *edn) array(level int) any {
	all := []any{}
	for !p.accept("]") {
		if all = append(all, p.value(level+1)); p.err != nil {
			return nil
		}
		p.accept(",")
	}
	return all
}

func (p *edn) mapping(level int) any {
	all := map[any]any{}
	for !p.accept("}") {
		key := p.value(level + 1)
		switch key.(type) {
		case string, uint64:
		default:
			p.fail("a key that is neither a number nor text")
		}
		if !p.accept(":") {
			p.fail("no colon behind a key")
		}
		if p.err != nil {
			return nil
		}
		all[key] = p.value(level + 1)
		p.accept(",")
	}
	return all
}

func (p *edn) number() any {
	n := 0
	for n < len(p.rest) && '0' <= p.rest[n] && p.rest[n] <= '9' {
		n++
	}
	v, err := strconv.ParseUint(string(p.rest[:n]), 10, 64)
	if err != nil {
		p.fail("no value")
		return nil
	}
	p.rest = p.rest[n:]
	return v
}

// joined reads a string and those that plus signs add to it.
func (p *edn) joined(read func() []byte) []byte {
	b := read()
	for p.accept("+") {
		p.space()
		b = append(b, read()...)
	}
	return b
}

// quoted reads a string in quotation marks of either kind, with escapes.
func (p *edn) quoted() []byte {
	if len(p.rest) == 0 || p.rest[0] != '"' && p.rest[0] != '\'' {
		p.fail("no string")
		return nil
	}
	mark := p.rest[0]
	out := []byte{}
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == mark:
			p.rest = p.rest[i+1:]
			return out
		case c == '\\' && i+1 < len(p.rest):
			i++
			at := strings.IndexByte(`"'\/bfnrt`, p.rest[i])
			if at < 0 {
				p.fail("an escape that is not known")
				return nil
			}
			out = append(out, "\"'\\/\b\f\n\r\t"[at])
		default:
			out = append(out, c)
		}
	}
	p.fail("string without an end")
	return nil
}

// hexadecimal reads h'...', with white space and comments in it.
func (p *edn) hexadecimal() []byte {
	if !p.accept("h'") {
		p.fail("no byte string")
		return nil
	}
	var digits []byte
	for len(p.rest) > 0 {
		switch c := p.rest[0]; c {
		case '\'':
			p.rest = p.rest[1:]
			b, err := hex.DecodeString(string(digits))
			if err != nil {
				p.fail("not hexadecimal")
			}
			return b
		case '#':
			p.rest = afterLine(p.rest)
		case ' ', '\t', '\r', '\n':
			p.rest = p.rest[1:]
		default:
			digits = append(digits, c)
			p.rest = p.rest[1:]
		}
	}
	p.fail("byte string without an end")
	return nil
}
