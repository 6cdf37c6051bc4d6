package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// The files of a result, below its folder.
const (
	ManifestFile = "manifest.json"
	SamplesFile  = "samples.parquet"
	SummaryFile  = "summary.json"
	PageFile     = "report.html"
	FigureFolder = "figures"
)

// Report is everything that one run leaves behind.
type Report struct {
	Manifest     Manifest
	Summary      *Summary       // of Replications; nil has Write collect them
	Replications []*Replication // those that ran to their end
	Sections     []Section      // of the page, in order
}

// Section is a part of the page: any of a text, a table and a figure.
type Section struct {
	Title  string
	Text   string // paragraphs, separated by empty lines
	Table  *Table
	Figure *Figure
}

// File is one file of the result, as the manifest lists it.
type File struct {
	Name   string `json:"name"` // relative to the folder, with slashes
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Write writes the report's files into the folder dir, which it makes if needed.
//
// Every file appears whole or not at all. The manifest is written last: it lists
// the others with their hashes, and a folder without one was not finished. The
// files of an earlier report in the same folder are replaced, and those that
// this one doesn't have are removed if the earlier manifest lists them.
//
// Errors name the file. A figure without data is one, unless the run is marked
// as incomplete: then the page says in its place that there was nothing to draw.
func (r *Report) Write(dir string) error {
	if err := r.write(dir); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (r *Report) write(dir string) error {
	m := r.Manifest
	summary := r.Summary
	if summary == nil {
		var err error
		if summary, err = Collect(r.Replications...); err != nil {
			return err
		}
	}
	m.Intervals = summary.intervals()
	m.fill(r.Replications)

	whole := *r
	whole.Summary = summary
	files, err := whole.render(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, FigureFolder), 0o777); err != nil {
		return err
	}
	old := listed(dir)
	if err := os.Remove(filepath.Join(dir, ManifestFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	m.Files = []File{}
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(f.name)), f.content); err != nil {
			return err
		}
		sum := sha256.Sum256(f.content)
		m.Files = append(m.Files, File{f.name, len(f.content), hex.EncodeToString(sum[:])})
		old = slices.DeleteFunc(old, func(name string) bool { return name == f.name })
	}
	for _, name := range old {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	text, err := indented(m)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, ManifestFile), text)
}

// content is a file to be.
type content struct {
	name    string
	content []byte
}

// render makes all files but the manifest.
func (r *Report) render(m Manifest) ([]content, error) {
	var samples bytes.Buffer
	if err := WriteSamples(&samples, Samples(r.Replications)); err != nil {
		return nil, err
	}
	text, err := indented(r.Summary)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", SummaryFile, err)
	}
	files := []content{{SamplesFile, samples.Bytes()}, {SummaryFile, text}}
	for _, s := range r.Sections {
		if s.Figure == nil {
			continue
		}
		svg, err := s.Figure.SVG()
		if undrawn(m, err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		name := figurePath(s.Figure)
		if slices.ContainsFunc(files, func(f content) bool { return f.name == name }) {
			return nil, fmt.Errorf("figure %s: there are two of that name", s.Figure.Name)
		}
		files = append(files, content{name, svg})
	}
	html, err := r.page(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", PageFile, err)
	}
	return append(files, content{PageFile, html}), nil
}

// undrawn reports whether err is that an interrupted run has no data for a
// figure, which is no reason to lose the rest.
func undrawn(m Manifest, err error) bool { return !m.Complete && errors.Is(err, errNoData) }

// intervals lists the methods that occur.
func (s *Summary) intervals() Intervals {
	out := Intervals{Level: Level, Methods: []Method{}}
	add := func(m Method) {
		if !slices.Contains(out.Methods, m) {
			out.Methods = append(out.Methods, m)
		}
	}
	for _, e := range s.Entries {
		add(e.Method)
		if e.Distribution != nil {
			for _, q := range e.Distribution.Quantiles {
				add(q.Method)
			}
		}
	}
	slices.Sort(out.Methods)
	return out
}

// fill adds what the replications tell, unless it is there already, and has empty
// lists written as [] and not as null.
func (m *Manifest) fill(reps []*Replication) {
	if m.Replications.Done == 0 {
		m.Replications.Done = len(reps)
	}
	m.Replications.Planned = max(m.Replications.Planned, m.Replications.Done)
	if len(m.Seeds) == 0 {
		for _, r := range reps {
			m.Seeds = append(m.Seeds, r.seed)
		}
		slices.Sort(m.Seeds)
		m.Seeds = slices.Compact(m.Seeds)
	}
	m.Command = append([]string{}, m.Command...)
	m.Seeds = append([]uint64{}, m.Seeds...)
	m.Adapters = append([]AdapterUsed{}, m.Adapters...)
	m.Drafts = append([]Revision{}, m.Drafts...)
	m.Assumptions = append([]Assumption{}, m.Assumptions...)
}

// listed returns the files of an earlier report in dir. A manifest that can't be
// read lists none, and names that would lead out of dir are left out.
func listed(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		return nil
	}
	var m struct{ Files []File }
	if json.Unmarshal(text, &m) != nil {
		return nil
	}
	var names []string
	for _, f := range m.Files {
		if filepath.IsLocal(filepath.FromSlash(f.Name)) {
			names = append(names, f.Name)
		}
	}
	return names
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// writeFile replaces the file at path in one step.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err = io.Copy(f, bytes.NewReader(data)); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
