package content

import (
	"mime"
	"strings"
)

// The media types of the two drafts and those that every client must be able to
// receive, which are all that is required of a room (MIMI Required and Recommended
// media types).
const (
	TypeContent  = "application/mimi-content"
	TypeStatus   = "application/mimi-message-status"
	TypePlain    = "text/plain;charset=utf-8"
	TypeMarkdown = "text/markdown;variant=GFM-MIMI"
)

// MaxMediaType is the longest media type that is taken apart, in bytes. It is a
// choice of this implementation.
const MaxMediaType = 1024

// MediaType is a media type taken apart.
type MediaType struct {
	Type       string            // with its subtype, in lower case: "text/plain"
	Parameters map[string]string // names in lower case
}

// ParseMediaType takes a media type apart (RFC 2045, Section 5.1). It reports false
// for what is none, "" among it.
func ParseMediaType(s string) (MediaType, bool) {
	if len(s) > MaxMediaType {
		return MediaType{}, false
	}
	t, parameters, err := mime.ParseMediaType(s)
	if err != nil || strings.Count(t, "/") != 1 {
		return MediaType{}, false
	}
	return MediaType{t, parameters}, true
}

// Accepts reports whether a client that accepts m can take content of type other:
// they have the same type, and other has all parameters of m. Values of charset
// and variant are the same in any case. Text that does not say its charset is in
// ASCII or UTF-8 here, so that it passes as UTF-8.
func (m MediaType) Accepts(other MediaType) bool {
	if m.Type != other.Type {
		return false
	}
	for name, want := range m.Parameters {
		got, ok := other.Parameters[name]
		switch {
		case !ok && name == "charset" && strings.EqualFold(want, "utf-8") && strings.HasPrefix(m.Type, "text/"):
		case !ok:
			return false
		case name == "charset" && strings.EqualFold(want, "utf-8") && strings.EqualFold(got, "us-ascii"):
		case name == "charset" || name == "variant":
			if !strings.EqualFold(got, want) {
				return false
			}
		case got != want:
			return false
		}
	}
	return true
}
