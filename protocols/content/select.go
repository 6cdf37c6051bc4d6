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
	s := &selector{pref: pref}
	for _, t := range pref.Types {
		parsed, _ := ParseMediaType(t)
		s.types = append(s.types, parsed)
	}
	index := 0
	var chosen []Selected
	var referred [MaxParts]bool
	for _, c := range s.look(p, &index).choose(nil) {
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
	pref  Preference
	types []MediaType // as pref.Types
}

// ranked is a part and how good it is.
type ranked struct {
	Selected
	rank
	able bool     // it can be processed
	kids []ranked // of a MultiPart, those that are processed if it is
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

// look ranks a part and all below it, and counts them.
func (s *selector) look(p NestedPart, index *int) ranked {
	r := ranked{Selected: Selected{*index, p}}
	*index++
	switch part := p.Part.(type) {
	case SinglePart:
		r.typ, r.able = s.typ(part.ContentType)
		r.language = s.language(p)
	case ExternalPart:
		r.typ, r.able = s.typ(part.ContentType)
		r.language = s.language(p)
		r.able = r.able || s.pref.Links
	case MultiPart:
		for _, kid := range part.Parts {
			r.kids = append(r.kids, s.look(kid, index))
		}
		if part.Semantics == ChooseOne {
			r.takeBest()
		} else {
			r.takeAll(part.Semantics == ProcessAll)
		}
	}
	return r
}

// takeBest leaves the best of the kids, the first of those that are equal.
func (r *ranked) takeBest() {
	best := -1
	for i, kid := range r.kids {
		if kid.able && (best < 0 || kid.compare(r.kids[best].rank) < 0) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	r.able, r.rank, r.kids = true, r.kids[best].rank, r.kids[best:best+1]
}

// takeAll leaves all kids. Unless some of them will do, the part can only be
// processed with all.
func (r *ranked) takeAll(someWillDo bool) {
	able := 0
	for _, kid := range r.kids {
		if !kid.able {
			r.missing = 1
			continue
		}
		able++
		r.rank = rank{max(r.missing, kid.missing), max(r.typ, kid.typ), max(r.language, kid.language)}
	}
	r.able = able > 0 && (someWillDo || able == len(r.kids))
}

// choose appends what is processed of a part.
func (r ranked) choose(all []Selected) []Selected {
	if !r.able {
		return all
	}
	if _, multi := r.Part.(MultiPart); !multi {
		return append(all, r.Selected)
	}
	for _, kid := range r.kids {
		all = kid.choose(all)
	}
	return all
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
