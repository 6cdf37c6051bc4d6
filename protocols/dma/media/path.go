package media

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrPath: a path that leads to no medium.
var ErrPath = errors.New("media: not the path of a medium")

// Path is where a ciphertext lies at the gatekeeper's media host (Reference Offer, media). A
// message carries it, and never a URL: a client asks no other host.
type Path struct {
	// Integrator is the partner that hosts it, or 0 for the gatekeeper.
	Integrator uint16
	Ref        string
}

// Both forms of a path.
const (
	ownPrefix     = "/v/t"                        // and a file_reference
	partnerPrefix = "/interop/whatsapp/download/" // and {integrator}/{storage_ref}/
)

// MaxRef is the size of the longest reference in bytes; assumed.
const MaxRef = 128

// ValidRef reports whether a reference is a segment of a path that leads nowhere else: of
// letters, digits and "-._~" (the unreserved characters of RFC 3986), and not of dots alone.
// That references look like that is assumed.
func ValidRef(ref string) bool {
	if len(ref) > MaxRef || strings.Trim(ref, ".") == "" {
		return false
	}
	for _, c := range []byte(ref) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0) {
			return false
		}
	}
	return true
}

// String returns the path as a message carries it.
func (p Path) String() string {
	if p.Integrator == 0 {
		return ownPrefix + p.Ref
	}
	return partnerPrefix + strconv.Itoa(int(p.Integrator)) + "/" + p.Ref + "/"
}

// ParsePath reads a path that a message carries. It refuses all that String does not write.
func ParsePath(s string) (Path, error) {
	p, ok := parsePath(s)
	if !ok || p.String() != s {
		return Path{}, fmt.Errorf("%w: %.80q, want %s and a reference, or %sINTEGRATOR/REFERENCE/", ErrPath, s, ownPrefix, partnerPrefix)
	}
	return p, nil
}

func parsePath(s string) (p Path, ok bool) {
	if rest, ok := strings.CutPrefix(s, ownPrefix); ok {
		return Path{Ref: rest}, ValidRef(rest)
	}
	rest, ok := strings.CutPrefix(s, partnerPrefix)
	if !ok {
		return p, false
	}
	number, ref, ok := strings.Cut(rest, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil || n == 0 {
		return p, false
	}
	ref, ok = strings.CutSuffix(ref, "/")
	return Path{uint16(n), ref}, ok && ValidRef(ref)
}
