package vectors_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/mimi-lab/mimi-lab/protocols/vectors"
)

// TestSources demands of the list that what is derived from it makes sense.
func TestSources(t *testing.T) {
	t.Parallel()
	hexadecimal := func(digits int) *regexp.Regexp { return regexp.MustCompile(fmt.Sprintf("^[0-9a-f]{%d}$", digits)) }
	seen := map[string]bool{}
	count := map[string]int{}
	for _, s := range vectors.Sources() {
		if s.About == "" || strings.Count(s.Repository, "/") != 1 || !hexadecimal(40).MatchString(s.Commit) {
			t.Errorf("%s: about %q, repository %q, commit %q; want a sentence, owner/name and 40 digits", s.Name, s.About, s.Repository, s.Commit)
		}
		names := vectors.Names(s.Name)
		if !slices.IsSorted(names) {
			t.Errorf("%s: the names are not sorted", s.Name)
		}
		for _, f := range s.Files {
			if path.Dir(f.Name) != s.Name || path.Base(f.Path) != path.Base(f.Name) || !fs.ValidPath(f.Name) || !fs.ValidPath(f.Path) {
				t.Errorf("%s: %s is %s in the repository; want the same base name, in the folder of the source", s.Name, f.Name, f.Path)
			}
			if f.Size <= 0 || f.Size > 16<<20 || !hexadecimal(64).MatchString(f.SHA256) {
				t.Errorf("%s: %d bytes, SHA-256 %q; want up to 16 MiB, and 64 digits", f.Name, f.Size, f.SHA256)
			}
			if seen[f.Name] || seen[f.SHA256] {
				t.Errorf("%s is listed twice, or its hash is", f.Name)
			}
			seen[f.Name], seen[f.SHA256] = true, true
			count[s.Name]++
		}
	}
	for name, want := range map[string]int{"mls": 16, "mimi-content": 32, "mimi-status": 3, "sframe": 2} {
		if count[name] != want || len(vectors.Names(name)) != want {
			t.Errorf("%s: %d files and %d names, want %d", name, count[name], len(vectors.Names(name)), want)
		}
	}
	if len(count) != 4 || vectors.Names("other") != nil {
		t.Errorf("%d sources, and names %q of one that is none; want 4, and none", len(count), vectors.Names("other"))
	}
}

func ExampleSource_URL() {
	s := vectors.Sources()[0]
	fmt.Println(s.URL(s.Files[0]))
	// Output: https://raw.githubusercontent.com/mlswg/mls-implementations/cfd450286d1bfd9cd2519b95c80f9771f94a5b1a/test-vectors/crypto-basics.json
}

// pin returns the entry of a list for a file with these contents.
func pin(name, contents string) vectors.File {
	return vectors.File{Name: name, Path: name, Size: int64(len(contents)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(contents)))}
}

// endless is a file without an end. It fails the test that reads much of it.
type endless struct {
	t    *testing.T
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 1<<16 {
		e.t.Fatal("an endless file is read on and on")
	}
	return len(p), nil
}

func TestCopy(t *testing.T) {
	t.Parallel()
	f := pin("mls/a.json", "[1, 2]")
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		src  io.Reader
		want string // "" for no error
	}{
		{"right", strings.NewReader("[1, 2]"), ""},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("[1, 2]")), ""},
		{"end with the last byte", iotest.DataErrReader(strings.NewReader("[1, 2]")), ""},
		{"changed", strings.NewReader("[1, 3]"), "mls/a.json has SHA-256 4e3970018fa500922ce5c087f84c734d7b47b0651da2f2e17226801885838032, want the pinned "},
		{"short", strings.NewReader("[1, 2"), "mls/a.json has 5 bytes, want the pinned 6"},
		{"empty", strings.NewReader(""), "mls/a.json has 0 bytes, want the pinned 6"},
		{"long", strings.NewReader("[1, 2]\n"), "mls/a.json has more than the pinned 6 bytes"},
		{"endless", &endless{t: t}, "mls/a.json has more than the pinned 6 bytes"},
		{"broken", io.MultiReader(strings.NewReader("[1"), iotest.ErrReader(broken)), "broken"},
		{"broken at the end", io.MultiReader(strings.NewReader("[1, 2]"), iotest.ErrReader(broken)), "broken"},
	} {
		var dst bytes.Buffer
		err := f.Copy(&dst, tt.src)
		var m *vectors.MismatchError
		switch {
		case tt.want == "":
			if err != nil || dst.String() != "[1, 2]" {
				t.Errorf("%s: got %q and error %v, want the contents", tt.name, &dst, err)
			}
			continue
		case err == nil || !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.want)
		case errors.As(err, &m) == strings.HasPrefix(tt.name, "broken"):
			t.Errorf("%s: got error %T", tt.name, err)
		}
		if dst.Len() > 6 {
			t.Errorf("%s: wrote %d bytes, want at most 6", tt.name, dst.Len())
		}
	}
	if err := f.Copy(full{}, strings.NewReader("[1, 2]")); !errors.Is(err, errFull) {
		t.Errorf("to a full disk: got error %v, want %v", err, errFull)
	}
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestRead plants one defect of each kind. That what is right is read is seen in
// package vectorstest, with the real vectors.
func TestRead(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"mls/tree-math.json": {Data: []byte("[]")}, "mls/welcome.json/x": {}, "other": {}}
	for name, want := range map[string]error{
		"mls/tree-math.json":  new(vectors.MismatchError),
		"mls/psk_secret.json": fs.ErrNotExist,
		"mls/other.json":      vectors.ErrNotListed,
		"other":               vectors.ErrNotListed,
		"../SHA256SUMS":       vectors.ErrNotListed,
		"":                    vectors.ErrNotListed,
	} {
		_, err := vectors.Read(fsys, name)
		var m *vectors.MismatchError
		if !errors.Is(err, want) && !(errors.As(want, &m) && errors.As(err, &m)) {
			t.Errorf("read %q: got error %v, want %T %v", name, err, want, want)
		}
	}
	for name, mode := range map[string]fs.FileMode{"a folder": fs.ModeDir, "a named pipe": fs.ModeNamedPipe, "a device": fs.ModeDevice | fs.ModeCharDevice, "a socket": fs.ModeSocket} {
		_, err := vectors.Read(fstest.MapFS{"mls/welcome.json": {Mode: mode}}, "mls/welcome.json")
		if err == nil || !strings.Contains(err.Error(), "mls/welcome.json is no regular file") {
			t.Errorf("%s in the place of a file: error %v", name, err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	sources := []vectors.Source{
		{Name: "a", Files: []vectors.File{pin("a/1", "one"), pin("a/2", "two")}},
		{Name: "b", Files: []vectors.File{pin("b/3", "three")}},
	}
	right := func() fstest.MapFS {
		return fstest.MapFS{"a/1": {Data: []byte("one")}, "a/2": {Data: []byte("two")}, "b/3": {Data: []byte("three")}, "c": {}}
	}
	for _, tt := range []struct {
		name string
		edit func(fstest.MapFS)
		want []string
	}{
		{"right", func(fstest.MapFS) {}, nil},
		{"missing", func(m fstest.MapFS) { delete(m, "a/2") }, []string{"a a/2 changed=false"}},
		{"changed", func(m fstest.MapFS) { m["a/2"].Data = []byte("TWO") }, []string{"a a/2 changed=true"}},
		{"longer", func(m fstest.MapFS) { m["b/3"].Data = []byte("threefold") }, []string{"b b/3 changed=true"}},
		{"both", func(m fstest.MapFS) { delete(m, "b/3"); m["a/1"].Data = nil }, []string{"a a/1 changed=true", "b b/3 changed=false"}},
		{"empty", func(m fstest.MapFS) { clear(m) }, []string{"a a/1 changed=false", "a a/2 changed=false", "b b/3 changed=false"}},
	} {
		fsys := right()
		tt.edit(fsys)
		var got []string
		for _, p := range vectors.Verify(fsys, sources) {
			got = append(got, fmt.Sprintf("%s %s changed=%v", p.Source, p.File.Name, p.Changed()))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
