package kat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mimi-lab/mimi-lab/protocols/mls/conformance"
)

// File is one of the files of vectors.
type File struct {
	Name  string // without ".json": "participant-list"
	About string // what it covers, in a line

	check func(c *checker, raw json.RawMessage)
	cases func(m *maker) []any
}

// What an error of [Read] wraps.
var (
	// ErrFile: there is no such file of vectors.
	ErrFile = errors.New("no such file of vectors")
	// ErrFormat: the bytes are not an array of cases, or there are none in it.
	ErrFormat = errors.New("no array of cases")
)

// MaxFile bounds a file in bytes. It is a choice of this implementation; those that
// Generate makes are far smaller.
const MaxFile = 16 << 20

// Files returns the files that there are, in the order of the README.
func Files() []File { return append([]File(nil), files...) }

func find(name string) (*File, error) {
	for i := range files {
		if files[i].Name == name {
			return &files[i], nil
		}
	}
	return nil, fmt.Errorf("kat: %q: %w", name, ErrFile)
}

// Vectors are the cases of one file.
type Vectors struct {
	file  *File
	cases []json.RawMessage
}

// Read takes a file apart into its cases. The error wraps [ErrFile] or [ErrFormat];
// what is wrong within a case is for Check to say.
func Read(name string, data []byte) (*Vectors, error) {
	f, err := find(name)
	if err != nil {
		return nil, err
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("kat: %s: %w: %d bytes, want at most %d", name, ErrFormat, len(data), MaxFile)
	}
	var cases []json.RawMessage
	if err := json.Unmarshal(data, &cases); err != nil {
		return nil, fmt.Errorf("kat: %s: %w: %w", name, ErrFormat, err)
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("kat: %s: %w: it is empty", name, ErrFormat)
	}
	return &Vectors{f, cases}, nil
}

// Len returns how many cases there are.
func (v *Vectors) Len() int { return len(v.cases) }

// Check verifies case i, 0 <= i < Len. It may be called concurrently. A case is
// skipped only if its cipher suite does not exist here.
func (v *Vectors) Check(i int) conformance.Outcome {
	c := &checker{}
	v.file.check(c, bytes.TrimSpace(v.cases[i]))
	out := conformance.Outcome{Skipped: c.skipped}
	for _, what := range c.failures {
		out.Failures = append(out.Failures, conformance.Failure{Case: i, Suite: c.suite, What: c.name(what)})
	}
	return out
}

// Run verifies all cases of a file. The error is that of [Read].
func Run(name string, data []byte) (conformance.Result, error) {
	v, err := Read(name, data)
	if err != nil {
		return conformance.Result{}, err
	}
	r := conformance.Result{File: name}
	for i := range v.Len() {
		r.Add(v.Check(i))
	}
	return r, nil
}
