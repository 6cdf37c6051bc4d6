package content

import (
	"bytes"
	"strings"
)

// Mention is a link to what an IM URI names. It is a mention in the draft's sense if
// that is a participant of the room, which only the caller knows.
type Mention struct {
	URI string
	// Label is the text that the sender would have shown: a hint, which may claim
	// somebody else and so has to be checked by the receiver (Link and Mention
	// handling). It is empty if there is none.
	Label string
}

// maxMention bounds a URI and a label in bytes. It is a choice of this
// implementation.
const maxMention = 1024

// Mentions returns the links to mimi: and im: URIs in Markdown and HTML, in the three
// forms <URI>, [label](URI) and <a href="URI">label</a>. It does not tell code or
// comments from text, in which such a link is none.
func Mentions(p SinglePart) []Mention {
	t, ok := ParseMediaType(p.ContentType)
	if !ok || t.Type != "text/markdown" && t.Type != "text/html" {
		return nil
	}
	var all []Mention
	b, open := p.Content, -1
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '[':
			open = i
		case 'm', 'i':
			if !bytes.HasPrefix(b[i:], []byte("mimi:")) && !bytes.HasPrefix(b[i:], []byte("im:")) {
				continue
			}
			if m, ok := mentionAt(b, i, open); ok {
				all = append(all, m)
				i, open = i+len(m.URI)-1, -1
			}
		}
	}
	return all
}

// mentionAt tells by what is around the URI that begins at i whether it is a link.
// The last bracket before it opens at open.
func mentionAt(b []byte, i, open int) (Mention, bool) {
	before := b[:i]
	switch {
	case bytes.HasSuffix(before, []byte("](<")):
		return markdownMention(b, i, open, i-len("](<"), ">")
	case bytes.HasSuffix(before, []byte("](")):
		return markdownMention(b, i, open, i-len("]("), ") \t\n")
	case bytes.HasSuffix(before, []byte("<")):
		uri, ok := until(b[i:], ">")
		return Mention{URI: uri}, ok
	case bytes.HasSuffix(before, []byte(`href="`)):
		return htmlMention(b, i, `"`)
	case bytes.HasSuffix(before, []byte(`href='`)):
		return htmlMention(b, i, `'`)
	}
	return Mention{}, false
}

// markdownMention reads a link whose label is between two brackets.
func markdownMention(b []byte, i, open, end int, delimiters string) (Mention, bool) {
	uri, ok := until(b[i:], delimiters)
	if !ok || open < 0 || open >= end || end-open > maxMention {
		return Mention{}, false
	}
	return Mention{uri, string(b[open+1 : end])}, true
}

// htmlMention reads an anchor. Tags within its label are left as they are.
func htmlMention(b []byte, i int, quote string) (Mention, bool) {
	uri, ok := until(b[i:], quote)
	if !ok {
		return Mention{}, false
	}
	m := Mention{URI: uri}
	rest := b[i+len(uri):]
	rest = rest[:min(len(rest), maxMention)]
	if _, label, ok := bytes.Cut(rest, []byte(">")); ok {
		if label, _, ok := bytes.Cut(label, []byte("</a>")); ok {
			m.Label = string(label)
		}
	}
	return m, true
}

// until returns what comes before one of the delimiters if it is made of what a URI
// may hold. It stops at what may not, and so before the next link.
func until(b []byte, delimiters string) (string, bool) {
	for i, c := range b[:min(len(b), maxMention)] {
		switch {
		case strings.IndexByte(delimiters, c) >= 0:
			return string(b[:i]), true
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>[\]^`+"`{|}", c) >= 0: // RFC 3986, Section 2
			return "", false
		}
	}
	return "", false
}
