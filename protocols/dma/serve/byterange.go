package serve

import (
	"fmt"
	"strconv"
	"strings"
)

// byteRange is what a client asks for of a ciphertext (RFC 9110, Section 14.1.2).
type byteRange struct {
	given  bool
	from   int64
	to     int64 // the last byte; -1: to the end
	suffix int64 // if not 0, that many bytes at the end, whatever from and to
}

// parseRange reads a Range header. Whatever is not one range of bytes stands for the whole, as
// the RFC lets a server read it.
func parseRange(s string) byteRange {
	s, ok := strings.CutPrefix(s, "bytes=")
	first, last, dash := strings.Cut(s, "-")
	if !ok || !dash {
		return byteRange{}
	}
	from, ok1 := parseBytes(first)
	to, ok2 := parseBytes(last)
	switch {
	case first == "" && ok2 && to > 0:
		return byteRange{given: true, suffix: to}
	case ok1 && last == "":
		return byteRange{given: true, from: from, to: -1}
	case ok1 && ok2 && from <= to:
		return byteRange{given: true, from: from, to: to}
	}
	return byteRange{}
}

// parseBytes reads a number of bytes.
func parseBytes(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && '0' <= s[0] && s[0] <= '9'
}

// String returns the range as a header has it.
func (b byteRange) String() string {
	switch {
	case b.suffix > 0:
		return fmt.Sprintf("bytes=-%d", b.suffix)
	case b.to < 0:
		return fmt.Sprintf("bytes=%d-", b.from)
	}
	return fmt.Sprintf("bytes=%d-%d", b.from, b.to)
}

// fits reports whether bytes from and to of total are what was asked for.
func (b byteRange) fits(from, to, total int64) bool {
	if !b.given {
		return false
	}
	wantFrom, wantTo := b.from, total-1
	if b.suffix > 0 {
		wantFrom = max(0, total-b.suffix)
	} else if b.to >= 0 {
		wantTo = min(b.to, total-1)
	}
	return from == wantFrom && to == wantTo
}

// parseContentRange reads a Content-Range header (RFC 9110, Section 14.4) of a length that is
// known.
func parseContentRange(s string) (from, to, total int64, ok bool) {
	s, ok1 := strings.CutPrefix(s, "bytes ")
	s, all, ok2 := strings.Cut(s, "/")
	first, last, ok3 := strings.Cut(s, "-")
	from, ok4 := parseBytes(first)
	to, ok5 := parseBytes(last)
	total, ok6 := parseBytes(all)
	ok = ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && from <= to && to < total
	return from, to, total, ok
}
