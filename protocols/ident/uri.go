package ident

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind says what a [URI] names.
type Kind uint8

// The kinds of draft-ietf-mimi-protocol-06 (the table "MIMI URI examples"), then
// those that draft-mahy-mimi-identity-05 (the table "types of MIMI URI
// identifiers") adds.
const (
	KindProvider  Kind = iota + 1 // mimi://a.example
	KindUser                      // mimi://a.example/u/alice
	KindClient                    // mimi://a.example/d/ClientA1 or mimi://a.example/d/alice/ClientA1
	KindRoom                      // mimi://a.example/r/clubhouse
	KindGroup                     // mimi://a.example/g/clubhouse
	KindPseudonym                 // mimi://a.example/p/crazykoala75
	KindTeam                      // mimi://a.example/t/engineering
)

// kinds is the registry: the first path segment that stands for each kind, its
// name in prose, and how many path segments may follow.
var kinds = [...]struct {
	letter   byte
	name     string
	segments int
}{
	KindProvider:  {0, "provider", 0},
	KindUser:      {'u', "user", 1},
	KindClient:    {'d', "client", 2},
	KindRoom:      {'r', "room", 1},
	KindGroup:     {'g', "MLS group", 1},
	KindPseudonym: {'p', "pseudonym", 1},
	KindTeam:      {'t', "team", 1},
}

// String returns the kind in the drafts' words: "user", "MLS group".
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kinds) {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kinds[k].name
}

// scheme is how a MIMI URI begins. The drafts do not register it yet.
const scheme = "mimi://"

// MaxURI bounds a URI in bytes. It is a choice of this implementation.
const MaxURI = 1024

// URI is a MIMI URI in canonical form. The zero value is no URI.
//
//	mimi-uri = "mimi://" domain [ "/" letter "/" segment [ "/" segment ] ]
//
// The domain is that of the provider which answers for the name
// (draft-ietf-mimi-protocol-06, Example protocol flow: the host production of
// the authority, RFC 3986). User information, ports, IP addresses, queries and
// fragments have no meaning there and are refused, and so are empty segments and
// dot segments. A segment decodes to UTF-8 text without control characters.
// Only a client's URI may have a second segment.
//
// The canonical form is that of RFC 3986, Sections 6.2.2.1 and 6.2.2.2: scheme
// and domain in lower case; percent-encoding with capital digits, and for no
// unreserved character.
type URI struct {
	kind     Kind
	provider string // the domain, in lower case
	path     string // the segments behind the letter, encoded, as in "alice/ClientA1"
}

// NewURI makes the URI of something at provider, a domain name. The segments are
// unencoded: none for a [KindProvider], one or two for a [KindClient], else one.
func NewURI(kind Kind, provider string, segments ...string) (URI, error) {
	var b strings.Builder
	b.WriteString(scheme)
	b.WriteString(provider)
	if 0 < kind && int(kind) < len(kinds) && kind != KindProvider {
		b.WriteByte('/')
		b.WriteByte(kinds[kind].letter)
	}
	for _, s := range segments {
		b.WriteByte('/')
		for i := 0; i < len(s); i++ {
			appendEncoded(&b, s[i])
		}
	}
	u, err := ParseURI(b.String())
	if err != nil {
		return URI{}, err
	}
	// A provider with a slash in it would parse, as something else.
	if u.kind != kind || u.provider != lower(provider) {
		return URI{}, &Error{What: "mimi URI", Input: b.String(), Want: "a domain name and the segments of a " + kind.String()}
	}
	return u, nil
}

// ParseURI parses a MIMI URI and brings it into canonical form.
func ParseURI(s string) (URI, error) {
	fail := func(at int, want string) (URI, error) {
		return URI{}, &Error{What: "mimi URI", Input: s, Offset: at, Want: want}
	}
	if len(s) > MaxURI {
		return fail(MaxURI, "at most "+strconv.Itoa(MaxURI)+" bytes")
	}
	if len(s) < len(scheme) || lower(s[:len(scheme)]) != scheme {
		return fail(0, `"mimi://"`)
	}
	domain, path, hasPath := strings.Cut(s[len(scheme):], "/")
	if off, want := checkDomain(domain); want != "" {
		return fail(len(scheme)+off, want)
	}
	u := URI{kind: KindProvider, provider: lower(domain)}
	if !hasPath {
		return u, nil
	}
	at := len(scheme) + len(domain) + 1
	if u.kind = kindOf(path); u.kind == 0 {
		return fail(at, "one of u/, d/, r/, g/, p/, t/")
	}
	path, at = path[2:], at+2
	if n := strings.Count(path, "/") + 1; n > kinds[u.kind].segments {
		return fail(at, "at most "+strconv.Itoa(kinds[u.kind].segments)+" segments to name a "+u.kind.String())
	}
	canonical, off, want := normalise(path)
	if want != "" {
		return fail(at+off, want)
	}
	u.path = canonical
	return u, nil
}

// kindOf returns the kind that the path's first segment stands for, or 0.
func kindOf(path string) Kind {
	if len(path) < 2 || path[1] != '/' {
		return 0
	}
	for k := KindUser; int(k) < len(kinds); k++ {
		if kinds[k].letter == path[0] {
			return k
		}
	}
	return 0
}

// normalise brings the segments of path into canonical form, or says at which
// byte they are wrong and what belongs there.
func normalise(path string) (canonical string, off int, want string) {
	var b strings.Builder
	for start := 0; start <= len(path); {
		end := start + strings.IndexByte(path[start:], '/')
		if end < start {
			end = len(path)
		}
		decoded, off, want := decode(path[start:end])
		switch {
		case want != "":
			return "", start + off, want
		case decoded == "" || decoded == "." || decoded == "..":
			return "", start, "a segment that is not empty, . or .."
		}
		if start > 0 {
			b.WriteByte('/')
		}
		for i := 0; i < len(decoded); i++ {
			appendEncoded(&b, decoded[i])
		}
		start = end + 1
	}
	return b.String(), 0, ""
}

// decode undoes the percent-encoding of one segment.
func decode(seg string) (text string, off int, want string) {
	b := make([]byte, 0, len(seg))
	for i := 0; i < len(seg); i++ {
		c := seg[i]
		switch {
		case c == '%':
			if i+2 >= len(seg) || unhex(seg[i+1]) > 15 || unhex(seg[i+2]) > 15 {
				return "", i, "two hexadecimal digits after %"
			}
			c = unhex(seg[i+1])<<4 | unhex(seg[i+2])
			if c < 0x20 || c == 0x7f {
				return "", i, "no control character"
			}
			i += 2
		case !isPchar(c):
			return "", i, "a character that a URI's path may hold, or its percent-encoding"
		}
		b = append(b, c)
	}
	if !utf8.Valid(b) {
		return "", 0, "a segment that decodes to UTF-8"
	}
	return string(b), 0, ""
}

// appendEncoded writes one byte of a segment. Reserved characters that a segment
// may hold as they are stay so: RFC 3986 gives them no other meaning there and
// the MIMI drafts none of their own, so both spellings name the same thing.
func appendEncoded(b *strings.Builder, c byte) {
	const hex = "0123456789ABCDEF"
	if isPchar(c) {
		b.WriteByte(c)
		return
	}
	b.WriteByte('%')
	b.WriteByte(hex[c>>4])
	b.WriteByte(hex[c&15])
}

// isPchar reports whether c is a pchar of RFC 3986, Section 3.3, other than a
// percent sign.
func isPchar(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0
}

// unhex returns the value of a hexadecimal digit, or 255.
func unhex(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// Kind returns what u names; 0 for the zero URI.
func (u URI) Kind() Kind { return u.kind }

// Provider returns the domain name of the provider, in lower case.
func (u URI) Provider() string { return u.provider }

// ProviderURI returns the URI of the provider that answers for u.
func (u URI) ProviderURI() URI {
	if u.kind == 0 {
		return URI{}
	}
	return URI{kind: KindProvider, provider: u.provider}
}

// Segments returns what follows the kind, decoded: nil for a provider, the user
// and the device for a client named by both.
func (u URI) Segments() []string {
	if u.path == "" {
		return nil
	}
	segs := strings.Split(u.path, "/")
	for i, s := range segs {
		segs[i], _, _ = decode(s) // canonical, so it decodes
	}
	return segs
}

// IsZero reports whether u is the zero value.
func (u URI) IsZero() bool { return u == URI{} }

// String returns the canonical form, and "" for the zero URI.
func (u URI) String() string {
	b, _ := u.AppendText(make([]byte, 0, len(scheme)+len(u.provider)+len(u.path)+3))
	return string(b)
}

// AppendText implements [encoding.TextAppender]. It refuses the zero URI.
func (u URI) AppendText(dst []byte) ([]byte, error) {
	if u.kind == 0 {
		return dst, &Error{What: "mimi URI", Want: "a URI, not the zero value"}
	}
	dst = append(dst, scheme...)
	dst = append(dst, u.provider...)
	if u.kind != KindProvider {
		dst = append(dst, '/', kinds[u.kind].letter, '/')
		dst = append(dst, u.path...)
	}
	return dst, nil
}

// MarshalText implements [encoding.TextMarshaler].
func (u URI) MarshalText() ([]byte, error) { return u.AppendText(nil) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (u *URI) UnmarshalText(text []byte) error {
	v, err := ParseURI(string(text))
	if err != nil {
		return err
	}
	*u = v
	return nil
}
