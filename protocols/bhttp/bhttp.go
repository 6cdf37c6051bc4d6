// Package bhttp is the binary representation of HTTP messages: RFC 9292
// (https://www.rfc-editor.org/rfc/rfc9292), media type message/bhttp. A whole
// request or response becomes one string of bytes, to be encrypted by Oblivious
// HTTP (package ohttp).
//
//	framing  control data            header          content        trailer
//	0        method scheme           length lines    length bytes   length lines
//	         authority path
//	1        [1xx header]... status  length lines    length bytes   length lines
//	2, 3     the same                lines 0         chunks 0       lines 0
//
// Messages are written with known length and without truncation or padding; all
// four framings, truncation and padding are read.
//
// The package knows nothing of what fields mean. Connection-specific fields are
// for those to leave out who make a message of a live one (RFC 9292, Section 3.6).
package bhttp

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInvalid is what all errors of parsing wrap: the message must not be processed
// (RFC 9292, Section 4).
var ErrInvalid = errors.New("bhttp: invalid message")

// Field is a line of a header or trailer section. The name is in lower case if it
// is to be sent over HTTP/2.
type Field struct {
	Name, Value string
}

// Request is an HTTP request.
type Request struct {
	Method    string
	Scheme    string
	Authority string // empty if a Host field has it
	Path      string
	Header    []Field
	Content   []byte
	Trailer   []Field
}

// Response is an HTTP response.
type Response struct {
	Informational []Informational // those before the final one
	Status        int             // 200 to 599
	Header        []Field
	Content       []byte
	Trailer       []Field
}

// Informational is an informational response (RFC 9292, Section 3.5.1).
type Informational struct {
	Status int // 100 to 199
	Header []Field
}

// Framing indicators (RFC 9292, Section 3.3).
const (
	knownRequest          = 0
	knownResponse         = 1
	indeterminateRequest  = 2
	indeterminateResponse = 3
)

// Bounds of status codes.
const (
	firstInformational = 100
	firstFinal         = 200
	lastFinal          = 599
)

// Values returns the values of all lines with the name, which is in lower case.
func Values(fields []Field, name string) []string {
	var out []string
	for _, f := range fields {
		if strings.ToLower(f.Name) == name {
			out = append(out, f.Value)
		}
	}
	return out
}

// checkFields reports what makes a section invalid (RFC 9292, Section 3.6).
func checkFields(fields []Field, section string, pseudo bool) error {
	regular := false
	for i, f := range fields {
		if err := checkField(f); err != nil {
			return fmt.Errorf("line %d of the %s: %w", i+1, section, err)
		}
		switch {
		case f.Name[0] != ':':
			regular = true
		case !pseudo:
			return fmt.Errorf("line %d of the %s: the pseudo-field %q, which only a header has", i+1, section, f.Name)
		case regular:
			return fmt.Errorf("line %d of the %s: the pseudo-field %q after a regular field", i+1, section, f.Name)
		}
	}
	return nil
}

// controlData are the pseudo-fields that the control data stands for.
var controlData = map[string]bool{":method": true, ":scheme": true, ":authority": true, ":path": true, ":status": true}

// checkField reports what makes a line invalid: a name that is no token (RFC 9110,
// Section 5.1), or a value that would make an HTTP/2 message malformed (RFC 9113,
// Section 8.2.1).
func checkField(f Field) error {
	name := strings.TrimPrefix(f.Name, ":")
	if name == "" {
		return errors.New("an empty field name")
	}
	for i := range len(name) {
		if !tokenByte(name[i]) {
			return fmt.Errorf("byte %#02x in the field name %q", name[i], f.Name)
		}
	}
	if controlData[f.Name] {
		return fmt.Errorf("the field %q, which the control data has", f.Name)
	}
	if i := strings.IndexAny(f.Value, "\x00\r\n"); i >= 0 {
		return fmt.Errorf("byte %#02x in the value of %q", f.Value[i], f.Name)
	}
	if f.Value != strings.Trim(f.Value, " \t") {
		return fmt.Errorf("space around the value of %q", f.Name)
	}
	return nil
}

// tokenByte reports whether a token may hold c (RFC 9110, Section 5.6.2).
func tokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// checkControl reports what is wrong with the control data of a request (RFC 9113,
// Section 8.3.1).
func (r *Request) checkControl() error {
	if r.Method == "" {
		return errors.New("an empty method")
	}
	for i := range len(r.Method) {
		if !tokenByte(r.Method[i]) {
			return fmt.Errorf("byte %#02x in the method %q", r.Method[i], r.Method)
		}
	}
	for _, part := range []struct{ name, value string }{
		{"scheme", r.Scheme}, {"authority", r.Authority}, {"path", r.Path},
	} {
		for i := range len(part.value) {
			if c := part.value[i]; c <= ' ' || c == 0x7f {
				return fmt.Errorf("byte %#02x in the %s %q", c, part.name, part.value)
			}
		}
	}
	if r.Scheme == "" {
		return errors.New("an empty scheme")
	}
	if (r.Scheme == "http" || r.Scheme == "https") && r.Path == "" {
		return fmt.Errorf("an empty path with the scheme %q", r.Scheme)
	}
	return nil
}

// check reports what is wrong with a response's status codes.
func (r *Response) check() error {
	for _, i := range r.Informational {
		if i.Status < firstInformational || i.Status >= firstFinal {
			return fmt.Errorf("informational status %d, want %d to %d", i.Status, firstInformational, firstFinal-1)
		}
		if err := checkFields(i.Header, "informational header", true); err != nil {
			return err
		}
	}
	if r.Status < firstFinal || r.Status > lastFinal {
		return fmt.Errorf("status %d, want %d to %d", r.Status, firstFinal, lastFinal)
	}
	return nil
}
