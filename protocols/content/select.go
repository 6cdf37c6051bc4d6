package content

import (
	"cmp"
	"strings"
)

// Preference is what a client can process and what it likes best.
type Preference struct {
	// Types are the media types that the client can process, best first. A part
	// whose content type is one of them letter by letter will do as well, be it none
	// ("").
	Types []string
	// Languages are tags, best first (RFC 5646). A part in another language is taken
	// only if there is no better one.
	Languages []string
	// Links says that external parts are processed whatever their type, as one can
	// that shows them as links.
	Links bool
}

// Selected is a part that a client is to process.
type Selected struct {
	Index int // of the part
	NestedPart
}

// Select returns the parts that a client processes, in order: of chooseOne the one
// it prefers, of singleUnit all or none, of processAll those it can. A part that an
// earlier one refers to by a content ID is left out, since it is processed there
// (Message Bodies).
func (p NestedPart) Select(pref Preference) []Selected {
	s := selector{pref: pref}
	for _, t := range pref.Types {
		parsed, _ := ParseMediaType(t)
		s.types = append(s.types, parsed)
	}
	index := 0
	s.add(p, &index, true)
	var chosen []Selected
	var referred [MaxParts]bool
	for _, c := range s.chosen {
		if c.Index < MaxParts && referred[c.Index] {
			continue
		}
		chosen = append(chosen, c)
		if single, ok := c.Part.(SinglePart); ok {
			for _, i := range References(single) {
				referred[i] = true
			}
		}
	}
	return chosen
}

type selector struct {
	pref   Preference
	types  []MediaType // as pref.Types
	chosen []Selected
}

// add appends what is processed of a part, if take says that any of it is, and
// counts its parts.
func (s *selector) add(p NestedPart, index *int, take bool) {
	own := *index
	*index++
	m, ok := p.Part.(MultiPart)
	if !ok {
		if _, can := s.rank(p); take && can {
			s.chosen = append(s.chosen, Selected{own, p})
		}
		return
	}
	best := -1
	if m.Semantics == ChooseOne {
		best = s.best(m)
	}
	_, can := s.rank(p)
	for i, kid := range m.Parts {
		s.add(kid, index, take && can && (m.Semantics != ChooseOne || i == best))
	}
}

// rank is how good a part is; the smaller, the better.
type rank struct {
	missing  int // 1 if some of it can't be processed
	typ      int // place in Preference.Types of the worst of what is processed
	language int // place in Preference.Languages likewise
}

func (a rank) compare(b rank) int {
	return cmp.Or(cmp.Compare(a.missing, b.missing), cmp.Compare(a.typ, b.typ), cmp.Compare(a.language, b.language))
}

// rank returns how good a part is, and whether it can be processed at all. With at
// most MaxDepth levels a part is looked at that often.
func (s *selector) rank(p NestedPart) (rank, bool) {
	switch part := p.Part.(type) {
	case SinglePart:
		typ, ok := s.typ(part.ContentType)
		return rank{0, typ, s.language(p)}, ok
	case ExternalPart:
		typ, ok := s.typ(part.ContentType)
		return rank{0, typ, s.language(p)}, ok || s.pref.Links
	case MultiPart:
		return s.multiRank(part)
	}
	return rank{}, false
}

func (s *selector) multiRank(m MultiPart) (rank, bool) {
	if m.Semantics == ChooseOne {
		i := s.best(m)
		if i < 0 {
			return rank{}, false
		}
		return s.rank(m.Parts[i])
	}
	var worst rank
	able := 0
	for _, kid := range m.Parts {
		r, ok := s.rank(kid)
		if !ok {
			worst.missing = 1
			continue
		}
		able++
		worst = rank{max(worst.missing, r.missing), max(worst.typ, r.typ), max(worst.language, r.language)}
	}
	if m.Semantics == SingleUnit {
		return worst, worst.missing == 0 && able > 0
	}
	return worst, able > 0
}

// best returns the part of a chooseOne that is best, the first of those that are
// equal, or -1.
func (s *selector) best(m MultiPart) int {
	best, least := -1, rank{}
	for i, kid := range m.Parts {
		if r, ok := s.rank(kid); ok && (best < 0 || r.compare(least) < 0) {
			best, least = i, r
		}
	}
	return best
}

// typ returns the place of a content type in the preferences, behind all if it has
// none.
func (s *selector) typ(contentType string) (int, bool) {
	parsed, ok := ParseMediaType(contentType)
	for i, t := range s.types {
		if contentType == s.pref.Types[i] || ok && t.Type != "" && t.Accepts(parsed) {
			return i, true
		}
	}
	return len(s.types), false
}

// language returns the place of the best of a part's languages in the preferences.
// A part that names none comes behind those preferred, one in another language
// last.
func (s *selector) language(p NestedPart) int {
	tags := p.Languages()
	if len(tags) == 0 {
		return len(s.pref.Languages)
	}
	for i, want := range s.pref.Languages {
		for _, tag := range tags {
			if matches(want, tag) {
				return i
			}
		}
	}
	return len(s.pref.Languages) + 1
}

// matches is basic filtering of language tags: "en" matches en and en-GB (RFC 4647,
// Section 3.3.1).
func matches(want, tag string) bool {
	return len(tag) >= len(want) && strings.EqualFold(tag[:len(want)], want) && (len(tag) == len(want) || tag[len(want)] == '-')
}

// PlainText returns a body as plain text: text as it is, Markdown by its source
// (which the draft allows), an external part by its description, file name or URL
// in brackets. It reports false if nothing of the body can be shown so.
func (p NestedPart) PlainText() (string, bool) {
	chosen := p.Select(Preference{Types: []string{TypePlain, TypeMarkdown, "text/markdown"}, Links: true})
	var lines []string
	for _, c := range chosen {
		switch part := c.Part.(type) {
		case SinglePart:
			lines = append(lines, strings.ToValidUTF8(string(part.Content), "\ufffd"))
		case ExternalPart:
			lines = append(lines, "["+cmp.Or(part.Description, part.Filename, part.URL)+"]")
		}
	}
	return strings.Join(lines, "\n"), len(lines) > 0
}
