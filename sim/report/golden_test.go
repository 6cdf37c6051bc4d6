package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file below testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what was drawn; look at it, then run go test -update", path)
	}
}

// TestDemo draws every kind of figure and the page.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := demoReport()
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	names := []string{PageFile}
	for _, s := range r.Sections {
		if s.Figure != nil {
			names = append(names, figurePath(s.Figure))
		}
	}
	for _, name := range names {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "demo/"+name, got)
	}
}
