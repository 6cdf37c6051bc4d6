package bhttp

import (
	"bytes"
	"errors"
	"fmt"
)

// ParseRequest reads a request of known or indeterminate length. What it returns
// shares no memory with data. Errors wrap [ErrInvalid].
func ParseRequest(data []byte) (*Request, error) {
	r := reader{rest: data}
	known, err := r.framing(knownRequest, indeterminateRequest)
	if err != nil {
		return nil, invalid("request", err)
	}
	var m Request
	for _, part := range []struct {
		name string
		dst  *string
	}{{"method", &m.Method}, {"scheme", &m.Scheme}, {"authority", &m.Authority}, {"path", &m.Path}} {
		if *part.dst, err = r.string(part.name); err != nil {
			return nil, invalid("request", err)
		}
	}
	if err := m.checkControl(); err != nil {
		return nil, invalid("request", err)
	}
	if m.Header, m.Content, m.Trailer, err = r.sections(known); err != nil {
		return nil, invalid("request", err)
	}
	return &m, nil
}

// ParseResponse reads a response of known or indeterminate length. What it returns
// shares no memory with data. Errors wrap [ErrInvalid].
func ParseResponse(data []byte) (*Response, error) {
	r := reader{rest: data}
	known, err := r.framing(knownResponse, indeterminateResponse)
	if err != nil {
		return nil, invalid("response", err)
	}
	var m Response
	for {
		if m.Status, err = r.int("status"); err != nil {
			return nil, invalid("response", err)
		}
		if m.Status < firstInformational || m.Status >= firstFinal {
			break
		}
		i := Informational{Status: m.Status}
		if i.Header, err = r.fields(known, "informational header"); err != nil {
			return nil, invalid("response", err)
		}
		m.Informational = append(m.Informational, i)
	}
	if err := m.check(); err != nil {
		return nil, invalid("response", err)
	}
	if m.Header, m.Content, m.Trailer, err = r.sections(known); err != nil {
		return nil, invalid("response", err)
	}
	return &m, nil
}

func invalid(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrInvalid, what, err)
}

// reader takes a message apart.
type reader struct {
	rest []byte
}

// framing reads the framing indicator and reports whether it is known or, if not,
// indeterminate.
func (r *reader) framing(known, indeterminate int) (bool, error) {
	f, err := r.int("framing indicator")
	if err != nil {
		return false, err
	}
	if f != known && f != indeterminate {
		return false, fmt.Errorf("framing indicator %d, want %d or %d", f, known, indeterminate)
	}
	return f == known, nil
}

// sections reads header, content and trailer, of which the last ones may be missing
// if they are empty, and the padding. Section 3.8 of RFC 9292 lets content and
// trailer be missing, Section 3.1 and the example of RFC 9458, Appendix A, the header
// too.
func (r *reader) sections(known bool) (header []Field, content []byte, trailer []Field, err error) {
	if len(r.rest) > 0 {
		if header, err = r.fields(known, "header"); err != nil {
			return nil, nil, nil, err
		}
	}
	if len(r.rest) > 0 {
		if content, err = r.content(known); err != nil {
			return nil, nil, nil, err
		}
	}
	if len(r.rest) > 0 {
		if trailer, err = r.fields(known, "trailer"); err != nil {
			return nil, nil, nil, err
		}
		if err = checkFields(trailer, "trailer", false); err != nil {
			return nil, nil, nil, err
		}
	}
	for i, c := range r.rest {
		if c != 0 {
			return nil, nil, nil, fmt.Errorf("byte %#02x at %d of the padding, want zeros", c, i)
		}
	}
	return header, content, trailer, nil
}

// fields reads a field section and checks it as a header, of which a trailer is a
// stricter one.
func (r *reader) fields(known bool, section string) ([]Field, error) {
	lines := r
	if known {
		part, err := r.bytes(section)
		if err != nil {
			return nil, err
		}
		lines = &reader{rest: part}
	}
	var out []Field
	for !known || len(lines.rest) > 0 {
		name, err := lines.string("field name")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", section, err)
		}
		if name == "" && !known {
			break // the Content Terminator
		}
		value, err := lines.string("field value")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", section, err)
		}
		out = append(out, Field{name, value})
	}
	return out, checkFields(out, section, true)
}

// content reads the content.
func (r *reader) content(known bool) ([]byte, error) {
	if known {
		content, err := r.bytes("content")
		return bytes.Clone(content), err
	}
	var out []byte
	for {
		chunk, err := r.bytes("chunk of content")
		if err != nil {
			return nil, err
		}
		if len(chunk) == 0 {
			return out, nil
		}
		out = append(out, chunk...)
	}
}

func (r *reader) string(what string) (string, error) {
	b, err := r.bytes(what)
	return string(b), err
}

// bytes reads a length and as many bytes, which stay the message's.
func (r *reader) bytes(what string) ([]byte, error) {
	n, err := r.int("length of the " + what)
	if err != nil {
		return nil, err
	}
	if n > len(r.rest) {
		return nil, fmt.Errorf("the %s is to have %d bytes, %d are left", what, n, len(r.rest))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b, nil
}

// int reads a variable-length integer (RFC 9000, Section 16), which need not have
// the least size.
func (r *reader) int(what string) (int, error) {
	if len(r.rest) == 0 {
		return 0, fmt.Errorf("it ends before the %s", what)
	}
	size := 1 << (r.rest[0] >> 6)
	if size > len(r.rest) {
		return 0, fmt.Errorf("it ends within the %s", what)
	}
	n := uint64(r.rest[0] & 0x3f)
	for _, c := range r.rest[1:size] {
		n = n<<8 | uint64(c)
	}
	r.rest = r.rest[size:]
	if n > maxInt {
		return 0, errors.New("the " + what + " does not fit")
	}
	return int(n), nil
}

// maxInt is the largest length that an int holds.
const maxInt = uint64(^uint(0) >> 1)
