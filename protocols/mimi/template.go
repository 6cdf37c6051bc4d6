package mimi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Template is the URL of an endpoint with a variable in it, as in
// "https://mimi.example.com/v1/notify/{roomId}" (draft-ietf-mimi-protocol-06,
// Directory). The draft cites no language of templates; one is read as a simple
// string expansion of a single variable in the path (RFC 6570, Section 3.2.2):
// everything but letters, digits and - . _ ~ is percent-encoded (deviation 27).
type Template struct {
	before, after string // of the variable
	host          string // with a port, if there is one
	path          string // of before, decoded no further
	variable      Variable
}

// maxURL bounds a template and what it is expanded to, in bytes. It is a choice of
// this implementation: an [ident.MaxURI] of which every byte is encoded fits.
const maxURL = 4096

// ParseTemplate reads the template of an endpoint. It wants https, a host, no user
// information, query or fragment, and one variable, in the path, by a name that the
// draft has for the endpoint.
func ParseTemplate(e *Endpoint, s string) (*Template, error) {
	fail := func(format string, args ...any) (*Template, error) {
		return nil, &DirectoryError{e.Name, fmt.Errorf("template %q: %w", clip(s), fmt.Errorf(format, args...))}
	}
	if len(s) > maxURL {
		return fail("%d bytes, want at most %d", len(s), maxURL)
	}
	before, rest, ok := strings.Cut(s, "{")
	variable, after, ok2 := strings.Cut(rest, "}")
	if !ok || !ok2 || strings.ContainsAny(after, "{}") || strings.Contains(before, "}") {
		return fail("want one variable in braces")
	}
	i := slices.IndexFunc(e.Variables, func(v Variable) bool { return v.Name == variable })
	if i < 0 {
		return fail("variable {%s}, want %s", clip(variable), e.Path[strings.IndexByte(e.Path, '{'):])
	}
	u, err := url.Parse(before + "x" + after)
	switch {
	case err != nil:
		return fail("%w", err)
	case u.Scheme != "https":
		return fail("scheme %q, want https", u.Scheme)
	case u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return fail("want a host and a path, and nothing else")
	}
	if _, err := ParseHost(u.Host); err != nil {
		return fail("%w", err)
	}
	at := len("https://") + len(u.Host)
	if len(before) <= at || before[at] != '/' {
		return fail("the variable is not in the path")
	}
	return &Template{before, after, u.Host, before[at:], e.Variables[i]}, nil
}

// Host returns the host of the URL, with the port if there is one.
func (t *Template) Host() string { return t.host }

// Variable returns the template's variable.
func (t *Template) Variable() Variable { return t.variable }

// Expand returns the URL for a value of the variable.
func (t *Template) Expand(value string) string { return t.before + Escape(value) + t.after }

// ExpandFor returns the URL for something that is named by a URI: if the variable
// stands for a domain, that of the URI's provider, and else the URI.
func (t *Template) ExpandFor(u IdentifierURI) (string, error) {
	if t.variable.Subject != SubjectDomain {
		return t.Expand(string(u)), nil
	}
	v, err := u.Ident()
	if err != nil {
		return "", err
	}
	return t.Expand(v.Provider()), nil
}

// Match returns the value of the variable in the path of a request, as it came over
// the wire: with its percent-encoding. ok is false if the path is not the
// template's or the encoding is broken. Characters that an encoder may leave as they
// are, other than a slash, are taken.
func (t *Template) Match(path string) (value string, ok bool) {
	if value, ok = strings.CutPrefix(path, t.path); !ok {
		return "", false
	}
	if value, ok = strings.CutSuffix(value, t.after); !ok {
		return "", false
	}
	if value == "" || len(path) > maxURL || strings.ContainsAny(value, "/?#") {
		return "", false
	}
	value, err := url.PathUnescape(value)
	return value, err == nil
}

// Escape percent-encodes all of s but unreserved characters (RFC 3986, Section 2.3),
// with capital digits.
func Escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// ParseSubject checks the value of a path's variable: a user's or a room's URI in
// canonical form or not, a domain, or a URL of an asset.
func (s Subject) ParseSubject(value string) (IdentifierURI, error) {
	u := IdentifierURI(value)
	switch s {
	case SubjectRoom:
		if _, ok := u.Is(ident.KindRoom); !ok {
			return "", fmt.Errorf("mimi: %q in the path, want the URI of a room", clip(value))
		}
	case SubjectUser:
		v, err := u.Ident()
		if err != nil || v.Kind() != ident.KindUser && v.Kind() != ident.KindPseudonym {
			return "", fmt.Errorf("mimi: %q in the path, want the URI of a user", clip(value))
		}
	case SubjectDomain:
		if _, err := provider("domain in the path", value); err != nil {
			return "", err
		}
	case SubjectURL:
		if _, err := DownloadURL(value); err != nil {
			return "", err
		}
	}
	return u, nil
}
