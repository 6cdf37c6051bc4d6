package bhttp

import (
	"encoding/binary"
	"fmt"
)

// Marshal returns the known-length form of the request (RFC 9292, Section 3.1). It
// refuses what [ParseRequest] would.
func (r *Request) Marshal() ([]byte, error) {
	if err := r.checkControl(); err != nil {
		return nil, fmt.Errorf("bhttp: request with %w", err)
	}
	out := appendInt(nil, knownRequest)
	for _, part := range []string{r.Method, r.Scheme, r.Authority, r.Path} {
		out = appendString(out, part)
	}
	return appendSections(out, r.Header, r.Content, r.Trailer)
}

// Marshal returns the known-length form of the response (RFC 9292, Section 3.1). It
// refuses what [ParseResponse] would.
func (r *Response) Marshal() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("bhttp: response with %w", err)
	}
	out := appendInt(nil, knownResponse)
	for _, i := range r.Informational {
		out = appendFields(appendInt(out, i.Status), i.Header)
	}
	return appendSections(appendInt(out, r.Status), r.Header, r.Content, r.Trailer)
}

// appendSections appends header, content and trailer.
func appendSections(out []byte, header []Field, content []byte, trailer []Field) ([]byte, error) {
	if err := checkFields(header, "header", true); err != nil {
		return nil, fmt.Errorf("bhttp: %w", err)
	}
	if err := checkFields(trailer, "trailer", false); err != nil {
		return nil, fmt.Errorf("bhttp: %w", err)
	}
	out = appendFields(out, header)
	out = append(appendInt(out, len(content)), content...)
	return appendFields(out, trailer), nil
}

// appendFields appends a Known-Length Field Section.
func appendFields(out []byte, fields []Field) []byte {
	var lines []byte
	for _, f := range fields {
		lines = appendString(appendString(lines, f.Name), f.Value)
	}
	return append(appendInt(out, len(lines)), lines...)
}

func appendString(out []byte, s string) []byte {
	return append(appendInt(out, len(s)), s...)
}

// appendInt appends n, 0 <= n < 2^62, as a variable-length integer of the least
// size (RFC 9000, Section 16): the first two bits say whether it takes 1, 2, 4 or 8
// bytes.
func appendInt(out []byte, n int) []byte {
	switch {
	case n < 1<<6:
		return append(out, byte(n))
	case n < 1<<14:
		return binary.BigEndian.AppendUint16(out, uint16(n)|1<<14)
	case n < 1<<30:
		return binary.BigEndian.AppendUint32(out, uint32(n)|2<<30)
	}
	return binary.BigEndian.AppendUint64(out, uint64(n)|3<<62)
}
