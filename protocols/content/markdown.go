package content

import "strings"

// NoHTML replaces the angle bracket that opens an HTML tag by "&lt;", as has to be
// done with Markdown before it is sent as GFM-MIMI, and may be done with what was
// received before it is rendered (Specifics of Github Flavored Markdown in MIMI:
// the No HTML extension). Tags are what Section 6.10 of the GFM specification calls
// so, comments, processing instructions, declarations and CDATA among them; links
// in angle brackets stay.
//
// It looks at how a tag begins and not how it goes on. Where it isn't one, the
// reader sees the same, but for code, in which an entity stands as it is written.
func NoHTML(markdown string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(markdown, '<')
		if i < 0 {
			b.WriteString(markdown)
			return b.String()
		}
		b.WriteString(markdown[:i])
		markdown = markdown[i+1:]
		if beginsTag(markdown) {
			b.WriteString("&lt;")
		} else {
			b.WriteByte('<')
		}
	}
}

// beginsTag reports whether an HTML tag may begin with an angle bracket and s.
func beginsTag(s string) bool {
	if strings.HasPrefix(s, "!") || strings.HasPrefix(s, "?") {
		return true
	}
	s = strings.TrimPrefix(s, "/")
	n := 0
	for n < len(s) && isTagName(s[n], n == 0) {
		n++
	}
	// A link goes on with a colon or an at sign.
	return n > 0 && n < len(s) && strings.IndexByte(" \t\r\n/>", s[n]) >= 0
}

func isTagName(c byte, first bool) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	return letter || !first && (c == '-' || '0' <= c && c <= '9')
}
