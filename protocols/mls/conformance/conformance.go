// Package conformance checks the MLS engine against the test vectors of the MLS
// working group (https://github.com/mlswg/mls-implementations), which cover RFC
// 9420 (https://www.rfc-editor.org/rfc/rfc9420) part by part and, with the passive
// clients, as a whole. What is to be verified of each file is written in
// test-vectors.md there; the sentences of that text are the checks here.
//
//	bytes of a file ──Read──► Vectors ──Check(i)──► Outcome ──Add──► Result
//
// Start with [Run]. Who wants to check cases at the same time calls [Read] and
// [Vectors.Check], which may be called concurrently.
//
// A case passes if all of it was verified. One that lacks a field, or has one that
// its runner does not know, fails: there is nothing that a runner leaves out. A
// case is skipped only if its cipher suite does not exist.
//
// The package draws randomness from seeded suites, so that the same bytes give the
// same result. It does not know where vectors lie; see package
// protocols/vectors for that.
package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// File is one of the files that there is a runner for.
type File struct {
	Name  string // as it was published, without ".json": "tree-math"
	About string // what it covers
}

// Failure is something in a case that is not as the file says.
type Failure struct {
	Case  int      // from 0
	Suite suite.ID // 0 if the case has none
	What  string   // names the field
}

// Result counts what became of the cases of a file.
type Result struct {
	File                           string
	Cases, Passed, Failed, Skipped int
	Failures                       []Failure // in the order of cases; of one case there may be several
}

// Outcome is what became of one case: it passed if it was not skipped and has no
// failures.
type Outcome struct {
	Skipped  bool
	Failures []Failure
}

// What an error of this package wraps.
var (
	// ErrFile: there is no runner for such a file.
	ErrFile = errors.New("no such file of vectors")
	// ErrFormat: the bytes are not an array of cases, or there are none in it.
	ErrFormat = errors.New("no array of cases")
)

// Files returns the files that there are runners for, sorted by name.
func Files() []File {
	files := make([]File, len(runners))
	for i, r := range runners {
		files[i] = r.File
	}
	return files
}

// Vectors are the cases of one file.
type Vectors struct {
	runner runner
	cases  []json.RawMessage
}

// Read takes a file apart into its cases. The error is [ErrFile] or [ErrFormat]; what
// is wrong within a case is for Check to say.
func Read(name string, data []byte) (*Vectors, error) {
	for _, r := range runners {
		if r.Name != name {
			continue
		}
		var cases []json.RawMessage
		if err := json.Unmarshal(data, &cases); err != nil {
			return nil, fmt.Errorf("conformance: %s: %w: %w", name, ErrFormat, err)
		}
		if len(cases) == 0 {
			return nil, fmt.Errorf("conformance: %s: %w: it is empty", name, ErrFormat)
		}
		return &Vectors{r, cases}, nil
	}
	return nil, fmt.Errorf("conformance: %q: %w", name, ErrFile)
}

// Len returns how many cases there are.
func (v *Vectors) Len() int { return len(v.cases) }

// Check verifies case i, 0 <= i < Len.
func (v *Vectors) Check(i int) Outcome {
	c := &checker{label: fmt.Sprintf("conformance/%s/%d", v.runner.Name, i)}
	v.runner.run(c, bytes.TrimSpace(v.cases[i]))
	out := Outcome{Skipped: c.skipped}
	for _, what := range c.differences {
		out.Failures = append(out.Failures, Failure{i, c.suite, what})
	}
	return out
}

// Add counts the outcome of one more case.
func (r *Result) Add(o Outcome) {
	r.Cases++
	switch {
	case o.Skipped:
		r.Skipped++
	case len(o.Failures) > 0:
		r.Failed++
	default:
		r.Passed++
	}
	r.Failures = append(r.Failures, o.Failures...)
}

// Run verifies all cases of a file. The error is that of [Read].
func Run(name string, data []byte) (Result, error) {
	v, err := Read(name, data)
	if err != nil {
		return Result{}, err
	}
	r := Result{File: name}
	for i := range v.Len() {
		r.Add(v.Check(i))
	}
	return r, nil
}
