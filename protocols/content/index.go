package content

import (
	"bytes"
	"iter"
	"strconv"
	"strings"
)

// All returns the parts of a body with their part indexes: depth-first, from 0 for
// the body itself (Message Bodies).
func (p NestedPart) All() iter.Seq2[int, NestedPart] {
	return func(yield func(int, NestedPart) bool) {
		index := 0
		p.walk(&index, yield)
	}
}

func (p NestedPart) walk(index *int, yield func(int, NestedPart) bool) bool {
	if !yield(*index, p) {
		return false
	}
	*index++
	if m, ok := p.Part.(MultiPart); ok {
		for _, kid := range m.Parts {
			if !kid.walk(index, yield) {
				return false
			}
		}
	}
	return true
}

// At returns the part with an index.
func (p NestedPart) At(index int) (NestedPart, bool) {
	for i, part := range p.All() {
		if i == index {
			return part, true
		}
	}
	return NestedPart{}, false
}

// Resolve returns the part that a content ID URI names. It must be one with
// content, in the message or outside.
func (p NestedPart) Resolve(uri string) (NestedPart, error) {
	index, ok := ParseContentID(uri)
	if !ok {
		return NestedPart{}, broken(CheckReference, "", strconv.Quote(uri)+", want cid:N@local.invalid")
	}
	part, ok := p.At(index)
	if !ok || !hasContent(part) {
		return NestedPart{}, broken(CheckReference, "", strconv.Quote(uri)+", want a single or external part")
	}
	return part, nil
}

func hasContent(p NestedPart) bool {
	switch p.Part.(type) {
	case SinglePart, ExternalPart:
		return true
	}
	return false
}

// What a content ID URI is made of (RFC 2392; Message Bodies).
const (
	contentIDScheme = "cid:"
	contentIDHost   = "@local.invalid"
)

// ContentID returns the URI by which one part refers to another of the same
// message.
func ContentID(index int) string { return contentIDScheme + strconv.Itoa(index) + contentIDHost }

// ParseContentID returns the part index of a content ID URI.
func ParseContentID(uri string) (index int, ok bool) {
	s, ok := strings.CutPrefix(uri, contentIDScheme)
	if !ok {
		return 0, false
	}
	s, ok = strings.CutSuffix(s, contentIDHost)
	if !ok {
		return 0, false
	}
	index, err := strconv.Atoi(s)
	if err != nil || index < 0 || index >= MaxParts || strconv.Itoa(index) != s {
		return 0, false
	}
	return index, true
}

// References returns the part indexes of the content ID URIs in a part, in the order
// of their first appearance. It looks into text other than plain text.
func References(p SinglePart) []int {
	t, ok := ParseMediaType(p.ContentType)
	if !ok || !strings.HasPrefix(t.Type, "text/") || t.Type == "text/plain" {
		return nil
	}
	var all []int
	var seen [MaxParts]bool
	for rest := p.Content; ; {
		_, after, ok := bytes.Cut(rest, []byte(contentIDScheme))
		if !ok {
			return all
		}
		rest = after
		digits := 0
		for digits < len(after) && digits < 5 && '0' <= after[digits] && after[digits] <= '9' {
			digits++
		}
		if !bytes.HasPrefix(after[digits:], []byte(contentIDHost)) {
			continue
		}
		if i, ok := ParseContentID(contentIDScheme + string(after[:digits]) + contentIDHost); ok && !seen[i] {
			seen[i] = true
			all = append(all, i)
		}
	}
}
