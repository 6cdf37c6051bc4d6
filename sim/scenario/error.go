package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong with a scenario.
type Error struct {
	File     string // name of the document
	Line     int    // from 1; 0 if the value does not stand in the file
	Column   int    // from 1
	Override string // the override that put the value there, or empty
	Path     string // dotted path of the value, or empty for the document
	Found    string // what stands there
	Expected string // what should
	Hint     string // what may have been meant, or empty
}

// Error returns a message of one line.
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Override != "":
		fmt.Fprintf(&b, "--set %s: ", e.Override)
	case e.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Column)
	default:
		fmt.Fprintf(&b, "%s: ", e.File)
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString("found " + e.Found)
	if e.Expected != "" {
		b.WriteString(", expected " + e.Expected)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (did you mean %s?)", e.Hint)
	}
	return b.String()
}

// Errors are all things that were found wrong, in the order of the file.
type Errors []*Error

// Error returns one line per error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors for [errors.As].
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// ErrNotFound is returned by [Open] for a name that the library does not have.
var ErrNotFound = errors.New("no such scenario in the library")

// maxErrors bounds the errors that one document yields.
const maxErrors = 20

// problems collects errors of one document.
type problems struct {
	file  string
	all   Errors
	noted int // how often add was called
}

// add notes a problem with the value that stands, or is missing, at a place.
func (p *problems) add(at place, path, found, expected string) *Error {
	p.noted++
	e := &Error{File: p.file, Line: at.line, Column: at.column, Override: at.override, Path: path, Found: found, Expected: expected}
	for _, old := range p.all {
		if old.Line == e.Line && old.Column == e.Column && old.Override == e.Override && old.Path == e.Path && old.Found == e.Found {
			return old // the same mistake, seen again in another study or at another point
		}
	}
	if len(p.all) < maxErrors {
		p.all = append(p.all, e)
	}
	return e
}

// err returns the problems as an error, or nil if there are none.
func (p *problems) err() error {
	if len(p.all) == 0 {
		return nil
	}
	slices.SortStableFunc(p.all, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p.all
}

// nearest returns the candidate that word may have been meant to be, or "": the
// first that it begins, or else the one with the fewest slips.
func nearest(word string, candidates []string) string {
	best, least := "", len(word)/3+1
	for _, c := range candidates {
		if len(word) > 2 && strings.HasPrefix(c, word) {
			return c
		}
		if d := distance(word, c); d <= least && d < len(c) {
			best, least = c, d-1
		}
	}
	return best
}

// distance is the edit distance of Levenshtein between two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// list prints alternatives: "a, b or c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
