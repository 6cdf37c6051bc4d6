package ident

import "strings"

// maxDomain is the longest domain name in bytes, without the final dot, and
// maxLabel the longest label (RFC 1035, Section 2.3.4).
const (
	maxDomain = 253
	maxLabel  = 63
)

// checkDomain says at which byte s is not a domain name and what belongs there;
// want is empty if all is well. A domain name here is what RFC 1123, Section 2.1
// allows as a host name: labels of letters, digits and inner hyphens.
// Internationalised names come as A-labels (RFC 5890). The last label must not
// be a number, so that no IPv4 address passes for a name.
func checkDomain(s string) (off int, want string) {
	if len(s) == 0 || len(s) > maxDomain {
		return min(len(s), maxDomain), "a domain name of 1 to 253 bytes"
	}
	last := 0
	for start := 0; start <= len(s); {
		end := start + strings.IndexByte(s[start:], '.')
		if end < start {
			end = len(s)
		}
		label := s[start:end]
		if len(label) == 0 || len(label) > maxLabel {
			return start, "a label of 1 to 63 bytes"
		}
		for i := 0; i < len(label); i++ {
			if c := label[i]; isAlpha(c) || isDigit(c) || c == '-' && 0 < i && i < len(label)-1 {
				continue
			}
			return start + i, "a letter, a digit or a hyphen inside a label"
		}
		last, start = start, end+1
	}
	if digits(s[last:]) == len(s)-last {
		return last, "a last label that is not a number"
	}
	return 0, ""
}

// lower returns s with ASCII capitals in lower case, and s itself if there are
// none.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}
